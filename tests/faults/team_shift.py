"""One shift of a large team: bring it up, tell it its jobs, judge what it left, take it down."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from fault_rig import Ledger, Rig, until
from team_crew import POISON, Pod, Size, crew, expected_effects, jobs_of, pods_of

from mainstay.schemas import names
from mainstay.schemas.agent_calls import AgentEventKind
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.ids import team_agent_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MESSAGE_ENDS, Message, MessageStatus
from mainstay.schemas.supervision import ChildPhase, SupervisorEnd, SupervisorView
from mainstay.schemas.supervision_calls import SupervisionEventType
from mainstay.team_handle import TeamHandle

ASK_SECONDS = 0.1
SENDERS = 8
"""How many people tell agents their jobs at once."""

MAX_EVENTS = 100_000


@dataclass
class TeamShift:
    """A team at work."""

    rig: Rig
    team: TeamHandle
    run: str
    size: Size
    ledger: Ledger
    pods: list[Pod]
    people: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    async def start(cls, rig: Rig, name: str, size: Size, seconds: float = 0.04) -> TeamShift:
        """Begin to bring the team up, and to tell its agents their jobs."""
        folder = rig.folder / name
        folder.mkdir()
        ledger = Ledger(folder / "ledger.db")
        run = uuid.uuid4().hex[:8]
        spec = crew(name, folder, ledger.path, size, seconds)
        team = await rig.mainstay.team_up(spec, run=run, wait=False)
        shift = cls(rig, team, run, size, ledger, pods_of(size))
        told = [(pod, agent) for pod in shift.pods for agent in pod.agents]
        shift.people = [asyncio.create_task(shift._tell(told[n::SENDERS])) for n in range(SENDERS)]
        return shift

    async def _tell(self, told: list[tuple[Pod, str]]) -> None:
        """Send agents their jobs, each again and again until it is accepted."""
        for pod, agent in told:
            handle = self.rig.mainstay.agent_handle(self.agent_id(agent))
            for text in jobs_of(pod, agent):
                while True:
                    # There is no such agent until it is started; or something is dead.
                    with suppress(MainstayError, TimeoutError):
                        async with asyncio.timeout(5):
                            await handle.send(text, message_id=self.message_id(text))
                            break
                    await asyncio.sleep(ASK_SECONDS)

    def agent_id(self, name: str) -> str:
        """Return an agent's id."""
        return team_agent_id(self.team.name, self.run, name)

    def message_id(self, text: str) -> str:
        """Name a message of this shift: the same name, sent again, is the same message."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.run}/{text}"))

    @property
    def jobs(self) -> list[str]:
        """Every job of every agent."""
        return [job for pod in self.pods for agent in pod.agents for job in jobs_of(pod, agent)]

    async def reach(self, effects: int) -> None:
        """Wait until so many effects have happened."""
        seconds = 60 + self.size.total
        await until(lambda: len(self.ledger.effects()) >= effects, f"{effects} effects", seconds)

    async def end(self) -> None:
        """Wait until every job has come to its end, and everyone runs who should."""
        try:
            async with asyncio.timeout(60 + 2 * self.size.total):
                await asyncio.gather(*self.people)
                await self._until(self._is_answered)
                await self._until(self._is_quiet)
        except TimeoutError:
            raise AssertionError(await self.describe()) from None
        finally:
            for task in self.people:
                task.cancel()

    async def _until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        while True:
            with suppress(MainstayError):
                if await is_so():
                    return
            await asyncio.sleep(ASK_SECONDS)

    async def messages(self) -> dict[str, Message]:
        """Return the messages that were accepted, by their texts."""
        found = {}
        for text in self.jobs:
            with suppress(MainstayError):
                found[text] = await self.rig.mainstay.store.get_message(self.message_id(text))
        return found

    async def _is_answered(self) -> bool:
        found = await self.messages()
        return len(found) == len(self.jobs) and all(
            message.status in MESSAGE_ENDS for message in found.values()
        )

    async def _is_quiet(self) -> bool:
        views = await self.views()
        everyone = [child for view in views.values() for child in view.children]
        restarts = sum(view.restarts for view in views.values())
        return (
            len(views) == 1 + self.size.sections + len(self.pods)
            and all(view.life is LifeState.RUNNING for view in views.values())
            and all(child.phase is ChildPhase.RUNNING for child in everyone)
            and restarts >= sum(1 for pod in self.pods if pod.poisoned)
        )

    async def views(self) -> dict[str, SupervisorView]:
        """Return the supervisors as they are on record, by path."""
        return {view.path: view for view in (await self.team.sight()).supervisors}

    async def judge(self) -> None:
        """See that everything happened once, and that only failures of agents were counted.

        Raises:
            AssertionError: something is missing, doubled, or was counted that should not be.
        """
        found = await self.messages()
        for text, message in found.items():
            if text.endswith(POISON):
                assert message.status is MessageStatus.FAILED, message
                assert "poisoned on purpose" in message.answer
            else:
                assert message.status is MessageStatus.PROCESSED, message
                assert message.answer == f"done: {text}"
        assert self.ledger.effects() == sorted(expected_effects(self.size))
        await self._judge_supervisors()
        await self._judge_agents()

    async def _judge_supervisors(self) -> None:
        views = await self.views()
        sections = list(dict.fromkeys(pod.section for pod in self.pods))
        assert [child.name for child in views[""].children] == sections
        for section in sections:
            below = [pod.name for pod in self.pods if pod.section == section]
            assert [child.name for child in views[section].children] == below
        for path in ("", *sections):
            assert views[path].restarts == 0
            assert all(child.restarts == 0 for child in views[path].children)
        for pod in self.pods:
            seen = views[pod.path]
            assert [child.name for child in seen.children] == pod.agents
            assert seen.restarts == bool(pod.poisoned), seen
            restarted = [child.name for child in seen.children if child.restarts == 1]
            assert restarted == [name for name in pod.agents if name in pod.restarted], seen
            assert all(child.restarts <= 1 for child in seen.children)

    async def _judge_agents(self) -> None:
        """See that each was started as often as it should have been, and answered each job once."""
        runs = await self.runs()
        spawned, again = await self._started(), await self._started(again=True)
        for pod in self.pods:
            for agent in pod.agents:
                agent_id, times = self.agent_id(agent), 2 if agent in pod.restarted else 1
                assert runs[agent_id] == list(range(1, times + 1)), (agent, runs[agent_id])
                assert spawned[agent] == 1, agent
                assert again[agent] == times - 1, agent
                settled = [
                    event.message_id
                    for event in await self.rig.mainstay.store.agent_events_after(
                        agent_id, 0, MAX_EVENTS
                    )
                    if event.kind is AgentEventKind.MESSAGE_SETTLED
                ]
                jobs = [self.message_id(job) for job in jobs_of(pod, agent)]
                assert sorted(settled) == sorted(jobs), agent

    async def runs(self) -> dict[str, list[int]]:
        """Return the incarnations that each agent has had, by its id: one for each run."""
        found: dict[str, list[int]] = {
            self.agent_id(a): [] for pod in self.pods for a in pod.agents
        }
        query = f"WorkflowType = '{names.AGENT}'"
        async for run in self.rig.mainstay.temporal.list_workflows(query):
            if run.id in found:
                found[run.id].append((await run.memo())["incarnation"])
        return {agent_id: sorted(numbers) for agent_id, numbers in found.items()}

    async def _started(self, again: bool = False) -> Counter[str]:
        events = await self.team.events(limit=MAX_EVENTS)
        kind = SupervisionEventType.AGENT_RESTARTED if again else SupervisionEventType.AGENT_SPAWNED
        return Counter(event.child for event in events if event.type is kind)

    async def down(self) -> None:
        """Take the team down; nothing of it may be left."""
        result = await self.team.down("the shift is over")
        assert result.end is SupervisorEnd.STOPPED
        await see_nothing_open(self.rig)
        sight = await self.team.sight()
        assert {row.state for row in sight.agents} == {LifeState.TERMINATED}
        assert {view.life for view in sight.supervisors} == {LifeState.TERMINATED}

    async def describe(self) -> str:
        """Say where the shift stands, for a test that fails."""
        found = await self.messages()
        missing = sorted(set(self.jobs) - set(found))
        lines = [f"not accepted: {missing}"] if missing else []
        lines += [
            f"{text}: {message.status}"
            for text, message in found.items()
            if message.status not in MESSAGE_ENDS
        ]
        with suppress(MainstayError):
            for view in (await self.views()).values():
                odd = [child for child in view.children if child.phase is not ChildPhase.RUNNING]
                lines.append(f"{view.path or '@'}: {view.life} {view.restarts} {odd}")
        lines += [repr(task) for task in self.people if task.done() and task.exception()]
        lines += [f"worker {worker.pid}: {worker.said()[-3000:]}" for worker in self.rig.workers]
        return "\n".join(lines)


async def open_workflows(rig: Rig) -> list[str]:
    """Return the ids of all workflows that are open."""
    query = "ExecutionStatus = 'Running'"
    return [run.id async for run in rig.mainstay.temporal.list_workflows(query)]


async def see_nothing_open(rig: Rig, seconds: float = 10) -> None:
    """See that no workflow is open; the server's list of them is a moment behind."""
    left = ["?"]
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while left := await open_workflows(rig):
                await asyncio.sleep(ASK_SECONDS)
    assert left == []
