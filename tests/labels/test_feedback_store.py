"""Corrections are kept, once each, whoever writes at the same time and whatever is killed."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from labels.errors import CorrectionError, FeedbackStoreError
from labels.feedback.database import FILE, Database
from labels.feedback.mention import TaggedMention
from labels.feedback.store import FeedbackStore
from labels.feedback.tables import metadata
from model.watchlist import Organisation
from tests import postgres
from tests.labels.corrections import NOON, correction, go, writer

WATCHLIST = (Organisation("Lorivox", aliases=("@lori\0vox", "\ud800")), Organisation("Zenbia", "competitor"))


def names(store: FeedbackStore, after: int = 0) -> list[str]:
    return [one.correction.id for one in store.after(after)]


def test_corrections_come_back_as_they_were_in_order(place: str) -> None:
    paris = datetime(2026, 3, 2, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    given = [
        correction("c1", lang="fr", target="Lorivox", watchlist=WATCHLIST, model="small-1", at=paris),
        correction("c2", tags=()),
        correction("c3", text="🙂 'quoted' ; -- \n", wrong=("price", "place"), who="ben"),
    ]
    store = FeedbackStore(place)
    assert store.add(given) == ["stored"] * 3
    kept = FeedbackStore(place).after()
    assert [one.correction for one in kept] == given
    assert [one.correction.at.utcoffset() for one in kept] == [timedelta(0)] * 3
    assert kept[0].sequence < kept[1].sequence < kept[2].sequence


def test_what_comes_after_a_number_is_found_and_counted(place: str) -> None:
    store = FeedbackStore(place)
    store.add([correction(f"c{number}") for number in range(5)])
    third = store.after()[2].sequence
    assert names(store, after=third) == ["c3", "c4"]
    assert (store.count(), store.count(after=third)) == (5, 2)


def test_the_same_id_again_changes_nothing_and_with_other_content_is_a_conflict_of_its_own(place: str) -> None:
    store = FeedbackStore(place)
    first = correction("c1", tags=("place", "price"))
    assert store.add([first, first]) == ["stored", "known"]
    again = correction("c1", tags=("price", "place"), minutes=9, model="small-2")
    other = correction("c1", tags=("price",))
    assert store.add([again, other, correction("c2")]) == ["known", "conflict", "stored"]
    assert [one.correction for one in store.after()] == [first, correction("c2")]


def test_without_an_id_the_same_word_of_the_same_person_is_one(place: str) -> None:
    store = FeedbackStore(place)
    said = [correction(""), correction("", minutes=5), correction("", who="ben"), correction("", tags=())]
    said += [correction("", target="Lorivox"), correction("", mention="m2"), correction("", wrong=("place",))]
    assert store.add(said) == ["stored", "known", *["stored"] * 5]


def test_more_than_a_statement_can_hold_are_added_at_once(place: str) -> None:
    store = FeedbackStore(place)
    many = [correction(f"c{number}") for number in range(1_700)]
    assert store.add(many[:900]) == ["stored"] * 900
    assert store.add(many) == ["known"] * 900 + ["stored"] * 800
    assert store.count() == 1_700


def test_two_processes_that_open_and_write_at_once_lose_nothing_and_a_reader_misses_nothing(place: str) -> None:
    writers = [writer(place, name, batches=20) for name in ("a", "b")]  # a store that is new to both
    for process in writers:
        go(process)
    store = FeedbackStore(place)
    seen: list[str] = []
    last = 0
    running = True
    while running:
        running = any(process.poll() is None for process in writers)
        for one in store.after(last):
            seen.append(one.correction.id)
            last = one.sequence
    assert [process.returncode for process in writers] == [0, 0]
    expected = [f"{name}-{batch}-{number}" for name in ("a", "b") for batch in range(20) for number in range(10)]
    assert sorted(seen) == sorted(expected)


def test_what_was_said_to_be_kept_outlives_a_kill_and_no_batch_is_cut(place: str) -> None:
    process = writer(place, "k", batches=100_000)
    go(process)
    assert process.stdout
    for _ in range(20):
        process.stdout.readline()
    process.kill()
    told = 20 + len(process.stdout.readlines())  # communicate() would lose lines that were read ahead
    process.wait()
    store = FeedbackStore(place)
    kept = names(store)
    assert len(kept) in (10 * told, 10 * (told + 1))
    assert kept == [f"k-{place // 10}-{place % 10}" for place in range(len(kept))]
    assert store.add([correction("after")]) == ["stored"]


def test_the_newest_mentions_are_remembered_and_of_one_id_the_last(place: str) -> None:
    store = FeedbackStore(place)
    seen = [TaggedMention(id=f"m{n}", text=f"text {n}", watchlist=WATCHLIST, model="small-1") for n in range(8)]
    store.remember(seen[:5], keep=4)
    assert store.recent(10) == seen[4:0:-1]
    again = TaggedMention(id="m2", text="another", lang="fr", target="Lorivox")
    store.remember([*seen[5:7], TaggedMention(id="m2", text="not the last"), again], keep=4)
    assert store.recent(10) == [again, seen[6], seen[5], seen[4]]
    assert FeedbackStore(place).recall(["m2", "m5", "m1", "unknown"]) == {"m2": again, "m5": seen[5]}
    assert store.recent(1) == [again]
    store.remember([], keep=4)
    assert len(store.recent(10)) == 4


def test_what_is_erased_is_gone_and_its_number_does_not_come_again(place: str) -> None:
    store = FeedbackStore(place)
    store.add([correction("c1"), correction("c2", mention="m2"), correction("c3", mention="m3", text="said twice")])
    store.remember([TaggedMention(id="m2", text="secret words"), TaggedMention(id="m4", text="said twice")], keep=9)
    last = store.after()[-1].sequence
    assert store.erase(mentions=["m2", "m9"], texts=["said twice"]) == 4
    assert names(store) == ["c1"]
    assert store.recent(9) == []
    assert store.erase(mentions=["m2"]) == 0
    store.add([correction("c4")])
    assert store.after()[-1].sequence > last
    for file in Path(place).glob("*"):  # none beside a PostgreSQL
        assert b"secret words" not in file.read_bytes()


def test_the_tables_are_those_that_the_migrations_make(place: str) -> None:
    with Database(place).reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(place: str) -> None:
    FeedbackStore(place).add([correction("c1")])
    with Database(place).writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(FeedbackStoreError, match="made by a newer version"):
        FeedbackStore(place)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    FeedbackStore(tmp_path).add([correction("c1")])
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("*feedback*")}
    assert modes.pop(FILE) == 0o600
    assert set(modes.values()) == {0o600}


def test_a_database_that_is_away_or_spoilt_is_told_without_the_password(
    postgresql: postgres.Server, tmp_path: Path
) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    (tmp_path / "file").touch()
    places = [tmp_path, tmp_path / "file" / "below", postgresql.url("none")]
    places.append(postgresql.url("postgres").replace(f":{postgresql.port}/", ":1/"))
    for where in places:
        with pytest.raises(FeedbackStoreError, match="cannot be used now") as refused:
            FeedbackStore(where)
        assert postgres.PASSWORD not in str(refused.value)


@pytest.mark.parametrize("where", ["mysql://u:secret@h/d", "sqlite:///x", "postgresql://u:secret@h:x/d", "://"])
def test_a_url_of_something_else_is_refused(where: str) -> None:
    with pytest.raises(FeedbackStoreError, match="is no URL of a PostgreSQL") as refused:
        FeedbackStore(where)
    assert "secret" not in str(refused.value)


def test_a_store_that_fails_can_be_used_again(postgresql: postgres.Server) -> None:
    store = FeedbackStore(postgresql.make("away"))
    store.add([correction("c1")])
    postgresql.shut("away")
    with pytest.raises(FeedbackStoreError):
        store.add([correction("c2")])
    postgresql.let_in("away")
    assert store.add([correction("c1"), correction("c2")]) == ["known", "stored"]


def test_who_writes_waits_for_who_began_before(place: str) -> None:
    store = FeedbackStore(place)
    adding = threading.Thread(target=store.add, args=([correction("c1")],))
    with Database(place).writing():
        adding.start()
        adding.join(0.5)
        assert adding.is_alive()
    adding.join(20)
    assert names(store) == ["c1"]


@pytest.mark.parametrize(
    "fields",
    [{"tags": (), "wrong": ("place",)}, {"tags": None}, {"wrong": ()}, {"at": datetime(2026, 3, 2)}],
)
def test_a_correction_that_says_nothing_or_two_things_or_when_nobody_knows_is_none(fields: dict[str, object]) -> None:
    with pytest.raises(CorrectionError):
        correction("c1", **fields)
    assert correction("c1").at == NOON
