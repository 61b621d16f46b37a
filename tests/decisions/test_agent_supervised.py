"""What changes for an agent that has a supervisor: how its run ends, and how the next begins."""

from __future__ import annotations

from datetime import timedelta

import pytest
from agent_script import BROKE, CANCELLED, PASSING, WRONG, Script, header, limited

from mainstay.decisions.agents.agent import is_at_boundary
from mainstay.decisions.agents.leaving import LANDING, exit_of, has_ended
from mainstay.decisions.supervision.failures import is_cured_by_restart
from mainstay.schemas.agent import OnFailure
from mainstay.schemas.agent_calls import Taken
from mainstay.schemas.agent_directives import (
    Began,
    End,
    Note,
    Open,
    PauseAsked,
    Rang,
    RestartAsked,
    ResumeAsked,
    ShutDownAsked,
    StopAsked,
    StopTurn,
    Take,
    TellReady,
    Think,
    WasOpened,
    WasTaken,
)
from mainstay.schemas.agent_run import AgentPolicy, Supervised
from mainstay.schemas.lifecycle import EndReason, LifeState, PauseReason
from mainstay.schemas.messages import MessageStatus
from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.supervision import ExitKind
from mainstay.schemas.team import ErrorAction, ErrorPolicy

SUPERVISED = Supervised(supervisor_id="supervisor/team", row_id="row", name="a")
GRACE = timedelta(seconds=5)
KEEP = ShutDownAsked("a sibling failed", GRACE, keeps=True)
CLOSE = ShutDownAsked("the team ends", GRACE)
REFUSED = Failure(kind=FailureKind.REFUSED, type="Refused", message="no")
CRASH = Failure(kind=FailureKind.PERMANENT, type="AgentFailed", message="it broke")


def supervised(policy: AgentPolicy | None = None, **fields: object) -> Script:
    """A supervised agent that runs and is idle."""
    return Script(policy, supervised=SUPERVISED.model_copy(update=fields)).start()


def working(policy: AgentPolicy | None = None, **fields: object) -> Script:
    """One that asks the model about message ``a``, while ``b`` waits."""
    return supervised(policy, **fields).given(header("a", reply="asker"), header("b"))


def settled(agent: Script) -> dict[str, MessageStatus]:
    return {one.message_id: one.status for one in agent.state.settled}


def end(agent: Script) -> tuple[LifeState, ExitKind]:
    assert has_ended(agent.state)
    assert agent.of(End) == [End()]
    return agent.life, exit_of(agent.state).kind


def put_back(*names: str) -> dict[str, MessageStatus]:
    return dict.fromkeys(names, MessageStatus.PENDING)


# Being ready.


def test_supervisor_is_told_once_in_a_run_that_the_agent_is_ready():
    agent = Script(supervised=SUPERVISED).tell(Began())
    assert agent.of(TellReady) == []
    assert agent.opened().of(TellReady) == [TellReady()]
    agent.took().tell(RestartAsked())
    assert agent.opened().of(TellReady) == []
    assert Script().tell(Began()).opened().of(TellReady) == []


def test_next_run_counts_the_restarts_and_says_what_it_goes_on_from():
    agent = Script(supervised=SUPERVISED.model_copy(update={"incarnation": 3})).tell(Began())
    assert agent.of(Open) == [Open()]
    agent.opened(entries=12, batch=7)
    assert agent.state.life.restarts == 2
    assert agent.state.life.previous is LifeState.INITIALIZING
    [note] = agent.of(Note)
    assert isinstance(note, Note)
    assert (note.trigger, note.message) == (
        "restarted",
        "run 3 goes on with its mailbox and a conversation of 12 entries",
    )
    assert agent.take == Take(8, 10, (), reclaims=True)
    agent.took().tell(RestartAsked()).opened(entries=12)
    assert agent.state.life.detail == ""
    assert agent.state.life.restarts == 3


def test_next_run_begins_as_one_that_was_restarting():
    agent = Script(supervised=SUPERVISED.model_copy(update={"incarnation": 2}))
    assert agent.state.life.previous is LifeState.RESTARTING
    assert Script(supervised=SUPERVISED).state.life.previous is None


# Failing.


def test_supervised_agent_that_cannot_get_ready_ends():
    agent = Script(supervised=SUPERVISED).tell(Began()).tell(WasOpened(failure=WRONG))
    assert end(agent) == (LifeState.ERROR, ExitKind.FAILED)
    assert exit_of(agent.state).failure == WRONG
    assert not is_at_boundary(agent.state)


