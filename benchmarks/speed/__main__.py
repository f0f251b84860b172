"""How fast a bundle tags real mentions, against transformers' `text-classification` pipeline on the same weights.

Either side runs in a process of its own, and the two take turns call by call, so that a machine that slows down
slows both. Tympan's side does all that it does for a user: preparation, detection of the language, tags.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.conversion import for_transformers, largest_difference
from benchmarks.numbers import numbers
from benchmarks.report import MarkdownOption, Report, Table, machine, start
from benchmarks.speed.contender import Contender, Side
from benchmarks.texts import BundleOption, ColumnOption, DataOption, seeded_texts
from model.bundle import PRETRAINED, Bundle
from model.processor import processor_limit
from model.registry import resolve
from model.tagger import Tagger

app = typer.Typer(add_completion=False, help="Speed, start-up time and memory against transformers' pipeline.")

_TRIALS = 2
"""Calls with each batch size, of which the pipeline gets its best one."""
_FEWEST, _MOST = 10, 300
"""Calls of one size."""
_COMPARED = 100


@app.command()
def main(
    data: DataOption = Path("../shared/data"),
    text_column: ColumnOption = "message",
    bundle: BundleOption = PRETRAINED,
    calls: Annotated[str, typer.Option(help="How many mentions a call has; several sizes.")] = "1,32,256",
    mentions: Annotated[int, typer.Option(help="Mentions that each side gets in calls of one size.", min=1)] = 2560,
    batch_sizes: Annotated[str, typer.Option(help="Tried for the pipeline.")] = "1,4,8,16,32,64,128,256",
    starts: Annotated[int, typer.Option(help="Fresh processes for start-up time and memory.", min=1)] = 3,
    threads: Annotated[int | None, typer.Option(help="For either side.", show_default="all allowed", min=1)] = None,
    markdown: MarkdownOption = None,
) -> None:
    """Measure a bundle and the pipeline in turns on distinct real mentions.

    For example:

    python -m benchmarks.speed

    python -m benchmarks.speed --data mine.csv --text-column text --bundle runs/mine --markdown speed.md
    """
    found, threads = Bundle.read(resolve(bundle)), threads or processor_limit()
    sizes, batches = numbers(calls, "--calls"), numbers(batch_sizes, "--batch-sizes")
    texts = seeded_texts(data, text_column, enough=max(sizes))
    with tempfile.TemporaryDirectory() as folder:
        network = for_transformers(found, Path(folder))
        difference = largest_difference(network, Tagger.load(bundle, threads=threads), texts[:_COMPARED])
        race = Race({"tympan": found.path, "pipeline": Path(folder)}, texts, threads, found.max_length)
        best, speed = race.speed(sizes, batches, mentions)
        begun = race.beginnings(starts, max(sizes), best[max(sizes)])
    notes = (
        f"{len(texts)} distinct mentions of {data.name}, prepared; either side gets the same ones, in turns.",
        "Either side has the same weights and tokenizer: the pipeline's are the bundle's, multiplied out to 32-bit "
        f"floats. Largest difference of a probability on {min(_COMPARED, len(texts))} texts: {difference:.4f}.",
        f"The pipeline pads its batches, cuts texts at {found.max_length} tokens, and has the best batch size of "
        f"{', '.join(map(str, batches))} for each size of call; torch, 32-bit floats.",
        f"Latency is that of a whole call; the 99th percentile of fewer than 100 calls is their slowest. Start: from "
        f"launch to the first answer, files in the cache, median of {starts}. Memory: the peak after one more call.",
        machine(threads, ("onnxruntime", "torch", "transformers")),
    )
    Report((speed, begun), notes).give(markdown)


@dataclass(frozen=True)
class Race:
    """Both sides: what they load (side → folder), what they read, and with how many threads."""

    folders: Mapping[Side, Path]
    texts: Sequence[str]
    threads: int
    max_length: int

    def contender(self, side: Side) -> Contender:
        """Start a side."""
        return Contender(side, self.folders[side], threads=self.threads, max_length=self.max_length)

    def speed(self, sizes: Sequence[int], batches: Sequence[int], mentions: int) -> tuple[dict[int, int], Table]:
        """The pipeline's best batch size for each size of call, and the table of speeds."""
        best: dict[int, int] = {}
        rows: list[tuple[str, ...]] = []
        with self.contender("tympan") as ours, self.contender("pipeline") as theirs:
            for size in sizes:
                best[size] = _best_batch(theirs, self.texts[:size], batches)
                times = self._times({ours: 1, theirs: best[size]}, size, mentions)
                rows += _rows(size, best[size], times[ours], times[theirs])
        columns = ("mentions a call", "side", "calls", "mentions/s", "p50 ms", "p99 ms", "Tympan / pipeline")
        return best, Table("Speed", columns, tuple(rows))

    def _times(self, sides: Mapping[Contender, int], size: int, mentions: int) -> dict[Contender, list[float]]:
        """Seconds of every call of `size` mentions, by side; `sides` gives each its batch size."""
        times: dict[Contender, list[float]] = {side: [] for side in sides}
        for side, batch in sides.items():
            side.ask(self.texts[:size], batch)  # the first call of a size is slower than those that follow
        calls = min(_MOST, max(_FEWEST, mentions // size))
        for number, texts in enumerate(itertools.islice(_calls(self.texts, size), calls)):
            turns = list(sides) if number % 2 else list(sides)[::-1]
            for side in turns:
                times[side].append(side.ask(texts, sides[side]).seconds)
        return times

    def beginnings(self, starts: int, size: int, batch: int) -> Table:
        """The table of start-up times and of the memory that a call of `size` mentions takes."""
        seconds: dict[Side, list[float]] = {side: [] for side in self.folders}
        memory: dict[Side, list[int]] = {side: [] for side in self.folders}
        for _ in range(starts):
            for side in self.folders:
                began = time.perf_counter()
                with self.contender(side) as contender:
                    contender.ask(self.texts[:1])
                    seconds[side].append(time.perf_counter() - began)
                    memory[side].append(contender.ask(self.texts[:size], batch).memory)
        start_up = {side: float(np.median(seconds[side])) for side in seconds}
        peak = {side: float(np.median(memory[side])) / 1e6 for side in memory}
        return Table(
            "Start and memory",
            ("", "Tympan", "pipeline", "pipeline / Tympan"),
            (
                ("start to first answer, s", *_compared(start_up, 2)),
                (f"peak memory with a call of {size}, MB", *_compared(peak, 0)),
            ),
        )


def _best_batch(pipeline: Contender, texts: Sequence[str], batches: Sequence[int]) -> int:
    """The batch size with which the pipeline is fastest on a call of `texts`."""
    possible = [batch for batch in batches if batch <= len(texts)] or [len(texts)]
    if len(possible) == 1:
        return possible[0]
    pipeline.ask(texts, possible[-1])
    return min(possible, key=lambda batch: min(pipeline.ask(texts, batch).seconds for _ in range(_TRIALS)))


def _calls(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    """Texts in calls of `size`, all of one call distinct, round and round."""
    for first in itertools.count(step=size):
        yield [texts[position % len(texts)] for position in range(first, first + size)]


def _rows(size: int, batch: int, ours: Sequence[float], theirs: Sequence[float]) -> list[tuple[str, ...]]:
    sides = {"Tympan": ours, f"pipeline, batches of {batch}": theirs}
    ratios = (f"{sum(theirs) / sum(ours):.2f}", "")
    return [
        (
            str(size),
            side,
            str(len(times)),
            f"{size * len(times) / sum(times):.1f}",
            *(f"{1000 * np.percentile(times, share):.1f}" for share in (50, 99)),
            ratio,
        )
        for (side, times), ratio in zip(sides.items(), ratios, strict=True)
    ]


def _compared(figures: Mapping[Side, float], digits: int) -> tuple[str, str, str]:
    ours, theirs = figures["tympan"], figures["pipeline"]
    return f"{ours:.{digits}f}", f"{theirs:.{digits}f}", f"{theirs / ours:.2f}"


if __name__ == "__main__":
    start(app)
