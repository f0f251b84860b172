"""Probabilities that mean what they say, on outputs whose truth is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.decode import Calibration, Decoder, Floats
from model.taxonomy import Taxonomy
from training.calibrate import PRIOR, calibrate
from training.evaluate import calibration_error

MULTI = Taxonomy.parse("""
name = "multi"
version = "1"
[groups.intent]
[groups.intent.tags.churn]
[groups.intent.tags.praise]
[groups.intent.tags.rare]
""")
EXCLUSIVE = Taxonomy.parse("""
name = "exclusive"
version = "1"
[groups.mood]
kind = "exclusive"
[groups.mood.tags.happy]
[groups.mood.tags.angry]
[groups.mood.tags.calm]
""")
BOTH = Taxonomy("both", "1", (*MULTI.groups, *EXCLUSIVE.groups))

World = tuple[Floats, npt.NDArray[np.float32]]


def multi_label(texts: int, *, slope: float, offset: float, number: int = 0) -> World:
    """Outputs (texts, 3) of which slope · output + offset is each cell's true logit, and what was drawn from it."""
    chance = np.random.default_rng(number)
    truth = chance.normal(-1.0, 2.0, (texts, 3))
    drawn = chance.random((texts, 3)) < 1 / (1 + np.exp(-truth))
    return ((truth - offset) / slope).astype(np.float32), drawn.astype(np.float32)


def exclusive(texts: int, *, temperature: float, number: int = 0) -> World:
    """Outputs (texts, 3) that are the true ones times `temperature`, and one tag drawn for each text."""
    chance = np.random.default_rng(number)
    truth = chance.normal(0.0, 1.5, (texts, 3))
    shares = np.exp(truth) / np.exp(truth).sum(axis=1, keepdims=True)
    drawn = np.array([chance.multinomial(1, row) for row in shares])
    return (truth * temperature).astype(np.float32), drawn.astype(np.float32)


def error(world: World, taxonomy: Taxonomy, calibration: Calibration) -> float:
    outputs, wanted = world
    return calibration_error(Decoder(taxonomy, calibration).probabilities(outputs).ravel(), (wanted > 0).ravel())


@pytest.mark.parametrize(("slope", "offset"), [(0.4, 0.0), (1.0, -1.5), (2.5, 1.0)])
def test_slopes_and_offsets_are_found_and_unseen_probabilities_come_true(slope: float, offset: float) -> None:
    outputs, wanted = multi_label(3000, slope=slope, offset=offset)
    found = calibrate(outputs, wanted, np.ones_like(wanted), MULTI)
    assert found.slopes == pytest.approx([slope] * 3, rel=0.15)
    assert found.offsets == pytest.approx([offset] * 3, abs=0.2)
    unseen = multi_label(3000, slope=slope, offset=offset, number=1)
    assert error(unseen, MULTI, found) < 0.02
    assert error(unseen, MULTI, found) < error(unseen, MULTI, Calibration.neutral(MULTI)) / 3


@pytest.mark.parametrize("temperature", [3.0, 0.3])
def test_a_temperature_is_found_and_unseen_probabilities_come_true(temperature: float) -> None:
    outputs, wanted = exclusive(3000, temperature=temperature)
    found = calibrate(outputs, wanted, np.ones_like(wanted), EXCLUSIVE)
    assert found.slopes == pytest.approx([1 / temperature] * 3, rel=0.1)
    assert list(found.offsets) == list(found.thresholds) == [0.0] * 3  # the best tag of an exclusive group is given
    unseen = exclusive(3000, temperature=temperature, number=1)
    assert error(unseen, EXCLUSIVE, found) < 0.03
    assert error(unseen, EXCLUSIVE, found) < error(unseen, EXCLUSIVE, Calibration.neutral(EXCLUSIVE)) / 2


def test_texts_without_any_tag_of_an_exclusive_group_say_nothing_of_its_temperature() -> None:
    outputs, wanted = exclusive(600, temperature=2.0)
    more = np.concatenate([outputs, 9 * outputs[::-1]]), np.concatenate([wanted, np.zeros_like(wanted)])
    before, after = (calibrate(o, w, np.ones_like(w), EXCLUSIVE) for o, w in ((outputs, wanted), more))
    assert after.slopes == before.slopes


def with_odd_one_out(cases: int) -> Calibration:
    """Of a group whose third tag would need another slope and threshold, and has so many labelled texts."""
    outputs, wanted = multi_label(2000, slope=0.5, offset=0.0)
    outputs[:, 2] /= 4  # its own slope is 2
    known = np.ones_like(wanted)
    known[cases:, 2] = 0
    return calibrate(outputs, wanted, known, MULTI)


