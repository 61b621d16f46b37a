"""Bringing a database to the present schema, whoever opens it first."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError

from mainstay.schemas.errors import InvalidInput
from mainstay.storage.connection import BARE, BUSY_SECONDS, make_folder, open_engine, read_url
from mainstay.storage.failures import describe, translate

HEAD = "0005"
"""The newest migration. Written down here so that opening a database need not load Alembic."""

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 0x4D61696E73746179
"""Key of PostgreSQL's advisory lock for migrations: the letters of the project's name."""


def migrate(url: str) -> None:
    """Bring a database to the present schema; a moment's work when it is already there.

    Safe when several processes open a new database at once: one migrates, the others wait.

    Raises:
        InvalidInput: the URL is wrong, or a newer version of Mainstay made the database.
        Unavailable: the database does not answer or cannot be written.
    """
    where = read_url(url)
    make_folder(where)
    engine = open_engine(where, writes=True, connections=1)
    try:
        migrate_engine(engine)
    finally:
        engine.dispose()


def migrate_engine(engine: Engine) -> None:
    """Do :func:`migrate` through an engine that begins its transactions ready to write."""
    try:
        if engine.dialect.name == "sqlite":
            _use_wal(engine)
        if _version_quickly(engine) == HEAD:
            return
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            if current_version(connection) != HEAD:
                _upgrade(connection)
    except SQLAlchemyError as error:
        raise translate(error, engine.url) from error


def current_version(connection: Connection) -> str | None:
    """Return the newest migration a database has, or None for an empty one."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _version_quickly(engine: Engine) -> str | None:
    # One statement and no lock: the usual case, in which the table is there.
    try:
        with engine.connect().execution_options(**{BARE: True}) as connection:
            found: str | None = connection.exec_driver_sql(
                "SELECT version_num FROM alembic_version"
            ).scalar()
            return found
    except (OperationalError, ProgrammingError):
        return None


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise InvalidInput(
            f"{describe(connection.engine.url)} has the unknown version"
            f" {current_version(connection)!r}",
            hint="a newer Mainstay made it: install that version, or name another database",
        ) from error


def _use_wal(engine: Engine) -> None:
    # SQLite does not wait when two processes change the journal mode at once; it fails.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with engine.connect().execution_options(**{BARE: True}) as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
        except OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
