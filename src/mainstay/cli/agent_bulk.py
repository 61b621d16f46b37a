"""Pausing, resuming, stopping and restarting agents: one, several, or all that fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import typer

from mainstay.agent_driving import Driving
from mainstay.bulk import Outcome, do_to_each
from mainstay.cli.agent_choice import Choice, choose, living_states
from mainstay.cli.agent_many import take_all_sights
from mainstay.cli.agent_reading import agents_online
from mainstay.cli.confirm import confirm
from mainstay.cli.messages import hint, say, tell_error
from mainstay.cli.people import user_name
from mainstay.cli.printing import print_json
from mainstay.cli.progress_line import ProgressLine
from mainstay.client import Mainstay
from mainstay.connection import has_worker
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.errors import NotFound, Refused, Unavailable
from mainstay.schemas.lifecycle import LifeState

DONE = {"pause": "paused", "resume": "resumed", "stop": "stopped", "restart": "restarted"}
MAX_TOLD = 20
"""Failures that are written out; the others are counted."""

_NEXT = {
    "pause": "`mainstay agent resume {name}` lets it go on",
    "stop": "`mainstay agent watch {name}` follows it to its end",
}


@dataclass(frozen=True)
class Order:
    """What is to be done to each agent. ``verb`` is one of ``DONE``."""

    verb: str
    reason: str = ""
    grace: timedelta | None = None


async def steer(order: Order, choice: Choice, *, yes: bool, as_json: bool) -> None:
    """Do something to the agents that are meant, and report it.

    Raises:
        Exit: with 1, when it could not be done to some of several.
        MainstayError: it could not be done to the only one.
    """
    async with agents_online() as mainstay:
        rows = await _chosen(mainstay, choice)
        if not rows:
            say("no agent fits")
            hint("`mainstay agent list` takes the same options")
            return
        if choice.has_filters:
            many = f"{len(rows):,} agents" if len(rows) != 1 else f"agent {rows[0].name!r}"
            await confirm(f"{order.verb.capitalize()} {many}?", yes)
        await _see_served(mainstay, rows)
        outcomes = await _carry_out(mainstay, order, rows)
    if as_json:
        print_json([_as_data(outcome) for outcome in outcomes])
    elif len(outcomes) == 1:
        _tell_one(order, rows[0], outcomes[0])
    else:
        _tell_many(order, outcomes)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)


async def _chosen(mainstay: Mainstay, choice: Choice) -> list[AgentRow]:
    rows = await choose(mainstay, choice, states=() if choice.names else living_states())
    ended = [row for row in rows if row.state is LifeState.TERMINATED]
    if ended:
        raise Refused(
            f"agent {ended[0].name!r} has ended{f': {ended[0].detail}' if ended[0].detail else ''}",
            hint="`mainstay agent spawn FILE --thread ID` makes one that goes on from it; "
            f"its thread is {ended[0].thread}",
        )
    if not choice.states:
        return rows
    sights = await take_all_sights(mainstay, rows)
    return [sight.row for sight in sights if sight.state in choice.states]


async def _see_served(mainstay: Mainstay, rows: Sequence[AgentRow]) -> None:
    if not await has_worker(mainstay.temporal, mainstay.settings.task_queue):
        whom = f"agent {rows[0].name!r}" if len(rows) == 1 else "the agents"
        raise Unavailable(
            f"no worker serves {whom}, so nobody hears this",
            hint="run one with `mainstay up` or `mainstay worker`, then ask again",
        )


async def _carry_out(mainstay: Mainstay, order: Order, rows: Sequence[AgentRow]) -> list[Outcome]:
    steering = _Steering(mainstay, order, await _places(mainstay, order, rows))
    if len(rows) == 1:
        return await do_to_each(rows, steering.act, _name)
    with ProgressLine() as line:
        return await do_to_each(
            rows,
            steering.act,
            _name,
            progress=lambda done, total: line.show(f"{done:,} of {total:,} agents"),
        )


def _name(row: AgentRow) -> str:
    return row.name or row.agent_id


async def _places(mainstay: Mainstay, order: Order, rows: Sequence[AgentRow]) -> dict[str, str]:
    """Return the paths of the living supervisors that see to these agents, by their rows' ids."""
    if order.verb not in ("stop", "restart"):
        return {}
    teams = {row.name.partition("/")[0] for row in rows if row.supervisor_id}
    found: dict[str, str] = {}
    for team in sorted(teams):
        for view in await mainstay.store.supervisor_views(team, living=True):
            found[view.row_id] = view.path
    return found


class _Steering:
    """Carries an order out on one agent after the other."""

    def __init__(self, mainstay: Mainstay, order: Order, places: dict[str, str]) -> None:
        self._mainstay = mainstay
        self._order = order
        self._places = places

    async def act(self, row: AgentRow) -> str:
        """Carry it out on one, and return what is said of it."""
        order, agent = self._order, self._mainstay.agent_handle(row.agent_id)
        if order.verb == "pause":
            return await agent.pause(order.reason)
        if order.verb == "resume":
            return await agent.resume()
        if row.supervisor_id in self._places:
            return await self._by_supervisor(row)
        if order.verb == "restart":
            said = await agent.restart(order.reason)
            return f"{said}; its conversation and its mailbox stay"
        if await agent.driving() is Driving.LOST:
            # Only a workflow can end an agent's life properly: what waits in its mailbox fails.
            await agent.restart("to be stopped")
        return await agent.stop(order.reason, order.grace)

    async def _by_supervisor(self, row: AgentRow) -> str:
        """Let its supervisor do it: what ends by itself would only be started again."""
        name, path = row.name.partition("/")[2], self._places[row.supervisor_id]
        team = self._mainstay.team(row.name.partition("/")[0])
        change = team.terminate_child if self._order.verb == "stop" else team.restart_child
        try:
            said = await change(name, path, by=user_name())
        except NotFound as error:
            raise NotFound(
                f"the supervisor of {row.name!r} does not know it: {error.message}",
                hint=error.hint,
            ) from None
        return said.removeprefix(f"{name}: ")


def _as_data(outcome: Outcome) -> dict[str, object]:
    return {
        "agent": outcome.name,
        "done": outcome.error is None,
        "said": outcome.said,
        "error": outcome.error.message if outcome.error else "",
    }


def _tell_one(order: Order, row: AgentRow, outcome: Outcome) -> None:
    if outcome.error is not None:
        raise outcome.error
    say(f"{outcome.name}: {outcome.said}")
    if row.supervisor_id and order.verb == "stop":
        hint(f"`mainstay agent restart {row.name}` starts it again")
    elif order.verb in _NEXT:
        hint(_NEXT[order.verb].format(name=outcome.name))


def _tell_many(order: Order, outcomes: Sequence[Outcome]) -> None:
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    for outcome in failed[:MAX_TOLD]:
        say(f"{outcome.name}: not {DONE[order.verb]}: {outcome.error}")
    if len(failed) > MAX_TOLD:
        say(f"and {len(failed) - MAX_TOLD:,} more")
    done = len(outcomes) - len(failed)
    print(f"{done:,} of {len(outcomes):,} agents {DONE[order.verb]}")
    if failed and failed[0].error is not None:
        tell_error(failed[0].error)
