"""Supervisors that are terminated from outside, or lose their worker, in the middle of something.

The middle is that of a start-up, of a restart of all children, and of a shutdown. Each time it
goes on, and ends as it would have; a supervisor that was terminated, as after any failed child.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fault_rig import POLL_SECONDS, Ledger, Rig, running_rig, until
from team_crew import POISON, played
from team_shift import see_nothing_open

from mainstay.agent_handle import AgentHandle
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.ids import supervisor_id, team_agent_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MESSAGE_ENDS, Message, MessageStatus
from mainstay.schemas.supervision import ChildPhase, SupervisorEnd, SupervisorView
from mainstay.team_handle import TeamHandle

RUN = "0123abcd"
FEW, MANY = 8, 30
"""Agents of a line, and of one that is to be caught in the middle of its start."""

THIRD, BUSY, FAILING, LAST = "hand-3", "hand-2", "hand-4", f"hand-{FEW}"
SECONDS = 40.0


@dataclass
class Line:
    """A team of a root and one supervisor, ``line``, of agents that depend on each other."""

    rig: Rig
    name: str
    team: TeamHandle
    ledger: Ledger
    gate: Path
    agents: list[str]
    sent: list[str] = field(default_factory=list)
    ending: asyncio.Task[object] | None = None

    @classmethod
    async def start(cls, rig: Rig, name: str, count: int = FEW, *, wait: bool = True) -> Line:
        """Bring it up, or begin to."""
        ledger, gate = Ledger(rig.folder / f"{name}.db"), rig.folder / f"{name}.gate"
        waits = {"ledger": str(ledger.path), "name": "${{ user }}", "gate": str(gate)}
        turns = [
            {"when": {"matches": f"^{POISON}$"}, "error": {"attempts": 1000}},
            {"when": {"matches": "^wait$"}, "tools": [{"ledger.wait": waits}]},
            {"say": "done"},
        ]
        agents = [f"hand-{n + 1}" for n in range(count)]
        planned = [{"name": agent, "agent": "hand"} for agent in agents]
        line = {"strategy": "one_for_all", "children": planned}
        children = [{"name": "line", "supervisor": line}]
        tools = ["ledger.wait"]
        spec = played(name, rig.folder, turns, children, tools=tools, on_failure="fail")
        team = await rig.mainstay.team_up(spec, run=RUN, wait=wait)
        return cls(rig, name, team, ledger, gate, agents)

    def agent(self, name: str) -> AgentHandle:
        """Return an agent."""
        return self.rig.mainstay.agent_handle(team_agent_id(self.name, RUN, name))

    async def phases(self) -> dict[str, ChildPhase]:
        """Ask the line where its agents stand: its records are a moment behind."""
        return {child.name: child.phase for child in await self.team.which_children("line")}

    async def keep_busy(self) -> None:
        """Give an agent work that lasts until the gate is opened."""
        self.sent.append(await self.agent(BUSY).send("wait"))
        await until(lambda: bool(self.ledger.calls()), "the busy agent's work")

    async def terminate(self, path: str) -> None:
        """Terminate a supervisor as an operator would."""
        workflow = self.rig.mainstay.temporal.get_workflow_handle(supervisor_id(self.name, path))
        await workflow.terminate("by an operator")

    async def until_whole(self) -> tuple[SupervisorView, SupervisorView]:
        """Wait until everybody runs; returns the root and the line."""

        async def is_whole() -> bool:
            views = [await self.team.view(), await self.team.view("line")]
            lives = {view.life for view in views}
            phases = {child.phase for view in views for child in view.children}
            return lives == {LifeState.RUNNING} and phases == {ChildPhase.RUNNING}

        await wait_for(is_whole, f"{self.name} is whole")
        root, line = await self.team.view(), await self.team.view("line")
        assert [child.name for child in line.children] == self.agents
        return root, line

    async def messages(self) -> list[Message]:
        """Return what was sent, when it has come to its end."""

        async def have_ended() -> bool:
            found = [await self.rig.mainstay.store.get_message(one) for one in self.sent]
            return all(message.status in MESSAGE_ENDS for message in found)

        await wait_for(have_ended, "ends of messages")
        return [await self.rig.mainstay.store.get_message(one) for one in self.sent]

    async def judge_restart(self) -> None:
        """See that the work went on where it was, and what failed stayed aside."""
        waited, poisoned = await self.messages()
        assert waited.status is MessageStatus.PROCESSED, waited
        assert poisoned.status is MessageStatus.FAILED, poisoned
        assert self.ledger.effects() == ["wait"]

    async def see_gone(self) -> None:
        """See that the whole team is on record as ended, and no message waits for ever."""
        sight = await self.team.sight()
        assert {row.state for row in sight.agents} <= {LifeState.TERMINATED}
        assert {view.life for view in sight.supervisors} == {LifeState.TERMINATED}
        await self.messages()


Begin = Callable[[Rig, str], Awaitable[Line]]


async def wait_for(is_so: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until something is so."""
    try:
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    if await is_so():
                        return
                except MainstayError:  # nobody answers just now
                    pass
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"not within {SECONDS} s: {what}") from None


