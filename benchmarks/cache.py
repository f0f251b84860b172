"""Figures that were measured, kept in one JSON file, so that a benchmark that was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.errors import BenchmarkError
from benchmarks.tasks import Material
from labels.dataset import fingerprint
from training.fit import Settings

REVISION = 1
"""Raise it when a change of `model/` or `training/` changes what is learnt: all is then measured anew."""
_SCHEMA = 1

Entry = dict[str, Any]
Kind = Literal["models", "baselines"]


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


def key(**parts: object) -> str:
    """16 hexadecimal digits of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


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


class Cache:
    """Entries by kind and key, in the order in which they were measured."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = self._read()

    def get(self, kind: Kind, name: str) -> Entry | None:
        return self._entries[kind].get(name)

    def add(self, kind: Kind, name: str, entry: Entry) -> None:
        """Keep an entry, with what another process may have written meanwhile; the file is replaced whole."""
        self._entries = self._read()
        self._entries[kind][name] = entry
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f".{self._path.name}-draft")
        text = json.dumps({"schema": _SCHEMA, **self._entries}, ensure_ascii=False, indent=1)
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(self._path)

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

    def _read(self) -> dict[str, dict[str, Entry]]:
        if not self._path.exists():
            return {"models": {}, "baselines": {}}
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            if kept["schema"] == _SCHEMA:
                return {"models": kept["models"], "baselines": kept["baselines"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchmarkError(str(self._path), "holds no results", "Give another file by --results") from error
        raise BenchmarkError(str(self._path), "is of another schema", "Give another file by --results")
