"""`tympan labels audit`: labels that a model finds improbable, the worst first."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from labels.audit import audit, queue
from labels.dataset import fingerprint, save
from labels.record import Record, write
from labels.versions import add
from model.bundle import Bundle
from model.tagger import Tagger
from tests.bundles import keyword_bundle, tiny_taxonomy
from tests.labels.records import jumble
from tympan import app

TAGS = tiny_taxonomy()
PHRASES = {
    "panne": {"intent": ("friction",), "topic": ("service/outage",)},
    "résilie": {"intent": ("churn",), "topic": ()},
    "cher": {"intent": (), "topic": ("price/level",)},
    "merci": {"intent": ("praise",), "topic": ()},
    "rien": {"intent": (), "topic": ()},
}
"""A word → the tags that the tiny model gives for it, and that are right."""


def right(count: int = 100) -> list[Record]:
    chance = random.Random(3)  # noqa: S311  no secret
    words = list(PHRASES)
    return [
        Record(id=f"r{n:03}", text=f"{words[n % 5]} {jumble(chance, 4)}", lang="fr", tags=PHRASES[words[n % 5]])
        for n in range(count)
    ]


def planted() -> list[Record]:
    """Right ones, but for r000 (an outage that is not there any more), r001 and r004 (tags that are not true)."""
    records = right()
    records[0] = replace(records[0], tags={"intent": ("friction",), "topic": ()})
    records[1] = replace(records[1], tags={"intent": ("churn", "praise"), "topic": ()})
    records[4] = replace(records[4], tags={"intent": (), "topic": ("price/level",)})
    return records


PLANTED = {
    ("r000", "topic", "service/outage", False),
    ("r001", "intent", "praise", True),
    ("r004", "topic", "price/level", True),
}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["labels", "audit", *map(str, arguments)])


def test_planted_errors_come_first_and_right_labels_do_not_come(tagger: Tagger) -> None:
    records = planted()
    found = audit(records, tagger.probabilities([record.prepared() for record in records]), TAGS)
    assert {(one.record.id, one.group, one.tag, one.given) for one in found} == PLANTED
    assert all(one.likely < 0.05 for one in found)


def test_errors_are_found_among_noisy_probabilities_the_least_likely_label_first() -> None:
    chance = np.random.default_rng(5)
    tags = [path for path in TAGS.group("intent").paths if path != "help"]
    truth = chance.random((600, 4)) < 0.2
    probabilities = np.full((600, len(TAGS.labels)), 0.1)
    columns = [TAGS.labels.index(f"intent/{tag}") for tag in tags]
    probabilities[:, columns] = np.clip(np.where(truth, 0.8, 0.15) + chance.normal(0, 0.1, truth.shape), 0.001, 0.999)
    wrong = {
        (int(row), int(tag)) for row, tag in zip(chance.choice(600, 40, replace=False), [0, 1, 2, 3] * 10, strict=True)
    }
    for cell in wrong:
        truth[cell] = not truth[cell]
    given = [{"intent": tuple(tag for tag, has in zip(tags, row, strict=True) if has)} for row in truth]
    records = [Record(id=str(number), text=f"text {number}", tags=own) for number, own in enumerate(given)]
    found = audit(records, probabilities, TAGS)
    cells = [(int(one.record.id), tags.index(one.tag)) for one in found]
    assert len(wrong.intersection(cells)) >= 24
    assert {*cells[:20]} <= wrong
    assert [one.likely for one in found] == sorted(one.likely for one in found)


def test_cells_that_are_unsure_or_unlabelled_are_not_judged(tagger: Tagger) -> None:
    records = planted()
    records[0] = replace(records[0], unsure={"topic": ("service/outage",)})
    records[4] = replace(records[4], tags={"intent": ()})
    found = audit(records, tagger.probabilities([record.prepared() for record in records]), TAGS)
    assert {one.record.id for one in found} == {"r001"}


def test_a_record_with_several_errors_is_queued_once_with_every_reason(tagger: Tagger) -> None:
    records = right()
    records[0] = replace(records[0], target="Acme", tags={"intent": (), "topic": ()})
    (row,) = queue(audit(records, tagger.probabilities([record.prepared() for record in records]), TAGS))
    assert (row["id"], row["text"], row["target"]) == ("r000", records[0].text, "Acme")
    assert sorted(str(row["reason"]).split("; ")) == [
        "intent/friction missing, 1.8% likely",
        "topic/service/outage missing, 1.8% likely",
    ]


def test_the_table_shows_no_text_unless_asked_and_the_queue_has_it(bundle: Path, tmp_path: Path) -> None:
    data, output = tmp_path / "data.jsonl", tmp_path / "again.jsonl"
    write(data, planted())
    result = run(data, "--bundle", bundle, "-o", output)
    assert result.exit_code == 0, result.output
    assert "3 likely errors in 3 of 100 records" in result.output
    assert "r000" in result.output and "missing" in result.output
    text = planted()[0].text
    assert not any(word in result.output for word in text.split()[1:])
    assert text.split()[1] in run(data, "--bundle", bundle, "--show-text").output
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert {row["id"] for row in rows} == {"r000", "r001", "r004"}
    assert {row["text"] for row in rows} == {
        record.text for record in planted() if record.id in {"r000", "r001", "r004"}
    }
    assert "likely errors" in run(data, "--bundle", bundle, "--limit", "1").output


@pytest.mark.parametrize("kind", ["file", "dataset", "versions"])
def test_a_model_that_was_trained_on_the_records_is_said_to_be(bundle: Path, tmp_path: Path, kind: str) -> None:
    data, records = tmp_path / "data", planted()
    if kind == "file":
        data = tmp_path / "data.jsonl"
        write(data, records)
    elif kind == "dataset":
        save(data, {"train": records}, taxonomy=TAGS)
    else:
        add(data, records, taxonomy=TAGS)
        add(data, records[:90], taxonomy=TAGS)  # the model is of the version before
    trained = keyword_bundle(tmp_path / "trained")
    for provenance in ({"data": fingerprint(records)}, {"data": "a part of it", "dataset": fingerprint(records)}):
        replace(Bundle.read(trained), provenance=provenance).seal()
        assert "was trained on these records" in run(data, "--bundle", trained).output
    assert "was trained" not in run(data, "--bundle", bundle).output


def test_records_of_another_tag_set_are_refused_in_one_line(bundle: Path, tmp_path: Path) -> None:
    write(tmp_path / "data.jsonl", [replace(right(1)[0], tags={"intent": ("rage",)})])
    result = run(tmp_path / "data.jsonl", "--bundle", bundle)
    assert result.exit_code == 2
    assert "no tag 'rage'" in result.output
    assert len(result.output.splitlines()) == 1
