"""A whole agent as it stood at one moment, to be kept in a file or in the database."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from mainstay.schemas.agent import AgentSpec, BudgetSpec
from mainstay.schemas.agent_run import AgentCounts, AgentOptions
from mainstay.schemas.conversation import Entry, Summary, Usage
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message
from mainstay.schemas.model import Model

SNAPSHOT_VERSION = 1
"""The version that is written; older ones are migrated, newer ones refused."""

SNAPSHOT_FORMAT = "mainstay-agent"
"""Stands in every snapshot, so that other JSON is not taken for one."""


class ThreadCopy(Model):
    """A conversation with all of its summaries; ``length`` says how many entries belong to it."""

    thread_id: str
    title: str = ""
    length: int
    entries: tuple[Entry, ...] = ()
    summaries: tuple[Summary, ...] = ()


class Memory(Model):
    """What an agent's team remembers under a key."""

    key: str
    text: str


class Snapshot(Model):
    """A whole agent.

    Attributes:
        name: ``team/name``.
        state: where its life stood; a restored agent begins at INITIALIZING all the same.
        thread: which of ``threads`` is its own.
        limits, spent: its account; a restored agent has as little left to spend.
        waiting: the messages that were not worked on to the end, the most urgent first. What a
            conversation already held of them is left out: they are worked on from their start.
        taken: those of them that had been taken out of the mailbox, or were being worked on.
        batch: the mailbox's last batch. Numbers of batches only grow.
    """

    format: str = SNAPSHOT_FORMAT
    version: int = SNAPSHOT_VERSION
    taken_at: datetime
    agent_id: str
    name: str
    spec: AgentSpec
    options: AgentOptions
    state: LifeState
    restarts: int = 0
    counts: AgentCounts = Field(default_factory=AgentCounts)
    thread: str
    threads: tuple[ThreadCopy, ...]
    limits: BudgetSpec = Field(default_factory=BudgetSpec)
    spent: Usage = Usage()
    waiting: tuple[Message, ...] = ()
    taken: tuple[str, ...] = ()
    batch: int = 0
    memories: tuple[Memory, ...] = ()
