"""The new columns of a tagged file, and their cells."""

from __future__ import annotations

from collections.abc import Iterable

from model.tagger import Tagged, Tags
from model.taxonomy import Taxonomy
from model.watchlist import Role
from serving.errors import TableError
from serving.exports.reading import Found, Reading
from serving.priority import Priority
from serving.reply import replied
from serving.tables import Row, Table

_DECIMALS = 4
"""Of a probability, as the API writes it."""


class Columns:
    """What is added to every row: `names` in order, and `cells` for each."""

    def __init__(self, taxonomy: Taxonomy, reading: Reading, version: str) -> None:
        self._taxonomy, self._reading, self._version = taxonomy, reading, version
        watched = reading.watchlist.organisations if reading.watchlist else ()
        self._roles: tuple[Role, ...] = tuple(dict.fromkeys(organisation.role for organisation in watched))
        groups = [group.name for group in taxonomy.groups]
        scores = [f"tympan_{label.replace('/', '_', 1)}_score" for label in taxonomy.labels]
        of_roles = [
            name
            for role in self._roles
            for name in (f"tympan_target_{role}", *(f"tympan_target_{role}_{group}" for group in groups))
        ]
        self.names = [
            *(f"tympan_{group}" for group in groups),
            *(scores if reading.scores else ()),
            *(["tympan_target", *of_roles] if reading.watchlist else ()),
            *(("tympan_priority", "tympan_priority_reason", "tympan_owner") if reading.priorities else ()),
            *("tympan_lang", "tympan_error", "tympan_model"),
        ]
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise TableError(f"taxonomy {taxonomy.id}", f"a group takes our column {twice[0]}", "Rename the group")

    def check(self, table: Table) -> None:
        """Raise TableError if the table has one of them already."""
        taken = [name for name in self.names if name in table.columns]
        if taken:
            name = table.source.name
            raise TableError(name, f"has a column {taken[0]} already", "Give the file from before it was tagged")

    def cells(self, found: Found, priority: Priority | None) -> list[str]:
        """A row's values, one for each of `names`: empty but for the reason where it has no tags."""
        result, reading = found.result, self._reading
        if isinstance(result, str):
            values = {"tympan_error": result, "tympan_model": self._version}
            if reading.target:
                values["tympan_target"] = reading.target.name
            return [values.get(name, "") for name in self.names]
        joined = [_joined(result.tags, group.name) for group in self._taxonomy.groups]
        scores = [f"{score:.{_DECIMALS}f}" for score in found.scores] if reading.scores else []
        targets = [reading.target.name if reading.target else "", *self._of_roles(result)] if reading.watchlist else []
        pressing = [priority.level, priority.reason, priority.owner or ""] if priority else []
        return [*joined, *scores, *targets, *pressing, result.lang, "", self._version]

    def _of_roles(self, result: Tagged) -> list[str]:
        """For every role the organisations found, and the tags towards any of them."""
        cells = []
        for role in self._roles:
            found = [target for target in result.targets if target.role == role]
            cells.append("|".join(target.name for target in found))
            for group in self._taxonomy.groups:
                tags = dict.fromkeys(tag for target in found for tag in _tags(target.tags, group.name))
                cells.append("|".join(tags))
        return cells


def priority_of(row: Row, result: Tagged | str, reading: Reading) -> Priority | None:
    """How pressing a tagged row is; None if it has no tags, or there are no rules."""
    if reading.priorities is None or isinstance(result, str):
        return None
    answered = replied(row.cells.get(reading.answered_column or "", ""))
    return reading.priorities.of(result, target=reading.target, answered=answered)


def _tags(tags: Tags, group: str) -> Iterable[str]:
    return (score.tag for score in tags.get(group, ()))


def _joined(tags: Tags, group: str) -> str:
    return "|".join(_tags(tags, group))
