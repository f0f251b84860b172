"""Who takes part in `benchmarks.load`, and how each is started and spoken to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.places import RIVALS

Form = Literal["bundle", "torch", "floats", "shipped"]
"""What is served: the bundle; its weights in 32-bit floats, for torch or ONNX Runtime; or its ONNX file as it is."""
Scores = list[dict[str, float]]
"""Label → probability, for each text of a call."""


@dataclass(frozen=True)
class Setting:
    """Texts in a batch, and threads in one call of the network; as many calls side by side as processors allow."""

    batch: int
    threads: int

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''} a call" if self.threads else ""
        return f"batches of {self.batch}{threads}" if self.batch else ""


AS_IT_IS = Setting(0, 0)
"""Of who has no such setting."""


@dataclass(frozen=True)
class Place:
    """Where a server finds its model, which is read up to `max_length` tokens, and what it may take."""

    folder: Path
    port: int
    processors: int
    max_length: int


@dataclass(frozen=True, eq=False)
class Entrant:
    """A server. `environment` is None for Tympan, which runs where the benchmark does.

    `command` starts it, behind its interpreter; `divided` is whether it is tried with one thread a call as well,
    `told` whether it can be told how many threads a call has.
    """

    name: str
    title: str
    form: Form
    environment: str | None
    path: str
    command: Callable[[Path, Place, Setting], Sequence[str]]
    ask: Callable[[Sequence[str]], dict[str, Any]]
    scores: Callable[[Any], Scores]
    divided: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    told: bool = True

    @property
    def key(self) -> str:
        """What tells it apart in a file of results."""
        return f"{self.name}, {self.form}"

    def settings(self, batches: Sequence[int], processors: int) -> list[Setting]:
        """The settings to try."""
        if self.environment is None:
            return [AS_IT_IS]
        together = [Setting(batch, processors if self.told else 0) for batch in batches]
        return [Setting(min(batches), 1), *together] if self.divided and processors > 1 else together


def _tympan(python: Path, place: Place, _: Setting) -> list[str]:
    where = (f"--port={place.port}", f"--threads={place.processors}")
    return [str(python), "-m", "tympan", "serve", f"--bundle={place.folder}", *where]


def _mentions(texts: Sequence[str]) -> dict[str, Any]:
    return {"mentions": [{"id": str(number), "text": text} for number, text in enumerate(texts)]}


def _tags(answer: Any) -> Scores:  # noqa: ANN401 — JSON
    return [
        {f"{group}/{tag['tag']}": tag["score"] for group, tags in result["tags"].items() for tag in tags}
        for result in answer["results"]
    ]


def _server(name: str, *, divided: bool) -> Callable[[Path, Place, Setting], list[str]]:
    """One of `benchmarks/rivals`; if `divided`, it is told how many processors its calls may share."""

    def command(python: Path, place: Place, setting: Setting) -> list[str]:
        numbers = {"port": place.port, "max-length": place.max_length}
        numbers |= {"batch": setting.batch, "threads": setting.threads}
        numbers |= {"processors": place.processors} if divided else {}
        options = [f"--{option}={value}" for option, value in numbers.items()]
        return [str(python), str(RIVALS / f"{name}.py"), f"--model={place.folder}", *options]

    return command


def _inputs(texts: Sequence[str]) -> dict[str, Any]:
    return {"inputs": list(texts)}


def _rows(answer: Any) -> Scores:  # noqa: ANN401 — JSON
    return [row if isinstance(row, dict) else _pairs(row) for row in answer]


def _pairs(row: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return {pair["label"]: pair["score"] for pair in row}


def _infinity(engine: str) -> Callable[[Path, Place, Setting], list[str]]:
    def command(python: Path, place: Place, setting: Setting) -> list[str]:
        options = {"model-id": place.folder, "served-model-name": "model", "engine": engine, "device": "cpu"}
        options |= {"host": "127.0.0.1", "port": place.port, "batch-size": setting.batch, "log-level": "warning"}
        given = [f"--{option}={value}" for option, value in options.items()]
        return [str(python), str(RIVALS / "infinity.py"), "v2", *given, "--no-model-warmup"]

    return command


def _input(texts: Sequence[str]) -> dict[str, Any]:
    return {"model": "model", "input": list(texts)}


def _data(answer: Any) -> Scores:  # noqa: ANN401 — JSON
    return [_pairs(row) for row in answer["data"]]


_PIPELINE = (_server("pipeline", divided=False), _inputs, _rows)
_PLAIN = (_server("plain", divided=True), _inputs, _rows)
_LIT = (_server("lit", divided=True), _inputs, _rows)
# Its own optimiser is for files that are not optimised, its warm-up for models of more tokens than ours, and it counts
# its users over the network.
_QUIET = {"INFINITY_ONNX_DISABLE_OPTIMIZE": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}

TYMPAN = Entrant(
    *("tympan", "Tympan", "bundle", None, "/v1/tag"), _tympan, _mentions, _tags, variables={"TYMPAN_CACHED_TEXTS": "1"}
)
RIVALRY = (
    Entrant("pipeline", "FastAPI + pipeline, torch", "torch", "pipeline", "/classify", *_PIPELINE),
    Entrant("plain", "FastAPI + onnxruntime, 32 bits", "floats", "plain", "/classify", *_PLAIN, divided=True),
    Entrant("plain", "FastAPI + onnxruntime, same file", "shipped", "plain", "/classify", *_PLAIN, divided=True),
    Entrant(
        *("infinity", "infinity, torch", "torch", "infinity", "/classify"),
        *(_infinity("torch"), _input, _data),
        variables=_QUIET,
        told=False,
    ),
    Entrant(
        *("infinity", "infinity, same file", "shipped", "infinity", "/classify"),
        *(_infinity("optimum"), _input, _data),
        variables=_QUIET,
        told=False,
    ),
    Entrant("litserve", "LitServe, torch", "torch", "lit", "/classify", *_LIT, divided=True),
    Entrant("litserve", "LitServe, same file", "shipped", "lit", "/classify", *_LIT, divided=True),
)
ENTRANTS = (TYMPAN, *RIVALRY)
