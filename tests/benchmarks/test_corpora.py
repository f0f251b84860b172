"""The page of the corpora shows what they hold."""

from __future__ import annotations

from benchmarks.corpora import report
from benchmarks.places import CORPORA
from labels.record import read
from model.taxonomy import DEFAULT, Taxonomy

TAXONOMY = Taxonomy.load(DEFAULT)
RECORDS = read(CORPORA, TAXONOMY)


def test_the_tables_of_the_page_are_those_of_the_records() -> None:
    page = (CORPORA / "README.md").read_text(encoding="utf-8")
    assert report(RECORDS, TAXONOMY).markdown() in page, (
        "run python -m benchmarks.corpora --markdown labels/corpora/README.md"
    )


def test_counts_are_of_records_and_of_texts() -> None:
    tables = {table.title: table for table in report(RECORDS, TAXONOMY).tables}
    (records, *_), (texts, *_) = (tables[title].rows for title in ("Records", "Texts"))
    assert sum(int(count.replace(",", "")) for count in records[1:]) == len(RECORDS)
    assert sum(int(count.replace(",", "")) for count in texts[1:]) == len({record.text for record in RECORDS})


def test_every_intent_and_leaf_has_the_cases_that_learning_it_takes() -> None:
    """150 of every intent and 20 of every leaf in each language, and 250 records without any intent."""
    for lang in ("fr", "it", "en"):
        own = [record for record in RECORDS if record.lang == lang]
        assert len({record.text for record in own}) >= 1_200
        assert sum(not record.tags["intent"] for record in own) >= 250
        for intent in TAXONOMY.group("intent").paths:
            assert sum(intent in record.tags["intent"] for record in own) >= 150, (lang, intent)
        for topic in TAXONOMY.group("topic").paths:
            if "/" in topic:
                assert sum(topic in record.tags["topic"] for record in own) >= 20, (lang, topic)
