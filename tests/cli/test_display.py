"""What the live picture of a plan shows, on screens of any size."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from mainstay.cli.display import Screen, Sight, draw, select
from mainstay.schemas.records import PlanRow, TaskRow
from mainstay.schemas.run import PlanStatus, TaskStatus

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NOW = START + timedelta(seconds=90)
ID = "plan/demo/ab12"


def a_plan(status: PlanStatus = PlanStatus.RUNNING, **more) -> PlanRow:
    times = {"created_at": START, "started_at": START}
    return PlanRow(plan_id=ID, name="demo", status=status, **times, **more)


def a_task(position: int, status: TaskStatus, **more) -> TaskRow:
    name = more.pop("name", f"task{position}")
    return TaskRow(plan_id=ID, name=name, position=position, status=status, **more)


def picture(sight: Sight, screen: Screen) -> list[str]:
    console = Console(file=io.StringIO(), width=screen.width, height=screen.height, record=True)
    console.print(draw(sight, NOW, screen))
    return console.export_text(styles=False).splitlines()


def text_of(tasks: list[TaskRow], screen: Screen | None = None, **more) -> str:
    plan = more.pop("plan", a_plan(tasks_total=len(tasks)))
    return "\n".join(picture(Sight(plan, tasks, **more), screen or Screen(120, 30)))


def test_header_names_the_plan_its_state_its_time_and_its_counts():
    tasks = [a_task(0, TaskStatus.SUCCEEDED), a_task(1, TaskStatus.RUNNING)]
    lines = picture(Sight(a_plan(tasks_total=2, tasks_done=1), tasks), Screen(100, 20))
    assert lines[0].split() == [ID, "▶", "running", "1m", "30s"]
    assert lines[1] == "1 of 2 tasks done: 1 running, 1 succeeded"


def test_every_state_has_a_symbol_and_its_word():
    for status in TaskStatus:
        line = text_of([a_task(0, status)]).splitlines()[2]
        symbol, word = line.removeprefix("└─ ").split()[:2]
        assert word == status
        assert not symbol.isalnum()


def test_for_each_has_a_bar_as_long_as_what_is_done():
    task = a_task(0, TaskStatus.RUNNING, items_total=1000, items_done=250, started_at=START)
    shown = text_of([task])
    assert "█" * 5 + "░" * 15 + " 250/1,000" in shown
    assert "█" not in text_of([task], Screen(50, 20))
    assert "250/1,000" in text_of([task], Screen(50, 20))


def test_a_list_without_items_is_done():
    assert "█" * 20 + " 0/0" in text_of([a_task(0, TaskStatus.SUCCEEDED, items_total=0)])


def test_running_task_shows_its_last_line_and_its_attempt():
    task = a_task(0, TaskStatus.RUNNING, attempt=2, last_line="compiling", started_at=START)
    assert "1m 30s  attempt 2  compiling" in text_of([task])


def test_ended_task_keeps_the_time_it_took():
    times = {"started_at": START, "ended_at": START + timedelta(seconds=4.2)}
    assert "4.2s  42 files" in text_of(
        [a_task(0, TaskStatus.SUCCEEDED, message="42 files", **times)]
    )


def test_footer_says_what_it_waits_for_and_what_to_type():
    shown = text_of([a_task(0, TaskStatus.ASKING, name="ship", message="Ship it?")])
    assert "waits for an answer to ship: Ship it?" in shown
    assert f"mainstay approve {ID} ship" in shown


def test_command_to_type_is_folded_on_a_narrow_screen_and_never_cut():
    lines = picture(Sight(a_plan(), [a_task(0, TaskStatus.ASKING, name="ship")]), Screen(36, 20))
    assert f"mainstay approve {ID} ship" in " ".join(" ".join(lines).split())


def test_footer_names_the_sub_plan_that_asks():
    child = PlanRow(
        plan_id=f"{ID}/deploy", name="deploy", status=PlanStatus.RUNNING, created_at=START
    )
    asking = [TaskRow(plan_id=child.plan_id, name="go", position=0, status=TaskStatus.ASKING)]
    shown = text_of([a_task(0, TaskStatus.RUNNING)], sub_plans=[(child, asking)])
    assert f"mainstay approve {ID}/deploy go" in shown


def test_note_of_the_watcher_is_the_last_line():
    shown = text_of([a_task(0, TaskStatus.RUNNING)], note="no worker serves the plans")
    assert shown.splitlines()[-1] == "no worker serves the plans"


def test_what_needs_somebody_is_shown_first_and_the_rest_is_counted():
    tasks = [a_task(n, TaskStatus.SUCCEEDED, ended_at=START) for n in range(9000)]
    tasks += [a_task(9000 + n, TaskStatus.PENDING) for n in range(997)]
    tasks += [
        a_task(9997, TaskStatus.ASKING),
        a_task(9998, TaskStatus.FAILED, message="boom"),
        a_task(9999, TaskStatus.RUNNING),
    ]
    lines = picture(Sight(a_plan(tasks_total=10000), tasks), Screen(100, 12))
    assert len(lines) <= 12
    tree = "\n".join(line for line in lines if line.startswith("├─"))
    assert all(f"task{n}" in tree for n in (9997, 9998, 9999))
    last = next(line for line in lines if line.startswith("└─"))
    assert last.startswith("└─ and ")
    assert "997 pending" in last


def test_newest_ends_are_preferred_and_the_order_of_the_file_is_kept():
    tasks = [
        a_task(n, TaskStatus.SUCCEEDED, ended_at=START + timedelta(seconds=n)) for n in range(50)
    ]
    assert [task.position for task in select(tasks, 3)] == [47, 48, 49]


def test_foreign_text_cannot_move_the_cursor():
    shown = text_of([a_task(0, TaskStatus.RUNNING, last_line="a\x1b[2Jb\rc\nd\u202ee")])
    assert all(line.isprintable() for line in shown.splitlines())
    assert "[2Jb c d" in shown


def test_without_unicode_every_character_is_ascii():
    tasks = [
        a_task(0, TaskStatus.RUNNING, items_total=4, items_done=2, last_line="größer"),
        a_task(1, TaskStatus.FAILED, message="x" * 300),
    ]
    shown = text_of(tasks, Screen(70, 20, symbols=False))
    assert shown.isascii()
    assert "###---" in shown


def test_a_plan_that_has_ended_waits_for_nothing():
    plan = a_plan(PlanStatus.FAILED, ended_at=NOW)
    assert "waits for" not in text_of([a_task(0, TaskStatus.FAILED)], plan=plan)


texts = st.text(max_size=60)
tasks_of_any_kind = st.lists(
    st.builds(
        TaskRow,
        plan_id=st.just(ID),
        name=st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,50}", fullmatch=True),
        position=st.integers(0, 100),
        status=st.sampled_from(TaskStatus),
        attempt=st.integers(1, 12),
        items_total=st.none() | st.integers(0, 10**6),
        items_done=st.integers(0, 10**6),
        message=texts,
        last_line=texts,
        started_at=st.none() | st.just(START),
        ended_at=st.none() | st.just(NOW),
    ),
    max_size=40,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(tasks_of_any_kind, st.integers(1, 200), st.integers(1, 60), st.booleans(), texts)
def test_picture_never_exceeds_the_screen(tasks, width, height, symbols, note):
    screen = Screen(width, height, symbols)
    group = draw(Sight(a_plan(tasks_total=len(tasks)), tasks, note=note), NOW, screen)
    lines = list(group.renderables)
    assert len(lines) <= max(height, 6)
    assert all(cell_len(line.plain) <= max(width, 20) for line in lines)
    assert all("\n" not in line.plain for line in lines)


@pytest.mark.parametrize("status", PlanStatus)
def test_every_state_of_a_plan_can_be_drawn(status):
    assert status in text_of([], plan=a_plan(status))
