"""What a report calls things in its reader's language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal, format_percent

from serving.report.facts import Facts, Kind
from serving.report.layout import Titles

_PHRASES = Path(__file__).with_name("phrases.toml")


@cache
def phrases() -> Mapping[str, Titles]:
    """Name → language → what is said."""
    return tomllib.loads(_PHRASES.read_text(encoding="utf-8"))


class Wording:
    """Words, numbers and dates in one language, for the tags of one report."""

    def __init__(self, facts: Facts, language: str) -> None:
        self.language, self._shape, self._target = language, facts.shape, facts.source.target
        self._locale = Locale.parse("en_GB" if language == "en" else language)
        self._groups = {group.name: group.title for group in facts.taxonomy.groups}
        self._tags = {f"{group.name}/{tag.path}": tag.title for group in facts.taxonomy.groups for tag in group.tags}

    def say(self, phrase: str, /, **parts: object) -> str:
        """The phrase of that name, with its parts put in."""
        return phrases()[phrase][self.language].format(**parts)

    def chosen(self, titles: Titles, otherwise: str) -> str:
        """A title in the language, else in English, else in any, else the name itself."""
        return titles.get(self.language) or titles.get("en") or next(iter(titles.values()), otherwise)

    def group(self, name: str) -> str:
        return self.chosen(self._groups.get(name, {}), name)

    def tag(self, reference: str) -> str:
        """The title of `group/path` alone."""
        return self.chosen(self._tags.get(reference, {}), reference.partition("/")[2])

    def path(self, reference: str) -> str:
        """The titles of `group/path` and of those above it."""
        group, *steps = reference.split("/")
        return " › ".join(self.tag("/".join((group, *steps[: depth + 1]))) for depth in range(len(steps)))

    def headline(self, kind: Kind, name: str) -> str:
        """The title of a figure at the top."""
        if kind == "headline":
            return self.chosen(self._shape.headline(name).title, name)
        return self.say("urgent_title") if kind == "level" else self.path(name)

    def thing(self, kind: Kind, name: str) -> str:
        """What a series counts."""
        if kind in ("headline", "all"):
            return self.headline(kind, name) if name else self.say("all_mentions")
        if kind in ("tag", "obstacle"):
            group = self.group(name.partition("/")[0])
            return self.say("labelled", name=group, value=self.path(name)) if name else self.say("obstacles")
        if kind == "level":
            return self.say("labelled", name=self.say("priority"), value=self.level(name))
        if kind == "language":
            return self.say("labelled", name=self.say("language"), value=self.tongue(name))
        return {"role": self.role, "owner": self.owner}.get(kind, str)(name)

    def level(self, name: str) -> str:
        return self.say(f"level_{name}")

    def role(self, name: str) -> str:
        return self.say(f"role_{name}")

    def owner(self, name: str) -> str:
        return self.chosen(self._shape.owners.get(name, {}), name)

    def tongue(self, code: str) -> str:
        """A language by its code."""
        known = self._locale.languages.get(code)
        return self.say("unknown_language") if code == "und" else known or code

    def number(self, value: float) -> str:
        return str(format_decimal(value, format="#,##0.##", locale=self._locale))

    def percent(self, part: float, whole: float) -> str:
        return str(format_percent(part / whole if whole else 0, format=None, locale=self._locale))

    def day(self, day: date, form: str = "long") -> str:
        return str(format_date(day, form, locale=self._locale))

    def short_day(self, day: date) -> str:
        """A day without its year."""
        return str(format_date(day, "d MMM", locale=self._locale))

    def month(self, day: date) -> str:
        """A month and its year."""
        return str(format_date(day, "MMM y", locale=self._locale))
