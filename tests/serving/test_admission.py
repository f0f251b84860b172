"""Whom the service lets in."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.testclient import TestClient

from model.tagger import Tagger
from serving.app import create_app
from serving.keys import Scope, add_key, read_keys, revoke_key
from serving.settings import Settings
from tests.serving.calls import problem
from tests.serving.conftest import ROOT, TYMPAN, Running, start, stop
from tests.serving.slow import SlowTagger

OPEN = {"/health", "/ready", "/metrics", "/v2/health/live", "/v2/health/ready"}
BODY = {"mentions": [{"id": "a", "text": "panne"}]}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def edit(file: Path, name: str, **changes: object) -> None:
    """Change a key in the file, as an operator with an editor could."""
    content = json.loads(file.read_text())
    for key in content["keys"]:
        if key["name"] == name:
            key.update(changes)
    file.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="module")
def secrets(file: Path) -> dict[str, str]:
    """Name → secret."""
    return {
        "tag": add_key(file, "tag", [Scope.TAG]),
        "jobs": add_key(file, "jobs", [Scope.JOBS, Scope.FEEDBACK]),
        "admin": add_key(file, "admin", [Scope.ADMIN]),
        "few": add_key(file, "few", [Scope.TAG], per_minute=3),
        "small": add_key(file, "small", [Scope.TAG], mentions_per_minute=10),
    }


@pytest.fixture(scope="module")
def guarded(bundle: Path, file: Path, secrets: dict[str, str]) -> Iterator[Running]:
    running = start(bundle, "--threads", "1", TYMPAN_KEYS=str(file), TYMPAN_ORIGINS="https://app.example")
    yield running
    stop(running)


@pytest.fixture
def caller(guarded: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=guarded.url, timeout=30) as found:
        yield found


def operations(client: httpx.Client) -> list[tuple[str, str, dict[str, Any]]]:
    paths = client.get("/openapi.json").json()["paths"]
    return [(method, path, operation) for path, methods in paths.items() for method, operation in methods.items()]


@pytest.mark.parametrize("route", ["predict", "setup", "webhook"])
def test_label_studio_is_no_way_round_the_keys(caller: httpx.Client, secrets: dict[str, str], route: str) -> None:
    found = problem(caller.post(f"/label-studio/{route}", json={}, headers=bearer(secrets["admin"])), 401)
    assert "TYMPAN_LABEL_STUDIO_USER" in found["detail"]


@pytest.mark.parametrize("name", ["tag", "admin"])
def test_a_key_with_the_scope_is_let_in_either_way(caller: httpx.Client, secrets: dict[str, str], name: str) -> None:
    for headers in (bearer(secrets[name]), {"X-API-Key": secrets[name]}):
        assert caller.post("/v1/tag", json=BODY, headers=headers).status_code == 200
        assert caller.get("/v1/model", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer tympan_wrong"},
        {"Authorization": "Basic dTpw"},
        {"Authorization": b"Bearer \xe9\xff"},
        {"X-API-Key": ""},
        {"X-API-Key": "wrong"},
    ],
)
def test_a_call_without_a_good_key_is_told_how_to_send_one(caller: httpx.Client, headers: Any) -> None:
    answer = caller.post("/v1/tag", json=BODY, headers=headers)
    assert "Bearer KEY" in problem(answer, 401)["detail"]
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "wrong" not in answer.text


def test_the_hash_in_the_file_is_no_key(caller: httpx.Client, secrets: dict[str, str], file: Path) -> None:
    for key in read_keys(file):
        problem(caller.get("/v1/model", headers=bearer(key.sha256)), 401)


def test_a_key_without_the_scope_is_refused(caller: httpx.Client, secrets: dict[str, str]) -> None:
    answer = caller.post("/v1/tag", json=BODY, headers=bearer(secrets["jobs"]))
    assert "scope tag" in problem(answer, 403)["detail"]
    assert "insufficient_scope" in answer.headers["www-authenticate"]


def test_the_key_is_looked_at_before_the_body_is_read(guarded: Running) -> None:
    address = ("127.0.0.1", int(guarded.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"POST /v1/tag HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 401"


def test_a_long_body_does_not_hide_the_refusal(caller: httpx.Client) -> None:
    for _ in range(5):
        problem(caller.post("/v1/tag", content=b" " * 2**22), 401)


def test_callers_take_turns_by_their_keys(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    many, one = (bearer(add_key(file, name, [Scope.TAG])) for name in ("many", "one"))
    tagger = SlowTagger.load(bundle, threads=1)
    assert isinstance(tagger, SlowTagger)
    tagger.prepare_test()
    app = create_app(tagger, Settings.read(keys=file))

    async def call() -> None:
        transport = httpx.ASGITransport(app)  # all callers have one address
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://inside") as client,
            anyio.create_task_group() as tasks,
        ):

            async def ask(headers: dict[str, str], texts: list[str]) -> None:
                mentions = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
                assert (await client.post("/v1/tag", json={"mentions": mentions}, headers=headers)).status_code == 200

            tasks.start_soon(ask, many, [f"panne merci {number}" for number in range(8)])
            while not tagger.started.acquire(blocking=False):
                await anyio.sleep(0.01)
            waiting = app.state.service.line.waiting
            tasks.start_soon(ask, one, ["panne"])
            while app.state.service.line.waiting == waiting:
                await anyio.sleep(0.01)
            tagger.allow(9)

    anyio.run(call)
    assert tagger.order.index(min(tagger.order)) in (1, 2)


def test_every_route_asks_for_a_key_unless_it_is_open_on_purpose(caller: httpx.Client) -> None:
    for method, path, operation in operations(caller):
        if path in OPEN or path.startswith("/label-studio"):
            assert "security" not in operation, path
            continue
        assert {tuple(way) for way in operation["security"]} == {("bearer",), ("header",)}, path
        assert {"401", "403", "429"} <= set(operation["responses"]), path
        problem(caller.request(method, path.replace("{", "").replace("}", "")), 401)


def test_the_ways_to_send_a_key_are_documented(caller: httpx.Client, client: httpx.Client) -> None:
    schemes = caller.get("/openapi.json").json()["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert schemes["header"]["name"] == "X-API-Key"
    assert "securitySchemes" not in client.get("/openapi.json").json()["components"]
    assert all("security" not in operation for _, _, operation in operations(client))


@pytest.mark.parametrize("path", ["/health", "/ready", "/docs", "/openapi.json", "/label-studio/health"])
def test_what_tells_nothing_of_mentions_is_open(caller: httpx.Client, path: str) -> None:
    assert caller.get(path).status_code == 200


@pytest.mark.parametrize(
    ("opened", "shut"), [("health, ready", {"/metrics"}), ("metrics", OPEN - {"/metrics"}), ("", OPEN)]
)
def test_what_is_not_left_open_asks_for_any_key(
    bundle: Path, file: Path, secrets: dict[str, str], opened: str, shut: set[str]
) -> None:
    settings = Settings.read(bundle=bundle, keys=file, open=opened)
    with TestClient(create_app(Tagger.load(bundle, threads=1), settings)) as client:
        documented = {path for _, path, operation in operations(client) if path in OPEN and "security" in operation}
        assert {path for path in OPEN if client.get(path).status_code == 401} == documented == shut
        assert all(client.get(path, headers=bearer(secrets["jobs"])).status_code == 200 for path in OPEN)


def test_requests_beyond_the_quota_are_told_when_to_come_back(caller: httpx.Client, secrets: dict[str, str]) -> None:
    asked = [caller.get("/v1/model", headers=bearer(secrets["few"])) for _ in range(4)]
    assert [answer.status_code for answer in asked] == [200, 200, 200, 429]
    assert "3 requests a minute" in problem(asked[3], 429)["detail"]
    assert 1 <= int(asked[3].headers["retry-after"]) <= 20
    assert caller.get("/v1/model", headers=bearer(secrets["tag"])).status_code == 200


def test_mentions_beyond_the_quota_are_refused_and_fewer_are_not(caller: httpx.Client, secrets: dict[str, str]) -> None:
    def ask(count: int) -> httpx.Response:
        mentions = [{"id": str(number), "text": "panne"} for number in range(count)]
        return caller.post("/v1/tag", json={"mentions": mentions}, headers=bearer(secrets["small"]))

    assert "10 a minute" in problem(ask(11), 413)["detail"]
    assert ask(6).status_code == 200
    refused = ask(6)
    assert "10 mentions a minute" in problem(refused, 429)["detail"]
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    assert ask(4).status_code == 200


def test_a_running_service_follows_its_file(caller: httpx.Client, file: Path, secrets: dict[str, str]) -> None:
    headers = bearer(add_key(file, "late", [Scope.TAG]))
    assert caller.get("/v1/model", headers=headers).status_code == 200
    today = datetime.now(UTC).date()
    edit(file, "late", expires=str(today + timedelta(days=1)))
    assert caller.get("/v1/model", headers=headers).status_code == 200
    edit(file, "late", expires=str(today))
    answer = caller.get("/v1/model", headers=headers)
    assert f"expired on {today}" in problem(answer, 401)["detail"]
    assert answer.headers["www-authenticate"] == "Bearer"
    revoke_key(file, "late")
    assert "expired" not in problem(caller.get("/v1/model", headers=headers), 401)["detail"]
    assert caller.get("/v1/model", headers=bearer(secrets["tag"])).status_code == 200


def test_a_file_that_breaks_keeps_the_old_keys_and_is_logged_once_without_a_key(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    secret = add_key(file, "site", [Scope.TAG])
    whole = file.read_bytes()
    running = start(bundle, "--threads", "1", TYMPAN_KEYS=str(file))
    try:
        with httpx.Client(base_url=running.url, headers=bearer(secret)) as client:
            for broken in (b'{"keys": [', None):
                file.unlink() if broken is None else file.write_bytes(broken)
                assert [client.get("/v1/model").status_code for _ in range(3)] == [200] * 3
            file.write_bytes(whole.replace(b'"tag"', b'"jobs"'))
            assert client.get("/v1/model").status_code == 403
    finally:
        stop(running)
    logged = running.logged()
    assert sum("the old ones stay in force" in line for line in logged) == 2
    assert secret not in "".join(logged)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 — what is to be refused
def test_an_address_that_others_can_reach_is_refused_without_keys(bundle: Path, host: str) -> None:
    refused = subprocess.run(
        [*TYMPAN, "serve", "--bundle", bundle, "--port", "0", "--host", host],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "TYMPAN_KEYS" in refused.stderr
    assert "TYMPAN_KEYS_OFF=yes" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("environment", "status", "said"),
    [
        ({"TYMPAN_HOST": "127.0.0.1"}, 200, "only this machine"),
        ({"TYMPAN_HOST": "0.0.0.0", "TYMPAN_KEYS_OFF": "yes"}, 200, "TYMPAN_KEYS_OFF is set"),  # noqa: S104
        ({"TYMPAN_HOST": "0.0.0.0", "TYMPAN_KEYS": ""}, 401, "need a key of"),  # noqa: S104
    ],
)
def test_the_service_says_at_its_start_who_may_call(
    bundle: Path, tmp_path: Path, environment: dict[str, str], status: int, said: str
) -> None:
    if "TYMPAN_KEYS" in environment:
        add_key(tmp_path / "keys.json", "site", [Scope.TAG])
        environment = {**environment, "TYMPAN_KEYS": str(tmp_path / "keys.json")}
    running = start(bundle, "--threads", "1", **environment)
    try:
        url = running.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        assert httpx.get(f"{url}/v1/model").status_code == status
        assert running.process.stdout
        assert said in running.process.stdout.readline()
    finally:
        stop(running)


def test_a_service_whose_file_of_keys_is_missing_does_not_start(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"missing\.json: cannot be read.*tympan keys add"):
        start(bundle, TYMPAN_KEYS=str(tmp_path / "missing.json"))
