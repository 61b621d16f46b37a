"""Engines for the two databases, set up so that both behave alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from mainstay.schemas.errors import InvalidInput, Unavailable

Durability = Literal["normal", "full"]

BARE = "mainstay_bare"
"""Execution option of a connection that shall begin no transaction on SQLite."""

BUSY_SECONDS = 20.0
"""How long SQLite waits for another process's transaction."""

CONNECT_SECONDS = 10
"""How long PostgreSQL may take to accept a connection."""

_URL_HINT = "write sqlite:////path/to/file.db or postgresql+psycopg://user:password@host/name"


def read_url(text: str) -> URL:
    """Read a database URL and choose the driver.

    Raises:
        InvalidInput: it is not a URL, or not of SQLite in a file or PostgreSQL.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The text itself may hold a password, so it is not shown.
        raise InvalidInput("the database URL cannot be read", hint=_URL_HINT) from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise InvalidInput(f"no database of kind {backend!r} is supported", hint=_URL_HINT)
    if not url.database or url.database == ":memory:":
        raise InvalidInput(
            "a database in memory cannot be shared by processes", hint="name a file: sqlite:///FILE"
        )
    return url.set(drivername="sqlite+pysqlite", database=str(Path(url.database).absolute()))


def make_folder(url: URL) -> None:
    """Make the folder of an SQLite file, for its owner alone when it is new."""
    if url.get_backend_name() != "sqlite" or url.database is None:
        return
    folder = Path(url.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Unavailable(
            f"folder {str(folder)!r} of the database cannot be made: {error.strerror}",
            hint="name another place in MAINSTAY_DATABASE_URL or MAINSTAY_DATA_DIR",
        ) from error


def open_engine(
    url: URL, *, writes: bool, connections: int, durability: Durability = "normal"
) -> Engine:
    """Make an engine whose transactions begin ready to write, or are snapshots for reading."""
    options: dict[str, Any] = {  # Any: create_engine's options
        "hide_parameters": True,
        "pool_size": connections,
        "max_overflow": 0,
    }
    try:
        if url.get_backend_name() == "sqlite":
            engine = create_engine(
                url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None}, **options
            )
            _set_up_sqlite(engine, writes=writes, durability=durability)
            return engine
        return create_engine(
            url,
            connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "mainstay"},
            pool_pre_ping=not writes,
            **options,
        )
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"PostgreSQL needs the module {error.name!r}",
            hint="install it with: pip install 'mainstay[postgres]'",
        ) from None


def _set_up_sqlite(engine: Engine, *, writes: bool, durability: Durability) -> None:
    synchronous = "FULL" if durability == "full" else "NORMAL"

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:  # Any: the driver's own types
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    # The driver's own BEGIN comes late and breaks SAVEPOINT; a write takes its lock at the start,
    # because SQLite does not wait for a lock that a reading transaction wants to turn into one.
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        if not connection.get_execution_options().get(BARE):
            connection.exec_driver_sql(begin)
