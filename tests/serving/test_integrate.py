"""The page for developers shows what happens: every example is run against the model that ships."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from model.bundle import PRETRAINED
from model.registry import Registry
from serving.keys import Scope, add_key
from serving.schemas import ErrorCode, TaggedItem
from tests.serving.calls import problem
from tests.serving.conftest import ROOT, Running, start, stop
from tests.serving.pages import PROGRAMS, Block, check, command, need, pieces, printed, save, sections, surroundings
from tests.serving.test_load import until

PAGE = ROOT / "docs" / "integrate.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = sections(PAGE)
GUARDED = ("Keys", "Which model answered")
CLIENTS = ("python", "js")
DRIVERS = {
    "python": """
import json, sys
from tagging import tag_all
print("here", flush=True)
for line in sys.stdin:
    print(json.dumps(list(tag_all(json.loads(line)))), flush=True)
""",
    "js": """
import { createInterface } from "node:readline";
import { tagAll } from "./tagging.mjs";
console.log("here");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await tagAll(JSON.parse(line))));
}
""",
}
"""Programs that tag each line of mentions with the page's clients."""


@dataclass(frozen=True)
class Guarded:
    """A service of a registry that asks for keys."""

    running: Running
    admin: str
    other: str
    """A version that is held and not served."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's programs are, and the operator's file of keys."""
    found = tmp_path_factory.mktemp("integrate")
    save(SECTIONS, found)
    return found


@pytest.fixture(scope="module")
def open_service() -> Iterator[Running]:
    running = start(PRETRAINED, "--threads", "1", TYMPAN_QUEUE_TOKENS="1")  # which a single caller never notices
    yield running
    stop(running)


@pytest.fixture(scope="module")
def guarded(folder: Path, bundle: Path) -> Iterator[Guarded]:
    registry = Registry(folder / "registry")
    served, other = registry.add(PRETRAINED), registry.add(bundle)
    registry.promote(served, who="ann", why="first")
    admin = add_key(folder / "keys.json", "admin", [Scope.ADMIN])
    running = start(registry.path, "--threads", "1", TYMPAN_KEYS=str(folder / "keys.json"))
    yield Guarded(running, admin, other)
    stop(running)


def results(client: subprocess.Popen[str], mentions: list[dict[str, str]]) -> list[dict[str, Any]]:
    """What a driver's client makes of mentions."""
    assert client.stdin
    assert client.stdout
    client.stdin.write(json.dumps(mentions) + "\n")
    client.stdin.flush()
    found: list[dict[str, Any]] = json.loads(client.stdout.readline())
    return found


