"""What the exports of a listening tool look like: TOML files, those of `serving/profiles` and those of a user.

A profile is recognised by the names that its header must have, so that rows before the header are found and passed on.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from serving.errors import TableError
from serving.tables.names import ROLES, plain

FOLDER = Path(__file__).parents[1] / "profiles"
_KEYS = {"title", "source", "signature", "before", "date_formats", "columns"}


@dataclass(frozen=True)
class Profile:
    """A tool's export. `columns` has the names of the columns for each role, the surest first."""

    name: str
    title: str
    signature: tuple[str, ...]
    """Names that the header has, all of them."""
    columns: Mapping[str, tuple[str, ...]]
    before: int = 0
    """The most rows that stand before the header."""
    date_formats: tuple[str, ...] = ()
    """How dates are written, as `datetime.strptime` has it; ISO 8601 if there are none."""

    @classmethod
    def load(cls, given: str) -> Profile:
        """A profile that ships, by its name, or the one in a file; TableError says what is wrong with it."""
        path = FOLDER / f"{given}.toml"
        if not (given.replace("-", "").isalnum() and path.is_file()):
            path = Path(given)
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            names = ", ".join(profile.name for profile in shipped())
            raise TableError("--profile", f"there is no {given!r}", f"Give a file, or one of: {names}") from error
        except ValueError as error:
            raise TableError(f"--profile: {path}", f"is no TOML: {error}") from error
        return cls._from_dict(path, data)

    @classmethod
    def _from_dict(cls, path: Path, data: Mapping[str, Any]) -> Profile:
        def refuse(problem: str, remedy: str) -> TableError:
            return TableError(f"--profile: {path}", problem, remedy)

        if unknown := sorted(data.keys() - _KEYS):
            raise refuse(f"has a key {unknown[0]!r}", f"Legal: {', '.join(sorted(_KEYS))}")
        columns = data.get("columns", {})
        lists = [data.get("signature", []), data.get("date_formats", []), *dict(columns).values()]
        if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists):
            raise refuse("has something else where lists of names belong", 'Write ["one", "two"]')
        if unknown := sorted(columns.keys() - ROLES.keys()):
            raise refuse(f"has a column for {unknown[0]!r}", f"Legal: {', '.join(ROLES)}")
        if not data.get("signature") or not columns.get("text"):
            raise refuse("has no signature, or no column of the text", "Add `signature` and `columns.text`")
        if not isinstance(data.get("before", 0), int):
            raise refuse("has no number in `before`", "Write how many rows stand before the header")
        for form in data.get("date_formats", ()):
            if not _is_format(form):
                remedy = "Write how datetime.strptime reads a day, such as %d/%m/%Y"
                raise refuse(f"has {form!r} in `date_formats`, with which no day can be read back", remedy)
        named = {role: tuple(names) for role, names in columns.items()}
        title, dates = str(data.get("title", path.stem)), tuple(data.get("date_formats", ()))
        return cls(path.stem, title, tuple(data["signature"]), named, data.get("before", 0), dates)

    def fits(self, cells: Sequence[str]) -> bool:
        """Whether a record can be the header of this export."""
        return {plain(name) for name in self.signature} <= {plain(cell) for cell in cells}


def _is_format(form: str) -> bool:
    """Whether a day that is written in a format of dates can be read back."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)  # so that %z and %Z have something to say
    try:
        return datetime.strptime(moment.strftime(form), form).date() == moment.date()
    except (ValueError, re.error):
        return False


@cache
def shipped() -> tuple[Profile, ...]:
    """The profiles that come with Tympan, by name."""
    return tuple(Profile.load(path.stem) for path in sorted(FOLDER.glob("*.toml")))


def header(records: Sequence[Sequence[str]], profiles: Sequence[Profile]) -> tuple[int, Profile | None]:
    """Where among the first `records` the header is, and the profile that says so; the first, without one."""
    for place, cells in enumerate(records):
        for profile in profiles:
            if place <= profile.before and profile.fits(cells):
                return place, profile
    return 0, None


def found_header(
    name: str, records: Sequence[Sequence[str]], profiles: Sequence[Profile], *, asked: bool
) -> tuple[int, Profile | None]:
    """`header`; TableError in file `name` if the profile was `asked` for and is not there."""
    place, profile = header(records, profiles)
    if asked and profile is None:
        wanted = ", ".join(profiles[0].signature)
        raise TableError(name, f"has no header of profile {profiles[0].name!r}", f"It would have: {wanted}")
    return place, profile
