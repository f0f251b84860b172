"""From the tags of an older tag set to those of a newer one: what becomes of a tag, an answer and a record.

What was renamed or merged, the newer taxonomy says with its `former` names. What no taxonomy can know, which part of a
split tag is meant and that a tag is given up, stands in a TOML file, by group:

    [mood]
    angry = "upset/angry"     # what it becomes
    bored = ""                # nothing: it is taken out of every answer
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labels.errors import MigrationError
from labels.interface import NONE, Result, from_region, to_region
from labels.record import Record
from model.errors import TaxonomyError
from model.taxonomy import Group, Taxonomy


@dataclass(frozen=True)
class Renaming:
    """`mapped`: a former tag as `group/path` → its present path, "" if nothing is left of it."""

    taxonomy: Taxonomy
    mapped: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, taxonomy: Taxonomy, path: Path | None) -> Renaming:
        """By the former names of `taxonomy` and, if given, a mapping; MigrationError names the entry at fault."""
        if path is None:
            return cls(taxonomy)
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise MigrationError(str(path), "cannot be read as TOML", 'Write [GROUP] and OLD = "NEW"') from error
        mapped: dict[str, str] = {}
        for group, paths in data.items():
            if not isinstance(paths, dict) or not all(isinstance(new, str) for new in paths.values()):
                raise MigrationError(f"{path}: {group}", "is no table of tags", 'Write [GROUP] and OLD = "NEW"')
            for old, new in paths.items():
                mapped[f"{group}/{old}"] = _target(f"{path}: {group}.{old}", taxonomy, group, old, new)
        return cls(taxonomy, mapped)

    def becomes(self, label: str) -> str | None:
        """The present path of the tag `group/path`, "" if it is given up, None if nothing says so."""
        if label in self.mapped:
            return self.mapped[label]
        group, _, path = label.partition("/")
        return _current(self.taxonomy, group, path)

    def result(self, result: Sequence[Mapping[str, Any]]) -> Result:
        """An answer of Label Studio under present names: equal to `result` if it has them already.

        A group of which no tag is left says "none of them"; a group that is no more is left out, and so is a tag of
        which nothing says what it becomes.
        """
        groups = {group.name: group for group in self.taxonomy.groups}
        found: Result = []
        for region in result:
            name, paths = str(region.get("from_name")), from_region(region)
            if not paths:  # a field of the team's own, or an answer that was never legal
                found.append(dict(region))
            elif name in groups:
                found.append({**region, **to_region(groups[name], self._present(name, paths) or [NONE])})
        return found

    def record(self, record: Record) -> Record:
        """A record under present names; `record` itself if it has them already.

        MigrationError if it then has several tags of an exclusive group.
        """
        groups = {group.name: group for group in self.taxonomy.groups}
        same = all(self.becomes(label) == label.partition("/")[2] for label in labels(record))
        if same and groups.keys() >= {*record.tags, *record.unsure}:
            return record
        tags = {name: tuple(self._present(name, paths)) for name, paths in record.tags.items() if name in groups}
        unsure = {}
        for name, paths in record.unsure.items():
            given = groups[name].close(tags.get(name, ())) if name in groups else set()
            if left := tuple(path for path in self._present(name, paths) if path not in given):
                unsure[name] = left
        for name, paths in tags.items():
            _check(record, groups[name], paths)
        return replace(record, tags=tags, unsure=unsure)

    def _present(self, group: str, paths: Iterable[str]) -> list[str]:
        found = (path if path == NONE else self.becomes(f"{group}/{path}") for path in paths)
        return list(dict.fromkeys(filter(None, found)))


def answered(result: Sequence[Mapping[str, Any]]) -> set[str]:
    """The tags of an answer as `group/path`."""
    return {
        f"{region.get('from_name')}/{path}" for region in result for path in from_region(region) or () if path != NONE
    }


def labels(record: Record) -> set[str]:
    """The tags of a record, unsure ones too, as `group/path`."""
    return {
        f"{name}/{path}" for lists in (record.tags, record.unsure) for name, paths in lists.items() for path in paths
    }


def _target(where: str, taxonomy: Taxonomy, group: str, old: str, new: str) -> str:
    if (present := _current(taxonomy, group, old)) is not None:
        is_now = "a tag of" if present == old else f"a former name of {present!r} in"
        raise MigrationError(where, f"is {is_now} {taxonomy.id}", "Take it out of the mapping")
    target = _current(taxonomy, group, new) if new else ""
    if target is None:
        raise MigrationError(where, f"becomes {new!r}, which is no tag of {taxonomy.id}", 'Name one, or "" for nothing')
    return target


def _current(taxonomy: Taxonomy, group: str, path: str) -> str | None:
    try:
        return taxonomy.group(group).current(path)
    except TaxonomyError:
        return None


def _check(record: Record, group: Group, paths: Sequence[str]) -> None:
    alone = group.deepest(paths)
    if group.kind == "exclusive" and len(alone) > 1:
        problem = f"would have {', '.join(alone)} of {group.name}, which is exclusive"
        raise MigrationError(f"record {record.id!r}", problem, "Give it one of them first")
