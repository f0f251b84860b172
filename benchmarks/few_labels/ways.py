"""The ways to learn from few labels that `benchmarks.few_labels` compares: Tympan's, and SetFit.

Each is given the same labels and is asked for the tags of the same texts. Tympan's ways keep a fifth of the labels to
stop and set thresholds by, as its users have to; SetFit, which has no use for them, learns from all.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from transformers import PreTrainedTokenizerFast

from benchmarks.environment import python
from benchmarks.errors import BenchmarkError
from benchmarks.places import RIVALS
from benchmarks.store import Entry
from labels.record import Record
from model.decode import Calibration, Decoder, Floats
from model.taxonomy import Taxonomy
from training import contrast, few
from training import encoder as encoders
from training.calibrate import calibrate
from training.evaluate import figures
from training.examples import Examples, truth
from training.fit import Settings, fit, predict, seed, vectors
from training.network import Network

STRENGTH = 10.0
"""Inverse of the regularisation of the regression on frozen vectors; they are centred, and 10 long on average."""
_NEVER = -30.0
"""Logarithm of the probability of a tag that no text has."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What every way is given. `sides` are `train` and `validation`, which are the labels, and `test`.

    `steps` is the most that SetFit may take.
    """

    taxonomy: Taxonomy
    sides: Mapping[str, Sequence[Record]]
    encoder: str
    max_length: int
    seed: int
    steps: int
    console: Console

    @property
    def ordinary(self) -> Settings:
        """As for many labels."""
        return Settings(max_length=self.max_length, seed=self.seed)

    @property
    def adapted(self) -> Settings:
        """More epochs in smaller batches, as `tympan train` takes them."""
        return few.adapted(self.ordinary, len(self.sides["train"]), len(self.taxonomy.labels))


def conditions(way: str, given: Given) -> dict[str, Any]:
    """What else than the labels the outcome of a way hangs on, as plain JSON types."""
    if way in ("ordinary", "epochs"):  # the same entry where they are the same
        return asdict(given.ordinary if way == "ordinary" else given.adapted)
    limits: dict[str, dict[str, Any]] = {
        "pairs": contrast.SETTINGS,
        "frozen": {"strength": STRENGTH},
        "setfit": {"at_most": given.steps},
    }
    return {"way": way, "max_length": given.max_length, "seed": given.seed, **limits[way]}


def ordinary(given: Given) -> Entry:
    return _fitted(given, given.ordinary)


def epochs(given: Given) -> Entry:
    return _fitted(given, given.adapted)


def pairs(given: Given) -> Entry:
    """The encoder learns from pairs of texts, then the heads are fitted."""
    network, examples = _start(given, given.ordinary)
    began = time.perf_counter()
    contrast.fit(network, examples["train"].with_(examples["validation"]), seeded=given.seed, console=given.console)
    seconds = time.perf_counter() - began
    decoder = Decoder(given.taxonomy, Calibration.neutral(given.taxonomy))
    probabilities = decoder.probabilities(predict(network, examples["test"]).numpy())
    return _report(given, probabilities, decoder.decisions(probabilities), seconds)


def frozen(given: Given) -> Entry:
    """The encoder stays as it is; logistic regression on its vectors, which are computed once."""
    network, examples = _start(given, given.ordinary)
    began = time.perf_counter()
    seen = {side: vectors(network, examples[side]).numpy() for side in ("train", "validation")}
    middle = seen["train"].mean(axis=0)
    scale = 10 / np.linalg.norm(seen["train"] - middle, axis=1).mean()
    targets = examples["train"].targets
    exclusive = given.taxonomy.groups[0].kind == "exclusive"
    regression = LogisticRegression(C=STRENGTH, max_iter=1000)
    model = regression if exclusive else OneVsRestClassifier(regression)
    model.fit((seen["train"] - middle) * scale, targets.argmax(axis=1) if exclusive else targets)
    seconds = time.perf_counter() - began

    def logits(found: Floats) -> Floats:
        inputs = (found - middle) * scale
        if not exclusive:
            return np.asarray(model.decision_function(inputs), dtype=np.float32)
        every = np.full((len(inputs), targets.shape[1]), _NEVER, dtype=np.float32)
        every[:, model.classes_] = model.predict_log_proba(inputs)
        return every

    return _measured(given, logits(seen["validation"]), logits(vectors(network, examples["test"]).numpy()), seconds)


def setfit(given: Given) -> Entry:
    """SetFit in its own environment, from the same encoder."""
    records = [*given.sides["train"], *given.sides["validation"]]
    targets = truth(records, given.taxonomy)[0].astype(int)
    exclusive = given.taxonomy.groups[0].kind == "exclusive"
    whole = whole_steps(targets)
    interpreter = python("setfit", console=given.console)
    with tempfile.TemporaryDirectory(prefix="tympan-setfit-") as name:
        folder = Path(name)
        _write_encoder(given.encoder, folder / "encoder")
        asked = {
            "encoder": str(folder / "encoder"),
            "texts": [record.prepared() for record in records],
            "targets": (targets.argmax(axis=1) if exclusive else targets).tolist(),
            "asked": [record.prepared() for record in given.sides["test"]],
            "max_length": given.max_length,
            "steps": given.steps if given.steps < whole else None,
            "seed": given.seed,
        }
        (folder / "given.json").write_text(json.dumps(asked), encoding="utf-8")
        program = (str(interpreter), "-P", str(RIVALS / "setfit_pairs.py"))
        done = subprocess.run(  # noqa: S603 — made up above
            [*program, "given.json", "answers.json"], cwd=folder, capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode:
            raise BenchmarkError("SetFit", f"failed: {done.stderr.strip()[-300:]}", "Mend it, or leave it out by --way")
        answer = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    answers = np.array(answer["answers"], dtype=int)
    given_tags = np.eye(targets.shape[1], dtype=int)[answers] if exclusive else answers
    steps = {"steps": min(given.steps, whole), "whole_steps": whole}
    return {**_report(given, given_tags.astype(np.float64), given_tags > 0, answer["seconds"]), **steps}


def whole_steps(targets: np.ndarray) -> int:
    """The steps of 16 pairs that SetFit takes if nobody stops it: every pair of `targets` (texts, labels) once.

    It repeats those that share a tag, or those that share none, until there are as many of either.
    """
    alike = np.triu(targets @ targets.T > 0).sum()
    every = len(targets) * (len(targets) + 1) // 2
    return int(np.ceil(2 * max(alike, every - alike) / 16))


WAYS: Mapping[str, Callable[[Given], Entry]] = {
    "ordinary": ordinary,
    "epochs": epochs,
    "pairs": pairs,
    "frozen": frozen,
    "setfit": setfit,
}


def _start(given: Given, settings: Settings) -> tuple[Network, dict[str, Examples]]:
    seed(given.seed)
    encoder = encoders.load(given.encoder)
    network = Network(encoder, given.taxonomy, dropout=settings.dropout, train_embeddings=settings.train_embeddings)
    examples = {
        side: Examples.encode(records, given.taxonomy, encoder.tokenizer, settings.max_length)
        for side, records in given.sides.items()
    }
    network.start_from_shares(torch.from_numpy(examples["train"].targets), torch.from_numpy(examples["train"].known))
    return network, examples


def _fitted(given: Given, settings: Settings) -> Entry:
    network, examples = _start(given, settings)
    began = time.perf_counter()
    state = fit(network, examples["train"], examples["validation"], settings=settings, console=given.console)
    seconds = time.perf_counter() - began
    validation, test = (predict(network, examples[side]).numpy() for side in ("validation", "test"))
    return {**_measured(given, validation, test, seconds), "epochs": state.epoch, "best_epoch": state.best_epoch}


def _measured(given: Given, validation: Floats, test: Floats, seconds: float) -> Entry:
    """Figures on the test side of outputs, calibrated on the validation side as training does."""
    truths = truth(given.sides["validation"], given.taxonomy)
    decoder = Decoder(given.taxonomy, calibrate(validation, *truths, given.taxonomy))
    probabilities = decoder.probabilities(test)
    return _report(given, probabilities, decoder.decisions(probabilities), seconds)


def _report(given: Given, probabilities: Floats, decisions: np.ndarray, seconds: float) -> Entry:
    (group,) = figures(given.sides["test"], probabilities, decisions, given.taxonomy)["groups"].values()
    return {"macro_f1": group["macro_f1"], "micro_f1": group["micro_f1"], "seconds": round(seconds, 1)}


def _write_encoder(source: str, folder: Path) -> None:
    """The encoder in the transformers layout, in 32-bit floats."""
    encoder = encoders.load(source)
    encoder.network.save_pretrained(folder)
    padding = encoder.tokenizer.id_to_token(encoder.network.config.pad_token_id or 0)
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=encoder.tokenizer, pad_token=padding
    )
    wrapped.save_pretrained(folder)
