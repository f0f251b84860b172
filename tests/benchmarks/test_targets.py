"""Whole sets of intents are right or not, and one that is another organisation's is told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import targets
from benchmarks.errors import BenchmarkError
from labels.record import Record, write
from model.tagger import Tagger
from model.watchlist import Organisation
from tests.bundles import keyword_bundle

BOTH = (Organisation("Aria"), Organisation("Brio", "competitor"))


def record(number: int, text: str, target: str | None, *intents: str) -> Record:
    watchlist = BOTH if target else ()
    return Record(id=str(number), text=text, lang="fr", target=target, watchlist=watchlist, tags={"intent": intents})


def test_what_is_right_for_the_other_organisation_is_counted_as_such(tmp_path: Path) -> None:
    tagger = Tagger.load(keyword_bundle(tmp_path / "bundle"))
    records = [
        record(1, "merci", None, "praise"),
        record(2, "panne", None),  # which gets friction
        record(3, "merci, bravo Aria, pas Brio", "Aria", "praise"),
        record(4, "merci, bravo Aria, pas Brio", "Brio"),  # it says praise of both
    ]
    (table,) = targets.measure(tagger, records).tables
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["one organisation or none"] == ("2", "50.0", "100.0", "50.0", "0.0", "66.7")
    assert rows["several"] == rows["several, fr"] == ("2", "50.0", "100.0", "50.0", "50.0", "66.7")


def test_records_that_the_bundle_was_not_made_of_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "records.jsonl", [record(1, "merci", None, "praise")])
    with pytest.raises(BenchmarkError, match="are not the records"):
        targets.main(keyword_bundle(tmp_path / "bundle"), tmp_path / "records.jsonl")
