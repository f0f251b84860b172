"""Labels from files and corrections, and when there are enough of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labels.errors import FeedbackStoreError, RecordError
from labels.feedback.correction import Correction
from labels.feedback.store import FeedbackStore
from labels.record import Record, write
from labels.task import EVENTS
from labels.versions import add
from model.errors import RegistryError
from model.registry import Registry
from tests.bundles import keyword_bundle, tiny_taxonomy
from training.gather import Sources, gather
from training.order import Order
from training.trigger import due

TAGS = tiny_taxonomy()


def correction(text: str, *tags: str, who: str = "ann") -> Correction:
    return Correction(mention=text, text=text, group="intent", tags=tags, who=who, at=datetime.now(UTC))


def record(name: str, text: str, *tags: str) -> Record:
    return Record(id=name, text=text, lang="fr", tags={"intent": tags})


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    write(tmp_path / "new.jsonl", [record("a", "je pars", "churn")])
    store = FeedbackStore(tmp_path)
    store.add([correction("une panne", "friction"), correction("bof", "churn"), correction("bof", who="ben")])
    store.close()
    return Sources(files=[tmp_path / "new.jsonl"], copies=tmp_path / "copies", feedback=tmp_path)


@pytest.fixture
def order(sources: Sources, tmp_path: Path) -> Order:
    registry = Registry(tmp_path / "models")
    registry.promote(registry.add(keyword_bundle(tmp_path / "bundle")), who="ann", why="the first")
    return Order(registry=registry, dataset=tmp_path / "labels", base=tmp_path / "base.jsonl", sources=sources)


def test_files_come_first_and_corrections_last_and_disputes_are_told(sources: Sources) -> None:
    told: list[str] = []
    found = gather(sources, TAGS, tell=told.append)
    assert [(one.text, one.tags["intent"]) for one in found] == [("je pars", ("churn",)), ("une panne", ("friction",))]
    assert told == ["1 corrected mentions are disputed: see tympan labels corrections --disputed"]


def test_a_file_that_cannot_be_read_is_named(sources: Sources, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"gone\.jsonl"):
        gather(replace(sources, files=[tmp_path / "gone.jsonl"]), TAGS)


def test_it_is_due_the_first_time_and_then_when_enough_is_new(order: Order) -> None:
    assert due(order, enough=50, state=None) == "the first time"
    known = [record(f"old-{number}", f"texte {number}", "churn") for number in range(30)]
    add(order.dataset, known, taxonomy=TAGS)
    assert due(order, enough=3, state=None) == ""
    assert due(order, enough=2, state=None) == "labels that are new: 2"
    add(order.dataset, [*known, *gather(order.sources, TAGS)], taxonomy=TAGS)
    assert due(order, enough=1, state=None) == ""


def test_a_label_that_changed_is_a_new_one(order: Order) -> None:
    known = [record("a", "je pars", "friction"), record("b", "une panne", "friction"), record("c", "ok")]
    add(order.dataset, known, taxonomy=TAGS)
    assert due(order, enough=1, state=None) == "labels that are new: 1"


def test_the_order_in_which_tags_are_written_is_no_news(order: Order, tmp_path: Path) -> None:
    add(order.dataset, [record("a", "je pars", "churn", "friction")], taxonomy=TAGS)
    write(tmp_path / "new.jsonl", [record("a", "je pars", "friction", "churn")])
    assert due(replace(order, sources=replace(order.sources, feedback=None)), enough=1, state=None) == ""


def test_a_registry_without_a_champion_is_told_by_what_is_missing(order: Order, tmp_path: Path) -> None:
    add(order.dataset, [record("a", "ok")], taxonomy=TAGS)
    with pytest.raises(RegistryError, match="has no champion"):
        due(replace(order, registry=Registry(tmp_path / "typo")), enough=1, state=None)


def test_a_url_that_is_none_does_not_show_its_password(sources: Sources) -> None:
    with pytest.raises(FeedbackStoreError) as caught:
        gather(replace(sources, feedback="postgresql:/ann:secret@host/db"), TAGS)
    assert "--feedback: is no folder" in str(caught.value) and "secret" not in str(caught.value)


def test_it_is_due_when_somebody_asks_in_label_studio_after_the_last_time(order: Order, tmp_path: Path) -> None:
    add(order.dataset, [record("a", "ok")], taxonomy=TAGS)
    now = datetime.now(UTC)
    lines = [{"action": "ANNOTATION_CREATED"}, {"action": "START_TRAINING"}]
    (tmp_path / EVENTS).write_text(
        "".join(json.dumps({"time": now.isoformat(timespec="milliseconds"), **line}) + "\n" for line in lines)
        + '{"time": "20',
        encoding="utf-8",
    )
    assert due(order, enough=99, state=tmp_path) == "asked for in Label Studio"
    order.registry.tell("unchanged", since=(now + timedelta(seconds=1)).isoformat())
    assert due(order, enough=99, state=tmp_path) == ""


def test_with_few_new_labels_it_is_due_if_mentions_have_drifted(order: Order) -> None:
    add(order.dataset, [record(f"old-{number}", f"texte {number}", "churn") for number in range(30)], taxonomy=TAGS)
    alike = [record(f"r-{number}", f"texte {number} encore", "churn") for number in range(120)]
    other = [replace(one, lang="de", text=f"panne {one.id}") for one in alike]
    assert due(replace(order, recent=alike), enough=10, state=None) == ""
    assert due(replace(order, recent=other), enough=10, state=None, drift_age=timedelta(hours=1)) == ""
    assert due(replace(order, recent=other), enough=10, state=None).startswith("recent mentions differ in ")
    assert due(replace(order, recent=other), enough=11, state=None) == ""
    told = {drift["what"]: drift for drift in order.registry.drift()["drifts"]}
    assert told["languages"]["large"] and told["languages"]["most"] == "de"
