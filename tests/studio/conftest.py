"""One Label Studio for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from typer.testing import CliRunner, Result

from tests.bundles import TINY, tiny_taxonomy
from tests.studio.server import Labeller, Server
from tympan import app


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("studio") / "data")
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def first(server: Server) -> Labeller:
    return Labeller(server.url, server.token)


@pytest.fixture(scope="session")
def second(server: Server) -> Labeller:
    return Labeller(server.url, server.colleague("second@example.com"))


@pytest.fixture
def tympan(server: Server, bundle: Path, taxonomy: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`tympan labels …` with the tiny bundle and its tag set, on the real server."""
    monkeypatch.setenv("LABEL_STUDIO_URL", server.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", server.token)

    def run(verb: str, *arguments: str | Path) -> Result:
        given: Sequence[str | Path] = {
            "init": ("--taxonomy", taxonomy, "--bundle", bundle),
            "push": ("--bundle", bundle),
            "pull": ("--taxonomy", taxonomy),
            "settle": ("--taxonomy", taxonomy),
        }.get(verb, ())
        return CliRunner().invoke(app, ["labels", verb, *map(str, arguments), *map(str, given)])

    return run


@pytest.fixture(scope="session")
def taxonomy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny tag set as a file."""
    path = tmp_path_factory.mktemp("taxonomy") / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    assert tiny_taxonomy().id == "tiny@1.0"
    return path


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    """A browser, logged in as the first user."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        found = browser.new_page(viewport={"width": 1300, "height": 1000})
        found.goto(f"{server.url}/user/login")
        found.fill("input[name=email]", server.login["USERNAME"])
        found.fill("input[name=password]", server.login["PASSWORD"])
        found.click("button[type=submit]")
        found.wait_for_url(f"{server.url}/**")
        yield found
        browser.close()
