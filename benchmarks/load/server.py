"""A server that takes part in `benchmarks.load`: in a process of its own, and stopped while it is not its turn."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.places import ROOT

_PATIENCE = 300
"""Seconds in which a server must have loaded its model."""


class Server:
    """A running server; a context manager that ends it and all processes that it started."""

    def __init__(
        self, name: str, command: Sequence[str], *, port: int, path: str, variables: Mapping[str, str]
    ) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port}{path}"
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 — closed when the server is
        self._process = subprocess.Popen(  # noqa: S603 — commands of our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd=ROOT,
            env={**os.environ, **variables},
            start_new_session=True,  # it and its workers are one group to stop
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGCONT, signal.SIGTERM):
            self._tell(number)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._tell(signal.SIGKILL)  # workers that outlived it
            self._process.wait()
            self._log.close()

    def wait(self, body: Mapping[str, Any]) -> None:
        """Return once it answers `body`; BenchmarkError if it ends or takes too long."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise BenchmarkError(self.name, f"did not start: {self._last_words()}", "Start it by hand to see why")
            try:
                self.ask(body)
            except (OSError, BenchmarkError):  # not listening, or not ready
                time.sleep(0.2)
            else:
                return
        raise BenchmarkError(self.name, f"does not answer: {self._last_words()}", "Start it by hand to see why")

    def ask(self, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 — JSON
        """The answer to one call; BenchmarkError if it is refused."""
        data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url, data, headers)  # noqa: S310 — http, on this machine
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise BenchmarkError(self.name, f"answers with status {error.code}", "See its log") from error

    def pause(self) -> None:
        """Let it take no processor time until `resume`."""
        self._tell(signal.SIGSTOP)

    def resume(self) -> None:
        self._tell(signal.SIGCONT)

    def _tell(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().split("\n")
        return " ".join(line for line in lines if line.strip())[-300:]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
