"""The model card: what a bundle is, how good it is and where it is weak, as the Markdown that hubs show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model.bundle import Bundle
from model.taxonomy import Group
from training import contrast


def card(bundle: Bundle, *, title: str, notes: Sequence[str]) -> str:
    """The card of a bundle whose metrics and provenance are filled in; `notes` are paragraphs about its data."""
    return "\n".join(
        [
            _header(bundle),
            f"# {title}\n",
            f"Tags short public texts with the tag set `{bundle.taxonomy.id}`, made with Tympan. "
            "Run it with `tympan tag` or `tympan serve`, which calibrate and decode its outputs by `tympan.json`.\n",
            *(f"{note}\n" for note in notes),
            _provenance(bundle.provenance),
            *(_group(group, bundle.metrics["test"]["groups"][group.name]) for group in bundle.taxonomy.groups),
            _parity(bundle.metrics["parity"]),
        ]
    )


def _header(bundle: Bundle) -> str:
    lines = ["---", "language:", *(f"- {language}" for language in bundle.languages)]
    lines += ["license: apache-2.0", "library_name: onnx", "pipeline_tag: text-classification"]
    lines += [f"base_model: {bundle.provenance['encoder'].split()[0]}", "metrics:", "- f1", "---", ""]
    return "\n".join(lines)


def _provenance(provenance: Mapping[str, Any]) -> str:
    splits = ", ".join(f"{count} for {side}" for side, count in provenance["records"].items())
    used, adapted = provenance["settings"], provenance.get("adapted", {})
    best = f"Best epoch: {provenance['best_epoch']}. "
    if contrast.learnt(provenance):  # by which there are neither epochs nor batches, and nothing is kept back
        used, best = {name: used[name] for name in ("max_length", "seed")}, "Learnt from train and validation alike. "
    used = {**used, **adapted}
    settings = ", ".join(f"{key} {value}" for key, value in used.items())
    return (
        f"## Training\n\nEncoder: {provenance['encoder']}. Records: {splits} (fingerprint "
        f"`{provenance['data'][:12]}`). Settings: {settings}. {best}"
        f"{_way(provenance)}"
        f"Multiplied in {16 if provenance['bfloat16'] else 32}-bit floats.\n"
    )


def _way(provenance: Mapping[str, Any]) -> str:
    """Of a fine-tuned model, how far it went."""
    share = provenance.get("blend")
    return f"Weights: {100 * share:g} % of the way from those of {provenance['start']}. " if share else ""


def _group(group: Group, figures: Mapping[str, Any]) -> str:
    lines = [f"## {group.name}: figures on the {figures['n']} test records that label it\n"]
    lines.append(
        f"Macro-F1 {_percent(figures['macro_f1'])}, micro-F1 {_percent(figures['micro_f1'])}, calibration error "
        f"(ECE) {figures['ece']:.3f}, false alarms {_percent(figures['false_alarm_rate'])} %.\n"
    )
    if "leaf" in figures:
        leaf, parent = (_percent(figures[level]["micro_f1"]) for level in ("leaf", "parent"))
        lines.append(f"Leaves: micro-F1 {leaf}; parents: {parent}.\n")
    lines += ["| language | records | macro-F1 | micro-F1 |", "| --- | ---: | ---: | ---: |"]
    for language, part in figures["languages"].items():
        lines.append(f"| {language} | {part['n']} | {_percent(part['macro_f1'])} | {_percent(part['micro_f1'])} |")
    lines += ["", "| tag | precision | recall | F1 | cases |", "| --- | ---: | ---: | ---: | ---: |"]
    for path in group.paths:
        part = figures["tags"][path]
        shown = " | ".join(_percent(part[key]) for key in ("precision", "recall", "f1"))
        lines.append(f"| `{path}` | {shown} | {part['support']} |")
    return "\n".join([*lines, ""])


def _parity(parity: Mapping[str, float]) -> str:
    lines = ["## How far the shipped form differs from the trained one\n", "| measure | value |", "| --- | ---: |"]
    lines += [f"| {key.replace('_', ' ')} | {value:.2g} |" for key, value in parity.items()]
    return "\n".join([*lines, ""])


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
