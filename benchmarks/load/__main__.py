"""Tympan under load, against other ways to serve the same network on the same processors.

Each is a real server in a process and a virtual environment of its own. They take turns, so that a machine that slows
down slows all, and are stopped in between. The load comes from one process, the same for all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from benchmarks.conversion import for_rivals, largest_difference
from benchmarks.environment import FOLDER, versions
from benchmarks.errors import BenchmarkError
from benchmarks.load.entrant import ENTRANTS, TYMPAN, Entrant, Form, Scores
from benchmarks.load.heat import Conditions, Heat, Outcome
from benchmarks.load.verdict import bare_note, load_table, settings_note, verdicts
from benchmarks.numbers import numbers
from benchmarks.places import RESULTS
from benchmarks.report import MarkdownOption, Report, machine, start
from benchmarks.rival import MeanPooledForSequenceClassification
from benchmarks.store import Store
from benchmarks.texts import BundleOption, ColumnOption, DataOption, seeded_texts
from model.bundle import PRETRAINED, Bundle
from model.mention import Mention
from model.processor import processor_limit
from model.registry import resolve
from model.tagger import Tagged, Tagger

app = typer.Typer(add_completion=False, help="Throughput and latency under load, against rivals.")

_COMPARED = 20
"""Texts that all must agree on before any is timed."""
_FEWER_BITS = 0.35
"""How far a probability of 8 bits may be from that of 32 on such texts; the gates of training hold the decisions."""
_VERSIONS = ("torch", "transformers", "onnxruntime", "infinity-emb", "litserve")


@app.command()
def main(
    data: DataOption = Path("../shared/data"),
    text_column: ColumnOption = "message",
    bundle: BundleOption = PRETRAINED,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Who takes part: {', '.join(dict.fromkeys(entrant.name for entrant in ENTRANTS))}; may be repeated.",
            show_default="all",
        ),
    ] = None,
    callers: Annotated[str, typer.Option(help="How many call at the same time; several numbers.")] = "1,8,64",
    mentions: Annotated[str, typer.Option(help="How many mentions a call has; several sizes.")] = "1,32",
    seconds: Annotated[float, typer.Option(help="In which callers begin calls, in each turn.", min=0.2)] = 10,
    rounds: Annotated[int, typer.Option(help="Turns of each, of which the median counts.", min=1)] = 3,
    batch_sizes: Annotated[str, typer.Option(help="Tried for each rival.")] = "1,8,32",
    limit: Annotated[int | None, typer.Option(help="Use so many texts only, to try it out.", min=1)] = None,
    environments: Annotated[Path, typer.Option(help="Where the rivals' environments lie, or are made.")] = FOLDER,
    results: Annotated[Path, typer.Option(help="The file that keeps what was measured.")] = RESULTS / "load.json",
    markdown: MarkdownOption = None,
) -> None:
    """Put every server under the same load in turns, and compare. Interrupted, it goes on where it was.

    For example:

    python -m benchmarks.load --markdown docs/load.md

    python -m benchmarks.load --only tympan --only plain --callers 8 --mentions 1 --seconds 2 --rounds 1
    """
    entrants = _entrants(only)
    many, sizes, batches = (
        numbers(given, option)
        for given, option in ((callers, "--callers"), (mentions, "--mentions"), (batch_sizes, "--batch-sizes"))
    )
    found, console = Bundle.read(resolve(bundle)), Console(stderr=True)
    tagger = Tagger.load(found.path)
    texts = _whole(seeded_texts(data, text_column, enough=max(sizes))[:limit], tagger, enough=max(sizes))
    with tempfile.TemporaryDirectory() as folder:
        network = for_rivals(found, Path(folder))
        apart = largest_difference(network, tagger, texts[:_COMPARED])
        if apart > _FEWER_BITS:
            raise BenchmarkError(str(found.path), f"differs from its 32-bit form by {apart:.2f}", "Train it anew")
        conditions = Conditions(
            bundle=found,
            folders={"bundle": found.path, **{form: Path(folder) / form for form in ("torch", "floats", "shipped")}},
            expected=_expected(network, tagger, texts[:_COMPARED]),
            texts=texts,
            processors=processor_limit(),
            seconds=seconds,
            batches=batches,
            environments=environments,
        )
        store = Store(results, ("readings", "bare"))
        outcomes = [Heat(size, conditions, store, console).run(entrants, many, rounds) for size in sizes]
    Report((load_table(outcomes), verdicts(outcomes)), _notes(outcomes, conditions, apart, rounds)).give(markdown)


def _entrants(only: Sequence[str] | None) -> list[Entrant]:
    """Those that are named, and Tympan, which all are compared with."""
    names = dict.fromkeys(entrant.name for entrant in ENTRANTS)
    unknown = [name for name in only or () if name not in names]
    if unknown:
        raise BenchmarkError("--only", f"{unknown[0]!r} takes no part", f"Legal: {', '.join(names)}")
    return [entrant for entrant in ENTRANTS if not only or entrant is TYMPAN or entrant.name in only]


def _whole(texts: Sequence[str], tagger: Tagger, *, enough: int) -> list[str]:
    """The texts that are read at once: of longer ones the rivals would compute the beginning, and Tympan all."""
    windows = tagger.encode(texts)
    parts = [0] * len(texts)
    for window in windows:
        parts[window.text] += 1
    found = [text for text, count in zip(texts, parts, strict=True) if count == 1]
    if len(found) < enough:
        raise BenchmarkError("--limit", f"leaves {len(found)} texts for calls of {enough}", "Raise it")
    return found


def _expected(
    network: MeanPooledForSequenceClassification, tagger: Tagger, texts: Sequence[str]
) -> Mapping[Form, Scores]:
    """What each form must answer for the texts: the tags of the bundle, or probabilities without its calibration."""
    labels = tagger.taxonomy.labels
    windows = tagger.encode(texts)
    with torch.inference_mode():
        rows = [torch.tensor([window.ids]) for window in windows]
        floats = [network(ids, torch.ones_like(ids)).logits.sigmoid()[0].tolist() for ids in rows]
    shipped = torch.from_numpy(tagger.outputs(windows)).sigmoid().tolist()
    tagged = tagger.tag([Mention(str(number), text) for number, text in enumerate(texts)])
    plainly, fewer = ([dict(zip(labels, row, strict=True)) for row in form] for form in (floats, shipped))
    return {"bundle": [_tags(result) for result in tagged], "torch": plainly, "floats": plainly, "shipped": fewer}


def _tags(result: object) -> dict[str, float]:
    assert isinstance(result, Tagged)  # the texts are prepared, and none is empty or long
    return {f"{group}/{score.tag}": score.score for group, scores in result.tags.items() for score in scores}


def _notes(outcomes: Sequence[Outcome], conditions: Conditions, apart: float, rounds: int) -> tuple[str, ...]:
    return (
        f"{len(conditions.texts)} distinct real mentions of at most {conditions.bundle.max_length} tokens, the same "
        "for all; Tympan remembers one text. Callers keep their connection and ask again as soon as they are "
        f"answered, for {conditions.seconds:g} s a turn; throughput is over the time until the last answer. Medians of "
        f"{rounds} rounds, in turns; the 99th percentile of fewer than 100 calls lies between their two slowest.",
        "Same file: the ONNX file that the bundle ships. The others have its weights multiplied out to 32-bit floats. "
        f"All answered {len(conditions.expected['bundle'])} texts as the same network does here before they were "
        f"timed; the two forms differ by {apart:.4f} at most in a probability. Tympan prepares texts, tells their "
        "language and decides on tags as well, which the rivals do not.",
        settings_note(outcomes),
        bare_note(outcomes),
        f"In the rivals' environments: {_rivals(outcomes)}. "
        f"{machine(conditions.processors, ('onnxruntime', 'pycurl'))}",
    )


def _rivals(outcomes: Sequence[Outcome]) -> str:
    """The versions that matter, by environment."""
    names = dict.fromkeys(
        result.entrant.environment for outcome in outcomes for result in outcome.results if result.entrant.environment
    )
    told = []
    for name in names:
        found = versions(name)
        told.append(f"{name} ({', '.join(f'{one} {found[one]}' for one in _VERSIONS if one in found)})")
    return "; ".join(told) or "none"


if __name__ == "__main__":
    start(app)
