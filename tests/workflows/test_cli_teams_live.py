"""The commands about teams, against teams that really live."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from documentation import ROOT, teams_of
from mainstay.cli.main import execute
from mainstay.client import Mainstay
from mainstay.connection import has_worker
from mainstay.schemas.ids import supervisor_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ChildPhase
from mainstay.settings import Settings
from mainstay.worker import running_worker

PROGRAM = Path(sys.executable).with_name("mainstay")
WAIT_SECONDS = 40

TEAM = """\
team: {name}
agents:
  clerk: {{prompt: You sell., model: "code:think.py:think", role: coordinator}}
  writer: {{prompt: You write., model: "code:think.py:think", limits: {{model_attempts: 1}}}}
children:
  - clerk
  - name: desk
    strategy: one_for_all
    children:
      - agent: writer
        count: 2
        shutdown: 5s
        errors: {{timeout: restart}}
"""
THINK = """\
from mainstay.schemas.errors import Unavailable

def think(prompt, entries):
    if "fail" in prompt:
        raise Unavailable("the pen broke")
    return f"You said {prompt}."
"""
EXTRA = "---\nname: extra\ndescription: Helps.\nmodel: code:think.py:think\n---\nYou help.\n"

Command = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest_asyncio.fixture
async def configured(temporal_server, tmp_path, monkeypatch) -> Settings:
    """A team's file, and settings that the command line reads."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MAINSTAY_TASK_QUEUE", uuid.uuid4().hex)
    monkeypatch.chdir(tmp_path)
    Path("think.py").write_text(THINK)
    Path("extra.md").write_text(EXTRA)
    return Settings()


@pytest_asyncio.fixture
async def mainstay(configured):
    async with (
        await Mainstay.connect(configured) as client,
        running_worker(client.temporal, configured),
    ):
        # A command that sees no worker runs one of its own, until Ctrl-C.
        await until(lambda: has_worker(client.temporal, configured.task_queue), "the worker")
        yield client


