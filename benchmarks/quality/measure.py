"""One run: train on a task's material, and measure what would ship, next to the baseline."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.quality.baseline import Baseline
from benchmarks.tasks import Material
from model.bundle import Bundle
from model.tagger import Tagger
from training.errors import GateError
from training.evaluate import evaluate
from training.pipeline import train
from training.plan import Plan

Parts = dict[str, dict[str, float]]
"""`all` or a language → `n`, `macro_f1` and `micro_f1`, the two in [0, 1]."""


def measure(material: Material, plan: Plan, folder: Path, console: Console) -> dict[str, Any]:
    """Train a bundle into `folder` and return its figures, as plain JSON types.

    If 8 bits do not pass their gate, what ships is the 32-bit form, as the gate's message advises: that is then
    measured, and the gate's verdict stands in the answer. GateError if that form fails as well.
    """
    started = time.monotonic()
    bundle, verdict = _shipped(material, plan, folder, console)
    trained = time.monotonic() - started
    tagger = Tagger.load(folder)
    test = parts(bundle.metrics["test"])  # which training.pipeline measured through a tagger on the same files
    if material.unseen:
        test |= _languages(evaluate(tagger, material.unseen))
    return {
        "precision": bundle.provenance["precision"],
        "gate": verdict,
        "parity": bundle.metrics["parity"],
        "records": bundle.provenance["records"],
        "best_epoch": bundle.provenance["best_epoch"],
        "versions": bundle.provenance["versions"],
        "seconds": round(trained),
        "validation": parts(evaluate(tagger, material.sides["validation"])),
        "test": test,
    }


def measure_baseline(material: Material) -> dict[str, Any]:
    """Fit the baseline and return its figures."""
    baseline = Baseline(material.sides, material.taxonomy)
    test = parts(baseline.evaluate(material.sides["test"]))
    if material.unseen:
        test |= _languages(baseline.evaluate(material.unseen))
    return {"validation": parts(baseline.evaluate(material.sides["validation"])), "test": test}


def parts(report: Mapping[str, Any]) -> Parts:
    """The figures of the only group of a report, for all its texts and by language."""
    (group,) = report["groups"].values()
    found = {"all": group, **group["languages"]}
    return {
        name: {"n": part["n"], "macro_f1": round(part["macro_f1"], 5), "micro_f1": round(part["micro_f1"], 5)}
        for name, part in found.items()
    }


def _shipped(material: Material, plan: Plan, folder: Path, console: Console) -> tuple[Bundle, str | None]:
    """A bundle that passed its gates, and what the gate of 8 bits said if it had to be of 32."""
    try:
        return train(material.sides, folder, plan, console=console), None
    except GateError as error:
        if plan.precision == "fp32":
            raise
        console.print(f"{error.where}: {error.problem}; measuring 32 bits instead", markup=False)
        verdict = error.problem
    # The epochs of the first attempt are still there, so that nothing is trained again.
    return train(material.sides, folder, replace(plan, precision="fp32"), console=console), verdict


def _languages(report: Mapping[str, Any]) -> Parts:
    return {name: part for name, part in parts(report).items() if name != "all"}
