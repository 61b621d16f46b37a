"""Waiting for a team from outside, while the server has too much to do to be asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from team_stage import TeamStage, agent, supervisor
from temporalio.service import RPCError, RPCStatusCode

from mainstay import team_handle
from mainstay.schemas.errors import Unavailable


async def test_server_too_busy_to_say_who_works_is_waited_for(lone_stage, monkeypatch):
    asked = []

    async def too_busy(*_: object) -> bool:
        asked.append(1)
        raise RPCError("operation was canceled", RPCStatusCode.CANCELLED, b"")

    monkeypatch.setattr(team_handle, "has_worker", too_busy)
    monkeypatch.setattr(team_handle, "STILL_SECONDS", 0.05)
    team = await TeamStage(lone_stage).up(supervisor(agent("a")))
    handle = lone_stage.mainstay.team(team.name)
    with pytest.raises(Unavailable, match="is not ready in time"):
        await handle.wait_ready(timeout=timedelta(seconds=1))
    assert asked
