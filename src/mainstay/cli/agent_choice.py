"""Which agents a command means: by name, or all of a team, a supervisor, a role, a state, ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mainstay.cli.printing import now
from mainstay.cli.team_reading import split_place
from mainstay.client import Mainstay
from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.agent import Role
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.lifecycle import LifeState

MOST = 10_000


@dataclass(frozen=True)
class Choice:
    """Agents by what is said of them; what is empty does not choose.

    Attributes:
        under: a supervisor, ``TEAM[/PATH]``: all agents below it.
        states: in lower case.
        parent: the agent or the plan that started them.
        older_than: they were made so long ago.
    """

    names: Sequence[str] = ()
    team: str = ""
    under: str = ""
    role: str = ""
    capability: str = ""
    states: Sequence[str] = ()
    parent: str = ""
    older_than: timedelta | None = None

    @property
    def has_filters(self) -> bool:
        """Whether it says more than names."""
        return any(
            (self.team, self.under, self.role, self.capability, self.states, self.parent)
        ) or (self.older_than is not None)


def living_states() -> tuple[LifeState, ...]:
    """Return the states of agents that have not ended."""
    return tuple(state for state in LifeState if state is not LifeState.TERMINATED)


def read_state(text: str) -> str:
    """Read a state as people write it.

    Raises:
        InvalidInput: no agent is ever in it.
    """
    known = [state.value.lower() for state in LifeState] + ["lost"]
    if text.lower() not in known:
        raise InvalidInput(f"no agent is ever {text!r}", hint=f"the states are {', '.join(known)}")
    return text.lower()


async def choose(
    mainstay: Mainstay, choice: Choice, *, states: Sequence[LifeState] = (), limit: int = MOST
) -> list[AgentRow]:
    """Return the agents that are meant, the newest first; those named, in the order of the names.

    Args:
        mainstay: where they are.
        choice: who is meant.
        states: only agents whose records have one of these states, when any is given.
        limit: at most so many.

    Raises:
        NotFound: there is no agent of a name, or no such supervisor.
        InvalidInput: names and filters were given together, or two teams.
    """
    if choice.under and choice.team not in ("", split_place(choice.under)[0]):
        raise InvalidInput(
            f"{choice.under!r} is no supervisor of the team {choice.team!r}", hint="give one team"
        )
    if choice.names and choice.has_filters:
        raise InvalidInput(
            "agents are named and chosen by options at once", hint="give names, or options"
        )
    if choice.role and choice.role.lower() not in list(Role):
        raise InvalidInput(
            f"there is no role {choice.role!r}",
            hint=did_you_mean(choice.role, list(Role)) or f"the roles are {', '.join(Role)}",
        )
    if choice.names:
        found = [await mainstay.find_agent(name) for name in choice.names]
        return list({row.agent_id: row for row in found}.values())
    filters: dict[str, Any] = {"role": choice.role, "capability": choice.capability}  # Any: mixed
    below: set[str] | None = None
    team = choice.team
    if choice.under:
        team, path = split_place(choice.under)
        below = {row.agent_id for row in (await mainstay.team(team).sight(path)).agents}
    if team:
        filters["team"] = team
    if choice.parent:
        filters["parent"] = await _parent(mainstay, choice.parent)
    if choice.older_than is not None:
        filters["created_before"] = now() - choice.older_than
    most = limit if below is None else MOST
    rows = await mainstay.store.list_agents(states, limit=most, **filters)
    return [row for row in rows if below is None or row.agent_id in below][:limit]


async def _parent(mainstay: Mainstay, text: str) -> str:
    if text.startswith("plan/"):
        return text
    return (await mainstay.find_agent(text)).agent_id
