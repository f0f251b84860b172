"""The page about jobs shows what happens: every example is run, and every route, option and refusal is told."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from serving.jobs.job import STATES, Options
from tests.serving.conftest import ROOT, Running, start, stop
from tests.serving.pages import PROGRAMS, check, pieces, printed, save, sections
from tests.serving.test_jobs_webhook import SECRET

PAGE = ROOT / "docs" / "jobs.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = sections(PAGE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("jobs")
    save(SECTIONS, found)
    return found


@pytest.fixture(scope="module")
def running(bundle: Path, folder: Path) -> Iterator[Running]:
    found = start(bundle, "--threads", "1", TYMPAN_STATE=str(folder / "state"))
    yield found
    stop(found)


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_example_prints_what_is_shown(heading: str, running: Running, folder: Path) -> None:
    for programs, shown in pieces(SECTIONS[heading]):
        for program in programs:
            if program.file:
                continue
            found = printed(program, folder, running.url)
            assert shown, program.text
            check(shown, found)
    if heading == "The first job":
        assert (folder / "mentions.tagged.csv").read_text(encoding="utf-8").startswith("id,text,tympan_")


def test_a_call_is_checked_as_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.spec_from_file_location("hook", folder / "hook.py")
    assert found
    assert found.loader
    hook = importlib.util.module_from_spec(found)
    found.loader.exec_module(hook)
    monkeypatch.setenv("TYMPAN_WEBHOOK_SECRET", SECRET)
    body, now = '{"type": "job.done"}', datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", now, body),
    }
    assert hook.received(body, headers) == {"type": "job.done"}
    with pytest.raises(WebhookVerificationError):
        hook.received(body.replace("done", "failed"), headers)


def test_every_route_option_state_and_refusal_is_told(running: Running) -> None:
    paths = httpx.get(f"{running.url}/openapi.json").json()["paths"]
    ours = {path: operations for path, operations in paths.items() if path.startswith("/v1/jobs")}
    routes = {f"{method.upper()} {path}" for path, operations in ours.items() for method in operations}
    assert set(re.findall(r"^\| `([A-Z]+ /v1/jobs[^`]*)` \|", TEXT, re.MULTILINE)) == routes
    assert re.findall(r"^\| `([a-z_]+)` \|", TEXT, re.MULTILINE) == list(Options.model_fields)
    refusals = {
        status for operations in ours.values() for operation in operations.values() for status in operation["responses"]
    }
    rows = re.findall(r"^\| (\d{3}(?:, \d{3})*) \|", TEXT, re.MULTILINE)
    assert [status for row in rows for status in row.split(", ")] == sorted(refusals - {"200", "202", "204"})
    assert all(f"`{state}`" in TEXT for state in STATES)


def test_every_block_is_one_that_is_run_or_compared() -> None:
    fences = re.findall(r"^```(\w*)$", TEXT, re.MULTILINE)[::2]
    assert set(fences) <= {*PROGRAMS, "json", "text"}
    assert sum(map(len, SECTIONS.values())) == len(fences)