@pytest.mark.parametrize("slow", ["initialize", "restart"])
def test_slowness_of_the_machine_ends_no_run(slow):
    agent = Script(supervised=SUPERVISED).tell(Began())
    if slow == "restart":
        agent.opened().took(header("a")).tell(RestartAsked()).wait(seconds=45)
        assert agent.life is LifeState.ERROR
        agent.fails(CANCELLED)
    else:
        assert agent.wait(seconds=30).life is LifeState.ERROR
        agent.opened()
    assert agent.of(Open) == [Open(is_restart=True)]
    assert not has_ended(agent.state)
    assert agent.opened().life is LifeState.RUNNING


def test_agent_whose_mailbox_fails_puts_back_what_it_has_and_ends():
    agent = working().tell(Rang())
    agent.tell(WasTaken(Taken(batch=3), PASSING, agent.state.settled))
    assert agent.of(StopTurn) == [StopTurn()]
    assert not has_ended(agent.state)
    agent.fails(CANCELLED)
    assert end(agent) == (LifeState.ERROR, ExitKind.FAILED)
    assert settled(agent) == put_back("a", "b")
    assert [one.reply_workflow for one in agent.state.settled] == ["", ""]


def test_failing_agent_that_a_person_restarts_leaves_all_the_same():
    agent = working().tell(Rang()).tell(WasTaken(Taken(batch=3), PASSING)).tell(RestartAsked())
    assert end(agent.wait(seconds=2)) == (LifeState.ERROR, ExitKind.FAILED)


def test_failing_agent_waits_only_so_long_for_what_it_stopped():
    agent = working().tell(Rang()).tell(WasTaken(Taken(batch=3), PASSING))
    assert agent.alarm == LANDING
    assert not has_ended(agent.wait(seconds=1).state)
    assert end(agent.wait(seconds=1)) == (LifeState.ERROR, ExitKind.FAILED)


def test_failed_agent_without_a_reason_says_its_state():
    agent = working().tell(PauseAsked())
    told = exit_of(agent.state).failure
    assert told is not None
    assert "PAUSED" in told.message


# Being ended for good.


def test_idle_agent_that_is_shut_down_closes():
    agent = supervised().tell(CLOSE)
    assert end(agent) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)
    assert agent.state.life.end_reason is EndReason.MANUAL
    assert exit_of(agent.state).message == "the team ends"


def test_agent_that_a_person_stops_has_ended_normally():
    assert end(supervised().tell(StopAsked("enough"))) == (LifeState.TERMINATED, ExitKind.NORMAL)


def test_agent_that_is_shut_down_finishes_its_turn_within_the_grace():
    agent = working().tell(CLOSE)
    assert (agent.life, agent.alarm) == (LifeState.STOPPING, GRACE)
    agent.says()
    assert end(agent) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)
    assert settled(agent) == {"a": MessageStatus.PROCESSED}
    agent = working().tell(CLOSE).wait(seconds=5)
    assert end(agent) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)
    assert settled(agent) == {"a": MessageStatus.FAILED}


def test_shutdown_without_a_limit_waits_for_the_turn_for_ever():
    agent = working(limited(turn_timeout="9d")).tell(ShutDownAsked())
    assert agent.wait(days=8).life is LifeState.STOPPING
    assert agent.says().life is LifeState.TERMINATED
    assert supervised().tell(ShutDownAsked()).life is LifeState.TERMINATED


@pytest.mark.parametrize("state", ["initializing", "paused", "slow", "restarting"])
def test_shutdown_works_in_every_state(state):
    agent = Script(supervised=SUPERVISED).tell(Began())
    if state == "slow":
        agent.wait(seconds=30)
    elif state != "initializing":
        agent.opened().took(header("a"))
        agent.tell(PauseAsked() if state == "paused" else RestartAsked())
    agent.tell(CLOSE).wait(seconds=5)
    assert end(agent) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)


def test_shutdown_hurries_a_stop_that_a_person_asked_for():
    agent = working().tell(StopAsked("slowly", timedelta(minutes=9))).tell(CLOSE)
    assert agent.alarm == GRACE
    assert agent.tell(ShutDownAsked(grace=timedelta(minutes=1))).alarm == GRACE
    assert agent.tell(ShutDownAsked()).alarm == GRACE
    assert end(agent.wait(seconds=5)) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)


