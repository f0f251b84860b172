"""Files that `tympan tag` wrote, back after a person changed the tags in them: rows as records to learn from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from labels.errors import RecordError
from labels.record import Record
from labels.schema import check
from labels.task import key
from model.errors import TympanError
from model.language import detect
from model.mention import Mention, prepare, wording
from model.taxonomy import Group, Taxonomy
from model.watchlist import Watchlist, considered

SOURCE = "spreadsheet"
"""The source of these records."""
_BETWEEN = re.compile(r"[|;,\n]")  # none of which a tag's path can hold
_APOSTROPHE = re.compile(r"^'(?=[-=+@\t\r])")  # which a CSV has before what a spreadsheet would run
_NAME = re.compile(r"[\w /.-]{1,40}")  # what is shown in an error; anything else may be a text in the wrong column


@dataclass(frozen=True, kw_only=True)
class Revised:
    """A row: its place among the rows, from 1, and its cells. `tags` has a cell for each group of the file.

    `id` is the mention's own, empty if the file has none. `marked` says that somebody looked at it. `fault` is why its
    cells cannot be trusted.
    """

    row: int
    text: str
    tags: Mapping[str, str]
    id: str = ""
    lang: str = ""
    target: str = ""
    error: str = ""
    marked: bool = False
    fault: str = ""


@dataclass
class Learnt:
    """What rows come to. `problems` name the rows that were left out, `skipped` counts those that say nothing."""

    records: list[Record] = field(default_factory=list)
    problems: list[RecordError] = field(default_factory=list)
    unlooked: int = 0
    """Rows that nobody looked at."""
    skipped: int = 0
    """Rows without a text, or without tags of the model."""


class Before:
    """The rows as they were: what of a row its person changed.

    A row is found by its text and target, or else, since a program may have written the text anew, by its id. Where it
    stands does not matter: people sort and delete rows.
    """

    def __init__(self, rows: Iterable[Revised]) -> None:
        self._by_text: dict[tuple[str, str], Revised] = {}
        self._by_id: dict[str, Revised | None] = {}
        for row in rows:
            self._by_text.setdefault(_place(row), row)
            self._by_id[row.id] = None if row.id in self._by_id else row

    def of(self, row: Revised) -> Revised:
        """The row as it was. RecordError if it is not there."""
        found = self._by_text.get(_place(row)) or (self._by_id.get(row.id) if row.id else None)
        if found is None:
            raise RecordError("text", "is not that of any row of the original", "Give the file that this one was")
        return found

    def differs(self, row: Revised) -> bool:
        """Whether any group has other tags than before. RecordError if the row is not there."""
        old = self.of(row)
        return any(_said(row.tags[name]) != _said(old.tags.get(name, "")) for name in row.tags)


def learn(
    rows: Iterable[Revised],
    taxonomy: Taxonomy,
    *,
    before: Before | None = None,
    marks: bool = False,
    watchlist: Watchlist | None = None,
    who: str = "",
) -> Learnt:
    """A record of every row that was looked at: those that differ from `before`, and with `marks` those marked.

    With neither it is all of them. An empty cell means that none of the group's tags hold. Rows of one text and target
    are one record; if they say different things none is made.
    """
    found = Learnt()
    said: dict[str, tuple[Revised, Record]] = {}
    unsettled: dict[str, RecordError] = {}
    for row in rows:
        try:
            if row.fault:
                raise RecordError("cells", row.fault)
            if row.error or not prepare(row.text) or not row.tags:
                found.skipped += 1
                continue
            if not _looked_at(row, before, marks=marks):
                found.unlooked += 1
                continue
            record = _record(before.of(row) if before else row, row, taxonomy, watchlist or Watchlist(), who)
        except TympanError as error:
            found.problems.append(_at(row, error))
            continue
        first, other = said.setdefault(record.id, (row, record))
        if other.tags != record.tags:
            problem = f"say different things of one text, as row {first.row:,} does"
            unsettled[record.id] = RecordError(f"row {row.row:,}: tags", problem, "Make them the same")
    found.problems += unsettled.values()
    found.records = [record for name, (_, record) in said.items() if name not in unsettled]
    return found


def _looked_at(row: Revised, before: Before | None, *, marks: bool) -> bool:
    if before is None:
        return row.marked or not marks
    return (marks and row.marked) or before.differs(row)


def _record(known: Revised, row: Revised, taxonomy: Taxonomy, watchlist: Watchlist, who: str) -> Record:
    """The record of a row, whose text is `known` as it was before programs wrote it anew."""
    target = _APOSTROPHE.sub("", row.target.strip()) or None
    watchlist, target = considered(watchlist, target)
    record = Record(
        id=key(Mention("", known.text, target=target)),
        text=known.text,
        lang=row.lang.strip().lower() or detect(wording(prepare(known.text))),
        target=target,
        watchlist=watchlist.organisations,
        tags={name: _tags(cell, taxonomy.group(name)) for name, cell in row.tags.items()},
        source=SOURCE,
        annotators=(who,) if who else (),
    )
    for fault in check(record.to_dict(), taxonomy):
        raise RecordError(fault.field, fault.problem, fault.remedy)
    return record


def _tags(cell: str, group: Group) -> tuple[str, ...]:
    """The tags that a cell names, by present or former names. RecordError for one that there is not, or too many."""
    names = {_plain(path): path for path in (old for tag in group.tags for old in (*tag.former, tag.path))}
    found = []
    for name in _names(cell):
        path = name if name in group.index else names.get(_plain(name))
        if path is None:
            shown = repr(name) if _NAME.fullmatch(name) else f"of {len(name):,} characters"
            raise RecordError(f"tympan_{group.name}", f"no tag {shown}", f"Legal: {', '.join(group.paths)}")
        found.append(group.current(path))
    tags = group.deepest(path for path in group.paths if path in found)
    if group.kind == "exclusive" and len(tags) > 1:
        raise RecordError(f"tympan_{group.name}", f"has {', '.join(tags)} and takes one tag", "Keep one of them")
    return tuple(tags)


def _names(cell: str) -> Iterator[str]:
    """The names in a cell, without blanks around them or an apostrophe that keeps a spreadsheet from running them."""
    for name in _BETWEEN.split(_APOSTROPHE.sub("", cell)):
        if name.strip():
            yield name.strip()


def _said(cell: str) -> set[str]:
    """The names in a cell in one spelling, without those that follow from another."""
    return set(Group.deepest(_plain(name) for name in _names(cell)))


def _plain(name: str) -> str:
    """Lower case, with one blank for blanks, underscores and dashes, and none around the strokes between levels."""
    levels = (re.sub(r"[\s_-]+", " ", level).strip() for level in name.casefold().split("/"))
    return "/".join(levels)


def _place(row: Revised) -> tuple[str, str]:
    """What a row is found by: programs change the ends of lines in a text, and blanks at its ends."""
    return " ".join(row.text.split()), _APOSTROPHE.sub("", row.target.strip())


def _at(row: Revised, error: TympanError) -> RecordError:
    """The error, with the row that it is about."""
    return RecordError(f"row {row.row:,}: {error.where}", error.problem, error.remedy)
