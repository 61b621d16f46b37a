"""Column types that behave alike on SQLite and PostgreSQL, and what several tables share."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum

from sqlalchemy import JSON, CheckConstraint, DateTime, Dialect, String
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator

PRIORITY_CHECK = "priority BETWEEN 0 AND 4"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, always with its time zone in Python and always UTC when it comes back.

    PostgreSQL keeps it as TIMESTAMPTZ, SQLite as a text of fixed width, so that texts sort as
    moments do. Microseconds survive on both.

    Raises:
        ValueError: a moment without a time zone is given, which would mean something else on
            every machine.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn a moment into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the time {value.isoformat()!r} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give a moment its time zone back, whatever the session's is."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# none_as_null: an absent value is NULL and not the JSON text 'null'.
Json = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
"""JSON as text on SQLite, JSONB on PostgreSQL."""


def choice(name: str, words: type[Enum], length: int = 20) -> SqlEnum:
    """Make the type of a column that holds one of an enum's values; a CHECK refuses others."""
    return SqlEnum(
        words,
        name=f"ck_{name}",
        native_enum=False,
        create_constraint=True,
        length=length,
        values_callable=lambda members: [member.value for member in members],
    )


def agent_id_check(column: str) -> CheckConstraint:
    """Make a CHECK for the form of an agent's id, as far as both databases know it.

    The whole regular expression is in :mod:`mainstay.schemas.ids`.
    """
    return CheckConstraint(
        f"{column} LIKE 'agent-________-____-4___-____-____________'"
        f" AND {column} = lower({column})",
        name=f"ck_{column}",
    )


AgentIdText = String(42)
"""``agent-`` and the 36 characters of a UUID."""


def utc_now() -> datetime:
    """Return the present moment; the databases' own clocks are not asked."""
    return datetime.now(UTC)
