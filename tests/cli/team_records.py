"""A team on record: its supervisors and agents as their workflows would have written them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.ids import supervisor_id, supervisor_row_id, team_agent_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message
from mainstay.schemas.supervision import ChildKind, ChildPhase, ChildView, SupervisorView
from mainstay.schemas.supervision_calls import (
    Severity,
    SupervisionEvent,
    SupervisionEventType,
)
from mainstay.schemas.team import Restart, Strategy
from mainstay.storage.store import Store, open_store

NOW = datetime(2020, 1, 1, tzinfo=UTC)
RUN = "0123abcd"


def child(name: str, phase: ChildPhase = ChildPhase.RUNNING, **more: Any) -> ChildView:
    """An agent as its supervisor sees it."""
    team = more.pop("team", "shop")
    return ChildView(
        name=name,
        kind=ChildKind.AGENT,
        id=team_agent_id(team, RUN, name),
        phase=phase,
        restart=Restart.PERMANENT,
        since=NOW,
        **more,
    )


def lower(name: str, path: str) -> ChildView:
    """A supervisor as the one above it sees it."""
    return child(name).model_copy(
        update={"kind": ChildKind.SUPERVISOR, "id": supervisor_id("shop", path)}
    )


def view(path: str = "", *children: ChildView, team: str = "shop", **more: Any) -> SupervisorView:
    """A supervisor at a glance."""
    given = {
        "life": LifeState.RUNNING,
        "strategy": Strategy.ONE_FOR_ONE,
        "max_restarts": 3,
        "window": timedelta(seconds=5),
        "restarts_left": 2,
        # It counts however long the test takes.
        "counted": (datetime(2100, 1, 1, tzinfo=UTC),),
        "restarts": 1,
        **more,
    }
    return SupervisorView(
        supervisor_id=supervisor_id(team, path),
        row_id=supervisor_row_id(team, RUN, path),
        team=team,
        path=path,
        children=children,
        **given,
    )


def row(name: str, path: str = "", state: LifeState = LifeState.RUNNING, **more: Any) -> AgentRow:
    """An agent of the team ``shop``."""
    return AgentRow(
        agent_id=team_agent_id("shop", RUN, name),
        name=f"shop/{name}",
        state=state,
        supervisor_id=supervisor_row_id("shop", RUN, path),
        created_at=NOW,
        updated_at=NOW,
        **more,
    )


VIEWS = (
    view(
        "",
        child("clerk", restarts=2),
        lower("desk", "desk"),
        child("porter", ChildPhase.STOPPED, is_held=True, detail="model 'x:y' is unknown"),
        detail="",
    ),
    view("desk", child("writer"), child("critic", ChildPhase.BACKING_OFF, restarts=1)),
)
ROWS = (
    row("clerk", role="coordinator", capabilities=("selling",)),
    row("porter", state=LifeState.ERROR, detail="model 'x:y' is unknown"),
    row("writer", "desk"),
    row("critic", "desk", LifeState.RESTARTING, role="critic"),
)


async def fill(folder: Path) -> None:
    """Put the team ``shop`` on record, and one that has ended."""
    store = await open_store(f"sqlite:///{folder}/mainstay.db")
    for one in VIEWS:
        parent = supervisor_row_id("shop", RUN) if one.path else ""
        await store.put_supervisor(one, RUN, parent, _events(one))
    for agent in ROWS:
        await store.create_agent(agent)
    await _give_work(store)
    over = view("", team="old", life=LifeState.TERMINATED, detail="taken down")
    await store.put_supervisor(over, RUN, "", ())
    await store.close()


def _events(one: SupervisorView) -> tuple[SupervisionEvent, ...]:
    if one.path:
        return ()
    return (
        SupervisionEvent(
            supervisor_id=one.row_id,
            subject_id=one.children[0].id,
            key="restarted",
            type=SupervisionEventType.AGENT_RESTARTED,
            severity=Severity.MEDIUM,
            child="clerk",
            message="it \x1b[31mfell\nover",
            at=NOW,
        ),
    )


async def _give_work(store: Store) -> None:
    """Let the clerk work on one message of two that it has taken, while another waits."""
    clerk = ROWS[0].agent_id
    for number, text in enumerate(("Sell the red lamp", "Sell the blue lamp", "Close"), 1):
        message = Message(
            id=f"00000000-0000-4000-8000-00000000000{number}",
            receiver=clerk,
            text=text,
            created_at=NOW,
        )
        await store.send_messages([message])
    await store.settle_and_take(clerk, [], [], 1, 2, NOW)
