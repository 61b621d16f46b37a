"""What has to happen besides: one scenario for each thing that can come between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from team_stage import agent, lower, supervisor

from mainstay.schemas.supervision import ChildPlan, SupervisorPlan
from mainstay.schemas.team import BackoffSpec


class Extra(NamedTuple):
    """One scenario of a team whose root is `root`.

    Attributes:
        trace: what happened to everybody.
        events: what the root put on record.
        looks: what the script's looks saw, in order.
        end: how the team ended.
        closed: whose mailboxes were closed.
        below: what lower supervisors put on record, by their paths.
    """

    name: str
    root: SupervisorPlan
    script: str
    trace: str
    events: str
    looks: tuple[str, ...] = ()
    end: str = "stopped"
    closed: str = "/"
    below: dict[str, str] = {}  # noqa: RUF012 (nobody changes it)


def acts(name: str, habits: str, **plan: Any) -> ChildPlan:
    """Plan an agent with habits; see `scenario_agents`."""
    return agent(name, spec_ref=habits, **plan)


def waits(initial: float, maximum: float = 60) -> BackoffSpec:
    """Plan waits that double."""
    return BackoffSpec(
        initial=timedelta(seconds=initial), maximum=timedelta(seconds=maximum), jitter=0
    )


def grace(seconds: float) -> timedelta:
    """Say how long a stop may take."""
    return timedelta(seconds=seconds)


def three(strategy: str = "one_for_one", intensity: tuple[int, float] = (3, 100), **b: Any) -> Any:
    """Plan a, b and c."""
    return supervisor(
        agent("a"),
        acts("b", **{"habits": "", **b}),
        agent("c"),
        strategy=strategy,
        intensity=intensity,
    )


def nested(own: SupervisorPlan, **child: Any) -> SupervisorPlan:
    """Plan a root with one lower supervisor."""
    return supervisor(lower("s", **child), intensity=(3, 100), below={"s": own})


def significant(auto_shutdown: str, *, restart: str = "transient") -> SupervisorPlan:
    """Plan a and b, which are significant, and c, which is not."""
    return supervisor(
        agent("a", restart=restart, significant=True),
        agent("b", restart=restart, significant=True),
        agent("c"),
        auto_shutdown=auto_shutdown,
        intensity=(3, 100),
    )


# fmt: off
BACKOFFS = (
    Extra("waits twice as long each time",
        supervisor(agent("a", backoff=waits(2)), intensity=(5, 100)),
        "10 fail a; 11 look; 13 look; 14 fail a; 17 look; 19 look; 50 down",
        "+a !a +a2 !a +a3 -a", "Sa Ra Ra Ta",
        ("RUNNING b left 4 made 1", "RUNNING r left 4 made 1",
         "RUNNING b left 3 made 2", "RUNNING r left 3 made 2")),
    Extra("waits as at first after a quiet time",
        supervisor(agent("a", backoff=waits(2, 5)), intensity=(5, 20)),
        "10 fail a; 50 fail a; 51 look; 53 look; 60 down",
        "+a !a +a2 !a +a3 -a", "Sa Ra Ra Ta",
        ("RUNNING b left 4 made 2", "RUNNING r left 4 made 2")),
    Extra("one_for_all stops at once and starts after the wait",
        three("one_for_all", backoff=waits(3)),
        "10 fail b; 11 look; 14 look; 50 down",
        "+a +b +c !b ~c ~a +a2 +b2 +c2 -c -b -a", "Sa Sb Sc Tc Ta Ra Rb Rc Tc Tb Ta",
        ("RUNNING wbw left 2 made 1", "RUNNING rrr left 2 made 1")),
    Extra("rest_for_one goes on with those before during the wait",
        three("rest_for_one", backoff=waits(3)),
        "10 fail b; 11 look; 14 look; 50 down",
        "+a +b +c !b ~c +b2 +c2 -c -b -a", "Sa Sb Sc Tc Rb Rc Tc Tb Ta",
        ("RUNNING rbw left 2 made 1", "RUNNING rrr left 2 made 1")),
    Extra("is told to end while it waits",
        three(backoff=waits(30)), "10 fail b; 20 down",
        "+a +b +c !b -c -a", "Sa Sb Sc Tc Ta"),
)
STARTS = (
    Extra("failure during start-up undoes what was started",
        three(habits="1:broken"), "50 look",
        "+a +b !b ~a", "Sa Sb Tb Ta", ("TERMINATED xxx left 3 made 0",), "failed"),
    Extra("failure during a lower start-up undoes the whole team",
        supervisor(agent("x"), lower("s"), agent("y"),
                   below={"s": supervisor(agent("a"), acts("b", "1:broken"))}), "50 look",
        "+x +s +a +b !b ~a ~x", "Sx Ss Ts Tx", ("TERMINATED xxx left 3 made 0",), "failed",
        below={"s": "Sa Sb Tb Ta"}),
    Extra("refusal during start-up undoes it, too",
        three(habits="1:refused"), "50 look",
        "+a +b !b ~a", "Sa Sb Tb Ta", ("TERMINATED xxx left 3 made 0",), "failed"),
    Extra("failed restart counts and is tried again",
        three(habits="2:broken"), "10 fail b; 20 look; 50 down",
        "+a +b +c !b +b2 !b +b3 -c -b -a", "Sa Sb Sc Rb Rb Tc Tb Ta",
        ("RUNNING rrr left 1 made 2",)),
    Extra("failed restarts escalate",
        three(habits="2:broken 3:broken", intensity=(1, 100)), "10 fail b; 20 look",
        "+a +b +c !b +b2 !b ~c ~a", "Sa Sb Sc Rb Vb Tc Ta",
        ("TERMINATED xxx left 0 made 1",), "failed"),
    Extra("failed restart of one_for_all holds up those after it",
        supervisor(acts("a", "2:broken"), agent("b"), agent("c"), strategy="one_for_all",
                   intensity=(3, 100)),
        "10 fail b; 20 look; 50 down",
        "+a +b +c !b ~c ~a +a2 !a +a3 +b2 +c2 -c -b -a", "Sa Sb Sc Tc Ta Ra Ra Rb Rc Tc Tb Ta",
        ("RUNNING rrr left 1 made 2",)),
    Extra("failed restart of rest_for_one holds up those after it",
        three("rest_for_one", habits="2:broken"), "10 fail b; 50 down",
        "+a +b +c !b ~c +b2 !b +b3 +c2 -c -b -a", "Sa Sb Sc Tc Rb Rb Rc Tc Tb Ta"),
    Extra("next child starts only when the one before is ready",
        three(habits="1:late"), "3 look; 6 look; 50 down",
        "+a +b +c -c -b -a", "Sa Sb Sc Tc Tb Ta",
        ("INITIALIZING rsw left 3 made 0", "RUNNING rrr left 3 made 0")),
    Extra("told to end during start-up it starts nothing more",
        three(habits="1:late"), "3 down",
        "+a +b -b -a", "Sa Sb Tb Ta"),
    Extra("instances of one plan start and stop together",
        supervisor(agent("w", count=3), agent("z")), "10 down",
        "{+w-1 +w-2 +w-3} +z -z {-w-1 -w-2 -w-3}", "Sw-1 Sw-2 Sw-3 Sz Tz {Tw-1 Tw-2 Tw-3}"),
    Extra("instances of one plan do not come after each other",
        supervisor(agent("w", count=2), agent("z"), strategy="rest_for_one"),
        "10 fail w-1; 20 down",
        "{+w-1 +w-2} +z !w-1 ~z +w-1:2 +z2 -z {-w-1 -w-2}",
        "Sw-1 Sw-2 Sz Tz Rw-1 Rz Tz {Tw-1 Tw-2}"),
)
STOPS = (
    Extra("brutal_kill kills at once",
        three(shutdown=grace(0)), "10 down",
        "+a +b +c -c xb -a", "Sa Sb Sc Tc Tb Ta"),
    Extra("who ignores its stop is cancelled, and then killed",
        three(habits="*:deaf", shutdown=grace(5)), "10 down; 13 look; 16 look; 18 look",
        "+a +b +c -c -b ^b xb -a", "Sa Sb Sc Tc Tb Ta",
        ("STOPPING rpx left 3 made 0", "STOPPING rpx left 3 made 0",
         "TERMINATED xxx left 3 made 0")),
    Extra("who ends when it is cancelled is not killed",
        three(habits="*:stubborn", shutdown=grace(5)), "10 down; 14 look; 16 look",
        "+a +b +c -c -b ^b -a", "Sa Sb Sc Tc Tb Ta",
        ("STOPPING rpx left 3 made 0", "TERMINATED xxx left 3 made 0")),
    Extra("infinity waits for ever",
        three(habits="*:long", shutdown=None), "10 down; 1900 look; 2100 look",
        "+a +b +c -c -b -a", "Sa Sb Sc Tc Tb Ta",
        ("STOPPING rpx left 3 made 0", "TERMINATED xxx left 3 made 0")),
    Extra("grace of the whole team goes before infinity",
        three(habits="*:long", shutdown=None), "10 down 5; 14 look; 16 look",
        "+a +b +c -c -b xb xa", "Sa Sb Sc Tc Tb Ta",
        ("STOPPING rpx left 3 made 0", "TERMINATED xxx left 3 made 0")),
    Extra("one that takes its time is waited for",
        three(habits="*:busy", shutdown=grace(5)), "10 down; 12 look; 14 look",
        "+a +b +c -c -b -a", "Sa Sb Sc Tc Tb Ta",
        ("STOPPING rpx left 3 made 0", "TERMINATED xxx left 3 made 0")),
    Extra("told to end during a restart it starts nothing more",
        supervisor(agent("a"), agent("b"), acts("c", "*:busy"), strategy="one_for_all",
                   intensity=(3, 100)),
        "10 fail b; 11 look; 12 down",
        "+a +b +c !b ~c -a", "Sa Sb Sc Tc Ta", ("RUNNING rwp left 2 made 1",)),
)
AUTO_SHUTDOWN = (
    Extra("any_significant: a normal end shuts down",
        nested(significant("any_significant"), restart="transient"),
        "10 exit a; 20 look; 50 down",
        "+s +a +b +c .a ~c ~b", "Ss Ts", ("RUNNING x left 3 made 0",),
        below={"s": "Sa Sb Sc Ta Tc Tb"}),
    Extra("any_significant: a transient one that fails is restarted",
        significant("any_significant"), "10 fail a; 50 down",
        "+a +b +c !a +a2 -c -b -a", "Sa Sb Sc Ra Tc Tb Ta"),
    Extra("any_significant: a temporary one that fails shuts down",
        significant("any_significant", restart="temporary"), "10 fail a",
        "+a +b +c !a ~c ~b", "Sa Sb Sc Ta Tc Tb", end="shutdown", closed="/ a"),
    Extra("any_significant: one that is terminated does not",
        significant("any_significant"), "10 stop a; 20 look; 50 down",
        "+a +b +c ~a -c -b", "Sa Sb Sc Ta Tc Tb", ("RUNNING xrr left 3 made 0",)),
    Extra("all_significant: the last one shuts down",
        significant("all_significant"), "10 exit a; 20 look; 30 exit b",
        "+a +b +c .a .b ~c", "Sa Sb Sc Ta Tb Tc", ("RUNNING xrr left 3 made 0",), "shutdown"),
    Extra("never: significant or not, it goes on",
        significant("never"), "10 exit a; 20 exit b; 30 look; 50 down",
        "+a +b +c .a .b -c", "Sa Sb Sc Ta Tb Tc", ("RUNNING xxr left 3 made 0",)),
    Extra("permanent supervisor that shut itself down is restarted and counted",
        nested(significant("any_significant")), "10 exit a; 20 look; 50 down",
        "+s +a +b +c .a ~c ~b +s2 +a2 +b2 +c2 -c -b -a", "Ss Rs Ts",
        ("RUNNING r left 2 made 1",), closed="/ s/",
        below={"s": "Sa Sb Sc Ta Tc Tb Ra Rb Rc Tc Tb Ta"}),
)
# fmt: on
