"""Each rule of supervision, when it is broken, is noticed by the reference made from OTP's text.

A rule is broken by putting something in its place; then supervisors are tried until one of them
differs from the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from test_supervision_model import SUPPRESSED, differs, lengths, seeds, supervisors

from mainstay.decisions.supervision import (
    backoff,
    endings,
    intensity,
    requests,
    shutdown,
    strategies,
    supervisor,
)
from mainstay.decisions.supervision.draft import SupervisorDraft
from mainstay.schemas.supervision import AfterStop, ChildPhase, ExitKind, IfNotReady, SupervisorEnd
from mainstay.schemas.supervision_directives import TellParent
from mainstay.schemas.team import AutoShutdown, Restart, Strategy

TRIES = 3_000
"""Supervisors that are tried until a broken rule has to have shown."""

pytestmark = pytest.mark.deep

Break = Callable[[pytest.MonkeyPatch], None]
BROKEN: dict[str, Break] = {}


def rule(broken: Break) -> Break:
    """Add a way to break a rule; its name says how."""
    BROKEN[broken.__name__] = broken
    return broken


def changed(original: Callable[..., Any], change: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *args, **named: change(original(*args, **named))


# Who is restarted.


@rule
def permanent_children_stay_down_after_a_normal_end(patch):
    patch.setitem(strategies.RESTARTED, Restart.PERMANENT, frozenset({ExitKind.FAILED}))


@rule
def transient_children_are_restarted_after_a_normal_end(patch):
    ends = frozenset({ExitKind.FAILED, ExitKind.NORMAL})
    patch.setitem(strategies.RESTARTED, Restart.TRANSIENT, ends)


@rule
def transient_children_are_restarted_after_a_shutdown(patch):
    ends = frozenset({ExitKind.FAILED, ExitKind.SHUTDOWN})
    patch.setitem(strategies.RESTARTED, Restart.TRANSIENT, ends)


@rule
def temporary_children_are_restarted(patch):
    patch.setitem(strategies.RESTARTED, Restart.TEMPORARY, frozenset({ExitKind.FAILED}))


@rule
def refusals_are_restarted(patch):
    patch.setattr(endings, "is_cured_by_restart", lambda failure: True)


@rule
def temporary_children_are_kept(patch):
    patch.setattr(strategies, "is_forgotten", lambda plan, strategy: strategy is Strategy.DYNAMIC)


@rule
def dynamic_children_are_kept(patch):
    patch.setattr(
        strategies, "is_forgotten", lambda plan, strategy: plan.restart is Restart.TEMPORARY
    )


# Whom a restart concerns.


@rule
def one_for_all_stops_only_the_rest(patch):
    patch.setattr(
        strategies,
        "is_concerned",
        lambda strategy, failed, other: (
            strategy in strategies.ORDERED and other.place > failed.place
        ),
    )


@rule
def rest_for_one_stops_all(patch):
    patch.setattr(
        strategies, "is_concerned", lambda strategy, failed, other: strategy in strategies.ORDERED
    )


@rule
def rest_for_one_stops_the_group_of_the_failed_one(patch):
    patch.setattr(
        strategies,
        "is_concerned",
        lambda strategy, failed, other: (
            strategy is Strategy.ONE_FOR_ALL
            or (strategy is Strategy.REST_FOR_ONE and other.place >= failed.place)
        ),
    )


@rule
def one_for_one_stops_all(patch):
    patch.setattr(strategies, "is_concerned", lambda strategy, failed, other: True)


@rule
def temporary_children_are_started_again_with_the_others(patch):
    def start_again(draft: SupervisorDraft, child: Any) -> None:
        if child.phase in (ChildPhase.STARTING, ChildPhase.RUNNING):
            draft.change_child(child.name, must_stop=True, after=AfterStop.START)
        elif child.phase is ChildPhase.STOPPED and not child.is_held:
            draft.move(child.name, ChildPhase.WAITING, if_not_ready=IfNotReady.RETRY)

    patch.setattr(endings, "_start_again", start_again)


@rule
def what_stood_still_is_left_alone(patch):
    original = endings._start_again

    def start_again(draft: SupervisorDraft, child: Any) -> None:
        if child.phase is not ChildPhase.STOPPED:
            original(draft, child)

    patch.setattr(endings, "_start_again", start_again)


@rule
def held_children_are_started_with_the_others(patch):
    original = endings._start_again
    patch.setattr(
        endings,
        "_start_again",
        lambda draft, child: original(draft, draft.change_child(child.name, is_held=False)),
    )


@rule
def terminate_all_restarts(patch):
    original = endings._restart

    def restart(draft: SupervisorDraft, child: Any, end: Any) -> None:
        if draft.strategy is Strategy.TERMINATE_ALL:
            endings._back_off(draft, child, end)
        else:
            original(draft, child, end)

    patch.setattr(endings, "_restart", restart)


# How often.


@rule
def the_restart_that_reaches_the_limit_is_one_too_many(patch):
    patch.setattr(intensity, "is_too_many", lambda moments, own: len(moments) >= own.max_restarts)


@rule
def one_restart_more_is_borne(patch):
    patch.setattr(
        intensity, "is_too_many", lambda moments, own: len(moments) > own.max_restarts + 1
    )


@rule
def restarts_never_grow_old(patch):
    patch.setattr(intensity, "recent", lambda moments, now, own: moments)


@rule
def a_restart_of_just_a_window_ago_does_not_count(patch):
    patch.setattr(
        intensity,
        "recent",
        lambda moments, now, own: tuple(one for one in moments if one > now - own.window),
    )


@rule
def failed_starts_of_a_restart_do_not_count(patch):
    original = endings._did_not_start

    def did_not_start(draft: SupervisorDraft, child: Any, end: Any) -> None:
        if child.if_not_ready is IfNotReady.RETRY:
            endings._back_off(draft, child, end)
        else:
            original(draft, child, end)

    patch.setattr(endings, "_did_not_start", did_not_start)


@rule
def all_children_are_restarted_again_and_again(patch):
    patch.setattr(intensity, "has_been_quiet", lambda state, now: True)


@rule
def a_quiet_window_changes_nothing(patch):
    patch.setattr(intensity, "has_been_quiet", lambda state, now: False)


@rule
def terminate_and_escalate_are_the_same(patch):
    original = SupervisorDraft.end

    def end(draft: SupervisorDraft, how: Any, reason: str, **named: Any) -> None:
        original(draft, SupervisorEnd.FAILED if "more than" in reason else how, reason, **named)

    patch.setattr(SupervisorDraft, "end", end)


# Waits.


@rule
def waits_do_not_grow(patch):
    patch.setattr(endings, "wait", lambda spec, failures, dice: backoff.wait(spec, 1, dice))


@rule
def waits_grow_for_ever(patch):
    patch.setattr(
        endings,
        "wait",
        lambda spec, failures, dice: spec.initial * 2 ** (failures - 1),
    )


@rule
def failures_are_never_forgiven(patch):
    patch.setattr(endings, "failures_so_far", lambda child, *others: child.failures)


@rule
def the_wait_is_a_moment_too_short(patch):
    patch.setattr(
        endings,
        "wait",
        changed(backoff.wait, lambda length: max(timedelta(0), length - timedelta(seconds=0.01))),
    )


# Order.


@rule
def children_start_all_at_once(patch):
    patch.setattr(
        strategies,
        "next_group",
        lambda children, strategy: [c for c in children if c.phase is ChildPhase.WAITING],
    )


@rule
def children_start_one_by_one(patch):
    patch.setattr(strategies, "next_group", changed(strategies.next_group, lambda group: group[:1]))


@rule
def the_start_does_not_wait_for_those_before(patch):
    patch.setattr(strategies, "_is_before", lambda child, first, strategy: False)


@rule
def the_start_does_not_wait_for_the_stops(patch):
    patch.setattr(strategies, "_is_leaving", lambda child, strategy: False)


@rule
def children_stop_all_at_once(patch):
    patch.setattr(shutdown, "_next_group", lambda draft: [c for c in draft.children if c.must_stop])


@rule
def children_stop_in_the_order_of_their_start(patch):
    def next_group(draft: SupervisorDraft) -> list[Any]:
        doomed = [child for child in draft.children if child.must_stop]
        if not doomed or any(c.phase is ChildPhase.STOPPING for c in draft.children):
            return []
        return [child for child in doomed if child.place == doomed[0].place]

    patch.setattr(shutdown, "_next_group", next_group)


@rule
def a_stop_does_not_wait_for_the_later_ones(patch):
    def next_group(draft: SupervisorDraft) -> list[Any]:
        doomed = [child for child in draft.children if child.must_stop]
        last = max((child.place for child in doomed), default=0)
        return [child for child in doomed if child.place == last]

    patch.setattr(shutdown, "_next_group", next_group)


# Starts that fail.


@rule
def a_failed_start_up_is_tried_again(patch):
    original = endings._did_not_start

    def did_not_start(draft: SupervisorDraft, child: Any, end: Any) -> None:
        if child.if_not_ready is IfNotReady.END:
            draft.move(child.name, ChildPhase.WAITING)
        else:
            original(draft, child, end)

    patch.setattr(endings, "_did_not_start", did_not_start)


@rule
def an_added_child_stays_although_it_did_not_start(patch):
    original = SupervisorDraft.add
    patch.setattr(
        SupervisorDraft,
        "add",
        lambda draft, plan, what: original(
            draft, plan, IfNotReady.STOP if what is IfNotReady.FORGET else what
        ),
    )


@rule
def a_start_that_a_person_asked_for_is_tried_again(patch):
    def restart_asked(draft: SupervisorDraft, event: Any) -> None:
        requests.restart_asked(draft, event)
        child = draft.find(event.name)
        if child is not None and child.if_not_ready is IfNotReady.STOP:
            draft.change_child(child.name, if_not_ready=IfNotReady.RETRY)

    patch.setitem(supervisor._NOTED, supervisor.RestartChildAsked, restart_asked)


@rule
def the_supervisor_is_ready_before_its_children(patch):
    original = supervisor._opened

    def opened(draft: SupervisorDraft, event: Any) -> None:
        original(draft, event)
        draft.do(TellParent())

    patch.setitem(supervisor._NOTED, supervisor.WasOpened, opened)


# Automatic shutdown.


@rule
def any_significant_waits_for_all(patch):
    original = strategies.ends_supervisor
    patch.setattr(
        strategies,
        "ends_supervisor",
        lambda auto, plan, left: original(
            AutoShutdown.ALL_SIGNIFICANT if auto is AutoShutdown.ANY_SIGNIFICANT else auto,
            plan,
            left,
        ),
    )


@rule
def all_significant_does_not_wait(patch):
    original = strategies.ends_supervisor
    patch.setattr(strategies, "ends_supervisor", lambda auto, plan, left: original(auto, plan, []))


@rule
def every_child_is_significant(patch):
    original = strategies.ends_supervisor
    patch.setattr(
        strategies,
        "ends_supervisor",
        lambda auto, plan, left: original(
            auto, plan.model_copy(update={"significant": True}), left
        ),
    )


@rule
def a_stop_by_others_shuts_the_supervisor_down(patch):
    original = endings._stopped

    def stopped(draft: SupervisorDraft, child: Any, end: Any) -> None:
        plan = draft.plan_of(child)
        original(draft, child, end)
        if plan.significant:
            draft.end(SupervisorEnd.SHUTDOWN, "a significant child was stopped")

    patch.setattr(endings, "_stopped", stopped)


# Requests, and news.


@rule
def terminated_children_are_started_again(patch):
    original = shutdown.stop
    patch.setattr(
        shutdown, "stop", lambda draft, child, after: original(draft, child, AfterStop.START)
    )


@rule
def a_restart_on_request_counts(patch):
    def restart_asked(draft: SupervisorDraft, event: Any) -> None:
        requests.restart_asked(draft, event)
        draft.change(restarts_in_all=draft.state.restarts_in_all + 1)

    patch.setitem(supervisor._NOTED, supervisor.RestartChildAsked, restart_asked)


@rule
def deleted_children_stay(patch):
    patch.setitem(supervisor._NOTED, supervisor.DeleteAsked, lambda draft, event: None)


@rule
def the_end_of_a_stopped_child_counts(patch):
    patch.setattr(endings, "_was_stopped", lambda child: False)


@rule
def a_sibling_that_dies_untold_counts(patch):
    patch.setattr(endings, "_was_stopped", lambda child: child.phase is ChildPhase.STOPPING)


@rule
def unhealthy_children_are_only_killed(patch):
    original = supervisor.child_ended

    def child_ended(draft: SupervisorDraft, child: Any, end: Any) -> None:
        if child.after is AfterStop.FAIL:
            child = draft.change_child(child.name, after=AfterStop.KEEP)
        original(draft, child, end)

    patch.setattr(supervisor, "child_ended", child_ended)


@rule
def news_of_earlier_incarnations_is_heard(patch):
    patch.setattr(SupervisorDraft, "hear", lambda draft, name, number: draft.find(name))


def is_noticed(tries: int = TRIES) -> bool:
    quick = settings(
        max_examples=tries,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=SUPPRESSED,
        phases=[Phase.generate],
    )
    try:
        find(st.tuples(supervisors(), seeds, lengths), lambda made: differs(*made), settings=quick)
    except NoSuchExample:
        return False
    return True


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_rule_is_noticed(broken, monkeypatch):
    BROKEN[broken](monkeypatch)
    assert is_noticed()


def test_rules_that_are_whole_are_not():
    assert not is_noticed(tries=500)
