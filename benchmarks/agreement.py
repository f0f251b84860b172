"""How far two readers of the corpora agree, tag by tag; see benchmarks/readings/README.md.

Every tag is a decision of its own: given or not. Parents are read as given with their leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import typer

from benchmarks.places import ROOT
from benchmarks.report import MarkdownOption, Report, Table, start
from labels.consensus import alpha, kappa
from labels.record import Record
from model.taxonomy import DEFAULT, Taxonomy
from training.examples import truth

READINGS = ROOT / "benchmarks" / "readings"
SUPPORT = 5
"""Readings of a tag, by either reader, below which its agreement is chance and is not shown."""

app = typer.Typer(add_completion=False, help="The agreement of two readers of the corpora.")

Cells = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Readings:
    """What each of two readers gave to the same records: cells (readers, records, labels)."""

    taxonomy: Taxonomy
    languages: tuple[str, ...]
    cells: Cells

    @classmethod
    def read(cls, taxonomy: Taxonomy, folder: Path = READINGS) -> Readings:
        """All readings kept in `folder`."""
        rows = [
            json.loads(line)
            for path in sorted(folder.glob("*.jsonl"))
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
        cells = np.stack([truth([_record(row, reader) for row in rows], taxonomy)[0] > 0 for reader in (0, 1)])
        return cls(taxonomy, tuple(row["lang"] for row in rows), cells)

    def of(self, language: str) -> Readings:
        """Those of one language."""
        rows = np.array([found == language for found in self.languages])
        return Readings(
            self.taxonomy, tuple(found for found in self.languages if found == language), self.cells[:, rows]
        )

    def group(self, name: str) -> Cells:
        """The cells of one group's tags."""
        return self.cells[:, :, self.taxonomy.slices[name]]


def _record(row: Mapping[str, Any], reader: int) -> Record:
    tags = {group: tuple(found) for group, found in row["readings"][reader].items()}
    return Record(id=row["id"], text="-", tags=tags)


def report(readings: Readings) -> Report:
    """Agreement of each group by language, and of each tag."""
    parts = {"all": readings} | {language: readings.of(language) for language in dict.fromkeys(readings.languages)}
    groups = [
        (
            f"{group.name}, {name}",
            str(part.cells.shape[1]),
            *_shown(part.group(group.name)),
            _same(part.group(group.name)),
        )
        for group in readings.taxonomy.groups
        for name, part in parts.items()
    ]
    tags = []
    for column, label in enumerate(readings.taxonomy.labels):
        cells = readings.cells[:, :, column]
        if cells.any(axis=0).sum() >= SUPPORT:
            counts = (cells[0].sum(), cells[1].sum(), cells.all(axis=0).sum())
            tags.append((label, *map(str, counts), *_shown(cells)))
    return Report(
        tables=(
            Table(
                "By group", ("group, language", "records", "kappa", "alpha", "the same set of tags, %"), tuple(groups)
            ),
            Table("By tag", ("tag", "first reader", "second reader", "both", "kappa", "alpha"), tuple(tags)),
        ),
        notes=(
            "Kappa: Cohen's. Alpha: Krippendorff's, nominal. Each tag of each record is one decision, given or not.",
            f"Tags given to fewer than {SUPPORT} records by either reader are left out of the second table.",
        ),
    )


def _shown(cells: Cells) -> tuple[str, ...]:
    """Kappa and alpha of all cells (readers, …) together."""
    votes = cells.reshape(len(cells), -1).astype(float)
    return tuple("–" if found is None else f"{found:.2f}" for found in (kappa(votes), alpha(votes)))


def _same(cells: Cells) -> str:
    return f"{100 * float((cells[0] == cells[1]).all(axis=1).mean()):.0f}"


@app.command()
def main(markdown: MarkdownOption = None) -> None:
    """Show how far two readers agree.

    For example:

    python -m benchmarks.agreement --markdown agreement.md
    """
    report(Readings.read(Taxonomy.load(DEFAULT))).give(markdown)


if __name__ == "__main__":
    start(app)
