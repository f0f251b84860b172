"""The form of a file of rules, and what is said of one that does not keep to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from serving.errors import PrioritiesError
from serving.priority import ANSWERED, STANDINGS, Answered, Level, Standing

_REMEDIES = {
    "list_type": ("is no list", 'Write ["…"]'),
    "too_short": ("is empty", "Put something in, or remove the key"),
    "string_type": ("is no text", 'Write "…"'),
    "dict_type": ("is no table", 'Write { en = "…" }'),
    "model_type": ("is no table", "Write a table: see docs/priorities.md"),
    "float_type": ("is no number", "Write one above 0 and at most 1"),
    "greater_than": ("is too small", "Write a number above 0 and at most 1"),
    "less_than_equal": ("is too large", "Write a number above 0 and at most 1"),
}
"""What pydantic calls a fault → what it is, and what to do."""


def _line(text: str) -> str:
    if not text.strip() or len(text.splitlines()) > 1:
        raise ValueError("is not one line of text", "Write one")
    return text


def _language(code: str) -> str:
    if not re.fullmatch("[a-z]{2,3}", code):
        raise ValueError("is no language code", "Write one of ISO 639, such as fr")
    return code


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_\-]+", name):
        raise ValueError("is no name of a department", "Write it with a-z, 0-9, _ and -; its title says the rest")
    return name


Line = Annotated[str, AfterValidator(_line)]
Texts = Annotated[dict[Annotated[str, AfterValidator(_language)], Line], Field(min_length=1)]


class Entry(BaseModel):
    """Base of what the file holds: a misspelt key would be ignored unseen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Outcome(Entry):
    """What follows: how pressing, why by language, and whose."""

    level: Level
    reason: Texts
    owner: str | None = None


class RuleEntry(Outcome):
    """A rule: its name, its conditions, and what follows."""

    name: Line
    all: list[str] = Field([], min_length=1)
    any: list[str] = Field([], min_length=1)
    none: list[str] = Field([], min_length=1)
    min_score: float = Field(0.0, gt=0, le=1)
    towards: list[Standing] = Field(list(STANDINGS), min_length=1)
    answered: list[Answered] = Field(list(ANSWERED.values()), min_length=1)

    @property
    def conditional(self) -> bool:
        """Whether it has any condition."""
        return not self.model_fields_set <= {"name", *Outcome.model_fields}


class OwnerEntry(Entry):
    """A department: its title by language, and the tags that are its own."""

    title: Texts
    tags: list[str] = []


class File(Entry):
    """A whole file of rules."""

    taxonomy: str
    default: Outcome
    rule: list[RuleEntry] = Field(min_length=1)
    owners: dict[Annotated[str, AfterValidator(_name)], OwnerEntry] = {}


def read(data: Mapping[str, Any], source: str) -> File:
    """A parsed file; PrioritiesError names the rule or department, the field and the value that are wrong."""
    try:
        return File.model_validate(data)
    except ValidationError as error:
        # a misspelt key before the one that is missing for it
        first = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        at, kind, given = first["loc"], first["type"], first["input"]
        where, shown = _place(data, at, source), f"{given!r} " if isinstance(given, str | int | float) else ""
        if kind == "missing":
            problem, remedy = "is missing", "Add it"
        elif kind == "extra_forbidden":
            problem, remedy = "is no known key", f"Legal: {', '.join(_keys_at(at))}"
        elif kind == "literal_error":
            problem, remedy = f"is {given!r}", f"Write {first['ctx']['expected']}"
        else:
            known = first["ctx"]["error"].args if kind == "value_error" else _REMEDIES.get(kind)
            problem, remedy = known or (first["msg"], "See docs/priorities.md")
            problem = shown + problem
        raise PrioritiesError(where, problem, remedy) from error


def _place(data: Mapping[str, Any], at: tuple[int | str, ...], source: str) -> str:
    """A place in the file, a rule by its name."""
    pieces = [source]
    if at[0] == "rule" and len(at) > 1:
        entry = data["rule"][at[1]]
        name = entry.get("name") if isinstance(entry, dict) else None
        pieces.append(f"rule {name!r}" if isinstance(name, str) else f"rule {int(at[1]) + 1}")
        at = at[2:]
    elif at[0] == "owners" and len(at) > 1:
        pieces.append(f"owners.{at[1]}")
        at = at[2:]
    field = ".".join(part for part in at if isinstance(part, str) and part != "[key]")
    return ": ".join([*pieces, field] if field else pieces)


def _keys_at(at: tuple[int | str, ...]) -> list[str]:
    """The keys that the table may have in which the key at `at` stands."""
    tables: dict[int | str, type[BaseModel]] = {"rule": RuleEntry, "owners": OwnerEntry, "default": Outcome}
    return list((tables[at[0]] if len(at) > 1 else File).model_fields)
