"""The gates of an export: what is shipped answers as what was trained. A failure stops the release.

Compared are probabilities and decisions, never logits: they are what a user sees.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from scipy.special import expit, softmax

from labels.record import Record
from model.decode import Floats
from model.tagger import Tagger
from model.taxonomy import Taxonomy
from training.errors import GateError
from training.evaluate import labelled, summary
from training.examples import Examples
from training.network import Network

FROM_TORCH = 1e-3
"""Largest difference of any probability between torch and ONNX in 32-bit floats."""
FROM_NEIGHBOURS = 1e-4
"""Largest difference of any probability between a text alone and in a batch, in 32-bit floats."""
LOST_F1 = 0.010
"""Largest loss of macro-F1 by 8 bits, in any group and language, over tags with SUPPORT cases or more."""
FLIPPED = 0.005
"""Largest share of decisions that 8 bits may flip."""
FEW = 3
"""Flipped decisions that are always allowed: of a small dataset they would be a large share."""
ENOUGH = 200
"""Unseen records from which their share of flipped decisions is held to that bound as well: of fewer it is chance."""
SUPPORT = 20
_BATCH = 8
_ALONE = 100  # texts, about, that are also computed by themselves


def check_export(network: Network, path: Path, examples: Examples, records: Sequence[Record]) -> dict[str, float]:
    """Compare torch with its 32-bit export on `examples` (of `records`), and the export alone with in a batch.

    Returns the two largest differences; GateError names the tag and record that differ most if one is too large.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    trained, alone, batched = (np.empty(examples.targets.shape, dtype=np.float32) for _ in range(3))
    with torch.inference_mode():
        for batch in examples.batches(_BATCH):
            ids, mask = examples.tensors(batch)
            trained[batch] = network(ids, mask).numpy()
            batched[batch] = session.run(["logits"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
            for position in batch:
                ids, mask = examples.tensors([position])
                feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
                alone[position] = session.run(["logits"], feed)[0][0]
    taxonomy = network.taxonomy
    of_torch, of_one, of_many = (_probabilities(logits, taxonomy) for logits in (trained, alone, batched))
    return {
        "torch_to_onnx": _largest(of_torch, of_one, FROM_TORCH, "torch and ONNX", taxonomy, records),
        "alone_to_batched": _largest(
            of_one, of_many, FROM_NEIGHBOURS, "a text alone and in a batch", taxonomy, records
        ),
    }


def check_quantised(
    whole: Tagger, small: Tagger, records: Sequence[Record], *, learnt: Container[str] = ()
) -> dict[str, float]:
    """Compare the tags of the 8-bit model with those of the 32-bit one on `records`, and alone with together.

    Returns the largest difference of a probability, the share of flipped decisions, the same share of records
    whose id is not in `learnt`, which are less clear to both, and the largest loss of macro-F1; GateError names the
    tag, language and record that came out worst if a bound is passed.
    """
    taxonomy = whole.taxonomy
    texts = [record.prepared() for record in records]
    before, after = whole.probabilities(texts), small.probabilities(texts)
    some = slice(None, None, max(1, len(texts) // _ALONE))
    alone, together = np.concatenate([small.probabilities([text]) for text in texts[some]]), after[some]
    wanted, given = whole.decoder.decisions(before), small.decoder.decisions(after)
    differs = wanted != given
    by_neighbours = float((small.decoder.decisions(alone) != small.decoder.decisions(together)).mean())
    unseen = np.array([record.id not in learnt for record in records])
    flipped = {}
    for name, rows in {"flipped": np.ones_like(unseen), "flipped_unseen": unseen}.items():
        flipped[name] = float(differs[rows].mean() + by_neighbours) if rows.any() else by_neighbours
        if flipped[name] > max(FLIPPED, FEW / differs[rows].size) and (name == "flipped" or rows.sum() >= ENOUGH):
            column = int(differs[rows].sum(axis=0).argmax())
            row = int((np.abs(before - after)[:, column] * rows).argmax())
            raise GateError(
                "8 bits",
                f"{100 * flipped[name]:.2f} % of decisions flip, over {100 * FLIPPED} %, on {rows.sum()} records: "
                f"worst {taxonomy.labels[column]}, record {records[row].id} ({records[row].lang or 'und'})",
                "Export in 32 bits (--precision fp32), or train longer",
            )
    return {
        "int8_to_fp32": float(np.abs(before - after).max()),
        "alone_to_batched_int8": float(np.abs(alone - together).max()),
        **flipped,
        "lost_macro_f1": _lost(records, taxonomy, wanted, given),
    }


def _lost(
    records: Sequence[Record], taxonomy: Taxonomy, before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_]
) -> float:
    """The largest loss of macro-F1 in a group and language, 0 if there is none; GateError if over LOST_F1."""
    wanted, known = labelled(records, taxonomy)
    languages = np.array([record.lang or "und" for record in records])
    largest = 0.0
    for group in taxonomy.groups:
        for language in sorted(set(languages)):
            rows = languages == language
            columns = np.arange(len(taxonomy.labels))[taxonomy.slices[group.name]]
            columns = columns[(wanted & known)[np.ix_(rows, columns)].sum(axis=0) >= SUPPORT]
            if not len(columns):
                continue
            cells = np.ix_(rows, columns)
            scores = [summary(wanted[cells], given[cells], known[cells])["macro_f1"] for given in (before, after)]
            lost = scores[0] - scores[1]
            largest = max(largest, lost)
            if lost > LOST_F1:
                flips = (before != after)[cells]
                worst = int(flips.sum(axis=0).argmax())
                record = records[int(np.flatnonzero(rows)[flips[:, worst].argmax()])]
                raise GateError(
                    "8 bits",
                    f"macro-F1 of {group.name} in {language} falls by {100 * lost:.1f} points, over "
                    f"{100 * LOST_F1:.1f}: worst {taxonomy.labels[columns[worst]]}, such as record {record.id}",
                    "Export in 32 bits (--precision fp32), or train longer",
                )
    return largest


def _largest(
    one: Floats, other: Floats, bound: float, between: str, taxonomy: Taxonomy, records: Sequence[Record]
) -> float:
    differences = np.abs(one - other)
    row, column = np.unravel_index(differences.argmax(), differences.shape)
    largest = float(differences[row, column])
    if not largest <= bound:  # so that NaN fails as well
        record = records[int(row)]
        raise GateError(
            "export",
            f"between {between} a probability differs by {largest:.1e}, over {bound:.0e}: "
            f"{taxonomy.labels[int(column)]}, record {record.id} ({record.lang or 'und'})",
            "Report it with the versions of torch and onnxruntime",
        )
    return largest


def _probabilities(logits: Floats, taxonomy: Taxonomy) -> Floats:
    """Neither calibrated nor closed under parents, which could hide a difference."""
    found = np.empty_like(logits)
    for group in taxonomy.groups:
        columns = taxonomy.slices[group.name]
        found[:, columns] = (
            expit(logits[:, columns]) if group.kind == "multi-label" else softmax(logits[:, columns], axis=1)
        )
    return found
