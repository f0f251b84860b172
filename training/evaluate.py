"""How good a bundle is: its tags, made by the tagger as they are served, against the tags that people gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score, precision_recall_fscore_support

from labels.record import Record
from model.decode import Floats
from model.language import UNKNOWN
from model.tagger import Tagger
from model.taxonomy import Group, Taxonomy
from training.examples import truth

Flags = npt.NDArray[np.bool_]
_BINS = 15
_DRAWS = 200


def evaluate(tagger: Tagger, records: Sequence[Record]) -> dict[str, Any]:
    """Tag `records` and return their figures (see `figures`)."""
    probabilities = tagger.probabilities([record.prepared() for record in records])
    return figures(records, probabilities, tagger.decoder.decisions(probabilities), tagger.taxonomy)


def figures(records: Sequence[Record], probabilities: Floats, given: Flags, taxonomy: Taxonomy) -> dict[str, Any]:
    """Figures in [0, 1] per group, tag and language, from probabilities and decisions (records, labels).

    Macro-F1 is over tags with a case; `ece` is the expected calibration error over 15 equal bins with all cells of
    the group pooled (Naeini et al., 2015); `false_alarm_rate` is the share of the records without any tag in the
    group that get one. Cells that are unlabelled or unsure count in nothing. A nested group has the figures of its
    leaves and of its parents as well.
    """
    wanted, cells = labelled(records, taxonomy)
    languages = np.array([record.lang or UNKNOWN for record in records])
    report: dict[str, Any] = {"n": len(records), "groups": {}}
    for group in taxonomy.groups:
        columns = taxonomy.slices[group.name]
        report["groups"][group.name] = _group_figures(
            group, probabilities[:, columns], wanted[:, columns], given[:, columns], cells[:, columns], languages
        )
    return report


def labelled(records: Sequence[Record], taxonomy: Taxonomy) -> tuple[Flags, Flags]:
    """What decisions must be, and the cells that count; both (records, labels). A parent is right when its child is."""
    targets, known = truth(records, taxonomy)
    wanted = targets > 0
    for group in taxonomy.groups:
        if group.kind == "exclusive":
            wanted[:, taxonomy.slices[group.name]] = _closed(wanted[:, taxonomy.slices[group.name]], group)
    return wanted, known > 0


def _group_figures(
    group: Group, probabilities: Floats, wanted: Flags, given: Flags, cells: Flags, languages: npt.NDArray[np.str_]
) -> dict[str, Any]:
    labelled = cells.any(axis=1)
    none = labelled & ~(wanted & cells).any(axis=1)
    found: dict[str, Any] = {
        "n": int(labelled.sum()),
        **summary(wanted, given, cells),
        "ece": calibration_error(probabilities[cells], wanted[cells]),
        "ece_by_chance": chance_error(probabilities[cells]),
        "false_alarm_rate": float((given & cells)[none].any(axis=1).mean()) if none.any() else 0.0,
        "tags": {path: tag_figures(wanted, given, cells, position) for path, position in group.index.items()},
        "languages": {
            str(language): {
                "n": int((labelled & (languages == language)).sum()),
                **summary(*(part[languages == language] for part in (wanted, given, cells))),
            }
            for language in sorted(set(languages[labelled]))
        },
    }
    if group.nested:
        leaves = np.isin(group.paths, group.leaves)
        found["leaf"] = summary(wanted[:, leaves], given[:, leaves], cells[:, leaves])
        found["parent"] = summary(wanted[:, ~leaves], given[:, ~leaves], cells[:, ~leaves])
    return found


def summary(wanted: Flags, given: Flags, cells: Flags) -> dict[str, float]:
    """Macro-F1 (over tags with a case) and micro-F1 of decisions (texts, tags)."""
    wanted, given = wanted & cells, given & cells
    occurring = wanted.any(axis=0)
    if not occurring.any():
        return {"macro_f1": 0.0, "micro_f1": 0.0}
    # Column by column: a table of one column would be read as a problem of two classes, the second being "not it".
    each = [f1_score(wanted[:, tag], given[:, tag], zero_division=0) for tag in np.flatnonzero(occurring)]
    return {
        "macro_f1": float(np.mean(each)),
        "micro_f1": float(f1_score(wanted.ravel(), given.ravel(), zero_division=0)),
    }


def tag_figures(wanted: Flags, given: Flags, cells: Flags, position: int) -> dict[str, float | int]:
    """Precision, recall, F1 and support of one tag; all 0 where no text is labelled for it."""
    rows = cells[:, position]
    if not rows.any():
        return {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    precision, recall, f1, _ = precision_recall_fscore_support(
        wanted[rows, position], given[rows, position], average="binary", zero_division=0
    )
    support = int(wanted[rows, position].sum())
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1), "support": support}


def calibration_error(probabilities: Floats, wanted: Flags) -> float:
    """The mean distance of stated probability and observed share over 15 equal bins, weighted by their cells."""
    if not len(probabilities):
        return 0.0
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    error = 0.0
    for position in range(_BINS):
        inside = bins == position
        if inside.any():
            error += inside.mean() * abs(float(probabilities[inside].mean()) - float(wanted[inside].mean()))
    return float(error)


def chance_error(probabilities: Floats) -> float:
    """The calibration error that probabilities as good as can be would have in one of 20 samples of so many cells."""
    chance = np.random.default_rng(0)
    errors = [
        calibration_error(probabilities, chance.random(len(probabilities)) < probabilities) for _ in range(_DRAWS)
    ]
    return float(np.quantile(errors, 0.95))


def _closed(wanted: Flags, group: Group) -> Flags:
    closed = wanted.copy()
    for tag in sorted(group.tags, key=lambda tag: -tag.path.count("/")):
        if tag.parent:
            closed[:, group.index[tag.parent]] |= closed[:, group.index[tag.path]]
    return closed
