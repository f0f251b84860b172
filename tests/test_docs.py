"""The documentation names only what exists, and its examples do what it says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from starlette.testclient import TestClient

from model.bundle import PRETRAINED
from model.tagger import Tagger
from serving.app import create_app
from serving.settings import Settings
from tympan import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*/corpora/README.md"))]
README = PAGES[0].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def service() -> TestClient:
    return TestClient(create_app(Tagger.load(PRETRAINED), Settings.read()))


def found(pattern: str) -> list[tuple[Path, str]]:
    return [(page, match) for page in PAGES for match in re.findall(pattern, page.read_text(encoding="utf-8"))]


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {target for _, target in found(r"(?:^|`|\s)make ([a-z-]+)(?:`|\s+#|$)")}
    assert named >= {"serve", "test"}
    assert named <= targets


def test_every_command_that_is_shown_exists_with_its_options() -> None:
    shown = found(r"(?m)^(?:\.venv/\w+/bin/)?tympan ([^\n#|]+)$")
    assert shown
    for page, arguments in shown:
        command = typer.main.get_command(app)
        words = shlex.split(arguments)
        while hasattr(command, "commands"):
            assert words[0] in command.commands, f"{page.name}: no command {words[0]!r}"
            command = command.commands[words.pop(0)]
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= options, f"{page.name}: {arguments}"


def test_every_route_that_is_named_exists(service: TestClient) -> None:
    routes = {*service.get("/openapi.json").json()["paths"], "/docs", "/openapi"}
    named = {route for _, route in found(r"(?:`(?:GET |POST )?|:8000)(/(?:v1/|label-studio/)?[a-z]+)\b(?![-/])")}
    assert named >= {"/v1/tag", "/v1/taxonomy", "/v1/model", "/health", "/ready", "/docs"}
    assert named <= routes


def test_every_file_that_is_linked_exists() -> None:
    for page, target in found(r"\]\((?!https?:)([^)#]+)\)"):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_request_of_the_readme_is_answered_as_it_says(service: TestClient) -> None:
    request = re.search(r"-d '(\{.*?\n\})'", README, re.DOTALL)
    assert request
    answer = service.post("/v1/tag", json=json.loads(request.group(1)))
    assert answer.status_code == 200
    leaving = answer.json()["results"][0]
    towards = {target["name"]: {tag["tag"] for tag in target["tags"]["intent"]} for target in leaving["targets"]}
    assert towards == {"Orange": {"churn", "friction"}, "Free": {"purchase"}}
    topics = {tag["tag"] for tag in leaving["tags"]["topic"]}
    assert {"service/outage", "support/no_answer"} <= topics
    assert leaving["tags"] == leaving["targets"][0]["tags"]
