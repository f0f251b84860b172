"""`tympan erase` on a real Label Studio: tasks go with all that people and models said of them, and stay away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from labels.dataset import load
from labels.erasure.asked import Asked
from labels.erasure.place import erase
from labels.erasure.studio import StudioPlace
from labels.feedback.store import FeedbackStore
from labels.interface import configuration, to_result
from labels.pull import MIRROR
from labels.studio import Project, Studio
from labels.versions import versions
from tests.bundles import tiny_taxonomy
from tests.labels.corrections import correction
from tests.studio.server import Labeller, Server
from tympan import app

Tympan = Callable[..., Result]
TAGS = tiny_taxonomy()
LEAVING = to_result({"intent": ("churn",), "topic": ()}, TAGS)
TEXTS = ("merci bravo", "je résilie", "trop cher")


@pytest.fixture
def project(
    tympan: Tympan, server: Server, first: Labeller, second: Labeller, request: pytest.FixtureRequest, tmp_path: Path
) -> Project:
    """Three mentions, answered by two people and pulled into a dataset; one was copied by hand."""
    title = request.node.name[:50]
    (tmp_path / "mentions.csv").write_text("message\n" + "".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    assert tympan("init", title).exit_code == 0
    assert tympan("push", title, tmp_path / "mentions.csv").exit_code == 0
    with Studio(url=server.url, token=server.token) as studio:
        found = studio.project(title)
        for task in first.tasks(found.id).values():
            first.answer(task, LEAVING)
            second.answer(task, LEAVING)
        studio.add(found, [{"data": {"id": "mine", "text": " je  résilie", "about": "–"}}])
    assert tympan("pull", title, "-o", tmp_path / "dataset").exit_code == 0
    return found


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["erase", *map(str, arguments)])


def test_an_id_of_the_feedback_goes_with_its_tasks_answers_suggestions_copy_and_records(
    tympan: Tympan, project: Project, first: Labeller, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    FeedbackStore(tmp_path / "state").add([correction("c1", mention="tweet-9", text="je résilie")])
    where = ("--state", tmp_path / "state", "--dataset", folder, "--project", project.title)
    dry = run("--id", "tweet-9", *where, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert len(first._get("/api/tasks", project=project.id)["tasks"]) == 4

    done = run("--id", "tweet-9", *where, "--receipt", tmp_path / "receipt.json")
    assert done.exit_code == 0, done.output
    places = json.loads((tmp_path / "receipt.json").read_text(encoding="utf-8"))["places"]
    assert [(place["place"], place["erased"]) for place in places] == [
        ("feedback", {"corrections": 1}),
        ("jobs", {}),
        ("dataset", {"records": 1, "tasks of its copy": 2}),
        ("Label Studio", {"tasks": 2, "annotations": 2, "predictions": 1}),
    ]
    assert set(first.tasks(project.id)) == {"merci bravo", "trop cher"}
    for path in ("annotations", "predictions"):
        kept = [first._get(f"/api/tasks/{task}")[path] for task in first.tasks(project.id).values()]
        assert sum(map(len, kept)) == (4 if path == "annotations" else 2)
    assert "résilie" not in (folder / MIRROR).read_text(encoding="utf-8")

    again = tympan("pull", project.title, "-o", folder)
    assert again.exit_code == 0, again.output
    assert "nothing new since the last version" in again.output
    for version in versions(folder):
        assert {record.text for side in load(version).values() for record in side} == {"merci bravo", "trop cher"}


def test_the_id_of_a_row_is_nobodys_and_that_of_a_task_made_by_hand_is_its_own(
    project: Project, first: Labeller
) -> None:
    result = run("--id", "1", "--project", str(project.id))
    assert result.exit_code == 0, result.output
    assert "Nothing was found" in result.stdout
    assert len(first._get("/api/tasks", project=project.id)["tasks"]) == 4
    assert run("--id", "mine", "--project", str(project.id)).exit_code == 0  # and with it the text that it has
    assert set(first.tasks(project.id)) == {"merci bravo", "trop cher"}


def test_a_project_that_is_not_there_refuses_it_all(project: Project, first: Labeller, tmp_path: Path) -> None:
    FeedbackStore(tmp_path / "state").add([correction("c1")])
    result = run("--id", "m1", "--state", tmp_path / "state", "--project", project.title, "--project", "none such")
    assert result.exit_code == 2
    assert "'none such' is no project's title" in result.stderr
    assert FeedbackStore(tmp_path / "state").count() == 1


def test_what_a_server_that_dies_has_left_is_told_and_goes_in_a_second_run(tmp_path: Path) -> None:
    frail = Server(tmp_path / "frail")
    frail.start()
    try:
        with Studio(url=frail.url, token=frail.token) as studio:
            found = studio.create("frail", configuration(TAGS), description="", version="v")
            studio.add(found, [{"data": {"text": "je résilie", "about": "–"}} for _ in range(4)])
            place = StudioPlace(studio, "frail")
            (left,) = erase([place], Asked.of(texts=["je résilie"]), each=lambda what: _dies(frail, what))
            assert left.counts.total() == 0
            assert "cannot be reached" in left.left[0]
            frail.start()
            (done,) = erase([place], Asked.of(texts=["je résilie"]))
            assert (done.counts["tasks"], done.left) == (4, [])
            assert list(studio.states(found)) == []
    finally:
        frail.stop()


def _dies(frail: Server, what: str) -> None:
    if what.startswith("Erasing"):
        frail.kill()
