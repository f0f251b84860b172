"""The whole way at once: mentions, two people, a dataset, one epoch, a server, and its suggestion on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from typer.testing import Result

from labels.dataset import load
from labels.interface import to_result
from labels.studio import Studio
from model.bundle import Bundle
from tests.bundles import tiny_taxonomy
from tests.encoders import tiny_encoder
from tests.serving.conftest import Running, start, stop
from tests.studio.server import Labeller, Server
from training.fit import Settings
from training.pipeline import train
from training.plan import Plan

Tympan = Callable[..., Result]
TAGS = tiny_taxonomy()
LEAVING = to_result({"intent": ("churn",), "topic": ()}, TAGS)
OTHERWISE = to_result({"intent": (), "topic": ("price/level",)}, TAGS)
PLACES = ("Lille", "Nice", "Brest", "Metz", "Dijon", "Nantes", "Pau", "Reims", "Tours", "Nancy")
TEXTS = {
    text: leaving
    for place in PLACES
    for text, leaving in ((f"à {place} je résilie demain", True), (f"les tarifs de {place} sont bien chers", False))
}


@pytest.fixture
def trained(tympan: Tympan, server: Server, first: Labeller, second: Labeller, tmp_path: Path) -> Bundle:
    """A model of one epoch on what two people answered, of whom a third settled one mention."""
    file, folder = tmp_path / "mentions.csv", tmp_path / "dataset"
    file.write_text("message\n" + "".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    assert tympan("init", "The line").exit_code == 0
    assert tympan("push", "The line", file).exit_code == 0
    with Studio(url=server.url, token=server.token) as studio:
        tasks = first.tasks(studio.project("The line").id)
    doubtful, *_ = TEXTS
    for text, leaving in TEXTS.items():
        for person in (first, second):
            mistaken = person is second and text == doubtful
            person.answer(tasks[text], LEAVING if leaving and not mistaken else OTHERWISE)
    assert "disagreed on" in tympan("pull", "The line", "-o", folder).output
    assert "1 sent back" in tympan("settle", "The line", "-o", folder).output
    Labeller(server.url, server.colleague("third@example.com")).answer(tasks[doubtful], LEAVING)
    assert "disagreed on" not in tympan("pull", "The line", "-o", folder).output

    sides = load(folder)
    assert {record.text: "churn" in record.tags["intent"] for side in sides.values() for record in side} == TEXTS
    encoder = tiny_encoder(tmp_path / "encoder", list(TEXTS))
    settings = Settings(epochs=1, batch_size=2, learning_rate=5e-3, head_rate=2e-2, train_embeddings=True)
    plan = Plan(taxonomy=TAGS, settings=settings, encoder=str(encoder), precision="fp32")
    return train(sides, tmp_path / "bundle", plan)


@pytest.fixture
def served(trained: Bundle) -> Iterator[Running]:
    running = start(trained.path, "--threads", "1")
    yield running
    stop(running)


def test_what_people_labelled_comes_back_as_a_suggestion_on_the_page(
    tympan: Tympan, server: Server, trained: Bundle, served: Running, first: Labeller, page: Page
) -> None:
    assert tympan("init", "After training", "--bundle", trained.path).exit_code == 0
    with Studio(url=server.url, token=server.token) as studio:
        project = studio.project("After training")
        studio.add(project, [{"data": {"text": "à Rennes je résilie demain", "about": "–"}}])
    headers = {"Authorization": f"Token {server.token}"}
    connection = {"project": project.id, "title": "Tympan", "url": f"{served.url}/label-studio"}
    httpx.post(f"{server.url}/api/ml", json=connection, headers=headers, timeout=60).raise_for_status()
    wanted = {"selectedItems": {"all": True, "excluded": []}}
    action = f"{server.url}/api/dm/actions?id=retrieve_tasks_predictions&project={project.id}"
    httpx.post(action, json=wanted, headers=headers, timeout=60).raise_for_status()
    with Studio(url=server.url, token=server.token) as studio:
        studio.configure(project, model_version=trained.version)
    (task,) = first.tasks(project.id).values()
    (suggestion,) = first.predictions(task)
    assert suggestion["model_version"] == trained.version
    told = httpx.post(
        f"{served.url}/v1/tag", json={"mentions": [{"id": "a", "text": "à Rennes je résilie demain"}]}
    ).json()
    tags = {group: tuple(score["tag"] for score in found) for group, found in told["results"][0]["tags"].items()}
    assert suggestion["result"] == to_result(tags, TAGS)

    page.goto(f"{server.url}/projects/{project.id}/data?labeling=1")
    expect(page.get_by_text("à Rennes je résilie demain").last).to_be_visible(timeout=30_000)
    for tag in TAGS.group("intent").paths:
        expect(page.get_by_label(tag, exact=False).first).to_be_checked(checked=tag in tags["intent"])