@pytest.fixture
def command(capsys) -> Command:
    """Run a command as the console script does; returns its exit code and what it printed."""

    async def run(*arguments: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(execute, arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest_asyncio.fixture
async def shop(mainstay: Mainstay, command: Command):
    """The name of a team that is up; the server is shared, so it has one of its own."""
    name = f"shop-{uuid.uuid4().hex[:8]}"
    Path("shop.yaml").write_text(TEAM.format(name=name))
    code, out, err = await command("team", "up", "shop.yaml", "--json")
    assert code == 0, err
    assert json.loads(out)["agents"] == {"running": 3}
    yield name
    team = mainstay.team(name)
    if not (await team.sight()).is_over:
        await team.down()


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    give_up = time.monotonic() + WAIT_SECONDS
    while not (found := await condition()):
        assert time.monotonic() < give_up, f"waited in vain for {what}"
        await asyncio.sleep(0.05)
    return found


async def states(mainstay: Mainstay, team: str) -> dict[str, str]:
    return {row.name.partition("/")[2]: row.state for row in await mainstay.store.team_agents(team)}


async def test_a_team_comes_up_works_and_goes_down(mainstay, command, shop):
    assert (await command("agent", "ask", f"{shop}/clerk", "hi"))[1] == "You said hi.\n"
    code, out, err = await command("team", "up", "shop.yaml")
    assert code == 6
    assert "is up already" in err
    code, out, err = await command("team", "down", shop, "--yes")
    assert code == 0, err
    assert out.startswith(f"team {shop} has ended")
    assert set((await states(mainstay, shop)).values()) == {LifeState.TERMINATED}
    assert shop not in (await command("team", "list"))[1]
    assert (await command("team", "down", shop, "--yes"))[0] == 4


async def test_a_team_that_has_ended_can_come_up_again(mainstay, command, shop):
    before = {row.agent_id for row in await mainstay.store.team_agents(shop)}
    assert (await command("team", "down", shop, "--yes"))[0] == 0
    assert (await command("team", "up", "shop.yaml"))[0] == 0
    after = {row.agent_id for row in await mainstay.store.team_agents(shop)}
    assert len(after) == 3
    assert not before & after, "it is another life, with agents of its own"


async def test_a_failure_is_shown_as_a_restart_and_the_team_goes_on(mainstay, command, shop):
    assert (await command("agent", "ask", f"{shop}/writer-1", "please fail"))[0] != 0

    async def restarted() -> bool:
        data = json.loads((await command("team", "tree", shop, "--json"))[1])
        desk = data["supervisor"]["children"][1]["supervisor"]
        return desk["restarts"] == 1 and data["agents"] == {"running": 3}

    await until(restarted, "the restart")
    assert (await command("agent", "ask", f"{shop}/writer-1", "hi"))[1] == "You said hi.\n"
    events = (await command("team", "events", shop))[1]
    assert "agent restarted" in events
    assert "the pen broke" in events


async def test_children_are_added_restarted_and_removed(mainstay, command, shop):
    code, _, err = await command("supervisor", "add", f"{shop}/desk", "extra.md")
    assert code == 0, err
    assert (await command("agent", "ask", f"{shop}/extra", "hi"))[1] == "You said hi.\n"
    listed = json.loads((await command("supervisor", "children", f"{shop}/desk", "--json"))[1])
    assert [one["name"] for one in listed["children"]] == ["writer-1", "writer-2", "extra"]

    assert (await command("supervisor", "add", f"{shop}/desk", "extra.md"))[0] != 0, "it is there"
    code, _, err = await command("supervisor", "restart", f"{shop}/desk", "extra")
    assert code == 0, err
    view = await mainstay.team(shop).view("desk")
    assert view.restarts == 0, "what is asked for is not counted"

    code, _, err = await command("supervisor", "remove", f"{shop}/desk", "extra")
    assert code == 0, err
    children = await mainstay.team(shop).which_children("desk")
    assert [one.name for one in children] == ["writer-1", "writer-2"]
    assert (await mainstay.store.get_agent(f"{shop}/extra")).state is LifeState.TERMINATED


async def test_a_stopped_child_is_kept_and_started_again(mainstay, command, shop):
    team = mainstay.team(shop)
    assert (await command("agent", "stop", f"{shop}/clerk"))[0] == 0
    assert (await team.which_children())[0].phase is ChildPhase.STOPPED
    listed = json.loads((await command("agent", "list", "--team", shop, "--json"))[1])
    assert {row["name"]: row["state"] for row in listed}[f"{shop}/clerk"] == "STOPPED"
    assert (await command("agent", "restart", f"{shop}/clerk"))[0] == 0
    assert (await command("agent", "ask", f"{shop}/clerk", "hi"))[1] == "You said hi.\n"


async def test_many_agents_are_paused_and_resumed_and_failures_reported(mainstay, command, shop):
    code, out, err = await command("agent", "pause", "--under", f"{shop}/desk", "--yes")
    assert (code, out) == (0, "2 of 2 agents paused\n"), err

    async def on_record() -> bool:
        found = await states(mainstay, shop)
        return found["writer-1"] == found["writer-2"] == LifeState.PAUSED

    await until(on_record, "the pause")
    assert (await states(mainstay, shop))["clerk"] is LifeState.RUNNING

    code, out, err = await command("agent", "resume", "--team", shop, "--yes")
    assert (code, out) == (1, "2 of 3 agents resumed\n")
    assert f"{shop}/clerk: not resumed:" in err

    code, out, _ = await command("agent", "pause", f"{shop}/clerk", f"{shop}/writer-2", "--json")
    assert code == 0
    assert [one["done"] for one in json.loads(out)] == [True, True]
    code, out, _ = await command("agent", "resume", "--team", shop, "--state", "paused", "--yes")
    assert (code, out) == (0, "2 of 2 agents resumed\n")


async def test_a_team_whose_root_was_terminated_is_ended_all_the_same(mainstay, command, shop):
    await mainstay.temporal.get_workflow_handle(supervisor_id(shop)).terminate("by hand")
    _, _, err = await command("team", "status", shop)
    assert "nothing drives its root supervisor" in err
    assert (await command("team", "up", "shop.yaml"))[0] == 6
    code, _, err = await command("team", "down", shop, "--yes")
    assert code == 0, err
    assert set((await states(mainstay, shop)).values()) == {LifeState.TERMINATED}
    agents = [row.agent_id for row in await mainstay.store.team_agents(shop)]
    for agent_id in agents:
        seen = await mainstay.temporal.get_workflow_handle(agent_id).describe()
        assert seen.close_time is not None


async def test_a_team_that_does_not_come_up_says_why(mainstay, command):
    name = f"bad-{uuid.uuid4().hex[:8]}"
    text = TEAM.format(name=name).replace("code:think.py:think", "code:none.py:think")
    Path("bad.yaml").write_text(text)
    code, _, err = await command("team", "up", "bad.yaml")
    assert code == 1
    assert "did not come up" in err
    assert "none.py" in err
    assert "Traceback" not in err


async def test_the_commands_of_the_guide_start_and_end_children_on_demand(mainstay, command):
    guide = ROOT / "docs" / "choose-a-strategy.md"
    name = f"helpdesk-{uuid.uuid4().hex[:8]}"
    text = teams_of(guide)["helpdesk.yaml"].replace("team: helpdesk", f"team: {name}")
    Path("helpdesk.yaml").write_text(text)
    shown = guide.read_text()
    assert "mainstay supervisor add helpdesk/cases --name case-17" in shown
    assert "mainstay supervisor remove helpdesk/cases case-17" in shown
    up = ("team", "up", "helpdesk.yaml", "--model", "code:think.py:think")
    assert (await command(*up))[0] == 0
    code, _, err = await command("supervisor", "add", f"{name}/cases", "--name", "case-17")
    assert code == 0, err
    listed = (await command("supervisor", "children", f"{name}/cases"))[1]
    assert "case-17" in listed
    agents = [row.name for row in await mainstay.store.team_agents(name)]
    assert len(agents) == 1
    assert (await command("agent", "ask", agents[0], "hi"))[1] == "You said hi.\n"
    assert (await command("supervisor", "remove", f"{name}/cases", "case-17"))[0] == 0
    assert not await mainstay.team(name).which_children("cases")
    assert (await command("team", "down", name, "--yes"))[0] == 0


async def test_a_child_that_does_not_start_is_told_and_the_events_say_why(mainstay, command, shop):
    Path("extra.md").write_text(EXTRA.replace("code:think.py:think", "code:none.py:think"))
    code, _, err = await command("supervisor", "add", shop, "extra.md")
    assert code == 1
    assert "'extra' did not start" in err

    async def told() -> bool:
        return "none.py" in (await command("team", "events", shop))[1]

    await until(told, "the reason")
    assert [one.name for one in await mainstay.team(shop).which_children()] == ["clerk", "desk"]


async def test_the_healing_example_heals_before_everybodys_eyes(configured, command):
    """The commands in the comment of examples/teams/healing.yaml, on a server of the test's."""
    text = (ROOT / "examples/teams/healing.yaml").read_text()
    assert "mainstay team up examples/teams/healing.yaml --watch" in text
    assert 'mainstay agent send healing/shop "Order 40 loaves"' in text
    watching = await asyncio.create_subprocess_exec(
        *(PROGRAM, "team", "up", "examples/teams/healing.yaml", "--watch"),
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:

        async def sent() -> bool:
            return (await command("agent", "send", "healing/shop", "Order 5 loaves"))[0] == 0

        await until(sent, "the team")

        async def healed() -> bool:
            code, out, _ = await command("team", "tree", "healing", "--json")
            return code == 0 and json.loads(out)["supervisor"]["restarts"] == 1

        await until(healed, "the restart")
        answered = await command("agent", "ask", "healing/shop", "Order 2 loaves")
        assert answered[1] == "All 2 loaves are here.\n"
        watching.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(watching.communicate(), WAIT_SECONDS)
        assert watching.returncode == 130
        assert b"agent restarted" in out
        assert b"`mainstay up` lets it go on" in err
    finally:
        if watching.returncode is None:
            watching.kill()
            await watching.communicate()
    async with (
        await Mainstay.connect(configured) as client,
        running_worker(client.temporal, configured),
    ):
        assert (await command("team", "down", "healing", "--yes"))[0] == 0


async def test_the_review_example_reviews_real_files_offline(mainstay, command, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MAINSTAY_MODEL", "script:examples/code-review/offline.yaml")
    code, _, err = await command("team", "up", "examples/teams/review.yaml")
    assert code == 0, err
    file = "examples/code-review/sample/ledger.py"
    code, answer, err = await command("agent", "ask", "review/reader-1", file)
    assert code == 0, err
    assert [one["line"] for one in json.loads(answer)["findings"]] == [18, 21, 17]
    assert (await command("team", "down", "review", "--yes"))[0] == 0
