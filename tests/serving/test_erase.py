"""`tympan erase`: out of the corrections, jobs and datasets of a service, with a receipt."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from filelock import FileLock
from typer.testing import CliRunner

from labels.dataset import load, save
from labels.feedback.store import FeedbackStore
from labels.record import Record
from model.taxonomy import Taxonomy
from serving.jobs.job import Job, Options
from serving.jobs.store import Store
from serving.settings import Settings
from tests import postgres
from tests.bundles import TINY
from tests.labels.corrections import NOON, correction
from tests.serving import jobs
from tests.serving.feedback import about, served
from tests.serving.feedback import correction as said
from tests.serving.feedback import send as correct
from tympan import app

WORDS = "La box est  en panne @lorivox"
OTHER = b"id,text\nm1,merci\nm2,bravo\n"


def run(*arguments: str | Path, **environment: str) -> Result:
    """`tympan erase`, of which the environment names no place."""
    found = {name: None for name in os.environ if name.startswith("TYMPAN_")}
    return CliRunner().invoke(app, ["erase", *map(str, arguments)], env={**found, **environment})


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """All files below a folder, as they are; those by which databases are shared hold nothing of their own."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal", ".lock")))
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def job(folder: Path, number: int, content: bytes, **facts: Any) -> Job:
    """A job whose file has come, as the service keeps it."""
    about = {"owner": "", "file": "m.csv", "created": NOON, "options": Options(), **facts}
    made = Job(id=f"job-{number:012x}", **about)
    store = Store(Settings.read(), folder)
    with store.draft(made) as draft:
        (draft / (made.result or made.stored)).write_bytes(content)
        return store.keep(draft, made)


def ids(state: Path) -> list[str]:
    return sorted(found.id for found in Store(Settings.read(), state).all())


@pytest.fixture(scope="module")
def worked(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, httpx.Client, list[str]]]:
    """The folder of a service that runs, with corrections, remembered mentions and three jobs that have ended."""
    state = tmp_path_factory.mktemp("service") / "state"
    with served(bundle, str(state), TYMPAN_RECENT="10") as (_, client):
        correct(client, said(mention=about(WORDS, "m7")), said(mention=about("merci", "m8")))
        client.post("/v1/tag", json={"mentions": [{"id": "m7", "text": WORDS}, {"id": "m9", "text": "bravo"}]})
        rows = "id,text\na1,la box est en panne @zenbia\n", f"id,text\na2,merci\na3,{WORDS}\n", OTHER.decode()
        made = [jobs.made(jobs.send(client, content.encode())) for content in rows]
        for one in made:
            jobs.done(client, one)
        yield state, client, [one["id"] for one in made]


