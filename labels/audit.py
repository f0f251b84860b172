"""Likely label errors: cells whose label a model finds improbable, the worst first.

Confident learning (Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", Journal
of Artificial Intelligence Research 70, 2021), tag by tag, by the library of its authors: how many labels of a tag are
wrong is estimated from the cells of which the model is as sure as it is on average, and as many are suspect. They are
ranked by self-confidence, the probability of the label that stands there. The probabilities must come from a model that
was not trained on the records: one that was has learnt their errors too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labels.dataset import current, fingerprint, is_dataset, load, manifest_of
from labels.extra import library
from labels.record import Record, read
from labels.versions import versions
from model.decode import Floats
from model.taxonomy import Taxonomy

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Suspect:
    """A cell whose label is likely wrong. `given` says whether the record has the tag.

    `likely` is how probable its label is to the model, in 0…1.
    """

    record: Record
    group: str
    tag: str
    given: bool
    likely: float

    @property
    def reason(self) -> str:
        """In words, without the text."""
        return f"{self.group}/{self.tag} {'given' if self.given else 'missing'}, {self.likely:.1%} likely"


def audit(records: Sequence[Record], probabilities: Floats, taxonomy: Taxonomy) -> list[Suspect]:
    """The likely errors of `records` by a model's probabilities (records, labels), the least likely label first.

    Unlabelled and unsure cells are not judged, nor are tags that all records have or none. Where a tag is suspect
    together with one below it, only the latter is told.
    """
    given, known = _cells(records, taxonomy)
    likely = np.where(given, probabilities, 1 - probabilities)
    wrong = np.zeros_like(given)
    for column in range(len(taxonomy.labels)):
        rows = np.flatnonzero(known[:, column])
        if len(set(given[rows, column])) == 2:
            wrong[rows[_issues(given[rows, column], probabilities[rows, column])], column] = True
    found = []
    for row, column in np.argwhere(_deepest(wrong, given, taxonomy)):
        group, _, tag = taxonomy.labels[column].partition("/")
        found.append(Suspect(records[row], group, tag, bool(given[row, column]), float(likely[row, column])))
    return sorted(found, key=lambda suspect: (suspect.likely, suspect.record.id, suspect.group, suspect.tag))


def queue(suspects: Sequence[Suspect]) -> list[dict[str, str | None]]:
    """The records to label again, the worst first, each with every reason: rows of a file for `tympan labels push`."""
    rows: dict[str, dict[str, str | None]] = {}
    for suspect in suspects:
        record = suspect.record
        row = rows.setdefault(record.id, {"id": record.id, "text": record.text, "target": record.target})
        row["reason"] = "; ".join(filter(None, (row.get("reason"), suspect.reason)))
    return list(rows.values())


def gather(path: Path, taxonomy: Taxonomy) -> tuple[list[Record], set[str]]:
    """The records of a dataset, file or folder under present names, and the fingerprints that they go by or went by.

    TaxonomyError for a tag that `taxonomy` does not have.
    """
    if not is_dataset(path):
        records = read(path, taxonomy)
        return records, {fingerprint(records)}
    folders = [*versions(path), current(path)]
    records = [record.present(taxonomy) for side in load(path).values() for record in side]
    manifests = [manifest_of(folder) for folder in folders]
    marks = {mark for found in manifests for mark in (found["fingerprint"], *found.get("former", ()))}
    return records, {fingerprint(records), *marks}  # under present names too, by which they are learnt


def _cells(records: Sequence[Record], taxonomy: Taxonomy) -> tuple[Flags, Flags]:
    """`given` and `known` (records, labels): parents follow from children; unlabelled and unsure cells are unknown."""
    given = np.zeros((len(records), len(taxonomy.labels)), dtype=bool)
    known = np.zeros_like(given)
    for row, record in enumerate(records):
        for group in taxonomy.groups:
            if group.name not in record.tags:
                continue
            start, closed = taxonomy.slices[group.name].start, record.closed(group.name)
            unsure = record.unsure.get(group.name, ())
            known[row, taxonomy.slices[group.name]] = True
            for path in closed:
                given[row, start + group.index[path]] = True
            for path in {*unsure, *(group.close(unsure) - closed)}:
                known[row, start + group.index[path]] = False
    return given, known


def _issues(given: Flags, probabilities: Floats) -> npt.NDArray[np.intp]:
    """Rows of one tag's cells that are likely wrong."""
    both = np.stack([1 - probabilities, probabilities], axis=1).astype(np.float64)
    return np.flatnonzero(library("cleanlab.filter").find_label_issues(given.astype(int), both, n_jobs=1))


def _deepest(wrong: Flags, given: Flags, taxonomy: Taxonomy) -> Flags:
    """`wrong` without the cells that follow from one below them of the same label."""
    kept = wrong.copy()
    for group in taxonomy.groups:
        start = taxonomy.slices[group.name].start
        for child, parent in ((tag.path, tag.parent) for tag in group.tags if tag.parent):
            below, above = start + group.index[child], start + group.index[parent]
            kept[:, above] &= ~(wrong[:, below] & (given[:, below] == given[:, above]))
    return kept
