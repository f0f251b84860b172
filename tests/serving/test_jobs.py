"""A file is sent, tagged while nobody waits, and had back."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest

from model.tagger import Tagger
from tests.serving.calls import problem
from tests.serving.conftest import Running, start, stop
from tests.serving.files import records, tagged, written
from tests.serving.jobs import FEW, done, ended, left, look, made, many, send, stripped, under_way, workers
from tests.serving.scrapes import scrape, value


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("storage") / "exports"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def running(bundle: Path, state: Path, storage: Path) -> Iterator[Running]:
    found = start(
        bundle,
        *("--threads", "1"),
        TYMPAN_STATE=str(state),
        TYMPAN_JOB_QUOTA="1000",
        TYMPAN_JOB_STORAGE=f"file://{storage}/",
    )
    yield found
    stop(found)


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=60) as found:
        yield found


def test_a_file_comes_back_as_the_command_line_tags_it(client: httpx.Client, tagger: Tagger, tmp_path: Path) -> None:
    job = made(send(client, FEW, "Été 2026.csv"))
    assert (job["state"], job["file"], job["ended"]) == ("queued", "Été 2026.csv", None)
    assert done(client, job) == tagged(tagger, written(tmp_path, FEW))[0]
    answer = client.get(job["links"]["result"], headers={"Range": "bytes=5-1"})
    assert answer.status_code == 200, "no range, right or wrong"
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].endswith("%C3%89t%C3%A9%202026.tagged.csv")
    found = look(client, job)
    assert (found["total"], found["done"], found["failed"]) == (3, 3, 1)
    assert found["model"] == tagger.bundle.version
    assert found["created"] < found["started"] < found["ended"] < found["expires"]


def test_rows_that_failed_are_told_by_number_and_without_their_text(client: httpx.Client) -> None:
    job = made(send(client, b"text,n\npanne,1\n,2\n\nsecret,3,4\n"))
    done(client, job)
    answer = client.get(job["links"]["errors"])
    errors = answer.json()["errors"]
    assert [error["row"] for error in errors] == [2, 3]
    assert "is empty" in errors[0]["reason"]
    assert "secret" not in answer.text


def test_a_file_can_be_sent_alone_with_its_options_in_the_query(client: httpx.Client) -> None:
    name = {"Content-Disposition": 'attachment; filename="mentions.json"', "Content-Type": "application/json"}
    watchlist = json.dumps([{"name": "Free"}, {"name": "Orange", "role": "competitor"}])
    query = {"text_column": "said", "watchlist": watchlist, "target": "orange", "min_score": "0.9"}
    answer = client.post("/v1/jobs", params=query, content=b'[{"said": "quitte Orange"}]', headers=name)
    (row,) = json.loads(done(client, made(answer)))
    assert (row["tympan_target"], row["tympan_intent"]) == ("Orange", "churn")
    assert row["tympan_target_competitor"] == "Orange"


def test_a_workbook_comes_back_as_a_workbook(client: httpx.Client) -> None:
    book, content = openpyxl.Workbook(), io.BytesIO()
    book.create_sheet("Mentions").append(["text"])
    book["Mentions"].append(["panne"])
    book.save(content)
    found = openpyxl.load_workbook(
        io.BytesIO(done(client, made(send(client, content.getvalue(), "a.xlsx", sheet="Mentions"))))
    )
    assert found["Mentions"]["B2"].value == "friction"


def test_a_file_is_taken_from_a_storage_that_is_allowed(client: httpx.Client, storage: Path) -> None:
    (storage / "kept.csv").write_bytes(FEW)
    job = made(client.post("/v1/jobs", json={"url": f"file://{storage}/kept.csv"}))
    assert [row["tympan_intent"] for row in records(done(client, job))] == ["friction", "", "praise"]
    assert job["file"] == "kept.csv"
    missing = ended(client, made(client.post("/v1/jobs", json={"url": f"file://{storage}/none.csv"})))
    assert missing["state"] == "failed"
    assert missing["error"].endswith("none.csv: is missing. Check the URL")


def test_the_result_is_copied_into_a_storage_that_is_allowed(client: httpx.Client, storage: Path) -> None:
    (storage / "asked.csv").write_bytes(FEW)
    where = f"file://{storage}/asked.tagged.csv"
    job = made(client.post("/v1/jobs", json={"url": f"file://{storage}/asked.csv", "result_url": where}))
    assert done(client, job) == (storage / "asked.tagged.csv").read_bytes()
    sent = made(send(client, result_url=f"file://{storage}/sent.csv"))
    assert done(client, sent) == (storage / "sent.csv").read_bytes()
    refused = problem(send(client, result_url="file:///etc/tagged.csv"), 403)
    assert refused["detail"].startswith("result_url: is in no storage")


def test_a_result_that_cannot_be_copied_can_still_be_fetched(client: httpx.Client, storage: Path) -> None:
    (storage / "file").touch()
    job = ended(client, made(send(client, result_url=f"file://{storage}/file/sent.csv")))
    assert job["state"] == "done"
    assert "sent.csv: cannot be written" in job["error"]
    assert len(records(client.get(job["links"]["result"]).content)) == 3


@pytest.mark.parametrize("end", ["s", "/../secret.csv", "/", "/a::file:///etc/passwd"])
def test_another_storage_is_refused(client: httpx.Client, storage: Path, end: str) -> None:
    body = problem(client.post("/v1/jobs", json={"url": f"file://{storage}{end}"}), 403)
    assert f"Allowed: file://{storage}/" in body["detail"]


def test_the_same_idempotency_key_makes_one_job(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "monday"}
    first, again = made(send(client, headers=key)), made(send(client, headers=key))
    assert first["id"] == again["id"]
    assert made(send(client, headers={"Idempotency-Key": "tuesday"}))["id"] != first["id"]
    for other in (send(client, b"text\nmerci\n", headers=key), send(client, min_score="0.5", headers=key)):
        assert "was sent with another request" in problem(other, 409)["detail"]
    assert look(client, first)["file"] == "mentions.csv"


def test_jobs_are_listed_the_newest_first_and_by_pages(client: httpx.Client) -> None:
    sent = [made(send(client, b"text\nmerci\n", f"{number}.csv"))["id"] for number in range(5)]
    found, after = [], ""
    while len(found) < 5:
        page = client.get("/v1/jobs", params={"limit": 2, "after": after}).json()
        assert len(page["jobs"]) == 2
        found, after = [*found, *(job["id"] for job in page["jobs"])], page["next"]
    assert found[:5] == sent[::-1]


def test_a_job_that_is_under_way_is_cancelled_and_one_that_has_ended_is_deleted(
    client: httpx.Client, state: Path
) -> None:
    job = made(send(client, many(60_000)))
    assert under_way(client, job)["state"] == "running"
    refused = problem(client.get(job["links"]["result"]), 409)
    assert "has no result: it is running" in refused["detail"]
    assert client.delete(job["links"]["self"]).json()["state"] == "cancelled"
    found = ended(client, job)
    assert (found["state"], 0 < found["done"] < 60_000) == ("cancelled", True)
    stripped(state, job)
    problem(client.get(job["links"]["result"]), 409)
    assert client.delete(job["links"]["self"]).status_code == 204
    for where in job["links"].values():
        problem(client.get(where), 404)
    assert not (state / "jobs" / "kept" / job["id"]).exists()


def test_jobs_that_wait_are_cancelled_before_they_begin(client: httpx.Client) -> None:
    long = made(send(client, many(60_000)))
    waits = made(send(client))
    found = client.delete(waits["links"]["self"]).json()
    assert (found["state"], found["started"]) == ("cancelled", None)
    client.delete(long["links"]["self"])
    assert ended(client, long)["state"] == "cancelled"
    done(client, made(send(client)))
    assert look(client, waits)["started"] is None


@pytest.mark.parametrize(
    ("content", "name", "options", "said"),
    [
        (b"\0\1\2", "a.csv", {}, "a.csv: is a binary file"),
        (b"", "a.csv", {}, "a.csv: is empty"),
        (b"PK\3\4 and no more", "a.xlsx", {}, "a.xlsx: "),
        (b"id,place\n1,2\n", "a.csv", {}, "Name it with text_column. There are: id, place"),
        (FEW, "a.csv", {"text_column": "said"}, "a.csv: text_column: there is no column 'said'"),
        (FEW, "a.csv", {"sheet": "A"}, "a.csv: has no sheets. Leave out sheet"),
        (FEW, "a.csv", {"encoding": "klingon"}, "klingon"),
        (b"text,tympan_lang\na,b\n", "a.csv", {}, "has a column tympan_lang already"),
        (b"\x1f\x8b and no more", "a.csv.gz", {}, "a.csv.gz: "),
    ],
)
def test_a_file_that_cannot_be_tagged_fails_with_one_line(
    client: httpx.Client, state: Path, content: bytes, name: str, options: dict[str, str], said: str
) -> None:
    job = made(send(client, content, name, **options))
    found = ended(client, job)
    assert found["state"] == "failed"
    assert said in found["error"]
    assert "\n" not in found["error"]
    assert str(state) not in found["error"]
    assert "it is failed" in problem(client.get(job["links"]["errors"]), 409)["detail"]
    stripped(state, job)


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"min_score": "2"}, "#/min_score"),
        ({"min_score": "much"}, "#/min_score"),
        ({"watchlist": "Free"}, "#/watchlist"),
        ({"watchlist": '[{"name": "Free", "role": "friend"}]'}, "#/watchlist/0/role"),
        ({"watchlist": '[{"name": "Free"}, {"name": "Free"}]'}, "#/watchlist"),
        ({"watchlist": '[{"name": "Free"}]', "target": "Orange"}, "#/watchlist"),
        ({"profile": "../../etc/passwd"}, "#/profile"),
        ({"textcolumn": "a"}, "#/textcolumn"),
        ({"target": ["Free", "Orange"]}, "#/target"),
    ],
)
def test_an_option_at_fault_is_pointed_to_and_nothing_is_kept(
    client: httpx.Client, state: Path, options: dict[str, Any], pointer: str
) -> None:
    before = left(state)
    body = problem(send(client, **options), 422)
    assert body["errors"][0]["pointer"] == pointer
    assert "passwd" not in json.dumps(body)
    assert left(state) == before


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"content": b"text\na\n", "headers": {"content-type": "text/csv"}}, 415),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, 415),
        ({"content": b"no form", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 415),
        (
            {"data": {"target": "Free"}, "files": {}, "headers": {"content-type": "multipart/form-data; boundary=x"}},
            415,
        ),
        ({"files": [("a", ("a.csv", b"a")), ("b", ("b.csv", b"b"))]}, 413),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 422),
        ({"json": []}, 422),
        ({"json": {"url": 1}}, 422),
        ({"json": {"url": "s3://exports/a.csv", "webhook": "https://a.example"}}, 403),
        ({"files": {"file": ("a.csv", b"a")}, "data": {"webhook": "https://a.example/hook"}}, 403),
        ({"files": {"file": ("a.csv", b"a")}, "headers": {"Idempotency-Key": "k" * 201}}, 422),
    ],
)
def test_what_is_no_request_for_a_job_is_refused(
    client: httpx.Client, state: Path, request_: dict[str, Any], status: int
) -> None:
    before = left(state)
    problem(client.post("/v1/jobs", **request_), status)
    assert left(state) == before


@pytest.mark.parametrize(
    "name", ["../../evil.csv", "..\\..\\evil.csv", "/etc/evil.csv", "a\r\nb/evil.csv", "evil.csv. "]
)
def test_a_name_with_folders_leads_nowhere(client: httpx.Client, name: str) -> None:
    disposition = b'attachment; filename="' + name.encode().replace(b"\\", b"\\\\").replace(b"\r\n", b"") + b'"'
    answer = client.post("/v1/jobs", content=FEW, headers=[(b"content-disposition", disposition)])
    job = made(answer)
    assert job["file"] == "evil.csv"
    done(client, job)


def test_a_file_without_a_name_gets_one(client: httpx.Client) -> None:
    job = made(client.post("/v1/jobs", content=FEW, headers={"content-type": "application/octet-stream"}))
    assert job["file"] == "mentions"
    done(client, job)


@pytest.mark.parametrize(
    "name",
    ["*=undefined''abc", "*=idna''%80abc", "*=punycode''%ff", "*" + "1" * 5_000 + "*=utf-8''a", "*0=a; filename*=b"],
    ids=["undefined", "idna", "punycode", "digits", "parts"],
)
def test_a_name_that_cannot_be_read_is_none(client: httpx.Client, name: str) -> None:
    headers = {"content-disposition": f"attachment; filename{name}"}
    assert "the body has no file name" in problem(client.post("/v1/jobs", content=FEW, headers=headers), 415)["detail"]
    headers["content-type"] = "application/octet-stream"
    job = made(client.post("/v1/jobs", content=FEW, headers=headers))
    assert job["file"] == "mentions"
    done(client, job)


def test_a_method_that_is_not_there_is_refused_with_all_that_are(client: httpx.Client) -> None:
    for path, methods in (("/v1/jobs", "GET, POST"), ("/v1/jobs/job-000000000000", "DELETE, GET")):
        refused = client.put(path)
        problem(refused, 405)
        assert refused.headers["allow"] == methods


@pytest.mark.parametrize("id", ["job-000000000000", "none", "..", "%2e%2e%2fqueue.sqlite", "job-0000000000000"])
def test_a_job_that_is_not_there_is_not_found(client: httpx.Client, id: str) -> None:  # noqa: A002 — as the API says
    for method in ("GET", "DELETE"):
        problem(client.request(method, f"/v1/jobs/{id}/result" if id == ".." else f"/v1/jobs/{id}"), 404)


def test_jobs_are_counted_and_logged_without_their_texts(client: httpx.Client, running: Running) -> None:
    before = scrape(client)
    given = {"X-Request-Id": "0123456789abcdef"}
    job = made(send(client, b"text\nsecretive panne\nmerci\n", "private.csv", headers=given))
    done(client, job)
    found = scrape(client)
    assert value(found, "jobs", state="done") == value(before, "jobs", state="done") + 1
    assert value(found, "job_rows_total") == value(before, "job_rows_total") + 2
    lines = [line for line in running.logged() if job["id"] in line]
    told = [json.loads(line) for line in lines]
    assert [(line["message"], line["request_id"]) for line in told] == [
        ("job started", given["X-Request-Id"]),
        ("job ended", given["X-Request-Id"]),
    ]
    assert (told[1]["state"], told[1]["rows"], told[1]["failed"]) == ("done", 2, 0)
    assert not {"secretive", "private"} & set("".join(running.logged()).replace(".", " ").split())


def test_whoever_waits_for_an_answer_comes_before_jobs(running: Running) -> None:
    (worker,) = workers(running)
    assert os.getpriority(os.PRIO_PROCESS, worker) == os.getpriority(os.PRIO_PROCESS, running.process.pid) + 15
