"""What came of an erasure, for who asked for it and for who must prove it: never with a text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labels.erasure.place import Found, Place
from labels.errors import ErasureError

UNREACHED = (
    "models that were trained with it, and ids in a registry's reports and history",
    "backups, and what the databases of PostgreSQL and Label Studio have deleted and not yet written over",
    "files elsewhere: exports, lists of records, results that jobs copied, uploads to Label Studio",
    "the memory of services that run, until they are started again",
)
"""What no erasure reaches. Logs hold no text."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """`found` has what was erased, or would be, in each of `places`. `ids` and `texts` are those asked for."""

    ids: Sequence[str]
    texts: Sequence[str]
    places: Sequence[Place]
    found: Sequence[Found]
    dry_run: bool

    @property
    def whole(self) -> bool:
        """Whether nothing was left."""
        return not any(found.left for found in self.found)

    @property
    def total(self) -> int:
        return sum(found.counts.total() for found in self.found)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types, with digests for ids and texts."""
        return {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "dry_run": self.dry_run,
            "whole": self.whole,
            "asked": {"ids": _digests(self.ids), "texts": _digests(text.strip() for text in self.texts)},
            "places": [
                {
                    "place": place.kind,
                    "where": place.where,
                    "looked_through": found.looked,
                    "erased": {what: count for what, count in found.counts.items() if count},
                    "notes": found.notes,
                    "left": found.left,
                }
                for place, found in zip(self.places, self.found, strict=True)
            ],
            "not_reached": list(UNREACHED),
        }

    def write(self, path: Path) -> None:
        """ErasureError if it cannot be written."""
        draft = path.with_name(f".{path.name}.draft")
        try:
            draft.write_text(json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            raise ErasureError(str(path), "cannot be written", "What was erased is shown above") from error


def _digests(values: Iterable[str]) -> list[str]:
    """SHA-256 of each, in hexadecimal."""
    return [hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest() for value in values]
