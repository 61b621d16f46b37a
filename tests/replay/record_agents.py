"""The recorded agents: one scenario for each thing that an agent can go through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mainstay.agent_handle import AgentHandle
from mainstay.client import Mainstay
from mainstay.schemas import names
from mainstay.schemas.agent import AgentSpec, BudgetSpec, OnFailure
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.agent_run import AgentOptions, AgentRequest, Supervised
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.ids import account_of, agent_id_from
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ShutDown
from mainstay.workflows.agent import Agent

MODEL = "code:record_models:think"
ECHO = 'record_tools.echo {"value": "hello"}'
AGENT_SCENARIOS: dict[str, Callable[[AgentStage], Awaitable[None]]] = {}


@dataclass
class AgentStage:
    """Where one scenario plays; its agents are in a team of its name."""

    mainstay: Mainstay
    name: str
    ids: list[str] = field(default_factory=list)

    async def spawn(
        self, name: str = "one", options: AgentOptions | None = None, **spec: Any
    ) -> AgentHandle:
        made = AgentSpec.model_validate(
            {"name": name, "model": MODEL, "tools": ["record_tools.*", "ask_human"], **spec}
        )
        agent = await self.mainstay.spawn(made, team=self.name, options=options)
        self.ids.append(agent.id)
        return agent

    async def ask(self, agent: AgentHandle, *steps: str) -> None:
        try:
            await agent.ask("; ".join(steps), timeout=timedelta(seconds=20))
        except MainstayError:
            return


def scenario(
    play: Callable[[AgentStage], Awaitable[None]],
) -> Callable[[AgentStage], Awaitable[None]]:
    AGENT_SCENARIOS[f"agent_{play.__name__}"] = play
    return play


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    give_up = time.monotonic() + 20
    while not await condition():
        assert time.monotonic() < give_up, "waited in vain"
        await asyncio.sleep(0.02)


async def until_asked(agent: AgentHandle) -> None:
    async def asks() -> bool:
        return bool((await agent.info()).questions)

    await until(asks)


async def until_state(agent: AgentHandle, state: LifeState) -> None:
    async def is_there() -> bool:
        return (await agent.info()).state is state

    await until(is_there)


@scenario
async def turns(stage: AgentStage) -> None:
    agent = await stage.spawn(limits={"parallel_tools": 1})
    await stage.ask(agent, "say hello")
    await stage.ask(agent, f"{ECHO} & {ECHO}", ECHO, "say done")
    await stage.ask(agent, "no.such {}", "say sorry")
    await agent.stop()


@scenario
async def failures(stage: AgentStage) -> None:
    limits = {"model_attempts": 2, "model_calls": 3, "tool_calls": 2, "invalid_calls": 1}
    agent = await stage.spawn(limits=limits, output={"type": "object"})
    await stage.ask(agent, "fail")
    await stage.ask(agent, "refuse")
    await stage.ask(agent, "say no json", "say {}")
    await stage.ask(agent, "say no json")
    await stage.ask(agent, ECHO, ECHO, ECHO)
    await stage.ask(agent, 'record_tools.fail {"message": "no"}', "say {}")
    await agent.stop()


@scenario
async def questions(stage: AgentStage) -> None:
    agent = await stage.spawn()
    message = await agent.send('ask_human {"question": "may I?"}; say thanks')
    await until_asked(agent)
    await agent.answer("you may", by="ann")
    await agent.wait(message)
    await agent.stop()


@scenario
async def control(stage: AgentStage) -> None:
    agent = await stage.spawn(limits={"stop": "1s"})
    await agent.pause("lunch")
    message = await agent.send("say hello")
    await agent.resume()
    await agent.wait(message)
    message = await agent.send("record_tools.wait {}; say done")

    async def is_busy() -> bool:
        return "wait" in (await agent.info()).activity

    await until(is_busy)
    await agent.restart("odd")
    await until(is_busy)
    await agent.stop("enough", timedelta(milliseconds=200))
    await until_state(agent, LifeState.TERMINATED)


@scenario
async def budget(stage: AgentStage) -> None:
    agent = await stage.spawn(budget={"tokens": 150, "tool_calls": 1})
    message = await agent.send(f"{ECHO}; {ECHO}; say done")
    await until_state(agent, LifeState.PAUSED)
    await agent.raise_budget(BudgetSpec(tokens=100_000, tool_calls=10))
    await agent.resume()
    await agent.wait(message)
    await agent.stop()


@scenario
async def asks_another(stage: AgentStage) -> None:
    two = await stage.spawn("two")
    one = await stage.spawn(agents=["two", "nobody"])
    await stage.ask(one, 'ask_agent_two {"prompt": "say yes"}', "say it said yes")
    await stage.ask(one, 'ask_agent_nobody {"prompt": "say yes"}', "say nobody is there")
    await one.stop()
    await two.stop()


@scenario
async def continues_as_new(stage: AgentStage) -> None:
    agent = await stage.spawn(options=AgentOptions(rollover_turns=2), mailbox={"batch": 2})
    messages = [await agent.send("say hello") for _ in range(5)]
    for message in messages:
        await agent.wait(message)
    await agent.stop()


@scenario
async def summaries(stage: AgentStage) -> None:
    context = {"policy": "summary", "tokens": 200, "turns": 2}
    agent = await stage.spawn(context=context)
    for _ in range(4):
        await stage.ask(agent, ECHO, "say " + "many words " * 20)
    await agent.stop()


@scenario
async def policies(stage: AgentStage) -> None:
    pausing = await stage.spawn("pausing", on_failure="pause")
    await stage.ask(pausing, "refuse")
    await until_state(pausing, LifeState.PAUSED)
    await pausing.stop()
    stopping = await stage.spawn("stopping", on_failure="stop")
    await stage.ask(stopping, "refuse")
    await until_state(stopping, LifeState.TERMINATED)


@scenario
async def cancelled_from_outside(stage: AgentStage) -> None:
    agent = await stage.spawn()
    await stage.ask(agent, "say hello")
    await stage.mainstay.temporal.get_workflow_handle(agent.id).cancel()
    await until_state(agent, LifeState.TERMINATED)


@scenario
async def supervised(stage: AgentStage) -> None:
    agent_id, row_id = agent_id_from("recorded"), agent_id_from("recorded row")
    supervisor, temporal = f"supervisor/{stage.name}", stage.mainstay.temporal
    # Nobody serves this supervisor: what it is told stays in its history.
    await temporal.start_workflow(names.SUPERVISOR, id=supervisor, task_queue="nobody")
    now = datetime.now(UTC)
    role, running = "supervisor", LifeState.RUNNING
    row = AgentRow(agent_id=row_id, role=role, state=running, created_at=now, updated_at=now)
    await stage.mainstay.store.create_agent(row)
    spec = AgentSpec(name="one", model=MODEL, tools=["record_tools.*"])
    await stage.mainstay.store.put_document("spec", spec.model_dump_json().encode())

    async def start(incarnation: int) -> AgentHandle:
        request = AgentRequest(
            agent_id=agent_id,
            name=f"{stage.name}/one",
            spec_ref="spec",
            thread=f"thread/{agent_id}",
            accounts=(account_of(agent_id),),
            supervised=Supervised(
                supervisor_id=supervisor,
                row_id=row_id,
                name="one",
                incarnation=incarnation,
                on_failure=OnFailure.FAIL,
            ),
        )
        queue = stage.mainstay.settings.task_queue
        await temporal.start_workflow(Agent.run, request, id=agent_id, task_queue=queue)
        agent = stage.mainstay.agent_handle(agent_id)
        await until_state(agent, LifeState.RUNNING)
        return agent

    stage.ids.append(agent_id)
    agent = await start(1)
    await agent.send("fail")
    await agent.result()
    agent = await start(2)
    await agent.send("record_tools.wait {}; say done")

    async def is_busy() -> bool:
        return "wait" in (await agent.info()).activity

    await until(is_busy)
    told = ShutDown(reason="a sibling failed", grace=timedelta(milliseconds=200), keeps=True)
    await temporal.get_workflow_handle(agent_id).signal(names.SHUT_DOWN, told)
    await agent.result()
