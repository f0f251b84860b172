"""A champion of the toy world in a registry, and labels that it has not seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from labels.dataset import split
from labels.record import Record, write
from model.registry import Registry
from model.tagger import Tagger
from tests.training.toys import toy_records
from training.gather import Sources
from training.order import Order
from training.pipeline import train
from training.plan import Plan

NEW_WORD = "bababa"
"""What only people who leave say, and no record of the first champion."""


def champion(folder: Path, plan: Plan) -> Order:
    """A registry with a champion of 1,200 toy records, and the order to retrain it."""
    base = folder / "base.jsonl"
    write(base, toy_records(1_200))
    bundle = train(split(toy_records(1_200)), folder / "first", replace(plan, keep_weights=True))
    registry = Registry(folder / "models")
    registry.promote(registry.add(bundle.path), who="ann", why="the first")
    return Order(
        registry=registry,
        dataset=folder / "labels",
        base=base,
        sources=Sources(copies=folder / "copies"),
        encoder=plan.encoder,
    )


def leaving(count: int, *, number: int, tags: Sequence[str] = ("churn",)) -> list[Record]:
    """Texts with the new word, labelled with `tags` as intents, among other words of the toy world."""
    chance = random.Random(number)  # noqa: S311 — no secret
    found = []
    for record in toy_records(count * 3, number=number):
        if record.tags["intent"] or len(found) == count:
            continue
        words = record.text.split()
        words.insert(chance.randint(0, len(words)), NEW_WORD)
        found.append(replace(record, id=f"new-{record.id}", text=" ".join(words), tags={"intent": tuple(tags)}))
    return found


def share_with(tagger: Tagger, records: Sequence[Record], label: str) -> float:
    """The share of records that a tagger gives a tag."""
    found = tagger.decoder.decisions(tagger.probabilities([record.prepared() for record in records]))
    return float(found[:, tagger.taxonomy.labels.index(label)].mean())
