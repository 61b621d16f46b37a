"""What a turn of a conversation leaves in history, after few turns and after many.

Beside it stands the same conversation run the usual way: a workflow that passes the whole
transcript to the activity that asks the model. Its history grows with the square of the
conversation until the server ends it, at 50 MB.
"""

from __future__ import annotations

from contextlib import suppress

from temporalio.client import Client, WorkflowFailureError

from benchmarks import agent_bare, agent_talks, agent_thoughts
from benchmarks.agent_talks import TalkSize
from benchmarks.bench import Bench
from benchmarks.report import Finding, finding
from benchmarks.rig import Rig, rig
from mainstay.schemas.agent import AgentSpec

GOAL_GROWTH = 1.10
"""A turn's bytes after the whole conversation, of those after its first 50 turns."""

EARLY = 50
CHARS = 400
"""Length of each message, and of each answer of the usual way."""


async def measure(bench: Bench) -> list[Finding]:
    """Have the conversation both ways."""
    turns = bench.size(1_000, 100)
    async with rig() as made, agent_bare.bare_agents(made.temporal) as plain:
        ours = await _ours(made, turns)
        usual = await _usual(plain, turns)
    early, late = ours.per_turn(0, EARLY), ours.per_turn(turns - EARLY, turns)
    ended = len(usual.totals)
    usual_late = usual.per_turn(ended - EARLY, ended)
    note = f"of {turns:,}, in {ours.runs} runs of at most {ours.longest:,} events"
    if ended < turns:
        fate = f"the usual way was ended by the server at turn {ended}"
    else:
        fate = f"the usual way: {usual_late / usual.per_turn(0, EARLY):.3g} times"
    return [
        finding(f"history of a turn, the first {EARLY}", early, "bytes", note=note),
        finding(
            f"history of a turn, the last {EARLY} of {turns:,}",
            late,
            "bytes",
            peers={f"whole transcript, turn {ended}": usual_late},
        ),
        finding(
            f"history of a turn, late against early, of {turns:,}",
            late / early,
            "times",
            goal=GOAL_GROWTH,
            note=fate,
        ),
        finding(
            f"history of {ended:,} turns",
            ours.totals[ended - 1] / 1e6,
            "MB",
            peers={"whole transcript": usual.totals[-1] / 1e6},
        ),
    ]


async def _ours(made: Rig, turns: int) -> TalkSize:
    model = f"code:{agent_thoughts.__name__}:repeat"
    agent = await made.mainstay.spawn(AgentSpec(name="talker", model=model))
    await agent_talks.talk(agent, turns, CHARS)
    await agent_talks.until_quiet(agent)
    return await agent_talks.size_of_talk(made.temporal, agent.id, agent_talks.THINK)


async def _usual(plain: Client, turns: int) -> TalkSize:
    request = agent_bare.TalkRequest(turns, CHARS)
    name = "the-usual-way"
    # Its history grows too large and the server ends it, which is what is shown here.
    with suppress(WorkflowFailureError):
        await plain.execute_workflow(agent_bare.TALK, request, id=name, task_queue=agent_bare.QUEUE)
    return await agent_talks.size_of_talk(plain, name, "bare-answer")
