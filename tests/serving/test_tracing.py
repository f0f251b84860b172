"""Traces are sent where OpenTelemetry's own variables say, and hold nothing that a caller wrote."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.serving.conftest import ROOT, start, stop

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector:
    """A collector of OTLP over HTTP that keeps what it is sent."""

    def __init__(self) -> None:
        bodies = self.bodies = list[tuple[str, bytes]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self) -> list[dict[str, Any]]:
        """Every span, with the attributes of its resource."""
        return [
            {
                "name": span.name,
                "trace": span.trace_id.hex(),
                "parent": span.parent_span_id.hex(),
                "resource": {each.key: each.value.string_value for each in sent.resource.attributes},
                **{each.key: each.value.string_value or each.value.int_value for each in span.attributes},
            }
            for path, body in self.bodies
            for sent in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in sent.scope_spans
            for span in scope.spans
            if path == "/v1/traces"
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_a_request_is_a_span_in_the_trace_of_its_caller(bundle: Path, collector: Collector) -> None:
    running = start(bundle, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_RESOURCE_ATTRIBUTES="team=listening")
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    with httpx.Client(base_url=running.url, headers=headers) as client:
        client.post("/v1/tag?geheim=geheim", json={"mentions": [{"id": "geheim", "text": "geheim"}]})
        client.get("/geheim")
    assert stop(running) == 0  # and what was not sent yet is sent
    tagged, unknown = collector.spans()
    assert (tagged["name"], tagged["trace"], tagged["parent"]) == ("POST /v1/tag", TRACE, "b7ad6b7169203331")
    assert (tagged["http.route"], tagged["http.response.status_code"]) == ("/v1/tag", 200)
    assert tagged["resource"].items() >= {"service.name": "tympan", "team": "listening"}.items()
    assert (unknown["name"], unknown["http.response.status_code"]) == ("GET", 404)
    assert b"geheim" not in b"".join(body for _, body in collector.bodies)
    assert {json.loads(line)["trace_id"] for line in running.logged()} == {TRACE}


def test_a_trace_that_begins_here_has_one_id_in_log_and_span(bundle: Path, collector: Collector) -> None:
    running = start(bundle, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces", OTEL_SERVICE_NAME="ear")
    httpx.get(f"{running.url}/health")
    assert stop(running) == 0
    (span,) = collector.spans()
    (line,) = map(json.loads, running.logged())
    assert (span["trace"], span["resource"]["service.name"]) == (line["trace_id"], "ear")


@pytest.mark.parametrize("off", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_traces_can_be_switched_off_by_the_standard_variables(
    bundle: Path, collector: Collector, off: dict[str, str]
) -> None:
    running = start(bundle, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **off)
    httpx.get(f"{running.url}/health")
    assert stop(running) == 0
    assert collector.bodies == []


def test_a_protocol_that_is_not_spoken_is_said_once(bundle: Path, collector: Collector) -> None:
    running = start(bundle, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    httpx.get(f"{running.url}/health")
    assert stop(running) == 0
    warnings = [line for line in map(json.loads, running.logged()) if line["level"] == "warning"]
    assert ["http/protobuf" in line["message"] for line in warnings] == [True]
    assert collector.bodies == []


def test_a_collector_that_does_not_answer_holds_up_neither_answers_nor_the_end(bundle: Path) -> None:
    running = start(bundle, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    began = time.monotonic()
    assert httpx.get(f"{running.url}/health").status_code == 200
    assert stop(running) == 0
    assert time.monotonic() - began < 10


MISSING = """
import sys
from importlib.abc import MetaPathFinder
class Without(MetaPathFinder):  # an interpreter in which the extra was not installed
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Without())
from serving import logs, tracing
logs.configure("json", "info")
assert tracing.telemetry()["tracing"] is False
"""


def test_an_extra_that_is_missing_is_said_once_with_the_command_that_installs_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MISSING],
        cwd=ROOT,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = done.stderr.splitlines()
    assert "pip install 'tympan[otel]'" in json.loads(line)["message"]


def test_nothing_of_it_is_loaded_unless_it_is_asked_for(bundle: Path) -> None:
    code = """
import sys
from model.tagger import Tagger
from serving.app import create_app
from serving.settings import Settings
create_app(Tagger.load(sys.argv[1]), Settings.read())
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(bundle)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
