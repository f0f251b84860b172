"""The page on tags of one's own does what it says: its commands, in its order, with a tiny encoder for the real one."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from labels.dataset import load
from labels.interface import to_result
from labels.studio import Studio
from model.bundle import Bundle
from model.taxonomy import Taxonomy
from tests.encoders import tiny_encoder
from tests.serving.conftest import start, stop
from tests.serving.pages import Block, printed, save, sections
from tests.studio.server import Labeller, Server

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "your-own-tags.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = sections(PAGE)
SPREADSHEETS = ROOT / "docs" / "own-tags"
STARTED = ("make label-studio\n", "tympan serve --bundle runs/bikes-model\n")
"""What does not end, and is started as the other tests do."""
Rows = list[dict[str, str]]


def rows(name: str) -> Rows:
    """A spreadsheet of the page."""
    with (SPREADSHEETS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(block: Block, folder: Path, **environment: str) -> str:
    """What the commands of a block print; trainings start from the tiny encoder of `folder`, in 32 bits.

    It learns next to nothing at the page's rate: its probabilities lie by the thresholds, where 8 bits flip some.
    """
    tiny = r"\g<0> --encoder encoder --precision fp32"
    text = re.sub(r"^tympan train .+$", tiny, block.text, flags=re.MULTILINE)
    return printed(Block("sh", text), folder, "", OMP_NUM_THREADS="1", COLUMNS="100", **environment)


def commands(heading: str) -> list[Block]:
    """The blocks of a section that are run as they are."""
    return [block for block in SECTIONS[heading] if block.language == "sh" and block.text not in STARTED]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the reader has it, with the page's files saved in it and an encoder that knows some of the words."""
    found = tmp_path_factory.mktemp("own")
    shutil.copytree(SPREADSHEETS, found / "docs" / "own-tags")
    save(SECTIONS, found)
    tiny_encoder(found / "encoder", [row["text"] for row in rows("mentions.csv")])
    return found


@pytest.fixture(scope="module")
def checked(folder: Path) -> str:
    """What looking through the records says."""
    (making,), (looking,) = commands("2. A hundred mentions"), commands("3. Look through them")
    run(making, folder)
    return run(looking, folder)


@pytest.fixture(scope="module")
def model(folder: Path, checked: str) -> Path:
    (training,) = commands("4. Train")
    run(training, folder)
    return folder / "runs" / "bikes-model"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("studio") / "data")
    found.start()
    yield found
    found.stop()


def test_the_spreadsheet_becomes_a_dataset_as_large_as_the_page_says(folder: Path, checked: str) -> None:
    assert "123 records, 0 bad rows" in checked
    sides = load(folder / "runs" / "bikes")
    assert {name: len(records) for name, records in sides.items()} == {"train": 99, "validation": 12, "test": 12}
    assert [record.text for side in sides.values() for record in side if record.lang not in ("en", "fr", "it")] == [
        "cestino rotto e campanello sparito, ma chi le controlla?"
    ]
    for record in (record for side in sides.values() for record in side):
        row = rows("mentions.csv")[int(record.id[1:]) - 1]
        assert record.text == row["text"]
        assert set(record.tags["team"]) == {tag for tag in ("bike", "station", "payment") if row[tag]}


def test_the_model_has_the_new_tags_and_is_measured_on_both_sets_of_mentions(folder: Path, model: Path) -> None:
    bundle = Bundle.read(model)
    assert bundle.taxonomy.labels == ("team/bike", "team/station", "team/payment")
    assert bundle.provenance["settings"]["epochs"] == 8
    test_side, later = (run(block, folder) for block in commands("5. Measure"))
    assert "team: 12 records" in test_side
    assert "team: 33 records" in later
    cases = dict(re.findall(r"^\| (bike|station|payment) \|.* (\d+) \|$", TEXT, re.MULTILINE))
    assert cases == {tag: str(sum(row[tag] == "x" for row in rows("later.csv"))) for tag in cases}
    assert len(cases) == 3


def test_the_service_answers_with_the_new_tags(folder: Path, model: Path) -> None:
    (call,) = commands("6. Serve")
    (shown,) = (json.loads(block.text) for block in SECTIONS["6. Serve"] if block.language == "json")
    running = start(model, "--threads", "1")
    try:
        answer = json.loads(printed(call, folder, running.url))
    finally:
        assert stop(running) == 0
    assert answer["taxonomy"] == shown["taxonomy"]
    assert [result["id"] for result in answer["results"]] == [result["id"] for result in shown["results"]]
    for result in answer["results"]:
        assert list(result["tags"]) == ["team"]
        assert {tag["tag"] for tag in result["tags"]["team"]} <= {"bike", "station", "payment"}


def test_what_is_labelled_in_label_studio_trains_the_second_model(folder: Path, model: Path, studio: Server) -> None:
    server = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.token}
    sending, fetching = commands("7. The next hundred, in Label Studio")
    assert "123 sent, 0 already there, 0 refused" in run(sending, folder, **server)
    tags = Taxonomy.load(folder / "bikes.toml")
    with Studio(url=studio.url, token=studio.token) as connection:
        project = connection.project("Bikes")
    person = Labeller(studio.url, studio.token)
    every = [*rows("mentions.csv"), *rows("later.csv")]
    wanted = {row["text"]: tuple(tag for tag in tags.group("team").paths if row[tag]) for row in every}
    tasks = person.tasks(project.id)
    assert tasks.keys() == wanted.keys()
    answered = dict(sorted(wanted.items())[::2])  # the server takes its time for each
    for text, given in answered.items():
        person.answer(tasks[text], to_result({"team": given}, tags))
    run(fetching, folder, **server)
    learnt = [record for side in load(folder / "runs" / "bikes-labels").values() for record in side]
    assert {record.text: set(record.tags["team"]) for record in learnt} == {
        text: set(given) for text, given in answered.items()
    }
    assert Bundle.read(folder / "runs" / "bikes-second").taxonomy.id == "bikes@1.0"


def test_the_rows_that_are_shown_are_those_of_the_spreadsheet() -> None:
    shown = re.findall(r"^\| (.+?) \| (x?) ?\| (x?) ?\| (x?) ?\|$", TEXT, re.MULTILINE)
    there = [tuple(row.values()) for row in rows("mentions.csv")]
    assert len(shown) == 3
    assert set(shown) <= set(there)


def test_every_block_is_one_that_is_saved_run_or_compared() -> None:
    blocks = [block for found in SECTIONS.values() for block in found]
    assert {block.language for block in blocks} == {"toml", "python", "sh", "json"}
    assert [block.file for block in blocks if block.file] == ["bikes.toml", "records.py"]
    assert all(text in [block.text for block in blocks] for text in STARTED)
