"""A changed tag set on a real Label Studio: page, answers, suggestions and datasets change together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from labels.dataset import load, manifest_of, save
from labels.errors import StudioError
from labels.interface import configuration, fits, options, to_result
from labels.migrate import migrate, survey
from labels.record import Record, read, write
from labels.rename import Renaming
from labels.studio import Studio
from labels.versions import versions
from model.taxonomy import Taxonomy
from tests.bundles import tiny_taxonomy
from tests.studio.server import Labeller, Server
from tympan import app

Tympan = Callable[..., Result]
OLD = tiny_taxonomy()
NEW = """
name = "tiny"
version = "2.0"
[groups.intent]
title = { en = "Intents" }
[groups.intent.tags.leave]
title = { en = "Wants to leave", fr = "Veut partir" }
former = ["churn"]
[groups.intent.tags.trouble]
former = ["friction", "help"]
[groups.intent.tags.purchase]
[groups.intent.tags.boast]
[groups.topic.tags.service]
[groups.topic.tags."service/network"]
[groups.topic.tags.price]
[groups.topic.tags."price/amount"]
former = ["price/level"]
"""
"""Renamed: churn and price/level. Merged: friction and help. Gone: praise. Split: service/outage. Added: boast."""
MAPPING = '[intent]\npraise = ""\n[topic]\n"service/outage" = "service/network"\n'
AFTER = Taxonomy.parse(NEW)


def said(*intent: str, topic: tuple[str, ...] = ()) -> list[dict[str, object]]:
    return to_result({"intent": intent, "topic": topic}, OLD)


ANSWERS = {
    "je résilie": said("churn", topic=("price/level",)),
    "panne encore": said("friction", "help", topic=("service/outage",)),
    "merci bravo": said("praise"),
    "rien à dire": said(),
    "comment acheter": said("purchase"),
}
EXPECTED = {
    "je résilie": {"intent": ("leave",), "topic": ("price/amount",)},
    "panne encore": {"intent": ("trouble",), "topic": ("service/network",)},
    "merci bravo": {"intent": (), "topic": ()},
    "rien à dire": {"intent": (), "topic": ()},
    "comment acheter": {"intent": ("purchase",), "topic": ()},
}


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "new.toml"
    path.write_text(NEW, encoding="utf-8")
    return path


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING, encoding="utf-8")
    return path


@pytest.fixture
def project(tympan: Tympan, first: Labeller, second: Labeller, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A project of five mentions, answered by two people."""
    title = request.node.name[:50]
    assert tympan("init", title).exit_code == 0
    file = tmp_path / "mentions.csv"
    file.write_text("message\n" + "\n".join(ANSWERS) + "\n", encoding="utf-8")
    assert tympan("push", title, file).exit_code == 0
    tasks = first.tasks(number(first, title))
    for text, result in ANSWERS.items():
        second.answer(tasks[text], result)
    first.answer(tasks["je résilie"], ANSWERS["je résilie"])
    first.skip(tasks["rien à dire"])
    return title


def number(person: Labeller, title: str) -> int:
    found = person._get("/api/projects", page_size=100)["results"]
    return next(int(project["id"]) for project in found if project["title"] == title)


def stored(server: Server, title: str) -> dict[str, list[tuple[int, object]]]:
    """Text → who answered what."""
    with Studio(url=server.url, token=server.token) as studio:
        project = studio.project(title)
        texts = {state.id: str(state.data["text"]) for state in studio.states(project)}
        found = studio.annotations(project, list(texts))
        return {texts[task]: sorted((one.who, one.result) for one in answers) for task, answers in found.items()}


def page(server: Server, title: str) -> str:
    with Studio(url=server.url, token=server.token) as studio:
        return studio.project(title).schema


def records(folder: Path) -> dict[str, Record]:
    return {record.text: record for side in load(folder).values() for record in side}


def pulled(title: str, folder: Path, taxonomy: Path) -> Result:
    return CliRunner().invoke(app, ["labels", "pull", title, "-o", str(folder), "--taxonomy", str(taxonomy)])


def test_a_dry_run_says_what_would_become_of_every_tag_and_changes_nothing(
    tympan: Tympan,
    server: Server,
    project: str,
    new: Path,
    mapping: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    folder = tmp_path / "dataset"
    tympan("pull", project, "-o", folder)
    before = stored(server, project), page(server, project), records(folder)
    result = tympan("migrate", project, "--taxonomy", new, "--mapping", mapping, "--dataset", folder, "--dry-run")
    assert result.exit_code == 0, result.output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.output.splitlines() if "│" in line]
    table = {row[0]: row[1:] for row in rows}
    assert table == {
        "intent/churn": ["becomes leave", "2", "1", "1"],
        "intent/friction": ["becomes trouble", "1", "1", "1"],
        "intent/help": ["becomes trouble", "1", "1", "1"],
        "intent/praise": ["removed", "1", "1", "1"],
        "topic/price/level": ["becomes price/amount", "2", "0", "1"],
        "topic/service/outage": ["becomes service/network", "1", "1", "1"],
        "intent/boast": ["added", "0", "0", "0"],
        "intent/leave": ["added", "0", "0", "0"],
        "intent/trouble": ["added", "0", "0", "0"],
        "topic/price/amount": ["added", "0", "0", "0"],
        "topic/service/network": ["added", "0", "0", "0"],
    }
    assert "4 answers, 4 suggestions and 3 records would change" in result.output
    assert before == (stored(server, project), page(server, project), records(folder))


