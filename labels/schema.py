"""What a record must look like: every fault of one, by field, with its remedy and never with its text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model.errors import TympanError
from model.mention import MAX_CHARACTERS, prepare
from model.taxonomy import Taxonomy
from model.watchlist import Watchlist

FIELDS = ("id", "text", "lang", "target", "watchlist", "tags", "unsure", "source", "annotators", "created_at")
TagLists = Mapping[str, tuple[str, ...]]
"""Group → paths of its tags."""

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_LONGEST_VALUE = 60


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field."""

    field: str
    problem: str
    remedy: str


def check(data: object, taxonomy: Taxonomy | None = None) -> list[Fault]:
    """Every fault of one decoded line; group and tag names are checked against `taxonomy` if it is given."""
    if not isinstance(data, dict):
        return [Fault("record", f"is {_kind(data)}", "Write one JSON object on each line")]
    return [
        *_unknown_fields(data),
        *_halves(data),
        *_texts(data),
        *_language_and_date(data),
        *_organisations(data),
        *_tags(data, "tags", taxonomy),
        *_tags(data, "unsure", taxonomy),
        *_annotators(data),
    ]


def _unknown_fields(data: Mapping[str, Any]) -> Iterator[Fault]:
    for key in data:
        if key not in FIELDS:
            yield Fault(_name(key), "is no field of a record", f"Legal: {', '.join(FIELDS)}")


def _halves(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Find halves of characters, which JSON can spell and no UTF-8 file can hold."""
    for key in FIELDS:
        if re.search("[\ud800-\udfff]", json.dumps(data.get(key), ensure_ascii=False)):
            yield Fault(key, "holds half a character (a lone surrogate)", "Export the source again as UTF-8")


def _texts(data: Mapping[str, Any]) -> Iterator[Fault]:
    for key in ("id", "text"):
        if data.get(key) is None:
            yield Fault(key, "is missing", f'Add "{key}": "…"')
    for key in ("id", "text", "lang", "target", "source", "created_at"):
        value = data.get(key)
        if value is None:
            continue
        if not isinstance(value, str):
            yield Fault(key, f"is {_kind(value)}", "Write a text in quotes")
        elif not (prepare(value) if key == "text" else value.strip()):
            yield Fault(key, "is empty", "Write it, or remove the record" if key in ("id", "text") else "Remove it")
    text = data.get("text")
    if isinstance(text, str) and len(text) > MAX_CHARACTERS:
        yield Fault("text", f"has {len(text):,} characters", f"Keep at most {MAX_CHARACTERS:,}, or split it")


def _language_and_date(data: Mapping[str, Any]) -> Iterator[Fault]:
    lang, date = data.get("lang"), data.get("created_at")
    if isinstance(lang, str) and lang.strip() and not _LANGUAGE.fullmatch(lang):
        yield Fault("lang", f"is {_shown(lang)}", 'Write an ISO 639-1 code such as "fr"')
    if isinstance(date, str) and date.strip():
        try:
            datetime.fromisoformat(date)
        except ValueError:
            yield Fault("created_at", f"is {_shown(date)}", "Write an ISO 8601 date such as 2024-05-01T09:30:00Z")


def _organisations(data: Mapping[str, Any]) -> Iterator[Fault]:
    entries, target = data.get("watchlist"), data.get("target")
    if entries is None:
        entries = []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        yield Fault("watchlist", "is no list of organisations", 'Write [{"name": "…", "role": "brand"}]')
        return
    try:
        watchlist = Watchlist.from_dicts(entries)
        if watchlist and isinstance(target, str) and target.strip():
            watchlist.get(target)
    except TympanError as error:
        yield Fault(error.where, error.problem, error.remedy)


def _tags(data: Mapping[str, Any], key: str, taxonomy: Taxonomy | None) -> Iterator[Fault]:
    groups = data.get(key)
    if groups is None:
        if key == "tags":
            yield Fault(key, "is missing", 'Add "tags": {"GROUP": ["TAG"]}, with an empty list for none of them')
        return
    if not isinstance(groups, dict):
        yield Fault(key, f"is {_kind(groups)}", 'Write {"GROUP": ["TAG"]}')
        return
    for name, paths in groups.items():
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            yield Fault(f"{key}.{_name(name)}", "is no list of tags", 'Write ["TAG", …], or [] for none of them')
        elif taxonomy:
            yield from _legal(name, paths, key, taxonomy)


def _legal(name: str, paths: list[str], key: str, taxonomy: Taxonomy) -> Iterator[Fault]:
    try:
        group = taxonomy.group(name)
    except TympanError as error:
        yield Fault(key, error.problem, error.remedy)
        return
    present = set()
    for path in paths:
        try:
            present.add(group.current(path))
        except TympanError as error:
            yield Fault(f"{key}.{_name(name)}", error.problem, error.remedy)
    if key == "tags" and group.kind == "exclusive" and len(present) > 1:
        problem = f"has {len(present)} tags ({', '.join(sorted(present))}) and is exclusive"
        yield Fault(f"{key}.{_name(name)}", problem, "Keep one (a parent follows from its leaf)")


def _annotators(data: Mapping[str, Any]) -> Iterator[Fault]:
    names = data.get("annotators")
    if names is None:
        return
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        yield Fault("annotators", "is no list of names", 'Write ["NAME", …]')


def _kind(value: object) -> str:
    """Name the JSON type of `value`, with an article."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _name(key: str) -> str:
    """Show a key in an error: bare if it looks like a name."""
    return key if re.fullmatch(r"[\w-]{1,40}", key) else _shown(key)


def _shown(value: str) -> str:
    """Show a field's value in an error: on one line and short."""
    return repr(value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…")
