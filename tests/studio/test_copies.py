"""A person copies tasks by hand, which Label Studio allows: one mention stays one mention."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from labels.dataset import load
from labels.interface import to_result
from labels.settle import VIEW
from labels.studio import Project, Studio
from tests.bundles import tiny_taxonomy
from tests.studio.server import Labeller, Server

Tympan = Callable[..., Result]
TAGS = tiny_taxonomy()
LEAVING, NOTHING = ({"intent": intents, "topic": ()} for intents in (("churn",), ()))
TEXTS = ("merci bravo", "je résilie", "trop cher")


@pytest.fixture
def studio(server: Server) -> Iterator[Studio]:
    with Studio(url=server.url, token=server.token) as found:
        yield found


@pytest.fixture
def project(tympan: Tympan, studio: Studio, request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project with a task for each of three texts."""
    file = tmp_path / "mentions.csv"
    file.write_text("message\n" + "".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    title = request.node.name[:50]
    assert tympan("init", title).exit_code == 0
    assert tympan("push", title, file).exit_code == 0
    return studio.project(title)


def tasks(studio: Studio, project: Project, text: str) -> list[int]:
    return sorted(state.id for state in studio.states(project) if state.data["text"] == text)


def test_what_people_answer_to_the_tasks_of_one_mention_is_one_record_and_the_tasks_are_told(
    tympan: Tympan, studio: Studio, project: Project, first: Labeller, second: Labeller, tmp_path: Path
) -> None:
    (original,) = tasks(studio, project, "je résilie")
    first.answer(original, to_result(LEAVING, TAGS))
    first.copy(project.id)
    _, copy = tasks(studio, project, "je résilie")
    second.answer(copy, to_result(LEAVING, TAGS))
    first.skip(tasks(studio, project, "trop cher")[1])

    pulled = tympan("pull", project.title, "-o", tmp_path / "dataset")
    assert pulled.exit_code == 0, pulled.output
    (record,) = [record for side in load(tmp_path / "dataset").values() for record in side]
    assert record.tags == {"intent": ("churn",), "topic": ()}
    assert record.annotators == ("labels@example.com", "second@example.com")
    links = f"{studio.link(project, original)} {studio.link(project, copy)}"
    assert f"2 tasks of one mention, read as one: {links}" in pulled.output
    assert "6 tasks, 2 answers" in pulled.output
    for state, count in {"settled": 1, "open": 1, "skipped": 1, "copies": 3}.items():
        assert any({state, str(count)} <= set(line.split()) for line in pulled.output.splitlines()), state
    assert "nothing new" in tympan("pull", project.title, "-o", tmp_path / "dataset").output


def test_people_who_disagree_on_two_tasks_of_a_mention_are_settled_as_on_one(
    tympan: Tympan, studio: Studio, project: Project, server: Server, first: Labeller, second: Labeller, tmp_path: Path
) -> None:
    first.copy(project.id)
    original, copy = tasks(studio, project, "je résilie")
    first.answer(original, to_result(LEAVING, TAGS))
    second.answer(copy, to_result(NOTHING, TAGS))
    folder = tmp_path / "dataset"
    pulled = tympan("pull", project.title, "-o", folder)
    assert f"disagreed on intent: churn: {studio.link(project, original)}" in pulled.output
    assert "0 settled, 1 sent back" in tympan("settle", project.title, "-o", folder).output
    assert first.view(project.id, VIEW) == ["je résilie"]
    Labeller(server.url, server.colleague("tie@example.com")).answer(original, to_result(LEAVING, TAGS))
    assert "1 settled, 0 sent back, 0 waiting" in tympan("settle", project.title, "-o", folder).output
    assert first.view(project.id, VIEW) == []


def test_an_answer_to_one_task_is_not_taken_back_by_skipping_the_other_or_answering_it_illegally(
    tympan: Tympan, studio: Studio, project: Project, first: Labeller, tmp_path: Path
) -> None:
    first.copy(project.id)
    for text, second_time in (("je résilie", "skipped"), ("trop cher", "empty")):
        original, copy = tasks(studio, project, text)
        first.answer(original, to_result(LEAVING, TAGS))
        first.skip(copy) if second_time == "skipped" else first.answer(copy, [])
    pulled = tympan("pull", project.title, "-o", tmp_path / "dataset")
    assert pulled.exit_code == 1
    assert f"task {copy}: labels@example.com: an empty answer" in pulled.output
    found = {record.text: record.tags for side in load(tmp_path / "dataset").values() for record in side}
    assert found == dict.fromkeys(("je résilie", "trop cher"), LEAVING)


def test_a_copy_whose_text_was_changed_is_told_and_its_answers_are_not_those_of_the_other(
    tympan: Tympan, studio: Studio, project: Project, first: Labeller, second: Labeller, tmp_path: Path
) -> None:
    first.copy(project.id)
    original, copy = tasks(studio, project, "je résilie")
    data = next(state.data for state in studio.states(project) if state.id == copy)
    studio.change(copy, {**data, "text": "je reste"})
    first.answer(original, to_result(LEAVING, TAGS))
    second.answer(copy, to_result(NOTHING, TAGS))
    pulled = tympan("pull", project.title, "-o", tmp_path / "dataset")
    assert pulled.exit_code == 1
    assert f"task {copy}: has another text or target than task {original} of the same mention" in pulled.output
    (record,) = [record for side in load(tmp_path / "dataset").values() for record in side]
    assert (record.text, record.tags, record.annotators) == ("je résilie", LEAVING, ("labels@example.com",))
