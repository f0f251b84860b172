"""How fast mentions go into a real Label Studio and come out of it again, with their suggestions and answers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.report import MarkdownOption, Report, Table, machine, start
from labels.interface import configuration, to_result
from labels.pull import pull
from labels.push import BLOCK, Given, push
from labels.studio import Project, Studio, batches
from labels.task import to_data
from model.bundle import PRETRAINED
from model.decode import Floats
from model.mention import Mention
from model.tagger import Tagger
from model.taxonomy import Taxonomy
from model.watchlist import Watchlist

app = typer.Typer(add_completion=False, help="Label Studio: mentions in, answers out.")


class TimedTagger(Tagger):
    """A tagger that knows how long it took."""

    seconds = 0.0

    def probabilities(self, prepared: Sequence[str]) -> Floats:
        started = time.monotonic()
        found = super().probabilities(prepared)
        self.seconds += time.monotonic() - started
        return found


@app.command()
def main(
    count: Annotated[int, typer.Option(help="How many mentions.", min=1)] = 5_000,
    bundle: Annotated[
        Path, typer.Option(help="The model that suggests.", show_default="the one that ships")
    ] = PRETRAINED,
    url: Annotated[str | None, typer.Option(help="The server.", envvar="LABEL_STUDIO_URL")] = None,
    markdown: MarkdownOption = None,
) -> None:
    """Push mentions to a project made for it, and pull as many answers from another; the projects stay.

    Needs a running server and LABEL_STUDIO_API_KEY (`make label-studio` says both). Tagging is not counted: it is
    timed by itself.

    For example:

    python -m benchmarks.studio

    python -m benchmarks.studio --count 500 --url http://127.0.0.1:8080
    """
    tagger = TimedTagger.load(bundle)
    assert isinstance(tagger, TimedTagger)
    mentions = [Mention(str(n), f"Mention {n}: encore une panne, je résilie !", lang="fr") for n in range(count)]
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    with Studio(url=url) as studio:
        made = _project(studio, f"Benchmark in, {stamp}", tagger.taxonomy)
        pushed = _timed(lambda: push(studio, made, map(Given, mentions), tagger)) - tagger.seconds
        again = _timed(lambda: push(studio, made, map(Given, mentions), tagger))
        answered = _project(studio, f"Benchmark out, {stamp}", tagger.taxonomy)
        _answer(studio, answered, mentions, tagger.taxonomy)
        with tempfile.TemporaryDirectory() as folder:
            pulled = _timed(lambda: pull(studio, answered, Path(folder), tagger.taxonomy))
            nothing = _timed(lambda: pull(studio, answered, Path(folder), tagger.taxonomy))
    rows = (
        ("pushed, with suggestions", f"{pushed:.1f}", f"{count / pushed:,.0f}"),
        ("pushed again: all there", f"{again:.1f}", f"{count / again:,.0f}"),
        ("pulled, with answers", f"{pulled:.1f}", f"{count / pulled:,.0f}"),
        ("pulled again: nothing changed", f"{nothing:.1f}", f"{count / nothing:,.0f}"),
    )
    table = Table(f"{count:,} mentions", ("step", "seconds", "mentions/s"), rows)
    note = f"Tagging, not counted: {tagger.seconds:.1f} s. {machine(1, ('httpx', 'onnxruntime'))}"
    Report((table,), (note,)).give(markdown)


def _project(studio: Studio, title: str, taxonomy: Taxonomy) -> Project:
    return studio.create(title, configuration(taxonomy), description="", version="benchmark")


def _answer(studio: Studio, project: Project, mentions: Sequence[Mention], taxonomy: Taxonomy) -> None:
    """Tasks that are answered already."""
    (who, *_) = studio.people()
    result = to_result({group.name: () for group in taxonomy.groups}, taxonomy)
    for block in batches(mentions, BLOCK):
        answers = [{"completed_by": who, "result": result}]
        data = [to_data(mention, watchlist=Watchlist()) for mention in block]
        studio.add(project, [{"data": each, "annotations": answers} for each in data])


def _timed(step: Callable[[], object]) -> float:
    started = time.monotonic()
    step()
    return time.monotonic() - started


if __name__ == "__main__":
    start(app)
