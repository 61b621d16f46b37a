"""``watch``: follow a plan until it ends."""

from __future__ import annotations

import asyncio

import typer

from mainstay.cli.arguments import JsonOption, PlanIdArgument, ToolsOption
from mainstay.cli.panels import RUN


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel=RUN)(watch)


def watch(plan: PlanIdArgument, as_json: JsonOption = False, tools: ToolsOption = None) -> None:
    """Follow a plan until it ends; one that was killed is taken up by that."""
    asyncio.run(_watch(plan, as_json, tools or []))


async def _watch(text: str, as_json: bool, tools: list[str]) -> None:
    from mainstay.cli.ending import conclude
    from mainstay.cli.follow import Left, follow
    from mainstay.cli.session import open_session
    from mainstay.cli.shows import choose_show
    from mainstay.settings import Settings

    async with open_session(Settings(), need_worker=True, tools=tools) as opened:
        plan = opened.mainstay.plan(await opened.mainstay.find(text))
        try:
            result = await follow(opened, plan, choose_show(as_json=as_json))
        except Left as left:
            raise typer.Exit(left.exit_code) from None
        await conclude(opened.mainstay, result, as_json=as_json)
