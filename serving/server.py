"""The process that serves: it takes the address, loads the bundle, says when it is ready, and stops in order."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import NoReturn, cast

import uvicorn
from anyio import sleep
from fastapi import FastAPI

from model.tagger import Tagger
from serving import logs
from serving.address import bind, url
from serving.admission import policy
from serving.app import create_app
from serving.connection import Connection, raise_limit
from serving.jobs.keeper import working
from serving.rules import told
from serving.settings import Settings

_GRACE_SECONDS = 30
_IN_A_ROW = 32  # connections taken at once: the reserve of descriptors holds some such rows until they are refused
_QUEUE = 2048
_LOOK_SECONDS = 0.1


def run(settings: Settings, *, say: Callable[[str], None]) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then finish what was accepted and exit with 0.

    Raises SettingsError if the address cannot be had and BundleError if the bundle cannot be run.
    """
    listener = bind(settings.host, settings.port)  # a busy port is known before the model is loaded
    with working(settings):
        serve(settings, listener, say=say)


def serve(settings: Settings, listener: socket.socket, *, say: Callable[[str], None]) -> NoReturn:
    """Serve on a socket that is bound, as `run` does."""
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again once it has stopped
        signal.signal(number, lambda *_: sys.exit(0))
    logs.configure(settings.log_format, settings.log_level)
    raise_limit()
    callers = policy(settings, listener.getsockname()[0])
    # Nothing here keeps the tagger: once another has replaced it, its memory is to be given back.
    app = create_app(Tagger.load(settings.bundle, threads=settings.threads), settings)
    taxonomy = app.state.service.tagger.taxonomy.id
    priorities = told(app.state.service.priorities, app.state.service.rules)
    address = url(settings.host, listener)
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        http=Connection,
        ws="none",
        backlog=_IN_A_ROW,
        timeout_keep_alive=settings.receive_seconds,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    ready = f"Serving {app.state.service.model} ({taxonomy}) on {address} - try it at {address}/docs"
    said = f"{ready}\n{callers}\n{priorities}"
    try:
        _Server(config, ready=lambda: say(said), drain=settings.drain_seconds).run(sockets=[listener])
    finally:
        app.state.service.metrics.leave()
    sys.exit(0)


class _Server(uvicorn.Server):
    """Calls `ready` when it has begun to listen, with a longer queue of connections than it takes in a row.

    Told to stop, it says so at `/ready` for `drain` seconds before it stops listening.
    """

    def __init__(self, config: uvicorn.Config, *, ready: Callable[[], None], drain: float) -> None:
        super().__init__(config)
        self._ready = ready
        self._drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():  # asyncio has one number for both
            listener.listen(_QUEUE)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        cast(FastAPI, self.config.app).state.ready = False
        end = time.monotonic() + self._drain
        while time.monotonic() < end and not self.force_exit:  # which a second Ctrl-C asks for
            await sleep(_LOOK_SECONDS)
        await super().shutdown(sockets)
