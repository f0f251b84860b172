"""Counts corrected for the errors of the classifier, on data of which the truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labels
from labels.dataset import split
from labels.record import read
from model.bundle import PRETRAINED, Bundle
from model.quantify import LEAST, Corrected, Trial, corrected, trials
from model.tagger import Tagger

CORPORA = Path(labels.__file__).parent / "corpora"
WELL = Trial(hits=84, missed=36, wrong=43, clear=1037)
"""Finds 70% of a tag, and 4% of the others besides."""
COUNTS = st.integers(0, 300)
HALVES = 10
"""Times that the test split is halved anew."""


@dataclass(frozen=True)
class Classifier:
    """Gives a tag by true rates that only the simulation knows."""

    tpr: float
    fpr: float

    def on(self, texts: int, share: float, chance: np.random.Generator) -> Trial:
        """What comes of texts of which so large a share has the tag."""
        cases = int(chance.binomial(texts, share))
        hits, wrong = int(chance.binomial(cases, self.tpr)), int(chance.binomial(texts - cases, self.fpr))
        return Trial(hits=hits, missed=cases - hits, wrong=wrong, clear=texts - cases - wrong)


def truth(came: Trial) -> int:
    return came.hits + came.missed


def given_to(came: Trial) -> int:
    return came.hits + came.wrong


@pytest.mark.parametrize("share", [0.02, 0.04, 0.3, 0.5])
def test_the_corrected_count_is_nearer_to_the_truth_where_the_share_is_another_than_in_the_test_split(
    share: float,
) -> None:
    chance, classifier, nearer = np.random.default_rng(7), Classifier(0.7, 0.04), 0
    for _ in range(200):
        file = classifier.on(2000, share, chance)
        found = corrected(given_to(file), 2000, classifier.on(1200, 0.1, chance))
        assert found
        nearer += abs(found.rows - truth(file)) < abs(given_to(file) - truth(file))
    assert nearer >= 160


def test_the_interval_holds_the_truth_in_about_95_files_of_100() -> None:
    chance = np.random.default_rng(11)
    held = raw_held = told = 0
    while told < 500:
        classifier = Classifier(chance.uniform(0.4, 0.9), chance.uniform(0.005, 0.1))
        texts = int(chance.integers(300, 5000))
        file = classifier.on(texts, chance.uniform(0.01, 0.6), chance)
        found = corrected(given_to(file), texts, classifier.on(1200, chance.uniform(0.03, 0.4), chance))
        if found:
            told += 1
            held += found.low <= truth(file) <= found.high
            raw_held += found.low <= given_to(file) <= found.high
    assert 0.93 <= held / told <= 0.99
    assert raw_held / told <= 0.5  # an interval that held everything would be no achievement


def test_a_count_is_corrected_as_the_formula_says() -> None:
    found = corrected(300, 2000, WELL)
    assert found
    assert found.rows == round(2000 * (300 / 2000 - 43 / 1080) / (84 / 120 - 43 / 1080))


def test_few_tested_texts_and_few_counted_ones_make_the_interval_wide() -> None:
    def width(found: Corrected | None, texts: int) -> float:
        assert found
        return (found.high - found.low) / texts

    less_tested = Trial(hits=14, missed=6, wrong=7, clear=173)
    assert width(corrected(3000, 20_000, less_tested), 20_000) > 2 * width(corrected(3000, 20_000, WELL), 20_000)
    assert width(corrected(15, 100, WELL), 100) > 2 * width(corrected(3000, 20_000, WELL), 20_000)


@pytest.mark.parametrize(
    "by",
    [
        Trial(hits=LEAST - 1, missed=0, wrong=0, clear=1000),
        Trial(hits=1000, missed=0, wrong=0, clear=LEAST - 1),
        Trial(hits=19, missed=81, wrong=100, clear=900),
        Trial(hits=10, missed=90, wrong=900, clear=100),
        Trial(hits=0, missed=50, wrong=0, clear=1000),
        Trial(hits=0, missed=0, wrong=0, clear=0),
    ],
)
def test_what_cannot_be_told_is_not_invented(by: Trial) -> None:
    assert corrected(50, 1000, by) is None


def test_from_ten_tested_texts_on_there_is_a_corrected_count() -> None:
    assert corrected(50, 1000, Trial(hits=LEAST, missed=0, wrong=0, clear=1000))


def test_as_many_as_false_alarms_alone_would_be_are_none_and_as_many_as_if_all_had_the_tag_are_all() -> None:
    nothing, all_of_it = corrected(35, 1000, WELL), corrected(705, 1000, WELL)
    assert nothing
    assert all_of_it
    assert (nothing.rows, nothing.low) == (0, 0)
    assert (all_of_it.rows, all_of_it.high) == (1000, 1000)


@pytest.mark.parametrize("found", [0, 10, 900, 1000])
def test_a_share_that_the_rates_of_the_tests_do_not_allow_cannot_be_corrected_by_them(found: int) -> None:
    assert corrected(found, 1000, WELL) is None


@given(st.integers(0, 1000), st.builds(Trial, COUNTS, COUNTS, COUNTS, COUNTS))
def test_a_count_lies_in_its_interval_and_that_within_the_texts(found: int, by: Trial) -> None:
    count = corrected(found, 1000, by)
    if count:
        assert 0 <= count.low <= count.rows <= count.high <= 1000
        assert count == corrected(found, 1000, by)


@given(st.integers(1, 300), COUNTS, COUNTS, COUNTS)
def test_the_counts_of_a_test_split_follow_from_its_figures(hits: int, missed: int, wrong: int, clear: int) -> None:
    figures = {"precision": hits / (hits + wrong), "recall": hits / (hits + missed), "support": hits + missed}
    assert Trial.of(figures, hits + missed + wrong + clear) == Trial(hits, missed, wrong, clear)


def test_a_tag_that_was_never_given_rightly_has_no_hits() -> None:
    found = Trial.of({"precision": 0.0, "recall": 0.0, "support": 20}, 500)
    assert found == Trial(hits=0, missed=20, wrong=0, clear=480)
    assert not found.told


def test_a_bundle_that_was_not_tested_says_nothing() -> None:
    assert trials({}) == {}


def test_the_bundle_that_ships_says_what_came_of_every_tag() -> None:
    bundle = Bundle.read(PRETRAINED)
    found = trials(bundle.metrics)
    assert set(found) == set(bundle.taxonomy.labels)
    for name, group in bundle.metrics["test"]["groups"].items():
        for path, figures in group["tags"].items():
            came = found[f"{name}/{path}"]
            assert sum((came.hits, came.missed, came.wrong, came.clear)) == group["n"]
            assert given_to(came) == pytest.approx(came.hits / (figures["precision"] or 1), abs=1e-6)


@pytest.fixture(scope="module")
def sides() -> tuple[np.ndarray, np.ndarray]:
    """What people say and what the bundle that ships gives, (texts, labels), on texts that it never learnt from."""
    tagger = Tagger.load(PRETRAINED)
    records = split(read(CORPORA, tagger.taxonomy), seed=0)["test"]
    given_tags = tagger.decoder.decisions(tagger.probabilities([record.prepared() for record in records]))
    tags = [label.partition("/")[::2] for label in tagger.taxonomy.labels]
    closed = [{group: record.closed(group) for group in record.tags} for record in records]
    wanted = np.array([[path in found.get(group, ()) for group, path in tags] for found in closed])
    return wanted, given_tags


def came_of(wanted: np.ndarray, given_tags: np.ndarray) -> Trial:
    """What came of one tag, from what was wanted and given (texts)."""
    return Trial(
        *(
            int(part.sum())
            for part in (wanted & given_tags, wanted & ~given_tags, ~wanted & given_tags, ~wanted & ~given_tags)
        )
    )


def resampled(
    wanted: np.ndarray, given_tags: np.ndarray, factor: float, chance: np.random.Generator
) -> Iterator[tuple[int, int, int, Corrected]]:
    """Of each tag: texts, truth, given and corrected, where the tag is `factor` times as frequent as in the split.

    The rates are those of one half of the split. The texts are of the other, no one twice: some of those with or
    without the tag are left out.
    """
    order = chance.permutation(len(wanted))
    known, other = order[: len(order) // 2], order[len(order) // 2 :]
    for tag in range(wanted.shape[1]):
        by = came_of(wanted[known, tag], given_tags[known, tag])
        cases, clear = (other[wanted[other, tag] == has] for has in (True, False))
        odds = len(cases) / len(clear)
        share = min(factor * len(cases) / len(other), 0.8)
        kept = share / (1 - share) / odds
        texts = np.concatenate([cases[: round(len(cases) * min(kept, 1))], clear[: round(len(clear) / max(kept, 1))]])
        found = corrected(int(given_tags[texts, tag].sum()), len(texts), by)
        if found:
            yield len(texts), int(wanted[texts, tag].sum()), int(given_tags[texts, tag].sum()), found


@pytest.mark.parametrize(("factor", "nearer"), [(0.25, "corrected"), (1, "raw"), (2, "corrected"), (4, "corrected")])
def test_of_the_bundle_that_ships_corrected_counts_are_nearer_far_from_the_share_of_its_tests_and_raw_ones_at_it(
    sides: tuple[np.ndarray, np.ndarray], factor: float, nearer: str
) -> None:
    chance = np.random.default_rng(3)
    files = [file for _ in range(HALVES) for file in resampled(*sides, factor, chance)]
    raw = 1000 * np.mean([abs(found - true) / texts for texts, true, found, _ in files])
    mended = 1000 * np.mean([abs(count.rows - true) / texts for texts, true, _, count in files])
    held = np.mean([count.low <= true <= count.high for _, true, _, count in files])
    print(f"{factor:g} times: of 1,000 mentions {raw:.1f} off, corrected {mended:.1f}; {held:.1%} in the interval")
    assert nearer == ("corrected" if mended < raw else "raw")
    assert 0.93 <= held <= 0.995