@pytest.mark.parametrize("is_stopping", [False, True])
def test_cancel_ends_a_supervised_agent_at_once(is_stopping):
    agent = working()
    if is_stopping:
        agent.tell(CLOSE)
    agent.tell(StopAsked("cancelled from outside", timedelta(0), is_cancel=True)).wait()
    assert end(agent) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)
    assert settled(agent) == {"a": MessageStatus.FAILED}


def test_cancel_hurries_no_stop_of_an_agent_without_a_supervisor():
    agent = Script().start().given(header("a")).tell(StopAsked())
    agent.tell(StopAsked("cancelled from outside", timedelta(0), is_cancel=True))
    assert agent.alarm == timedelta(seconds=60)


def test_end_that_has_come_is_not_asked_for_again():
    agent = supervised().tell(StopAsked())
    for event in (KEEP, CLOSE):
        assert agent.tell(event).life is LifeState.TERMINATED


# Being ended for another run to go on.


def test_idle_agent_leaves_at_once():
    agent = supervised().tell(KEEP)
    assert end(agent) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)
    assert agent.state.settled == ()
    assert exit_of(agent.state).message == "a sibling failed"


def test_leaving_agent_finishes_its_turn_and_begins_no_other():
    agent = working().tell(KEEP)
    assert (agent.life, agent.alarm) == (LifeState.RESTARTING, GRACE)
    assert not is_at_boundary(agent.state)
    assert agent.calls("x").acts == ["x"]
    assert agent.acted("x").think.key == "a/2"
    agent.says()
    assert end(agent) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)
    assert settled(agent) == {"a": MessageStatus.PROCESSED} | put_back("b")


def test_leaving_agent_takes_nothing_and_settles_with_its_end():
    agent = working(AgentPolicy(batch=2)).tell(Rang()).tell(KEEP)
    agent.took()
    assert agent.of(Take) == []
    agent.says()
    assert agent.of(Take) == []


def test_turn_that_is_not_finished_within_the_grace_is_stopped_and_put_back():
    agent = working().tell(KEEP).wait(seconds=5)
    assert agent.of(StopTurn) == [StopTurn()]
    assert agent.alarm == LANDING
    assert agent.wait(seconds=1).asked == []
    agent.fails(CANCELLED)
    assert end(agent) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)
    assert settled(agent) == put_back("a", "b")
    assert agent.state.counts.messages == 0


def test_answer_that_comes_after_the_grace_counts_all_the_same():
    agent = working().tell(KEEP).wait(seconds=5).says()
    assert settled(agent) == {"a": MessageStatus.PROCESSED} | put_back("b")


def test_tool_calls_that_the_model_asks_for_after_the_grace_are_left_to_the_next_run():
    agent = working().tell(KEEP).wait(seconds=5).calls("x")
    assert agent.acts == []
    assert settled(agent) == put_back("a", "b")


def test_leaving_agent_does_not_wait_for_what_does_not_land():
    agent = working().tell(KEEP).wait(seconds=5).wait(seconds=2)
    assert end(agent) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)
    assert settled(agent) == put_back("a", "b")


def test_leaving_agent_waits_for_a_take_so_that_what_it_settles_is_not_lost():
    agent = supervised().given(header("a")).says().tell(KEEP)
    assert not has_ended(agent.state)
    agent.took(header("b"))
    assert end(agent) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)
    assert settled(agent) == put_back("b")
    agent = supervised().given(header("a")).says().tell(KEEP).wait(seconds=5)
    assert agent.of(StopTurn) == []
    assert end(agent.wait(seconds=2)) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)


def test_mailbox_that_fails_while_the_agent_leaves_changes_nothing_else():
    agent = supervised().given(header("a")).says()
    lost = agent.take.settled
    agent.tell(KEEP).tell(WasTaken(Taken(batch=3), WRONG, lost))
    assert end(agent) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)
    assert settled(agent) == {"a": MessageStatus.PROCESSED}


