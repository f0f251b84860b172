"""What Alembic runs: the revisions that are missing, in the transaction that `labels.feedback.database` holds."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
