"""What is shown of an agent, and which control is refused."""

from __future__ import annotations

import pytest
from agent_script import PASSING, Script, header

from mainstay.decisions.agents.view import check_control, describe, find_question, info, mailbox
from mainstay.schemas.agent_directives import PauseAsked, StopAsked
from mainstay.schemas.errors import NotFound, Refused
from mainstay.schemas.lifecycle import LifeState


def shown(agent: Script) -> str:
    return info(agent.state, "id", "team/name", "t").activity


def test_activity_says_what_the_agent_is_at():
    agent = Script().start()
    assert shown(agent) == "idle"
    assert shown(agent.given(header("m"))) == "asks the model"
    assert shown(agent.fails(PASSING)) == "waits: try later"
    agent.wait(seconds=1)
    agent.says("", uses=[{"id": "x", "name": "fs.read"}], summarize=True)
    assert shown(agent) == "runs fs.read"
    assert shown(agent.acted("x")) == "summarises the conversation"
    agent.summarized().calls("y", "z").acted("y", ref="", question="may I?")
    assert shown(agent) == "waits for a person"


def test_turn_whose_calls_are_done_while_it_is_paused_runs_nothing():
    agent = Script().start().given(header("m")).calls("x").tell(PauseAsked()).acted("x")
    assert shown(agent) == "runs tools"


def test_info_names_the_questions_and_counts_the_queue():
    agent = Script().start().given(header("m"), header("n")).calls("x")
    agent.acted("x", ref="", question="may I?")
    seen = info(agent.state, "id", "team/name", "t")
    assert [(one.use_id, one.question) for one in seen.questions] == [("x", "may I?")]
    assert seen.queue == 1
    assert seen.message_id == "m"
    text = describe(seen)
    assert "may I?" in text
    assert "**team/name** is RUNNING" in text


def test_description_says_why():
    agent = Script().start().tell(PauseAsked("lunch"))
    assert "lunch" in describe(info(agent.state, "id", "team/name", "t"))


def test_mailbox_shows_what_is_worked_on_and_what_waits():
    agent = Script().start()
    assert mailbox(agent.state).current is None
    agent.given(header("m"), header("n"))
    seen = mailbox(agent.state)
    assert seen.current == header("m")
    assert seen.queue == (header("n"),)


def test_control_that_makes_no_sense_is_refused_with_what_is_allowed():
    agent = Script().start()
    check_control(agent.state, LifeState.PAUSED)
    with pytest.raises(Refused, match="RUNNING cannot be resumed; RUNNING may become PAUSED, STOP"):
        check_control(agent.state, LifeState.RUNNING)
    agent.tell(StopAsked())
    with pytest.raises(Refused, match="TERMINATED may become nothing"):
        check_control(agent.state, LifeState.STOPPING)


def test_control_that_can_wait_is_allowed_while_the_agent_gets_ready():
    agent = Script()
    with pytest.raises(Refused, match="INITIALIZING cannot be paused"):
        check_control(agent.state, LifeState.PAUSED)
    check_control(agent.state, LifeState.PAUSED, waits=True)
    check_control(agent.start().state, LifeState.PAUSED, waits=True)


def test_question_is_found_by_its_call_or_because_it_is_the_only_one():
    agent = Script().start()
    with pytest.raises(NotFound, match="asks nothing"):
        find_question(agent.state, "")
    agent.given(header("m")).calls("x", "y").acted("x", ref="", question="one?")
    assert find_question(agent.state, "").id == "x"
    with pytest.raises(NotFound, match="no question 'y'"):
        find_question(agent.state, "y")
    agent.acted("y", ref="", question="two?")
    assert find_question(agent.state, "y").id == "y"
    with pytest.raises(Refused) as refusal:
        find_question(agent.state, "")
    assert refusal.value.hint == "name one of x, y"
