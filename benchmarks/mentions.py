"""How right a bundle is on real public mentions, labelled by reading; see benchmarks/real/README.md.

The repository holds their labels and the SHA-256 of their texts; the texts are joined from a copy of the public data.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from labels.record import Record
from model.bundle import PRETRAINED
from model.tagger import Tagger
from model.watchlist import Organisation
from training.evaluate import evaluate

LABELS = Path(__file__).parent / "real"
SUPPORT = 10
"""Cases that a tag needs to count in the macro-F1 of the summary."""
_SOURCES = ("fr_telecom", "it_public_body", "minibar_fr", "minibar_en", "xlmt_it", "xlmt_en")
_LISTENERS = {
    "fr_telecom": Organisation("Free", "brand", ("freebox", "free mobile", "freemobile", "UnivFreebox")),
    "it_public_body": Organisation("INAIL", "brand", ("inail_gov",)),
}


def main(
    data: Annotated[Path, typer.Option(help="The folder of public data: mentions/, minibar/ and xlmt/.")],
    bundle: Annotated[Path, typer.Argument(help="A bundle.", show_default="the one that ships")] = PRETRAINED,
    watchlist: Annotated[bool, typer.Option(help="Read each feed towards the organisation that listens to it.")] = True,
    output: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
) -> None:
    """Measure a bundle on the development set of real mentions, by source and in all.

    For example:

    python -m benchmarks.mentions --data ../shared/data

    python -m benchmarks.mentions runs/mine --data ../shared/data --no-watchlist --json real.json
    """
    tagger = Tagger.load(bundle)
    records = read(data, watchlist=watchlist)
    parts = {"all": records} | {
        source: [record for record in records if record.source == source] for source in _SOURCES
    }
    reports = {name: evaluate(tagger, found) for name, found in track(parts.items(), "tagging", transient=True)}
    if output:
        output.write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
    _show(reports)


def read(data: Path, *, watchlist: bool = True) -> list[Record]:
    """The labelled mentions with their texts; a text that `data` does not hold is left out."""
    texts = {hashlib.sha256(text.encode()).hexdigest(): text for text in _texts(data)}
    records = []
    for source in _SOURCES:
        listener = _LISTENERS.get(source) if watchlist else None
        for line in (LABELS / f"{source}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            text = texts.get(row.pop("sha256"))
            if text is not None:
                row |= {"text": text, "source": source}
                row["watchlist"] = [listener.to_dict()] if listener else []
                records.append(Record.from_dict(row))
    return records


def _texts(data: Path) -> Iterator[str]:
    for name, delimiter in (("fr_telecom", ";"), ("it_public_body", ",")):
        with (data / "mentions" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            yield from (row["message"] for row in csv.DictReader(file, delimiter=delimiter))
    for path in (*(data / "minibar").glob("*.jsonl"), *(data / "xlmt").glob("*_test.jsonl")):
        yield from (json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines())


def macro_f1(group: dict[str, Any]) -> float:
    """Over the tags with SUPPORT cases or more."""
    scores = [tag["f1"] for tag in group["tags"].values() if tag["support"] >= SUPPORT]
    return sum(scores) / len(scores) if scores else 0.0


def _show(reports: dict[str, dict[str, Any]]) -> None:
    console = Console()
    table = Table(title="Real mentions", title_justify="left")
    headings = ("mentions", "intent micro", f"macro ({SUPPORT}+)", "false alarms", "ECE", "leaf micro", "parent micro")
    table.add_column("source")
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, report in reports.items():
        intent, topic = report["groups"]["intent"], report["groups"]["topic"]
        shares = (intent["micro_f1"], macro_f1(intent), intent["false_alarm_rate"])
        topics = (topic["leaf"]["micro_f1"], topic["parent"]["micro_f1"])
        shown = [f"{100 * share:.1f}" for share in shares] + [f"{intent['ece']:.3f}"]
        table.add_row(name, str(report["n"]), *shown, *(f"{100 * share:.1f}" for share in topics))
    console.print(table)
    tags = Table(title="Intents in all", title_justify="left")
    for heading in ("tag", "precision", "recall", "F1", "cases"):
        tags.add_column(heading, justify="left" if heading == "tag" else "right")
    for tag, part in reports["all"]["groups"]["intent"]["tags"].items():
        figures = [f"{100 * part[key]:.1f}" for key in ("precision", "recall", "f1")]
        tags.add_row(tag, *figures, str(part["support"]))
    console.print(tags)


if __name__ == "__main__":
    typer.run(main)
