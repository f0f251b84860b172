"""Which mentions are worth a person's time."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from labels.queue import Pick, bars, choose, doubt, log_odds
from model.decode import Calibration
from model.taxonomy import Taxonomy
from tests.bundles import keyword_bundle, tiny_taxonomy
from tests.labels.records import SMALL
from tympan import app

RARE = 1


def pool(size: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Probabilities of a frequent tag and of one that is rare, bars of a half, and languages of 6, 3 and 1 in 10."""
    chance = np.random.default_rng(seed)
    probabilities = np.stack([chance.beta(1, 1, size), chance.beta(0.1, 3, size)], axis=1)
    return probabilities, np.full((size, 2), 0.5), chance.choice(["fr", "it", "en"], size, p=[0.6, 0.3, 0.1]).tolist()


def chosen(probabilities: np.ndarray, budget: int, languages: list[str] | None = None, seed: int = 0) -> list[Pick]:
    wanted = np.full(probabilities.shape, 0.5)
    known = languages or ["fr"] * len(probabilities)
    return choose(probabilities, wanted, known, log_odds(probabilities), budget=budget, seed=seed)


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 9))
def test_a_budget_is_used_up_and_never_exceeded_and_no_text_is_chosen_twice(size: int, budget: int, seed: int) -> None:
    probabilities, _, languages = pool(size, seed)
    picks = chosen(probabilities, budget, languages, seed)
    assert len({pick.text for pick in picks}) == len(picks) == min(size, budget)


def test_texts_that_a_model_answers_all_alike_are_chosen_up_to_the_budget_too() -> None:
    picks = chosen(np.full((50, 2), 0.4), 10)
    assert len({pick.text for pick in picks}) == 10


def test_every_language_is_there_with_its_share() -> None:
    probabilities, _, _ = pool(1000)
    languages = ["fr"] * 700 + ["it"] * 299 + ["en"]
    picks = chosen(probabilities, 20, languages)
    assert Counter(languages[pick.text] for pick in picks) == {"fr": 13, "it": 6, "en": 1}


def test_a_group_of_many_rare_tags_does_not_crowd_out_another_group() -> None:
    chance = np.random.default_rng(0)
    frequent, rare = chance.beta(1, 1, (400, 2)), chance.beta(0.1, 3, (400, 20))
    probabilities = np.concatenate([frequent, rare], axis=1)
    wanted, known = np.full(probabilities.shape, 0.5), ["fr"] * 400
    groups = [slice(0, 2), slice(2, 22)]
    picks = choose(probabilities, wanted, known, log_odds(probabilities), budget=40, groups=groups)
    assert sum(pick.label < 2 for pick in picks) >= 10


def test_texts_that_a_model_is_unsure_of_come_before_those_it_is_sure_of() -> None:
    probabilities = np.full((300, 3), 0.02)
    unsure = np.arange(0, 300, 10)
    probabilities[unsure, unsure % 3] = np.linspace(0.4, 0.6, len(unsure))
    picks = chosen(probabilities, 20)
    assert {pick.text for pick in picks} <= {*unsure.tolist()}
    assert all(pick.label == pick.text % 3 for pick in picks)
    more = chosen(probabilities, 40)
    assert {pick.text for pick in more[: len(unsure)]} == {*unsure.tolist()}


def test_unsure_is_measured_from_each_tags_own_threshold() -> None:
    probabilities = np.array([[0.5, 0.5], [0.2, 0.02]])
    wanted = np.array([[0.5, 0.2], [0.5, 0.2]])
    found = doubt(probabilities, wanted)
    assert found[0, 0] == 1
    assert found[0, 1] == pytest.approx((0.2 / 0.8) / 1)  # a doubt is a ratio of odds
    assert found[1, 0] == pytest.approx(0.2 / 0.8)


def test_a_rare_tag_is_favoured_over_a_frequent_one_of_the_same_doubt() -> None:
    probabilities = np.full((200, 2), 0.01)
    probabilities[:100, 0] = 0.95
    probabilities[100:150, 0] = 0.45
    probabilities[150:160, RARE] = 0.45
    picks = chosen(probabilities, 12)
    assert {pick.text for pick in picks[:10]} == set(range(150, 160))
    assert all(pick.label == RARE for pick in picks[:10])


def test_kinds_of_text_have_their_turn_before_a_second_of_one_kind() -> None:
    kinds = np.repeat(np.arange(5), [30, 5, 5, 5, 5])
    probabilities = np.where(kinds == 0, 0.5, 0.4)[:, None]
    wanted, vectors = np.full((50, 1), 0.5), np.eye(5)[kinds]
    picks = choose(probabilities, wanted, ["fr"] * 50, vectors, budget=5, counts=[2] * 50)
    assert {int(kinds[pick.text]) for pick in picks} == set(range(5))
    assert {int(kinds[pick.text]): pick.alike for pick in picks} == {0: 60, 1: 10, 2: 10, 3: 10, 4: 10}


def test_in_an_exclusive_group_a_tag_is_measured_against_its_closest_rival() -> None:
    taxonomy = Taxonomy.parse(
        'name = "m"\nversion = "1"\n[groups.mood]\nkind = "exclusive"\n'
        + "".join(f'[groups.mood.tags."{path}"]\n' for path in ("calm", "angry", "angry/loud"))
    )
    found = bars(np.array([[0.4, 0.6, 0.35]]), [0.1, 0.1, 0.45], taxonomy)
    assert found.tolist() == [[0.6, 0.4, 0.45]]