def test_page_answers_suggestions_and_dataset_change_together_and_people_keep_their_answers(
    tympan: Tympan, server: Server, first: Labeller, project: str, new: Path, mapping: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    tympan("pull", project, "-o", folder)
    people = {
        text: [(who, bool(result)) for who, result in answers] for text, answers in stored(server, project).items()
    }
    command = ("migrate", project, "--taxonomy", new, "--mapping", mapping, "--dataset", folder, "--language", "fr")
    result = tympan(*command)
    assert result.exit_code == 0, result.output

    found = stored(server, project)
    assert {text: [(who, bool(result)) for who, result in answers] for text, answers in found.items()} == people
    for text, answers in found.items():
        assert [answer for _, answer in answers if answer] == [to_result(EXPECTED[text], AFTER)] * (
            1 + (text == "je résilie")
        )
    schema = page(server, project)
    assert fits(schema, AFTER) == []
    assert "Veut partir" in schema
    tasks = first.tasks(number(first, project))
    (suggestion,) = first.predictions(tasks["je résilie"])
    assert suggestion["result"] == to_result({"intent": ("leave",), "topic": ()}, AFTER)

    assert {text: record.tags for text, record in records(folder).items()} == EXPECTED
    assert len(versions(folder)) == 2
    again = pulled(project, folder, new)
    assert again.exit_code == 0, again.output
    assert "nothing new since the last version" in again.output

    second = tympan(*command)
    assert second.exit_code == 0
    assert "0 answers, 0 suggestions and 0 records changed" in second.output
    assert (stored(server, project), len(versions(folder))) == (found, 2)


def test_a_tag_in_use_of_which_nothing_is_said_is_refused_in_one_line_and_nothing_changes(
    tympan: Tympan, server: Server, project: str, new: Path, tmp_path: Path
) -> None:
    before = stored(server, project), page(server, project)
    result = tympan("migrate", project, "--taxonomy", new)
    assert result.exit_code == 2
    told = result.stderr.strip().splitlines()[-1]
    assert "intent/praise (1 answers, 0 records), topic/service/outage (1 answers, 0 records): are in use" in told
    assert '[intent] "praise" = "NEW" ("" for nothing)' in told
    assert before == (stored(server, project), page(server, project))


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ('[intent]\nchurn = "leave"\n', "intent.churn: is a former name of 'leave' in tiny@2.0"),
        ('[intent]\npurchase = ""\n', "intent.purchase: is a tag of tiny@2.0"),
        ('[intent]\npraise = "joy"\n', "intent.praise: becomes 'joy', which is no tag of tiny@2.0"),
        ('intent = "joy"\n', "intent: is no table of tags"),
        ("[intent\n", "cannot be read as TOML"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_in_one_line(
    tympan: Tympan, new: Path, tmp_path: Path, mapping: str, told: str
) -> None:
    (tmp_path / "bad.toml").write_text(mapping, encoding="utf-8")
    result = tympan("migrate", "any", "--taxonomy", new, "--mapping", tmp_path / "bad.toml")
    assert result.exit_code == 2
    assert told in result.output
    assert len(result.output.splitlines()) == 1


def test_a_project_with_other_tags_than_the_old_ones_is_refused(
    tympan: Tympan, project: str, new: Path, mapping: Path, taxonomy: Path
) -> None:
    command = ("migrate", project, "--taxonomy", new, "--mapping", mapping, "--dry-run", "--from")
    assert tympan(*command, taxonomy).exit_code == 0
    result = tympan(*command, new)
    assert result.exit_code == 2
    assert "has tags that are neither in tiny@2.0 nor in tiny@2.0: intent/churn" in result.output


def test_a_flat_group_that_becomes_nested_and_one_that_is_given_up_keep_no_answer_off_the_page(
    tympan: Tympan, server: Server, project: str, tmp_path: Path
) -> None:
    deep = """
name = "tiny"
version = "3.0"
[groups.intent.tags.purchase]
[groups.intent.tags.churn]
[groups.intent.tags.help]
[groups.intent.tags.friction]
[groups.intent.tags."friction/bug"]
[groups.intent.tags.praise]
"""
    (tmp_path / "deep.toml").write_text(deep, encoding="utf-8")
    gone = '[topic]\n"price/level" = ""\n"service/outage" = ""\n'
    (tmp_path / "gone.toml").write_text(gone, encoding="utf-8")
    result = tympan("migrate", project, "--taxonomy", tmp_path / "deep.toml", "--mapping", tmp_path / "gone.toml")
    assert result.exit_code == 0, result.output
    taxonomy = Taxonomy.parse(deep)
    assert options(page(server, project)) == options(configuration(taxonomy))
    answers = [result for answers in stored(server, project).values() for _, result in answers if result]
    assert to_result({"intent": ("friction", "help")}, taxonomy) in answers
    assert {region["type"] for result in answers for region in result} == {"taxonomy"}


def test_what_a_page_asks_for_besides_tags_stays(
    tympan: Tympan, server: Server, project: str, new: Path, mapping: Path
) -> None:
    with Studio(url=server.url, token=server.token) as studio:
        found = studio.project(project)
        whole = found.schema.rpartition("</View>")[0] + '<TextArea name="comment" toName="text" /></View>'
        studio.configure(found, label_config=whole)
    assert tympan("migrate", project, "--taxonomy", new, "--mapping", mapping).exit_code == 0
    assert 'name="comment"' in page(server, project)


def test_plain_datasets_and_files_are_rewritten_where_they_are(
    tympan: Tympan, project: str, new: Path, mapping: Path, tmp_path: Path
) -> None:
    old = [
        Record(id="a", text="un", tags={"intent": ("churn", "purchase")}, unsure={"intent": ("help", "praise")}),
        Record(id="b", text="deux", tags={"intent": ("help",)}, unsure={"intent": ("friction",)}),
        Record(id="c", text="trois", tags={"topic": ()}),
    ]
    after = [
        Record(id="a", text="un", tags={"intent": ("leave", "purchase")}, unsure={"intent": ("trouble",)}),
        Record(id="b", text="deux", tags={"intent": ("trouble",)}),
        old[2],
    ]
    file, folder = tmp_path / "records.jsonl", tmp_path / "plain"
    write(file, old)
    save(folder, {"train": old[:2], "test": old[2:]}, taxonomy=OLD)
    command = ("migrate", project, "--taxonomy", new, "--mapping", mapping, "--dataset", file, "--dataset", folder)
    result = tympan(*command)
    assert result.exit_code == 0, result.output
    assert read(file, AFTER) == after
    assert load(folder) == {"train": after[:2], "test": after[2:]}
    assert manifest_of(folder)["taxonomy"] == "tiny@2.0"
    assert "0 records changed" in tympan(*command).output


def test_after_a_kill_in_the_middle_every_answer_is_on_the_page_and_a_second_run_completes_it(tmp_path: Path) -> None:
    frail = Server(tmp_path / "frail")
    frail.start()
    try:
        _killed_in_the_middle(frail)
        frail.start()
        with Studio(url=frail.url, token=frail.token) as studio:
            project = studio.project("frail")
            done, left = _counts(studio)
            assert done and left and done + left == 40
            assert {"churn", "leave", "friction", "trouble"} <= options(project.schema)["intent"]
            renaming = Renaming(AFTER, {"intent/praise": "", "topic/service/outage": "service/network"})
            migrate(studio, project, renaming, survey(studio, project, renaming))
            assert _counts(studio) == (40, 0)
            assert fits(studio.project("frail").schema, AFTER) == []
            assert survey(studio, project, renaming).old_answers == []
    finally:
        frail.stop()


def _killed_in_the_middle(frail: Server) -> None:
    renaming = Renaming(AFTER, {"intent/praise": "", "topic/service/outage": "service/network"})

    def each(step: str, done: int, _: int) -> None:
        if (step, done) == ("Answers", 10):  # a later call is under way when the server dies
            threading.Timer(0.1, frail.kill).start()

    with Studio(url=frail.url, token=frail.token) as studio:
        project = studio.create("frail", configuration(OLD), description="", version="v")
        answer = {"completed_by": 1, "result": ANSWERS["je résilie"]}
        studio.add(project, [{"data": {"text": f"n° {n}", "about": "–"}, "annotations": [answer]} for n in range(40)])
        with pytest.raises(StudioError, match=r"cannot be reached|did not answer"):
            migrate(studio, project, renaming, survey(studio, project, renaming), each=each)


def _counts(studio: Studio) -> tuple[int, int]:
    """How many answers have the new tags, and how many the old ones; there is no third kind."""
    project = studio.project("frail")
    answers = studio.annotations(project, [state.id for state in studio.states(project)])
    results = [answer.result for found in answers.values() for answer in found]
    new = sum(result == to_result(EXPECTED["je résilie"], AFTER) for result in results)
    old = sum(result == ANSWERS["je résilie"] for result in results)
    assert new + old == len(results)
    return new, old
