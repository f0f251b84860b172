"""The page on priorities says what the rules that ship do, and what is shown in it works."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from model.bundle import PRETRAINED
from model.decode import Score
from model.tagger import Tagged, Tagger, TargetTags
from model.taxonomy import Taxonomy
from model.watchlist import Watchlist
from serving import examples
from serving.app import create_app
from serving.entries import File, RuleEntry
from serving.priority import ANSWERED, STANDINGS, own_target
from serving.settings import Settings
from tests.bundles import keyword_bundle
from tests.serving.conftest import ROOT, TYMPAN
from tests.serving.pressing import PRIORITIES, RULES

PAGE = (ROOT / "docs" / "priorities.md").read_text(encoding="utf-8")
COLUMNS = ("tympan_priority", "tympan_priority_reason", "tympan_owner")
WORDS = {
    "mood/glad": ("lovely",),
    "mood/upset": ("furious",),
    "about/room/noise": ("loud",),
    "about/breakfast": ("breakfast",),
    "about/fire": ("smoke",),
}


def block(language: str, start: str = "") -> str:
    """The text of the first block of a language that begins so."""
    found = re.search(rf"```{language}\n({re.escape(start)}.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without their marks of code."""
    body = PAGE.partition(heading)[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in body]


def generated(name: str) -> list[str]:
    found = re.search(rf"<!-- {name} -->\n(.*)\n<!-- end of {name} -->", PAGE, re.DOTALL)
    assert found
    return found[1].splitlines()


def table() -> list[str]:
    """The rules that ship, as the page shows them."""
    lines = ["| | why | tags | towards | replied | owner |", "| --- | --- | --- | --- | --- | --- |"]
    for rule in RULES.entries:
        towards = among(rule.towards, STANDINGS)
        answered, owner = among(rule.answered, ANSWERED.values()), rule.owner or "by its tags"
        lines.append(f"| {rule.level} | {rule.reason['en']} | {when(rule)} | {towards} | {answered} | {owner} |")
    return [
        *lines,
        f"| {RULES.default.level} | {RULES.default.reason['en']} | anything else | any | any | by its tags |",
    ]


def among(chosen: object, every: object) -> str:
    return "any" if set(chosen) == set(every) else ", ".join(chosen)  # type: ignore[call-overload]


def when(rule: RuleEntry) -> str:
    """Its conditions on tags, in words."""
    pieces = [f"`{tag}`" for tag in rule.all]
    either = " or ".join(f"`{tag}`" for tag in rule.any)
    pieces += [f"({either})" if pieces and len(rule.any) > 1 else either] if either else []
    return " and ".join([*pieces, *(f"no `{tag}`" for tag in rule.none)])


def departments() -> list[str]:
    """The departments of the rules that ship, as the page shows them."""
    lines = ["| owner | department | its tags |", "| --- | --- | --- |"]
    for name, owner in RULES.owners.items():
        titles, tags = " / ".join(dict.fromkeys(owner.title.values())), ", ".join(f"`{tag}`" for tag in owner.tags)
        lines.append(f"| `{name}` | {titles} | {tags} |")
    return lines


def test_the_page_shows_the_rules_that_ship_and_their_departments() -> None:
    assert generated("rules") == table()
    assert generated("departments") == departments()
    assert not any(rule.min_score for rule in RULES.entries)  # the table has no place for it


def test_the_page_tells_of_every_key() -> None:
    told = {key for cells in rows("| key | what |") for key in re.findall(r"\w+", cells[0])}
    assert told == {*File.model_fields, *RuleEntry.model_fields, "NAME"} - {"name"}


def test_the_bundled_model_answers_as_the_page_says() -> None:
    service = TestClient(create_app(Tagger.load(PRETRAINED, threads=1), Settings.read()))
    answer = service.post("/v1/tag", content=block("json"), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    fields = ("id", "priority", "priority_reason", "owner")
    assert [[found[name] for name in fields] for found in answer.json()["results"]] == rows("| id |")


@pytest.fixture
def hotel(tmp_path: Path) -> Path:
    """A folder with the files of the worked example, and a model of its tags."""
    taxonomy = Taxonomy.parse(block("toml", "# hotel.toml"))
    keyword_bundle(tmp_path / "runs" / "hotel", taxonomy=taxonomy, words=WORDS)
    (tmp_path / "hotel-priorities.toml").write_text(block("toml", "# hotel-priorities.toml"), encoding="utf-8")
    (tmp_path / "reviews.csv").write_text(block("csv"), encoding="utf-8")
    return tmp_path


def tympan(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    assert command.startswith("tympan ")
    return subprocess.run([*TYMPAN, *shlex.split(command)[1:]], cwd=folder, capture_output=True, text=True, timeout=300)


def test_the_worked_example_does_what_the_page_says(hotel: Path) -> None:
    command, export, serve = block("sh", "tympan tag").splitlines()
    done = tympan(command, hotel)
    assert done.returncode == 0, done.stderr
    assert "Priorities by the rules of hotel-priorities.toml" in done.stderr
    assert "answered in 'answered'" in done.stderr
    with (hotel / "reviews.tagged.csv").open(encoding="utf-8", newline="") as file:
        shown = [[str(number), *map(row.get, COLUMNS)] for number, row in enumerate(csv.DictReader(file), 1)]
    assert shown == rows("| row |")

    variable, _, file_name = export.removeprefix("export ").partition("=")
    assert serve == "tympan serve --bundle runs/hotel"
    mistaken = (hotel / file_name).read_text(encoding="utf-8").replace("about/fire", "about/fir", 1)
    (hotel / file_name).write_text(mistaken, encoding="utf-8")
    code = f"import os; os.environ.update({variable}={file_name!r}, TYMPAN_PORT='0'); from tympan import app; app()"
    refused = subprocess.run(
        [sys.executable, "-c", code, *shlex.split(serve)[1:]], cwd=hotel, capture_output=True, text=True, timeout=300
    )
    assert refused.returncode == 2
    assert refused.stderr == block("text")


def scores(tags: dict[str, list[dict[str, Any]]]) -> dict[str, tuple[Score, ...]]:
    return {group: tuple(Score(**score) for score in given) for group, given in tags.items()}


@pytest.mark.parametrize("language", examples.ANSWERS)
def test_the_answers_of_the_documentation_have_the_priorities_of_the_shipped_rules(language: str) -> None:
    asked = examples.REQUESTS[language]["value"]
    target = own_target(Watchlist.from_dicts(asked.get("watchlist", [])), None)
    for shown in examples.ANSWERS[language]["value"]["results"]:
        if "error" not in shown:
            targets = tuple(TargetTags(one["name"], one["role"], scores(one["tags"])) for one in shown["targets"])
            tagged = Tagged(shown["id"], shown["lang"], scores(shown["tags"]), targets)
            found = PRIORITIES.of(tagged, target=target, answered=None)
            assert list(astuple(found)) == [shown["priority"], shown["priority_reason"], shown["owner"]]
