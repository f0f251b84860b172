"""A record: one text with the tags that people gave it towards one target, kept as one line of JSON.

    {"id": "r1", "text": "…", "lang": "fr", "target": "Acme",
     "watchlist": [{"name": "Acme", "role": "brand", "aliases": ["@acme"]}],
     "tags": {"mood": ["happy"]}, "unsure": {"mood": ["calm"]},
     "source": "…", "annotators": ["ann"], "created_at": "2024-05-01"}

All but `id`, `text` and `tags` are optional. A group missing from `tags` is unlabelled; an empty list means that
none of its tags hold. `unsure` lists cells that count neither in the loss nor in figures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labels.errors import RecordError
from labels.schema import TagLists, check
from model.mention import prepare
from model.taxonomy import Taxonomy
from model.watchlist import Organisation, Watchlist, considered


@dataclass(frozen=True, kw_only=True)
class Record:
    """One labelled text. `tags` and `unsure`: group → paths; `annotators`: the names of those who labelled it."""

    id: str
    text: str
    lang: str | None = None
    target: str | None = None
    watchlist: tuple[Organisation, ...] = ()
    tags: TagLists
    unsure: TagLists = field(default_factory=dict)
    source: str | None = None
    annotators: tuple[str, ...] = ()
    created_at: str | None = None

    def prepared(self) -> str:
        """Prepare the text as the tagger does when it is given the same text, watchlist and target."""
        watchlist, target = considered(Watchlist(self.watchlist), self.target)
        return prepare(self.text, watchlist=watchlist, target=target)

    def closed(self, group: str) -> set[str]:
        """Its tags of `group` with all their ancestors; empty if there are none or the group is unlabelled."""
        levels = (path.split("/") for path in self.tags.get(group, ()))
        return {"/".join(parts[:depth]) for parts in levels for depth in range(1, len(parts) + 1)}

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types, in the order of the contract, without what is absent."""
        data = {
            "id": self.id,
            "text": self.text,
            "lang": self.lang,
            "target": self.target,
            "watchlist": [organisation.to_dict() for organisation in self.watchlist],
            "tags": {group: list(paths) for group, paths in self.tags.items()},
            "unsure": {group: list(paths) for group, paths in self.unsure.items()},
            "source": self.source,
            "annotators": list(self.annotators),
            "created_at": self.created_at,
        }
        return {key: value for key, value in data.items() if value or key in ("id", "text", "tags")}

    def present(self, taxonomy: Taxonomy) -> Record:
        """The same with former names of tags as present ones; TaxonomyError for a name that there is not."""
        return Record.from_dict(_renamed(self.to_dict(), taxonomy))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """Read what `to_dict` wrote or `schema.check` found whole; None and empty lists count as absent."""
        return cls(
            id=data["id"],
            text=data["text"],
            lang=data.get("lang"),
            target=data.get("target"),
            watchlist=tuple(map(Organisation.from_dict, data.get("watchlist") or ())),
            tags=_lists(data["tags"]),
            unsure=_lists(data.get("unsure") or {}),
            source=data.get("source"),
            annotators=tuple(data.get("annotators") or ()),
            created_at=data.get("created_at"),
        )


@dataclass(frozen=True)
class Reading:
    """What a reading found: the whole records, every problem of the others, and how many lines were read."""

    records: list[Record]
    problems: list[RecordError]
    rows: int


def parse(line: str, taxonomy: Taxonomy | None = None, *, where: str = "record") -> Record:
    """One line of JSON as a record, former tag names as present ones; RecordError for its first problem.

    Without `taxonomy`, groups and tags are taken as they are. `where` is named in the error.
    """
    found = _parse(line, taxonomy, where)
    if isinstance(found, Record):
        return found
    raise found[0]


