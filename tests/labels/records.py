"""Records and a tag set for the tests of this room."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from labels.record import Record
from model.taxonomy import Taxonomy

SMALL = Taxonomy.parse("""
name = "small"
version = "1"
[groups.mood]
kind = "exclusive"
[groups.mood.tags.happy]
former = ["glad"]
[groups.mood.tags.sad]
[groups.about]
[groups.about.tags.price]
[groups.about.tags."price/level"]
former = ["cost"]
[groups.about.tags."price/fees"]
[groups.about.tags.place]
""")

_SYLLABLES = [a + b for a in "bdfglmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "or", "il")]


def record(id: str, text: str = "", **fields: Any) -> Record:  # noqa: A002  the field's own name
    """A record with a text of its own and no tag."""
    return Record(id=id, text=text or f"text of {id}", **{"tags": {"mood": ()}, **fields})


def jumble(chance: random.Random, words: int = 12) -> str:
    """A text that is like no other."""
    return " ".join("".join(chance.choices(_SYLLABLES, k=3)) for _ in range(words))


def corpus(count: int, seed: int = 1) -> list[Record]:
    """Records of unlike texts in three languages, with tags of very different frequency."""
    chance = random.Random(seed)  # noqa: S311  no secret
    found = []
    for number in range(count):
        about = [
            path
            for path, rate in (("price/level", 0.3), ("price/fees", 0.06), ("place", 0.15))
            if chance.random() < rate
        ]
        mood = chance.choices([(), ("happy",), ("sad",)], weights=[5, 3, 1])[0]
        lang = chance.choices(["fr", "it", "en"], weights=[5, 3, 2])[0]
        tags = {"mood": mood, "about": tuple(about)}
        found.append(Record(id=f"r{number:04}", text=jumble(chance), lang=lang, tags=tags))
    return found


def lines(path: Path, rows: Iterable[Any]) -> Path:
    """Write each row as a line of JSON, or as it is if it is text."""
    texts = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=True) for row in rows]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path
