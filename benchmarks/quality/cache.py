"""Models and baselines that were measured, and the conditions by which they are found again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.store import Entry, Store, key
from benchmarks.tasks import Material
from labels.dataset import fingerprint
from training.fit import Settings

REVISION = 1
"""Raise it when a change of `model/` or `training/` changes what is learnt: all is then measured anew."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Under which a model is measured, but for its seed and data. `settings` has no seed; `encoder` is a name."""

    task: str
    settings: Settings
    encoder: str
    keep_languages: tuple[str, ...]
    precision: str
    limit: int | None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        settings = {name: value for name, value in asdict(self.settings).items() if name != "seed"}
        kept = {"keep_languages": list(self.keep_languages), "settings": settings, "revision": REVISION}
        return {**asdict(self), **kept}


def data_key(material: Material) -> str:
    """16 hexadecimal digits of a tag set and of which record stands on which side."""
    sides = {name: fingerprint(records) for name, records in material.sides.items()}
    return key(taxonomy=material.taxonomy.to_dict(), sides=sides, unseen=fingerprint(material.unseen))


def encoder_name(source: str) -> str:
    """`source`, or if it is a folder its name and 8 hexadecimal digits of its files."""
    if not Path(source).is_dir():
        return source
    digest = hashlib.sha256()
    for path in sorted(path for path in Path(source).iterdir() if path.is_file()):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{Path(source).name}@{digest.hexdigest()[:8]}"


class Cache(Store):
    """Models and baselines that were measured."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, ("models", "baselines"))

    def seeds(self, conditions: Conditions, seeds: Sequence[int]) -> dict[int, Entry]:
        """Seed → the model measured last under `conditions`."""
        wanted = conditions.to_dict()
        return {
            entry["seed"]: entry
            for entry in self._entries["models"].values()
            if entry["conditions"] == wanted and entry["seed"] in seeds
        }

    def tried(self, conditions: Conditions) -> list[tuple[Mapping[str, Any], list[Entry]]]:
        """All settings under which the task was measured, the other conditions being equal, each with its models."""
        wanted = {**conditions.to_dict(), "settings": None}
        found: dict[str, tuple[Mapping[str, Any], list[Entry]]] = {}
        for entry in self._entries["models"].values():
            if {**entry["conditions"], "settings": None} == wanted:
                settings = entry["conditions"]["settings"]
                found.setdefault(key(**settings), (settings, []))[1].append(entry)
        return list(found.values())
