"""The command `python -m benchmarks.retraining`."""

from __future__ import annotations

import typer

from benchmarks.report import start
from benchmarks.retraining.forgetting import forgetting
from benchmarks.retraining.speed import speed
from benchmarks.retraining.stream import stream

app = typer.Typer(add_completion=False, help="Retraining round after round: what it learns and what it forgets.")
for command in (stream, forgetting, speed):
    app.command()(command)

if __name__ == "__main__":
    start(app)
