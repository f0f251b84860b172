"""How the bundled model behaves: what must not matter to it, what must, and the least that it has to know.

A method of Ribeiro et al., "Beyond accuracy: behavioral testing of NLP models with CheckList", 2020.
"""

from __future__ import annotations

import pytest

from model.bundle import PRETRAINED
from model.mention import OTHER, TARGET, Mention, prepare
from model.tagger import Tagged, Tagger
from model.watchlist import Organisation, Watchlist
from tests.behaviour.sentences import SENTENCES

LANGUAGES = tuple(SENTENCES)
INTENTS = tuple(intent for intent in SENTENCES["fr"] if intent != "none")
ENOUGH = 0.9
"""The share of a language's sentences that has to be right: a small model may miss one in ten."""
UNMOVED = 0.85
"""Of texts, those that keep their intents when a URL follows. French and English keep nearly all, Italian 35 of 40."""

CHURN = {"fr": "Je résilie.", "it": "Disdico.", "en": "I'm cancelling."}
SWITCHES = {
    "fr": (
        "Je quitte {left} pour {joined}",
        "Fini {left}, je passe chez {joined}",
        "Marre de {left}, toujours en panne. Demain je prends un abonnement chez {joined}",
        "J'ai résilié chez {left} ce matin, bienvenue chez {joined} !",
        "{left} m'a encore surfacturé, je vais chez {joined}",
    ),
    "it": (
        "Lascio {left} per {joined}",
        "Basta {left}, passo a {joined}",
        "Ho disdetto {left}, da domani sono con {joined}",
        "{left} mi ha stufato, ho appena fatto il contratto con {joined}",
        "Dopo l'ennesimo guasto saluto {left} e mi abbono a {joined}",
    ),
    "en": (
        "I'm leaving {left} for {joined}",
        "Done with {left}, switching to {joined}",
        "Cancelled {left} today and signed up with {joined}",
        "{left} overcharged me again so I'm moving to {joined}",
        "Goodbye {left}, hello {joined}, should have done it years ago",
    ),
}

ELSEWHERE = {
    "left": (
        "Je quitte {other}, trois semaines sans réseau",
        "J'ai rendu mon badge {other}, plus jamais chez eux",
        "{other} augmente encore, contrat résilié ce midi",
        "Lascio {other}, tre settimane senza segnale",
        "Ieri ho chiuso il conto con {other}, non ne potevo più",
        "{other} ha alzato ancora i prezzi, disdetta inviata",
        "Leaving {other}, can't stand them anymore",
        "Closed my {other} account this morning, good riddance",
        "{other} put its prices up again, so I cancelled them",
    ),
    "joined": (
        "Ras le bol, demain je signe chez {other}",
        "Troisième panne du mois, je m'en vais chez {other}",
        "Basta, domani firmo con {other}",
        "Terzo guasto del mese, me ne vado da {other}",
        "That's it, moving to {other} tomorrow, third outage this month",
        "Enough, I've just signed up with {other} instead",
    ),
}
"""What is said of a competitor alone in the feed of a brand that the text does not name, by what the author does."""


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load(PRETRAINED)


def plain(lang: str) -> list[str]:
    return [text for texts in SENTENCES[lang].values() for text in texts]


def intents(
    tagger: Tagger, texts: list[str], watchlist: Watchlist | None = None, target: str | None = None
) -> list[set[str]]:
    """The intents of each text."""
    mentions = [Mention(id=str(row), text=text, target=target) for row, text in enumerate(texts)]
    results = tagger.tag(mentions, watchlist=watchlist)
    assert all(isinstance(result, Tagged) for result in results)
    return [{score.tag for score in result.tags["intent"]} for result in results if isinstance(result, Tagged)]


def scores(tagger: Tagger, texts: list[str], intent: str) -> list[float]:
    """How likely the intent is in each text, whether or not that is enough for it to be given."""
    column = tagger.taxonomy.labels.index(f"intent/{intent}")
    return [float(row[column]) for row in tagger.probabilities([prepare(text) for text in texts])]


