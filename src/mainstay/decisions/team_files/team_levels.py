"""Where everybody stands in a team: names of instances, and the part of each supervisor.

Rules:
    1. A child is called by its plan's name; instance ``i`` of several is ``name-i``, from 1.
    2. A path is the names of supervisors from below the root, joined by ``/``.
    3. What is below a supervisor of which there may be several is there several times. The names
       of its agents begin with the name of that instance and a dot: ``squad-2.reviewer``. Names
       that people choose hold no dot, so no agent of a team has another one's name.
    4. Supervisors keep their names; their paths tell them apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.errors import NotFound
from mainstay.schemas.supervision import ChildKind, ChildPlan, SupervisorPlan, TeamPlan
from mainstay.schemas.team import Strategy

_INSTANCE = re.compile(r"(.+)-([1-9][0-9]{0,4})")


def child_names(plan: ChildPlan) -> tuple[str, ...]:
    """Return the names of a plan's instances, in starting order."""
    if plan.count == 1:
        return (plan.name,)
    return tuple(f"{plan.name}-{number}" for number in range(1, plan.count + 1))


def level(plan: TeamPlan, path: str) -> SupervisorPlan:
    """Return the part of a team that one supervisor sees to, its agents under their full names.

    Args:
        plan: the team.
        path: the supervisor; empty for the root.

    Raises:
        NotFound: the team has no such supervisor.
    """
    found, prefix = plan.root, ""
    for part in path.split("/") if path else ():
        child = _supervisor_named(found, part)
        if child is None:
            names = [name for one in _supervisors(found) for name in child_names(one)]
            raise NotFound(
                f"the team {plan.team!r} has no supervisor {path!r}",
                hint=did_you_mean(part, names) or f"`mainstay team tree {plan.team}` shows them",
            )
        if child.count > 1 or found.policy.strategy is Strategy.DYNAMIC:
            prefix += f"{part}."
        found = found.supervisors[child.name]
    return _with_prefix(found, prefix) if prefix else found


def all_agents(plan: TeamPlan) -> dict[str, int]:
    """Count a team's agents by role once it is up; those of dynamic supervisors come later."""
    counts: Counter[str] = Counter()
    _count(plan.root, 1, counts)
    return dict(sorted(counts.items()))


def clashing_names(names: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return names that are also an instance of another one: pairs of the name and that one.

    Args:
        names: of the children of one part of a team, with how many there are of each.
    """
    found = []
    for name in names:
        match = _INSTANCE.fullmatch(name)
        if match and 1 < names.get(match[1], 0) >= int(match[2]):
            found.append((name, match[1]))
    return found


def _supervisors(plan: SupervisorPlan) -> list[ChildPlan]:
    return [one for one in plan.children if one.kind is ChildKind.SUPERVISOR]


def _supervisor_named(plan: SupervisorPlan, name: str) -> ChildPlan | None:
    supervisors = _supervisors(plan)
    if plan.policy.strategy is Strategy.DYNAMIC:
        # Whoever starts one gives it a name.
        return next(iter(supervisors), None)
    match = _INSTANCE.fullmatch(name)
    for child in supervisors:
        if child.count == 1 and child.name == name:
            return child
        if child.count > 1 and match and match[1] == child.name and int(match[2]) <= child.count:
            return child
    return None


def _with_prefix(plan: SupervisorPlan, prefix: str) -> SupervisorPlan:
    children = tuple(
        one.model_copy(update={"name": prefix + one.name}) if one.kind is ChildKind.AGENT else one
        for one in plan.children
    )
    return plan.model_copy(update={"children": children})


def _count(plan: SupervisorPlan, times: int, counts: Counter[str]) -> None:
    if plan.policy.strategy is Strategy.DYNAMIC:
        return
    for child in plan.children:
        if child.kind is ChildKind.AGENT:
            counts[child.role] += times * child.count
        else:
            _count(plan.supervisors[child.name], times * child.count, counts)
