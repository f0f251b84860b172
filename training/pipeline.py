"""The whole line of this room: records in, a whole and gated bundle out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from rich.console import Console
from tokenizers import Tokenizer

from labels.dataset import fingerprint
from labels.record import Record
from model.bundle import LAYOUT, Bundle, replaceable, written_whole
from model.decode import Calibration, Floats
from model.tagger import Tagger
from model.taxonomy import Taxonomy
from training import contrast, few, weights
from training import encoder as encoders
from training.blend import blend
from training.calibrate import calibrate, shifted
from training.card import card
from training.checkpoint import State, trained
from training.errors import TrainingError
from training.evaluate import evaluate
from training.examples import Examples, truth
from training.export import BLOCK, export, quantise
from training.fit import fit, seed
from training.network import RARE_WEIGHT, Network
from training.parity import check_export, check_quantised
from training.plan import Plan
from training.provenance import tested_on, versions

T = TypeVar("T")
_PARITY_TEXTS = 200
_SMOOTHING_TEXTS = 300


def train(sides: Mapping[str, Sequence[Record]], output: Path, plan: Plan, *, console: Console | None = None) -> Bundle:
    """Train, calibrate, export, gate and write a bundle to `output`, which appears only when all went well.

    `sides` are the records to train on, to stop and calibrate with, and to measure on: `train`, `validation`, `test`.

    Killed and started again with the same arguments, it goes on from the last whole epoch. Raises TrainingError for
    unusable data or a place that holds something else, and GateError if the export answers differently from the
    trained network.
    """
    console = console or Console(stderr=True)
    output = _place(output)
    _require(sides)
    work = output.with_name(f".{output.name}-training")
    seed(plan.settings.seed)
    earlier = weights.load(plan.start) if plan.start else None
    if earlier is None:
        console.print(f"loading the encoder {plan.encoder}")
    encoder = earlier.encoder if earlier else encoders.load(plan.encoder, keep_languages=plan.keep_languages)
    if plan.precision == "int8" and encoder.width % BLOCK:
        problem = f"has vectors of {encoder.width} numbers, which 8 bits need to be a multiple of {BLOCK}"
        raise TrainingError(plan.encoder, problem, "Keep 32 bits: --precision fp32")
    network = Network(
        encoder, plan.taxonomy, dropout=plan.settings.dropout, train_embeddings=plan.settings.train_embeddings
    )
    examples = {
        side: Examples.encode(found, plan.taxonomy, encoder.tokenizer, plan.settings.max_length)
        for side, found in sides.items()
    }
    network.start_from_shares(torch.from_numpy(examples["train"].targets), torch.from_numpy(examples["train"].known))
    if earlier:
        earlier.give(network)
    data = fingerprint([record for found in sides.values() for record in found])
    origin = earlier.identity if earlier else encoder.name
    held = " ".join(tested_on(sides[side]) for side in ("validation", "test"))  # the fingerprint knows of no sides
    run = f"{data} {held} {origin} {plan.encoder} {_digest(plan.taxonomy)} {','.join(plan.keep_languages)}"
    run += f" {RARE_WEIGHT:g} {''.join(str(int(rare)) for rare in network.rare)}"
    state, how = _learn(network, examples, plan, work / "fit", run, console)
    provenance = {**_provenance(plan, encoder.name, data, sides, state, network), **how}
    draft = _Draft(plan, network, encoder.tokenizer, work, _languages(sides), provenance)
    bundle = _release(draft, examples, sides, output, console)
    shutil.rmtree(work, ignore_errors=True)
    return bundle


def _learn(
    network: Network, examples: Mapping[str, Examples], plan: Plan, folder: Path, run: str, console: Console
) -> tuple[State, dict[str, Any]]:
    """Train `network` in the way of the plan; returns what provenance says of it."""
    settings, texts = plan.settings, len(examples["train"])
    if plan.start:
        settings = settings.fine_tuning()
    elif plan.few and few.contrasted(texts, plan.taxonomy, console=console):
        labelled = examples["train"].with_(examples["validation"])
        contrast.fit(network, labelled, seeded=settings.seed, console=console)
        return State(), {"adapted": contrast.SETTINGS}
    elif plan.few:
        settings = few.adapted(settings, texts, len(plan.taxonomy.labels), console=console)
    before = trained(network) if plan.start else {}
    sides = examples["train"], examples["validation"]
    state = fit(network, *sides, settings=settings, folder=folder, run=run, console=console)
    how: dict[str, Any] = {"adapted": few.changed(plan.settings, settings)}
    if plan.start:
        best, size = state.best_score, settings.batch_size
        how["blend"] = blend(network, before, examples["validation"], score=best, batch_size=size)
        told = f"weights kept: {100 * how['blend']:.0f} % of the way from those before"
        console.print(told, highlight=False)
    return state, how


@dataclass(frozen=True)
class _Draft:
    """A trained network on its way to a bundle, and the folder in which its forms are made."""

    plan: Plan
    network: Network
    tokenizer: Tokenizer
    folder: Path
    languages: tuple[str, ...]
    provenance: Mapping[str, Any]

    def write(self, path: Path, model: Path, calibration: Calibration, metrics: Mapping[str, Any], text: str) -> Bundle:
        """A sealed bundle at `path`, a folder that exists."""
        shutil.copyfile(model, path / LAYOUT.model)
        self.tokenizer.save(str(path / LAYOUT.tokenizer), pretty=False)
        (path / LAYOUT.config).write_text(json.dumps(_config(self.network), indent=1) + "\n", encoding="utf-8")
        (path / LAYOUT.card).write_text(text, encoding="utf-8")
        return Bundle(
            path=path,
            taxonomy=self.plan.taxonomy,
            calibration=calibration,
            max_length=self.plan.settings.max_length,
            languages=self.languages,
            metrics=metrics,
            provenance=self.provenance,
        ).seal()

    def tagger(self, name: str, model: Path, calibration: Calibration) -> Tagger:
        """A tagger on a bundle written under the work folder."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        self.write(path, model, calibration, {}, "A draft.\n")
        return Tagger.load(path)


