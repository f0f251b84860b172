"""The gate: what a challenger is held to, and what a file of rules may change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from training.comparison import EVERY, Comparison, Difference
from training.errors import TrainingError
from training.release import Rules, judge
from training.withdrawal import Withdrawal


def difference(change: float, *, tag: str = "churn", lang: str = EVERY, width: float = 0.05) -> Difference:
    return Difference("intent", tag, lang, 40, 0.8, 0.8 + change, change - width, change + width)


def comparison(*tags: Difference, macro: float = 0.0) -> Comparison:
    return Comparison(400, (difference(macro, tag=""),), tags)


def figures(ece: float = 0.01, by_chance: float = 0.02) -> dict[str, Any]:
    return {"groups": {"intent": {"ece": ece, "ece_by_chance": by_chance}}}


def test_a_challenger_that_is_as_good_passes() -> None:
    assert judge(comparison(difference(-0.01), difference(0.2)), figures(), 1.0, Rules()).passed


def test_a_tag_that_is_surely_worse_in_one_language_stops_it_and_is_named() -> None:
    verdict = judge(comparison(difference(0.1), difference(-0.1, lang="it")), figures(), 1.0, Rules())
    assert not verdict.passed
    assert verdict.reasons == [
        "F1, intent/churn in it, 40 cases: 80.0 → 70.0 (the change lies in -15.0 to -5.0 points)"
    ]


def test_a_macro_f1_that_is_surely_worse_stops_it() -> None:
    (reason,) = judge(
        comparison(difference(-0.04), difference(0.1, tag="praise"), macro=-0.06), figures(), 1.0, Rules()
    ).reasons
    assert reason.startswith(
        "macro-F1, intent in all languages, most of all churn in all languages (-4.0 points): 80.0"
    )
    assert judge(comparison(macro=-0.04), figures(), 1.0, Rules()).passed


def test_probabilities_that_are_off_stop_it() -> None:
    (reason,) = judge(comparison(), figures(ece=0.08), 1.0, Rules()).reasons
    assert reason == "calibration error, intent: 0.080 (at most 0.05)"


def test_of_few_texts_a_calibration_error_that_chance_explains_stops_nothing() -> None:
    assert judge(comparison(), figures(ece=0.08, by_chance=0.09), 1.0, Rules()).passed
    (reason,) = judge(comparison(), figures(ece=0.1, by_chance=0.09), 1.0, Rules()).reasons
    assert reason == "calibration error, intent: 0.100 (at most 0.09)"


def test_a_slower_model_is_stopped() -> None:
    (reason,) = judge(comparison(), figures(), 1.31, Rules()).reasons
    assert reason == "latency, the same texts: 1.31 times (at most 1.2 times the champion's)"


def test_what_does_not_matter_to_the_team_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('tags = ["intent/praise", "topic/*"]\nlanguages = ["fr"]\nmax_latency = 2\n', encoding="utf-8")
    rules = Rules.load(file)
    churn, praise = difference(-0.1), difference(-0.1, tag="praise", lang="it")
    assert judge(comparison(churn, praise), figures(), 1.9, rules).passed
    assert not judge(comparison(difference(-0.1, tag="praise", lang="fr")), figures(), 1.9, rules).passed


def test_that_no_known_label_may_be_denied_is_a_rule(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("max_withdrawn = 0\n", encoding="utf-8")
    denied = [Withdrawal("intent", "churn", "fr", cases=200, denied=1)]
    assert not judge(comparison(), figures(), 1.0, Rules.load(file), denied).passed
    assert judge(comparison(), figures(), 1.0, Rules(), denied).passed


def test_without_a_file_the_rules_are_those_that_the_module_tells() -> None:
    assert Rules.load(None) == Rules()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_ece = 0", "max_ece: is 0"),
        ("confidence = 1", "confidence: is 1"),
        ("min_cases = 2.5", "min_cases: is 2.5"),
        ("max_latency = nan", "max_latency: is nan"),
        ("max_withdrawn = -0.1", "Write a number at least 0"),
        ("max_ece = true", "max_ece: is True"),
        ("tags = []", "tags: is no list of patterns"),
        ('languages = "fr"', "languages: is no list of patterns"),
        ("speed = 3", "speed: is no rule. Legal: confidence, "),
        ("max_ece = ", "cannot be read"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TrainingError) as raised:
        Rules.load(file)
    assert said in str(raised.value)
