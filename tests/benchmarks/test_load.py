"""The service under load against a rival, on a tiny bundle, and what is made of the readings."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from benchmarks import environment
from benchmarks.errors import BenchmarkError
from benchmarks.load.__main__ import app
from benchmarks.load.callers import Load, Reading, put
from benchmarks.load.entrant import ENTRANTS, RIVALRY, TYMPAN, Entrant, Setting
from benchmarks.load.heat import Conditions, Outcome, Result, agree
from benchmarks.load.server import Server, free_port
from benchmarks.load.verdict import load_table, settings_note, verdicts
from benchmarks.store import Store
from model.bundle import Bundle
from tests.benchmarks import trained

PLAIN = next(rival for rival in RIVALRY if rival.name == "plain" and rival.form == "shipped")
PIPELINE = next(rival for rival in RIVALRY if rival.name == "pipeline")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "mentions.csv"
    texts = [f'{number},"{text}"' for number, text in enumerate(trained.texts())]
    file.write_text("\n".join(["id,message", *texts]) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    """This very environment, which has all that the plain rival needs, in place of one of its own."""
    folder = tmp_path / "environments"
    folder.mkdir()
    (folder / "plain").symlink_to(sys.prefix)
    (folder / "plain.installed").write_text(environment.pinned("plain"), encoding="ascii")
    return folder


def test_two_servers_are_put_under_load_and_what_was_measured_is_not_measured_again(
    rows: Path, environments: Path, small: Path, tmp_path: Path
) -> None:
    page, results = tmp_path / "load.md", tmp_path / "load.json"
    options = ["--only", "plain", "--callers", "2", "--mentions", "4", "--seconds", "0.2", "--rounds", "1"]
    given = ["--data", str(rows), "--bundle", str(small), "--environments", str(environments), "--batch-sizes", "8"]
    command = [*options, *given, "--results", str(results), "--markdown", str(page)]
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    written = page.read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in written.splitlines() if line.startswith("|")]
    speeds = {line[0]: line for line in lines if len(line) >= 5 and line[1] == "2"}
    assert list(speeds) == ["Tympan", *(rival.title for rival in RIVALRY if rival.name == "plain"), "bare loop"]
    assert all(float(line[4]) > 0 for line in speeds.values())
    assert f"p99 no worse than {PLAIN.title}" in written
    kept = results.read_text(encoding="utf-8")
    (environments / "plain").unlink()  # no server could be started now
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    assert results.read_text(encoding="utf-8") == kept
    assert page.read_text(encoding="utf-8") == written


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--only", "triton"], "'triton' takes no part. Legal: tympan, pipeline, plain, infinity, litserve"),
        (["--callers", "0"], "--callers: is '0'"),
        (["--mentions", "few"], "--mentions: is 'few'"),
        (["--mentions", "32", "--limit", "8"], "--limit: leaves 8 texts for calls of 32"),
        (["--text-column", "body"], "no column 'body'"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    rows: Path, small: Path, tmp_path: Path, options: Sequence[str], problem: str
) -> None:
    command = ["--data", str(rows), "--bundle", str(small), "--results", str(tmp_path / "none.json"), *options]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, BenchmarkError)
    assert problem in str(result.exception)
    assert not (tmp_path / "none.json").exists()


class Echo(BaseHTTPRequestHandler):
    """Answers with the status that its path names, and keeps what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps([{"intent/praise": 0.5}]).encode()
        self.send_response(int(self.path[1:]))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def echo() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def test_callers_ask_all_the_time_and_every_call_counts(echo: str) -> None:
    reading = put(Load(f"{echo}/200", ["{}"], mentions=3, callers=4, seconds=0.3, warm_up=0))
    assert reading.calls >= 4
    assert reading.mentions == 3 * reading.calls
    assert reading.seconds >= 0.3
    assert 0 < reading.p50 <= reading.p99


def test_a_server_that_refuses_calls_has_no_figures(echo: str) -> None:
    with pytest.raises(BenchmarkError, match="answered with status 429"):
        put(Load(f"{echo}/429", ["{}"], mentions=1, callers=1, seconds=0.1, warm_up=0))


def test_nobody_there_is_an_error(echo: str) -> None:
    with pytest.raises(BenchmarkError, match="failed under load: no answer"):
        put(Load(f"http://127.0.0.1:{free_port()}/", ["{}"], mentions=1, callers=1, seconds=0.1, warm_up=0))


