"""How Alembic runs the migrations: on the connection, and in the transaction, it is given."""

from __future__ import annotations

from alembic import context

from mainstay.storage.comparison import OPTIONS

context.configure(connection=context.config.attributes["connection"], **OPTIONS)
context.run_migrations()
