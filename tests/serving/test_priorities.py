"""Priorities in the answers of the service and in tagged files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from model.registry import Registry
from model.tagger import Tagger
from model.taxonomy import Taxonomy
from model.watchlist import Organisation, Watchlist
from serving.errors import PrioritiesError
from serving.reply import replied
from serving.rules import Rules
from serving.service import Service
from serving.settings import Settings
from tests.bundles import TINY, keyword_bundle, tiny_taxonomy
from tests.serving.calls import problem, tag
from tests.serving.conftest import Running, start, stop
from tests.serving.files import NEW, records, tagged, written
from tests.serving.test_rules import TEXT

WATCHLIST = [{"name": "Free"}, {"name": "Orange", "role": "competitor"}]
OPPORTUNITY = """
[[rule]]
name = "opportunity"
all = ["intent/churn"]
towards = ["competitor"]
level = "high"
reason = { en = "Opportunity", fr = "Opportunité" }
owner = "sales"

[owners.sales]
title.en = "Sales"
"""
FIELDS = ("priority", "priority_reason", "owner")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[Running]:
    """A service on a registry, with rules of its own for the tags of its champion."""
    folder = tmp_path_factory.mktemp("priorities")
    (folder / "mine.toml").write_text(TEXT + OPPORTUNITY, encoding="utf-8")
    registry = Registry(folder / "registry")
    registry.promote(registry.add(bundle), who="ann", why="first")
    others = Taxonomy.parse(TINY.replace('"tiny"', '"other"', 1))
    registry.add(keyword_bundle(folder / "other", taxonomy=others))
    found = start(registry.path, "--threads", "1", TYMPAN_PRIORITIES=str(folder / "mine.toml"))
    yield found
    stop(found)


@pytest.fixture
def caller(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=60) as found:
        yield found


def judged(caller: httpx.Client, text: str, **mention: object) -> tuple[str | None, ...]:
    asked = {"mentions": [{"id": "m", "text": text, "lang": "fr", **mention}], "watchlist": WATCHLIST}
    (found,) = caller.post("/v1/tag", json=asked).json()["results"]
    return tuple(found[name] for name in FIELDS)


def test_answers_have_the_priority_the_reason_and_the_owner(caller: httpx.Client) -> None:
    assert judged(caller, "Free, je résilie") == ("urgent", "Part (Free)", "care")
    assert judged(caller, "Free, je résilie", answered=False) == ("urgent", "Part (Free)", "care")
    assert judged(caller, "Free, je résilie", answered=True) == ("low", "Nothing (Free)", "care")
    assert judged(caller, "Orange, je résilie") == ("high", "Opportunité (Orange)", "sales")
    assert judged(caller, "Orange, je résilie", target="orange") == ("high", "Opportunité (Orange)", "sales")
    assert judged(caller, "une panne") == ("normal", "Trouble (Free)", "care")


def test_a_mention_that_fails_has_no_priority_and_one_without_watchlist_no_name(caller: httpx.Client) -> None:
    failed, leaving = tag(caller, "", "je résilie")
    assert not {*FIELDS} & failed.keys()
    assert (leaving["priority"], leaving["owner"]) == ("urgent", "care")
    assert "(" not in leaving["priority_reason"]


def test_a_model_with_other_tags_is_refused_and_the_present_one_goes_on(caller: httpx.Client) -> None:
    (other,) = [one["model"] for one in caller.get("/v1/models").json()["models"] if not one["served"]]
    answer = caller.post(f"/v1/models/{other}/activate", json={"who": "ann", "why": "try"})
    assert "mine.toml: taxonomy: is 'tiny'" in problem(answer, 422)["detail"]
    assert judged(caller, "Free, je résilie") == ("urgent", "Part (Free)", "care")


def test_the_start_says_by_which_rules_and_a_model_without_any_has_no_priorities(
    running: Running, bundle: Path, client: httpx.Client
) -> None:
    assert running.process.stdout
    said = [running.process.stdout.readline() for _ in range(2)]
    assert said[-1] == "Priorities by the rules of mine.toml\n"
    (found,) = tag(client, "je résilie")  # the rules that ship are for other tags
    assert [found[name] for name in FIELDS] == [None, None, None]


def test_rules_for_other_tags_stop_the_start(tagger: Tagger, tmp_path: Path) -> None:
    path = tmp_path / "others.toml"
    path.write_text(TEXT.replace('"tiny"', '"bank"', 1), encoding="utf-8")
    with pytest.raises(PrioritiesError, match=r"others\.toml: taxonomy: is 'bank'"):
        Service.of(tagger, Settings.read(priorities=path))


def test_a_tagged_file_has_their_columns_and_reads_who_was_answered(tagger: Tagger, tmp_path: Path) -> None:
    watched = Watchlist([Organisation("Free"), Organisation("Orange", "competitor")])
    reading = {"watchlist": watched, "target": watched.brand(), "answered_column": "replied"}
    rules = Rules.parse(TEXT + OPPORTUNITY).on(tiny_taxonomy())
    content = "text,replied\nFree je résilie,no\nFree je résilie,OUI\nOrange je résilie,\n,no\n"
    out, _ = tagged(tagger, written(tmp_path, content.encode()), priorities=rules, **reading)
    assert [tuple(row[f"tympan_{name}"] for name in FIELDS) for row in records(out)] == [
        ("urgent", "Part (Free)", "care"),
        ("low", "Nothing (Free)", "care"),
        ("high", "Opportunité (Orange)", "sales"),
        ("", "", ""),
    ]
    assert list(records(out)[0])[-6:] == [*(f"tympan_{name}" for name in FIELDS), *NEW[2:]]


def test_json_says_whether_there_was_an_answer(tagger: Tagger, tmp_path: Path) -> None:
    rules = Rules.parse(TEXT).on(tiny_taxonomy())
    content = '{"text": "cancel", "answered": true}\n{"text": "cancel", "answered": false}\n{"text": "cancel"}\n'
    path = written(tmp_path, content.encode(), "m.jsonl")
    out, _ = tagged(tagger, path, priorities=rules, answered_column="answered")
    assert [json.loads(line)["tympan_priority"] for line in out.splitlines()] == ["low", "urgent", "urgent"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("yes", " TRUE ", "1", "Oui", "VRAI", "Sì", "si", "VERO", "répondu"), True),
        (("no", "False", "0", "non", "FAUX", "falso"), False),
        (("", " ", "2026-03-02", "maybe"), None),
    ],
)
def test_a_cell_says_yes_or_no_or_nothing(cells: tuple[str, ...], said: bool | None) -> None:
    assert {replied(cell) for cell in cells} == {said}
