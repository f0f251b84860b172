"""Agreement of two readers, against figures worked out by hand, and the readings that are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.agreement import READINGS, Readings, alpha, kappa
from benchmarks.corpora import CORPORA
from labels import record
from model.taxonomy import DEFAULT, Taxonomy

TAXONOMY = Taxonomy.load(DEFAULT)
ROWS = [json.loads(line) for path in sorted(READINGS.glob("*.jsonl")) for line in path.open(encoding="utf-8")]


def test_agreement_is_what_the_formulas_say() -> None:
    """Of 10 records both give the tag to 2, only the first to 1, only the second to 1.

    Kappa: observed 0.8, by chance 0.3² + 0.7² = 0.58. Alpha: observed disagreement 0.2, by chance 2·6·14 / (20·19).
    """
    first = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], dtype=np.bool_)
    second = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0], dtype=np.bool_)
    cells = np.array([first, second])
    assert kappa(cells) == pytest.approx((0.8 - 0.58) / (1 - 0.58))
    assert alpha(cells) == pytest.approx(1 - 0.2 / (2 * 6 * 14 / (20 * 19)))
    assert kappa(np.array([first, first])) == alpha(np.array([first, first])) == 1


def test_a_leaf_counts_for_its_parent(tmp_path: Path) -> None:
    one = {"intent": ["help"], "topic": ["price/fees"]}
    other = {"intent": [], "topic": ["price"]}
    row = {"id": "r", "lang": "fr", "readings": [one, other]}
    (tmp_path / "fr.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    cells = Readings.read(TAXONOMY, tmp_path).cells[:, 0]
    given = [{TAXONOMY.labels[column] for column in np.flatnonzero(reader)} for reader in cells]
    assert given == [{"intent/help", "topic/price", "topic/price/fees"}, {"topic/price"}]


def test_three_hundred_records_were_read_twice_and_disagreements_settled() -> None:
    assert len(ROWS) == len({row["id"] for row in ROWS}) == 300
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
