"""How right a bundle is on real public mentions, labelled by reading; see benchmarks/real/README.md.

The repository holds their labels and the SHA-256 of their texts; the texts are joined from a copy of the public data.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import track

from benchmarks.errors import BenchmarkError
from benchmarks.places import CORPORA, ROOT
from benchmarks.quality.baseline import Baseline
from benchmarks.report import END, START, MarkdownOption, Report, Table, percent, start, write
from labels.record import Record
from labels.record import read as read_records
from labels.split import split
from model.bundle import LAYOUT, PRETRAINED, Bundle
from model.tagger import Tagger
from model.taxonomy import Taxonomy
from model.watchlist import Organisation
from training.evaluate import evaluate

app = typer.Typer(add_completion=False, help="A bundle on real public mentions.")

LABELS = ROOT / "benchmarks" / "real"
SETS = {"development": LABELS, "held out": LABELS / "held_out"}
"""Set → its labels: what choices were made on, and what is left alone."""
_CARD = f"""
## On real mentions

1,199 public mentions that nobody of the project wrote: 300 French tweets to a telecom operator, 300 Italian ones about
a public body, 309 app reviews, 290 tweets on anything. Nothing was trained on them. With an eye on the 600 of the
development set the corpora were extended and training was chosen. By the 599 that are held out, each labelled by two
readers, no setting was chosen, but the last records were written knowing how earlier models fared on them.

{START}
{END}
"""
SUPPORT = 10
"""Cases that a tag needs to count in the macro-F1 of the summary."""
_SOURCES = ("fr_telecom", "it_public_body", "minibar_fr", "minibar_en", "xlmt_it", "xlmt_en")
_LISTENERS = {
    "fr_telecom": Organisation("Free", "brand", ("freebox", "free mobile", "freemobile", "UnivFreebox")),
    "it_public_body": Organisation("INAIL", "brand", ("inail_gov",)),
}


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="The folder of public data: mentions/, minibar/ and xlmt/.")],
    bundle: Annotated[Path, typer.Argument(help="A bundle.", show_default="the one that ships")] = PRETRAINED,
    watchlist: Annotated[bool, typer.Option(help="Read each feed towards the organisation that listens to it.")] = True,
    corpora: Annotated[
        Path | None,
        typer.Option(help="Records to fit TF-IDF and logistic regression on.", show_default="those that ship"),
    ] = CORPORA,
    output: Annotated[
        Path | None, typer.Option("--json", help="Write all figures of the bundle here, by set and by source.")
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Put the tables into the bundle's card, and seal it again.")
    ] = False,
    markdown: MarkdownOption = None,
) -> None:
    """Measure a bundle on the development set of real mentions and on those held out, by source and in all.

    Beside it, on the same mentions, what TF-IDF and logistic regression learn from the corpora's training side.

    For example:

    python -m benchmarks.mentions --data ../shared/data

    python -m benchmarks.mentions runs/mine --data ../shared/data --no-watchlist --json real.json
    """
    tagger = Tagger.load(bundle)
    sets = read_sets(data, watchlist=watchlist)
    reports = {name: measure(tagger, records) for name, records in sets.items()}
    if output:
        try:
            output.write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise BenchmarkError(str(output), "cannot be written", "Choose another place: --json") from error
    found = report(reports, baseline(sets, corpora, tagger.taxonomy) if corpora else {})
    found.give(markdown)
    if card:
        to_card(found, tagger.bundle)


def shipped(data: Path) -> Report:
    """What `main` shows, of the bundle and the corpora that ship."""
    tagger = Tagger.load(PRETRAINED)
    sets = read_sets(data)
    reports = {name: measure(tagger, records) for name, records in sets.items()}
    return report(reports, baseline(sets, CORPORA, tagger.taxonomy))


def to_card(found: Report, bundle: Bundle) -> None:
    """Put the tables of `found` at the end of the bundle's card, in the place of earlier ones."""
    card = bundle.path / LAYOUT.card
    if START not in card.read_text(encoding="utf-8"):
        with card.open("a", encoding="utf-8") as page:
            page.write(_CARD)
    write(card, found.markdown())
    bundle.seal()


def measure(tagger: Tagger, records: Sequence[Record]) -> dict[str, dict[str, Any]]:
    """The figures of `training.evaluate` for `all` records and by source."""
    parts = {"all": records} | {
        source: [record for record in records if record.source == source] for source in _SOURCES
    }
    return {name: evaluate(tagger, found) for name, found in track(parts.items(), "tagging", transient=True)}


