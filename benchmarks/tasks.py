"""The public data sets, read as records with a tag set made here, and the settings that each is trained with."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from benchmarks.errors import BenchmarkError
from labels.duplicates import normal
from labels.record import Record
from labels.split import split
from model.mention import prepare
from model.taxonomy import Taxonomy
from training.fit import Settings

# Chosen on validation sides with seed 0 (docs/training.md): batches of 16 for one language, of 32 for three, and 4
# epochs; the rest are starting points. Tune on validation sides (`--set`), never on test sides. What is not named is
# fit's default.
_TWEETS = Settings(learning_rate=1e-4, head_rate=1e-3, epochs=4, batch_size=16, max_length=64)
SETTINGS: Mapping[str, Settings] = {
    "xlmt": replace(_TWEETS, batch_size=32),
    "xlmt-fr": _TWEETS,
    "xlmt-it": _TWEETS,
    "xlmt-en": _TWEETS,
    "minibar": Settings(learning_rate=1e-4, head_rate=1e-3, epochs=3, batch_size=16, max_length=96),
    "banking77": Settings(learning_rate=2e-4, head_rate=5e-3, epochs=5, batch_size=32, max_length=48),
}
VALIDATION = 0.1
"""Share of the training records that becomes the validation side where the data set has none."""
MINIBAR_TEXTS = 4_000
"""Training texts of minibar that are used, drawn by seed: about as many minutes as the other tasks take."""

_PUBLISHED = {"fr": 72.0, "it": 71.5, "en": 70.6, "de": 77.3, "es": 68.5}
_REVIEW_TAGS = ("problem_report", "feature_request", "irrelevant")
Row = TypeVar("Row")


@dataclass(frozen=True)
class Source:
    """Where the data lies, and how many rows of each file to read (None: all; they are spread over the file)."""

    folder: Path
    limit: int | None = None

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a JSONL file; BenchmarkError if it cannot be read."""
        path = self.folder / name
        try:
            found = [json.loads(line) for line in path.read_bytes().splitlines()]
        except OSError as error:
            raise BenchmarkError(str(path), "cannot be read", "Give the folder of the data by --data") from error
        except ValueError as error:
            raise BenchmarkError(str(path), "holds a line that is no JSON", "Copy the file again") from error
        return found if self.limit is None else spread(found, self.limit)


@dataclass(frozen=True, kw_only=True)
class Material:
    """What one run reads: a tag set of one group, the three sides, and records of languages that are not learnt."""

    taxonomy: Taxonomy
    sides: Mapping[str, list[Record]]
    unseen: list[Record] = field(default_factory=list)


