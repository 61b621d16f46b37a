"""``mainstay replay``: whether today's code still does what a recorded run did."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.completion import complete_plan_id
from mainstay.cli.messages import hint, say
from mainstay.cli.panels import SET_UP

if TYPE_CHECKING:
    from temporalio.client import WorkflowHistory

    from mainstay.client import Mainstay

MAX_REASON_CHARS = 1_000

WhatArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE.json|ID",
        help="A history that `mainstay history ID --temporal` printed, or a plan.",
        autocompletion=complete_plan_id,
        show_default=False,
    ),
]


def replay(what: WhatArgument) -> None:
    """Replay a run's history against today's code. Exit code 1 where it does something else."""
    if not asyncio.run(_replay(what)):
        raise typer.Exit(1)


def register(root: typer.Typer) -> None:
    """Add this command."""
    root.command(rich_help_panel=SET_UP)(replay)


async def _replay(what: str) -> bool:
    from mainstay.worker import build_replayer

    path = Path(what)
    histories = [_read(path)] if _is_file(path) else await _fetch(what)
    replayer = build_replayer()
    is_fine = True
    for history in histories:
        which = f"{history.workflow_id}, run {history.run_id}"
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        if result.replay_failure is None:
            print(f"ok: {which}, {len(history.events)} events")
            continue
        is_fine = False
        reason = " ".join(str(result.replay_failure).split())
        print(f"diverges: {which}")
        say(f"error: {reason[:MAX_REASON_CHARS]}")
    if not is_fine:
        hint("a change of behaviour needs workflow.patched(...), so that old runs keep the old one")
    return is_fine


def _is_file(path: Path) -> bool:
    return path.suffix == ".json" or path.is_file()


def _read(path: Path) -> WorkflowHistory:
    from google.protobuf.json_format import ParseError
    from temporalio.client import WorkflowHistory

    from mainstay.schemas.errors import InvalidInput, NotFound

    try:
        history = WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))
        history.run_id  # noqa: B018 - raises when the history does not begin at the beginning
    except FileNotFoundError:
        raise NotFound(f"there is no file {str(path)!r}") from None
    except OSError as error:
        raise InvalidInput(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except (ParseError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise InvalidInput(
            f"{str(path)!r} is no history: {str(error)[:200]}",
            hint="`mainstay history ID --temporal > FILE.json` writes one",
        ) from None
    return history


async def _fetch(text: str) -> list[WorkflowHistory]:
    from mainstay.cli.reading import steering
    from mainstay.rebuild import fetch_histories

    async with steering() as mainstay:
        return await fetch_histories(mainstay.temporal, await _find(mainstay, text))


async def _find(mainstay: Mainstay, text: str) -> str:
    """Return the id of the plan, or else the agent, that a text means."""
    from mainstay.schemas.errors import NotFound

    try:
        return await mainstay.find(text)
    except NotFound as error:
        try:
            return (await mainstay.find_agent(text)).agent_id
        except NotFound:
            raise error from None
