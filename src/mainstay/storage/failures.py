"""What a database's error means to a caller, in words without a password or a statement."""

from __future__ import annotations

from sqlalchemy import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from mainstay.schemas.errors import InvalidInput, MainstayError, Unavailable

AGAIN = frozenset({"40001", "40P01"})
"""SQLSTATEs of a transaction that only has to be done again: serialisation, deadlock."""

_HINTS = {
    "SQLITE_BUSY": "another process holds it locked; try again, or stop the other process",
    "SQLITE_LOCKED": "another process holds it locked; try again, or stop the other process",
    "SQLITE_FULL": "the disk is full; make room, then try again",
    "SQLITE_READONLY": "make the file and its folder writable",
    "SQLITE_CANTOPEN": "check that the folder exists and may be written",
    "SQLITE_IOERR": "check the disk it lies on",
    "SQLITE_NOTADB": "the file is something else; name another, or move it away",
    "SQLITE_CORRUPT": "restore it from a backup, or move it away and run: mainstay records rebuild",
    "53100": "the server's disk is full; make room, then try again",
    "53300": "the server has no free connection; raise max_connections or run fewer workers",
    "25006": "the server is read-only; name the primary in MAINSTAY_DATABASE_URL",
    "28P01": "check user and password in MAINSTAY_DATABASE_URL",
    "28000": "check user and password in MAINSTAY_DATABASE_URL",
    "3D000": "create it with: createdb NAME",
    "42501": "grant the user the right to create and change tables",
}
_UNREACHABLE = "check that it runs, and MAINSTAY_DATABASE_URL"


def describe(url: URL) -> str:
    """Name a database for people: its file, or its name and host. Never its password."""
    if url.get_backend_name() == "sqlite":
        return f"database {url.database!r}"
    port = f":{url.port}" if url.port else ""
    return f"database {url.database!r} on {url.host or 'a local socket'}{port}"


def translate(error: SQLAlchemyError, url: URL) -> MainstayError:
    """Turn a database's error into ours: the caller's data was wrong, or the world is."""
    reason = _reason(error)
    if is_data_fault(error):
        return InvalidInput(f"{describe(url)} refuses a record: {reason}")
    hint = next((h for code, h in _HINTS.items() if error_code(error).startswith(code)), "")
    return Unavailable(f"{describe(url)} is not available: {reason}", hint=hint or _UNREACHABLE)


def is_data_fault(error: SQLAlchemyError) -> bool:
    """Tell whether the values were at fault, so that the same write would fail again."""
    if isinstance(error, IntegrityError | DataError):
        return True
    return isinstance(error, StatementError) and not isinstance(error, DBAPIError)


def error_code(error: SQLAlchemyError) -> str:
    """Return SQLite's name of an error, PostgreSQL's SQLSTATE, or an empty text."""
    cause = getattr(error, "orig", None)
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return str(code or "")


def _reason(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