def test_an_id_is_erased_everywhere_while_the_service_runs_and_the_receipt_says_so(
    worked: tuple[Path, httpx.Client, list[str]], tmp_path: Path
) -> None:
    state, client, (other, mine, third) = worked
    records = [Record(id="r1", text=WORDS, tags={"intent": ()}), Record(id="r2", text="merci", tags={"intent": ()})]
    save(tmp_path / "dataset", {"train": records}, taxonomy=Taxonomy.parse(TINY))
    where = ("--id", "m7", "--state", state, "--dataset", tmp_path / "dataset", "--receipt", tmp_path / "receipt.json")

    before = state_of(state / "jobs"), state_of(tmp_path)
    dry = run(*where[:-2], "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert before == (state_of(state / "jobs"), state_of(tmp_path))
    assert "would be erased" in dry.stdout

    done = run(*where, COLUMNS="200")
    assert done.exit_code == 0, done.output
    receipt = json.loads((tmp_path / "receipt.json").read_text(encoding="utf-8"))
    assert [(place["place"], place["looked_through"], place["erased"]) for place in receipt["places"]] == [
        ("feedback", 4, {"corrections": 1, "remembered mentions": 1}),
        ("jobs", 3, {"jobs": 1}),
        ("dataset", 2, {"records": 1}),
    ]
    assert receipt["places"][1]["notes"] == [f"{mine}, of 2 rows: goes whole, with the rows of others"]
    assert receipt["asked"] == {"ids": [hashlib.sha256(b"m7").hexdigest()], "texts": []}
    assert (receipt["whole"], receipt["dry_run"]) == (True, False)
    assert any("models" in line for line in receipt["not_reached"])
    for told in (done.output, dry.output, json.dumps(receipt)):
        assert "box" not in told
        assert "m7" not in told

    assert client.get(f"/v1/jobs/{mine}").status_code == 404
    assert {entry["id"] for entry in client.get("/v1/jobs").json()["jobs"]} == {other, third}
    assert not [path for path in state.rglob("*") if path.is_file() and b"box est  en" in path.read_bytes()]
    assert [one.correction.text for one in FeedbackStore(state).after()] == ["merci"]
    assert [record.id for record in load(tmp_path / "dataset")["train"]] == ["r2"]
    assert correct(client, said(mention={"id": "m7"}))[0]["error"]["code"] == "unknown_mention"
    again = run(*where)
    assert again.exit_code == 0
    assert "Nothing was found" in again.stdout


def test_a_text_may_be_in_a_file_and_its_digest_is_that_of_its_own_letters(tmp_path: Path) -> None:
    state = tmp_path / "state"
    FeedbackStore(state).add([correction("c1", text=WORDS), correction("c2", text="merci")])
    (tmp_path / "said.txt").write_text(f"\ufeff{WORDS}\n", encoding="utf-8")
    result = run("--text", tmp_path / "said.txt", "--state", state, "--receipt", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    asked = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["asked"]
    assert asked == {"ids": [], "texts": [hashlib.sha256(WORDS.encode()).hexdigest()]}
    assert FeedbackStore(state).count() == 1


def test_a_job_that_has_not_ended_is_told_and_gives_exit_code_1(tmp_path: Path) -> None:
    open_ones = job(tmp_path, 1, OTHER, state="running"), job(tmp_path, 2, b"id,text\nm3,merci\n")
    copied = Options(result_url="s3://bucket/m.csv")
    ended = job(tmp_path, 3, OTHER, state="done", ended=NOON, expires=NOON, result="input.tagged.csv", options=copied)
    result = run("--id", "m1", "--state", tmp_path)
    assert result.exit_code == 1
    # what m1 says, the second one's row says too
    assert [line for line in result.stderr.splitlines() if line.startswith("Not erased")] == [
        f"Not erased: {one.id}: has not ended. Cancel it, or wait, and run it again" for one in reversed(open_ones)
    ]
    assert ids(tmp_path) == [one.id for one in open_ones]
    assert f"{ended.id}: goes whole, with the rows of others. Its copy in another storage stays" in result.stdout
    for one in open_ones:
        Store(Settings.read(), tmp_path).cancel(one)
    assert run("--id", "m1", "--state", tmp_path).exit_code == 0  # of a cancelled job no row is kept


def test_a_job_that_somebody_holds_or_that_is_just_coming_is_told(tmp_path: Path) -> None:
    ended = job(tmp_path, 1, OTHER, state="done", ended=NOON, expires=NOON, result="input.tagged.csv")
    (tmp_path / "jobs" / "incoming" / "job-000000000002-0a0b").mkdir()
    with FileLock(tmp_path / "jobs" / "locks" / ended.id):
        result = run("--text", "bravo", "--state", tmp_path)
    assert result.exit_code == 1
    assert f"Not erased: {ended.id}: is being worked on" in result.stderr
    assert "Not erased: 1 files are just coming" in result.stderr
    assert ids(tmp_path) == [ended.id]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"id,text\nx,Panne, encore\n", "a row of too many cells"),
        (b'id,a,b\nx,1,"Panne,  encore"\n', "no column of the text"),
        ("id;text\nx;Panne, encore\n".encode("utf-16"), "another encoding"),
    ],
)
def test_a_text_is_found_in_files_that_are_odd(tmp_path: Path, content: bytes, name: str) -> None:
    kept = job(tmp_path, 1, OTHER, state="done", ended=NOON, expires=NOON, result="input.tagged.csv")
    job(tmp_path, 2, content, state="done", ended=NOON, expires=NOON, result="input.tagged.csv")
    result = run("--text", "Panne, encore", "--state", tmp_path)
    assert result.exit_code == 0, result.output
    assert ids(tmp_path) == [kept.id], name


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_looked_through(tmp_path: Path) -> None:
    job(tmp_path, 1, OTHER, state="done", ended=NOON, expires=NOON, result="input.tagged.csv")
    bad = job(tmp_path, 2, b"PAR1 and no more", state="done", ended=NOON, expires=NOON, result="input.tagged.csv")
    result = run("--id", "m1", "--state", tmp_path)
    assert result.exit_code == 1
    assert f"Not erased: {bad.id}: cannot be looked through" in result.stderr
    assert ids(tmp_path) == [bad.id]


def test_the_places_are_those_of_the_services_environment_and_no_password_is_shown(place: str, tmp_path: Path) -> None:
    FeedbackStore(place).add([correction("c1", text=WORDS)])
    variable = "TYMPAN_FEEDBACK" if "://" in place else "TYMPAN_STATE"
    result = run("--text", WORDS, "--receipt", tmp_path / "r.json", **{variable: place})
    assert result.exit_code == 0, result.output
    assert FeedbackStore(place).count() == 0
    assert postgres.PASSWORD not in result.output + (tmp_path / "r.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--id: is missing, and --text is too. Say whose mention it is"),
        (("--id", "m1"), "--state: is missing. Say where to look"),
        (("--id", "m1", "--state", "nowhere"), "nowhere: is no folder"),
        (("--id", "m1", "--dataset", "."), "is no dataset"),
        (("--text", " ", "--state", "."), "--id or --text: is empty"),
        (("--text", "sayd.txt", "--state", "."), "--text: looks like a file's name, and there is none"),
        (("--text", "bytes", "--state", "."), "--text: is a file that cannot be read as UTF-8 text"),
        (("--id", "m1", "--feedback", "folder"), "--feedback: is no URL of a PostgreSQL"),
        (("--id", "m1", "--state", ".", "--receipt", "no/r.json"), "no/r.json: cannot be written"),
        (("--id", "m1", "--project", "Spring"), "LABEL_STUDIO_API_KEY: is not set"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line_and_nothing_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    result = run(*arguments, LABEL_STUDIO_API_KEY="")
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bytes"]
