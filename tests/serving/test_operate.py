"""The page for operators and the dashboard tell what there is, and all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
from pydantic import SecretStr

from model.bundle import PRETRAINED
from serving.settings import Settings
from tests.serving.calls import tag
from tests.serving.conftest import ROOT
from tests.serving.scrapes import scrape

DASHBOARD = ROOT / "docs" / "grafana.json"
PAGE = ROOT / "docs" / "operate.md"
TEXT = PAGE.read_text(encoding="utf-8")


def shown(default: object) -> str:
    """A default as the page writes it."""
    if default == PRETRAINED:
        return "the one that ships"
    if isinstance(default, SecretStr) or default in (None, "", ()):
        return ""
    default = ",".join(default) if isinstance(default, tuple) else default
    return {True: "`yes`", False: "`no`"}[default] if isinstance(default, bool) else f"`{default}`"


def test_the_page_has_every_setting_with_its_default_and_nothing_else() -> None:
    expected = ["| variable | default | what |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        expected.append(f"| `TYMPAN_{name.upper()}` | {shown(field.default)} | {field.description} |")
    found = re.search(r"<!-- settings -->\n(.*)\n<!-- end of settings -->", TEXT, re.DOTALL)
    assert found
    assert found[1].strip().splitlines() == expected


def test_the_dashboard_and_the_page_name_only_metrics_that_exist(client: httpx.Client) -> None:
    tag(client, "panne")
    existing = {name for name, _ in scrape(client)}
    existing |= set(re.findall(r"^# TYPE (\S+)", client.get("/metrics").text, re.MULTILINE))
    for path in (DASHBOARD, PAGE):
        named = set(re.findall(r"\btympan_\w+", path.read_text(encoding="utf-8")))
        assert len(named) > 10
        assert named <= existing, path.name


def test_the_page_tells_of_every_metric_of_the_service(client: httpx.Client) -> None:
    metrics = set(re.findall(r"^# TYPE (\S+)", client.get("/metrics").text, re.MULTILINE))
    assert {name for name in metrics if f"`{name}`" not in TEXT and "_process_" not in name} == set()


def test_labels_that_are_asked_for_exist(client: httpx.Client) -> None:
    tag(client, "nada")
    tag(client, "panne")  # each of what is counted, whatever other tests have sent before
    client.get("/nothing")
    labels = {"tympan_drift_ratio": {"job", "instance", "version", "what"}}  # once measured: see test_models.py
    for name, pairs in scrape(client):
        labels.setdefault(name, {"job", "instance"}).update(label for label, _ in pairs)
    asked = re.findall(r"\b(tympan_\w+)\{([^}]*)\}", json.dumps(json.loads(DASHBOARD.read_text())) + TEXT)
    assert asked
    for name, matchers in asked:
        assert set(re.findall(r"(\w+)\s*=", matchers)) <= labels[name], name


def test_every_panel_shows_something_of_the_service() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert board["title"] == "Tympan"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) > 10
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["targets"]
        assert all("tympan_" in target["expr"] for target in panel["targets"])


def test_the_line_of_the_log_that_is_shown_has_the_fields_of_one() -> None:
    (line,) = re.findall(r'^\{"time".*\}$', TEXT, re.MULTILINE)
    assert list(json.loads(line)) == [
        *("time", "level", "message", "logger", "request_id", "trace_id"),
        *("method", "route", "status", "seconds", "mentions", "model"),
    ]
    assert Path(PAGE.parent / "grafana.json").is_file()
