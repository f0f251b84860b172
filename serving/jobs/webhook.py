"""The call that tells of a job's end, signed as Standard Webhooks has it.

Where it goes is looked up once, checked, and connected to: a name that means another address a moment later changes
nothing. Redirects are answers like any other, and are not followed.
"""

from __future__ import annotations

import json
import logging
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from serving.errors import NotAllowedError
from serving.jobs.answers import JobAnswer
from serving.jobs.job import Job
from serving.settings import Settings, version

_CONNECT_SECONDS, _ANSWER_SECONDS = 5, 15
_NAT64 = ip_network("64:ff9b::/96")
_GONE = 410  # by which a receiver says that it wants no more of it
_log = logging.getLogger(__name__)


class UntoldError(Exception):
    """A call that was not taken; it may be later."""


def check(url: str, settings: Settings) -> None:
    """NotAllowedError unless a job may call `url`."""
    found = _parts(url)
    allowed = {host.lower() for host in settings.webhook_hosts}
    if found is None or found.hostname not in allowed:
        hosts = ", ".join(settings.webhook_hosts) or "none: the operator sets TYMPAN_WEBHOOK_HOSTS"
        raise NotAllowedError("webhook", "is no http or https URL of a host that may be called", f"Allowed: {hosts}")


def call(job: Job, settings: Settings) -> bool:
    """Tell of a job's end; whether it was taken, False if it never will be. UntoldError if it may be later."""
    url = job.options.webhook or ""
    try:
        check(url, settings)
    except NotAllowedError:  # the settings were changed meanwhile
        return False
    body = _body(job)
    status = _posted(url, body, _headers(job, body, settings), private=settings.webhook_private)
    if status == _GONE:
        return False
    if not 200 <= status < 300:
        raise UntoldError(str(status))
    return True


def _body(job: Job) -> bytes:
    """The job without its file's name and its error, which may quote what is in the file."""
    told = JobAnswer.of(job).model_dump(mode="json", exclude={"file", "error", "webhook"})
    return json.dumps({"type": f"job.{job.state}", "timestamp": told["ended"], "data": told}).encode()


def _headers(job: Job, body: bytes, settings: Settings) -> Mapping[str, str]:
    """With the same id whenever it is told, and the present time, which is signed with it."""
    from standardwebhooks import Webhook  # noqa: PLC0415 — loaded only where there are webhooks

    name, now = f"msg_{job.id}", datetime.now(UTC)
    signature = Webhook(settings.webhook_secret.get_secret_value()).sign(name, now, body.decode())
    return {
        "content-type": "application/json",
        "user-agent": f"tympan/{version()}",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def _posted(url: str, body: bytes, headers: Mapping[str, str], *, private: bool) -> int:
    """The status of the answer, of which no more is read; UntoldError if there is none."""
    import urllib3  # noqa: PLC0415 — as above

    parts = _parts(url)
    assert parts  # noqa: S101 — as checked by `call`
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = _address(host, port, private=private)
    patience = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_ANSWER_SECONDS)
    options: dict[str, Any] = {"timeout": patience, "retries": False, "maxsize": 1}
    if secure:
        names: dict[str, Any] = {
            "server_hostname": host,
            "assert_hostname": host,
            "ssl_context": ssl.create_default_context(),
        }
        pool: Any = urllib3.HTTPSConnectionPool(address, port, **options, **names)
    else:
        pool = urllib3.HTTPConnectionPool(address, port, **options)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with pool:
            given = {**headers, "host": parts.netloc}
            answer = pool.urlopen("POST", path, body, given, redirect=False, preload_content=False)
            answer.close()
            return int(answer.status)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UntoldError(type(error).__name__) from error


def _address(host: str, port: int, *, private: bool) -> str:
    """An address of `host`; UntoldError if it has none, or one that must not be called."""
    try:
        found = [entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise UntoldError("no address") from error
    if not private and not all(_public(str(address)) for address in found):
        raise UntoldError("a private address")
    return str(found[0])


def _public(address: str) -> bool:
    """Whether an address is one of the internet at large, and carries none of another network inside."""
    found = ip_address(address)
    if isinstance(found, IPv6Address) and (found.sixtofour or found.teredo or found in _NAT64):
        return False
    return found.is_global and not found.is_multicast


def _parts(url: str) -> SplitResult | None:
    """The parts of an http or https URL without user and fragment; None if it is none."""
    try:
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if plain and right and not parts.username and not parts.fragment and "@" not in parts.netloc else None