def test_percentiles_are_of_calls_and_the_rate_of_mentions() -> None:
    reading = Reading.of([0.1] * 99 + [1.1], mentions=2, seconds=4.0)
    assert (reading.p50, reading.calls, reading.rate) == (100.0, 100, 50.0)
    assert 100 < reading.p99 < 200


def test_a_server_that_answers_otherwise_is_refused(echo: str, small: Path) -> None:
    class Told(Server):
        """A server that runs already."""

        def __init__(self) -> None:
            self.name, self.url = "other", f"{echo}/200"

    found = Conditions(
        bundle=Bundle.read(small),
        folders={},
        expected={"shipped": [{"intent/praise": 0.505}]},
        texts=["merci"],
        processors=1,
        seconds=1,
        batches=[1],
        environments=small,
    )
    agree(PLAIN, Told(), found)
    with pytest.raises(BenchmarkError, match=r"answers text 0 otherwise than the same network here, by 0\.400"):
        agree(PLAIN, Told(), replace(found, expected={"shipped": [{"intent/praise": 0.9}]}))
    with pytest.raises(BenchmarkError, match=r"by 0\.700"):
        agree(PLAIN, Told(), replace(found, expected={"shipped": [{"intent/praise": 0.5, "intent/help": 0.7}]}))


def test_a_server_that_does_not_start_is_named_with_its_last_words() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no model here')"]
    with (
        Server("rival", command, port=free_port(), path="/", variables={}) as server,
        pytest.raises(BenchmarkError, match="rival: did not start: no model here"),
    ):
        server.wait({})


def outcome(rates: dict[Entrant, tuple[float, float]], *, bare: float) -> Outcome:
    """Of 64 callers with one mention: entrant → mentions a second and p99."""
    results = [
        Result(entrant, Setting(8, 2), {64: [Reading(100, 100, 100 / rate, p99 / 2, p99)]})
        for entrant, (rate, p99) in rates.items()
    ]
    return Outcome(1, results, {64: {"one a text": [bare], "padded batches": [bare / 2]}})


def test_what_is_required_is_held_or_not() -> None:
    found = outcome({TYMPAN: (100, 50), PIPELINE: (40, 90), PLAIN: (80, 40)}, bare=110)
    assert verdicts([found]).rows == (
        ("64 × 1", "≥ 2 × FastAPI + pipeline, torch", "2.50", "held"),
        ("64 × 1", f"faster than {PLAIN.title}", "1.25", "held"),
        ("64 × 1", f"p99 no worse than {PLAIN.title}", "0.80", "not held"),
        ("64 × 1", "≥ 90% of the bare loop, one a text", "0.91", "held"),
        ("64 × 1", "≥ 90% of the bare loop, padded batches", "1.82", "held"),
    )


def test_the_table_compares_all_with_tympan() -> None:
    rows = load_table([outcome({TYMPAN: (100, 50), PIPELINE: (40, 90)}, bare=110)]).rows
    assert [(row[0], row[4], row[-1]) for row in rows] == [
        ("Tympan", "100.0", ""),
        (PIPELINE.title, "40.0", "2.50"),
        ("bare loop", "110.0", "0.91"),
    ]
    assert "FastAPI + pipeline, torch batches of 8, 2 threads a call (1 a call)" in settings_note(
        [outcome({PIPELINE: (40, 90)}, bare=110)]
    )


def test_every_batch_size_is_tried_and_one_thread_a_call_where_calls_can_run_side_by_side() -> None:
    assert PIPELINE.settings([1, 8], 2) == [Setting(1, 2), Setting(8, 2)]
    assert PLAIN.settings([1, 8], 2) == [Setting(1, 1), Setting(1, 2), Setting(8, 2)]
    assert PLAIN.settings([1, 8], 1) == [Setting(1, 1), Setting(8, 1)]


def test_every_rival_is_pinned_and_serves_on_torch_as_the_project_does() -> None:
    for rival in RIVALRY:
        assert rival.environment
        found = environment.versions(rival.environment)
        assert found.get("torch", "2.13.0") == "2.13.0"
    assert len({entrant.key for entrant in ENTRANTS}) == len(ENTRANTS)


def test_figures_are_kept_in_a_file_and_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "load.json"
    Store(file, ("readings",)).add("readings", "a", {"calls": 1})
    assert Store(file, ("readings",)).get("readings", "a") == {"calls": 1}
    with pytest.raises(BenchmarkError, match="holds no results"):
        Store(file, ("bare",))
