"""Who is talked about: the organisations of a watchlist, and where a text names them."""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from model.errors import WatchlistError

Role = Literal["brand", "product", "competitor", "partner", "sponsor"]
TARGET, OTHER = "[TARGET]", "[OTHER]"
"""What the considered organisation, and every other one, becomes in a prepared text: one special token each."""


@dataclass(frozen=True)
class Organisation:
    """A name to listen for, what it is to the listener, and the other names and handles it goes by."""

    name: str
    role: Role = "brand"
    aliases: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Organisation:
        """Check and read `{"name", "role", "aliases"}`; WatchlistError names the field."""
        name, role, aliases = data.get("name"), data.get("role", "brand"), data.get("aliases", [])
        if not isinstance(name, str) or not _searched(name):
            raise WatchlistError("watchlist.name", "is missing or empty", "Give every organisation a name")
        if role not in get_args(Role):
            raise WatchlistError(f"watchlist.{name}.role", f"is {role!r}", f"Legal: {', '.join(get_args(Role))}")
        if not isinstance(aliases, Sequence) or isinstance(aliases, str):
            raise WatchlistError(f"watchlist.{name}.aliases", "is no list", 'Write ["alias", …]')
        if not all(isinstance(alias, str) and _searched(alias) for alias in aliases):
            raise WatchlistError(f"watchlist.{name}.aliases", "holds an empty name", "Remove it")
        return cls(name, role, tuple(aliases))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"name": self.name, "role": self.role, "aliases": list(self.aliases)}


class Watchlist:
    """Organisations compiled for search: whole words, any case, with or without accents, the longest name first."""

    def __init__(self, organisations: Iterable[Organisation] = ()) -> None:
        self.organisations = tuple(organisations)
        self._owner: dict[str, str] = {}
        for organisation in self.organisations:
            name = _searched(organisation.name)
            if name in self._owner:
                raise WatchlistError(f"watchlist.{organisation.name}", "is listed twice", "Keep one entry")
            self._owner[name] = organisation.name
        for organisation in self.organisations:  # a name means its own organisation, whoever lists it as an alias
            for alias in organisation.aliases:
                self._owner.setdefault(_searched(alias), organisation.name)
        names = sorted(map(re.escape, self._owner), key=len, reverse=True)
        # The two tokens come first: an organisation called Target must not be found inside "[TARGET]".
        tokens = "|".join(re.escape(token.lower()) for token in (TARGET, OTHER))
        self._pattern = re.compile(rf"{tokens}|[@#]?(?<!\w)({'|'.join(names)})(?!\w)") if names else None

    @classmethod
    def from_dicts(cls, data: Iterable[Mapping[str, Any]]) -> Watchlist:
        """Read the list of a request or record."""
        return cls(Organisation.from_dict(entry) for entry in data)

    @classmethod
    def from_json(cls, text: str) -> Watchlist:
        """Read what `to_json` wrote; WatchlistError if it is something else."""
        try:
            data = json.loads(text)
        except ValueError:
            data = None
        if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
            raise WatchlistError("watchlist", "is no list in JSON", 'Write [{"name": …}, …]')
        return cls.from_dicts(data)

    def to_json(self) -> str:
        """The list in JSON, for the cell of a table."""
        return json.dumps([organisation.to_dict() for organisation in self.organisations], ensure_ascii=False)

    @classmethod
    def load(cls, path: str | Path) -> Watchlist:
        """Read a TOML file of `[[organisation]]` tables with `name`, `role` and `aliases`."""
        try:
            data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise WatchlistError(str(path), "cannot be read as TOML", "Write [[organisation]] tables") from error
        entries = data.get("organisation")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise WatchlistError(str(path), "has no [[organisation]] tables", "Add one for each organisation")
        return cls.from_dicts(entries)

    def __bool__(self) -> bool:
        return bool(self.organisations)

    def get(self, name: str) -> Organisation:
        """The organisation called `name`, or known by it as an alias, in any case; WatchlistError if there is none."""
        owner = self._owner.get(_searched(name))
        for organisation in self.organisations:
            if organisation.name == owner:
                return organisation
        legal = ", ".join(organisation.name for organisation in self.organisations)
        raise WatchlistError("target", f"{name!r} is not in the watchlist", f"Legal: {legal}")

    def brand(self) -> Organisation | None:
        """The only organisation of role brand; None if there is none or there are several."""
        brands = [organisation for organisation in self.organisations if organisation.role == "brand"]
        return brands[0] if len(brands) == 1 else None

    def found(self, text: str) -> list[Organisation]:
        """The organisations that `text` names, in the order of the watchlist."""
        if self._pattern is None:
            return []
        names = {self._owner[match[1]] for match in self._pattern.finditer(_fold(text)) if match[1]}
        return [organisation for organisation in self.organisations if organisation.name in names]

    def mask(self, text: str, target: str | None) -> str:
        """`text` with every name of `target` (an organisation's name) as TARGET and of every other one as OTHER."""
        if self._pattern is None:
            return text
        pieces, end = [], 0
        for match in self._pattern.finditer(_fold(text)):
            if match[1]:
                pieces += [text[end : match.start()], TARGET if self._owner[match[1]] == target else OTHER]
                end = match.end()
        return "".join([*pieces, text[end:]])


def considered(watchlist: Watchlist, target: str | None) -> tuple[Watchlist, str | None]:
    """The watchlist a text is read with, and the name of the organisation that it is read towards.

    A target without a watchlist is a watchlist of one; without a target it is the only brand, if there is just one.
    WatchlistError if the watchlist does not name the target.
    """
    if target is None:
        brand = watchlist.brand()
        return watchlist, brand.name if brand else None
    if not watchlist:
        watchlist = Watchlist([Organisation(target)])
    return watchlist, watchlist.get(target).name


def _searched(name: str) -> str:
    """A name as it is looked for: composed and with single spaces, as `model.mention.prepare` makes texts."""
    return _fold(" ".join(unicodedata.normalize("NFC", name).split())).strip("@# ")


def _fold(text: str) -> str:
    """Lower case without accents, one character for each of `text`, so that positions agree."""
    return "".join(_fold_character(character) for character in text) if not text.isascii() else text.lower()


def _fold_character(character: str) -> str:
    folded = unicodedata.normalize("NFD", character)[0].lower()
    return folded if len(folded) == 1 else character
