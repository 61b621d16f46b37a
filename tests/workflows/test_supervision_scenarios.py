"""Every strategy, restart type and escalation end to end, on a server that skips time.

The real supervisor runs; what must happen stands in tables that were written by hand.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
import pytest_asyncio
from scenario_extras import AUTO_SHUTDOWN, BACKOFFS, STARTS, STOPS, Extra
from scenario_scene import Scene, arranged, normal
from scenario_stage import Theatre, serving, theatre
from scenario_table import TABLE, Row
from scenario_trees import ENDS, ESCALATIONS, ORPHANS, REQUESTS
from team_stage import agent, lower, supervisor
from temporalio import workflow

from mainstay.connection import connect, ensure_search_attributes
from mainstay.schemas.supervision import SupervisorPlan, SupervisorResult
from mainstay.workflows.supervisor import Supervisor

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXTRAS = (*BACKOFFS, *STARTS, *STOPS, *AUTO_SHUTDOWN, *ESCALATIONS, *ENDS, *REQUESTS, *ORPHANS)
ROLLED = [row for row in TABLE[:27] if row[1:3] == ("permanent", "restart")]
SCRIPT = "10 fail b; 20 exit a; 30 fail b; 40 look s; 50 down"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage():
    async with theatre() as opened:
        yield opened


def scene_of(row: Row) -> tuple[SupervisorPlan, str]:
    """Return the team and the script for a line of the table."""
    is_dynamic = row.strategy == "dynamic"
    children = [agent(name, restart=row.restart) for name in ("w" if is_dynamic else "abc")]
    own = supervisor(
        *children, strategy=row.strategy, escalation=row.escalation, intensity=(1, 100)
    )
    root = supervisor(lower("s", restart="transient"), intensity=(9, 100), below={"s": own})
    starts = "2 start s/a; 3 start s/b; 4 start s/c; " if is_dynamic else ""
    return root, starts + SCRIPT


def seen(scene: Scene, trace: str, events: dict[str, str]) -> dict[str, object]:
    """Write down what is to be seen of a scene, as it is written in the tables."""
    return {
        "trace": arranged(scene.trace, trace),
        "events": {path: arranged(scene.events[path], some) for path, some in events.items()},
        "looks": scene.looks,
        "closed": " ".join(sorted(scene.closed)),
    }


def check_row(row: Row, scene: Scene, result: SupervisorResult) -> None:
    """See that a line of the table is what happened."""
    trace, events = f"{row.trace} {row.stops}", {"": row.root, "s": f"{row.events} {row.ends}"}
    assert seen(scene, trace, events) == {
        "trace": normal(trace),
        "events": {path: normal(some) for path, some in events.items()},
        "looks": [row.look],
        "closed": row.closed,
    }
    assert result.end == "stopped"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: " ".join(row[:3]))
async def test_every_strategy_restart_type_and_escalation(stage, row: Row):
    scene, result = await stage.play(*scene_of(row))
    check_row(row, scene, result)


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: extra.name)
async def test_scenario(stage, extra: Extra):
    scene, result = await stage.play(extra.root, extra.script)
    events = {"": extra.events, **extra.below}
    assert seen(scene, extra.trace, events) == {
        "trace": normal(extra.trace),
        "events": {path: normal(some) for path, some in events.items()},
        "looks": list(extra.looks),
        "closed": extra.closed,
    }
    assert result.end == extra.end
    assert set(scene.events) == set(events)


@pytest_asyncio.fixture(loop_scope="module")
async def real_stage(temporal_server, settings):
    """The real server, in real time: the other one stands still after a continue-as-new."""
    client = await connect(settings, address=temporal_server.address)
    await ensure_search_attributes(client)
    async with serving(client):
        yield Theatre(client, skips_time=False)


async def test_nothing_changes_when_supervisors_continue_as_new_whenever_they_are_at_rest(
    real_stage, monkeypatch
):
    rolled = Counter()

    def is_due(self) -> bool:
        is_so = workflow.info().get_current_history_length() > 12 and self._is_at_rest()
        if is_so and not workflow.unsafe.is_replaying():
            rolled[self._request.supervisor_id] += 1
        return is_so

    monkeypatch.setattr(Supervisor, "_is_due", is_due)
    played = await asyncio.gather(*(real_stage.play(*scene_of(row), seconds=40) for row in ROLLED))
    for row, (scene, result) in zip(ROLLED, played, strict=True):
        check_row(row, scene, result)
        assert rolled[f"supervisor/{scene.team}/s"] >= 2


async def test_long_history_continues_as_new_and_no_restart_is_forgotten(real_stage):
    root = supervisor(*map(agent, "abc"), strategy="one_for_all", intensity=(2, 100))
    script = "10 fail b; 20 look; 30 fail c; 40 look; 50 fail a; 60 look"
    scene, result = await real_stage.play(root, script, rollover=50, seconds=40)
    trace = "+a +b +c !b ~c ~a +a2 +b2 +c2 !c ~b ~a +a3 +b3 +c3 !a ~c ~b"
    assert arranged(scene.trace, trace) == trace
    assert scene.looks == [
        "RUNNING rrr left 1 made 1",
        "RUNNING rrr left 0 made 2",
        "TERMINATED xxx left 0 made 2",
    ]
    assert result.end == "failed"
    assert await real_stage.runs_before(scene) >= 1
