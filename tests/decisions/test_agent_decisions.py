"""What an agent does next: getting ready, its mailbox, control, and its end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from agent_script import BROKE, CANCELLED, PASSING, WRONG, Script, header, limited

from mainstay.decisions.agents.agent import is_at_boundary
from mainstay.schemas.agent import OnFailure
from mainstay.schemas.agent_calls import AgentEventKind, Opened, Taken
from mainstay.schemas.agent_directives import (
    Began,
    End,
    Open,
    PauseAsked,
    Rang,
    RestartAsked,
    ResumeAsked,
    StopAsked,
    StopTurn,
    Take,
    Think,
    WasOpened,
    WasTaken,
)
from mainstay.schemas.agent_run import AgentPolicy
from mainstay.schemas.lifecycle import EndReason, LifeState, PauseReason
from mainstay.schemas.messages import MessageStatus
from mainstay.schemas.priority import Level


def test_agent_gets_ready_and_looks_into_its_mailbox():
    agent = Script()
    assert agent.tell(Began()).asked == [Open()]
    assert agent.tell(Began()).asked == []
    agent.tell(WasOpened(Opened(policy=AgentPolicy(batch=7))))
    assert agent.life is LifeState.RUNNING
    assert agent.take == Take(1, 7, ())


def test_agent_whose_run_was_lost_goes_on_counting_and_takes_again_what_that_one_had():
    agent = Script().tell(Began())
    agent.tell(WasOpened(Opened(policy=AgentPolicy(batch=7), batch=4)))
    assert agent.take == Take(5, 7, (), reclaims=True)
    agent.tell(WasTaken(Taken(batch=5))).tell(Rang())
    assert agent.take == Take(6, 7, ())


def test_agent_that_cannot_get_ready_is_an_error_and_begins_nothing():
    agent = Script().tell(Began()).tell(WasOpened(failure=WRONG))
    assert agent.life is LifeState.ERROR
    assert agent.state.life.detail == WRONG.message
    assert agent.tell(Rang()).asked == []
    assert agent.tell(Began()).asked == []


def test_agent_without_a_reason_for_not_getting_ready_says_so():
    agent = Script().tell(Began()).tell(WasOpened())
    assert agent.state.life.detail == "it could not be got ready"


def test_agent_for_one_message_ends_when_it_cannot_get_ready():
    agent = Script(once=True).tell(Began()).tell(WasOpened(failure=WRONG))
    assert agent.life is LifeState.TERMINATED
    assert agent.state.life.end_reason is EndReason.ERROR
    assert agent.of(End) == [End()]


def test_agent_that_gets_ready_too_late_is_an_error():
    agent = Script().tell(Began()).wait(seconds=30)
    assert agent.life is LifeState.ERROR
    agent.tell(WasOpened(Opened(policy=AgentPolicy())))
    assert agent.of(Open) == [Open(is_restart=True)]
    agent.tell(WasOpened(Opened(policy=AgentPolicy())))
    assert agent.life is LifeState.RUNNING


def test_agent_takes_nothing_before_its_bell_rings():
    agent = Script().start()
    assert agent.asked == []
    assert agent.tell(Rang()).take.batch == 2


def test_bell_that_rings_during_a_take_is_answered_afterwards():
    agent = Script().start().tell(Rang())
    assert agent.tell(Rang()).of(Take) == []
    agent.took()
    assert agent.take.batch == 3
    assert agent.took().of(Take) == []


def test_full_batch_means_that_there_may_be_more():
    agent = Script(AgentPolicy(batch=2)).start().given(header("a"), header("b"))
    assert agent.think.inputs[0].ref == "a"
    assert agent.take.size == 1
    assert agent.took().of(Take) == []


def test_most_urgent_message_comes_first_and_then_the_order_of_arrival():
    agent = Script().start()
    agent.given(header("a"), header("b"), header("c", Level.HIGH), header("d"))
    order = [agent.turn.message.id]
    while agent.state.queue:
        agent.says()
        order.append(agent.turn.message.id)
    assert order == ["c", "a", "b", "d"]


def test_message_that_is_known_already_is_not_worked_on_twice():
    agent = Script().start().given(header("a"), header("b"))
    agent.tell(Rang()).took(header("a"), header("b"), header("c"))
    assert [one.id for one in agent.state.queue] == ["b", "c"]
    agent.says()
    agent.state = agent.state.model_copy(update={"settled": agent.take.settled})
    agent.tell(WasTaken(Taken(batch=9, headers=(header("a"),))))
    assert "a" not in [one.id for one in agent.state.queue]


def test_answer_is_settled_with_the_next_take():
    agent = Script().start().given(header("a", reply="asker")).says(position=4)
    [settled] = agent.take.settled
    assert settled.message_id == "a"
    assert settled.status is MessageStatus.PROCESSED
    assert settled.position == 4
    assert settled.reply_workflow == "asker"
    assert agent.take.size == 0
    assert agent.state.settled == ()


def test_settlements_gather_while_a_take_is_under_way():
    agent = Script().start().given(header("a"), header("b"), header("c"))
    assert len(agent.says().take.settled) == 1
    assert agent.says().of(Take) == []
    assert agent.says().of(Take) == []
    assert len(agent.took().take.settled) == 2


def test_pause_lets_what_is_in_flight_finish_and_begins_nothing():
    agent = Script().start().given(header("a"), header("b")).tell(PauseAsked("lunch"))
    assert agent.life is LifeState.PAUSED
    assert agent.state.life.pause_reason is PauseReason.MANUAL
    assert agent.alarm == timedelta(hours=1)
    agent.calls("x")
    assert agent.acts == []
    agent.tell(Rang())
    assert agent.of(Take) == []
    assert agent.tell(ResumeAsked()).acts == ["x"]


def test_forgotten_pause_ends_by_itself():
    agent = Script(limited(turn_timeout="9h")).start().given(header("a")).tell(PauseAsked())
    agent.says().took()
    assert agent.state.turn is None
    agent.tell(Rang()).wait(hours=1)
    assert agent.life is LifeState.RUNNING
    assert agent.take.size > 0


def test_pause_and_resume_that_make_no_sense_change_nothing():
    agent = Script().start().tell(ResumeAsked())
    assert agent.state.life.count == 1
    agent.tell(StopAsked()).tell(PauseAsked())
    assert agent.life is LifeState.TERMINATED


def test_idle_agent_stops_at_once():
    agent = Script().start().tell(StopAsked("done"))
    assert agent.life is LifeState.TERMINATED
    assert agent.state.life.end_reason is EndReason.MANUAL
    assert agent.state.life.detail == "done"
    assert agent.of(End) == [End()]


def test_stop_lets_the_turn_finish_but_begins_no_other():
    agent = Script().start().given(header("a"), header("b")).tell(StopAsked())
    assert agent.life is LifeState.STOPPING
    assert agent.alarm == timedelta(seconds=60)
    agent.calls("x")
    assert agent.acts == ["x"]
    agent.acted("x").says()
    assert agent.life is LifeState.TERMINATED
    assert [one.message_id for one in agent.state.settled] == ["a"]
    assert [one.id for one in agent.state.queue] == ["b"]


def test_stop_that_hangs_is_forced_after_its_grace():
    agent = Script().start().given(header("a")).tell(StopAsked("now", timedelta(seconds=5)))
    assert agent.wait(seconds=5).life is LifeState.TERMINATED
    assert agent.state.life.end_reason is EndReason.TIMEOUT
    assert agent.of(StopTurn) == [StopTurn()]
    [settled] = agent.state.settled
    assert settled.status is MessageStatus.FAILED
    assert settled.failure is not None
    assert "did not stop in time" in settled.failure.message


def test_agent_in_error_can_be_stopped():
    agent = Script().tell(Began()).tell(WasOpened(failure=WRONG)).tell(StopAsked())
    assert agent.life is LifeState.TERMINATED


def test_agent_is_stopped_while_it_restarts_with_its_turn_failed():
    agent = Script().start().given(header("a")).tell(RestartAsked()).tell(StopAsked())
    assert agent.life is LifeState.TERMINATED
    assert agent.of(StopTurn) == [StopTurn()]
    [settled] = agent.state.settled
    assert settled.failure is not None
    assert settled.failure.message == "the agent was stopped"
    agent.tell(StopAsked())
    assert agent.life is LifeState.TERMINATED


def test_restart_stops_what_is_in_flight_and_goes_on_with_the_same_turn():
    agent = Script().start().given(header("a"))
    asked = agent.think
    agent.tell(RestartAsked("odd"))
    assert agent.of(StopTurn) == [StopTurn()]
    assert agent.life is LifeState.RESTARTING
    agent.fails(CANCELLED)
    assert agent.of(Open) == [Open(is_restart=True)]
    agent.tell(WasOpened(Opened(policy=AgentPolicy())))
    assert agent.think == asked
    assert agent.state.life.restarts == 1


def test_restart_of_an_idle_agent_gets_ready_at_once():
    agent = Script().start().tell(RestartAsked())
    assert agent.life is LifeState.INITIALIZING
    assert agent.of(Open) == [Open(is_restart=True)]


def test_restart_runs_stopped_tool_calls_again():
    agent = Script().start().given(header("a")).calls("x", "y").acted("x")
    agent.tell(RestartAsked()).act_fails("y", CANCELLED)
    agent.tell(WasOpened(Opened(policy=AgentPolicy())))
    assert agent.acts == ["y"]


def test_agent_in_error_can_be_restarted():
    agent = Script().tell(Began()).tell(WasOpened(failure=WRONG)).tell(RestartAsked())
    assert agent.of(Open) == [Open(is_restart=True)]


def test_restart_of_a_paused_agent_changes_nothing():
    agent = Script().start().tell(PauseAsked()).tell(RestartAsked())
    assert agent.life is LifeState.PAUSED


def test_restart_that_takes_too_long_is_an_error():
    agent = Script().start().given(header("a")).tell(RestartAsked()).wait(seconds=45)
    assert agent.life is LifeState.ERROR
    assert agent.fails(CANCELLED).of(Open) == [Open(is_restart=True)]


def test_agent_for_one_message_ends_after_it():
    agent = Script(once=True).start().given(header("a"), header("b")).says(position=3)
    assert agent.life is LifeState.TERMINATED
    assert agent.state.life.end_reason is EndReason.COMPLETED
    assert agent.state.result is not None
    assert agent.state.result.position == 3


def test_agent_for_one_message_ends_after_it_failed():
    policy = AgentPolicy(on_failure=OnFailure.PAUSE)
    agent = Script(policy, once=True).start().given(header("a")).fails(WRONG)
    assert agent.life is LifeState.TERMINATED
    assert agent.state.result is not None
    assert agent.state.result.failure == WRONG


@pytest.mark.parametrize(
    ("policy", "life"),
    [
        (OnFailure.REPORT, LifeState.RUNNING),
        (OnFailure.PAUSE, LifeState.PAUSED),
        (OnFailure.STOP, LifeState.TERMINATED),
    ],
)
def test_policy_says_what_follows_a_failed_turn(policy, life):
    agent = Script(AgentPolicy(on_failure=policy)).start().given(header("a")).fails(WRONG)
    assert agent.life is life
    assert agent.state.counts.failed == 1
    if life is LifeState.TERMINATED:
        assert agent.state.life.end_reason is EndReason.ERROR


def test_nothing_new_begins_while_the_run_is_about_to_continue_as_new():
    agent = Script().start().tell(Rang())
    agent.tell(WasTaken(Taken(batch=2, headers=(header("a"),))), hold=True)
    assert agent.of(Think) == []
    assert is_at_boundary(agent.state)
    agent.tell(Rang(), hold=True)
    assert agent.of(Take) == []
    assert agent.tell(Began()).of(Think) != []
    assert not is_at_boundary(agent.state)


def test_budget_that_is_used_up_pauses_with_the_turn_as_it_is():
    agent = Script().start().given(header("a")).fails(BROKE)
    assert agent.life is LifeState.PAUSED
    assert agent.state.life.pause_reason is PauseReason.RESOURCE_CONSTRAINT
    assert AgentEventKind.BUDGET_REACHED in agent.notes
    assert agent.turn.waits_for == BROKE.message
    agent.tell(ResumeAsked("budget"))
    assert agent.think.attempt == 1


def test_budget_that_is_used_up_during_a_stop_fails_the_turn():
    agent = Script().start().given(header("a")).tell(StopAsked()).fails(BROKE)
    assert agent.life is LifeState.TERMINATED
    assert agent.state.settled[0].failure == BROKE


def test_passing_failures_do_not_count_against_the_life():
    agent = Script().start().given(header("a")).fails(PASSING)
    assert agent.life is LifeState.RUNNING
    assert agent.alarm == timedelta(seconds=1)


def test_mailbox_that_cannot_be_reached_is_an_error_and_nothing_is_lost():
    agent = Script().start().given(header("a")).says()
    unsettled = agent.take.settled
    agent.tell(WasTaken(Taken(batch=3), WRONG, unsettled))
    assert agent.life is LifeState.ERROR
    assert agent.state.settled == unsettled
    agent.tell(RestartAsked()).tell(WasOpened(Opened(policy=AgentPolicy())))
    assert agent.take.settled == unsettled


def test_mailbox_that_fails_while_the_agent_restarts_leaves_the_restart_alone():
    agent = Script().start().tell(Rang()).tell(StopAsked())
    agent.tell(WasTaken(Taken(batch=2), WRONG))
    assert agent.life is LifeState.TERMINATED


def test_idle_agent_waits_for_no_moment():
    assert Script().start().alarm is None
