"""Makes teams for Hypothesis, all of them valid, and writes them as people would."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from mainstay.schemas.agent import AgentSpec, OnFailure, Role
from mainstay.schemas.team import (
    AutoShutdown,
    BackoffSpec,
    ChildSpec,
    ErrorAction,
    ErrorPolicy,
    Escalation,
    HealthSpec,
    IntensitySpec,
    Orphans,
    Restart,
    Strategy,
    SupervisorSpec,
    TeamLimits,
    TeamSpec,
)


def agent(name: str, role: Role = Role.WORKER) -> AgentSpec:
    return AgentSpec(name=name, role=role, prompt="Go.", model="script:x.yaml")


CATALOGUE = (
    agent("writer"),
    agent("reviewer"),
    agent("judge", Role.CRITIC),
    agent("censor", Role.CRITIC),
    agent("planner", Role.PLANNER),
)

_durations = st.integers(0, 10_000).map(lambda number: timedelta(milliseconds=number * 250))
_texts = st.text("aé語😀: #-'\"{[5~\n", max_size=10)
_actions = st.sampled_from(ErrorAction)
_shared = {
    "restart": st.sampled_from([Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY]),
    "backoff": st.builds(
        BackoffSpec,
        initial=st.integers(0, 60).map(lambda number: timedelta(seconds=number)),
        factor=st.floats(1, 100),
        jitter=st.floats(0, 1),
    ),
}
_shutdowns = st.sampled_from([None, "brutal_kill", "infinity"]) | _durations
_policies = {
    "intensity": st.builds(IntensitySpec, max_restarts=st.integers(0, 9), window=_durations),
    "escalation": st.sampled_from(Escalation),
    "orphans": st.sampled_from(Orphans),
}


@st.composite
def teams(draw: st.DrawFn) -> TeamSpec:
    """Make a team of up to three levels, whose children have names of their own."""
    numbers = iter(range(1000))
    root = draw(_supervisors(numbers, depth=2, can_be_empty=False))
    return TeamSpec(
        **dict(root),
        team=draw(st.sampled_from(["made", "a-team", "_t1"])),
        description=draw(_texts),
        agents={"own": agent("own"), "null": agent("true")},
        roles={} if root.strategy is Strategy.DYNAMIC else draw(
            st.dictionaries(st.sampled_from(["planner", "reviewer"]), st.integers(1, 3))
        ),
        limits=TeamLimits(agents=draw(st.none() | st.just(10**9)), roles={"critic": 10**9}),
        health=draw(st.builds(HealthSpec, interval=_durations, sample=st.integers(1, 9))),
    )  # fmt: skip


@st.composite
def _supervisors(
    draw: st.DrawFn, numbers: Any, depth: int, can_be_empty: bool = True
) -> SupervisorSpec:
    strategy = draw(st.sampled_from(Strategy))
    is_dynamic = strategy is Strategy.DYNAMIC
    least = 0 if can_be_empty and not is_dynamic else 1
    number = 1 if is_dynamic else draw(st.integers(least, 4))
    policy = {key: draw(one) for key, one in _policies.items()}
    children = [draw(_children(numbers, depth, is_dynamic)) for _ in range(number)]
    if not can_be_empty and not any(one.agent for one in children):
        children[0] = ChildSpec(name=f"c{next(numbers)}", agent="writer")
    shutdown = AutoShutdown.NEVER
    if number and not is_dynamic and draw(st.booleans()):
        shutdown = draw(st.sampled_from(AutoShutdown))
    if shutdown is not AutoShutdown.NEVER:
        change = {"restart": Restart.TEMPORARY, "significant": True}
        children[-1] = children[-1].model_copy(update=change)
    return SupervisorSpec(strategy=strategy, auto_shutdown=shutdown, children=children, **policy)


@st.composite
def _children(draw: st.DrawFn, numbers: Any, depth: int, is_dynamic: bool) -> ChildSpec:
    name = f"c{next(numbers)}"
    count = 1 if is_dynamic else draw(st.integers(1, 3))
    shared = {key: draw(one) for key, one in _shared.items()}
    if depth and draw(st.integers(0, 3)) == 0:
        lower = draw(_supervisors(numbers, depth - 1))
        return ChildSpec(name=name, count=count, supervisor=lower, **shared)
    return ChildSpec(
        name=name,
        count=count,
        agent=draw(st.sampled_from(["writer", "judge", "own", "null"])),
        shutdown=draw(_shutdowns),
        model=draw(st.sampled_from([None, "openai:x", "code:a.b:c"])),
        errors=draw(st.none() | st.builds(ErrorPolicy, fatal=_actions, other=_actions)),
        on_failure=draw(st.none() | st.sampled_from(OnFailure)),
        **shared,
    )


def shortened(spec: TeamSpec) -> dict[str, Any]:
    """Return a team as data, without defaults, supervisors' keys beside their names."""
    data = spec.model_dump(mode="json", exclude_defaults=True)
    data["children"] = [_shortened(one) for one in data.get("children", [])]
    return data


def _shortened(child: dict[str, Any]) -> Any:
    if list(child) == ["agent"]:
        return child["agent"]
    lower = child.pop("supervisor", None)
    if lower is None:
        return child
    lower["children"] = [_shortened(one) for one in lower.get("children", [])]
    return child | lower
