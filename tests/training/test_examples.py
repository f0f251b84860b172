"""Records as the network reads them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels.record import Record
from model.watchlist import OTHER, TARGET, Organisation
from tests.training.toys import TOY, toy_records
from training.encoder import Encoder
from training.examples import Examples, truth

LABELS = list(TOY.labels)


def record(tags: dict[str, tuple[str, ...]], unsure: dict[str, tuple[str, ...]] | None = None) -> Record:
    return Record(id="r", text="texte", tags=tags, unsure=unsure or {})


def cells(found: np.ndarray) -> set[str]:
    """The labels whose cell of the only row is not zero."""
    return {LABELS[column] for column in np.flatnonzero(found[0])}


def test_parents_follow_from_their_children() -> None:
    targets, _ = truth([record({"topic": ("price/fees",)})], TOY)
    assert cells(targets) == {"topic/price", "topic/price/fees"}


def test_a_group_that_is_missing_is_unknown_and_an_empty_one_is_known() -> None:
    targets, known = truth([record({"intent": ()})], TOY)
    assert cells(targets) == set()
    assert cells(known) == {"intent/churn", "intent/praise"}


def test_an_unsure_tag_is_unknown_and_so_is_its_parent() -> None:
    _, known = truth([record({"topic": ()}, {"topic": ("price/fees",)})], TOY)
    assert cells(known) == {"topic/price/level", "topic/network"}


def test_a_parent_is_known_when_another_of_its_children_is_sure() -> None:
    targets, known = truth([record({"topic": ("price/level",)}, {"topic": ("price/fees",)})], TOY)
    assert cells(known) == {"topic/price", "topic/price/level", "topic/network"}
    assert cells(targets) == {"topic/price", "topic/price/level"}


def test_a_tag_that_is_given_and_unsure_is_unknown() -> None:
    _, known = truth([record({"intent": ("churn",)}, {"intent": ("churn",)})], TOY)
    assert cells(known) == {"intent/praise"}


def test_an_exclusive_group_has_its_own_tag_alone_as_the_target() -> None:
    targets, known = truth([record({"mood": ("angry",)})], TOY)
    assert cells(targets) == {"mood/angry"}
    assert cells(known) == {"mood/happy", "mood/angry", "mood/calm"}


def test_the_text_is_prepared_as_the_tagger_prepares_it(encoder: Encoder) -> None:
    watchlist = (Organisation("Acme", "brand", ("@acme",)), Organisation("Rival", "competitor"))
    mention = Record(id="r", text="Je quitte @acme pour Rival", target="Acme", watchlist=watchlist, tags={})
    (ids,) = Examples.encode([mention], TOY, encoder.tokenizer, 32).ids
    target, other = (encoder.tokenizer.token_to_id(token) for token in (TARGET, OTHER))
    assert (ids.count(target), ids.count(other)) == (1, 1)
    assert ids.index(target) < ids.index(other)


def test_of_a_long_text_the_beginning_is_read_and_the_tokenizer_is_left_as_it_was(encoder: Encoder) -> None:
    mention = Record(id="r", text="merci " * 100, tags={})
    (ids,) = Examples.encode([mention], TOY, encoder.tokenizer, 16).ids
    whole = encoder.tokenizer.encode(mention.prepared()).ids
    assert len(whole) > 100
    assert len(ids) == 16
    assert ids[:15] == whole[:15]
    assert ids[-1] == whole[-1]


def of_lengths(lengths: list[int]) -> Examples:
    empty = np.zeros((len(lengths), 1), dtype=np.float32)
    return Examples([[7] * length for length in lengths], empty, empty)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=300), st.integers(1, 40), st.integers(0, 3) | st.none())
@settings(max_examples=100)
def test_every_text_is_in_one_batch_of_an_epoch(lengths: list[int], size: int, number: int | None) -> None:
    shuffle = None if number is None else np.random.default_rng(number)
    found = list(of_lengths(lengths).batches(size, shuffle=shuffle))
    assert sorted(position for batch in found for position in batch) == list(range(len(lengths)))
    assert max(map(len, found)) <= size


@pytest.mark.parametrize("number", [None, 0])
def test_texts_of_like_length_share_a_batch_so_that_little_is_padding(number: int | None) -> None:
    lengths = list(np.random.default_rng(5).integers(3, 60, 400))
    shuffle = None if number is None else np.random.default_rng(number)
    batches = list(of_lengths(lengths).batches(8, shuffle=shuffle))
    padded = sum(len(batch) * max(lengths[position] for position in batch) for batch in batches)
    assert padded <= 1.1 * sum(lengths)


def test_the_order_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    examples = of_lengths([length % 20 + 1 for length in range(200)])
    one, same, other = (
        [batch.tolist() for batch in examples.batches(8, shuffle=np.random.default_rng(seed))] for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_tensors_are_as_long_as_the_longest_and_masked_beyond_each_text() -> None:
    ids, mask = of_lengths([2, 4, 1]).tensors([0, 2])
    assert ids.tolist() == [[7, 7], [7, 0]]
    assert mask.tolist() == [[1, 1], [1, 0]]


def test_every_record_has_a_row(encoder: Encoder) -> None:
    examples = Examples.encode(toy_records(12), TOY, encoder.tokenizer, 32)
    assert len(examples) == len(examples.ids) == 12
    assert examples.targets.shape == examples.known.shape == (12, len(LABELS))
