"""The tables that keep providers and tools from being asked too often, and the memories' own."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, Text
from sqlmodel import Field, SQLModel

from mainstay.schemas.budgets import BreakerState
from mainstay.storage.agent_tables import ZERO
from mainstay.storage.columns import UtcDateTime, choice


class BreakerRecord(SQLModel, table=True):
    """A circuit breaker, shared by all workers."""

    __tablename__: ClassVar[str] = "breakers"

    name: str = Field(primary_key=True, sa_type=Text)
    state: BreakerState = Field(sa_type=choice("breakers_state", BreakerState))
    failures: int = Field(default=0, sa_column_kwargs=ZERO)
    opened_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    probe_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RateRecord(SQLModel, table=True):
    """The meters of a provider; see :class:`mainstay.decisions.agents.rates.Meters`."""

    __tablename__: ClassVar[str] = "rates"

    name: str = Field(primary_key=True, sa_type=Text)
    requests_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tokens_until: datetime | None = Field(default=None, sa_type=UtcDateTime)


class MemoryRecord(SQLModel, table=True):
    """A text that is kept beyond a conversation."""

    __tablename__: ClassVar[str] = "memories"
    __table_args__ = (Index("idx_memories_updated", "scope", "updated_at"),)

    scope: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    text: str = Field(sa_type=Text)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class MemoryWordRecord(SQLModel, table=True):
    """A word of a memory, in lower case, so that memories are found by their words."""

    __tablename__: ClassVar[str] = "memory_words"
    __table_args__ = (
        ForeignKeyConstraint(
            ["scope", "key"], ["memories.scope", "memories.key"], ondelete="CASCADE"
        ),
        Index("idx_memory_words_key", "scope", "key"),
    )

    scope: str = Field(primary_key=True, sa_type=Text)
    word: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