def baseline(sets: Mapping[str, Sequence[Record]], corpora: Path, taxonomy: Taxonomy) -> dict[str, dict[str, Any]]:
    """The figures of TF-IDF and logistic regression on each set of records, of the group of intents alone."""
    intents = replace(taxonomy, groups=(taxonomy.group("intent"),))
    fitted = Baseline(split(read_records(corpora, taxonomy)), intents)
    return {name: fitted.evaluate(records) for name, records in sets.items()}


def read_sets(data: Path, *, watchlist: bool = True) -> dict[str, list[Record]]:
    """What `read` finds of each of `SETS`."""
    return {name: read(data, watchlist=watchlist, labels=labels) for name, labels in SETS.items()}


def read(data: Path, *, watchlist: bool = True, labels: Path = LABELS) -> list[Record]:
    """The labelled mentions with their texts; one whose text `data` does not hold is left out.

    BenchmarkError if a file of `data` cannot be read, or holds none of the texts.
    """
    try:
        texts = {hashlib.sha256(text.encode()).hexdigest(): text for text in _texts(data)}
    except (OSError, ValueError, KeyError) as error:
        raise BenchmarkError(str(data), "does not hold the public data", "Give its folder by --data") from error
    records = []
    for source in _SOURCES:
        listener = _LISTENERS.get(source) if watchlist else None
        for line in (labels / f"{source}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            text = texts.get(row.pop("sha256"))
            if text is not None:
                row |= {"text": text, "source": source}
                row["watchlist"] = [listener.to_dict()] if listener else []
                records.append(Record.from_dict(row))
    if not records:
        raise BenchmarkError(str(data), "holds none of the labelled mentions", "Give the folder of the public data")
    return records


def _texts(data: Path) -> Iterator[str]:
    for name, delimiter in (("fr_telecom", ";"), ("it_public_body", ",")):
        with (data / "mentions" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            yield from (row["message"] for row in csv.DictReader(file, delimiter=delimiter))
    for path in (*(data / "minibar").glob("*.jsonl"), *(data / "xlmt").glob("*_test.jsonl")):
        yield from (json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines())


def macro_f1(group: Mapping[str, Any]) -> float | None:
    """Over the tags with SUPPORT cases or more; None if none has so many."""
    scores = [tag["f1"] for tag in group["tags"].values() if tag["support"] >= SUPPORT]
    return sum(scores) / len(scores) if scores else None


def report(
    reports: Mapping[str, Mapping[str, Mapping[str, Any]]], baselines: Mapping[str, Mapping[str, Any]]
) -> Report:
    """Of each set a table by source, with its baseline's line if there is one, and a table of the intents."""
    return Report(
        tables=tuple(table for name, found in reports.items() for table in _tables(name, found, baselines.get(name))),
        notes=(
            f"Micro- and macro-F1 in points; macro over the intents with {SUPPORT} cases or more there, a dash if "
            "there is none; false alarms: of the mentions without intent, the share that gets one, in %; leaves and "
            "parents: micro-F1 of topics.",
        ),
    )


def _tables(
    name: str, reports: Mapping[str, Mapping[str, Any]], baseline: Mapping[str, Any] | None
) -> tuple[Table, Table]:
    columns = ("source", "mentions", "intent micro", f"macro ({SUPPORT}+)", "false alarms", "ECE", "leaves", "parents")
    rows = [_row(source, found) for source, found in reports.items()]
    if baseline:
        rows.insert(1, _row("all, by TF-IDF", baseline))
    tags = tuple(
        (tag, *(percent(part[key], 1) for key in ("precision", "recall", "f1")), str(part["support"]))
        for tag, part in reports["all"]["groups"]["intent"]["tags"].items()
    )
    return (
        Table(f"Real mentions: {name}", columns, tuple(rows)),
        Table(f"Intents: {name}", ("intent", "precision", "recall", "F1", "cases"), tags),
    )


def _row(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    intent, topic = found["groups"]["intent"], found["groups"].get("topic")
    macro = macro_f1(intent)
    shares = (percent(intent["micro_f1"], 1), "–" if macro is None else percent(macro, 1))
    topics = [percent(topic[level]["micro_f1"], 1) for level in ("leaf", "parent")] if topic else ["", ""]
    return (name, str(found["n"]), *shares, percent(intent["false_alarm_rate"], 1), f"{intent['ece']:.3f}", *topics)


if __name__ == "__main__":
    start(app)
