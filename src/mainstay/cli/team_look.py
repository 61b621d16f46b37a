"""Looking at teams: ``team list``, ``status``, ``tree`` and ``events``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.arguments import JsonOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.printing import print_json, print_json_line, print_table
from mainstay.cli.team_completion import complete_supervisor, complete_team

if TYPE_CHECKING:
    from mainstay.agent_driving import Driving
    from mainstay.team_sight import TeamSight

LATEST_EVENTS = 5

TeamArgument = Annotated[
    str,
    typer.Argument(
        metavar="TEAM",
        help="The team's name.",
        autocompletion=complete_team,
        show_default=False,
    ),
]
PlaceArgument = Annotated[
    str,
    typer.Argument(
        metavar="TEAM[/PATH]",
        help="The team's name, with the path of a supervisor for that part of it alone.",
        autocompletion=complete_supervisor,
        show_default=False,
    ),
]
AllOption = Annotated[bool, option("--all", help="Those that have ended, too.")]
WatchOption = Annotated[
    bool, option("--watch", "-w", help="Draw it anew as it changes, until Ctrl-C.")
]
LimitOption = Annotated[int, option("--limit", min=1, max=1000, help="At most so many.")]


def list_teams(show_all: AllOption = False, as_json: JsonOption = False) -> None:
    """List teams: how each is, and how its agents are."""
    asyncio.run(_list(show_all, as_json))


def status(team: TeamArgument, as_json: JsonOption = False) -> None:
    """Show how a team is: its supervisors, what is wrong, what happened last, what to do next."""
    asyncio.run(_status(team, as_json))


def tree(place: PlaceArgument, watch: WatchOption = False, as_json: JsonOption = False) -> None:
    """Show a team as a tree: of each agent its state, its task, its restarts, its error."""
    asyncio.run(_watch(place, as_json) if watch else _tree(place, as_json))


def events(team: TeamArgument, limit: LimitOption = 100, as_json: JsonOption = False) -> None:
    """Show what a team's supervisors did, the oldest first: starts, ends, restarts, escalations."""
    asyncio.run(_events(team, limit, as_json))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("list")(list_teams)
    for command in (status, tree, events):
        app.command()(command)


async def _list(show_all: bool, as_json: bool) -> None:
    from mainstay.cli.reading import reading
    from mainstay.cli.team_tree import counts_of, supervisor_state

    async with reading() as mainstay:
        teams = await mainstay.teams(living=not show_all)
    if as_json:
        print_json(
            [
                {
                    "team": sight.team,
                    "state": sight.supervisors[0].life,
                    "agents": dict(sorted(counts_of(sight).items())),
                    "supervisors": len(sight.supervisors),
                    "restarts": sum(view.restarts for view in sight.supervisors),
                }
                for sight in teams
            ]
        )
        return
    if not teams:
        say("no teams")
        hint("`mainstay team up FILE` brings one up; --all shows those that have ended, too")
        return
    print_table(
        ["state", "team", "agents", "supervisors", "restarts", "detail"],
        [
            [
                supervisor_state(sight.supervisors[0]),
                sight.team,
                ", ".join(f"{n:,} {state}" for state, n in sorted(counts_of(sight).items())) or "-",
                f"{len(sight.supervisors):,}",
                f"{sum(view.restarts for view in sight.supervisors):,}",
                sight.supervisors[0].detail,
            ]
            for sight in teams
        ],
        whole=["team"],
    )


async def _status(name: str, as_json: bool) -> None:
    from mainstay.cli.reading import reading
    from mainstay.cli.team_reading import look, team_data
    from mainstay.cli.team_watch import event_line

    async with reading() as mainstay:
        team = mainstay.team(name)
        sight = await team.sight()
        driving = await look(mainstay, team)
        latest = await team.events(limit=LATEST_EVENTS)
    if as_json:
        print_json({**team_data(sight, {}, driving), "events": latest})
        return
    _print_status(sight)
    if latest:
        print()
    for event in latest:
        print(event_line(event))
    tell_driving(sight.team, driving)
    _tell_next(sight)


def _print_status(sight: TeamSight) -> None:
    from mainstay.cli.printing import format_time, print_state
    from mainstay.cli.team_tree import counts_of, restarts_left, supervisor_state

    root = sight.supervisors[0]
    print(sight.team)
    print_state("  state       ", supervisor_state(root), f": {root.detail}" if root.detail else "")
    counts = ", ".join(f"{n:,} {state}" for state, n in sorted(counts_of(sight).items()))
    print(f"  agents      {counts or 'none'}")
    print(f"  mailboxes   {sum(row.pending for row in sight.agents):,} waiting")
    since = [child.since for child in sight.children]
    if since:
        print(f"  last change {format_time(max(since))}")
    print()
    print_table(
        ["state", "supervisor", "strategy", "children", "restarts", "in all"],
        [
            [
                supervisor_state(view),
                f"{view.team}/{view.path}" if view.path else view.team,
                view.strategy.value,
                f"{len(view.children):,}",
                restarts_left(view),
                f"{view.restarts:,}",
            ]
            for view in sight.supervisors
        ],
        whole=["supervisor"],
    )


def _tell_next(sight: TeamSight) -> None:
    """Name what does not go on by itself, and the command that lets it."""
    if sight.is_over:
        hint("`mainstay team up FILE` begins a new life of it")
        return
    for view in sight.supervisors:
        place = f"{view.team}/{view.path}" if view.path else view.team
        for child in view.children:
            if child.is_held:
                say(f"{child.name} is not restarted, which would not cure it: {child.detail}")
                hint(f"mend that, then `mainstay supervisor restart {place} {child.name}`")


async def _tree(place: str, as_json: bool) -> None:
    from mainstay.cli.printing import stdout
    from mainstay.cli.reading import reading
    from mainstay.cli.team_reading import look, split_place, team_data
    from mainstay.cli.team_watch import print_picture, take_picture

    name, path = split_place(place)
    async with reading() as mainstay:
        team = mainstay.team(name)
        picture = await take_picture(mainstay, team, path or None)
        driving = await look(mainstay, team)
    if as_json:
        print_json(team_data(picture.sight, picture.tasks, driving))
        return
    print_picture(picture, stdout())
    tell_driving(picture.sight.team, driving)


async def _watch(place: str, as_json: bool) -> None:
    from mainstay.cli.reading import reading
    from mainstay.cli.team_reading import split_place
    from mainstay.cli.team_watch import watch_team

    name, path = split_place(place)
    async with reading() as mainstay:
        await watch_team(mainstay, mainstay.team(name), path or None, as_json=as_json)


async def _events(name: str, limit: int, as_json: bool) -> None:
    from mainstay.cli.reading import reading
    from mainstay.cli.team_watch import event_line

    async with reading() as mainstay:
        team = mainstay.team(name)
        await team.view()
        found = await team.events(limit=limit)
    for event in found:
        if as_json:
            print_json_line(event)
        else:
            print(event_line(event))


def tell_driving(team: str, driving: Driving) -> None:
    """Say when nothing drives a team, and what would."""
    from mainstay.cli.team_reading import DRIVING_NOTES

    if driving not in DRIVING_NOTES:
        return
    say(DRIVING_NOTES[driving])
    if driving.value == "lost":
        hint(f"`mainstay team down {team}` ends what is left of it")
    else:
        hint("`mainstay up`, or `mainstay worker`, lets it go on")