def _release(
    draft: _Draft,
    examples: Mapping[str, Examples],
    sides: Mapping[str, Sequence[Record]],
    output: Path,
    console: Console,
) -> Bundle:
    """Export, calibrate on the validation side in the form that ships, pass the gates, evaluate on the test side."""
    plan = draft.plan
    console.print("exporting to ONNX and comparing it with torch")
    whole, small = draft.folder / "fp32.onnx", draft.folder / "int8.onnx"
    export(draft.network, whole)
    every = [record for found in sides.values() for record in found]
    some = _spread(every, _PARITY_TEXTS)
    texts = Examples.encode(some, plan.taxonomy, draft.tokenizer, plan.settings.max_length)
    parity = check_export(draft.network, whole, texts, some)
    shipped = whole
    if plan.precision == "int8":
        quantise(whole, small, _spread(examples["train"].ids, _SMOOTHING_TEXTS))
        shipped = small
    calibration = Calibration.neutral(plan.taxonomy)
    learnt = {record.id for record in sides["train"]}
    if contrast.learnt(draft.provenance):
        learnt |= {record.id for record in sides["validation"]}
        calibration = shifted(calibration, plan.threshold_shift)
    else:
        console.print("calibrating")
        logits = outputs(draft.tagger("draft", shipped, calibration), sides["validation"])
        wanted = truth(sides["validation"], plan.taxonomy)
        calibration = calibrate(logits, *wanted, plan.taxonomy, threshold_shift=plan.threshold_shift)
    tagger = draft.tagger("draft", shipped, calibration)
    if plan.precision == "int8":
        halves = [[record for record in every if (record.id in learnt) is seen] for seen in (True, False)]
        compared = [record for half in halves for record in _spread(half, plan.parity_records // 2)]
        console.print(f"comparing 8 bits with 32 on {len(compared)} records")
        parity |= check_quantised(draft.tagger("whole", whole, calibration), tagger, compared, learnt=learnt)
    metrics = {"parity": parity, "test": evaluate(tagger, sides["test"])}
    with written_whole(output) as path:
        sealed = draft.write(path, shipped, calibration, metrics, "")
        draft.write(path, shipped, calibration, metrics, card(sealed, title=plan.title, notes=plan.notes))
        if plan.keep_weights:
            name = str(draft.provenance["encoder"])
            weights.save(draft.network, draft.tokenizer, path / weights.FOLDER, encoder=name)
    console.print(f"wrote {output}")
    return Bundle.read(output)


def _spread(values: Sequence[T], at_least: int) -> Sequence[T]:
    """So many of `values` or up to twice as many, from all over them; all if there are not so many."""
    return values[:: max(1, len(values) // at_least)]


def outputs(tagger: Tagger, records: Sequence[Record]) -> Floats:
    """Logits (records, labels) as the tagger computes them; of a long text the largest of its windows."""
    windows = tagger.encode([record.prepared() for record in records])
    found = np.full((len(records), len(tagger.taxonomy.labels)), -np.inf, dtype=np.float32)
    np.maximum.at(found, [window.text for window in windows], tagger.outputs(windows))
    return found


def _place(output: Path) -> Path:
    """`output` by its whole path; TrainingError if something stands there that is no bundle."""
    output = output.resolve()
    if not replaceable(output, LAYOUT.manifest):
        raise TrainingError(str(output), "holds something that is no bundle", "Choose another folder")
    return output


def _digest(taxonomy: Taxonomy) -> str:
    """64 hexadecimal digits of a tag set, which may change without a new version while it is tried out."""
    return hashlib.sha256(json.dumps(taxonomy.to_dict(), sort_keys=True).encode()).hexdigest()


def _require(sides: Mapping[str, Sequence[Record]]) -> None:
    for side in ("train", "validation", "test"):
        if not sides.get(side):
            raise TrainingError("dataset", f"has no record for {side}", "Label more mentions: at least 30")


def _languages(sides: Mapping[str, Sequence[Record]]) -> tuple[str, ...]:
    return tuple(sorted({record.lang for found in sides.values() for record in found if record.lang}))


def _config(network: Network) -> dict[str, Any]:
    """The `config.json` that tools of the ecosystem read."""
    labels = network.taxonomy.labels
    multi = any(group.kind == "multi-label" for group in network.taxonomy.groups)
    return {
        **network.encoder.config.to_diff_dict(),
        "architectures": ["BertForSequenceClassification"],
        "problem_type": "multi_label_classification" if multi else "single_label_classification",
        "id2label": {str(position): label for position, label in enumerate(labels)},
        "label2id": {label: position for position, label in enumerate(labels)},
    }


def _provenance(
    plan: Plan, encoder: str, data: str, sides: Mapping[str, Sequence[Record]], state: State, network: Network
) -> dict[str, Any]:
    return {
        "encoder": encoder,
        "source": plan.encoder,
        "keep_languages": list(plan.keep_languages),
        "precision": plan.precision,
        "threshold_shift": plan.threshold_shift,
        "start": plan.start.parent.name if plan.start else None,
        "data": data,
        "dataset": plan.dataset or data,
        "tested_on": tested_on(sides["test"]),
        "records": {side: len(found) for side, found in sides.items()},
        "settings": asdict(plan.settings),
        "few": plan.few,
        "bfloat16": network.mixed,
        "best_epoch": state.best_epoch,
        "versions": versions(),
    }
