"""Who is meant: how often a bundle gives the whole right set of intents where a mention names several organisations.

Whole sets are compared, since one tag that is given to the wrong organisation sends somebody after the wrong customer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from sklearn.metrics import f1_score

from benchmarks.errors import BenchmarkError
from benchmarks.places import CORPORA
from benchmarks.report import MarkdownOption, Report, Table, percent, start
from benchmarks.texts import BundleOption
from labels.record import Record, read
from labels.split import split
from model.bundle import PRETRAINED
from model.language import UNKNOWN
from model.mention import named
from model.tagger import Tagger
from model.watchlist import Watchlist
from training.evaluate import labelled
from training.provenance import tested_on

app = typer.Typer(add_completion=False, help="Who of several organisations is meant.")

Flags = npt.NDArray[np.bool_]
GROUP = "intent"


@app.command()
def main(
    bundle: BundleOption = PRETRAINED,
    corpora: Annotated[Path, typer.Option(help="The records that it was made from.", show_default="ours")] = CORPORA,
    markdown: MarkdownOption = None,
) -> None:
    """Tag the test side, and count whole sets of intents that are right, by how many organisations a mention names.

    For example:

    python -m benchmarks.targets --markdown docs/training.md
    """
    tagger = Tagger.load(bundle)
    made = tagger.bundle.provenance
    records = split(read(corpora, tagger.taxonomy), seed=made.get("settings", {}).get("seed", 0))["test"]
    if made.get("tested_on") != tested_on(records):
        problem = f"are not the records that {tagger.bundle.version} was made of"
        raise BenchmarkError(str(corpora), problem, "Give those, so that none of the test side was learnt")
    measure(tagger, records).give(markdown)


def measure(tagger: Tagger, records: Sequence[Record]) -> Report:
    """What `main` shows, of records from which the tagger has learnt nothing."""
    columns = tagger.taxonomy.slices[GROUP]
    records = [record for record in records if GROUP in record.tags]
    given = tagger.decoder.decisions(tagger.probabilities([record.prepared() for record in records]))[:, columns]
    wanted, cells = (cells[:, columns] for cells in labelled(records, tagger.taxonomy))
    several = np.array([names_several(record) for record in records])
    languages = np.array([record.lang or UNKNOWN for record in records])
    parts = {"one organisation or none": ~several, "several": several}
    parts |= {f"several, {language}": several & (languages == language) for language in sorted(set(languages))}
    right = whole(given, wanted, cells)
    none_missed, none_added = whole(given & wanted, wanted, cells), whole(given & wanted, given, cells)
    others = ~right & _of_others(records, given, wanted & cells)
    rows = []
    for name, part in parts.items():
        if part.any():
            micro = f1_score((wanted & cells)[part], (given & cells)[part], average="micro", zero_division=0.0)
            shares = (*(flags[part].mean() for flags in (right, none_missed, none_added, others)), micro)
            rows.append((name, f"{part.sum():,}", *(percent(float(share), 1) for share in shares)))
    shown = ("whole set right, %", "none missed, %", "none added, %", "set of another, %", "micro-F1")
    heading = ("the mention names", "records", *shown)
    note = (
        f"Intents that {tagger.bundle.version} gives to records of the test side, one for each organisation named. "
        "None missed: every tag that is right was given; none added: every tag given is right. "
        "That of another: tags, wrong for this organisation, and right for another that the same text names."
    )
    return Report((Table("Who is meant", heading, tuple(rows)),), (note,))


def names_several(record: Record) -> bool:
    """Whether the record's text names several organisations of its watchlist."""
    return len(named(record.text, Watchlist(record.watchlist))) > 1


def whole(given: Flags, wanted: Flags, cells: Flags) -> Flags:
    """Which rows are right in every cell that counts; all (records, tags) → (records,)."""
    return np.asarray(((given == wanted) | ~cells).all(axis=1))


def _of_others(records: Sequence[Record], given: Flags, wanted: Flags) -> Flags:
    """Whether each record was given tags that are right for another organisation that the same text names."""
    rows = defaultdict(list)
    for row, record in enumerate(records):
        rows[record.lang, record.text].append(row)
    found = np.zeros(len(records), dtype=np.bool_)
    for same in rows.values():
        for row in same:
            others = (wanted[other] for other in same if other != row)
            found[row] = given[row].any() and any((given[row] == tags).all() for tags in others)
    return found


if __name__ == "__main__":
    start(app)
