"""A bundle trained by the whole line of `training` on a tiny encoder, for the benchmarks to measure."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

from rich.console import Console

import labels
from labels.record import Record
from model.bundle import LAYOUT, Bundle
from model.tagger import Tagger
from tests.bundles import tiny_taxonomy
from tests.encoders import tiny_encoder
from training.export import quantise
from training.fit import Settings
from training.pipeline import train
from training.plan import Plan

PROBLEMS = ("le réseau est en panne", "la fibre coupe sans cesse", "rien ne marche depuis hier", "il router è guasto")
PRAISES = ("merci pour votre aide", "service rapide et poli", "grazie, va tutto bene", "bravo à toute l’équipe")
PLACES = ("à Lyon", "a Torino", "chez moi", "en gare", "dal vivo", "ce matin", "stasera", "au bureau", "domani", "ici")
FOREIGN = ("привет из москвы", "спасибо за помощь", "интернет не работает", "плохая связь сегодня")


def texts() -> list[str]:
    """Eighty distinct texts, in French and Italian, half of them of a problem."""
    return [f"{text} {place}" for text in (*PROBLEMS, *PRAISES) for place in PLACES]


def records() -> list[Record]:
    """The texts with an intent and a topic each."""
    return [
        Record(
            id=f"r{number}",
            text=text,
            lang="it" if text.startswith(("il router", "grazie")) else "fr",
            tags={"intent": ["friction"], "topic": ["service/outage"]}
            if text.startswith(PROBLEMS)
            else {"intent": ["praise"], "topic": []},
        )
        for number, text in enumerate(texts())
    ]


def encoder(folder: Path) -> Path:
    """A tiny encoder whose vocabulary was learnt from the texts, foreign ones and the corpora that ship."""
    corpora = [
        json.loads(line)["text"]
        for file in sorted(Path(labels.__file__).parent.glob("corpora/*/a.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()[:100]
    ]
    return tiny_encoder(folder, [*texts(), *FOREIGN * 50, *corpora])


def whole_bundle(path: Path, *, source: Path) -> Path:
    """Write a bundle in 32-bit floats, trained for a few epochs from the encoder at `source`, without Cyrillic."""
    taxonomy = tiny_taxonomy()
    found = records()
    sides = {"train": found[0::2], "validation": found[1::4], "test": found[3::4]}
    plan = Plan(
        taxonomy=taxonomy,
        settings=Settings(epochs=6, batch_size=8, learning_rate=1e-3, head_rate=1e-2, max_length=32),
        encoder=str(source),
        keep_languages=("fr", "it"),
        precision="fp32",
    )
    train(sides, path, plan, console=Console(file=io.StringIO()))
    return path


def small_bundle(path: Path, *, whole: Path) -> Path:
    """Write the same bundle in 8 bits."""
    shutil.copytree(whole, path)
    windows = Tagger.load(whole).encode(texts())
    quantise(whole / LAYOUT.model, path / LAYOUT.model, [window.ids for window in windows])
    replace(Bundle.read(whole), path=path).seal()
    return path
