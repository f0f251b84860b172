"""Mentions that were tagged lately can be corrected by their ids alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from labels.feedback.store import FeedbackStore
from model.tagger import Tagger
from model.watchlist import Organisation
from serving.errors import SettingsError
from serving.settings import Settings
from tests import postgres
from tests.serving.calls import tag
from tests.serving.conftest import stop
from tests.serving.feedback import about, correction, send, served, told
from tests.serving.scrapes import scrape, value
from tests.serving.test_load import until


def ids(store: FeedbackStore) -> list[str]:
    return [mention.id for mention in store.recent(10_000)]


def tag_many(client: httpx.Client, mentions: list[dict[str, Any]]) -> None:
    assert client.post("/v1/tag", json={"mentions": mentions}).status_code == 200


def test_several_processes_keep_each_correction_once_and_know_what_any_of_them_tagged(
    bundle: Path, tagger: Tagger, tmp_path: Path
) -> None:
    store = FeedbackStore(tmp_path)
    watchlist = [{"name": "Lorivox", "aliases": ["lori"]}, {"name": "Zenbia", "role": "competitor"}]
    said = [
        correction(id="towards", mention=about(None, "m0")),
        correction(id="against", mention=about(None, "m0", target="Zenbia"), tags=[]),
        correction(mention=about(None, "m9")),
    ]
    with served(bundle, str(tmp_path), "--workers", "2", TYMPAN_RECENT="10") as (running, client):
        answered, _ = tag(client, "panne chez lori", "la", watchlist=watchlist)
        until(lambda: len(ids(store)) == 2)

        def send_once(_: int) -> list[str]:
            with httpx.Client(base_url=running.url, timeout=60) as other:  # it falls to one process or the other
                return told(send(other, *said))

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(send_once, range(16)))
    assert [found[2] for found in results] == ["unknown_mention"] * 16
    assert sorted(found[0] for found in results) == ["known"] * 15 + ["stored"]
    towards, against = (one.correction for one in store.after())
    assert (towards.text, towards.lang, towards.target) == ("panne chez lori", answered["lang"], "Lorivox")
    assert towards.watchlist == (Organisation("Lorivox", aliases=("lori",)), Organisation("Zenbia", "competitor"))
    assert towards.model == tagger.bundle.version
    assert (against.text, against.target) == ("panne chez lori", "Zenbia")


def test_the_newest_are_kept_and_those_that_failed_are_not_and_what_waits_is_written_at_the_end(
    bundle: Path, tmp_path: Path
) -> None:
    store = FeedbackStore(tmp_path)
    with served(bundle, str(tmp_path), TYMPAN_RECENT="5") as (running, client):
        for first in (0, 4):
            tag_many(client, [{"id": f"m{n}", "text": f"panne {n}"} for n in range(first, first + 4)])
        tag_many(client, [{"id": "empty", "text": " "}, {"id": "nul\0", "text": "panne"}, {"id": "m2", "text": "la\0"}])
        until(lambda: ids(store)[:1] == ["m2"])
        assert ids(store) == ["m2", "m7", "m6", "m5", "m4"]
        assert store.recall(["m2"])["m2"].text == "la"
        tag_many(client, [{"id": "m8", "text": "panne", "lang": "fr-CA"}, {"id": "m9", "text": "la", "lang": "x\0"}])
        until(lambda: ids(store)[:1] == ["m9"])
        assert [store.recall([name])[name].lang for name in ("m8", "m9")] == ["fr", None]
        for block in range(4):
            tag_many(client, [{"id": f"{block}-{n}", "text": "panne"} for n in range(1_000)])
        assert value(scrape(client), "recent_dropped_total") == 0
        assert stop(running) == 0
    assert ids(store) == [f"3-{n}" for n in range(999, 994, -1)]


def test_a_database_that_is_away_neither_slows_nor_fails_tagging_and_what_is_lost_is_counted(
    bundle: Path, postgresql: postgres.Server
) -> None:
    place = postgresql.make("lost")
    store = FeedbackStore(place)
    with served(bundle, place, TYMPAN_RECENT="100") as (_, client):
        tag(client, "panne")
        until(lambda: ids(store) == ["m0"])
        postgresql.shut("lost")
        tag(client, "panne", "la", "merci")
        until(lambda: value(scrape(client), "recent_dropped_total") == 3)
        for _ in range(8):
            tag_many(client, [{"id": str(n), "text": "panne"} for n in range(1_000)])
        assert value(scrape(client), "recent_dropped_total") >= 1_003, "no more than 5,000 wait"
        postgresql.let_in("lost")
        until(lambda: tag(client, "la") and len(ids(store)) > 1)


@pytest.mark.parametrize("given", [{"recent": 5}, {"recent": -1, "state": Path("s")}])
def test_a_number_of_mentions_that_cannot_be_kept_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="TYMPAN_RECENT"):
        Settings.read(**given)


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "postgresql", "sqlite:///x"])
def test_a_database_that_is_none_of_those_supported_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match="TYMPAN_FEEDBACK") as refused:
        Settings.read(feedback=url)
    assert "secret" not in str(refused.value)
