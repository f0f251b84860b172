"""The limit of `benchmarks.load`: a bare loop over ONNX Runtime, with perfectly cut work and nothing around it.

As a program it tokenises texts, then reads requests from standard input, one JSON object a line: `{"way": …, "seconds":
…}`. It answers each with `{"texts": …, "seconds": …}`: what it computed and how long that took. `Bare` is the other end
of the line.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import onnxruntime

from benchmarks.errors import BenchmarkError
from benchmarks.places import ROOT
from benchmarks.quantisation.batches import batched
from model.tagger import Tagger, Window

WAYS = ("one a text", "padded batches")
"""One call a text, as many side by side as threads; or texts of like length in padded batches, with threads inside."""
_BLOCK = 256
"""Texts that are sorted by length together."""


class Bare:
    """The loop in a process of its own; a context manager that ends it."""

    def __init__(self, bundle: Path, texts: Sequence[str], *, threads: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603 — this very interpreter, and arguments of our own
            [sys.executable, "-m", "benchmarks.load.bare", str(bundle.resolve()), f"--threads={threads}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            encoding="utf-8",
        )
        self._texts = texts

    def __enter__(self) -> Bare:
        self._ask(list(self._texts))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # the end of its input is the end of its work

    def rate(self, way: str, seconds: float) -> float:
        """Texts a second, over about `seconds`."""
        found = self._ask({"way": way, "seconds": seconds})
        return float(found["texts"] / found["seconds"])

    def _ask(self, request: object) -> Mapping[str, float]:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, which the next line finds out
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError("bare loop", "ended without an answer", "Its own message stands above")
        answer: Mapping[str, float] = json.loads(line)
        return answer


def main() -> None:
    """Answer requests until standard input ends."""
    parser = ArgumentParser(description="The bare loop of the load benchmark, which starts it.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    tagger = Tagger.load(options.bundle, threads=options.threads)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.log_severity_level = 3
    model = str(tagger.bundle.model_file)
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    ways: dict[str, Callable[[Sequence[Window]], object]] = {
        WAYS[0]: tagger.outputs,
        WAYS[1]: lambda windows: batched(session, windows),
    }
    windows = tagger.encode(json.loads(sys.stdin.readline()))
    print("{}", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_loop(ways[request["way"]], windows, request["seconds"])), flush=True)


def _loop(compute: Callable[[Sequence[Window]], object], windows: Sequence[Window], seconds: float) -> dict[str, float]:
    compute(windows[:_BLOCK])  # the first call of a size is slower than those that follow
    blocks = itertools.cycle([windows[at : at + _BLOCK] for at in range(0, len(windows), _BLOCK)])
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        block = next(blocks)
        compute(block)
        done += len(block)
    return {"texts": done, "seconds": spent}


if __name__ == "__main__":
    main()
