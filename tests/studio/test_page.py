"""The labelling page as a labeller sees it, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect
from typer.testing import Result

from labels.dataset import load
from labels.studio import Studio
from tests.studio.server import Labeller, Server

Tympan = Callable[..., Result]
SCREENSHOT = Path(__file__).parents[2] / "runs" / "labelling-page.png"
"""Kept for people to look at: what the page looks like is no assertion's business."""


def test_the_page_shows_the_suggestion_and_a_labeller_accepts_it_with_keys(
    tympan: Tympan, server: Server, first: Labeller, page: Page, tmp_path: Path
) -> None:
    file = tmp_path / "mentions.csv"
    file.write_text("message\nje résilie, encore une panne chez Acme\n", encoding="utf-8")
    assert tympan("init", "The page", "--language", "fr").exit_code == 0
    assert tympan("push", "The page", file, "--target", "Acme").exit_code == 0
    with Studio(url=server.url, token=server.token) as studio:
        project = studio.project("The page").id
    assert len(first.tasks(project)) == 1

    page.goto(f"{server.url}/projects/{project}/data?labeling=1")
    expect(page.get_by_text("je résilie, encore une panne chez Acme").last).to_be_visible(timeout=30_000)
    expect(page.get_by_text("→ Acme").last).to_be_visible()
    expect(page.get_by_text("Intentions").first).to_be_visible()
    SCREENSHOT.parent.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOT)
    page.get_by_test_id("bottombar-submit-button").click()
    page.wait_for_timeout(2_000)

    folder = tmp_path / "dataset"
    assert tympan("pull", "The page", "-o", folder).exit_code == 0
    (record,) = [record for side in load(folder).values() for record in side]
    assert record.tags == {"intent": ("friction", "churn"), "topic": ("service/outage",)}
    assert record.target == "Acme"
