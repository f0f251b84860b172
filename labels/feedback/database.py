"""The database of corrections: a file of SQLite in a folder, or a PostgreSQL, brought up to date when it is opened.

Writers take turns: what is written later has a greater number than what others have read before, so that a reader who
goes on from the last number misses nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from labels.errors import FeedbackStoreError
from labels.extra import library

FILE = "feedback.sqlite"
"""The file of SQLite in its folder."""
_PLACE = "feedback store"
_SECONDS = 10  # for a connection, a lock or a statement, after which the caller is told
_LOCK = int.from_bytes(b"tympan")  # of PostgreSQL's advisory locks, this one is ours
_WRITES = "tympan_writes"


class Database:
    """Safe to use from several threads and processes; each method's block is one transaction.

    FeedbackStoreError if it cannot be reached or used.
    """

    def __init__(self, where: str | Path) -> None:
        """`where` is a folder, made if it is not there, or a URL such as postgresql+psycopg://user@host/name.

        ExtraError without PostgreSQL's driver.
        """
        with _told():
            if "://" in str(where):
                self._engine = _postgresql(str(where))
                self._upgrade()
            else:
                path = Path(where) / FILE
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)  # which the files that SQLite makes beside it follow
                self._engine = _sqlite(path)
                with FileLock(path.with_name(f".{FILE}.lock"), mode=0o600, timeout=_SECONDS):
                    self._upgrade()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with _told(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Nobody else writes meanwhile."""
        with _told(), self._engine.execution_options(**{_WRITES: True}).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            yield connection

    def settle(self) -> None:
        """Let nothing that was erased stay in a file of SQLite, if nobody reads it just now."""
        if self._engine.dialect.name == "sqlite":
            with _told(), closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._engine.dispose()

    def _upgrade(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        with self.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _postgresql(url: str) -> Engine:
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number, among others
        found = None
    if found is None or found.get_backend_name() != "postgresql":
        raise FeedbackStoreError(
            _PLACE, "is no URL of a PostgreSQL", "Give postgresql+psycopg://user:password@host/name"
        )
    library("psycopg", extra="postgres")
    return create_engine(
        found.set(drivername="postgresql+psycopg"),
        hide_parameters=True,  # texts, which would stand in errors
        pool_pre_ping=True,
        pool_timeout=_SECONDS,
        connect_args={
            "connect_timeout": _SECONDS,
            "tcp_user_timeout": _SECONDS * 1000,
            "options": f"-c statement_timeout={_SECONDS * 1000}",
        },
    )


def _sqlite(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),  # a path may hold what means something in a URL
        hide_parameters=True,
        pool_timeout=_SECONDS,
        connect_args={"timeout": _SECONDS, "isolation_level": None},  # transactions begin as said below
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Who reads first and writes then would be refused, and not wait, when another writes in between.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the database in plain words, without what was asked of it: that holds texts."""
    try:
        yield
    except CommandError as error:
        raise FeedbackStoreError(_PLACE, "was made by a newer version of Tympan", "Upgrade this one") from error
    except (SQLAlchemyError, OSError) as error:
        kind = type(error.orig if isinstance(error, DBAPIError) else error).__name__
        raise FeedbackStoreError(_PLACE, f"cannot be used now ({kind})", "See that it is there and has room") from error