def test_the_fewer_cases_a_tag_has_the_nearer_it_stays_to_its_group() -> None:
    none, few, some, many = (with_odd_one_out(cases) for cases in (0, 8, 100, 2000))
    group = none.slopes[2]  # a tag without cases is calibrated as its group
    distances = [abs(found.slopes[2] - group) for found in (few, some, many)]
    assert group == pytest.approx(0.5, rel=0.15)
    assert distances == sorted(distances)
    assert distances[0] < 0.1 * distances[2]
    assert many.slopes[2] == pytest.approx(2.0, rel=0.2)


def test_the_threshold_of_a_rare_tag_leans_to_its_groups() -> None:
    outputs = np.tile(np.linspace(-6, 6, 240, dtype=np.float32)[:, None], (1, 3))
    wanted = (outputs > 0).astype(np.float32)
    wanted[:, 2] = outputs[:, 2] > 5.9  # three cases, of the very highest outputs
    found = calibrate(outputs, wanted, np.ones_like(wanted), MULTI)
    cases, own, group = wanted[:, 2].sum(), 0.85, found.thresholds[0]
    assert found.thresholds[2] < group + (own - group) * (cases + 1) / (cases + PRIOR)


def test_tags_that_can_be_told_apart_are_told_apart_by_their_thresholds() -> None:
    outputs = np.random.default_rng(3).normal(0, 3, (900, 3)).astype(np.float32)
    outputs += np.sign(outputs)  # a gap around nought
    wanted = (outputs > 0).astype(np.float32)
    decoder = Decoder(MULTI, calibrate(outputs, wanted, np.ones_like(wanted), MULTI))
    assert (decoder.decisions(decoder.probabilities(outputs)) == (wanted > 0)).all()


def test_a_threshold_lies_between_scores_so_that_the_least_noise_changes_no_decision() -> None:
    outputs = np.repeat(np.array([-1.0, 1.0], dtype=np.float32), 300)[:, None] * np.ones((1, 3), dtype=np.float32)
    wanted = (outputs > 0).astype(np.float32)
    wanted[::5] = 1 - wanted[::5]  # so that a positive output is no certainty
    decoder = Decoder(MULTI, calibrate(outputs, wanted, np.ones_like(wanted), MULTI))
    noise = np.random.default_rng(5).normal(0, 0.01, outputs.shape).astype(np.float32)
    assert (decoder.decisions(decoder.probabilities(outputs + noise)) == (outputs > 0)).all()


def test_a_shift_moves_the_log_odds_of_thresholds_and_nothing_else() -> None:
    outputs, wanted = multi_label(400, slope=0.7, offset=0.3)
    found, shifted = (
        calibrate(outputs, wanted, np.ones_like(wanted), MULTI, threshold_shift=shift) for shift in (0.0, 0.5)
    )
    odds = [np.log(np.array(one.thresholds) / (1 - np.array(one.thresholds))) for one in (found, shifted)]
    assert odds[1] - odds[0] == pytest.approx(0.5)
    assert (shifted.slopes, shifted.offsets) == (found.slopes, found.offsets)
    exclusive = calibrate(outputs, wanted, np.ones_like(wanted), EXCLUSIVE, threshold_shift=0.5)
    assert list(exclusive.thresholds) == [0.0] * 3  # the likeliest tag is given, whatever its probability


def test_cells_that_are_not_known_count_in_nothing() -> None:
    outputs, wanted = multi_label(400, slope=0.7, offset=0.3)
    known = (np.random.default_rng(4).random(wanted.shape) < 0.8).astype(np.float32)
    before = calibrate(outputs, wanted, known, MULTI)
    hidden = known == 0
    outputs[hidden], wanted[hidden] = 50.0, 1 - wanted[hidden]
    assert calibrate(outputs, wanted, known, MULTI) == before


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.sampled_from([0.01, 1.0, 30.0]),
    st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(max_examples=40)
def test_whatever_the_outputs_the_calibration_is_usable(
    number: int, texts: int, scale: float, frequency: float, labelled: float
) -> None:
    chance = np.random.default_rng(number)
    outputs = chance.normal(0, scale, (texts, 6)).astype(np.float32)
    wanted = (chance.random((texts, 6)) < frequency).astype(np.float32)
    wanted[:, 3:] = np.eye(3)[chance.integers(0, 3, texts)] * (chance.random((texts, 1)) < frequency)
    known = np.repeat(chance.random((texts, 2)) < labelled, 3, axis=1).astype(np.float32)
    found = calibrate(outputs, wanted, known, BOTH)
    assert all(0.15 - 1e-6 <= threshold <= 0.85 + 1e-6 for threshold in found.thresholds[:3])
    assert list(found.thresholds[3:]) == [0.0] * 3
    assert all(slope > 0 for slope in found.slopes)  # a larger output never means a smaller probability
    probabilities = Decoder(BOTH, found).probabilities(outputs)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
