"""Mentions into a real Label Studio, labelled by two people, and out again as a dataset."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import Result

from labels.dataset import load
from labels.feedback.correction import Correction
from labels.feedback.store import FeedbackStore
from labels.interface import configuration, to_result
from labels.record import Record
from labels.settle import VIEW
from labels.studio import Studio
from labels.versions import versions
from model.watchlist import Organisation
from tests.bundles import tiny_taxonomy
from tests.studio.server import Labeller, Server

Tympan = Callable[..., Result]
TAGS = tiny_taxonomy()
TEXTS = ("merci bravo", "panne encore", "je résilie", "trop cher", "rien à dire", "comment acheter")


def answer(**tags: tuple[str, ...]) -> list[dict[str, object]]:
    return to_result(tags, TAGS)


NOTHING = answer(intent=(), topic=())


@pytest.fixture
def mentions(tmp_path: Path) -> Path:
    path = tmp_path / "mentions.csv"
    path.write_text("id;message\n" + "".join(f"{n};{text}\n" for n, text in enumerate(TEXTS)), encoding="utf-8")
    return path


@pytest.fixture
def project(tympan: Tympan, request: pytest.FixtureRequest) -> str:
    title = request.node.name[:50]
    result = tympan("init", title, "--language", "fr")
    assert result.exit_code == 0, result.output
    return title


def number(tympan_output: Result) -> int:
    return int(tympan_output.output.partition("project ")[2].partition(",")[0])


def records(folder: Path) -> dict[str, Record]:
    return {record.text: record for side in load(folder).values() for record in side}


def numbered(server: Server, title: str) -> int:
    with Studio(url=server.url, token=server.token) as studio:
        return studio.project(title).id


def test_mentions_come_with_the_models_suggestion_and_are_there_once(
    tympan: Tympan, server: Server, first: Labeller, project: str, mentions: Path
) -> None:
    sent = tympan("push", project, mentions)
    again = tympan("push", project, mentions)
    assert (sent.exit_code, again.exit_code) == (0, 0), sent.output + again.output
    assert "6 sent, 0 already there, 0 refused" in sent.output
    assert "0 sent, 6 already there, 0 refused" in again.output
    tasks = first.tasks(numbered(server, project))
    assert sorted(tasks) == sorted(TEXTS)
    (suggestion,) = first.predictions(tasks["je résilie"])
    assert suggestion["result"] == answer(intent=("churn",), topic=())
    assert 0 <= suggestion["score"] <= 1


def test_mentions_can_be_sent_before_there_is_a_model_and_get_its_suggestions_later(
    tympan: Tympan, server: Server, first: Labeller, project: str, mentions: Path
) -> None:
    alone = tympan("push", project, mentions, "--no-suggestions")
    again = tympan("push", project, mentions, "--no-suggestions")
    assert "6 sent, 0 already there, 0 refused" in alone.output
    assert "0 sent, 6 already there, 0 refused" in again.output
    tasks = first.tasks(numbered(server, project))
    assert first.predictions(tasks["je résilie"]) == []
    assert "0 sent, 6 already there, 0 refused" in tympan("push", project, mentions).output
    (suggestion,) = first.predictions(tasks["je résilie"])
    assert suggestion["result"] == answer(intent=("churn",), topic=())


def test_rows_that_cannot_be_labelled_are_counted_with_their_reason_and_lose_no_other(
    tympan: Tympan, project: str, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    rows: list[dict[str, str]] = [{"text": "merci"}, {"text": " "}, {"text": "x" * 20_001}]
    rows += [{"text": "panne"}, {"text": "merci"}, {"text": "cher", "watchlist": '[{"name": "Acme"'}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = tympan("push", project, file)
    assert result.exit_code == 1
    assert "2 sent, 1 already there, 3 refused" in result.output
    assert "text: is empty" in result.output
    assert "watchlist: is no list in JSON" in result.output
    assert "text: is longer than 20,000 characters" in result.output


def test_a_file_may_say_target_source_and_date_of_each_mention(
    tympan: Tympan, server: Server, project: str, tmp_path: Path
) -> None:
    file = tmp_path / "mentions.csv"
    file.write_text("text;Date;Source;target\npanne;2026-03-01;Forum;Acme\nmerci;;;\n", encoding="utf-8")
    assert tympan("push", project, file).exit_code == 0
    with Studio(url=server.url, token=server.token) as studio:
        told = {state.data["text"]: state.data for state in studio.states(studio.project(project))}
    assert told["panne"]["about"] == "→ Acme · Forum · 2026-03-01"
    assert told["panne"]["target"] == "Acme"
    assert told["merci"]["about"] == "mentions.csv"


def test_what_is_disputed_is_sent_with_the_watchlist_that_it_was_read_with(
    tympan: Tympan, server: Server, project: str, tmp_path: Path
) -> None:
    both = (Organisation("Acme"), Organisation("Rival", "competitor"))
    for who, tags in (("ann", ("churn",)), ("ben", ())):
        said = Correction(
            **{"mention": "m1", "text": "je quitte Acme pour Rival", "target": "Acme", "watchlist": both},
            **{"group": "intent", "tags": tags, "who": who, "at": datetime.now(UTC)},
        )
        with closing(FeedbackStore(tmp_path / "state")) as store:
            store.add([said])
    told = ("-o", tmp_path / "new.jsonl", "--disputed", tmp_path / "again.jsonl", "--store", tmp_path / "state")
    assert "1 mentions disputed" in tympan("corrections", *told).output
    assert "1 sent" in tympan("push", project, tmp_path / "again.jsonl").output
    with Studio(url=server.url, token=server.token) as studio:
        (task,) = studio.states(studio.project(project))
    assert task.data["watchlist"] == [organisation.to_dict() for organisation in both]


def test_what_two_people_answer_becomes_records_and_ties_go_back_for_a_third_reading(
    tympan: Tympan, server: Server, first: Labeller, second: Labeller, project: str, mentions: Path, tmp_path: Path
) -> None:
    tympan("push", project, mentions)
    at = numbered(server, project)
    tasks = first.tasks(at)
    for person in (first, second):
        person.answer(tasks["merci bravo"], answer(intent=("praise",), topic=()))
        person.answer(tasks["rien à dire"], NOTHING)
    first.answer(tasks["trop cher"], answer(intent=("friction",), topic=("price/level",)))
    second.answer(tasks["trop cher"], answer(intent=("friction", "churn"), topic=("price",)))
    first.skip(tasks["comment acheter"])
    folder = tmp_path / "dataset"

    pulled = tympan("pull", project, "-o", folder)
    assert pulled.exit_code == 0, pulled.output
    assert "disagreed on intent: churn, topic: price/level" in pulled.output
    report = (folder / "report.txt").read_text(encoding="utf-8")
    assert "Agreement of readers" in report
    link = f"{server.url}/projects/{at}/data?task={tasks['trop cher']}"
    assert f"disagreed on intent: churn, topic: price/level: {link}\n" in report
    found = records(folder)
    assert found["merci bravo"].tags == {"intent": ("praise",), "topic": ()}
    assert found["rien à dire"].tags == {"intent": (), "topic": ()}
    assert found["trop cher"].tags == {"intent": ("friction",), "topic": ("price",)}
    assert found["trop cher"].unsure == {"intent": ("churn",), "topic": ("price/level",)}
    assert found["trop cher"].annotators == ("labels@example.com", "second@example.com")
    assert "comment acheter" not in found

    settled = tympan("settle", project, "-o", folder)
    assert "2 settled, 1 sent back, 0 waiting" in settled.output
    assert first.view(at, VIEW) == ["trop cher"]
    assert first.view(at, "Default") == sorted(TEXTS)
    assert "2 settled, 0 sent back, 1 waiting" in tympan("settle", project, "-o", folder).output


def test_a_second_pull_reads_only_what_changed_and_sees_what_was_corrected_withdrawn_and_removed(
    tympan: Tympan, server: Server, first: Labeller, project: str, mentions: Path, tmp_path: Path
) -> None:
    tympan("push", project, mentions)
    tasks = first.tasks(numbered(server, project))
    corrected = first.answer(tasks["panne encore"], NOTHING)
    withdrawn = first.answer(tasks["je résilie"], answer(intent=("churn",), topic=()))
    for text in ("merci bravo", "trop cher"):
        first.answer(tasks[text], NOTHING)
    folder = tmp_path / "dataset"
    assert tympan("pull", project, "-o", folder).exit_code == 0
    held_out = {record.text for record in load(folder)["test"]}

    first.correct(corrected, answer(intent=("friction",), topic=("service/outage",)))
    first.withdraw(withdrawn)
    first.remove(tasks["trop cher"])
    first.answer(tasks["rien à dire"], NOTHING)
    again = tympan("pull", project, "-o", folder)
    assert "changed since the last time │ 3" in again.output
    assert "deleted since the last time │ 1" in again.output
    found = records(folder)
    assert sorted(found) == ["merci bravo", "panne encore", "rien à dire"]
    assert found["panne encore"].tags == {"intent": ("friction",), "topic": ("service/outage",)}
    assert held_out & set(found) <= {record.text for record in load(folder)["test"]}
    assert len(versions(folder)) == 2

    third = tympan("pull", project, "-o", folder)
    assert "changed since the last time │ 0" in third.output
    assert "nothing new since the last version" in third.output
    assert len(versions(folder)) == 2


def test_illegal_answers_are_reported_and_neither_kept_nor_dropped_in_silence(
    tympan: Tympan, server: Server, first: Labeller, project: str, mentions: Path, tmp_path: Path
) -> None:
    tympan("push", project, mentions)
    tasks = first.tasks(numbered(server, project))
    first.answer(tasks["merci bravo"], answer(intent=("praise",), topic=()))
    wrong = [
        {"from_name": "intent", "to_name": "text", "type": "choices", "value": {"choices": ["rage"]}},
        *answer(topic=()),
    ]
    first.answer(tasks["panne encore"], wrong)
    first.answer(tasks["je résilie"], [])
    result = tympan("pull", project, "-o", tmp_path / "dataset")
    assert result.exit_code == 1
    assert f'task {tasks["panne encore"]}: labels@example.com: intent: unknown "rage"' in result.output
    assert f"task {tasks['je résilie']}: labels@example.com: an empty answer" in result.output
    found = records(tmp_path / "dataset")
    assert found["panne encore"].tags == {"topic": ()}
    assert "je résilie" not in found


def test_a_page_with_other_tags_is_refused_in_one_line(
    tympan: Tympan, server: Server, project: str, mentions: Path, tmp_path: Path
) -> None:
    with Studio(url=server.url, token=server.token) as studio:
        found = studio.project(project)
        studio.configure(found, label_config=configuration(TAGS).replace('alias="churn"', 'alias="goodbye"'))
    for verb, rest in (("push", [mentions]), ("pull", ["-o", tmp_path / "dataset"])):
        result = tympan(verb, project, *rest)
        assert result.exit_code == 2
        told = "does not fit tiny@1.0: intent lacks churn; intent has unknown goodbye. Give its own --taxonomy"
        assert told in result.output
        assert len(result.output.splitlines()) == 1
    assert not (tmp_path / "dataset").exists()


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("LABEL_STUDIO_API_KEY", "0" * 40, "LABEL_STUDIO_API_KEY: is not accepted by"),
        ("LABEL_STUDIO_API_KEY", "", "LABEL_STUDIO_API_KEY: is not set"),
        ("LABEL_STUDIO_URL", "http://127.0.0.1:1", "http://127.0.0.1:1: cannot be reached"),
    ],
)
def test_a_wrong_token_or_server_is_one_line_without_the_token(
    tympan: Tympan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = tympan("pull", "Essai", "-o", tmp_path / "dataset")
    assert result.exit_code == 2
    assert told in result.output
    assert len(result.output.splitlines()) == 1
    assert "0" * 40 not in result.output


def test_an_unknown_project_and_a_title_that_is_taken_are_one_line_each(tympan: Tympan, project: str) -> None:
    missing = tympan("pull", "no such project", "-o", "nowhere")
    assert "'no such project' is no project's title" in missing.output
    taken = tympan("init", project)
    assert "is there already" in taken.output
    for result in (missing, taken):
        assert result.exit_code == 2
        assert len(result.output.splitlines()) == 1
