"""A small world that a tiny network learns in seconds: in it, a word of a text decides each tag.

Run as a program, it trains on that world in a folder until somebody kills it: `python -m tests.training.toys FOLDER`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from labels.record import Record
from model.taxonomy import Taxonomy
from tests.encoders import tiny_encoder
from training import encoder as encoders
from training.checkpoint import State
from training.encoder import Encoder
from training.examples import Examples
from training.fit import Settings, fit, seed
from training.network import Network

TOML = """
name = "toy"
version = "1"
[groups.intent]
[groups.intent.tags.churn]
[groups.intent.tags.praise]
[groups.topic]
[groups.topic.tags.price]
[groups.topic.tags."price/level"]
[groups.topic.tags."price/fees"]
[groups.topic.tags.network]
[groups.mood]
kind = "exclusive"
[groups.mood.tags.happy]
[groups.mood.tags.angry]
[groups.mood.tags.calm]
"""
TOY = Taxonomy.parse(TOML)

WORDS: Mapping[str, Mapping[str, str]] = {
    "fr": {"churn": "résilie", "praise": "merci", "price/level": "cher", "price/fees": "frais", "network": "réseau"},
    "it": {"churn": "disdico", "praise": "grazie", "price/level": "caro", "price/fees": "costi", "network": "rete"},
    "en": {"churn": "cancel", "praise": "thanks", "price/level": "pricey", "price/fees": "fees", "network": "signal"},
}
MOODS: Mapping[str, Mapping[str, str]] = {
    "fr": {"happy": "joie", "angry": "rage", "calm": "bof"},
    "it": {"happy": "gioia", "angry": "rabbia", "calm": "mah"},
    "en": {"happy": "joy", "angry": "fury", "calm": "meh"},
}
_SYLLABLES = [consonant + vowel for consonant in "bdfglmnprstv" for vowel in "aeiou"]


def toy_records(count: int, *, number: int = 0) -> list[Record]:
    """Records in three languages in turns; `number` chooses among such lists."""
    chance = random.Random(number)  # noqa: S311  no secret
    return [_record(f"toy-{number}-{row}", list(WORDS)[row % 3], chance) for row in range(count)]


def _record(name: str, lang: str, chance: random.Random) -> Record:
    tags = [tag for tag in WORDS[lang] if chance.random() < 0.3]
    mood = chance.choice(list(MOODS[lang]))
    filling = ["".join(chance.choices(_SYLLABLES, k=3)) for _ in range(chance.randint(2, 8))]
    words = [*filling, *(WORDS[lang][tag] for tag in tags), MOODS[lang][mood]]
    chance.shuffle(words)
    return Record(
        id=name,
        text=" ".join(words),
        lang=lang,
        tags={
            "intent": tuple(tag for tag in tags if tag in ("churn", "praise")),
            "topic": tuple(tag for tag in tags if tag not in ("churn", "praise")),
            "mood": (mood,),
        },
    )


def toy_sides() -> dict[str, list[Record]]:
    """Enough to learn from, on three sides."""
    sizes = {"train": 480, "validation": 120, "test": 120}
    return {side: toy_records(size, number=number) for number, (side, size) in enumerate(sizes.items())}


def toy_encoder(folder: Path) -> Path:
    """A tiny encoder whose vocabulary has the words of this world."""
    return tiny_encoder(folder, [record.text for record in toy_records(600, number=9)])


def toy_settings(**changed: object) -> Settings:
    """Such that a tiny network learns this world."""
    chosen: dict[str, object] = {"epochs": 6, "batch_size": 16, "learning_rate": 5e-3, "head_rate": 2e-2}
    return Settings(**{**chosen, "train_embeddings": True, "max_length": 32, **changed})  # type: ignore[arg-type]


def toy_network(encoder: Encoder, settings: Settings) -> Network:
    """Untrained; the same for the same seed."""
    seed(settings.seed)
    return Network(encoder, TOY, dropout=settings.dropout, train_embeddings=settings.train_embeddings)


def toy_examples(encoder: Encoder, records: Sequence[Record]) -> Examples:
    return Examples.encode(records, TOY, encoder.tokenizer, 32)


def fitted(source: Path, settings: Settings, *, folder: Path | None = None, run: str = "toy") -> tuple[Network, State]:
    """Train on the toy records, with checkpoints in `folder`."""
    encoder = encoders.load(str(source))
    network = toy_network(encoder, settings)
    sides = toy_sides()
    train, validation = (toy_examples(encoder, sides[side]) for side in ("train", "validation"))
    return network, fit(network, train, validation, settings=settings, folder=folder, run=run)


if __name__ == "__main__":
    torch.set_num_threads(1)
    fitted(Path(sys.argv[1]), toy_settings(), folder=Path(sys.argv[2]))
