"""The service under load that it cannot bear, under faults and among hostile clients: what it must not do, measured.

Each case starts a real `tympan serve` on this machine, calls it from this process, and holds what it finds against a
bound. The texts are those of the shipped corpora, so that nothing else is needed.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.faults.attacks import flood, fuzz, hostile, loris
from benchmarks.faults.change import swaps, worker
from benchmarks.faults.finding import Finding, Setting, report
from benchmarks.faults.pressure import overload, soak
from benchmarks.places import CORPORA
from benchmarks.report import MarkdownOption, machine, start, write
from benchmarks.texts import BundleOption, distinct
from model.bundle import PRETRAINED
from model.processor import processor_limit
from model.registry import resolve

app = typer.Typer(add_completion=False, help="The service under overload, faults and hostile input.")

CASES: Mapping[str, Callable[[Setting], Coroutine[Any, Any, Finding]]] = {
    "overload": overload,
    "swaps": swaps,
    "worker": worker,
    "fuzz": fuzz,
    "slow-loris": loris,
    "connections": flood,
    "malformed": hostile,
    "soak": soak,
}


@app.command()
def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"A case to run, of {', '.join(CASES)}; may be given again. All if absent.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="How long a case takes, if not as long as it should.", min=1)
    ] = None,
    bundle: BundleOption = PRETRAINED,
    markdown: MarkdownOption = None,
) -> None:
    """Run the cases one after the other. Exit code 1 if a bound does not hold.

    All together take about half an hour, on a machine that does nothing else.

    For example:

    python -m benchmarks.faults

    python -m benchmarks.faults --only overload --only worker --seconds 10

    python -m benchmarks.faults --markdown docs/faults.md
    """
    chosen = only or list(CASES)
    if unknown := [name for name in chosen if name not in CASES]:
        raise BenchmarkError("--only", f"there is no case {unknown[0]!r}", f"Choose of {', '.join(CASES)}")
    setting = Setting(resolve(bundle), _texts(), seconds)
    findings = []
    for name in chosen:
        Console(stderr=True).print(f"{name} …", highlight=False)
        findings.append(asyncio.run(CASES[name](setting)))
        report(findings[-1:]).show(Console())
    if markdown:
        whole = report(findings, machine(processor_limit(), ("onnxruntime", "uvicorn", "fastapi")))
        write(markdown, whole.markdown())
    if not all(finding.holds for finding in findings):
        raise typer.Exit(1)


def _texts() -> list[str]:
    """The distinct texts of the corpora, in a seeded random order."""
    files = sorted(CORPORA.glob("*/*.jsonl"))
    texts = distinct(json.loads(line)["text"] for file in files for line in file.read_text("utf-8").splitlines())
    random.Random(0).shuffle(texts)  # noqa: S311 — no secret
    return texts


if __name__ == "__main__":
    start(app)
