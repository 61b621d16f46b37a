"""Whatever happens to an agent, each message is worked on once, and settled once."""

from __future__ import annotations

from random import Random

import pytest
from agent_script import limited
from agent_world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.schemas.agent_directives import ResumeAsked
from mainstay.schemas.lifecycle import LifeState


def live(seed: int, steps: int) -> World:
    """Let anything happen for a while, then nothing but good, until all is quiet."""
    world = World(Random(seed), limited(parallel_tools=2, turn_timeout="10m", invalid_calls=1))
    for _ in range(steps):
        happens = world.random.random()
        if happens < 0.15:
            world.send()
        elif happens < 0.25:
            world.disturb()
        elif happens < 0.3:
            world.answer()
        elif happens < 0.4:
            world.wait(world.random.choice([0.5, 5, 60]))
        else:
            world.end_one()
    for _ in range(100 * (len(world.sent) + 5)):
        if not world.flying and len(world.settled) == len(world.sent):
            break
        if world.script.life is LifeState.PAUSED:
            world.tell(ResumeAsked())
        world.answer()
        world.end_one(well=True)
        if not world.flying:
            world.wait(60)
    return world


def judge(world: World) -> None:
    sent = [message.id for message in world.sent]
    assert sorted(one.message_id for one in world.settled) == sorted(sent)
    assert sorted(world.begun) == sorted(sent)
    assert world.script.state.turn is None
    assert world.script.state.counts.messages == len(sent)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 120))
def test_each_message_is_worked_on_and_settled_exactly_once(seed, steps):
    judge(live(seed, steps))


@pytest.mark.deep
@settings(max_examples=10_000, deadline=None)
@given(st.integers(0, 2**64), st.integers(0, 300))
def test_the_same_ten_thousand_times(seed, steps):
    judge(live(seed, steps))
