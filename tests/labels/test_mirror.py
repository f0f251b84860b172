"""The copy of a project on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from labels.errors import DatasetError
from labels.mirror import Entry, Mirror
from labels.studio import Annotation, Project

PROJECT = Project(7, "Essai", "<View/>")
URL = "http://127.0.0.1:8080"


def entry(task: int, stamp: str = "s") -> Entry:
    return Entry(task, stamp, {"text": "É 👍"}, (Annotation(task, 1, [{"from_name": "intent"}], False, "2026"),))


def test_what_was_kept_is_there_again_and_the_last_of_a_task_holds(tmp_path: Path) -> None:
    path = tmp_path / "copy.jsonl"
    mirror = Mirror(path, PROJECT, URL)
    mirror.add([entry(1), entry(2)])
    mirror.add([entry(1, "later")])
    again = Mirror(path, PROJECT, URL)
    assert again.entries == {1: entry(1, "later"), 2: entry(2)}
    assert again.stamp(3) is None


def test_a_line_that_a_kill_cut_short_is_no_line_and_loses_no_other(tmp_path: Path) -> None:
    path = tmp_path / "copy.jsonl"
    Mirror(path, PROJECT, URL).add([entry(1), entry(2)])
    path.write_bytes(path.read_bytes()[:-9])
    again = Mirror(path, PROJECT, URL)
    assert again.entries == {1: entry(1)}
    again.add([entry(2)])
    assert Mirror(path, PROJECT, URL).entries == {1: entry(1), 2: entry(2)}


def test_what_is_gone_is_forgotten_and_returned(tmp_path: Path) -> None:
    path = tmp_path / "copy.jsonl"
    mirror = Mirror(path, PROJECT, URL)
    mirror.add([entry(1), entry(2)])
    assert mirror.keep([2, 3]) == [entry(1)]
    assert Mirror(path, PROJECT, URL).entries == {2: entry(2)}


def test_the_copy_of_another_project_and_a_file_that_is_no_copy_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "copy.jsonl"
    Mirror(path, PROJECT, URL).add([entry(1)])
    with pytest.raises(DatasetError, match=f"is the copy of project 7 of {URL}"):
        Mirror(path, Project(8, "Other", ""), URL)
    path.write_bytes(b"hello\nyou\n")
    with pytest.raises(DatasetError, match="is no copy of a project"):
        Mirror(path, PROJECT, URL)
