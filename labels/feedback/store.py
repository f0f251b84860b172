"""Where corrections are kept, and the mentions that were tagged lately."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from sqlalchemy import Connection, Row, Table, delete, func, insert, select

from labels.feedback.correction import Correction
from labels.feedback.database import FILE, Database
from labels.feedback.mention import TaggedMention
from labels.feedback.tables import corrections as _corrections
from labels.feedback.tables import mentions as _mentions
from model.watchlist import Organisation

Outcome = Literal["stored", "known", "conflict"]
"""What became of a correction: new; there already; or there already under its id, and saying something else."""
T = TypeVar("T")
_BLOCK = 500  # values in one statement: SQLite and PostgreSQL have limits


class Kept(NamedTuple):
    """A correction and its number, which is greater than those of all that were stored before."""

    sequence: int
    correction: Correction


class FeedbackStore:
    """Safe to use from several threads and processes. Every method raises FeedbackStoreError if the database fails."""

    def __init__(self, where: str | Path) -> None:
        """`where` is a folder, for a file of SQLite in it, or the URL of a PostgreSQL; see `Database`."""
        self._database = Database(where)

    def add(self, corrections: Sequence[Correction]) -> list[Outcome]:
        """Keep corrections, all that are new or none: on disk before this returns. What became of each, in order."""
        found: list[Outcome] = []
        with self._database.writing() as connection:
            known = self._digests(connection, [correction.id for correction in corrections])
            fresh: list[Correction] = []
            for correction in corrections:
                if correction.id not in known:
                    known[correction.id] = correction.digest
                    fresh.append(correction)
                    found.append("stored")
                else:
                    found.append("known" if known[correction.id] == correction.digest else "conflict")
            if fresh:
                connection.execute(insert(_corrections), [_row(correction, _corrections) for correction in fresh])
        return found

    def after(self, sequence: int = 0) -> list[Kept]:
        """The corrections with greater numbers, in the order of these."""
        wanted = select(_corrections).where(_corrections.c.sequence > sequence).order_by(_corrections.c.sequence)
        with self._database.reading() as connection:
            return [Kept(row.sequence, _correction(row)) for row in connection.execute(wanted)]

    def count(self, after: int = 0) -> int:
        """How many corrections have greater numbers than `after`."""
        wanted = select(func.count()).select_from(_corrections).where(_corrections.c.sequence > after)
        with self._database.reading() as connection:
            return int(connection.execute(wanted).scalar_one())

    def erase(self, *, mentions: Iterable[str] = (), texts: Iterable[str] = ()) -> int:
        """Remove all that is kept of these mentions, by id, or of these texts; returns how many rows were."""
        ids, said, gone = list(mentions), list(texts), 0
        with self._database.writing() as connection:
            for table, name in ((_corrections, "mention"), (_mentions, "id")):
                for column, values in ((table.c[name], ids), (table.c.text, said)):
                    for block in _blocks(values):
                        gone += connection.execute(delete(table).where(column.in_(block))).rowcount
        self._database.settle()
        return gone

    def remember(self, mentions: Iterable[TaggedMention], *, keep: int) -> None:
        """Keep mentions, the last of each id, and of all that are there the `keep` newest."""
        newest: dict[str, TaggedMention] = {}
        for mention in mentions:
            newest.pop(mention.id, None)  # the last of an id stands where it came
            newest[mention.id] = mention
        if not newest:
            return
        number = _mentions.c.sequence
        last = select(number).order_by(number.desc()).offset(keep).limit(1).scalar_subquery()
        with self._database.writing() as connection:
            for block in _blocks(list(newest)):
                connection.execute(delete(_mentions).where(_mentions.c.id.in_(block)))
            connection.execute(insert(_mentions), [_row(mention, _mentions) for mention in newest.values()])
            connection.execute(delete(_mentions).where(number <= last))

    def recall(self, ids: Iterable[str]) -> dict[str, TaggedMention]:
        """Id → mention, of those that are remembered."""
        found: dict[str, TaggedMention] = {}
        with self._database.reading() as connection:
            for block in _blocks(list(dict.fromkeys(ids))):
                rows = connection.execute(select(_mentions).where(_mentions.c.id.in_(block)))
                found.update({row.id: _mention(row) for row in rows})
        return found

    def recent(self, limit: int) -> list[TaggedMention]:
        """The mentions that are remembered, the newest first."""
        wanted = select(_mentions).order_by(_mentions.c.sequence.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_mention(row) for row in connection.execute(wanted)]

    def close(self) -> None:
        self._database.close()

    def _digests(self, connection: Connection, ids: Sequence[str]) -> dict[str, str]:
        """Id → digest of the corrections that are there."""
        found = {}
        for block in _blocks(ids):
            wanted = select(_corrections.c.id, _corrections.c.digest).where(_corrections.c.id.in_(block))
            found.update({row.id: row.digest for row in connection.execute(wanted)})
        return found


def opened(where: str | Path) -> FeedbackStore | None:
    """The store at a URL or in a folder; None if the folder has none, which stays as it is."""
    return FeedbackStore(where) if "://" in str(where) or (Path(where) / FILE).is_file() else None


def _blocks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _BLOCK):
        yield values[start : start + _BLOCK]


def _row(one: Correction | TaggedMention, table: Table) -> dict[str, Any]:
    """The columns of `table` that are fields of the same name, with the watchlist as plain JSON types."""
    row = {column.name: getattr(one, column.name) for column in table.columns if column.name != "sequence"}
    return {**row, "watchlist": [organisation.to_dict() for organisation in one.watchlist]}


def _watchlist(data: Iterable[Mapping[str, Any]]) -> tuple[Organisation, ...]:
    return tuple(map(Organisation.from_dict, data))


def _correction(row: Row[Any]) -> Correction:
    data = dict(row._mapping)
    lists = {name: None if data[name] is None else tuple(data[name]) for name in ("tags", "wrong")}
    del data["sequence"], data["digest"]
    return Correction(**{**data, **lists, "watchlist": _watchlist(data["watchlist"])})


def _mention(row: Row[Any]) -> TaggedMention:
    data = dict(row._mapping)
    del data["sequence"]
    return TaggedMention(**{**data, "watchlist": _watchlist(data["watchlist"])})
