"""Recorded runs of every feature replay against today's code; a changed workflow does not.

A failure here means that a running plan would be stuck after an update. Keep the old behaviour
behind `workflow.patched(...)`, and add a new recording; see `record.py`.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory

import mainstay.workflows.agent as agent_module
import mainstay.workflows.plan as plan_module
import mainstay.workflows.supervisor as supervisor_module
from mainstay.schemas.agent_directives import Take
from mainstay.schemas.directives import DoWork
from mainstay.schemas.supervision_directives import TellToStop
from mainstay.worker import build_replayer
from mainstay.workflows.plan import Plan
from mainstay.workflows.supervisor import Supervisor

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json*"))
FEATURES = {
    "needs_and_conditions",
    "batches",
    "retries",
    "timeout",
    "tolerated_errors",
    "failed_batches",
    "approvals",
    "rejection",
    "sub_plans",
    "undo_after_failure",
    "undo_after_cancel",
    "cancel_from_outside",
    "verification",
    "pause_and_resume",
    "manual_retry",
    "skip",
    "unknown_outcomes",
    "continue_as_new",
    "taken_up",
    "priorities",
    "plan_timeout",
    "wrong_outputs",
    "agents_in_plans",
    "agents_in_plans_cancelled",
    "agent_turns",
    "agent_failures",
    "agent_questions",
    "agent_control",
    "agent_budget",
    "agent_asks_another",
    "agent_continues_as_new",
    "agent_summaries",
    "agent_policies",
    "agent_cancelled_from_outside",
    "agent_supervised",
    "team_one_for_all",
    "team_escalates",
    "team_back_off",
    "team_requests",
    "team_dynamic",
    "team_hurried",
    "team_health",
    "team_continues_as_new",
}


def read(path: Path) -> WorkflowHistory:
    body = path.read_bytes()
    text = gzip.decompress(body) if path.suffix == ".gz" else body
    return WorkflowHistory.from_json(path.name, text.decode())


def recorded(name: str) -> WorkflowHistory:
    return read(next(path for path in HISTORIES if path.name.startswith(f"{name}.0.")))


async def failure_of_replay(history: WorkflowHistory) -> Exception | None:
    result = await build_replayer().replay_workflow(history, raise_on_replay_failure=False)
    return result.replay_failure


def test_every_feature_is_recorded():
    assert {path.name.partition(".")[0] for path in HISTORIES} == FEATURES


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name.removesuffix(".json"))
async def test_recorded_run_replays(path: Path):
    assert await failure_of_replay(read(path)) is None


async def test_a_workflow_with_another_timer_does_not_replay(monkeypatch):
    load = Plan._load

    async def load_later(self):
        await workflow.sleep(1)
        return await load(self)

    monkeypatch.setattr(Plan, "_load", load_later)
    failure = await failure_of_replay(recorded("needs_and_conditions"))
    assert isinstance(failure, workflow.NondeterminismError)


async def test_a_decision_that_hands_out_less_work_does_not_replay(monkeypatch):
    decide = plan_module.decide

    def decide_less(*args, **options):
        state, directives = decide(*args, **options)
        return state, [one for one in directives if not isinstance(one, DoWork)]

    monkeypatch.setattr(plan_module, "decide", decide_less)
    failure = await failure_of_replay(recorded("batches"))
    assert isinstance(failure, workflow.NondeterminismError)


async def test_a_decision_that_retries_something_else_does_not_replay(monkeypatch):
    decide = plan_module.decide

    def decide_larger(*args, **options):
        state, directives = decide(*args, **options)
        changed = [
            replace(one, unit=one.unit.model_copy(update={"step": "gather"}))
            if isinstance(one, DoWork)
            else one
            for one in directives
        ]
        return state, changed

    monkeypatch.setattr(plan_module, "decide", decide_larger)
    failure = await failure_of_replay(recorded("retries"))
    assert isinstance(failure, workflow.NondeterminismError)


async def test_an_agent_that_does_not_settle_its_messages_does_not_replay(monkeypatch):
    decide = agent_module.decide

    def forget(*args, **options):
        state, directives = decide(*args, **options)
        return state, [
            replace(one, settled=()) if isinstance(one, Take) and one.size else one
            for one in directives
            if not isinstance(one, Take) or one.size
        ]

    monkeypatch.setattr(agent_module, "decide", forget)
    failure = await failure_of_replay(recorded("agent_turns"))
    assert isinstance(failure, workflow.NondeterminismError)


async def test_a_supervisor_that_stops_nobody_does_not_replay(monkeypatch):
    decide = supervisor_module.decide

    def stop_nobody(*args, **options):
        state, directives = decide(*args, **options)
        return state, [one for one in directives if not isinstance(one, TellToStop)]

    monkeypatch.setattr(supervisor_module, "decide", stop_nobody)
    failure = await failure_of_replay(recorded("team_one_for_all"))
    assert isinstance(failure, workflow.NondeterminismError)


async def test_a_supervisor_that_continues_as_new_at_once_does_not_replay(monkeypatch):
    monkeypatch.setattr(Supervisor, "_is_due", Supervisor._is_at_rest)
    failure = await failure_of_replay(recorded("team_requests"))
    assert isinstance(failure, workflow.NondeterminismError)


def test_no_recording_tells_of_the_machine_that_made_it():
    for path in HISTORIES:
        for event in read(path).events:
            text = json.dumps(str(event))
            assert not re.search(r"identity: \\?\"(?!recorder)", text)
            assert not re.search(r"/(tmp|home|root|work)/", text)
