"""Whole files: speed beside the bare tagger and beside pandas with transformers' pipeline, memory, and kills.

Tympan's side is `tympan tag`, as a program of its own. Files are made of real texts, told apart by a number behind
each, since there are not as many distinct ones.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer

from benchmarks.conversion import for_transformers
from benchmarks.errors import BenchmarkError
from benchmarks.exports.files import WRITERS
from benchmarks.exports.kills import Kills, command, tag, tagged
from benchmarks.places import ROOT
from benchmarks.report import MarkdownOption, Report, Table, machine, start
from benchmarks.texts import BundleOption, ColumnOption, DataOption, seeded_texts
from model.bundle import PRETRAINED, Bundle
from model.mention import Mention
from model.processor import processor_limit
from model.registry import resolve
from model.tagger import Tagger

app = typer.Typer(add_completion=False, help="Speed, memory and kills of the tagging of whole files.")

_EVERY = 0.25  # seconds between two looks at memory
_QUARTERS = 4


@app.command()
def main(
    data: DataOption = Path("../shared/data"),
    text_column: ColumnOption = "message",
    bundle: BundleOption = PRETRAINED,
    rows: Annotated[int, typer.Option(help="Distinct rows of the race.", min=1)] = 20_000,
    rival_rows: Annotated[int, typer.Option(help="Of these, how many pandas with the pipeline gets.", min=1)] = 4_000,
    large: Annotated[int, typer.Option(help="Rows of the file that memory is measured on.", min=1)] = 1_000_000,
    distinct: Annotated[int, typer.Option(help="Distinct texts among those.", min=1)] = 50_000,
    kills: Annotated[
        int, typer.Option(help="Runs killed, over CSV, XLSX and JSONL, on the command line and as jobs.", min=0)
    ] = 50,
    killed_rows: Annotated[int, typer.Option(help="Rows of the files whose taggings are killed.", min=1)] = 2_000,
    markdown: MarkdownOption = None,
) -> None:
    """Measure the tagging of files.

    For example:

    python -m benchmarks.exports

    python -m benchmarks.exports --rows 5000 --large 50000 --distinct 5000 --kills 9 --markdown docs/exports-measured.md
    """
    texts = seeded_texts(data, text_column, enough=1)
    found = Bundle.read(resolve(bundle))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(found, texts, Path(folder))
        tables = (
            bench.race(rows, min(rows, rival_rows)),
            bench.memory(large, distinct),
            bench.kills(kills, killed_rows),
        )
    notes = (
        f"Made of {len(texts)} distinct mentions of {data.name}, each with a number behind it to be distinct.",
        "`tympan tag` and the rival are programs of their own; seconds are from the model loaded to the file written "
        "for the rival, and from start to end, model and language detector loaded included, for `tympan tag`.",
        "The bare tagger has all texts in one call, in a process that holds nothing else.",
        "Memory is the sum of the resident memory of a program and its children, every quarter of a second.",
        machine(processor_limit(), ("onnxruntime", "torch", "transformers", "pandas")),
    )
    Report(tables, notes).give(markdown)


@dataclass(frozen=True)
class Bench:
    """What is measured: a bundle on texts, with files in a folder."""

    bundle: Bundle
    texts: Sequence[str]
    folder: Path

    def race(self, rows: int, rival_rows: int) -> Table:
        """Rows a second of the bare tagger, of `tympan tag` and of the rival."""
        file, few = self._file("race.csv", self._distinct(rows)), self._file("few.csv", self._distinct(rival_rows))
        bare = rows / self._bare(rows)
        ours = rows / _seconds(lambda: tag(file, self.bundle.path))
        theirs = rival_rows / self._rival(few)
        lines = [("bare tagger", rows, bare), ("tympan tag", rows, ours), ("pandas, pipeline", rival_rows, theirs)]
        cells = tuple(
            (name, f"{count:,}", f"{speed:.1f}", f"{speed / bare:.2f}", f"{speed / theirs:.2f}")
            for name, count, speed in lines
        )
        return Table("Speed", ("", "rows", "rows/s", "/ bare tagger", "/ pandas, pipeline"), cells)

    def memory(self, rows: int, distinct: int) -> Table:
        """Of `tympan tag` on a large file with duplicates, by quarter of its time."""
        file = self._file("large.csv", self._large(rows, distinct))
        began = time.perf_counter()
        with subprocess.Popen(  # noqa: S603 — our own program
            command(file, self.bundle.path), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as running:
            held = list(_watch(running))
        seconds = time.perf_counter() - began
        if running.returncode not in (0, 1) or not tagged(file).exists():
            raise BenchmarkError(file.name, f"exit code {running.returncode}", "Run tympan tag on it by hand")
        parts = [held[at * len(held) // _QUARTERS : (at + 1) * len(held) // _QUARTERS] for at in range(_QUARTERS)]
        lines = [("minutes", f"{seconds / 60:.1f}"), ("rows/s", f"{rows / seconds:,.0f}")]
        lines += [
            (f"peak of quarter {at}, MB", f"{max(part, default=0) / 1e6:.0f}") for at, part in enumerate(parts, 1)
        ]
        return Table("Memory", ("", f"{rows:,} rows, {distinct:,} distinct"), tuple(lines))

    def kills(self, kills: int, rows: int) -> Table:
        """How many runs killed at random moments and resumed gave the output of an uninterrupted run."""
        return Kills(self.bundle.path, self.folder, list(self._distinct(rows))).table(kills)

    def _bare(self, rows: int) -> float:
        tagger = Tagger.load(self.bundle.path)
        mentions = [Mention(str(at), text) for at, text in enumerate(self._distinct(rows))]
        tagger.tag(mentions[:100])
        return _seconds(lambda: tagger.tag(mentions))

    def _rival(self, file: Path) -> float:
        for_transformers(self.bundle, self.folder / "torch")
        command = [
            sys.executable,
            "-m",
            "benchmarks.exports.frame",
            file,
            file.with_suffix(".out"),
            self.folder / "torch",
            "text",
        ]
        options = {"threads": processor_limit(), "max-length": self.bundle.max_length, "batch": 8}
        arguments = [f"--{name}={value}" for name, value in options.items()]
        done = subprocess.run(  # noqa: S603 — our own program
            [*map(str, command), *arguments], cwd=ROOT, check=True, capture_output=True, text=True
        )
        return float(done.stdout.split()[-1])

    def _distinct(self, count: int) -> Iterator[str]:
        return (f"{self.texts[at % len(self.texts)]} {at}" for at in range(count))

    def _large(self, rows: int, distinct: int) -> Iterator[str]:
        """So many rows, every text among them at least once, the first time in order."""
        texts, drawn = list(self._distinct(distinct)), random.Random(0)  # noqa: S311 — no secret
        return (texts[row] if row < distinct else drawn.choice(texts) for row in range(rows))

    def _file(self, name: str, texts: Iterable[str]) -> Path:
        path = self.folder / name
        WRITERS[path.suffix](path, texts)
        return path


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _watch(running: subprocess.Popen[bytes]) -> Iterator[int]:
    """Bytes that a program and its children hold, again and again until it ends."""
    watched = psutil.Process(running.pid)
    while running.poll() is None:
        try:
            yield sum(process.memory_info().rss for process in (watched, *watched.children(recursive=True)))
        except psutil.NoSuchProcess:
            continue
        time.sleep(_EVERY)


if __name__ == "__main__":
    start(app)
