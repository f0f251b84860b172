"""Whoever asked is called when a job has ended: signed, again and again if need be, and nobody else is."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from serving.errors import NotAllowedError, SettingsError
from serving.jobs import webhook
from serving.jobs.job import Job, Options
from serving.settings import Settings
from tests.serving.calls import problem
from tests.serving.conftest import Running, start, stop
from tests.serving.jobs import ended, made, once, send
from tests.serving.test_load import until

SECRET = "whsec_" + "bm90IGFueWJvZHkncyBzZWNyZXQ6IGEgdGVzdA=="


class Receiver(ThreadingHTTPServer):
    """A server that keeps what it is told, and answers with `statuses` in turn, and the last of them for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = [204]
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.asked = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def events(self) -> list[dict[str, Any]]:
        """The bodies of what came, after checking that they are signed."""
        return [Webhook(SECRET).verify(body, headers) for headers, body in self.told]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.told.append(({name.lower(): value for name, value in self.headers.items()}, body))
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.send_header("location", f"http://127.0.0.1:{self.server.port}/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.asked += 1

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    with Receiver() as receiver:
        if context:
            receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        thread = Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture(scope="module")
def running(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = start(
        bundle,
        *("--threads", "1"),
        TYMPAN_STATE=str(tmp_path_factory.mktemp("state")),
        TYMPAN_WEBHOOK_HOSTS="Localhost, hooks.example.org",
        TYMPAN_WEBHOOK_SECRET=SECRET,
        TYMPAN_WEBHOOK_PRIVATE="yes",
    )
    yield found
    stop(found)


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=60) as found:
        yield found


def test_the_end_of_a_job_is_told_without_any_text(client: httpx.Client, receiver: Receiver) -> None:
    url = f"http://localhost:{receiver.port}/hook?from=tympan"
    job = made(send(client, b"text\npanne\n\nmerci,1\n", "private.csv", webhook=url))
    found = once(client, job, lambda found: found["webhook"] == "delivered")
    (event,) = receiver.events()
    headers, body = receiver.told[0]
    assert headers["host"] == f"localhost:{receiver.port}"
    assert headers["content-type"] == "application/json"
    assert event["type"] == "job.done"
    assert event["data"] == {name: found[name] for name in found if name not in ("file", "error", "webhook")}
    assert b"private" not in body


def test_a_job_that_failed_is_told_without_why(client: httpx.Client, receiver: Receiver) -> None:
    job = made(send(client, b"private words,other\n1,2\n", webhook=f"http://localhost:{receiver.port}"))
    assert "private words" in ended(client, job)["error"]
    until(lambda: receiver.told)
    (event,) = receiver.events()
    assert event["type"] == "job.failed"
    assert b"private" not in receiver.told[0][1]


def test_a_call_that_is_not_taken_is_made_again_later_with_the_same_id(
    client: httpx.Client, receiver: Receiver
) -> None:
    receiver.statuses = [302, 200]
    job = made(send(client, webhook=f"http://localhost:{receiver.port}/"))
    once(client, job, lambda found: found["webhook"] == "delivered")
    assert receiver.asked == 0, "a redirect is not followed"
    first, second = (headers for headers, _ in receiver.told)
    assert first["webhook-id"] == second["webhook-id"] == f"msg_{job['id']}"
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) >= 1
    assert len(receiver.events()) == 2


def test_a_receiver_that_wants_no_more_is_left_alone(client: httpx.Client, receiver: Receiver) -> None:
    receiver.statuses = [410]
    job = made(send(client, webhook=f"http://localhost:{receiver.port}/"))
    once(client, job, lambda found: found["webhook"] == "failed")
    assert len(receiver.told) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/hook",
        "https://hooks.example.org.evil.example/",
        "https://hooks.example.org@evil.example/",
        "https://evil.example#hooks.example.org",
        "ftp://hooks.example.org/",
        "hooks.example.org",
        "http://hooks.example.org:0/",
        "http://hooks.example.org:99999/",
        "http://hooks.example.org/a b",
        "http://hooks.example.org\\@evil.example/",
        "http://[::1",
    ],
)
def test_a_host_that_is_not_allowed_is_refused_at_once(client: httpx.Client, url: str) -> None:
    assert "Allowed: Localhost, hooks.example.org" in problem(send(client, webhook=url), 403)["detail"]


def job(url: str) -> Job:
    """A job that has ended and is to be told to `url`."""
    options = Options.model_validate({"webhook": url})
    given = Job(id="job-000000000000", owner="", file="a.csv", created=datetime.now(UTC), options=options)
    return given.ending("done", 60)


def settings(*hosts: str, private: bool = False) -> Settings:
    return Settings.read(webhook_hosts=hosts, webhook_secret=SECRET, webhook_private=private)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "127.0.0.1", "127.1", "2130706433", "0.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254"),
        *("[::1]", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "100.64.0.1"),
    ],
)
def test_an_address_of_the_house_is_not_called_though_its_name_is_allowed(host: str, receiver: Receiver) -> None:
    url = f"http://{host}:{receiver.port}/"
    with pytest.raises(webhook.UntoldError, match="a private address"):
        webhook.call(job(url), settings(host.strip("[]")))
    assert receiver.told == []


def test_a_name_without_an_address_and_a_port_without_a_server_may_answer_later() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for host in ("nobody.invalid", "localhost"):
            with pytest.raises(webhook.UntoldError):
                webhook.call(job(f"http://{host}:{port}/"), settings(host, private=True))


def test_a_host_that_is_no_more_allowed_is_not_called() -> None:
    assert webhook.call(job("http://localhost:1/"), settings("hooks.example.org", private=True)) is False


def test_over_tls_the_certificate_must_be_that_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    more = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *more], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with listening(context) as receiver:
        url = f"https://localhost:{receiver.port}/"
        with pytest.raises(webhook.UntoldError, match="SSLError"):
            webhook.call(job(url), settings("localhost", private=True))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # OpenSSL's own
        assert webhook.call(job(url), settings("localhost", private=True))
        with pytest.raises(webhook.UntoldError, match="SSLError"):
            webhook.call(job(url.replace("localhost", "127.0.0.1")), settings("127.0.0.1", private=True))
        assert len(receiver.events()) == 1


def test_hosts_without_a_secret_and_secrets_that_sign_badly_are_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match="TYMPAN_WEBHOOK_SECRET"):
        Settings.read(webhook_hosts=["hooks.example.org"])
    for secret in ("whsec_c2hvcnQ=", "no Base64 at all, of the least length"):
        with pytest.raises(SettingsError, match="TYMPAN_WEBHOOK_SECRET") as refused:
            Settings.read(webhook_secret=secret)
        assert secret not in str(refused.value)


def test_nobody_is_called_unless_hosts_are_set() -> None:
    with pytest.raises(NotAllowedError, match="TYMPAN_WEBHOOK_HOSTS"):
        webhook.check("https://hooks.example.org/", Settings.read())


def test_the_body_is_json_of_one_line() -> None:
    body = webhook._body(job("https://hooks.example.org/"))
    assert json.loads(body)["data"]["id"] == "job-000000000000"