@pytest.fixture
def client(request: pytest.FixtureRequest, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A driver, begun: `request.param` is its language, and the environment follows from the service's marks."""
    language, service = request.param
    if service == "guarded":
        found: Guarded = request.getfixturevalue("guarded")
        url, key = found.running.url, add_key(folder / "keys.json", language, [Scope.TAG], mentions_per_minute=15)
    else:
        url, key = request.getfixturevalue("open_service").url, ""
    process = subprocess.Popen(
        command(Block(language, DRIVERS[language]), folder),
        cwd=folder,
        env=surroundings(url, TYMPAN_KEY=key),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "here\n"
    yield process
    process.communicate(timeout=30)


def statuses(running: Running, since: int, *, answered: int) -> list[int]:
    """Those of the calls at /v1/tag from a line of the log on, once so many of them were answered with tags."""

    def found() -> list[int]:
        lines = [json.loads(line) for line in running.logged()[since:]]
        return [line["status"] for line in lines if line.get("route") == "/v1/tag"]

    until(lambda: found().count(200) >= answered)  # a call is logged after its answer was sent
    return found()


@pytest.mark.parametrize("heading", [heading for heading in SECTIONS if heading not in GUARDED])
def test_every_example_prints_what_is_shown(heading: str, open_service: Running, folder: Path) -> None:
    for programs, shown in pieces(SECTIONS[heading]):
        for program in programs:
            found = printed(program, folder, open_service.url)
            if program.silent:
                assert found == ""
            else:
                assert shown, program.text
                check(shown, found)


def test_a_key_is_made_and_lets_its_tool_in(guarded: Guarded, folder: Path) -> None:
    (making, calling), shown = pieces(SECTIONS["Keys"])[0]
    key = printed(making, folder, guarded.running.url).strip()
    assert shown
    check(shown, printed(calling, folder, guarded.running.url, TYMPAN_KEY=key))
    refused = httpx.post(f"{guarded.running.url}/v1/tag", json={"mentions": []}, headers={"X-API-Key": key[:-1]})
    problem(refused, 401)
    assert httpx.get(f"{guarded.running.url}/v1/model", headers={"X-API-Key": key}).status_code == 200


def test_a_model_is_activated_and_taken_back_as_shown(guarded: Guarded, folder: Path) -> None:
    served = []
    for (program,), shown in pieces(SECTIONS["Which model answered"]):
        found = printed(program, folder, guarded.running.url, TYMPAN_KEY=guarded.admin, VERSION=guarded.other)
        assert shown
        check(shown, found)
        served.append(json.loads(found)["served"])
    assert served[0] != served[1] == guarded.other
    assert served[2] == served[0]


@pytest.mark.parametrize("client", [(language, "guarded") for language in CLIENTS], indirect=True, ids=CLIENTS)
def test_a_client_beyond_its_quota_waits_as_long_as_it_is_told(client: subprocess.Popen[str], guarded: Guarded) -> None:
    one = {"id": "m1", "text": "Je résilie."}
    since = len(guarded.running.logged())
    assert len(results(client, [{**one, "id": str(n)} for n in range(15)])) == 15
    (found,) = results(client, [one])
    assert [tag["tag"] for tag in found["tags"]["intent"]] == ["churn"]
    assert statuses(guarded.running, since, answered=2) == [200, 429, 200], "not again before the time was up"


def test_curl_beyond_its_quota_waits_as_long_as_it_is_told(guarded: Guarded, folder: Path) -> None:
    key = add_key(folder / "keys.json", "shell", [Scope.TAG], mentions_per_minute=15)
    ((program,), shown), *_ = pieces(SECTIONS["Retries"])
    used = {"mentions": [{"id": str(n), "text": "Grazie mille!"} for n in range(15)]}
    url = f"{guarded.running.url}/v1/tag"
    since = len(guarded.running.logged())
    assert httpx.post(url, json=used, headers={"X-API-Key": key}, timeout=60).status_code == 200
    found = printed(program, folder, guarded.running.url, TYMPAN_KEY=key)
    assert shown
    check(shown, found)
    assert statuses(guarded.running, since, answered=2) == [200, 429, 200]


@pytest.mark.parametrize("client", [(language, "open") for language in CLIENTS], indirect=True, ids=CLIENTS)
def test_a_client_that_finds_the_service_full_gets_every_mention_tagged_in_order(
    client: subprocess.Popen[str], open_service: Running, request: pytest.FixtureRequest
) -> None:
    since, mark = len(open_service.logged()), request.node.name
    found = results(client, [{"id": str(n), "text": f"Grazie {mark} {n // 5}"} for n in range(210)])
    assert [result["id"] for result in found] == [str(n) for n in range(210)]
    assert all("tags" in result for result in found)
    answers = statuses(open_service, since, answered=3)
    assert answers.count(200) == 3
    assert set(answers) == {200, 429}


@pytest.mark.parametrize("client", [(language, "open") for language in CLIENTS], indirect=True, ids=CLIENTS)
def test_a_client_stays_below_the_limits_of_a_call(client: subprocess.Popen[str]) -> None:
    texts = [""] * 1_010 + ["é" * 100_000] * 9
    found = results(client, [{"id": str(n), "text": text} for n, text in enumerate(texts)])
    assert [result["error"]["code"] for result in found] == ["text_empty"] * 1_010 + ["text_too_long"] * 9


def test_the_first_answer_is_shown_whole() -> None:
    shown = next(block for block in SECTIONS["The first call"] if block.language == "json")
    assert set(json.loads(shown.text)["results"][0]) == set(TaggedItem.model_fields)


def test_every_error_of_a_mention_is_told() -> None:
    assert re.findall(r"^\| `(\w+_\w+)` \|", TEXT, re.MULTILINE) == list(get_args(ErrorCode))


def test_every_refusal_of_a_call_is_told(open_service: Running) -> None:
    document = httpx.get(f"{open_service.url}/openapi.json").json()
    statuses = set(document["paths"]["/v1/tag"]["post"]["responses"]) - {"200"}
    rows = re.findall(r"^\| (\d{3}(?:, \d{3})*) \|", TEXT, re.MULTILINE)
    assert [status for row in rows for status in row.split(", ")] == sorted(statuses)


def test_every_block_is_one_that_is_run_or_compared() -> None:
    fences = re.findall(r"^```(\w*)$", TEXT, re.MULTILINE)[::2]
    assert set(fences) == {*PROGRAMS, "json", "text"}
    assert sum(map(len, SECTIONS.values())) == len(fences)


@pytest.mark.parametrize("program", ["curl", "node"])
def test_a_program_that_is_missing_is_named_with_its_package(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nothing")
    with pytest.raises(pytest.fail.Exception, match=r"install the package \w+ \(make system-deps\)"):
        need(program)
    assert program in (ROOT / "Makefile").read_text(encoding="utf-8")
