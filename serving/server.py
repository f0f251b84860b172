"""The process that serves: it takes the address, loads the bundle, says when it is ready, and stops in order."""

from __future__ import annotations

import errno
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

import uvicorn

from model.tagger import Tagger
from serving import logs
from serving.admission import policy
from serving.app import create_app
from serving.errors import SettingsError
from serving.settings import Settings

_GRACE_SECONDS = 30


def run(settings: Settings, *, say: Callable[[str], None]) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then finish what was accepted and exit with 0.

    Raises SettingsError if the address cannot be had and BundleError if the bundle cannot be run.
    """
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again once it has stopped
        signal.signal(number, lambda *_: sys.exit(0))
    logs.configure(settings.log_format, settings.log_level)
    listener = _bind(settings.host, settings.port)  # first: a busy port is known before the model is loaded
    callers = policy(settings, listener.getsockname()[0])
    # Nothing here keeps the tagger: once another has replaced it, its memory is to be given back.
    app = create_app(Tagger.load(settings.bundle, threads=settings.threads), settings)
    taxonomy = app.state.service.tagger.taxonomy.id
    url = _url(settings.host, listener)
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    ready = f"Serving {app.state.service.model} ({taxonomy}) on {url} - try it at {url}/docs\n{callers}"
    _Server(config, ready=lambda: say(ready)).run(sockets=[listener])
    sys.exit(0)


class _Server(uvicorn.Server):
    """Calls `ready` when it has begun to listen."""

    def __init__(self, config: uvicorn.Config, *, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port}", f"is in use on {host}", "Choose another: --port") from error
        raise SettingsError(
            f"{host}:{port}", f"cannot be listened on: {error.strerror}", "See --host, --port"
        ) from error
    return listener


def _url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