def scan(paths: Iterable[str | Path], taxonomy: Taxonomy | None) -> Reading:
    """Read JSONL files, and folders searched for *.jsonl, to the end, whatever their lines hold (see `parse`).

    Two records of one id are a problem of the second. RecordError if a path is missing or cannot be read.
    """
    records: list[Record] = []
    faults: list[RecordError] = []
    rows = 0
    places: dict[str, str] = {}
    for where, line in _lines(paths):
        rows += 1
        found = _parse(line, taxonomy, where) if isinstance(line, str) else [line]
        if isinstance(found, Record) and found.id in places:
            found = [RecordError(f"{where}: id", f"{found.id!r} stands at {places[found.id]} too", "Give another id")]
        if isinstance(found, Record):
            places[found.id] = where
            records.append(found)
        else:
            faults += found
    return Reading(records, faults, rows)


def read(path: str | Path, taxonomy: Taxonomy | None) -> list[Record]:
    """Read the records of a JSONL file, or of a folder searched for *.jsonl; RecordError for the first problem."""
    reading = scan([path], taxonomy)
    if reading.problems:
        first, others = reading.problems[0], len(reading.problems) - 1
        more = f" ({others} more: see `tympan labels check`)" if others else ""
        raise RecordError(first.where, first.problem, first.remedy + more)
    return reading.records


def problems(path: str | Path, taxonomy: Taxonomy) -> list[RecordError]:
    """Every problem of a file or folder, in order."""
    return scan([path], taxonomy).problems


def write(path: str | Path, records: Iterable[Record]) -> None:
    """Write a JSONL file of records whole (see `write_lines`)."""
    write_lines(path, (record.to_dict() for record in records))


def write_lines(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write each row as a line of JSON: what stood at `path` stays until the last one is written.

    RecordError if the place cannot be written.
    """
    path = Path(path)
    draft = path.parent / f".{path.name}-{os.getpid()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        draft.replace(path)
    except OSError as error:
        raise RecordError(str(path), "cannot be written", "Choose another place") from error
    finally:
        with suppress(OSError):  # gone by then, or its folder never was
            draft.unlink()


def _parse(line: str, taxonomy: Taxonomy | None, where: str) -> Record | list[RecordError]:
    try:
        data = _decoded_json(line, where)
        faults = check(data, taxonomy)
    except RecordError as error:
        return [error]
    except RecursionError:
        return [RecordError(where, "is JSON nested too deep", "Write one record on each line")]
    if faults:
        return [RecordError(f"{where}: {fault.field}", fault.problem, fault.remedy) for fault in faults]
    return Record.from_dict(_renamed(data, taxonomy) if taxonomy else data)


def _decoded_json(line: str, where: str) -> Any:  # noqa: ANN401  whatever JSON holds
    try:
        return json.loads(line)
    except ValueError as error:
        column = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise RecordError(where, f"is no JSON{column}", "Write one JSON object on each line") from error


def _renamed(data: Mapping[str, Any], taxonomy: Taxonomy) -> dict[str, Any]:
    """Give every tag of `data` its present name."""
    present = dict(data)
    for key in ("tags", "unsure"):
        groups = (data.get(key) or {}).items()
        present[key] = {name: [taxonomy.group(name).current(path) for path in paths] for name, paths in groups}
    return present


def _lists(groups: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    return {group: tuple(dict.fromkeys(paths)) for group, paths in groups.items()}


def _lines(paths: Iterable[str | Path]) -> Iterator[tuple[str, str | RecordError]]:
    """`file:line` and the line, or why it is no text, for every line that is not blank."""
    for file in _files(paths):
        try:
            with file.open("rb") as lines:  # bytes, since a text may hold characters at which str breaks lines
                for number, raw in enumerate(lines, start=1):
                    if raw.strip():
                        yield _decoded(raw, f"{file}:{number}", first=number == 1)
        except OSError as error:
            raise RecordError(str(file), "cannot be read", "Give a JSONL file") from error


def _decoded(raw: bytes, where: str, *, first: bool) -> tuple[str, str | RecordError]:
    try:
        return where, raw.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError:
        return where, RecordError(where, "is no UTF-8 text", "Save the file as UTF-8")


def _files(paths: Iterable[str | Path]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            files = sorted(path.rglob("*.jsonl"))
            if not files:
                raise RecordError(str(path), "holds no *.jsonl file", "Give a file or folder of records")
            yield from files
        elif path.exists():
            yield path
        else:
            raise RecordError(str(path), "does not exist", "Give a file or folder of records")
