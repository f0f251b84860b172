"""One side of `benchmarks.speed` in a process of its own, so that its start, time and memory are its own.

As a program it reads requests from standard input, one JSON object a line: `{"texts": […], "batch": n}`. It answers
each, when all texts are tagged, with `{"seconds": …, "memory": …}`: the time of the call alone, and the largest
memory in bytes that the process has held so far. `Contender` is the other end of the line.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.errors import BenchmarkError
from benchmarks.places import ROOT

Side = Literal["tympan", "pipeline"]
Call = Callable[[list[str], int], object]
"""Tags texts; the second argument is the size of the batches to cut them into, where a side has such a setting."""


@dataclass(frozen=True)
class Answer:
    """Seconds of one call, and the largest memory in bytes that the process has held until its end."""

    seconds: float
    memory: int


class Contender:
    """A running side; a context manager that ends it."""

    def __init__(self, side: Side, folder: Path, *, threads: int, max_length: int) -> None:
        self.side = side
        settings = [f"--threads={threads}", f"--max-length={max_length}"]
        self._process = subprocess.Popen(  # noqa: S603 — this very interpreter, and arguments of our own
            [sys.executable, "-m", "benchmarks.speed.contender", side, str(folder.resolve()), *settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            encoding="utf-8",
        )

    def __enter__(self) -> Contender:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # the end of its input is the end of its work

    def ask(self, texts: Sequence[str], batch: int = 1) -> Answer:
        """Have `texts` tagged; BenchmarkError if the process has ended."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps({"texts": list(texts), "batch": batch}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, which the next line finds out
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError(self.side, "ended without an answer", "Its own message stands above")
        return Answer(**json.loads(line))


def main() -> None:
    """Answer requests until standard input ends."""
    parser = ArgumentParser(description="One side of the speed benchmark, which starts it.")
    parser.add_argument("side", choices=("tympan", "pipeline"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--max-length", type=int, required=True)
    options = parser.parse_args()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints must not break the answers
    call = _tympan(options) if options.side == "tympan" else _pipeline(options)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter()
        call(request["texts"], request["batch"])
        seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "memory": _peak()}), file=answers, flush=True)


def _tympan(options: Namespace) -> Call:
    from model.mention import Mention  # noqa: PLC0415 — each side loads its own libraries only
    from model.tagger import Tagger  # noqa: PLC0415

    tagger = Tagger.load(options.folder, threads=options.threads)
    return lambda texts, _: tagger.tag([Mention(str(number), text) for number, text in enumerate(texts)])


def _pipeline(options: Namespace) -> Call:
    import torch  # noqa: PLC0415
    from transformers import AutoTokenizer, pipeline  # noqa: PLC0415

    from benchmarks.rival import MeanPooledForSequenceClassification, quiet  # noqa: PLC0415

    quiet()
    torch.set_num_threads(options.threads)
    classify = pipeline(
        "text-classification",
        model=MeanPooledForSequenceClassification.from_pretrained(options.folder),
        tokenizer=AutoTokenizer.from_pretrained(options.folder),
        device="cpu",
        top_k=None,  # every tag with its score: a text may have several
        truncation=True,
        max_length=options.max_length,
    )
    return lambda texts, batch: classify(texts, batch_size=batch)


def _peak() -> int:
    """The largest resident memory of this process in bytes.

    Linux counts in `ru_maxrss` what the process was before it became this program, too; its VmHWM does not.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
