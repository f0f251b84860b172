"""Labels of real mentions find their texts by hash, and the figures are those of the bundle on them."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import mentions
from benchmarks.errors import BenchmarkError
from labels import record
from model.bundle import LAYOUT, Bundle
from model.tagger import Tagger
from tests.bundles import keyword_bundle
from tests.labels.records import corpus

FEEDS = {"fr_telecom": ("je résilie", ["churn"]), "it_public_body": ("grazie mille", ["praise"])}
REVIEW, POST = ("an outage again", ["friction"]), ("nothing to see", [])


def line(text: str, intents: list[str], lang: str) -> str:
    tags = {"intent": intents, "topic": []}
    digest = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps({"id": f"real-{digest[:6]}", "lang": lang, "sha256": digest, "tags": tags}) + "\n"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Public data of one text a source, and labels of it: one more is labelled than the data holds."""
    data, labels = tmp_path / "data", tmp_path / "labels"
    for folder in (data / "mentions", data / "minibar", data / "xlmt", labels):
        folder.mkdir(parents=True)
    for delimiter, (name, (text, intents)) in zip(";,", FEEDS.items(), strict=True):
        with (data / "mentions" / f"{name}.csv").open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows([["message"], [text]])
        (labels / f"{name}.jsonl").write_text(line(text, intents, name[:2]), encoding="utf-8")
    for name, (text, intents) in {"minibar_en": REVIEW, "xlmt_en": POST}.items():
        kind, lang = name.split("_")
        file = data / kind / (f"{lang}.jsonl" if kind == "minibar" else f"{lang}_test.jsonl")
        file.write_text(json.dumps({"text": text}) + "\n", encoding="utf-8")
        (labels / f"{name}.jsonl").write_text(line(text, intents, lang) + line("gone", [], lang), encoding="utf-8")
    for name in ("minibar_fr", "xlmt_it"):
        (labels / f"{name}.jsonl").write_text("", encoding="utf-8")
    return data, labels


def test_every_labelled_mention_that_the_data_holds_is_read_towards_who_listens(folders: tuple[Path, Path]) -> None:
    data, labels = folders
    found = mentions.read(data, labels=labels)
    assert {record.text for record in found} == {text for text, _ in (*FEEDS.values(), REVIEW, POST)}
    assert {record.source for record in found if record.watchlist} == set(FEEDS)
    assert not any(record.watchlist for record in mentions.read(data, labels=labels, watchlist=False))


def test_a_bundle_that_knows_the_words_is_right_and_the_table_says_so(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    data, labels = folders
    tagger = Tagger.load(keyword_bundle(tmp_path / "bundle"))
    records = mentions.read(data, labels=labels)
    reports = mentions.measure(tagger, records)
    assert reports["all"]["n"] == 4
    assert reports["fr_telecom"]["groups"]["intent"]["tags"]["churn"]["f1"] == 1
    table, intents, held_out, _ = mentions.report({"development": reports, "held out": reports}, {}).tables
    assert held_out.rows == table.rows
    assert [row[:2] for row in table.rows][:2] == [("all", "4"), ("fr_telecom", "1")]
    assert ("churn", "100.0", "100.0", "100.0", "1") in intents.rows


def test_the_tables_stand_once_in_the_card_of_a_bundle_that_is_whole_again(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    data, labels = folders
    path = keyword_bundle(tmp_path / "bundle")
    tagger = Tagger.load(path)
    found = mentions.report({"development": mentions.measure(tagger, mentions.read(data, labels=labels))}, {})
    for _ in range(2):
        mentions.to_card(found, tagger.bundle)
    card = Bundle.read(path).path / LAYOUT.card
    assert card.read_text(encoding="utf-8").count("**Real mentions: development**") == 1


def test_the_baseline_learns_the_intents_of_the_corpora(folders: tuple[Path, Path], tmp_path: Path) -> None:
    told = [("je résilie", "churn"), ("grazie mille", "praise"), ("an outage again", "friction")]
    told += [("how do I", "help"), ("vorrei comprare", "purchase")]
    found = corpus(120)
    learnt = [
        record.Record(
            id=f"r{at}", text=f"{one.text} {told[at % 5][0]}", lang=one.lang, tags={"intent": (told[at % 5][1],)}
        )
        for at, one in enumerate(found)
    ]
    record.write(tmp_path / "learnt.jsonl", learnt)
    data, labels = folders
    taxonomy = Tagger.load(keyword_bundle(tmp_path / "bundle")).taxonomy
    sets = {"development": mentions.read(data, labels=labels)}
    figures = mentions.baseline(sets, tmp_path / "learnt.jsonl", taxonomy)["development"]
    assert list(figures["groups"]) == ["intent"]
    assert figures["groups"]["intent"]["tags"]["churn"]["recall"] == 1


@pytest.mark.parametrize("hold", [False, True], ids=["missing", "of other texts"])
def test_data_without_the_mentions_is_refused_in_one_line(
    folders: tuple[Path, Path], tmp_path: Path, hold: bool
) -> None:
    data, labels = folders
    with pytest.raises(BenchmarkError, match="holds none" if hold else "does not hold"):
        mentions.read(data if hold else tmp_path / "nowhere", labels=mentions.LABELS if hold else labels)


def test_no_text_is_in_both_sets_or_twice_in_one() -> None:
    rows = [
        json.loads(line) for labels in mentions.SETS.values() for file in labels.glob("*.jsonl") for line in file.open()
    ]
    assert len(rows) == len({row["sha256"] for row in rows}) == len({row["id"] for row in rows}) == 600 + 599


def test_help_shows_examples() -> None:
    shown = CliRunner().invoke(mentions.app, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert "For example:" in shown and "python -m benchmarks.mentions" in shown