@pytest.mark.parametrize("waits", ["person", "agent", "provider", "budget"])
def test_turn_that_only_waits_keeps_nobody_from_leaving(waits):
    agent = working()
    if waits == "provider":
        agent.fails(PASSING)
    elif waits == "budget":
        agent.tell(KEEP).fails(BROKE)
    else:
        what = {"question": "may I?"} if waits == "person" else {"correlation": "c"}
        agent.calls("x").acted("x", ref="", **what)
    if waits != "budget":
        agent.tell(KEEP)
    assert end(agent) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)
    assert settled(agent) == put_back("a", "b")


@pytest.mark.parametrize("state", ["initializing", "paused", "slow", "restarting"])
def test_agent_that_does_not_run_leaves_without_its_grace(state):
    agent = Script(supervised=SUPERVISED).tell(Began())
    if state == "slow":
        agent.wait(seconds=30)
    elif state != "initializing":
        agent.opened().took(header("a"))
        agent.tell(PauseAsked() if state == "paused" else RestartAsked())
    agent.tell(KEEP)
    assert agent.of(Think) == []
    if state in ("paused", "restarting"):
        assert agent.of(StopTurn) == [StopTurn()]
        agent.fails(CANCELLED)
        assert settled(agent) == put_back("a")
    assert end(agent) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)


def test_grace_of_zero_stops_what_is_in_flight_at_once():
    agent = working().tell(ShutDownAsked(grace=timedelta(0), keeps=True))
    assert agent.of(StopTurn) == [StopTurn()]


def test_grace_without_a_limit_lets_the_turn_take_all_its_time():
    agent = working(limited(turn_timeout="9d")).tell(ShutDownAsked(keeps=True))
    assert agent.wait(days=8).of(StopTurn) == []
    agent.tell(KEEP)
    assert agent.alarm == GRACE
    assert agent.tell(ShutDownAsked(keeps=True)).alarm == GRACE
    assert agent.tell(ShutDownAsked(grace=timedelta(minutes=1), keeps=True)).alarm == GRACE


def test_agent_that_is_ending_for_good_does_not_leave_instead():
    agent = working().tell(StopAsked("enough")).tell(KEEP)
    assert (agent.life, agent.alarm) == (LifeState.STOPPING, GRACE)
    assert end(agent.wait(seconds=5)) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)


def test_second_shutdown_turns_leaving_into_a_stop():
    agent = working().tell(ShutDownAsked("", timedelta(minutes=1), keeps=True)).tell(CLOSE)
    assert agent.alarm == GRACE
    agent.says()
    assert end(agent) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)
    assert settled(agent) == {"a": MessageStatus.PROCESSED}
    agent = working().tell(KEEP).tell(CLOSE).wait(seconds=5).fails(CANCELLED)
    assert end(agent) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)
    assert settled(agent) == {"a": MessageStatus.FAILED}
    agent = working().tell(KEEP).tell(ShutDownAsked(grace=GRACE)).wait(seconds=5).wait(seconds=2)
    assert end(agent) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)
    assert agent.state.life.detail == "a sibling failed"


def test_cancel_hurries_leaving_and_closes_nothing():
    agent = working().tell(KEEP)
    agent.tell(StopAsked("cancelled from outside", timedelta(0), is_cancel=True))
    assert agent.of(StopTurn) == [StopTurn()]
    agent.tell(StopAsked("cancelled from outside", timedelta(0), is_cancel=True))
    assert agent.alarm == LANDING
    assert end(agent.wait(seconds=2)) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)
    assert settled(agent) == put_back("a", "b")


def test_deadline_of_the_turn_holds_while_the_agent_leaves():
    agent = working(limited(turn_timeout="1m")).tell(ShutDownAsked(keeps=True)).wait(minutes=1)
    agent.fails(CANCELLED)
    assert settled(agent) == {"a": MessageStatus.FAILED} | put_back("b")


def test_person_may_stop_an_agent_that_leaves():
    agent = working().tell(KEEP).tell(StopAsked("enough"))
    assert end(agent) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)


def test_control_of_a_leaving_agent_changes_nothing():
    agent = working().tell(KEEP).tell(PauseAsked(), ResumeAsked(), RestartAsked())
    assert agent.life is LifeState.RESTARTING
    assert agent.of(Open) == []


# After a failed turn.


def after(failure: Failure, **fields: object) -> Script:
    return working(**fields).fails(failure)


def test_agent_that_is_to_fail_settles_the_message_and_ends():
    agent = after(CRASH, on_failure=OnFailure.FAIL)
    assert end(agent) == (LifeState.ERROR, ExitKind.FAILED)
    assert exit_of(agent.state).failure == CRASH
    assert settled(agent) == {"a": MessageStatus.FAILED} | put_back("b")
    assert agent.state.counts.failed == 1


