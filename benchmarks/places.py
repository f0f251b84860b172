"""Where in the repository benchmarks find what they measure and keep what they found."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
CORPORA = ROOT / "labels" / "corpora"
RESULTS = ROOT / "benchmarks" / "results"
RIVALS = ROOT / "benchmarks" / "rivals"