@dataclass(frozen=True)
class Figure:
    """A figure of the table: `name` is a language, or `all` for the whole test side; `published` in points."""

    name: str
    title: str
    published: float | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One data set and what is reported of it. `read` takes the source and a seed."""

    name: str
    about: str
    measure: Literal["macro_f1", "micro_f1"]
    figures: tuple[Figure, ...]
    read: Callable[[Source, int], Material]
    parity_records: int = 1_000

    @property
    def settings(self) -> Settings:
        """How it is trained, unless told otherwise."""
        return SETTINGS[self.name]


def spread(rows: Sequence[Row], count: int) -> list[Row]:
    """At most `count` of `rows`, evenly spaced, since files are often sorted by tag."""
    return [rows[at * len(rows) // count] for at in range(count)] if len(rows) > count else list(rows)


def _taxonomy(name: str, group: str, kind: str, tags: Iterable[str]) -> Taxonomy:
    head = f'name = "{name}"\nversion = "1"\n[groups.{group}]\nkind = "{kind}"\n'
    return Taxonomy.parse(head + "".join(f"[groups.{group}.tags.{tag}]\n" for tag in tags), source=name)


def _xlmt(learnt: Sequence[str], unseen: Sequence[str], source: Source, seed: int) -> Material:
    """Tweets in the official sides, which no seed changes."""

    def tweets(lang: str, side: str) -> list[Record]:
        rows = source.rows(f"xlmt/{lang}_{side}.jsonl")
        return [
            Record(id=f"{lang}-{side}-{at}", text=row["text"], lang=lang, tags={"sentiment": (row["label"],)})
            for at, row in enumerate(rows)
        ]

    files = {"train": "train", "validation": "val", "test": "test"}
    return Material(
        taxonomy=_taxonomy("xlmt", "sentiment", "exclusive", ("negative", "neutral", "positive")),
        sides={side: [record for lang in learnt for record in tweets(lang, file)] for side, file in files.items()},
        unseen=[record for lang in unseen for record in tweets(lang, "test")],
    )


def _minibar(source: Source, seed: int) -> Material:
    """Reviews without duplicates; those of the app whose turn it is by `seed` are the test side."""
    seen: set[str] = set()
    by_app: dict[str, list[Record]] = {}
    for lang in ("fr", "en"):
        for at, row in enumerate(source.rows(f"minibar/{lang}.jsonl")):
            text = normal(prepare(row["text"]))
            if text not in seen:
                seen.add(text)
                tags = tuple(tag for tag in _REVIEW_TAGS if row[tag])
                record = Record(id=f"{lang}-{at}", text=row["text"], lang=lang, tags={"review": tags})
                by_app.setdefault(row["app"], []).append(record)
    test = sorted(by_app)[seed % len(by_app)]
    others = [record for app, records in by_app.items() if app != test for record in records]
    sides = _with_validation(others, seed)
    if len(sides["train"]) > MINIBAR_TEXTS:
        sides["train"] = random.Random(seed).sample(sides["train"], MINIBAR_TEXTS)  # noqa: S311  no secret
    return Material(
        taxonomy=_taxonomy("minibar", "review", "multi-label", _REVIEW_TAGS), sides={**sides, "test": by_app[test]}
    )


def _banking(source: Source, seed: int) -> Material:
    """Questions in the official sides, a part of the training side as validation."""
    sides = {
        side: [
            Record(id=f"{side}-{at}", text=row["text"], lang="en", tags={"intent": (_path(row["label"]),)})
            for at, row in enumerate(source.rows(f"banking77/{side}.jsonl"))
        ]
        for side in ("train", "test")
    }
    tags = sorted({tag for records in sides.values() for record in records for tag in record.tags["intent"]})
    return Material(
        taxonomy=_taxonomy("banking77", "intent", "exclusive", tags),
        sides={**_with_validation(sides["train"], seed), "test": sides["test"]},
    )


def _with_validation(records: list[Record], seed: int) -> dict[str, list[Record]]:
    return split(records, seed=seed, fractions={"train": 1 - VALIDATION, "validation": VALIDATION})


def _path(label: str) -> str:
    """The tag of a label such as `reverted_card_payment?`."""
    return re.sub(r"[^a-z0-9_-]", "", label.lower())


def _alone(lang: str, language: str) -> Task:
    return Task(
        name=f"xlmt-{lang}",
        about=f"sentiment of tweets, {language} alone",
        measure="macro_f1",
        figures=(Figure(lang, language, _PUBLISHED[lang]),),
        read=partial(_xlmt, (lang,), ()),
    )


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="xlmt",
            about="sentiment of tweets, French, Italian and English learnt together",
            measure="macro_f1",
            figures=(
                Figure("fr", "French", _PUBLISHED["fr"]),
                Figure("it", "Italian", _PUBLISHED["it"]),
                Figure("en", "English", _PUBLISHED["en"]),
                Figure("de", "German, not learnt", _PUBLISHED["de"]),
                Figure("es", "Spanish, not learnt", _PUBLISHED["es"]),
            ),
            read=partial(_xlmt, ("fr", "it", "en"), ("de", "es")),
        ),
        _alone("fr", "French"),
        _alone("it", "Italian"),
        _alone("en", "English"),
        Task(
            name="minibar",
            about=f"app reviews, tested on an app that is not learnt; at most {MINIBAR_TEXTS:,} texts learnt",
            measure="macro_f1",
            figures=(Figure("all", "both languages"), Figure("fr", "French"), Figure("en", "English")),
            read=_minibar,
        ),
        Task(
            name="banking77",
            about="77 intents of bank customers, English",
            measure="micro_f1",  # of one tag for every text: accuracy
            figures=(Figure("all", "English", 93.1),),
            read=_banking,
            parity_records=2_000,  # so that most of the 77 tags have enough cases for the gate on macro-F1
        ),
    )
}

TWO = ("minibar", "banking77")
"""Reviews of one tag out of three, and questions of one out of 77."""
TwoTasksOption = Annotated[
    list[str] | None, typer.Option(help="A task of benchmarks.quality; may be repeated.", show_default="the two")
]


def named(names: Iterable[str]) -> list[Task]:
    """The tasks of these names; BenchmarkError if one is none."""
    names = list(names)
    if unknown := [name for name in names if name not in TASKS]:
        raise BenchmarkError("--only", f"{unknown[0]!r} is no task", f"Legal: {', '.join(TASKS)}")
    return [TASKS[name] for name in names]


def seeds_of(text: str) -> list[int]:
    """The whole numbers of `--seeds`; BenchmarkError if they are none."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise BenchmarkError("--seeds", f"is {text!r}", "Write whole numbers with commas, as in 0,1,2") from error
