"""A copy of a project's tasks and annotations on disk, so that a pull asks only for what changed.

One JSON object a line, only ever appended to while a pull runs: the last line of a task holds, and a line that a kill
cut short is no line. What is read again after that is what is missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labels.errors import DatasetError
from labels.studio import Annotation, Project


@dataclass(frozen=True)
class Entry:
    """A task as it was when `stamp` was its state."""

    task: int
    stamp: str
    data: Mapping[str, Any]
    annotations: tuple[Annotation, ...] = field(default=())


class Mirror:
    """The entries of one project, kept in one file. DatasetError if it is another project's, or no such file."""

    def __init__(self, path: Path, project: Project, url: str) -> None:
        self._path = path
        self._owner = {"url": url, "project": project.id}
        self.entries: dict[int, Entry] = {}
        if path.exists():
            self._read()

    def stamp(self, task: int) -> str | None:
        """The state at which a task was read, or None."""
        return self.entries[task].stamp if task in self.entries else None

    def add(self, entries: Iterable[Entry]) -> None:
        """Keep entries, on disk before this returns."""
        fresh = list(entries)
        self.entries |= {entry.task: entry for entry in fresh}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            if not file.tell():
                file.write(_line(self._owner))
            file.writelines(_line(asdict(entry)) for entry in fresh)
            file.flush()
            os.fsync(file.fileno())

    def keep(self, tasks: Iterable[int]) -> list[Entry]:
        """Forget all entries but those of `tasks` and write the file anew; returns what was forgotten."""
        wanted = set(tasks)
        gone = [entry for task, entry in self.entries.items() if task not in wanted]
        self.entries = {task: entry for task, entry in self.entries.items() if task in wanted}
        draft = self._path.with_name(f".{self._path.name}.draft")
        draft.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(_line(self._owner))
            file.writelines(_line(asdict(entry)) for entry in self.entries.values())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        return gone

    def _read(self) -> None:
        whole, end, cut = self._path.read_bytes().rpartition(b"\n")
        try:
            lines: list[dict[str, Any]] = [json.loads(line) for line in whole.split(b"\n")] if whole else [self._owner]
            owner = lines.pop(0)
        except ValueError as error:
            raise DatasetError(str(self._path), "is no copy of a project", "Choose another folder") from error
        if owner != self._owner:
            told = f"project {owner.get('project')} of {owner.get('url')}"
            raise DatasetError(str(self._path), f"is the copy of {told}", "Choose another folder")
        for line in lines:
            annotations = tuple(Annotation(**found) for found in line.pop("annotations"))
            self.entries[line["task"]] = Entry(**line, annotations=annotations)
        if cut:  # by a kill
            self._path.write_bytes(whole + end)


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
