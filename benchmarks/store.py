"""Figures that were measured, kept in one JSON file, so that a benchmark that was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError

_SCHEMA = 1

Entry = dict[str, Any]


def key(**parts: object) -> str:
    """16 hexadecimal digits of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


class Store:
    """Entries by kind and key, in the order in which they were measured."""

    def __init__(self, path: Path, kinds: Sequence[str]) -> None:
        self._path = path
        self._kinds = kinds
        self._entries = self._read()

    def get(self, kind: str, name: str) -> Entry | None:
        return self._entries[kind].get(name)

    def add(self, kind: str, name: str, entry: Entry) -> None:
        """Keep an entry, with what another process may have written meanwhile; the file is replaced whole."""
        self._entries = self._read()
        self._entries[kind][name] = entry
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f".{self._path.name}-draft")
        text = json.dumps({"schema": _SCHEMA, **self._entries}, ensure_ascii=False, indent=1)
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(self._path)

    def _read(self) -> dict[str, dict[str, Entry]]:
        if not self._path.exists():
            return {kind: {} for kind in self._kinds}
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            if kept["schema"] == _SCHEMA:
                return {kind: kept[kind] for kind in self._kinds}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchmarkError(str(self._path), "holds no results", "Give another file by --results") from error
        raise BenchmarkError(str(self._path), "is of another schema", "Give another file by --results")
