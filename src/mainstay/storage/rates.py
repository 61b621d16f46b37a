"""How often something may be done, counted for all processes that use one database.

Rules:
    1. ``most`` things may be done in each period, one after another at an even pace.
    2. Who comes after a rest may do ``most`` of them at once.
    3. Who comes too early is told how long to wait, and has used nothing up.
    4. Several things that are done together need room for one of them; those that come later
       wait for all of them.

Source: the generic cell rate algorithm, ITU-T I.371, in its form of virtual scheduling. How
callers of a provider queue is in :mod:`mainstay.decisions.agents.rates`: they are given a place
and wait, while these are refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from mainstay.storage import tables
from mainstay.storage.changes import insert_new

SECOND = timedelta(seconds=1)


def pace(
    until: datetime | None, per: timedelta, most: int, amount: int, now: datetime
) -> tuple[datetime | None, timedelta | None]:
    """Do ``amount`` things now, or say how long to wait.

    Args:
        until: when an even pace of what was done so far ends; None before the first.
        per: the period.
        most: how many there may be in it, at least 1.
        amount: how many there are now.
        now: the present moment.

    Returns:
        The new ``until``, and None or the wait.

    Example:
        At 2 a second two are done at once, and the third waits for half a second.
    """
    begin = max(until or now, now)
    # Divided last, so that it is exact to the microsecond.
    wait = begin - now - per * (most - 1) / most
    if wait > timedelta(0):
        return until, wait
    return begin + per * amount / most, None


def take_turns(
    connection: Connection, name: str, per: timedelta, most: int, amount: int, now: datetime
) -> timedelta | None:
    """Do :func:`pace` for what a name stands for; the caller holds its :func:`rate_lock`."""
    r = tables.rates.c
    row = connection.execute(select(r.requests_until).where(r.name == name)).first()
    until, wait = pace(row.requests_until if row else None, per, most, amount, now)
    if wait is not None:
        return wait
    values = {"name": name, "requests_until": until}
    if row is None:
        connection.execute(insert_new(connection, tables.rates), values)
    else:
        connection.execute(tables.rates.update().where(r.name == name), values)
    return None


def rate_of(sender: str) -> str:
    """Name the rate of an agent's messages."""
    return f"messages/{sender}"


def rate_lock(name: str) -> str:
    """Name the lock of a rate."""
    return f"rate {name}"
