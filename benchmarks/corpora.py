"""What the corpora hold, by language, and how far two readers agree on their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import typer

from benchmarks.agreement import Readings
from benchmarks.agreement import report as agreement
from benchmarks.places import CORPORA
from benchmarks.report import MarkdownOption, Report, Table, start
from labels.record import Record, read
from model.taxonomy import DEFAULT, Taxonomy

_LENGTHS = ((5, "1 to 5"), (20, "6 to 20"), (50, "21 to 50"), (1_000, "over 50"))

app = typer.Typer(add_completion=False, help="What the corpora hold.")


def report(records: Sequence[Record], taxonomy: Taxonomy) -> Report:
    """Counts of `records`, and the agreement on those that were read twice."""
    found = agreement(Readings.read(taxonomy))
    targets = Counter(record.text for record in records)
    texts = list({record.text: record for record in records}.values())
    return Report(
        tables=(
            _table(
                "Records", "records", records, lambda record: ["all", *(["with a target"] if record.target else [])]
            ),
            _table("Texts", "texts", texts, lambda record: _kinds(record, targets)),
            *(_table(f"By {group.name}", group.name, records, _tags(group.name)) for group in taxonomy.groups),
            _table("By sector", "sector", records, lambda record: [_source(record)[1]]),
            _table("By register", "register", records, lambda record: [_source(record)[2]]),
            *found.tables,
        ),
        notes=found.notes,
    )


def _tags(group: str) -> Callable[[Record], Iterable[str]]:
    return lambda record: record.tags.get(group, ()) or ("(none)",)


def _source(record: Record) -> list[str]:
    """`invented`, sector, register."""
    return (record.source or "//").split("/")


def _kinds(record: Record, targets: Counter[str]) -> list[str]:
    words = len(record.text.split())
    length = next(name for most, name in _LENGTHS if words <= most)
    return ["all", *(["with several organisations"] if targets[record.text] > 1 else []), f"of {length} words"]


def _table(title: str, heading: str, records: Sequence[Record], way: Callable[[Record], Iterable[str]]) -> Table:
    languages = list(dict.fromkeys(record.lang or "und" for record in records))
    counts = Counter((name, record.lang or "und") for record in records for name in way(record))
    totals: Counter[str] = Counter()
    for (name, _), count in counts.items():
        totals[name] += count
    rows = tuple((name, *(f"{counts[name, lang]:,}" for lang in languages)) for name, _ in totals.most_common())
    return Table(title, (heading, *languages), rows)


@app.command()
def main(markdown: MarkdownOption = None) -> None:
    """Count the corpora's records by language, and show how far two readers agree on them.

    For example:

    python -m benchmarks.corpora --markdown labels/corpora/README.md
    """
    taxonomy = Taxonomy.load(DEFAULT)
    report(read(CORPORA, taxonomy), taxonomy).give(markdown)


if __name__ == "__main__":
    start(app)
