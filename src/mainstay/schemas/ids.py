"""The forms of every identifier, and the one place that builds them."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Annotated

from pydantic import StringConstraints

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]{0,99}$"
AGENT_ID_PATTERN = r"^agent-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
PLAN_ID_PATTERN = r"^plan/[A-Za-z_][A-Za-z0-9_-]{0,99}(/[A-Za-z0-9_.:-]{1,120})+$"

MAX_PLACE_CHARS = 200
"""How much of a long place stands in the name of the agent that works there."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A name a person chose: letters, digits, ``_`` and ``-``, at most 100, no digit first."""

AgentId = Annotated[str, StringConstraints(pattern=AGENT_ID_PATTERN)]
"""``agent-`` and a UUID v4 in lower case. Source: specification 003."""

PlanId = Annotated[str, StringConstraints(pattern=PLAN_ID_PATTERN)]
"""``plan/<name>/<run>``; a sub-plan's id appends ``/<task>`` or ``/<task>.<item>``."""


def plan_id(name: str, run: str) -> str:
    """Build a plan's id, which is also its workflow id."""
    return f"plan/{name}/{run}"


def sub_plan_id(parent: str, task: str, item: int | None, round_: int) -> str:
    """Build the id of the plan that a task of another plan starts, unique per item and round."""
    part = task if item is None else f"{task}.{item}"
    return f"{parent}/{part}" if round_ == 0 else f"{parent}/{part}:{round_}"


def is_plan_id(text: str) -> bool:
    """Tell whether a text has the form of a plan's id."""
    return re.fullmatch(PLAN_ID_PATTERN, text) is not None


def agent_id_from(key: str) -> str:
    """Build an agent's id that follows from an idempotency key: the same key, the same agent."""
    digest = hashlib.sha256(key.encode()).digest()
    return f"agent-{uuid.UUID(bytes=digest[:16], version=4)}"


def task_agent_name(agent: str, place: str) -> str:
    """Build the full name of an agent that does one task of a plan, unique among all agents.

    Args:
        agent: the name in its file.
        place: what it does, in the form of :func:`sub_plan_id`: ``plan/review/ab12/read.3``.

    Returns:
        ``team/name``, for instance ``review/reader.ab12.read.3``; the team is the plan's name.
    """
    _, team, rest = place.split("/", 2)
    if len(rest) > MAX_PLACE_CHARS:
        rest = f"{rest[:MAX_PLACE_CHARS]}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    return f"{team}/{agent}.{rest.replace('/', '.')}"


def spec_ref_of(body: bytes) -> str:
    """Name the document that holds an agent's file; the same file has the same name."""
    return f"agent-spec/{hashlib.sha256(body).hexdigest()}"


def account_of(agent_id: str) -> str:
    """Name the account that pays for an agent."""
    return f"agent/{agent_id}"


def supervisor_id(team: str, path: str = "") -> str:
    """Build a supervisor's workflow id: ``supervisor/<team>``, with the path of a lower one."""
    return f"supervisor/{team}/{path}" if path else f"supervisor/{team}"


def supervisor_row_id(team: str, run: str, path: str = "") -> str:
    """Build the id under which a supervisor stands among the agents, the same in a team's life."""
    return agent_id_from(f"supervisor/{team}/{run}/{path}")


def supervisor_name(team: str, path: str = "") -> str:
    """Build the name of a supervisor among the agents: ``team/@`` and its path."""
    return f"{team}/@{path}"


def team_agent_id(team: str, run: str, name: str) -> str:
    """Build the id of a team's agent, which it keeps for one life of the team."""
    return agent_id_from(f"team/{team}/{run}/{name}")
