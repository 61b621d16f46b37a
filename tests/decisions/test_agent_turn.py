"""One turn: the model is asked, its tools run, and an answer or a failure settles the message."""

from __future__ import annotations

from datetime import timedelta

from agent_script import BROKE, CANCELLED, PASSING, WRONG, Script, header, limited

from mainstay.schemas.agent_calls import AgentEventKind
from mainstay.schemas.agent_directives import (
    Act,
    Collect,
    QuestionAnswered,
    Replied,
    ResumeAsked,
    StopAsked,
    StopTurn,
    Summarize,
    Think,
    WasActed,
)
from mainstay.schemas.agent_run import InputKind, TurnStep, UseStatus
from mainstay.schemas.conversation import Finish
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus
from mainstay.schemas.run import Failure, FailureKind


def busy(**limits: object) -> Script:
    """An agent that has just asked the model about message ``m``."""
    return Script(limited(**limits)).start().given(header("m"))


def failure_of(agent: Script) -> Failure:
    settled = agent.take.settled[0]
    assert settled.status is MessageStatus.FAILED
    assert settled.failure is not None
    return settled.failure


def test_turn_asks_the_model_with_the_message():
    asked = busy().think
    assert asked.key == "m/1"
    assert asked.model_call == 1
    assert [(told.kind, told.ref) for told in asked.inputs] == [(InputKind.MESSAGE, "m")]


def test_tool_calls_run_together_and_their_results_return_in_the_order_asked_for():
    agent = busy().calls("x", "y")
    assert agent.acts == ["x", "y"]
    assert agent.acted("y").of(Think) == []
    agent.acted("x", is_error=True)
    assert agent.think.key == "m/2"
    assert [(told.use_id, told.ref, told.is_error) for told in agent.think.inputs] == [
        ("x", "r/x", True),
        ("y", "r/y", False),
    ]


def test_no_more_tool_calls_run_at_once_than_allowed():
    agent = busy(parallel_tools=2).calls("a", "b", "c", "d")
    assert agent.acts == ["a", "b"]
    assert agent.acted("b").acts == ["c"]
    assert agent.acted("a").acts == ["d"]


def test_key_of_a_tool_call_is_the_same_in_every_attempt():
    agent = busy().calls("x").acted("x").calls("x")
    assert agent.of(Act) == [Act("x", "m/2/x")]


def test_turn_that_asks_the_model_too_often_fails_before_the_call():
    agent = busy(model_calls=2).calls("x").acted("x").calls("y").acted("y")
    assert agent.of(Think) == []
    assert "ask the model 2 times" in failure_of(agent).message


def test_turn_that_calls_tools_too_often_fails_before_the_call():
    agent = busy(tool_calls=3).calls("a", "b").acted("a").acted("b").calls("c", "d")
    assert agent.acts == []
    assert "call tools 3 times" in failure_of(agent).message


def test_passing_failure_is_tried_again_after_a_growing_wait():
    agent = busy()
    for seconds, attempt in [(1, 2), (2, 3), (4, 4)]:
        agent.fails(PASSING)
        assert agent.turn.step is TurnStep.BACKING_OFF
        assert agent.alarm == timedelta(seconds=seconds)
        agent.wait(seconds=seconds - 0.5)
        assert agent.of(Think) == []
        assert agent.wait(seconds=0.5).think.attempt == attempt


def test_provider_that_asks_for_patience_gets_it():
    agent = busy().fails(PASSING.model_copy(update={"retry_after": timedelta(seconds=40)}))
    assert agent.alarm == timedelta(seconds=40)


def test_attempts_of_one_model_call_are_limited():
    agent = busy(model_attempts=2).fails(PASSING).wait(seconds=1).fails(PASSING)
    assert failure_of(agent) == PASSING


def test_attempts_are_counted_anew_for_the_next_call():
    agent = busy(model_attempts=2).fails(PASSING).wait(seconds=1).calls("x").acted("x")
    assert agent.think.attempt == 1


def test_permanent_failure_ends_the_turn_at_once():
    assert failure_of(busy().fails(WRONG)) == WRONG


