"""The tag set: groups of tags, nested by path, read from a TOML file.

Nothing in the code knows the name of a group or tag. A file looks like this:

    name = "feelings"
    version = "1.0"

    [groups.mood]
    kind = "exclusive"                     # or "multi-label"
    title = { en = "Mood", fr = "Humeur" }

    [groups.mood.tags.happy]
    title = { en = "Happy", fr = "Content" }
    description = { en = "The author is glad.", fr = "L'auteur est content." }
    former = ["glad"]                      # names that older records may use
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from model.errors import TaxonomyError

Kind = Literal["multi-label", "exclusive"]
DEFAULT = Path(__file__).parent / "taxonomies" / "listening.toml"
_PATH = re.compile(r"[a-z0-9_\-]+(/[a-z0-9_\-]+)*")


@dataclass(frozen=True)
class Tag:
    """One tag. `path` is its only identity; titles and descriptions are for people, by language code."""

    path: str
    title: Mapping[str, str]
    description: Mapping[str, str]
    former: tuple[str, ...] = ()

    @property
    def parent(self) -> str | None:
        """The path one level up, or None."""
        head, _, _ = self.path.rpartition("/")
        return head or None


@dataclass(frozen=True)
class Group:
    """Tags decided together: any number of them (`multi-label`) or at most one (`exclusive`)."""

    name: str
    kind: Kind
    title: Mapping[str, str]
    description: Mapping[str, str]
    tags: tuple[Tag, ...]

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The tags' paths in the order of the file, which is the order of the model's outputs."""
        return tuple(tag.path for tag in self.tags)

    @cached_property
    def index(self) -> dict[str, int]:
        """Path → position in `paths`."""
        return {path: position for position, path in enumerate(self.paths)}

    @cached_property
    def nested(self) -> bool:
        """Whether any tag has a parent."""
        return any(tag.parent for tag in self.tags)

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """The paths that are nobody's parent."""
        parents = {tag.parent for tag in self.tags}
        return tuple(path for path in self.paths if path not in parents)

    @cached_property
    def _renamed(self) -> dict[str, str]:
        return {old: tag.path for tag in self.tags for old in tag.former}

    def close(self, paths: Iterable[str]) -> set[str]:
        """`paths` and all their ancestors."""
        closed: set[str] = set()
        for path in paths:
            parts = path.split("/")
            closed.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
        return closed

    @staticmethod
    def deepest(paths: Iterable[str]) -> list[str]:
        """`paths` once each, in their order, without those that follow from another."""
        given = list(dict.fromkeys(paths))
        return [path for path in given if not any(other.startswith(f"{path}/") for other in given)]

    def current(self, path: str) -> str:
        """The present name of a tag given by its present or a former name; TaxonomyError if there is none."""
        if path in self.index:
            return path
        if path in self._renamed:
            return self._renamed[path]
        raise TaxonomyError(f"tags.{self.name}", f"no tag {path!r}", f"Legal: {', '.join(self.paths)}")


