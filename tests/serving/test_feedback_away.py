"""Corrections where something is missing or away: a place, a key, the database, its driver, or the service itself."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing, suppress
from pathlib import Path

import httpx
import psutil

from labels.feedback.database import FILE
from labels.feedback.store import FeedbackStore
from serving.keys import Scope, add_key
from tests import postgres
from tests.serving.calls import problem, tag
from tests.serving.conftest import ROOT, TYMPAN, Running
from tests.serving.feedback import correction, send, served, told
from tests.serving.test_load import until


def test_what_was_answered_outlives_a_kill_of_the_service(bundle: Path, tmp_path: Path) -> None:
    answered: list[str] = []
    with served(bundle, str(tmp_path)) as (running, client):

        def keep_sending() -> None:
            with suppress(httpx.TransportError):
                for number in range(100_000):
                    send(client, correction(id=f"k{number}"))
                    answered.append(f"k{number}")

        sending = threading.Thread(target=keep_sending)
        sending.start()
        until(lambda: len(answered) >= 20)
        os.kill(running.process.pid, signal.SIGKILL)
        sending.join()
        running.process.wait()
    found = [one.correction.id for one in FeedbackStore(tmp_path).after()]
    assert found in (answered, [*answered, f"k{len(answered)}"])


def test_a_database_that_is_away_is_503_and_the_same_call_is_kept_when_it_is_back(
    bundle: Path, postgresql: postgres.Server
) -> None:
    call = [correction(id="c1"), correction(id="c2")]
    with served(bundle, postgresql.make("back")) as (running, client):
        assert told(send(client, call[0])) == ["stored"]
        postgresql.shut("back")
        for _ in range(3):
            refused = client.post("/v1/feedback", json={"corrections": call})
            assert "Send the call again" in problem(refused, 503)["detail"]
            assert int(refused.headers["retry-after"]) >= 1
        assert len(tag(client, "panne")) == 1
        assert client.get("/ready").status_code == 200
        postgresql.let_in("back")
        until(lambda: client.post("/v1/feedback", json={"corrections": call}).status_code == 200)
        assert told(send(client, *call)) == ["known", "known"]
        log = "".join(running.logged())
    assert "corrections cannot be kept: feedback store: cannot be used now" in log
    assert postgres.PASSWORD not in log
    assert "panne" not in log


def test_callers_who_hang_up_while_the_database_is_held_leave_no_threads_behind(bundle: Path, tmp_path: Path) -> None:
    with served(bundle, str(tmp_path)) as (running, client):
        send(client, correction())
        threads = psutil.Process(running.process.pid).num_threads
        before = threads()
        with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(30):
                with suppress(httpx.TimeoutException):
                    client.post("/v1/feedback", json={"corrections": [correction(id=f"h{number}")]}, timeout=0.05)
            assert threads() <= before + 5
        last = {"corrections": [correction(id="after")]}
        until(lambda: client.post("/v1/feedback", json=last).status_code == 200)


def test_a_service_without_a_place_for_corrections_says_so(server: Running) -> None:
    refused = httpx.post(f"{server.url}/v1/feedback", json={"corrections": [correction()]})
    assert "TYMPAN_STATE or TYMPAN_FEEDBACK" in problem(refused, 404)["detail"]


def test_a_service_starts_while_its_database_is_away_and_asks_for_a_key_with_the_scope(
    bundle: Path, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    good, other = add_key(file, "good", [Scope.FEEDBACK]), add_key(file, "other", [Scope.TAG])
    nowhere = f"postgresql://ann:{postgres.PASSWORD}@127.0.0.1:1/none"
    with served(bundle, nowhere, TYMPAN_KEYS=str(file)) as (_, client):
        call = {"corrections": [correction()]}
        problem(client.post("/v1/feedback", json=call), 401)
        problem(client.post("/v1/feedback", json=call, headers={"X-API-Key": other}), 403)
        refused = client.post("/v1/feedback", json=call, headers={"X-API-Key": good})
        assert postgres.PASSWORD not in problem(refused, 503)["detail"]
        client.headers["X-API-Key"] = other
        assert len(tag(client, "panne")) == 1


def test_a_service_that_keeps_nothing_needs_no_database_library_and_postgresqls_driver_is_named() -> None:
    # None in sys.modules is how Python itself marks a module as one that cannot be imported.
    code = """
import sys
sys.modules |= dict.fromkeys(("sqlalchemy", "alembic", "psycopg"))
import serving.app
from serving.feedback.desk import Desk
from serving.settings import Settings
print(Desk.of(Settings.read()))
try:
    Desk.of(Settings.read(feedback="postgresql://127.0.0.1/tympan"))
except Exception as error:
    print(error)
"""
    done = subprocess.run([TYMPAN[0], "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "None\npsycopg: is not installed. Run: pip install 'tympan[postgres]'\n"
