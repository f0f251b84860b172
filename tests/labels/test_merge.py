"""New labels among those that are known."""

from __future__ import annotations

from labels.merge import merge
from labels.record import Record
from model.watchlist import Organisation


def record(name: str, text: str, *intents: str, unsure: tuple[str, ...] = (), **more: object) -> Record:
    left = {"intent": unsure} if unsure else {}
    return Record(id=name, text=text, tags={"intent": intents}, unsure=left, **more)  # type: ignore[arg-type]


def test_new_mentions_come_after_those_that_are_known() -> None:
    known, new = record("a", "une panne", "friction"), record("b", "merci", "praise")
    assert merge([known], [new]) == [known, new]


def test_a_mention_that_is_known_keeps_its_id_and_gets_the_new_tags() -> None:
    (found,) = merge([record("a", "je pars", "friction")], [record("x", "je  pars ", "churn", annotators=("ann",))])
    assert found == record("a", "je pars", "churn", annotators=("ann",))


def test_groups_of_which_nothing_new_is_said_stay_as_they_were() -> None:
    known = Record(id="a", text="je pars", tags={"intent": ("churn",), "topic": ("price",)})
    (found,) = merge([known], [record("a", "je pars")])
    assert found.tags == {"intent": (), "topic": ("price",)}


def test_what_is_only_said_to_be_wrong_leaves_the_other_tags_as_they_were() -> None:
    known = record("a", "je pars si ça continue", "churn", "friction")
    wrong = record("b", "je pars si ça continue", unsure=("friction", "help"))
    assert merge([known], [wrong]) == [record("a", "je pars si ça continue", "friction")]


def test_a_wrong_leaf_leaves_its_parent_as_it_was() -> None:
    known = Record(id="a", text="trop", tags={"topic": ("price/level",)})
    wrong = Record(id="b", text="trop", tags={"topic": ()}, unsure={"topic": ("price", "price/fees", "network")})
    (found,) = merge([known], [wrong])
    assert (found.tags, found.unsure) == ({"topic": ("price",)}, {})


def test_one_mention_read_with_another_watchlist_is_not_there_twice() -> None:
    new = record("x", "Acme en panne", "friction", target="Acme", watchlist=(Organisation("Acme", "brand"),))
    (first,) = merge([], [new])
    other = (Organisation("Acme", "brand"), Organisation("En", "competitor"))
    found = merge([first], [record("x", "Acme en panne", "churn", target="Acme", watchlist=other)])
    again = merge(found, [record("x", "Acme en panne", "churn", target="Acme", watchlist=other)])
    assert len({one.id for one in again}) == len(again) == len(found)


def test_what_nobody_was_sure_of_before_or_now_stays_open() -> None:
    known = record("a", "ok", unsure=("help", "praise"))
    (found,) = merge([known], [record("b", "ok", unsure=("praise", "churn"))])
    assert found.unsure == {"intent": ("praise",)}


def test_the_later_of_two_new_labels_counts() -> None:
    (found,) = merge([], [record("a", "ok", "praise"), record("b", "ok", "churn")])
    assert (found.id, found.tags["intent"]) == ("a", ("churn",))


def test_one_text_towards_two_targets_is_two_mentions() -> None:
    watchlist = (Organisation("Acme", "brand"), Organisation("Bolt", "competitor"))
    towards = [record(name, "Acme, non: Bolt", target=name, watchlist=watchlist) for name in ("Acme", "Bolt")]
    assert len(merge([], towards)) == 2


def test_another_mention_under_a_known_id_is_not_lost() -> None:
    known = record("1", "une panne", "friction")
    found = merge([known], [record("1", "merci", "praise")])
    assert found[0] == known
    assert found[1].text == "merci" and len(found[1].id) == 24


def test_known_records_of_one_text_are_all_kept_and_all_told_what_is_new() -> None:
    intent = Record(id="a", text="je pars", tags={"intent": ("friction",)})
    topic = Record(id="b", text="je pars", tags={"topic": ("price",)})
    assert merge([intent, topic], []) == [intent, topic]
    found = merge([intent, topic], [record("x", "je pars", "churn")])
    assert [one.id for one in found] == ["a", "b"]
    assert [one.tags for one in found] == [{"intent": ("churn",)}, {"topic": ("price",), "intent": ("churn",)}]
