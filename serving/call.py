"""What is known of one request while it is answered, whoever needs it: its ids and its counts, never what it says."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass, field

from opentelemetry.trace import Span, format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers

_ID = re.compile(r"[0-9a-fA-F-]{8,64}")  # a UUID or the like: no word, address or key that would end in a log
_traceparent = TraceContextTextMapPropagator()


@dataclass
class Call:
    """One request. `id` and `trace` are hexadecimal; the others are filled in by who finds them out."""

    id: str = field(default_factory=lambda: secrets.token_hex(16))
    trace: str = field(default_factory=lambda: secrets.token_hex(16))
    mentions: int = 0
    model: str = ""
    """The version that it was answered with; empty if none was asked."""
    refusal: str = ""
    """Why it was refused, in a word; empty if it was not."""

    @classmethod
    def of(cls, headers: Headers) -> Call:
        """With the caller's `X-Request-Id` if it is a UUID or other hexadecimal, and the trace that it belongs to.

        That is the trace of the span under way, or else that of `traceparent` (W3C Trace Context), or a new one.
        """
        given, found = headers.get("x-request-id", ""), _span(headers).get_span_context()
        call = cls(trace=format_trace_id(found.trace_id)) if found.is_valid else cls()
        call.id = given if _ID.fullmatch(given) else call.id
        return call


_under_way: ContextVar[Call | None] = ContextVar("call", default=None)


def begin(call: Call) -> None:
    """Make `call` the one that this task, and those that it starts, are about."""
    _under_way.set(call)


def under_way() -> Call | None:
    """The request that this task is about; None if it is about none."""
    return _under_way.get()


def note(*, mentions: int = 0, model: str = "", refusal: str = "") -> None:
    """Add to what is known of the request that this task is about, if it is about one."""
    if call := _under_way.get():
        call.mentions += mentions
        call.model = model or call.model
        call.refusal = refusal or call.refusal


def _span(headers: Headers) -> Span:
    span = get_current_span()
    if span.get_span_context().is_valid:
        return span
    return get_current_span(_traceparent.extract(headers))
