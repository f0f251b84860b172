"""The small parts of the benchmark of faults, and one case against a real service of a tiny bundle."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.errors import BenchmarkError
from benchmarks.faults.__main__ import CASES, app
from benchmarks.faults.attacks import hostile
from benchmarks.faults.change import Tally, held
from benchmarks.faults.finding import Check, Finding, Setting, flat, grown, report
from benchmarks.faults.malformed import HARMLESS, MALFORMED
from benchmarks.faults.subject import Subject
from benchmarks.faults.traffic import Answer, Caller, Closed, Open, counted, get, post, tagging
from model.bundle import Bundle
from model.errors import BundleError
from model.tagger import Tagger

TEXTS = [f"panne {number}" for number in range(64)]


@pytest.mark.parametrize(
    ("check", "holds"),
    [
        (Check.most("ms", 50, 50), True),
        (Check.most("ms", 50.1, 50), False),
        (Check.least("times", 10, 10), True),
        (Check.least("times", 9.9, 10), False),
        (Check.none("failed", 0, 9), True),
        (Check.none("failed", 1, 9), False),
        (Check.none("failed", 0, 0), False),
        (Check.all("answered", 9, 9), True),
        (Check.all("answered", 8, 9), False),
        (Check.all("answered", 0, 0), False),
        (flat("memory", [100], [91, 109], percent=10), True),
        (flat("memory", [100], [100, 111], percent=10), False),
        (flat("memory", [100], [100, 89], percent=10), False),
        (grown("memory", [1, 50, 100, 100, 100, 100, 100, 100, 106, 106], percent=5), False),
        (grown("memory", [1, 1, 100, 100, 130, 130, 100, 100, 104, 104], percent=5), True),
        (grown("threads", [9, 9, 9, 9, 10], percent=0), False),
        (grown("threads", [1], percent=0), True),
        (grown("threads", [], percent=0), False),
    ],
)
def test_a_check_says_whether_its_bound_holds(check: Check, holds: bool) -> None:
    assert check.holds is holds


def test_a_report_shows_every_check_and_says_what_was_done() -> None:
    finding = Finding("soak", "Calls for long.", (Check.most("threads", 12, 11), Check.none("failed", 0, 1_000)))
    assert not finding.holds
    page = report([finding], "On two threads.").markdown()
    assert "| threads | 12 | ≤ 11 | NO |" in page
    assert "| failed | 0 of 1,000 | 0 | yes |" in page
    assert "- soak: Calls for long.\n- On two threads." in page


def test_a_case_that_is_none_is_refused_by_name() -> None:
    result = CliRunner().invoke(app, ["--only", "nothing"])
    assert isinstance(result.exception, BenchmarkError)
    assert all(name in str(result.exception) for name in ("'nothing'", *CASES))


def test_an_answer_of_one_model_under_the_name_of_another_is_mixed() -> None:
    tally = Tally({"a": {"0": {"intent": [{"tag": "churn", "score": 0.9}]}}, "b": {"0": {"intent": []}}})
    body = b'{"model": "%b", "results": [{"id": "0", "tags": {"intent": [{"tag": "churn", "score": 0.91}]}}]}'
    tally.count(Answer(200, 0.1, body % b"a"))
    assert (tally.mixed, tally.failed) == (0, 0)
    tally.count(Answer(200, 0.1, body % b"b"))
    tally.count(Answer(503, 0.1))
    assert (tally.mixed, tally.failed) == (1, 1)
    assert tally.models == {"a": 1, "b": 1}


def test_the_models_to_swap_differ_and_the_broken_one_is_refused(bundle: Path, tmp_path: Path) -> None:
    registry, models, broken = held(bundle, tmp_path)
    assert registry.champion() == models[0]
    assert len({*models, broken}) == 3
    first, second = (Tagger.load(registry.folder(model)).bundle.calibration.thresholds for model in models)
    assert all(one < other for one, other in zip(first, second, strict=True))
    with pytest.raises(BundleError, match="altered"):
        Bundle.read(registry.folder(broken))


def test_callers_who_wait_and_callers_who_do_not_are_answered_and_counted(bundle: Path) -> None:
    async def call(subject: Subject) -> None:
        requests = itertools.cycle(tagging(TEXTS, 4))
        async with Closed(subject.port, requests, 2) as closed:
            await asyncio.sleep(0.3)
        steady = Open(subject.port, requests, per_second=20)
        await steady.run(0.5)
        await steady.settle()
        answers = [*closed.answers, *steady.answers]
        assert len(steady.answers) == len(steady.late) == 10
        assert {answer.status for answer in answers} == {200}
        assert all(len(answer.results()) == 4 for answer in answers)
        assert await counted(subject.port, "tympan_tokens_total") >= 64
        caller = Caller(subject.port)
        assert (await caller.ask(get("/v1/nothing"))).status == 404
        assert (await caller.ask(post("/v1/tag", b"{"))).status == 422
        caller.close()

    with Subject(bundle, "--threads", "1") as subject:
        asyncio.run(call(subject))
        assert subject.memory > 20
        assert subject.alive
        port = subject.port
    assert asyncio.run(Caller(port).ask(get("/health"))).status == 0


def test_the_malformed_are_refused_by_a_real_service(bundle: Path) -> None:
    finding = asyncio.run(hostile(Setting(bundle, TEXTS)))
    assert finding.holds, replace(finding, done="")
    assert all(name in finding.done for name in (*MALFORMED, *HARMLESS))


def test_a_service_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"did not start.*tympan\.json"):
        Subject(tmp_path)
