"""The server dies in the middle of a push and of a pull, and the next run has every mention exactly once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from labels.errors import StudioError
from labels.interface import configuration, to_result
from labels.pull import pull
from labels.push import BLOCK, Given, push
from labels.record import Record
from labels.studio import FETCHED, LISTED, Studio
from model.mention import Mention
from model.tagger import Tagger
from tests.bundles import tiny_taxonomy
from tests.studio.server import Labeller, Server

MANY = 3 * BLOCK + 50


def rows() -> list[Given]:
    return [Given(Mention(str(n), f"panne numéro {n}", lang="fr")) for n in range(MANY)]


@pytest.fixture
def frail(tmp_path: Path) -> Server:
    """A server of this test alone, which it may kill."""
    return Server(tmp_path / "frail")


def test_every_mention_is_there_once_after_the_server_was_killed_in_a_push_and_in_a_pull(
    frail: Server, tagger: Tagger, tmp_path: Path
) -> None:
    frail.start()
    try:
        _push_with_a_kill(frail, tagger)
        first = Labeller(frail.url, frail.token)
        with Studio(url=frail.url, token=frail.token) as studio:
            project = studio.project("frail")
            tasks = first.tasks(project.id)
            assert len(tasks) == MANY
            states = list(studio.states(project))
            assert len(states) == MANY
            assert all(state.predictions == 1 for state in states)
        _pull_with_a_kill(frail, tmp_path / "dataset")
    finally:
        frail.stop()


def _push_with_a_kill(frail: Server, tagger: Tagger) -> None:
    def each(done: int) -> None:
        if done == 2 * BLOCK:  # the next call is under way when the server dies
            threading.Timer(0.15, frail.kill).start()

    with Studio(url=frail.url, token=frail.token) as studio:
        project = studio.create("frail", configuration(tagger.taxonomy), description="", version="v")
        with pytest.raises(StudioError, match=r"cannot be reached|did not answer"):
            push(studio, project, rows(), tagger, each=each)
    frail.start()
    with Studio(url=frail.url, token=frail.token) as studio:
        again = push(studio, studio.project("frail"), rows(), tagger)
        assert again.new + again.present == MANY
        assert again.present >= 2 * BLOCK
        third = push(studio, studio.project("frail"), rows(), tagger)
        assert (third.new, third.present, third.predictions) == (0, MANY, 0)


def _pull_with_a_kill(frail: Server, folder: Path) -> None:
    taxonomy = tiny_taxonomy()

    def each(done: int, _: int) -> None:
        if done == FETCHED:
            frail.kill()

    with Studio(url=frail.url, token=frail.token) as studio:
        project = studio.project("frail")
        extra = [
            {
                "data": {"mention": f"more {n}", "text": f"merci numéro {n}"},
                "annotations": [
                    {"completed_by": 1, "result": to_result({"intent": ("praise",), "topic": ()}, taxonomy)}
                ],
            }
            for n in range(2 * FETCHED)
        ]
        studio.add(project, extra)
        with pytest.raises(StudioError, match=r"cannot be reached|did not answer"):
            pull(studio, project, folder, taxonomy, each=each)
    frail.start()
    with Studio(url=frail.url, token=frail.token) as studio:
        pulled = pull(studio, studio.project("frail"), folder, taxonomy)
    assert pulled.tasks == MANY + 2 * FETCHED
    assert pulled.changed == MANY + FETCHED
    ids = [record.id for record in pulled.records()]
    assert sorted(ids) == sorted(f"more {n}" for n in range(2 * FETCHED))
    assert all(isinstance(record, Record) for record in pulled.records())


def test_tasks_deleted_while_a_project_is_read_hide_no_others(server: Server, first: Labeller) -> None:
    with Studio(url=server.url, token=server.token) as studio:
        project = studio.create("shrinking", configuration(tiny_taxonomy()), description="", version="v")
        studio.add(project, [{"data": {"mention": f"{n}", "text": "merci"}} for n in range(LISTED + 2)])
        states = studio.states(project)
        first.remove(next(states).id)
        with pytest.raises(StudioError, match="lost tasks while it was read"):
            list(states)
        assert len(list(studio.states(project))) == LISTED + 1


def test_a_copy_of_another_project_is_refused(tympan: Callable[..., Result], server: Server, tmp_path: Path) -> None:
    for title in ("one of two", "two of two"):
        assert tympan("init", title).exit_code == 0
    folder = tmp_path / "dataset"
    assert "would have no record" in tympan("pull", "one of two", "-o", folder).output
    result = tympan("pull", "two of two", "-o", folder)
    assert result.exit_code == 2
    assert "is the copy of project" in result.output
