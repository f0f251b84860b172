"""Files of mentions, written, tagged and read by tests."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from model.tagger import Tagger
from serving.exports import Reading, Summary, tag_table
from serving.tables import open_table

NEW = ["tympan_intent", "tympan_topic", "tympan_lang", "tympan_error", "tympan_model"]


def written(folder: Path, content: bytes, name: str = "mentions.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def tagged(tagger: Tagger, path: Path, column: str = "text", **reading: object) -> tuple[bytes, Summary]:
    """The bytes of the tagged file and what was counted."""
    output = path.with_name(f"tagged{path.suffix}")
    summary = tag_table(tagger, open_table(path), output, Reading(column, **reading))  # type: ignore[arg-type]
    return output.read_bytes(), summary


def records(content: bytes, encoding: str = "utf-8", delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(encoding), newline=""), delimiter=delimiter))
