"""What there is to be known about records before training."""

from __future__ import annotations

import pytest

from labels.check import report, skeleton
from labels.record import Record
from model.watchlist import Organisation
from tests.labels.records import SMALL, corpus, record

LATE = "Toujours aucune nouvelle de mon colis depuis lundi, le suivi ne bouge plus du tout"


def test_texts_that_a_model_reads_as_one_are_listed_with_whether_their_tags_agree() -> None:
    records = [
        record("a", "Panne !", tags={"mood": ("sad",)}),
        record("b", "Panne  !", tags={"mood": ("sad",)}),
        record("c", "Merci à tous", tags={"mood": ("happy",)}),
        record("d", "Merci  à tous", tags={"mood": (), "about": ()}),
    ]
    assert [(same.ids, same.agree) for same in report(records, SMALL).same] == [(("a", "b"), True), (("c", "d"), False)]


def test_an_unlabelled_group_contradicts_nothing() -> None:
    records = [record("a", "Merci", tags={"mood": ("happy",)}), record("b", "Merci", tags={"about": ("place",)})]
    assert report(records, SMALL).same[0].agree


def test_nearly_the_same_texts_are_listed_with_their_likeness() -> None:
    records = [record("a", LATE), record("b", LATE.replace("lundi", "mardi"), tags={"mood": ("sad",)}), *corpus(5)]
    (pair,) = report(records, SMALL).alike
    assert pair.ids == ("a", "b")
    assert 0.6 <= pair.similarity < 1
    assert not pair.agree


def test_one_text_towards_two_targets_is_no_double() -> None:
    watchlist = (Organisation("Acme"), Organisation("Zenit"))
    records = [
        record(name, "Je quitte Acme pour Zenit", target=name, watchlist=watchlist) for name in ("Acme", "Zenit")
    ]
    found = report(records, SMALL)
    assert (found.same, found.alike) == ((), ())


def test_tags_are_counted_by_language_with_parents_and_with_none_and_unlabelled() -> None:
    records = [
        record("a", lang="fr", tags={"mood": ("sad",), "about": ("price/level", "price/fees")}),
        record("b", lang="fr", tags={"about": ()}),
        record("c", lang="it", tags={"mood": ()}),
    ]
    found = report(records, SMALL).tags
    assert found["fr"] == {
        "mood/happy": 0,
        "mood/sad": 1,
        "mood: none": 0,
        "mood: unlabelled": 1,
        "about/price": 1,
        "about/price/level": 1,
        "about/price/fees": 1,
        "about/place": 0,
        "about: none": 1,
        "about: unlabelled": 0,
    }
    assert found["it"]["mood: none"] == found["it"]["about: unlabelled"] == 1


def test_lengths_are_in_words() -> None:
    records = [record(str(n), " ".join(["mot"] * n), lang="fr") for n in (1, 4, 10)]
    found = report(records, SMALL).lengths["fr"]
    assert (found.shortest, found.median, found.longest) == (1, 4, 10)
    assert found.short == pytest.approx(2 / 3)


def test_a_skeleton_masks_names_and_digits_and_short_texts_have_none() -> None:
    first = skeleton("Bonjour @user, mon colis 4512 est perdu depuis 3 jours")
    assert first == skeleton("Bonjour [TARGET] mon téléphone de chez Zenit est cassé depuis 12 jours")
    assert first == "bonjour Name mon … 0 jours"
    assert skeleton("Bonjour, mon colis est perdu") is None


def test_texts_made_from_a_template_smell_and_texts_that_were_written_do_not() -> None:
    sold = [
        f"Je quitte {brand} car son {thing} est trop cher" for brand in ("Acme", "Zenit") for thing in ("prix", "café")
    ]
    templates = report([record(text, text, lang="fr") for text in sold], SMALL).templates["fr"]
    assert (templates.texts, templates.share) == (4, 1.0)
    assert templates.commonest == (("je quitte Name … trop cher", 4),)
    assert report(corpus(60), SMALL).templates["fr"].share == 0


def test_one_text_towards_several_targets_counts_once_among_texts() -> None:
    watchlist = tuple(map(Organisation, ("Acme", "Zenit")))
    text = "Je quitte Acme pour Zenit parce que c'est trop cher"
    found = report([record(n.name, text, lang="fr", target=n.name, watchlist=watchlist) for n in watchlist], SMALL)
    assert (found.templates["fr"].texts, found.templates["fr"].share) == (1, 0.0)
    assert found.identity["fr"].told == 1


def test_a_text_in_another_language_than_its_label_says_is_listed() -> None:
    records = [
        record("right", "Bonjour, pouvez-vous me dire où en est ma commande ?", lang="fr"),
        record("wrong", "Hello, could you please tell me where my order is?", lang="fr"),
        record("too short to tell", "ok thanks", lang="fr"),
        record("unknown", "Hello, could you please tell me where my order is now?"),
    ]
    found = report(records, SMALL).identity
    assert dict(found["fr"].others) == {"wrong": "en"}
    assert found["fr"].told == 2
    assert "und" not in found


def test_no_record_is_changed_or_lost() -> None:
    records: list[Record] = corpus(30)
    report(records, SMALL)
    assert records == corpus(30)
