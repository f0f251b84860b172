"""Which texts are nearly the same."""

from __future__ import annotations

import random
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from labels.duplicates import families, near, normal
from model.watchlist import Organisation
from tests.labels.records import jumble, record

LONG = "toujours aucune nouvelle de mon colis depuis lundi, le suivi ne bouge plus et personne ne répond au téléphone"


def test_case_punctuation_and_who_is_the_target_make_no_difference() -> None:
    assert normal("I leave [TARGET] for [OTHER]!!!") == normal("i leave [OTHER], for [TARGET]")
    assert normal("😡😡") == "😡😡"
    assert normal("") == ""


def test_nearly_the_same_texts_are_found_and_others_are_not() -> None:
    texts = [LONG, LONG.replace("lundi", "mardi"), "le train est encore en retard ce matin, comme tous les lundis"]
    (pair,) = near(texts, 0.7)
    assert (pair.first, pair.second) == (0, 1)
    assert 0.7 <= pair.similarity < 1


def test_every_pair_well_above_the_threshold_is_found_with_its_exact_similarity() -> None:
    chance = random.Random(4)  # noqa: S311  no secret
    texts = []
    for _ in range(60):
        words = jumble(chance).split()
        texts += [" ".join(words), " ".join([*words[:-1], "autre"]), " ".join(["debut", *words[2:]])]
    grams = [{text[start : start + 4] for start in range(len(text) - 3)} for text in texts]
    exact = {
        (first, second): len(grams[first] & grams[second]) / len(grams[first] | grams[second])
        for first, second in combinations(range(len(texts)), 2)
    }
    found = {(pair.first, pair.second): pair.similarity for pair in near(texts, 0.6)}
    assert {pair for pair, similarity in exact.items() if similarity >= 0.75} <= found.keys()
    assert all(found[pair] == exact[pair] >= 0.6 for pair in found)
    assert len(found) >= 60


def test_records_of_one_text_towards_several_targets_are_one_family() -> None:
    watchlist = (Organisation("Acme"), Organisation("Zenit", "competitor"))
    towards = [
        record(name, "Je quitte Acme pour Zenit", target=name, watchlist=watchlist) for name in ("Acme", "Zenit")
    ]
    plain = record("plain", "je quitte ACME pour Zenit !")
    other = record("other", "Le nouveau magasin ouvre samedi à dix heures")
    assert sorted(families([*towards, other, plain])) == [[0, 1, 3], [2]]


def test_records_that_differ_in_the_organisation_alone_are_one_family() -> None:
    first = record("a", "Franchement Acme c'est fini pour moi, je m'en vais", target="Acme")
    second = record("b", "Franchement Borealis c'est fini pour moi, je m'en vais", target="Borealis")
    assert families([first, second]) == [[0, 1]]


def test_likeness_is_handed_on_from_text_to_text() -> None:
    chain = [LONG, LONG + " ni par mail", LONG + " ni par mail ni ailleurs"]
    records = [record(str(number), text) for number, text in enumerate(chain)]
    assert families(records, 0.85) == [[0, 1, 2]]


@given(st.lists(st.text(max_size=30), max_size=8))
def test_families_share_out_every_record_once_and_hold_equal_texts_together(texts: list[str]) -> None:
    found = families([record(str(number), text or "empty") for number, text in enumerate(texts)])
    assert sorted(position for family in found for position in family) == list(range(len(texts)))
    home = {position: number for number, family in enumerate(found) for position in family}
    for first, second in combinations(range(len(texts)), 2):
        assert texts[first] != texts[second] or home[first] == home[second]
