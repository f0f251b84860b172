"""Corrections are sent, kept before the answer comes, and told apart by what became of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from labels.feedback.correction import Correction
from labels.feedback.store import FeedbackStore
from model.watchlist import Organisation
from serving.feedback.schemas import FeedbackCode
from tests import postgres
from tests.serving.calls import problem, tag
from tests.serving.conftest import Running
from tests.serving.feedback import about, correction, send, served, told


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def running(exclusive_bundle: Path, state: Path) -> Iterator[Running]:
    with served(exclusive_bundle, str(state)) as (found, _):
        yield found


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=60) as found:
        yield found


@pytest.fixture
def store(running: Running, state: Path) -> FeedbackStore:
    return FeedbackStore(state)


def kept(store: FeedbackStore, name: str) -> Correction:
    (found,) = [one.correction for one in store.after() if one.correction.id == name]
    return found


def test_a_correction_is_kept_as_it_was_sent(client: httpx.Client, store: FeedbackStore) -> None:
    organisations = [{"name": "Lorivox", "aliases": ["@lori"]}, {"name": "Zenbia", "role": "competitor"}]
    mention = about("Panne chez @lori !", "m7", lang="fr-CA", target="lori", watchlist=organisations)
    said = correction(id="whole", mention=mention, tags=["friction", "churn"], at="2026-03-02T09:15:00+01:00")
    assert send(client, said) == [{"id": "whole", "status": "stored"}]
    assert kept(store, "whole") == Correction(
        id="whole",
        mention="m7",
        text="Panne chez @lori !",
        lang="fr",
        target="Lorivox",
        watchlist=(Organisation("Lorivox", aliases=("@lori",)), Organisation("Zenbia", "competitor")),
        group="intent",
        tags=("friction", "churn"),
        who="ann",
        at=datetime(2026, 3, 2, 8, 15, tzinfo=UTC),
    )


def test_a_correction_has_the_time_at_which_it_came_if_it_names_none(
    client: httpx.Client, store: FeedbackStore
) -> None:
    before = datetime.now(UTC)
    send(client, correction(id="now"), correction(id="day", at="2026-03-02"))
    assert before <= kept(store, "now").at <= datetime.now(UTC)
    assert kept(store, "day").at == datetime(2026, 3, 2, tzinfo=UTC)


def test_the_only_brand_of_the_watchlist_is_the_target_of_a_correction_without_one(
    client: httpx.Client, store: FeedbackStore
) -> None:
    send(client, correction(id="brand", mention=about(watchlist=[{"name": "Lorivox"}])))
    assert kept(store, "brand").target == "Lorivox"


def test_the_same_call_again_changes_nothing(client: httpx.Client, store: FeedbackStore) -> None:
    call = [correction(id="again"), correction(who="col"), correction(wrong=["churn"], who="col")]
    first, count = send(client, *call), store.count()
    assert told(first) == ["stored"] * 3
    second = send(client, *call)
    assert told(second) == ["known"] * 3
    assert [result["id"] for result in second] == [result["id"] for result in first]
    assert store.count() == count


NOW = datetime.now(UTC)
BAD: list[tuple[FeedbackCode, str, dict[str, Any], str]] = [
    ("text_empty", "mention/text", {"mention": about(" \u200b\x00 ")}, "text: is empty"),
    ("text_too_long", "mention/text", {"mention": about("a" * 20_001)}, "at most 20,000"),
    ("unknown_mention", "mention/text", {"mention": about(None, "nobody's")}, "Send its text"),
    ("watchlist_unusable", "mention/watchlist", {"mention": about(watchlist=[{"name": "A"}] * 2)}, "listed twice"),
    ("unknown_target", "mention/target", {"mention": about(target="B", watchlist=[{"name": "A"}])}, "Legal: A"),
    ("unknown_group", "group", {"group": "mood"}, "Legal: intent, topic, sentiment"),
    ("unknown_tag", "tags", {"tags": ["friction", "anger"]}, "no tag 'anger'. Legal: purchase, friction, churn"),
    ("unknown_tag", "wrong", {"wrong": ["anger"]}, "no tag 'anger'"),
    ("too_many_tags", "tags", {"group": "sentiment", "tags": ["neutral", "positive"]}, "exclusive"),
    ("no_verdict", "tags", {"tags": None}, "Give all that are right"),
    ("no_verdict", "tags", {"tags": ["churn"], "wrong": ["help"]}, "Give one of them"),
    ("no_verdict", "tags", {"wrong": []}, "Give all that are right"),
    ("time_unreadable", "at", {"at": "soon"}, "Write it as 2026-03-02T08:15:00Z"),
    ("time_unreadable", "at", {"at": "0001-01-01T00:00:00+14:00"}, "ISO 8601"),
    ("time_to_come", "at", {"at": (NOW + timedelta(hours=2)).isoformat()}, "See to the clock"),
    ("conflict", "id", {"id": "taken", "tags": ["churn"]}, "was given to another one"),
]


def test_a_bad_one_is_told_why_and_where_and_never_fails_the_others(client: httpx.Client, store: FeedbackStore) -> None:
    assert {code for code, *_ in BAD} == set(get_args(FeedbackCode))
    send(client, correction(id="taken"))
    call = []
    for number, (_, _, fields, _) in enumerate(BAD):
        call += [correction(id=f"good-{number}"), {"id": f"bad-{number}", **correction(**fields)}]
    results = send(client, *call)
    assert told(results[::2]) == ["stored"] * len(BAD)
    for number, ((code, field, _, says), result) in enumerate(zip(BAD, results[1::2], strict=True)):
        error = result["error"]
        assert (error["code"], error["pointer"]) == (code, f"#/corrections/{2 * number + 1}/{field}")
        assert says in error["detail"]
        assert error["title"]
    assert not any(one.correction.id.startswith("bad") for one in store.after())
    assert kept(store, "taken").tags == ("friction",)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"who": None}, "who"),
        ({"who": "a\0b"}, "who"),
        ({"id": "\0"}, "id"),
        ({"id": ""}, "id"),
        ({"mention": about(mention="\0")}, "mention/id"),
        ({"mention": about(target="\0")}, "mention/target"),
        ({"mention": {"text": "panne"}}, "mention/id"),
        ({"verdict": "no"}, "verdict"),
        ({"tags": "friction"}, "tags"),
    ],
)
def test_a_call_that_does_not_have_the_shape_is_refused_whole(
    client: httpx.Client, store: FeedbackStore, fields: dict[str, Any], pointer: str
) -> None:
    count = store.count()
    answer = client.post("/v1/feedback", json={"corrections": [correction(id="shape"), correction(**fields)]})
    assert problem(answer, 422)["errors"][0]["pointer"].startswith(f"#/corrections/1/{pointer}")
    assert store.count() == count


def test_texts_that_no_database_takes_are_kept_without_what_the_model_does_not_read(
    client: httpx.Client, store: FeedbackStore
) -> None:
    body = b'{"corrections": [{"id": "odd", "mention": {"id": "m1", "text": "pan\\u0000ne \\ud800"}, "group": "intent",'
    body += b' "tags": [], "who": "ann"}]}'
    answer = client.post("/v1/feedback", content=body, headers={"content-type": "application/json"})
    assert told(answer.json()["results"]) == ["stored"]
    assert kept(store, "odd").text == "panne "


def test_a_thousand_are_kept_in_one_call_and_one_more_is_refused(client: httpx.Client, store: FeedbackStore) -> None:
    send_a_thousand(client, store)


def test_a_thousand_are_kept_in_a_postgresql_too(bundle: Path, postgresql: postgres.Server) -> None:
    place = postgresql.make("thousand")
    with served(bundle, place) as (_, client):
        send_a_thousand(client, FeedbackStore(place))


def send_a_thousand(client: httpx.Client, store: FeedbackStore) -> None:
    last = max((one.sequence for one in store.after()), default=0)
    many = [correction(id=f"t{n}", mention=about(f"panne {n}", f"m{n}")) for n in range(1_000)]
    assert told(send(client, *many)) == ["stored"] * 1_000
    assert told(send(client, *many[:-1], correction(id="t1000"))) == ["known"] * 999 + ["stored"]
    refused = client.post("/v1/feedback", json={"corrections": [*many, correction()]})
    assert "more than 1,000" in problem(refused, 413)["detail"]
    assert [one.correction.id for one in store.after(last)] == [f"t{n}" for n in range(1_001)]


def test_no_text_is_kept_of_what_is_tagged_unless_it_is_asked_for(
    client: httpx.Client, store: FeedbackStore, state: Path
) -> None:
    tag(client, "panne et secret")
    assert told(send(client, correction(mention=about(None, "m0")))) == ["unknown_mention"]
    assert store.recent(1) == []
    assert all(b"secret" not in file.read_bytes() for file in state.glob("*feedback*"))


def test_the_route_is_described_with_examples_that_it_takes(client: httpx.Client) -> None:
    route = client.get("/openapi.json").json()["paths"]["/v1/feedback"]["post"]
    examples = route["requestBody"]["content"]["application/json"]["examples"]
    with_text, by_id = (examples[name]["value"]["corrections"] for name in ("text", "id"))
    results = send(client, *with_text, *by_id)
    assert told(results) == ["stored", "unknown_mention"]
    shown = route["responses"]["200"]["content"]["application/json"]["examples"]["mixed"]["value"]["results"]
    assert shown[0] == results[0]
    assert set(shown[1]["error"]) == set(results[1]["error"])
    assert (shown[1]["error"]["title"], shown[1]["error"]["detail"]) == (
        results[1]["error"]["title"],
        results[1]["error"]["detail"],
    )
