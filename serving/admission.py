"""Who may call: a key is asked for, with the scope that the route needs, before anything of the body is read."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated, Any, ClassVar

from fastapi import Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute

from serving.errors import AccessError, QuotaError, RequestTooLargeError, ScopeError, SettingsError
from serving.keys import Key, Keyring, Scope
from serving.quota import Quota
from serving.settings import Open, Settings

SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of `tympan keys add`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key, in its own field."},
}
"""The two ways to send a key, as OpenAPI has them."""
_OPEN: Mapping[str, Open] = {
    "/health": "health",
    "/ready": "ready",
    "/metrics": "metrics",
    "/v2/health/live": "health",
    "/v2/health/ready": "ready",
}
"""The paths of OpenRoutes, and what the setting `open` calls them."""


@dataclass(frozen=True)
class Caller:
    """Whoever calls: by the name of the key, or by address where no key is asked for."""

    name: str
    key: Key | None = None
    mentions: Quota = field(default_factory=Quota)

    def count(self, mentions: int) -> None:
        """Take mentions from the key's quota. QuotaError beyond it, RequestTooLargeError if they never fit."""
        if not self.key or not (most := self.key.mentions_per_minute):
            return
        if mentions > most:
            problem = f"are more than the {most:,} a minute of key {self.name}"
            raise RequestTooLargeError("mentions", problem, "Send them in several calls")
        _take(self.mentions, mentions, most, self.key, "mentions")


class Gate:
    """Lets callers in. Quotas are counted here, so that each process has its own."""

    def __init__(self, settings: Settings) -> None:
        """KeysError if keys are to be asked for and their file cannot be read."""
        self._keyring = Keyring(settings.keys) if settings.keys and not settings.keys_off else None
        self._requests: defaultdict[str, Quota] = defaultdict(Quota)
        self._mentions: defaultdict[str, Quota] = defaultdict(Quota)

    @property
    def asks(self) -> bool:
        """Whether a key is asked for."""
        return self._keyring is not None

    def admit(self, request: Request, scope: Scope | None) -> Caller:
        """Who calls, with any key if no scope is asked for.

        AccessError without a key that is good, ScopeError without the scope, QuotaError beyond the key's quota.
        """
        if self._keyring is None:
            return Caller(request.client.host if request.client else "")
        key = self._keyring.find(_secret(request))
        if key is None:
            raise AccessError("authorization", "is no key of this service", "Send one: Authorization: Bearer KEY")
        if key.expired:
            raise AccessError(f"key {key.name}", f"expired on {key.expires}", "Ask for another")
        if scope and not key.may(scope):
            raise ScopeError(f"key {key.name}", f"does not have the scope {scope}", "Ask for one that has")
        if key.per_minute:
            _take(self._requests[key.name], 1, key.per_minute, key, "requests")
        return Caller(key.name, key, self._mentions[key.name])


class GuardedRoute(APIRoute):
    """Mixed into a class of routes: what `admit` raises is answered before the body is read."""

    async def admit(self, request: Request) -> None:
        """Let the caller in, or raise."""
        raise NotImplementedError

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def admitted(request: Request) -> Response:
            await self.admit(request)
            return await handle(request)

        return admitted


class KeyRoute(GuardedRoute):
    """Mixed into a class of routes, with a `scope`: lets in who has it."""

    scope: ClassVar[Scope]

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 — FastAPI's own
        options["openapi_extra"] = {"security": [{name: [str(self.scope)]} for name in SCHEMES]}
        super().__init__(path, endpoint, **options)

    async def admit(self, request: Request) -> None:
        gate: Gate = request.app.state.gate
        request.state.caller = gate.admit(request, self.scope)


class OpenRoute(GuardedRoute):
    """A route that asks for no key, unless the setting `open` leaves it out: then for any that is good."""

    async def admit(self, request: Request) -> None:
        if _OPEN[self.path] not in request.app.state.settings.open:
            request.app.state.gate.admit(request, None)


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Calling = Annotated[Caller, Depends(_caller)]
"""The caller, in a route that is a KeyRoute."""


def install(app: FastAPI, settings: Settings) -> None:
    """Give `app` its gate, and say in its OpenAPI document which routes ask for a key, if any does."""
    app.state.gate = gate = Gate(settings)
    generate = app.openapi
    shut = [path for path, name in _OPEN.items() if name not in settings.open]
    app.openapi = lambda: _with_security(generate(), gate.asks, shut)  # type: ignore[method-assign]  # FastAPI's documented way


def policy(settings: Settings, address: str) -> str:
    """Who may call at an address that is listened on, in one line; SettingsError if it is anybody unawares."""
    if settings.keys_off:
        return "Callers need no key: TYMPAN_KEYS_OFF is set"
    if settings.keys:
        return f"Callers need a key of {settings.keys}"
    if ip_address(address).is_loopback:
        return "Callers need no key, and only this machine can call: TYMPAN_KEYS is not set"
    raise SettingsError(
        "TYMPAN_KEYS",
        f"is not set, and others can reach {address}",
        "Set it to a file of keys (tympan keys add --help), or TYMPAN_KEYS_OFF=yes to let in whoever calls",
    )


def _secret(request: Request) -> str:
    """What the caller sends as a key; empty if nothing."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")


def _take(quota: Quota, amount: int, per_minute: int, key: Key, what: str) -> None:
    if wait := quota.take(amount, per_minute):
        problem = f"has used its {per_minute:,} {what} a minute"
        raise QuotaError(f"key {key.name}", problem, "Try again later", seconds=math.ceil(wait))


def _with_security(document: dict[str, Any], asked: bool, shut: Sequence[str]) -> dict[str, Any]:
    """The document with the ways to send a key, or without any word of keys if none is asked for."""
    if asked:
        document["components"]["securitySchemes"] = SCHEMES
        for path in shut:
            document["paths"][path]["get"]["security"] = [{name: []} for name in SCHEMES]
        return document
    for path in document["paths"].values():
        for operation in path.values():
            operation.pop("security", None)
    return document