async def starting(rig: Rig, name: str) -> Line:
    """Bring a line up, as far as its third agent."""
    line = await Line.start(rig, name, MANY, wait=False)

    async def is_at_third() -> bool:
        return (await line.phases()).get(THIRD) is ChildPhase.RUNNING

    await wait_for(is_at_third, "three agents")
    assert (await line.phases())[line.agents[-1]] is ChildPhase.WAITING
    return line


async def restarting(rig: Rig, name: str) -> Line:
    """Have a line restart all of its agents, as far as the one that is busy."""
    line = await Line.start(rig, name)
    await line.keep_busy()
    line.sent.append(await line.agent(FAILING).send(POISON))

    async def is_at_busy() -> bool:
        return (await line.phases()).get(BUSY) is ChildPhase.STOPPING

    await wait_for(is_at_busy, "the busy agent is told to stop")
    assert (await line.phases())[LAST] is ChildPhase.WAITING
    return line


async def stopping(rig: Rig, name: str) -> Line:
    """Take a line down, as far as the agent that is busy."""
    line = await Line.start(rig, name)
    await line.keep_busy()
    line.ending = asyncio.create_task(line.team.down())

    async def is_at_busy() -> bool:
        return (await line.phases()).get(BUSY) is ChildPhase.STOPPING

    await wait_for(is_at_busy, "the busy agent is told to stop")
    return line


async def test_worker_killed_in_the_middle_changes_nothing(tmp_path):
    async with running_rig(tmp_path) as rig:
        restart, stop = await asyncio.gather(restarting(rig, "restart"), stopping(rig, "stop"))
        start = await starting(rig, "start")
        rig.workers[-1].kill()
        rig.start_worker()
        for line in (restart, stop):
            line.gate.touch()
        for view in await start.until_whole():
            assert view.restarts == 0
        root, line = await restart.until_whole()
        assert (root.restarts, line.restarts) == (0, 1)
        assert [child.restarts for child in line.children] == [1] * FEW
        await restart.judge_restart()
        assert stop.ending is not None
        result = await stop.ending
        assert result.end is SupervisorEnd.STOPPED
        await stop.see_gone()
        await asyncio.gather(start.team.down(), restart.team.down())
        await see_nothing_open(rig)


@pytest.mark.parametrize("path", ["line", ""])
async def test_supervisor_terminated_in_the_middle_leaves_no_half_of_a_team(tmp_path, path):
    async with running_rig(tmp_path) as rig:
        restart, stop = await asyncio.gather(restarting(rig, "restart"), stopping(rig, "stop"))
        start = await starting(rig, "start")
        lines = [start, restart, stop]
        for line in lines:
            await line.terminate(path)
            line.gate.touch()
        await (judge_line_lost(*lines) if path else judge_root_lost(*lines))
        await see_nothing_open(rig)
        for line in lines:
            await line.see_gone()


async def judge_line_lost(start: Line, restart: Line, stop: Line) -> None:
    """A supervisor that did not start fails its parent's start; one that ran is restarted."""
    result = await start.team.wait_end()
    assert result.end is SupervisorEnd.FAILED
    assert "'line' did not start" in result.reason
    root, line = await restart.until_whole()
    assert (root.restarts, line.restarts) == (1, 0)
    await restart.judge_restart()
    assert stop.ending is not None
    await stop.ending
    await restart.team.down()


async def judge_root_lost(start: Line, restart: Line, stop: Line) -> None:
    """A root that is taken up starts what it finds anew, or ends it when it was to end."""
    assert stop.ending is not None
    with pytest.raises(MainstayError):
        await stop.ending
    await stop.team.down()
    for line in (start, restart):
        await line.team.take_up()
        await line.until_whole()
    await restart.judge_restart()
    await asyncio.gather(start.team.down(), restart.team.down())
