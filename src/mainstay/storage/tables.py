"""Every table, in one place for queries and migrations."""

from __future__ import annotations

from sqlmodel import SQLModel

from mainstay.storage import agent_tables, plan_tables

__all__ = ["agent_tables", "metadata", "plan_tables"]

metadata = SQLModel.metadata

plans = metadata.tables["plans"]
tasks = metadata.tables["tasks"]
plan_events = metadata.tables["plan_events"]
documents = metadata.tables["documents"]
task_outputs = metadata.tables["task_outputs"]
effects = metadata.tables["effects"]
