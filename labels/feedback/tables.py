"""The tables of the store, as the newest migration leaves them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Integer, MetaData, Table, Text, TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, which SQLite keeps without saying so."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


metadata = MetaData()
_Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up by itself in INTEGER alone
_List = JSON(none_as_null=True)

corrections = Table(
    "corrections",
    metadata,
    Column("sequence", _Number, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("digest", Text, nullable=False),
    Column("mention", Text, nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("lang", Text),
    Column("target", Text),
    Column("watchlist", _List, nullable=False),
    Column("group", Text, nullable=False),
    Column("tags", _List),
    Column("wrong", _List),
    Column("who", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("model", Text),
    sqlite_autoincrement=True,  # a number that was erased never comes again
)

mentions = Table(
    "mentions",
    metadata,
    Column("sequence", _Number, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("text", Text, nullable=False),
    Column("lang", Text),
    Column("target", Text),
    Column("watchlist", _List, nullable=False),
    Column("model", Text),
    sqlite_autoincrement=True,
)
