"""The readings that are kept, and what the corpora made of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.agreement import READINGS, Readings
from benchmarks.places import CORPORA
from labels import record
from model.taxonomy import DEFAULT, Taxonomy

TAXONOMY = Taxonomy.load(DEFAULT)
FILES = sorted(READINGS.glob("*.jsonl"))
ROWS = [json.loads(line) for path in FILES for line in path.open(encoding="utf-8")]


def test_a_leaf_counts_for_its_parent(tmp_path: Path) -> None:
    one = {"intent": ["help"], "topic": ["price/fees"]}
    other = {"intent": [], "topic": ["price"]}
    row = {"id": "r", "lang": "fr", "readings": [one, other]}
    (tmp_path / "fr.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    cells = Readings.read(TAXONOMY, tmp_path).cells[:, 0]
    given = [{TAXONOMY.labels[column] for column in np.flatnonzero(reader)} for reader in cells]
    assert given == [{"intent/help", "topic/price", "topic/price/fees"}, {"topic/price"}]


def test_1769_records_were_read_twice_and_where_the_readings_differ_it_is_settled() -> None:
    assert len(ROWS) == len({row["id"] for row in ROWS}) == 1_769
    for row in ROWS:
        for tags in (*row["readings"], row.get("settled", {})):
            for group, given in tags.items():
                assert set(given) <= set(TAXONOMY.group(group).paths), row["id"]
        differ = any(set(row["readings"][0][group]) != set(row["readings"][1][group]) for group in ("intent", "topic"))
        assert ("settled" in row) == differ, row["id"]


def test_the_corpora_carry_what_was_settled() -> None:
    labelled = {found.id: found.tags for path in CORPORA.rglob("*.jsonl") for found in record.read(path, TAXONOMY)}
    for row in ROWS:
        settled = row.get("settled", row["readings"][0])
        assert {group: set(given) for group, given in labelled[row["id"]].items()} == {
            group: set(given) for group, given in settled.items()
        }, row["id"]
