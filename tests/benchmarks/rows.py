"""Data in the layout of the public sets, written for the tests: every text says which tag it has."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

LANGUAGES = ("fr", "it", "en", "de", "es")
APPS = ("Pace", "Sleep", "Walk")
LABELS = ("Card_lost", "fee_charged?", "top_up")
_FEELINGS = {"negative": "awful broken", "neutral": "train leaves", "positive": "lovely thanks"}
_REVIEWS = {"problem_report": "it crashes", "feature_request": "please add", "irrelevant": "hello there"}
_WORDS = ("platform", "garden", "bridge", "window", "harbour", "market", "castle", "forest", "kitchen", "meadow")
_PLACES = [" ".join(pair) for pair in itertools.permutations(_WORDS, 2)]


def write(folder: Path) -> Path:
    """Write 20 rows a tag and side of xlmt and banking77, and 12 a tag, app and language of minibar."""
    for lang, (at, side) in itertools.product(LANGUAGES, enumerate(("train", "val", "test"))):
        places = [f"{lang} {place}" for place in _PLACES[20 * at : 20 * at + 20]]
        _save(folder / f"xlmt/{lang}_{side}.jsonl", _labelled(_FEELINGS, places))
    for at, side in enumerate(("train", "test")):
        intents = {label: label.lower().replace("_", " ") for label in LABELS}
        _save(folder / f"banking77/{side}.jsonl", _labelled(intents, _PLACES[20 * at : 20 * at + 20]))
    for lang in ("fr", "en"):
        _save(folder / f"minibar/{lang}.jsonl", _reviews(lang))
    return folder


def texts() -> list[str]:
    """Texts to learn a vocabulary from."""
    return [f"{words} {place}" for words in (*_FEELINGS.values(), *_REVIEWS.values(), *LABELS) for place in _PLACES]


def _labelled(words: Mapping[str, str], places: Iterable[str]) -> list[dict[str, str]]:
    return [{"text": f"{said} {place}", "label": label} for place in places for label, said in words.items()]


def _reviews(lang: str) -> list[dict[str, object]]:
    """Reviews of one tag or two; every app has one that another app has too, in other letters."""
    rows: list[dict[str, object]] = []
    for at, app in enumerate(APPS):
        for place in _PLACES[12 * at : 12 * at + 12]:
            for tag, said in _REVIEWS.items():
                rows.append({"text": f"{lang} {said} {place}", **dict.fromkeys(_REVIEWS, 0), tag: 1, "app": app})
        both = {"problem_report": 1, "feature_request": 1, "irrelevant": 0}
        rows.append({"text": f"{lang} it crashes, please add {_PLACES[60 + at]}", **both, "app": app})
        rows.append({"text": f"{('GREAT', 'great!', 'Great.')[at]}", **both, "app": app})
    return rows


def _save(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
