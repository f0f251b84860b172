"""Corrections, and the mentions that were tagged lately."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("sequence", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("mention", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("lang", sa.Text),
        sa.Column("target", sa.Text),
        sa.Column("watchlist", sa.JSON, nullable=False),
        sa.Column("group", sa.Text, nullable=False),
        sa.Column("tags", sa.JSON),
        sa.Column("wrong", sa.JSON),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_corrections_mention", "corrections", ["mention"])
    op.create_table(
        "mentions",
        sa.Column("sequence", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("lang", sa.Text),
        sa.Column("target", sa.Text),
        sa.Column("watchlist", sa.JSON, nullable=False),
        sa.Column("model", sa.Text),
        sqlite_autoincrement=True,
    )
