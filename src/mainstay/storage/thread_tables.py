"""The tables about conversations. They are the truth itself: nothing can make them again."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from mainstay.schemas.conversation import EntryKind
from mainstay.storage.agent_tables import BLANK, ZERO
from mainstay.storage.columns import UtcDateTime, choice


class ThreadRecord(SQLModel, table=True):
    """A thread's row; ``entries`` is how many it has, and so the position of the next one."""

    __tablename__: ClassVar[str] = "threads"
    __table_args__ = (
        CheckConstraint("entries >= 0", name="ck_threads_entries"),
        Index("idx_threads_updated", "updated_at"),
        Index("idx_threads_agent", "agent_id", "updated_at"),
    )

    thread_id: str = Field(primary_key=True, sa_type=Text)
    title: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    agent_id: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    entries: int = Field(default=0, sa_column_kwargs=ZERO)
    parent: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    forked_at: int | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class ThreadEntryRecord(SQLModel, table=True):
    """One entry of a thread. ``body`` is JSON: whatever has no column of its own."""

    __tablename__: ClassVar[str] = "thread_entries"
    __table_args__ = (
        UniqueConstraint("thread_id", "key", name="uq_thread_entries_key"),
        CheckConstraint("position >= 0", name="ck_thread_entries_position"),
    )

    thread_id: str = Field(
        primary_key=True, foreign_key="threads.thread_id", ondelete="CASCADE", sa_type=Text
    )
    position: int = Field(primary_key=True)
    key: str = Field(sa_type=Text)
    kind: EntryKind = Field(sa_type=choice("thread_entries_kind", EntryKind))
    text: str = Field(sa_type=Text)
    tokens: int = Field(default=0, sa_column_kwargs=ZERO)
    turn: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    at: datetime = Field(sa_type=UtcDateTime)
    body: bytes = Field(sa_type=LargeBinary)


class ThreadSummaryRecord(SQLModel, table=True):
    """What was said before position ``upto``, in short."""

    __tablename__: ClassVar[str] = "thread_summaries"

    thread_id: str = Field(
        primary_key=True, foreign_key="threads.thread_id", ondelete="CASCADE", sa_type=Text
    )
    upto: int = Field(primary_key=True)
    text: str = Field(sa_type=Text)
    tokens: int = Field(default=0, sa_column_kwargs=ZERO)


class LiveTextRecord(SQLModel, table=True):
    """What a model is saying in a thread just now; gone once its answer is kept."""

    __tablename__: ClassVar[str] = "live_texts"

    thread_id: str = Field(
        primary_key=True, foreign_key="threads.thread_id", ondelete="CASCADE", sa_type=Text
    )
    key: str = Field(sa_type=Text)
    attempt: int
    text: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=UtcDateTime)
