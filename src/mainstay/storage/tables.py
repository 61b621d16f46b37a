"""Every table, in one place for queries and migrations."""

from __future__ import annotations

from sqlmodel import SQLModel

from mainstay.storage import (
    account_tables,
    agent_tables,
    plan_tables,
    protection_tables,
    supervision_tables,
    thread_tables,
)

__all__ = [
    "account_tables",
    "agent_tables",
    "metadata",
    "plan_tables",
    "protection_tables",
    "supervision_tables",
    "thread_tables",
]

metadata = SQLModel.metadata

plans = metadata.tables["plans"]
tasks = metadata.tables["tasks"]
plan_events = metadata.tables["plan_events"]
documents = metadata.tables["documents"]
task_outputs = metadata.tables["task_outputs"]
effects = metadata.tables["effects"]
agents = metadata.tables["agents"]
messages = metadata.tables["messages"]
agent_events = metadata.tables["agent_events"]
state_transitions = metadata.tables["state_transitions"]
supervision_events = metadata.tables["supervision_events"]
threads = metadata.tables["threads"]
thread_entries = metadata.tables["thread_entries"]
thread_summaries = metadata.tables["thread_summaries"]
live_texts = metadata.tables["live_texts"]
accounts = metadata.tables["accounts"]
charges = metadata.tables["charges"]
charged_accounts = metadata.tables["charged_accounts"]
breakers = metadata.tables["breakers"]
rates = metadata.tables["rates"]
memories = metadata.tables["memories"]
memory_words = metadata.tables["memory_words"]
