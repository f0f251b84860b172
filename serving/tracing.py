"""Traces for OpenTelemetry: FastAPI makes a span of every request, and here is where those go, and without what."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from fastapi.telemetry import TelemetryConfig

from serving.settings import version

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span, TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_SECONDS = 2.0  # the library's 10 would hold up the end of the process for as long, where no collector answers
_WRITTEN = ("url.path", "url.query", "http.request.method_original")
"""Attributes that hold what a caller wrote; `http.route` says enough."""
_log = logging.getLogger(__name__)


def telemetry() -> TelemetryConfig:
    """FastAPI's configuration: spans if the environment asks for them, and nothing else of OpenTelemetry."""
    provider = _provider()
    return {
        "tracer_provider": provider,
        "tracing": provider is not None,
        "metrics": False,
        "logs": False,  # they would hold the messages of errors
        "operation_spans": False,
        "auto_configure": False,
    }


def _provider() -> TracerProvider | None:
    """What sends spans as the standard variables say; None if they do not ask for it, or it cannot be done."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or not any(map(os.environ.get, _ENDPOINTS)):
        return None
    exporter = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    protocol = next(filter(None, map(os.environ.get, _PROTOCOLS)), "http/protobuf")
    if exporter == "none":
        return None
    if (exporter, protocol) != ("otlp", "http/protobuf"):
        _log.warning("no traces: the exporter is to be otlp, and its protocol http/protobuf")
        return None
    try:
        return _sender()
    except ModuleNotFoundError:
        _log.warning("no traces: they need the extra 'otel'. Install it: pip install 'tympan[otel]'")
        return None


def _sender() -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 — an extra
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    class Redacting(SpanProcessor):
        def on_start(self, span: Span, parent_context: object = None) -> None:
            for name in _WRITTEN:
                if name in (span.attributes or {}):
                    span.set_attribute(name, "REDACTED")

    named = Resource({"service.name": "tympan", "service.version": version()})
    provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(Redacting())
    timeout = None if any(map(os.environ.get, _TIMEOUTS)) else _SECONDS
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=timeout)))
    return provider