@dataclass(frozen=True)
class Taxonomy:
    """A named, versioned tag set."""

    name: str
    version: str
    groups: tuple[Group, ...]

    @property
    def id(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Every output of the model as `group/path`, in order."""
        return tuple(f"{group.name}/{path}" for group in self.groups for path in group.paths)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Group name → its columns among `labels`."""
        found, start = {}, 0
        for group in self.groups:
            found[group.name] = slice(start, start + len(group.tags))
            start += len(group.tags)
        return found

    def group(self, name: str) -> Group:
        """The group of that name; TaxonomyError if there is none."""
        for group in self.groups:
            if group.name == name:
                return group
        legal = ", ".join(group.name for group in self.groups)
        raise TaxonomyError("tags", f"no group {name!r} in taxonomy {self.id}", f"Legal: {legal}")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Taxonomy:
        """Read what `to_dict` wrote (a bundle's copy, checked when it was first parsed)."""
        groups = tuple(
            Group(
                name=group["name"],
                kind=group["kind"],
                title=group["title"],
                description=group["description"],
                tags=tuple(
                    Tag(tag["path"], tag["title"], tag["description"], tuple(tag["former"])) for tag in group["tags"]
                ),
            )
            for group in data["groups"]
        )
        return cls(data["name"], data["version"], groups)

    @classmethod
    def load(cls, path: str | Path) -> Taxonomy:
        """Read a TOML file; TaxonomyError names the file and the key at fault."""
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TaxonomyError(str(path), "cannot be read as UTF-8 text", "Give a taxonomy in TOML") from error
        return cls.parse(text, source=str(path))

    @classmethod
    def parse(cls, text: str, *, source: str = "taxonomy") -> Taxonomy:
        """Read TOML text; `source` is named in errors."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise TaxonomyError(source, f"is not TOML: {error}") from error
        _check_keys(data, {"name", "version", "groups"}, source)
        name, version = _text(data, "name", source), _text(data, "version", source)
        if name.startswith(".") or not name.isprintable() or set(name) & {"/", "\\"}:
            remedy = "Leave out slashes, control characters and a point at the beginning: it becomes a folder's name"
            raise TaxonomyError(f"{source}: name", f"is {name!r}", remedy)
        groups = data.get("groups")
        if not isinstance(groups, dict) or not groups:
            raise TaxonomyError(f"{source}: groups", "is missing or empty", "Add a table [groups.NAME]")
        return cls(name, version, tuple(_group(key, value, source) for key, value in groups.items()))


def _group(name: str, data: object, source: str) -> Group:
    where = f"{source}: groups.{name}"
    if not isinstance(data, dict) or not _PATH.fullmatch(name) or "/" in name:
        raise TaxonomyError(where, "is no group", "Write [groups.NAME] with a name of a-z, 0-9, _ and -")
    kind = data.get("kind", "multi-label")
    if kind not in get_args(Kind):
        raise TaxonomyError(f"{where}.kind", f"is {kind!r}", f"Write one of {', '.join(get_args(Kind))}")
    raw = data.get("tags")
    if not isinstance(raw, dict) or not raw:
        raise TaxonomyError(f"{where}.tags", "is missing or empty", f"Add a table [groups.{name}.tags.TAG]")
    tags = tuple(_tag(path, value, f"{where}.tags.{path}") for path, value in raw.items())
    _check_names(tags, where)
    _check_keys(data, {"kind", "title", "description", "tags"}, where)
    return Group(name, kind, _by_language(data, "title", where), _by_language(data, "description", where), tags)


def _tag(path: str, data: object, where: str) -> Tag:
    if not isinstance(data, dict) or not _PATH.fullmatch(path):
        raise TaxonomyError(where, "is no tag path", 'Write a-z, 0-9, _ and -, nested as "parent/child"')
    _check_keys(data, {"title", "description", "former"}, where)
    former = data.get("former", [])
    if not isinstance(former, list) or not all(isinstance(name, str) for name in former):
        raise TaxonomyError(f"{where}.former", "is no list of names")
    return Tag(path, _by_language(data, "title", where), _by_language(data, "description", where), tuple(former))


def _check_keys(data: Mapping[str, Any], legal: set[str], where: str) -> None:
    for key in data:
        if key not in legal:
            raise TaxonomyError(f"{where}: {key}", "is no known key", f"Legal: {', '.join(sorted(legal))}")


def _check_names(tags: Sequence[Tag], where: str) -> None:
    seen = {tag.path for tag in tags}
    for tag in tags:
        if tag.parent and tag.parent not in seen:
            raise TaxonomyError(
                f"{where}.tags.{tag.path}", f"its parent {tag.parent!r} is no tag", "Add the parent to the file"
            )
        for name in tag.former:
            if name in seen:
                raise TaxonomyError(f"{where}.tags.{tag.path}.former", f"{name!r} is in use already")
            seen.add(name)


def _by_language(data: Mapping[str, Any], key: str, where: str) -> dict[str, str]:
    value = data.get(key, {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise TaxonomyError(f"{where}.{key}", "is no table of texts by language", 'Write { en = "…", fr = "…" }')
    return value


def _text(data: Mapping[str, Any], key: str, source: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise TaxonomyError(f"{source}: {key}", "is missing or no text", f'Add {key} = "…"')
    return value
