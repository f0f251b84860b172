"""A dataset as a place: all its versions, and the copy of the project that it is made from.

Every version is written whole beside itself and put in its place, the newest first: which ids are gone from the lists
of the newer ones is known from the records of the older ones. So a second run finds what a kill left.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labels.dataset import MANIFEST, VERSIONS, counts, fingerprint, load, manifest_of
from labels.erasure.asked import Asked, form, task_id
from labels.erasure.place import Found
from labels.errors import DatasetError
from labels.extra import library
from labels.mirror import Mirror
from labels.pull import MIRROR, alone
from labels.studio import Project
from labels.versions import versions
from model.bundle import written_whole

_DRAFT = re.compile(r"\.(?P<name>.+)-(?:(?P<old>replaced-\d+)|[a-z0-9_]{8})")  # of `written_whole`


@dataclass(frozen=True)
class _Version:
    """A version as it is, and which of its records stay: side → one answer for each record."""

    folder: Path
    manifest: Mapping[str, Any]
    stays: Mapping[str, Sequence[bool]]
    after: Mapping[str, Any]
    """What of the manifest follows from the records that stay."""
    gone: Mapping[str, str]
    """Id → text of the records that do not."""


class DatasetPlace:
    """A folder of a dataset, or one that keeps versions; DatasetError if it is neither."""

    kind = "dataset"

    def __init__(self, folder: Path) -> None:
        self.where, self._folder = str(folder), folder.resolve()  # what a link points at is written, not the link
        self._mirror = self._folder / MIRROR
        self._folders()

    def look(self, asked: Asked) -> Found:
        found = Found()
        for version in self._versions(asked):
            found.looked += sum(map(len, version.stays.values()))
            found.counts["records"] += len(version.gone)
            found.texts |= {form(text) for name, text in version.gone.items() if asked.has_id(name)}
        for data in self._tasks().values():
            found.looked += 1
            if asked.has_task(data):
                found.counts["tasks of its copy"] += 1
                found.texts |= {form(str(data.get("text", "")))} - {""} if asked.has_id(task_id(data)) else set()
        return found

    def erase(self, asked: Asked) -> Found:
        found = self.look(asked)
        plans = list(self._versions(asked))
        gone = asked.ids.union(*(version.gone for version in plans))
        new = {version.manifest["fingerprint"]: version.after["fingerprint"] for version in plans}
        with _writing(self._folder):
            for version in reversed(plans):
                manifest = _manifest(version, gone, new)
                if manifest != version.manifest:
                    _rewrite(version, manifest)
            self._erase_tasks(asked)
        return found

    def _folders(self) -> list[Path]:
        """Those of all versions, the oldest first; of none if there is but the copy of a project."""
        if found := versions(self._folder) or [path for path in (self._folder,) if (path / MANIFEST).is_file()]:
            return found
        if self._mirror.is_file():
            return []
        raise DatasetError(self.where, "is no dataset", "Give a folder of `tympan labels pull` or `split`")

    def _versions(self, asked: Asked) -> Iterator[_Version]:
        """All versions, the oldest first."""
        for folder in self._folders():
            sides = load(folder)
            stays = {name: [not asked.has(one.text, one.id) for one in records] for name, records in sides.items()}
            rest = {
                name: [one for one, stay in zip(records, stays[name], strict=True) if stay]
                for name, records in sides.items()
            }
            kept = {record.id for records in rest.values() for record in records}
            everything = (record for records in sides.values() for record in records)
            yield _Version(
                folder,
                manifest_of(folder),
                stays,
                {
                    "fingerprint": fingerprint(record for records in rest.values() for record in records),
                    "sides": {name: counts(records) for name, records in rest.items()},
                },
                {record.id: record.text for record in everything if record.id not in kept},
            )

    def _tasks(self) -> dict[int, Mapping[str, Any]]:
        """Task → its data, of the copy of a project, if there is one. A line that a kill cut short is no line."""
        if not self._mirror.is_file():
            return {}
        try:
            _, *lines = [json.loads(line) for line in self._mirror.read_bytes().split(b"\n")[:-1]]
            return {line["task"]: line["data"] for line in lines}
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise DatasetError(str(self._mirror), "is no copy of a project", "Remove it") from error

    def _erase_tasks(self, asked: Asked) -> None:
        if not self._mirror.is_file():
            return
        with alone(self._folder):  # or a pull under way would write back what it read before
            tasks = self._tasks()
            rest = [task for task, data in tasks.items() if not asked.has_task(data)]
            if len(rest) < len(tasks):
                owner = json.loads(self._mirror.read_bytes().partition(b"\n")[0])
                Mirror(self._mirror, Project(owner["project"], "", ""), owner["url"]).keep(rest)


def recover(folder: Path) -> None:
    """Put right what a kill left of a dataset that was being written: no half of it stays, and nothing is missing.

    DatasetError if the disk says no.
    """
    folder = folder.resolve()
    with _writing(folder):
        for path, whole, old in (*_drafts(folder / VERSIONS), *_drafts(folder.parent)):
            if whole.parent == folder.parent and whole != folder:
                continue
            if old and not whole.exists():
                path.rename(whole)
            else:
                shutil.rmtree(path)
        draft = folder / f".{MIRROR}.draft"
        if draft.exists():
            with alone(folder):
                draft.unlink(missing_ok=True)


def _drafts(beside: Path) -> Iterator[tuple[Path, Path, bool]]:
    """What is left of writing datasets in a folder: where it lies, what it was to be, and whether it is what was."""
    for path in sorted(beside.glob(".*")):
        found = _DRAFT.fullmatch(path.name)
        if found and path.is_dir() and _is_ours(path):
            yield path, beside / found["name"], found["old"] is not None


def _is_ours(draft: Path) -> bool:
    """Whether a hidden folder holds a dataset or the beginning of one: others may have such a name too."""
    names = [file.name for file in draft.iterdir()]
    return not names or any(name == MANIFEST or name.endswith(".parquet") for name in names)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """What the system refuses to write, in plain words."""
    try:
        yield
    except OSError as error:
        problem = f"cannot be written: {error.strerror or type(error).__name__}"
        raise DatasetError(str(folder), problem, "Mend that, and run it again") from error


def _manifest(version: _Version, gone: frozenset[str], new: Mapping[str, str]) -> dict[str, Any]:
    """What is to stand in a version's manifest. `new` has the fingerprints of versions, by those that they had."""
    manifest = {**version.manifest, **version.after}
    if "parent" in manifest:
        manifest["parent"] = new.get(manifest["parent"], manifest["parent"])
    for kept in ("held_out", "learnt"):
        if kept in manifest:
            manifest[kept] = [name for name in manifest[kept] if name not in gone]
    if version.gone:
        manifest["erased"] = manifest.get("erased", 0) + len(version.gone)
        # by which a model still says on what it was trained
        manifest["former"] = [*manifest.get("former", ()), version.manifest["fingerprint"]]
    return manifest


def _rewrite(version: _Version, manifest: Mapping[str, Any]) -> None:
    """Put a version in its place that has only the records that stay, and is otherwise as it was."""
    arrow, parquet = library("pyarrow"), library("pyarrow.parquet")
    with written_whole(version.folder) as draft:
        shutil.copytree(version.folder, draft, dirs_exist_ok=True)
        for name, stays in version.stays.items():
            file = draft / f"{name}.parquet"
            if stays and not any(stays):  # no file stands for a side without records
                file.unlink()
            elif not all(stays):
                parquet.write_table(parquet.read_table(file).filter(arrow.array(stays)), file)
        text = json.dumps(manifest, ensure_ascii=False, indent=2)
        (draft / MANIFEST).write_text(text + "\n", encoding="utf-8")
