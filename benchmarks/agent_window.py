"""What a summary of the older conversation saves, and whether anything is forgotten by it.

A task of 50 reports, each of about 2,000 tokens. Ten facts stand in the earliest reports and ten
are pinned; then all twenty are asked for. The model is :mod:`benchmarks.agent_recall`, which
answers from what it is sent and from nothing else, and every token it is sent counts, those of
the summaries too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from benchmarks import agent_recall
from benchmarks.agent_recall import write_fact, write_question
from benchmarks.bench import Bench
from benchmarks.report import Finding, finding
from benchmarks.rig import rig
from mainstay import Mainstay
from mainstay.agent_handle import AgentHandle
from mainstay.schemas.agent import AgentSpec, ContextPolicy, ContextSpec

GOAL_SHARE = 0.5
"""Prompt tokens of `summary`, of those of `full`."""

TURNS = 50
REPORT_CHARS = 8_000
CODES = {f"Depot{number}": 4_711 + 13 * number for number in range(20)}
PINNED = dict(list(CODES.items())[:10])
TOLD = dict(list(CODES.items())[10:])
ANSWER_TIMEOUT = timedelta(minutes=2)


@dataclass(frozen=True)
class Recalled:
    """How a task went: the prompt tokens of its turns, and the right answers afterwards."""

    prompt_tokens: int
    pinned: int
    told: int


async def measure(bench: Bench) -> list[Finding]:
    """Do the task under each policy; it is the same in a quick run."""
    async with rig() as made:
        went = {policy: await do_task(made.mainstay, policy) for policy in ContextPolicy}
    full, summary = went[ContextPolicy.FULL], went[ContextPolicy.SUMMARY]
    right = {str(policy): float(one.pinned + one.told) for policy, one in went.items()}
    tokens = {str(policy): float(one.prompt_tokens) for policy, one in went.items()}
    note = f"{TURNS} turns of about {REPORT_CHARS // 4:,} tokens, context as it comes"
    return [
        finding(
            "prompt tokens of `summary`, of those of `full`",
            summary.prompt_tokens / full.prompt_tokens,
            "",
            goal=GOAL_SHARE,
            peers=tokens,
            note=note,
        ),
        finding(
            "questions answered with `summary`, of 20",
            right.pop("summary"),
            "",
            goal=len(CODES),
            aim="at least",
            peers=right,
            note="10 about pinned facts, 10 about facts that were summed up",
        ),
    ]


async def do_task(mainstay: Mainstay, policy: ContextPolicy) -> Recalled:
    """Do the whole task with an agent of its own."""
    model = f"code:{agent_recall.__name__}:recall"
    spec = AgentSpec(name=f"recall-{policy}", model=model, context=ContextSpec(policy=policy))
    agent = await mainstay.spawn(spec)
    for depot, code in PINNED.items():
        await agent.pin(write_fact(depot, code))
    sent = [await agent.send(_report(number)) for number in range(TURNS)]
    await asyncio.gather(*(agent.wait(message, ANSWER_TIMEOUT) for message in sent))
    tokens = (await agent.info()).usage.input_tokens
    pinned, told = await _ask(agent, PINNED), await _ask(agent, TOLD)
    await agent.stop()
    return Recalled(tokens, pinned, told)


def _report(number: int) -> str:
    """Write a report; those of the first turns hold a fact each."""
    facts = list(TOLD.items())
    fact = write_fact(*facts[number]) if number < len(facts) else "No new codes."
    lines = f"Report {number}: nothing out of the ordinary on the road.\n" * 200
    half = REPORT_CHARS // 2
    return f"{lines[:half]}\n{fact}\n{lines[:half]}"


async def _ask(agent: AgentHandle, codes: dict[str, int]) -> int:
    right = 0
    for depot, code in codes.items():
        right += await agent.ask(write_question(depot), timeout=ANSWER_TIMEOUT) == str(code)
    return right
