"""The tagger, on a bundle of words and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model.bundle import Bundle
from model.mention import MAX_CHARACTERS, Mention
from model.tagger import Failed, Tagged, Tagger, as_dicts
from model.watchlist import Organisation, Watchlist
from tests.bundles import keyword_bundle

FREE, ORANGE = Organisation("Free", "brand", ("freebox",)), Organisation("Orange", "competitor")
WATCHED = Watchlist([FREE, ORANGE])


def tags_of(result: Tagged | Failed, group: str = "intent") -> list[str]:
    assert isinstance(result, Tagged), result
    return [score.tag for score in result.tags[group]]


def mentions(*texts: str, **same: Any) -> list[Mention]:
    return [Mention(str(i), text, **same) for i, text in enumerate(texts)]


@dataclass
class CountingSession:
    """A session that runs a real one and remembers the shape of every call."""

    session: onnxruntime.InferenceSession
    shapes: list[tuple[int, int]] = field(default_factory=list)

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        self.shapes.append(inputs["input_ids"].shape)
        return self.session.run(outputs, inputs)

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.shapes)


@pytest.fixture
def counted(bundle: Path) -> tuple[Tagger, CountingSession]:
    """A tagger and the session that it runs on."""
    read = Bundle.read(bundle)
    session = CountingSession(onnxruntime.InferenceSession(str(read.model_file)))
    tokenizer = Tokenizer.from_file(str(read.tokenizer_file))
    return Tagger(bundle=read, session=session, tokenizer=tokenizer, threads=2), session


def test_results_come_in_the_order_of_the_mentions(tagger: Tagger) -> None:
    texts = ["merci beaucoup pour tout et à bientôt", "panne", "je résilie", "la grazia", "how"] * 20
    results = tagger.tag(mentions(*texts))
    assert [result.id for result in results] == [str(i) for i in range(100)]
    assert [tags_of(result) for result in results] == [["praise"], ["friction"], ["churn"], [], ["help"]] * 20


def test_an_empty_list_of_mentions_gives_an_empty_list(tagger: Tagger) -> None:
    assert tagger.tag([]) == []


def test_a_mention_that_cannot_be_read_fails_alone(tagger: Tagger) -> None:
    results = tagger.tag(mentions("panne", "", " \n\u200b", "x" * (MAX_CHARACTERS + 1), "merci"))
    assert [type(result) for result in results] == [Tagged, Failed, Failed, Failed, Tagged]
    assert [result.error.where for result in results if isinstance(result, Failed)] == ["text"] * 3
    assert "20,001" in str(results[3].error)
    assert tags_of(results[4]) == ["praise"]


def test_the_longest_text_allowed_is_tagged(tagger: Tagger) -> None:
    text = ("la " * MAX_CHARACTERS)[: MAX_CHARACTERS - 5] + "panne"
    assert len(text) == MAX_CHARACTERS
    assert tags_of(tagger.tag(mentions(text))[0]) == ["friction"]


@pytest.mark.parametrize("position", [0, 20, 29, 30, 31, 45, 60, 99])
def test_a_long_text_is_read_to_its_end(tagger: Tagger, position: int) -> None:
    words = ["la"] * 100
    words[position] = "panne"
    assert tags_of(tagger.tag(mentions(" ".join(words)))[0]) == ["friction"]


def test_no_window_is_longer_than_the_model_reads_and_all_tokens_are_in_one(tagger: Tagger) -> None:
    vocabulary = Tokenizer.from_file(str(tagger.bundle.tokenizer_file)).get_vocab()
    for length in (1, 29, 30, 31, 44, 45, 100):
        windows = tagger.encode([" ".join(["panne"] * length)])
        assert all(len(window.ids) <= tagger.bundle.max_length for window in windows)
        assert all(window.ids[0] == vocabulary["<s>"] for window in windows)
        assert all(window.ids[-1] == vocabulary["</s>"] for window in windows)
        assert sum(len(window.ids) - 2 for window in windows) >= length
        assert (len(windows) == 1) == (length <= 30)


def test_duplicates_are_computed_once(counted: tuple[Tagger, CountingSession]) -> None:
    tagger, session = counted
    results = tagger.tag(mentions("panne ici", "merci", "panne  ici", "panne\nici", "merci", "panne ici"))
    assert session.rows == 2
    friction, praise = ["friction"], ["praise"]
    assert [tags_of(result) for result in results] == [friction, praise, friction, friction, praise, friction]


def test_every_text_is_a_call_of_its_own_so_that_nothing_is_padding(counted: tuple[Tagger, CountingSession]) -> None:
    tagger, session = counted
    texts = ["la " * length + str(number) for number in range(100) for length in (1, 27)]  # short and long in turns
    tagger.tag(mentions(*texts))
    assert {rows for rows, _ in session.shapes} == {1}
    assert sorted(length for _, length in session.shapes) == sorted(len(window.ids) for window in tagger.encode(texts))


@given(st.lists(st.text(max_size=40), max_size=8))
def test_a_mention_gets_the_same_tags_alone_and_in_company(tagger: Tagger, texts: list[str]) -> None:
    together = tagger.tag(mentions(*texts))
    for mention, result in zip(mentions(*texts), together, strict=True):
        alone = tagger.tag([mention])[0]
        assert type(alone) is type(result)
        if isinstance(alone, Tagged) and isinstance(result, Tagged):
            assert as_dicts(alone.tags) == as_dicts(result.tags)


def test_tags_are_towards_the_only_brand_and_targets_list_all_that_are_named(tagger: Tagger) -> None:
    result = tagger.tag(mentions("Orange en panne"), watchlist=WATCHED)[0]
    assert isinstance(result, Tagged)
    assert tags_of(result) == []  # it is not Free that fails
    assert [(target.name, target.role) for target in result.targets] == [("Orange", "competitor")]
    assert [score.tag for score in result.targets[0].tags["intent"]] == ["friction"]


def test_tags_are_towards_the_target_of_the_mention(tagger: Tagger) -> None:
    result = tagger.tag(mentions("ORANGE en panne", target="orange"), watchlist=WATCHED)[0]
    assert tags_of(result) == ["friction"]


def test_a_target_without_a_watchlist_is_a_watchlist_of_one(tagger: Tagger) -> None:
    result = tagger.tag(mentions("la freebox de Free en panne", target="Free"))[0]
    assert isinstance(result, Tagged)
    assert [target.name for target in result.targets] == ["Free"]
    assert tags_of(result) == ["friction"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#OrangeEnPanne encore", ["Orange"]),
        ("voir https://orange.fr/panne", []),
        ("@free la freebox", ["Free"]),
        ("#Free ou Orange", ["Free", "Orange"]),
    ],
)
def test_the_targets_are_those_that_the_network_sees(tagger: Tagger, text: str, found: list[str]) -> None:
    result = tagger.tag(mentions(text), watchlist=WATCHED)[0]
    assert isinstance(result, Tagged)
    assert [target.name for target in result.targets] == found


def test_a_name_is_found_however_its_accents_are_written(tagger: Tagger) -> None:
    watched = Watchlist([Organisation("Société Générale"), Organisation("AT&T")])
    result = tagger.tag(mentions("Socie\u0301te\u0301 Générale contre AT&amp;T"), watchlist=watched)[0]
    assert isinstance(result, Tagged)
    assert [target.name for target in result.targets] == ["Société Générale", "AT&T"]


def test_what_preparation_puts_into_a_text_does_not_change_its_language(tagger: Tagger) -> None:
    text = "@free " + "@qualcuno " * 9 + "Magari da domani la linea funziona, no?"
    (result,) = tagger.tag(mentions(text), watchlist=WATCHED)
    assert isinstance(result, Tagged)
    assert result.lang == "it"


@pytest.mark.parametrize("max_length", [4, 8, 16, 17, 18, 24])
def test_a_short_window_reads_a_long_text_to_its_end(tmp_path: Path, max_length: int) -> None:
    short = Tagger.load(keyword_bundle(tmp_path / "short", max_length=max_length), threads=1)
    for length in range(1, 60):
        words = ["la"] * length
        words[-1] = "panne"
        assert tags_of(short.tag(mentions(" ".join(words)))[0]) == ["friction"]


def test_a_target_that_the_watchlist_does_not_name_fails_that_mention_alone(tagger: Tagger) -> None:
    batch = [Mention("a", "panne", target="SFR"), Mention("b", "panne", target="Free")]
    failed, tagged = tagger.tag(batch, watchlist=WATCHED)
    assert isinstance(failed, Failed)
    assert failed.error.where == "target"
    assert "Free, Orange" in str(failed.error)
    assert tags_of(tagged) == ["friction"]


def test_without_a_watchlist_the_text_is_read_as_it_is(tagger: Tagger) -> None:
    result = tagger.tag(mentions("Orange en panne"))[0]
    assert tags_of(result) == ["friction"]
    assert isinstance(result, Tagged)
    assert result.targets == ()


def test_a_language_that_is_given_is_kept_and_one_that_is_not_is_detected(tagger: Tagger) -> None:
    text = "Bonjour, ma connexion internet ne fonctionne plus depuis hier soir."
    results = tagger.tag([Mention("given", text, lang="it"), Mention("detected", text)])
    assert [result.lang for result in results if isinstance(result, Tagged)] == ["it", "fr"]


def test_a_floor_on_the_scores_is_obeyed(tagger: Tagger) -> None:
    assert tags_of(tagger.tag(mentions("panne"), min_score=0.5)[0]) == ["friction"]
    assert tags_of(tagger.tag(mentions("panne"), min_score=0.99)[0]) == []


def test_an_exclusive_group_gives_one_tag_to_every_text(exclusive_bundle: Path) -> None:
    results = Tagger.load(exclusive_bundle, threads=1).tag(mentions("merci", "la", "furious"))
    assert [tags_of(result, "sentiment") for result in results] == [
        ["positive"],
        ["neutral"],
        ["negative", "negative/angry"],
    ]


def test_a_plan_breaks_off_where_there_is_more_to_read_than_asked(tagger: Tagger) -> None:
    asked = mentions(*(f"{n} Free et Orange" for n in range(10)))
    plans = tagger.plan(asked, WATCHED)
    assert len(plans.texts) == 20  # towards either
    fewer = tagger.plan(asked, WATCHED, most=50)
    assert fewer.texts == plans.texts[: len(fewer.texts)]
    assert 50 < sum(map(len, fewer.texts)) <= 50 + sum(map(len, plans.texts[:2]))