def test_refusal_of_the_model_ends_the_turn_and_is_shown():
    refusal = failure_of(busy().says("I will not", finish=Finish.REFUSED))
    assert refusal.kind is FailureKind.REFUSED
    assert "I will not" in refusal.message
    assert "without a word" in failure_of(busy().says("", finish=Finish.REFUSED)).message


def test_wrong_answer_goes_back_with_what_is_wrong():
    agent = busy().says("no json", problem="not JSON")
    [told] = agent.think.inputs
    assert (told.kind, told.text) == (InputKind.FEEDBACK, "not JSON")


def test_answers_that_stay_wrong_end_the_turn():
    agent = busy(invalid_calls=2)
    for _ in range(2):
        agent.says("no", problem="not JSON")
        assert agent.of(Think) != []
    agent.says("no", problem="not JSON")
    assert "stayed wrong: not JSON" in failure_of(agent).message


def test_tool_calls_that_stay_wrong_end_the_turn():
    agent = busy(invalid_calls=1).calls("x").acted("x", is_error=True, is_invalid=True)
    assert agent.of(Think) != []
    agent.calls("x").acted("x", is_error=True, is_invalid=True)
    assert "kept calling tools wrongly" in failure_of(agent).message


def test_tool_call_whose_activity_failed_is_an_error_the_model_sees():
    agent = busy().calls("x").act_fails("x", WRONG)
    [told] = agent.think.inputs
    assert (told.ref, told.text, told.is_error) == ("", WRONG.message, True)


def test_event_of_a_call_that_is_gone_changes_nothing():
    agent = busy().says()
    before = agent.state
    agent.acted("x").collected("x").summarized().says().tell(QuestionAnswered("x", "yes"))
    agent.tell(Replied("c"))
    assert agent.state == before
    agent.given(header("n")).calls("y")
    assert agent.tell(WasActed("y")).acts == []


def test_question_waits_for_a_person():
    agent = busy().calls("x").acted("x", ref="", question="may I?")
    assert agent.notes == [AgentEventKind.QUESTION]
    assert agent.turn.uses[0].status is UseStatus.ASKING
    agent.tell(QuestionAnswered("x", "you may", "ann"))
    assert agent.of(Act) == [Act("x", "m/1/x", answer="you may")]
    assert agent.tell(QuestionAnswered("x", "again")).of(Act) == []
    assert agent.acted("x").of(Think) != []


def test_call_with_an_unknown_outcome_is_repeated_only_when_a_person_says_so():
    agent = busy().calls("x").acted("x", ref="", question="begun; retry?", is_unknown=True)
    assert agent.tell(QuestionAnswered("x", " Retry ")).of(Act) == [
        Act("x", "m/1/x", attempt=2, confirmed=True)
    ]
    agent = busy().calls("x").acted("x", ref="", question="begun; retry?", is_unknown=True)
    assert agent.tell(QuestionAnswered("x", "it was done")).of(Act) == [
        Act("x", "m/1/x", answer="it was done")
    ]


def test_answer_of_another_agent_is_fetched_when_it_says_so():
    agent = busy().calls("x").acted("x", ref="", correlation="c")
    assert agent.of(Think) == []
    assert agent.tell(Replied("other")).of(Collect) == []
    assert agent.tell(Replied("c")).of(Collect) == [Collect("x", "c", "m/1/x")]
    assert agent.tell(Replied("c")).of(Collect) == []
    assert agent.collected("x", "r/x").think.inputs[0].ref == "r/x"


def test_answer_that_was_told_of_before_the_question_had_come_back_is_fetched_at_once():
    agent = busy().calls("x").tell(Replied("c"))
    assert agent.of(Collect) == []
    assert agent.acted("x", ref="", correlation="c").of(Collect) == [Collect("x", "c", "m/1/x")]
    assert (
        agent.collected("x", "r/x").calls("y").acted("y", ref="", correlation="c").of(Collect) == []
    )


def test_answer_of_another_agent_is_looked_for_now_and_then():
    agent = busy().calls("x").acted("x", ref="", correlation="c")
    assert agent.alarm == timedelta(seconds=30)
    assert agent.wait(seconds=30).of(Collect) != []
    assert agent.collected("x").alarm == timedelta(seconds=30)
    assert agent.wait(seconds=29).of(Collect) == []


