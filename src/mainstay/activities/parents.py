"""Seeing to the children of agents whose lives have ended, by :mod:`..decisions.agents.parents`.

All of it may be done again: who was told is told once more, and who has moved is no child any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from temporalio import activity

from mainstay.activities.agent_ports import Families
from mainstay.activities.workflows_seen import each, signal
from mainstay.decisions.agents.parents import at_parent_end
from mainstay.schemas import names
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.errors import NotFound
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ShutDown


async def see_to_children(storage: Families, ended: Sequence[str]) -> None:
    """From an activity, do what the children of agents that have ended for good say of it.

    A child whose workflow is gone is no error. One that has not begun sees to it when it does.
    """
    children = await storage.living_children(ended)
    for parent_id, own in groupby(children, key=lambda row: row.parent_id):
        parent = await storage.get_agent(parent_id)
        if parent is not None:
            await _see_to(storage, parent, list(own))


async def see_to_late_child(storage: Families, child: AgentRow) -> None:
    """From an activity, see to a child that begins when its parent has ended already."""
    if not child.parent_id:
        return
    parent = await storage.get_agent(child.parent_id)
    if parent is not None and parent.state is LifeState.TERMINATED:
        await _see_to(storage, parent, [child])


async def _see_to(storage: Families, parent: AgentRow, children: Sequence[AgentRow]) -> None:
    found = at_parent_end(parent, [(row, await _spec_of(storage, row)) for row in children])
    if found.orphans:
        await storage.reparent_agents(found.orphans, parent.agent_id, datetime.now(UTC))
    client = activity.client()

    async def tell(one: tuple[str, ShutDown]) -> None:
        await signal(client, one[0], names.SHUT_DOWN, one[1])

    await each(found.told, tell)


async def _spec_of(storage: Families, row: AgentRow) -> AgentSpec:
    try:
        return AgentSpec.model_validate_json(await storage.get_document(row.spec_ref))
    except NotFound:  # the parent's end waits for nobody's file; what it does not say is a default
        return AgentSpec(name="unknown")