def test_where_every_tag_has_its_own_say_the_bars_are_the_thresholds() -> None:
    neutral = Calibration.neutral(tiny_taxonomy())
    probabilities = np.random.default_rng(0).random((4, len(tiny_taxonomy().labels)))
    assert (bars(probabilities, neutral.thresholds, tiny_taxonomy()) == neutral.thresholds).all()
    mixed = bars(np.full((1, 6), 0.25), [0.5] * 6, SMALL)
    assert mixed.shape == (1, 6)


@pytest.fixture(scope="module")
def unsure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that is unsure of every text with a word of churn, and sure of all others."""
    taxonomy = tiny_taxonomy()
    calibration = Calibration.neutral(taxonomy)
    offsets = [-4.25 if label == "intent/churn" else 0.0 for label in taxonomy.labels]
    return keyword_bundle(
        tmp_path_factory.mktemp("bundles") / "unsure", calibration=replace(calibration, offsets=offsets)
    )


def queue(bundle: Path, file: Path, output: Path, *more: str) -> Result:
    arguments = ["labels", "queue", str(file), "-o", str(output), "--bundle", str(bundle), *more]
    return CliRunner().invoke(app, arguments)


SURE = ["merci pour votre aide", "quelle panne ce matin", "bravo à toute votre équipe", "comment faire chez vous"]
LEAVING = "je résilie mon abonnement dès demain matin"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.csv"
    texts = [*SURE, LEAVING, f"{LEAVING} !!", f"{LEAVING}, ok", "vado via e disdico tutto quanto oggi", " "]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows([["n°", "Message"], *enumerate(texts)])
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_a_file_gets_its_own_rows_back_with_the_reason_and_near_duplicates_once(
    unsure: Path, export: Path, tmp_path: Path
) -> None:
    result = queue(unsure, export, tmp_path / "queue.csv", "--budget", "2")
    assert result.exit_code == 1, result.output
    assert "2 of 9 mentions chosen, 1 cannot be labelled" in result.output
    found = rows(tmp_path / "queue.csv")
    assert {row["n°"]: row["tympan_reason"] for row in found} == {
        "4": "unsure of intent/churn (0.44); one of 3 like it",
        "7": "unsure of intent/churn (0.44)",
    }
    assert (tmp_path / "queue.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_what_a_model_is_sure_of_is_chosen_last_and_said_to_be_so(unsure: Path, export: Path, tmp_path: Path) -> None:
    queue(unsure, export, tmp_path / "queue.csv", "--budget", "50")
    found = rows(tmp_path / "queue.csv")
    assert len(found) == 6
    assert [row["tympan_reason"].startswith("unsure of") for row in found] == [True] * 2 + [False] * 4
    assert all(row["tympan_reason"].startswith("worth a look: ") for row in found[2:])


def test_the_same_seed_writes_the_same_file(unsure: Path, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    words = ["merci", "panne", "résilie", "cher", "comment", "acheter", "guasto", "disdico"]
    texts = [f"{a} {b} numéro {n * 7919} {a[::-1]}" for n, (a, b) in enumerate((a, b) for a in words for b in words)]
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    for name, seed in (("a", "3"), ("b", "3")):
        assert queue(unsure, file, tmp_path / f"{name}.jsonl", "--budget", "9", "--seed", seed).exit_code == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert len((tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()) == 9


def test_a_watchlist_says_whom_the_doubt_is_towards(unsure: Path, tmp_path: Path) -> None:
    file = tmp_path / "mentions.jsonl"
    file.write_text(json.dumps({"text": "je quitte Acme"}) + "\n", encoding="utf-8")
    reasons = []
    for target in ("Acme", "Zenit"):
        watchlist = tmp_path / "watchlist.toml"
        watchlist.write_text('[[organisation]]\nname = "Acme"\n[[organisation]]\nname = "Zenit"\n', encoding="utf-8")
        result = queue(unsure, file, tmp_path / f"{target}.jsonl", "--watchlist", str(watchlist), "--target", target)
        assert result.exit_code == 0, result.output
        reasons.append(json.loads((tmp_path / f"{target}.jsonl").read_text(encoding="utf-8"))["tympan_reason"])
    assert reasons[0] == "unsure of intent/churn (0.44)"
    assert reasons[1].startswith("worth a look: ")


@pytest.mark.parametrize(
    ("content", "output", "told"),
    [
        ("text,tympan_reason\nmerci,x\n", "queue.csv", "has a column tympan_reason already"),
        ("text\nmerci\n", "queue.jsonl", "asks for JSONL"),
        ("text\nmerci\n", "export.csv", "is the input"),
        ("a,b\nmerci,x\n", "queue.csv", "no column is known to hold the text"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(
    unsure: Path, tmp_path: Path, content: str, output: str, told: str
) -> None:
    file = tmp_path / "export.csv"
    file.write_text(content, encoding="utf-8")
    result = queue(unsure, file, tmp_path / output)
    assert result.exit_code == 2
    assert told in result.output
    assert len(result.output.splitlines()) == 1
    assert file.read_text(encoding="utf-8") == content


def test_a_file_without_any_text_gives_an_empty_queue(unsure: Path, tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text('text,n\n" ",1\n', encoding="utf-8")
    result = queue(unsure, tmp_path / "export.csv", tmp_path / "queue.csv")
    assert result.exit_code == 1, result.output
    assert (tmp_path / "queue.csv").read_text(encoding="utf-8") == "text,n,tympan_reason\n"
