"""What a tagging has found so far, on disk beside its output: what an interrupted one goes on from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from model.decode import Score
from model.tagger import Tagged, Tags, TargetTags
from serving.errors import TableError
from serving.exports.reading import Found

_PLAN = "plan.json"


class Checkpoint:
    """A folder with a line of JSON for every finished block of rows, and the plan that they were computed by.

    A block counts once its line is whole, so that a kill at any moment loses at most the blocks then under way. Opened
    by one process at a time; `close` leaves it there, `remove` does not. With `resume`, blocks of the same plan are
    kept; they are thrown away without.

    Raises TableError if another process has it, if it cannot be written, or if it is to be resumed by another plan.
    """

    def __init__(self, output: Path, plan: Mapping[str, Any], *, resume: bool) -> None:
        self.folder = _folder(output)
        self._output = output
        self._lock = FileLock(self.folder.with_name(f"{self.folder.name}.lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise TableError(str(output), "is being written by another run", "Wait for its end") from error
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self.rows, self.failed = self._open(plan, resume)
            self._file = self._blocks.open("ab")
        except OSError as error:
            self._lock.release()
            raise self._unwritable(error) from error
        except BaseException:
            self._lock.release()
            raise

    @property
    def _draft(self) -> Path:
        return self.folder / "draft"

    @property
    def _plan(self) -> Path:
        return self.folder / _PLAN

    @property
    def _blocks(self) -> Path:
        return self.folder / "blocks.jsonl"

    def add(self, block: Sequence[Found]) -> None:
        """Keep what was found of the next rows."""
        try:
            self._file.write(json.dumps([_packed(found) for found in block]).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from error
        self.rows += len(block)
        self.failed += sum(isinstance(found.result, str) for found in block)

    def found(self) -> Iterator[Found]:
        """Of every row, in order."""
        with self._blocks.open("rb") as file:
            for line in file:
                yield from map(_unpacked, json.loads(line))

    @contextmanager
    def drafted(self) -> Iterator[BinaryIO]:
        """Where the output is written before `publish`."""
        try:
            with self._draft.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())  # a rename must not overtake the bytes when the machine dies
        except OSError as error:
            raise self._unwritable(error) from error

    def publish(self) -> None:
        """The draft becomes the output."""
        try:
            self._draft.replace(self._output)
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Leave the finished blocks alone: a draft is written anew each time, and may be what filled the disk."""
        with suppress(OSError):  # what a full disk refused `add` it refuses again
            self._file.close()
        with suppress(OSError):
            self._draft.unlink(missing_ok=True)
        self._lock.release()

    def remove(self) -> None:
        """Close it and leave nothing behind."""
        self._file.close()
        discard(self._output)
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()

    def _open(self, plan: Mapping[str, Any], resume: bool) -> tuple[int, int]:
        """Make the folder ready; returns how many rows are done, and how many of them failed."""
        if resume and (kept := self._kept()):
            _same(kept, plan, str(self._output))
            return self._whole()
        discard(self._output)
        self.folder.mkdir()
        self._blocks.touch()
        draft = self._plan.with_suffix(".part")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(plan, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._plan)
        return 0, 0

    def _kept(self) -> dict[str, Any] | None:
        """The plan of an interrupted run; None if there is none, or what is left of one that was being removed."""
        try:
            kept: dict[str, Any] = json.loads(self._plan.read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return kept if self._blocks.exists() else None

    def _whole(self) -> tuple[int, int]:
        """Cut off what a kill left of a line; returns the rows of the whole ones, and how many of them failed."""
        rows = failed = end = 0
        with self._blocks.open("r+b") as file:
            for line in file:
                try:
                    block = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:  # a machine that died can leave zeros before the end
                    break
                if block is not None:
                    rows, end = rows + len(block), end + len(line)
                    failed += sum("error" in found for found in block)
            file.truncate(end)
        return rows, failed

    def _unwritable(self, error: OSError) -> TableError:
        return TableError(str(self._output), f"cannot be written: {error.strerror}", "Choose another place")


def interrupted(output: Path) -> bool:
    """Whether a tagging into `output` was interrupted, and can be gone on from."""
    return (_folder(output.resolve()) / _PLAN).exists()


def discard(output: Path) -> None:
    """Throw away what an interrupted tagging into `output` had done, the plan first: without it the rest is nothing."""
    (_folder(output) / _PLAN).unlink(missing_ok=True)
    shutil.rmtree(_folder(output), ignore_errors=True)


def _folder(output: Path) -> Path:
    return output.with_name(f".{output.name}.tagging")


def _same(kept: Mapping[str, Any], plan: Mapping[str, Any], output: str) -> None:
    """TableError if a plan is another than the one kept, saying in what."""
    other = [name.replace("_", " ") for name in plan if kept.get(name) != json.loads(json.dumps(plan[name]))]
    if other:
        problem = f"was begun with another {', '.join(other)}"
        raise TableError(output, problem, "Go on as it was begun, or start anew without --resume")


def _packed(found: Found) -> dict[str, Any]:
    if isinstance(found.result, str):
        return {"error": found.result}
    result, scores = found.result, {"scores": found.scores} if found.scores else {}
    targets = [[target.name, target.role, _packed_tags(target.tags)] for target in result.targets]
    return {"lang": result.lang, "tags": _packed_tags(result.tags), "targets": targets, **scores}


def _packed_tags(tags: Tags) -> dict[str, list[list[str | float]]]:
    return {group: [[score.tag, score.score] for score in scores] for group, scores in tags.items()}


def _unpacked(data: Mapping[str, Any]) -> Found:
    if "error" in data:
        return Found(data["error"])
    targets = tuple(TargetTags(name, role, _unpacked_tags(tags)) for name, role, tags in data["targets"])
    return Found(Tagged("", data["lang"], _unpacked_tags(data["tags"]), targets), tuple(data.get("scores", ())))


def _unpacked_tags(data: Mapping[str, Sequence[Sequence[Any]]]) -> Tags:
    return {group: tuple(Score(tag, score) for tag, score in scores) for group, scores in data.items()}
