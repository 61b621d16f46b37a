"""The order of tasks, against a slow and simple reference."""

from __future__ import annotations

from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.decisions.graph import ancestors, find_cycle, find_cycles, levels
from mainstay.schemas.errors import InvalidInput

Graph = dict[str, list[str]]


def reference_levels(needs: Graph) -> list[list[str]] | None:
    """Take what is ready, again and again, as the specification does; None for a cycle."""
    result: list[list[str]] = []
    done: set[str] = set()
    while len(done) < len(needs):
        ready = [
            task
            for task, wanted in needs.items()
            if task not in done and all(need in done or need not in needs for need in wanted)
        ]
        if not ready:
            return None
        result.append(ready)
        done.update(ready)
    return result


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names = [f"t{number}" for number in range(draw(st.integers(0, 9)))]
    names = draw(st.permutations(names))
    return {
        name: draw(st.lists(st.sampled_from([*names, "unknown"]), max_size=3)) for name in names
    }


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(graphs())
def test_levels_are_those_of_the_reference(needs: Graph) -> None:
    expected = reference_levels(needs)
    if expected is None:
        with pytest.raises(InvalidInput, match="wait for each other"):
            levels(needs)
    else:
        assert levels(needs) == expected


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(graphs())
def test_a_cycle_is_found_exactly_when_there_is_one_and_it_is_one(needs: Graph) -> None:
    cycle = find_cycle(needs)
    assert (cycle is None) == (reference_levels(needs) is not None)
    if cycle is not None:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(need in needs[task] for task, need in pairwise(cycle))


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(graphs())
def test_without_the_cycles_found_nothing_waits_for_itself(needs: Graph) -> None:
    cycles = find_cycles(needs, at_most=100)
    gone = [task for cycle in cycles for task in cycle[1:]]
    assert len(gone) == len(set(gone))
    left = {task: wanted for task, wanted in needs.items() if task not in gone}
    assert find_cycle(left) is None


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(graphs())
def test_ancestors_are_what_can_be_reached_along_needs(needs: Graph) -> None:
    for name in needs:
        reached: set[str] = set()
        while True:
            wider = {
                need for task in (*reached, name) for need in needs[task] if need in needs
            } | reached
            if wider == reached:
                break
            reached = wider
        assert ancestors(needs, name) == reached


def test_levels_keep_the_order_of_the_file() -> None:
    needs = {"d": ["b", "c"], "c": ["a"], "b": ["a"], "a": [], "z": []}
    assert levels(needs) == [["a", "z"], ["c", "b"], ["d"]]


def test_the_shortest_cycle_through_its_first_task_is_shown() -> None:
    needs = {"x": ["a"], "a": ["b", "c"], "b": ["c"], "c": ["a"]}
    assert find_cycle(needs) == ["a", "c", "a"]
    with pytest.raises(InvalidInput, match="a -> c -> a"):
        levels(needs)


def test_a_task_that_needs_itself_is_a_cycle() -> None:
    assert find_cycle({"a": ["a"]}) == ["a", "a"]


def test_an_unknown_task_has_no_ancestors() -> None:
    assert ancestors({"a": []}, "b") == set()


def test_twenty_thousand_tasks_take_linear_time() -> None:
    chain = {f"t{i}": [f"t{i - 1}"] if i else [] for i in range(20_000)}
    backwards = dict(reversed(chain.items()))
    circle = {**backwards, "t0": ["t19999"]}
    started = perf_counter()
    assert len(levels(chain)) == len(levels(backwards)) == 20_000
    assert len(find_cycle(circle) or []) == 20_001
    assert len(ancestors(chain, "t19999")) == 19_999
    assert perf_counter() - started < 5, "about a tenth of a second on a quiet machine"