def wrong(found: dict[str, set[str]], expected: dict[str, str]) -> list[str]:
    return [
        f"{text} -> {sorted(found[text])}, not {intent}"
        for text, intent in expected.items()
        if intent not in found[text]
    ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_clear_sentences_get_the_intent_that_they_state(tagger: Tagger, lang: str) -> None:
    expected = {text: intent for intent in INTENTS for text in SENTENCES[lang][intent]}
    missed = wrong(dict(zip(expected, intents(tagger, list(expected)), strict=True)), expected)
    assert len(expected) >= 4 * len(INTENTS)
    assert len(missed) <= round(1 - ENOUGH, 9) * len(expected), "\n".join(missed)


@pytest.mark.parametrize("intent", INTENTS)
def test_no_intent_is_unknown_in_any_language(tagger: Tagger, intent: str) -> None:
    for lang in LANGUAGES:
        found = intents(tagger, list(SENTENCES[lang][intent]))
        assert sum(intent in given for given in found) >= 0.6 * len(found), lang


@pytest.mark.parametrize("lang", LANGUAGES)
def test_clear_texts_without_intent_get_none(tagger: Tagger, lang: str) -> None:
    texts = list(SENTENCES[lang]["none"])
    alarms = [f"{text} -> {sorted(given)}" for text, given in zip(texts, intents(tagger, texts), strict=True) if given]
    assert len(alarms) <= round(1 - ENOUGH, 9) * len(texts), "\n".join(alarms)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_another_url_changes_nothing(tagger: Tagger, lang: str) -> None:
    one = [f"{text} https://example.org/a" for text in plain(lang)]
    other = [f"{text} http://t.co/Zx81?utm=9#top" for text in plain(lang)]
    assert tagger.tag([Mention("", text) for text in one]) == tagger.tag([Mention("", text) for text in other])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_url_at_the_end_hardly_changes_an_intent(tagger: Tagger, lang: str) -> None:
    before = intents(tagger, plain(lang))
    after = intents(tagger, [f"{text} https://example.org/a" for text in plain(lang)])
    same = sum(one == other for one, other in zip(before, after, strict=True))
    assert same >= UNMOVED * len(before)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_case_of_a_handle_changes_nothing(tagger: Tagger, lang: str) -> None:
    watchlist = Watchlist([Organisation("Quorva", aliases=("@QuorvaHelp",))])
    for handle in ("@QuorvaHelp", "@SomebodyElse"):
        cases = [[f"{name} {text}" for text in plain(lang)] for name in (handle, handle.lower(), handle.upper())]
        first, *others = (intents(tagger, texts, watchlist) for texts in cases)
        assert all(other == first for other in others)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_name_of_the_brand_changes_nothing(tagger: Tagger, lang: str) -> None:
    found = []
    for name in ("Quorva", "Apple", "Crédit Mutuel", "Poste Italiane", "H&M"):
        texts = [f"{name} : {text}" for text in plain(lang)]
        found.append(intents(tagger, texts, Watchlist([Organisation(name)])))
    assert all(other == found[0] for other in found)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_saying_that_one_cancels_raises_churn(tagger: Tagger, lang: str) -> None:
    texts = [text for intent, some in SENTENCES[lang].items() if intent != "churn" for text in some]
    before = scores(tagger, texts, "churn")
    after = scores(tagger, [f"{text} {CHURN[lang]}" for text in texts], "churn")
    fell = [text for text, one, other in zip(texts, before, after, strict=True) if other <= one]
    assert not fell


@pytest.mark.parametrize("names", [("Quorva", "Norbeam"), ("Norbeam", "Quorva"), ("Orange", "Free")], ids="-".join)
def test_who_is_left_loses_a_customer_and_who_is_joined_gains_one(tagger: Tagger, names: tuple[str, str]) -> None:
    left, joined = names
    watchlist = Watchlist(Organisation(name) for name in names)
    mentions = [text.format(left=left, joined=joined) for texts in SWITCHES.values() for text in texts]
    towards_left = intents(tagger, mentions, watchlist, left)
    towards_joined = intents(tagger, mentions, watchlist, joined)
    right = [
        "churn" in leaving and "purchase" not in leaving and "purchase" in joining and "churn" not in joining
        for leaving, joining in zip(towards_left, towards_joined, strict=True)
    ]
    missed = [mention for mention, known in zip(mentions, right, strict=True) if not known]
    assert len(missed) <= round(1 - ENOUGH, 9) * len(mentions), missed


@pytest.mark.parametrize(("done", "expected"), [("left", False), ("joined", True)])
def test_a_brand_that_is_not_named_loses_who_goes_to_a_competitor_and_not_who_leaves_one(
    tagger: Tagger, done: str, expected: bool
) -> None:
    watchlist = Watchlist([Organisation("Quorva"), Organisation("Norbeam", "competitor")])
    mentions = [text.format(other="Norbeam") for text in ELSEWHERE[done]]
    found = intents(tagger, mentions, watchlist, "Quorva")
    missed = [mention for mention, given in zip(mentions, found, strict=True) if ("churn" in given) != expected]
    assert len(missed) <= len(mentions) // 6, missed


@pytest.mark.parametrize("text", [text for texts in SWITCHES.values() for text in texts])
def test_swapping_the_names_swaps_which_intent_is_likelier(tagger: Tagger, text: str) -> None:
    """In every way to say so, whatever the thresholds make of it."""
    swapped = [text.format(left=TARGET, joined=OTHER), text.format(left=OTHER, joined=TARGET)]
    churn, purchase = (scores(tagger, swapped, intent) for intent in ("churn", "purchase"))
    assert churn[0] > churn[1]
    assert purchase[0] < purchase[1]


def test_the_targets_of_a_mention_are_told_apart_in_one_answer(tagger: Tagger) -> None:
    watchlist = Watchlist([Organisation("Quorva"), Organisation("Norbeam", "competitor")])
    (result,) = tagger.tag([Mention("m", "Ras le bol de Quorva, je passe chez Norbeam")], watchlist=watchlist)
    assert isinstance(result, Tagged)
    found = {target.name: {score.tag for score in target.tags["intent"]} for target in result.targets}
    assert "churn" in found["Quorva"] and "purchase" in found["Norbeam"]
    assert {score.tag for score in result.tags["intent"]} == found["Quorva"]
