"""The preparation of texts, which training and serving share."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.mention import OTHER, TARGET, named, prepare
from model.watchlist import Organisation, Watchlist

FREE = Organisation("Free", "brand", ("@free", "freebox"))
ORANGE = Organisation("Orange", "competitor", ("@orange_conseil", "Sosh"))
TARGET_SHOPS = Organisation("Target", "brand", ("@AskTarget", "Other", "Ask Us"))
WATCHED = Watchlist([FREE, ORANGE, TARGET_SHOPS])

NAMES = (
    "Free",
    "FREE",
    "orange",
    "#FreeMobile",
    "@free",
    "@Sosh ",
    "[TARGET]",
    "[OTHER]",
    "Target",
    "target",
    "Ask  Us",
    "#AskUs",
)
MARKS = ("&amp;", "&lt;", "&amp;amp;lt;", "https://t.co/a", "www.", "WWW.x", "@user", "@", "#", "_", "#a_b", "#AB")
LETTERS = ("é", "e\u0301", "ß", "İ", "👩‍🔧", "aaaa", "!!!!!", "10000", "\u200d", "\u202e", "\ud800", "\x00")
PIECES = st.sampled_from((*NAMES, *MARKS, *LETTERS, " ", "\n", "\u2028"))
TEXTS = st.one_of(st.text(st.characters(), max_size=60), st.lists(PIECES, max_size=12).map("".join))
TARGETS = st.sampled_from([None, "Free", "Orange", "Target", "unknown"])


@given(TEXTS)
def test_preparing_twice_changes_nothing(text: str) -> None:
    once = prepare(text)
    assert prepare(once) == once


@given(TEXTS, TARGETS)
@example("#FreeSucks @free [TARGET]", "Free")
def test_preparing_twice_towards_a_target_changes_nothing(text: str, target: str | None) -> None:
    once = prepare(text, watchlist=WATCHED, target=target)
    assert prepare(once, watchlist=WATCHED, target=target) == once


@given(TEXTS, TARGETS)
def test_a_prepared_text_can_be_written_as_utf8_and_has_no_line_breaks(text: str, target: str | None) -> None:
    for prepared in (prepare(text), prepare(text, watchlist=WATCHED, target=target)):
        assert prepared.encode("utf-8").decode("utf-8") == prepared
        assert len(prepared.splitlines()) <= 1
        assert prepared == prepared.strip()


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=60))
def test_the_words_that_were_not_masked_are_all_still_there(text: str) -> None:
    kept = [word for word in prepare(text, watchlist=Watchlist([Organisation("zzzz")])).split() if word.isalpha()]
    assert kept == [word for word in prepare(text).split() if word.isalpha()]


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("panne chez @Free_1337 et @FREE", "panne chez @user et @user"),
        ("écrire à moi@exemple.fr", "écrire à moi@exemple.fr"),
        ("voir https://t.co/Ab12?x=1 et www.exemple.fr/a", "voir http et http"),
        ("HTTPS://T.CO/ABC", "http"),
        ("#ServiceClient nul", "#Service Client nul"),
        ("#SNCFConnect #panne_fibre #été", "#SNCF Connect #panne fibre #été"),
        ("nuuuuuul !!!!!!", "nuuul !!!"),
        ("10000 euros, 0000", "10000 euros, 0000"),
        ("Q&amp;A &lt;3 &quot;oui&quot;", 'Q&A <3 "oui"'),
        ("a\r\n\tb\u00a0c\u2028d", "a b c d"),
        ("cafe\u0301", "café"),
        ("zéro\u200bespace\ufeff", "zéroespace"),
        ("👩‍🔧 merci 🙏🏽", "👩‍🔧 merci 🙏🏽"),
        ("Perché NO? È così.", "Perché NO? È così."),
        ("\ud83d cassé", "cassé"),
    ],
)
def test_a_text_is_made_even_without_losing_meaning(text: str, prepared: str) -> None:
    assert prepare(text) == prepared


@pytest.mark.parametrize(
    ("text", "target", "prepared"),
    [
        ("Je quitte Orange pour Free", "Orange", f"Je quitte {TARGET} pour {OTHER}"),
        ("Je quitte Orange pour Free", "Free", f"Je quitte {OTHER} pour {TARGET}"),
        ("Je quitte Orange pour Free", None, f"Je quitte {OTHER} pour {OTHER}"),
        ("merci @FREE et @Orange_Conseil", "Free", f"merci {TARGET} et {OTHER}"),
        ("la FreeBox est en panne", "Free", f"la {TARGET} est en panne"),
        ("#Free #FreeMobile", "Free", f"{TARGET} {TARGET} Mobile"),
        ("la liberté, free-lance, carefree", "Free", f"la liberté, {TARGET}-lance, carefree"),
        ("ecrit chez @inconnu", "Free", "ecrit chez @user"),
    ],
)
def test_the_target_and_the_others_become_their_tokens(text: str, target: str | None, prepared: str) -> None:
    assert prepare(text, watchlist=WATCHED, target=target) == prepared


@pytest.mark.parametrize("spelt", ["Air France", "Air  France", "air\nfrance", "AIR\u00a0FRANCE", "Air &nbsp; France"])
@pytest.mark.parametrize("name", ["Air France", " Air  France "])
def test_space_within_a_name_makes_no_difference(spelt: str, name: str) -> None:
    watched = Watchlist([Organisation(name)])
    assert prepare(f"{spelt}, nul", watchlist=watched, target=name) == f"{TARGET}, nul"
    assert named(f"{spelt}, nul", watched)


def test_a_name_may_be_written_in_decomposed_characters() -> None:
    watched = Watchlist([Organisation("Cafe\u0301 Joyeux")])
    assert prepare("Au café joyeux", watchlist=watched, target=watched.get("Café Joyeux").name) == f"Au {TARGET}"


def test_accents_and_case_of_a_name_make_no_difference() -> None:
    watched = Watchlist([Organisation("Société Générale"), Organisation("ENGIE")])
    for text in ("societe generale", "SOCIÉTÉ GÉNÉRALE", "Socie\u0301te\u0301 Générale"):
        assert prepare(text, watchlist=watched, target="Société Générale") == TARGET
    assert prepare("Engie", watchlist=watched, target="ENGIE") == TARGET


def test_an_organisation_called_target_is_found_but_not_inside_the_token() -> None:
    masked = prepare("Target against Free, target!", watchlist=WATCHED, target="Free")
    assert masked == f"{OTHER} against {TARGET}, {OTHER}!"
    assert prepare(masked, watchlist=WATCHED, target="Free") == masked


def test_an_address_that_names_the_brand_stays_an_address() -> None:
    assert prepare("https://free.fr/panne chez Orange", watchlist=WATCHED, target="Free") == f"http chez {OTHER}"