def test_agent_without_a_supervisor_that_is_to_fail_waits_in_the_error():
    agent = Script(AgentPolicy(on_failure=OnFailure.FAIL)).start()
    agent.given(header("a"), header("b")).fails(CRASH)
    assert agent.life is LifeState.ERROR
    assert not has_ended(agent.state)
    assert [one.status for one in agent.take.settled] == [MessageStatus.FAILED]
    agent.took().tell(RestartAsked()).opened()
    assert agent.turn.message.id == "b"


def test_supervisor_decides_before_the_agents_own_file():
    policy = AgentPolicy(on_failure=OnFailure.FAIL)
    assert working(policy).fails(CRASH).life is LifeState.ERROR
    assert working(policy, on_failure=OnFailure.PAUSE).fails(CRASH).life is LifeState.PAUSED
    errors = ErrorPolicy()
    assert working(policy, errors=errors).fails(CRASH).life is LifeState.RUNNING


def test_agent_that_its_own_file_stops_has_ended_by_itself():
    agent = after(CRASH, on_failure=OnFailure.STOP)
    assert end(agent) == (LifeState.TERMINATED, ExitKind.NORMAL)


def test_error_that_a_restart_may_cure_ends_the_run():
    agent = after(CRASH, errors=ErrorPolicy(other=ErrorAction.RESTART))
    assert end(agent) == (LifeState.ERROR, ExitKind.FAILED)


def test_error_that_no_restart_cures_is_only_reported():
    agent = after(REFUSED, errors=ErrorPolicy(other=ErrorAction.RESTART))
    assert agent.life is LifeState.RUNNING
    assert agent.state.counts.failed == 1


def test_error_of_a_used_up_resource_pauses_the_agent_for_a_while():
    errors = ErrorPolicy(other=ErrorAction.PAUSE, retry_after=timedelta(seconds=7))
    agent = after(CRASH, errors=errors)
    assert agent.life is LifeState.PAUSED
    assert agent.state.life.pause_reason is PauseReason.RESOURCE_CONSTRAINT
    assert agent.alarm == timedelta(seconds=7)
    assert agent.wait(seconds=7).life is LifeState.RUNNING


def late() -> Failure:
    agent = working(limited(turn_timeout="1m")).wait(minutes=1).fails(CANCELLED)
    failure = agent.take.settled[0].failure
    assert failure is not None
    return failure


@pytest.mark.parametrize("failure", [WRONG, CRASH, PASSING, late()], ids=lambda one: one.type)
def test_error_that_stops_an_agent_ends_it_so_that_it_is_held(failure):
    stops = dict.fromkeys(ErrorPolicy.model_fields.keys() - {"retry_after"}, ErrorAction.STOP)
    agent = after(failure, errors=ErrorPolicy(**stops)) if failure is not PASSING else None
    if agent is None:
        agent = working(limited(model_attempts=1), errors=ErrorPolicy(**stops)).fails(failure)
    assert end(agent) == (LifeState.ERROR, ExitKind.FAILED)
    told = exit_of(agent.state).failure
    assert told is not None
    assert (told.type, told.message) == (failure.type, failure.message)
    assert not is_cured_by_restart(told)


# A message that ends the agent each time.


def test_message_with_which_three_runs_were_lost_is_set_aside():
    poison = header("a", reply="asker").model_copy(update={"losses": 3})
    near = header("b").model_copy(update={"losses": 2})
    agent = supervised(on_failure=OnFailure.FAIL).given(poison, near)
    [aside] = agent.take.settled
    assert (aside.message_id, aside.status) == ("a", MessageStatus.FAILED)
    assert aside.reply_workflow == "asker"
    assert aside.failure is not None
    assert "3 runs of the agent were lost" in aside.failure.message
    assert agent.turn.message.id == "b"
    assert (agent.life, agent.state.counts.failed) == (LifeState.RUNNING, 1)


def test_agent_for_one_message_that_is_set_aside_ends():
    agent = Script(once=True).start().given(header("a").model_copy(update={"losses": 3}))
    assert agent.life is LifeState.TERMINATED
    assert agent.state.result is not None
    assert agent.state.result.status is MessageStatus.FAILED
