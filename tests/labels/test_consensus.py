"""What several readers settle, and how far they agree."""

from __future__ import annotations

import numpy as np
import pytest

from labels.consensus import agreement, alpha, consensus, kappa
from tests.bundles import tiny_taxonomy

TAGS = tiny_taxonomy(exclusive=True)


def test_one_answer_stands_by_itself() -> None:
    found = consensus([{"intent": ("churn",), "topic": ()}], TAGS)
    assert found.tags == {"intent": ("churn",), "topic": ()}
    assert found.settled


def test_two_that_differ_leave_what_they_differ_on_unsure() -> None:
    found = consensus([{"intent": ("churn", "friction")}, {"intent": ("friction",)}], TAGS)
    assert found.tags == {"intent": ("friction",)}
    assert found.unsure == {"intent": ("churn",)}
    assert not found.settled


def test_a_third_reading_settles_it() -> None:
    votes = [{"intent": ("churn", "friction")}, {"intent": ("friction",)}, {"intent": ("churn",)}]
    found = consensus(votes, TAGS)
    assert set(found.tags["intent"]) == {"churn", "friction"}
    assert found.settled


def test_a_leaf_counts_for_its_parent() -> None:
    found = consensus([{"topic": ("price/level",)}, {"topic": ("price",)}], TAGS)
    assert found.tags == {"topic": ("price",)}
    assert found.unsure == {"topic": ("price/level",)}


def test_a_group_that_nobody_answered_stays_unlabelled() -> None:
    assert consensus([{"intent": ()}], TAGS).tags == {"intent": ()}
    assert consensus([], TAGS).tags == {}


def test_of_an_exclusive_group_the_tag_with_most_votes_wins_and_a_tie_is_unsure() -> None:
    votes = [{"sentiment": ("positive",)}, {"sentiment": ("positive",)}, {"sentiment": ("neutral",)}]
    assert consensus(votes, TAGS).tags == {"sentiment": ("positive",)}
    tie = consensus(votes[1:], TAGS)
    assert tie.tags == {"sentiment": ()}
    assert tie.unsure == {"sentiment": ("positive", "neutral")}


def test_agreement_is_what_the_formulas_say() -> None:
    """Of 10 decisions both say yes to 2, only the first to 1, only the second to 1.

    Kappa: observed 0.8, by chance 0.3² + 0.7² = 0.58. Alpha: observed disagreement 0.2, by chance 2·6·14 / (20·19).
    """
    first, second = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0, 0, 0]
    votes = np.array([first, second], dtype=float)
    assert kappa(votes) == pytest.approx((0.8 - 0.58) / (1 - 0.58))
    assert alpha(votes) == pytest.approx(1 - 0.2 / (2 * 6 * 14 / (20 * 19)))
    same = np.array([first, first], dtype=float)
    assert kappa(same) == alpha(same) == 1


def test_kappa_of_three_readers_is_the_mean_over_pairs_weighted_by_what_they_share() -> None:
    votes = np.array([[1, 0, 1, 0], [1, 0, 1, 0], [0, 1, np.nan, np.nan]])
    assert kappa(votes) == pytest.approx((4 * 1 + 2 * -1 + 2 * -1) / 8)


def test_agreement_is_one_for_readers_who_agree_and_below_nought_for_those_who_never_do() -> None:
    yes, no = {"intent": ("churn",)}, {"intent": ()}
    same = [{"ann": yes, "bob": yes}, {"ann": no, "bob": no}, {"ann": no, "bob": no}]
    found = agreement(same, TAGS)["intent/churn"]
    assert (found.given, found.alpha, found.kappa) == (1, pytest.approx(1), pytest.approx(1))
    never = [{"ann": yes, "bob": no}, {"ann": no, "bob": yes}]
    found = agreement(never, TAGS)["intent/churn"]
    assert found.alpha is not None
    assert found.alpha < 0
    assert found.kappa == pytest.approx(-1)


def test_texts_read_once_and_tags_never_given_say_nothing_about_agreement() -> None:
    found = agreement([{"ann": {"intent": ("churn",)}}], TAGS)["intent/churn"]
    assert (found.given, found.alpha, found.kappa) == (0, None, None)
