"""Whatever happens to an agent, each message is worked on once, and settled once."""

from __future__ import annotations

from random import Random

import pytest
from agent_script import limited
from agent_world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.schemas.agent import OnFailure
from mainstay.schemas.agent_directives import ResumeAsked
from mainstay.schemas.agent_run import Supervised
from mainstay.schemas.lifecycle import LifeState

SUPERVISED = Supervised(supervisor_id="supervisor/team", row_id="row", name="a")


def live(seed: int, steps: int, supervised: Supervised | None = None) -> World:
    """Let anything happen for a while, then nothing but good, until all is quiet.

    A supervised agent is also killed, told to leave, and fails with some of its messages.
    """
    policy = limited(parallel_tools=2, turn_timeout="10m", invalid_calls=1)
    world = World(Random(seed), policy, supervised)
    for _ in range(steps):
        happens = world.random.random()
        if supervised is not None and world.random.random() < 0.1:
            world.random.choice([world.begin_run, world.shut_down])()
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


def judge_runs(world: World) -> None:
    """A message may be begun in several runs, but comes to one end."""
    sent = [message.id for message in world.sent]
    assert sorted(one.message_id for one in world.settled) == sorted(sent)
    assert set(world.begun) == set(sent)
    assert not world.mailbox
    assert not world.delivered


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 120), st.sampled_from(OnFailure))
def test_each_message_comes_to_one_end_however_many_runs_it_takes(seed, steps, policy):
    if policy is OnFailure.STOP:
        policy = None  # it would end the agent for good
    judge_runs(live(seed, steps, SUPERVISED.model_copy(update={"on_failure": policy})))


@pytest.mark.deep
@settings(max_examples=10_000, deadline=None)
@given(st.integers(0, 2**64), st.integers(0, 300), st.booleans())
def test_the_same_with_ten_thousand_supervised_agents(seed, steps, fails):
    policy = OnFailure.FAIL if fails else None
    judge_runs(live(seed, steps, SUPERVISED.model_copy(update={"on_failure": policy})))


@pytest.mark.deep
@settings(max_examples=10_000, deadline=None)
@given(st.integers(0, 2**64), st.integers(0, 300))
def test_the_same_ten_thousand_times(seed, steps):
    judge(live(seed, steps))