def test_turn_whose_time_is_up_stops_and_waits_for_what_is_in_flight():
    agent = busy(turn_timeout="1m").calls("x").wait(minutes=1)
    assert agent.of(StopTurn) == [StopTurn()]
    assert agent.wait(seconds=1).of(StopTurn) == []
    agent.act_fails("x", CANCELLED)
    assert "turn_timeout" in failure_of(agent).message


def test_turn_whose_time_is_up_fails_although_the_model_answers():
    agent = busy(turn_timeout="1m").wait(minutes=1).says()
    assert "turn_timeout" in failure_of(agent).message
    agent = busy(turn_timeout="1m").wait(minutes=1).fails(PASSING)
    assert "turn_timeout" in failure_of(agent).message


def test_turn_whose_time_is_up_fails_at_once_when_nothing_is_in_flight():
    agent = busy(turn_timeout="1m").fails(
        PASSING.model_copy(update={"retry_after": timedelta(hours=1)})
    )
    assert "turn_timeout" in failure_of(agent.wait(minutes=1)).message


def test_time_of_a_paused_turn_runs_out_too():
    agent = busy(turn_timeout="1m").fails(BROKE).wait(minutes=1)
    assert agent.life is LifeState.PAUSED
    assert "turn_timeout" in failure_of(agent).message


def test_conversation_is_summarised_before_the_next_model_call():
    agent = busy()
    agent.says("", uses=[{"id": "x", "name": "x"}], summarize=True).acted("x")
    assert agent.of(Summarize) == [Summarize("t", "summary/m/2")]
    assert agent.of(Think) == []
    assert agent.summarized().think.key == "m/2"


def test_conversation_is_summarised_in_the_next_turn_when_this_one_is_over():
    agent = busy().says(summarize=True).given(header("n"))
    assert agent.of(Summarize) == [Summarize("t", "summary/n/1")]
    agent.summarized(PASSING)
    assert AgentEventKind.MODEL_FAILED in agent.notes
    assert agent.think.key == "n/1"


def test_summary_that_was_stopped_is_no_failure():
    agent = busy().says(summarize=True).given(header("n")).summarized(CANCELLED)
    assert AgentEventKind.MODEL_FAILED not in agent.notes


def test_warnings_are_put_on_record_and_counted():
    agent = busy().says(warnings=("nearly used up",))
    assert AgentEventKind.BUDGET_WARNING in agent.notes
    assert agent.state.counts.warnings == 1


def test_usage_is_counted():
    agent = busy().calls("x").acted("x").says()
    usage = agent.state.counts.usage
    assert (usage.tokens, usage.model_calls, usage.tool_calls) == (30, 2, 1)
    assert agent.state.counts.messages == 1


def test_stop_during_a_back_off_lets_the_turn_finish():
    agent = busy().fails(PASSING).tell(StopAsked()).wait(seconds=1)
    assert agent.of(Think) != []


def test_decision_does_not_change_what_it_was_given():
    agent = busy()
    given, before = agent.state, agent.state.model_dump_json()
    agent.calls("x")
    assert given.model_dump_json() == before
    assert agent.state != given


def test_turn_that_waits_for_the_model_is_looked_at_again_at_its_deadline():
    assert busy(turn_timeout="7m").alarm == timedelta(minutes=7)


def test_tool_call_that_nobody_can_pay_for_waits_until_there_is_more():
    agent = busy().calls("x", "y").act_fails("x", BROKE)
    assert agent.life is LifeState.PAUSED
    agent.act_fails("y", BROKE)
    assert agent.notes == []
    assert agent.tell(ResumeAsked("budget")).acts == ["x", "y"]


def test_tool_call_that_nobody_can_pay_for_fails_a_turn_that_has_to_end():
    agent = busy().calls("x").tell(StopAsked()).act_fails("x", BROKE)
    assert agent.life is LifeState.TERMINATED
    assert agent.state.settled[0].failure == BROKE
