"""What a fine-tuned encoder has to beat: TF-IDF of words and characters, and logistic regression.

It is given all that the network is given: the same prepared texts, the same sides, and the same calibration with
thresholds chosen on the validation side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from labels.record import Record
from model.decode import Decoder, Floats
from model.taxonomy import Taxonomy
from training.calibrate import calibrate
from training.evaluate import figures
from training.examples import truth

STRENGTH = 10.0
"""Inverse of the regularisation. 1 to 100 came within a point of one another on the validation sides of xlmt."""
_NEVER = -30.0
"""Logarithm of the probability of a tag that no training text has."""


class Baseline:
    """TF-IDF (word 1-2-grams, character 2-5-grams inside words) and logistic regression for one group of tags.

    A multi-label group has one regression for each tag, an exclusive one a single regression over all its tags.
    """

    def __init__(self, sides: Mapping[str, Sequence[Record]], taxonomy: Taxonomy) -> None:
        (self._group,) = taxonomy.groups
        self._taxonomy = taxonomy
        regression = LogisticRegression(C=STRENGTH, max_iter=1000)
        exclusive = self._group.kind == "exclusive"
        self._model: Pipeline = make_pipeline(
            make_union(
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
                TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
            ),
            regression if exclusive else OneVsRestClassifier(regression),
        )
        targets, _ = truth(sides["train"], taxonomy)
        self._model.fit(_texts(sides["train"]), targets.argmax(axis=1) if exclusive else targets)
        logits = self._logits(sides["validation"])
        self._decoder = Decoder(taxonomy, calibrate(logits, *truth(sides["validation"], taxonomy), taxonomy))

    def evaluate(self, records: Sequence[Record]) -> dict[str, Any]:
        """The figures of `training.evaluate` on `records`."""
        probabilities = self._decoder.probabilities(self._logits(records))
        return figures(records, probabilities, self._decoder.decisions(probabilities), self._taxonomy)

    def _logits(self, records: Sequence[Record]) -> Floats:
        """Outputs (records, tags) as a network would give them."""
        if self._group.kind == "multi-label":
            return np.asarray(self._model.decision_function(_texts(records)), dtype=np.float32)
        found = np.full((len(records), len(self._group.tags)), _NEVER, dtype=np.float32)
        found[:, self._model[-1].classes_] = self._model.predict_log_proba(_texts(records))
        return found


def _texts(records: Sequence[Record]) -> list[str]:
    return [record.prepared() for record in records]
