"""From validation outputs to probabilities that mean what they say, and to the thresholds of each tag.

With few cases a tag's own fit is noise, so that every estimate is shrunk towards its group's, which is made from
all cells of the group together: a threshold by weight n / (n + PRIOR) for the tag's own, n being its cases; slope
and offset by a normal prior of precision PRIOR around the group's, beside the likelihood of the tag's own cells. The
group's is shrunk likewise towards none at all: probabilities as they are, and a threshold of one half.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logit
from sklearn.metrics import precision_recall_curve

from model.decode import Calibration, Decoder, Floats
from model.taxonomy import Taxonomy

PRIOR = 30
"""Cases of a tag at which its own threshold and its group's weigh the same; the precision of the prior of slopes."""
_LOWEST, _HIGHEST = 0.15, 0.85
_NONE = 1.0, 0.0
"""The slope and offset that change nothing."""


def calibrate(
    logits: Floats, targets: Floats, known: Floats, taxonomy: Taxonomy, *, threshold_shift: float = 0.0
) -> Calibration:
    """Fit slopes and offsets, then thresholds that give the best F1, on logits (texts, labels) of unseen texts.

    `threshold_shift` is added to the log-odds of every threshold: above 0 for labels in which tags are more frequent
    than where the model will work. It moves no probability.
    """
    slopes, offsets = np.ones(logits.shape[1]), np.zeros(logits.shape[1])
    for group in taxonomy.groups:
        columns = taxonomy.slices[group.name]
        outputs, wanted, cells = logits[:, columns], targets[:, columns], known[:, columns].astype(bool)
        if group.kind == "exclusive":
            slopes[columns] = _inverse_temperature(outputs, wanted, cells)
            continue
        shared = _platt(outputs[cells], wanted[cells], towards=_NONE)
        for position in range(len(group.tags)):
            rows = cells[:, position]
            own = _platt(outputs[rows, position], wanted[rows, position], towards=shared)
            slopes[columns.start + position], offsets[columns.start + position] = own
    neutral = Calibration.neutral(taxonomy).thresholds
    probabilities = Decoder(taxonomy, Calibration(list(slopes), list(offsets), neutral)).probabilities(logits)
    thresholds = _thresholds(probabilities, targets, known.astype(bool), taxonomy)
    found = Calibration([float(x) for x in slopes], [float(x) for x in offsets], list(thresholds))
    return shifted(found, threshold_shift)


def shifted(calibration: Calibration, threshold_shift: float) -> Calibration:
    """The same with `threshold_shift` added to the log-odds of every threshold."""
    odds = logit(np.asarray(calibration.thresholds)) + threshold_shift  # the noughts of exclusive groups stay noughts
    return replace(calibration, thresholds=[float(threshold) for threshold in expit(odds)])


def _platt(outputs: Floats, wanted: Floats, towards: tuple[float, float]) -> tuple[float, float]:
    """Slope and offset of a logistic curve by Platt's smoothed targets, held near `towards` the fewer the cases."""
    positives = float(wanted.sum())
    if not len(wanted):
        return towards
    smoothed = np.where(wanted > 0, (positives + 1) / (positives + 2), 1 / (len(wanted) - positives + 2))
    centre = np.array(towards)

    def cost(parameters: npt.NDArray[np.float64]) -> float:
        scaled = parameters[0] * outputs + parameters[1]
        entropy = float(np.sum(np.logaddexp(0, scaled) - smoothed * scaled))
        return entropy + PRIOR / 2 * float(np.sum((parameters - centre) ** 2))

    found = minimize(cost, centre, method="L-BFGS-B", bounds=[(0.05, 5.0), (-8.0, 8.0)])
    return float(found.x[0]), float(found.x[1])


def _inverse_temperature(outputs: Floats, wanted: Floats, cells: npt.NDArray[np.bool_]) -> float:
    """1/temperature of a softmax, by likelihood over the texts that have one of the tags."""
    rows = cells.all(axis=1) & (wanted.sum(axis=1) > 0)
    if not rows.any():
        return 1.0

    def cost(log_slope: float) -> float:
        scaled = outputs[rows] * np.exp(log_slope)
        peak = scaled.max(axis=1, keepdims=True)
        normal = peak[:, 0] + np.log(np.exp(scaled - peak).sum(axis=1))
        return float((normal - (scaled * wanted[rows]).sum(axis=1)).mean())

    return float(np.exp(minimize_scalar(cost, bounds=(-3, 3), method="bounded").x))


def _thresholds(
    probabilities: Floats, targets: Floats, cells: npt.NDArray[np.bool_], taxonomy: Taxonomy
) -> npt.NDArray[np.float64]:
    found = np.array(Calibration.neutral(taxonomy).thresholds)
    for group in taxonomy.groups:
        if group.kind == "exclusive":
            continue
        columns = taxonomy.slices[group.name]
        shares, wanted, rows = probabilities[:, columns], targets[:, columns], cells[:, columns]
        shared = _shrunk(_best_threshold(shares[rows], wanted[rows]), float(wanted[rows].sum()), towards=0.5)
        for position in range(len(group.tags)):
            known = rows[:, position]
            cases = float(wanted[known, position].sum())
            own = _best_threshold(shares[known, position], wanted[known, position]) if cases else shared
            found[columns.start + position] = _shrunk(own, cases, towards=shared)
    return found


def _shrunk(own: float, cases: float, *, towards: float) -> float:
    return (cases * own + PRIOR * towards) / (cases + PRIOR)


def _best_threshold(probabilities: Floats, wanted: Floats) -> float:
    """The threshold of the best F1, within bounds.

    It is the middle of those that are nearly as good, since the very best is chance.
    """
    if not wanted.any():
        return 0.5
    precision, recall, thresholds = precision_recall_curve(wanted, probabilities)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    # Half-way down to the next score that was seen: the same decisions, but none that the least noise would change.
    between = (thresholds + np.concatenate([[0.0], thresholds[:-1]])) / 2
    good = between[f1[:-1] >= f1[:-1].max() - 0.005]
    return float(np.clip(np.median(good), _LOWEST, _HIGHEST))
