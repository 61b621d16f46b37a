"""The order that ``needs`` imposes on tasks.

Rules:
    1. A task stands in the first level after those of all tasks it needs. Source: specification
       001, Dependency Resolution.
    2. Inside a level, tasks keep the order of the file.
    3. A need that names no task is no edge; whoever checks names reports it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from mainstay.schemas.errors import InvalidInput

Needs = Mapping[str, Sequence[str]]
"""For each task, in the order of the file, the tasks that must end before it."""


def levels(needs: Needs) -> list[list[str]]:
    """Return the tasks by level; those of a level depend on earlier levels only.

    Raises:
        InvalidInput: tasks wait for each other; the message shows the cycle.
    """
    waiting, dependents = _edges(needs)
    level = [task for task, count in waiting.items() if not count]
    order = {task: position for position, task in enumerate(needs)}
    result = []
    while level:
        result.append(level)
        following = []
        for task in level:
            for dependent in dependents[task]:
                waiting[dependent] -= 1
                if not waiting[dependent]:
                    following.append(dependent)
        level = sorted(following, key=order.__getitem__)
    if sum(map(len, result)) < len(needs):
        shown = " -> ".join(find_cycle(needs) or [])
        raise InvalidInput(
            f"tasks wait for each other: {shown}", hint="remove one of these from `needs`"
        )
    return result


def find_cycle(needs: Needs) -> list[str] | None:
    """Return a cycle to show, ``[a, b, a]`` where a needs b and b needs a; None without any.

    It is the shortest one through its first task. Takes time in proportion to the graph.
    """
    stuck = _stuck(needs)
    if not stuck:
        return None
    # Whoever is stuck needs someone who is stuck, so that this walk must meet itself.
    walk: dict[str, int] = {}
    task = next(task for task in needs if task in stuck)
    while task not in walk:
        walk[task] = len(walk)
        task = next(need for need in needs[task] if need in stuck)
    on_cycle = {one for one, position in walk.items() if position >= walk[task]}
    return _way_back(needs, stuck, next(one for one in needs if one in on_cycle))


def find_cycles(needs: Needs, at_most: int = 20) -> list[list[str]]:
    """Return cycles that share no task, in the order of the file."""
    found: list[list[str]] = []
    left = dict(needs)
    while len(found) < at_most and (cycle := find_cycle(left)):
        found.append(cycle)
        for task in cycle[1:]:
            left.pop(task)
    return found


def ancestors(needs: Needs, name: str) -> set[str]:
    """Return every task that must end before a task, directly or not."""
    found: set[str] = set()
    pending = list(needs.get(name, ()))
    while pending:
        task = pending.pop()
        if task in needs and task not in found:
            found.add(task)
            pending.extend(needs[task])
    return found


def _edges(needs: Needs) -> tuple[dict[str, int], dict[str, list[str]]]:
    waiting: dict[str, int] = {}
    dependents: dict[str, list[str]] = {task: [] for task in needs}
    for task, wanted in needs.items():
        known = [need for need in dict.fromkeys(wanted) if need in needs]
        waiting[task] = len(known)
        for need in known:
            dependents[need].append(task)
    return waiting, dependents


def _stuck(needs: Needs) -> set[str]:
    """Return the tasks that can never start: those on a cycle, or behind one."""
    waiting, dependents = _edges(needs)
    free = [task for task, count in waiting.items() if not count]
    stuck = set(needs)
    while free:
        task = free.pop()
        stuck.discard(task)
        for dependent in dependents[task]:
            waiting[dependent] -= 1
            if not waiting[dependent]:
                free.append(dependent)
    return stuck


def _way_back(needs: Needs, among: set[str], start: str) -> list[str]:
    """Return the shortest way from a task, which is on a cycle, along its needs back to itself."""
    came_from: dict[str, str] = {}
    queue = deque([start])
    while start not in came_from:
        task = queue.popleft()
        for need in needs[task]:
            if need in among and need not in came_from:
                came_from[need] = task
                queue.append(need)
    way = [start, came_from[start]]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
