"""How a database's schema is compared with the tables in Python, by Alembic."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index

from mainstay.storage.tables import metadata


def is_compared(thing: Any, name: str | None, kind: str, *_: Any) -> bool:  # Any: Alembic's
    """Leave out the GIN indexes, which SQLite does not have and so does not get."""
    if kind == "index" and isinstance(thing, Index) and thing.table is not None:
        gin = thing.dialect_options["postgresql"]["using"] == "gin"
        return not gin
    return True


OPTIONS: dict[str, Any] = {  # Any: Alembic's options
    "target_metadata": metadata,
    "compare_type": True,
    "compare_server_default": True,
    "include_object": is_compared,
}
