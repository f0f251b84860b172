"""What answers tell browsers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest
from playwright.sync_api import sync_playwright

from model.tagger import Tagger
from serving.app import create_app
from serving.errors import SettingsError
from serving.settings import Settings
from tests.serving.conftest import Running, start, stop

PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/model"), ("POST", "/v1/tag"), ("GET", "/v1/nothing"), ("GET", "/health"), ("GET", "/openapi.json")],
)
def test_every_answer_is_kept_nowhere_and_framed_by_nobody(client: httpx.Client, method: str, path: str) -> None:
    headers = client.request(method, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_the_answer_to_a_fault_has_them_too(tagger: Tagger) -> None:
    async def call() -> httpx.Response:
        app = create_app(tagger, Settings.read(origins="https://app.example"))
        app.state.service.line.close()
        del app.state.service
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
            return await client.get("/v1/model", headers={"Origin": "https://app.example"})

    answer = anyio.run(call)
    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_pages_of_the_documentation_work_under_their_policy(client: httpx.Client, page: str) -> None:
    assert "frame-ancestors 'none'" in client.get(page).headers["content-security-policy"]
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        view = browser.new_page()
        view.set_default_timeout(120_000)  # a busy machine must not fail it
        view.on("console", lambda message: complaints.append(message.text))
        view.goto(f"{client.base_url}{page}")
        view.get_by_text("Tag mentions").locator("visible=true").first.wait_for()
        browser.close()
    blocked = [line for line in complaints if "Content Security Policy" in line]
    assert all("https://cdn.redoc.ly/" in line for line in blocked)  # a logo that would tell its makers who reads


def test_no_page_of_another_origin_may_call(client: httpx.Client) -> None:
    origin = {"Origin": "https://app.example"}
    for answer in (client.get("/v1/model", headers=origin), client.options("/v1/tag", headers=origin | PREFLIGHT)):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.fixture(scope="module")
def shared(bundle: Path) -> Iterator[Running]:
    running = start(bundle, "--threads", "1", TYMPAN_ORIGINS="https://app.example, http://localhost:3000")
    yield running
    stop(running)


@pytest.mark.parametrize("origin", ["https://app.example", "http://localhost:3000"])
def test_pages_of_an_origin_that_is_named_may_call(shared: Running, origin: str) -> None:
    asked = httpx.options(f"{shared.url}/v1/tag", headers={"Origin": origin} | PREFLIGHT)
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == origin
    assert "authorization" in asked.headers["access-control-allow-headers"]
    answer = httpx.get(f"{shared.url}/v1/model", headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in answer.headers


def test_pages_of_an_origin_that_is_not_named_may_not(shared: Running) -> None:
    answer = httpx.options(f"{shared.url}/v1/tag", headers={"Origin": "https://evil.example"} | PREFLIGHT)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origins", ["app.example", "https://app.example/", "https://a.example;https://b.example/x"])
def test_what_is_no_origin_is_refused_by_name(origins: str) -> None:
    with pytest.raises(SettingsError, match="TYMPAN_ORIGINS"):
        Settings.read(origins=origins)
