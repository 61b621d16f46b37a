"""Circuit breakers and rates, shared by all workers that use one database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, select

from mainstay.decisions.agents.rates import Meters, take_place
from mainstay.schemas.budgets import Breaker
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.storage import tables
from mainstay.storage.access import Access
from mainstay.storage.changes import insert_new
from mainstay.storage.rates import rate_lock, take_turns
from mainstay.storage.rows import Values, exact, moment


class ProtectionStore(Access):
    """Breakers and rates."""

    async def change_breaker(
        self, name: str, change: Callable[[Breaker], Breaker]
    ) -> tuple[Breaker, Breaker]:
        """Change a breaker's state by a pure function, in a transaction; returns old and new.

        Args:
            name: which breaker; one that is not known is closed.
            change: may be called more than once. What it makes keeps the name.
        """
        exact(name, "breaker")
        present = await self._read(_breaker, name)
        if change(present) == present:
            # The usual case, a closed breaker before and after a good call, writes nothing.
            return present, present

        def apply(connection: Connection) -> tuple[Breaker, Breaker]:
            old = _breaker(connection, name)
            new = change(old).model_copy(update={"name": name})
            if new != old:
                _put(connection, tables.breakers, dict(new))
            return old, new

        return await self._write(apply, (_breaker_lock(name),))

    async def list_breakers(self) -> list[Breaker]:
        """Return all breakers that were ever open or counted a failure, by name."""
        return await self._read(_breakers)

    async def reset_breaker(self, name: str) -> Breaker:
        """Close a breaker and forget its failures; returns what it was.

        Raises:
            NotFound: there is no such breaker.
        """
        statement = tables.breakers.delete().where(tables.breakers.c.name == name)

        def reset(connection: Connection) -> Breaker | NotFound:
            old = _breaker(connection, name)
            if not connection.execute(statement).rowcount:
                return NotFound(f"there is no breaker {name!r}")
            return old

        return await self._decide(reset, (_breaker_lock(name),))

    async def reserve(
        self,
        name: str,
        requests_per_minute: int,
        tokens_per_minute: int,
        tokens: int,
        now: datetime,
    ) -> timedelta:
        """Take a place in a provider's queue; returns how long to wait before asking it.

        The place is taken at once and not given back; see :mod:`mainstay.decisions.agents.rates`.

        Args:
            name: which provider.
            requests_per_minute: most calls in a minute; 0 sets no limit.
            tokens_per_minute: most tokens in a minute; 0 sets no limit.
            tokens: about how many this call takes.
            now: the present moment.

        Raises:
            InvalidInput: a number is negative.
        """
        exact(name, "provider")
        moment(now, f"a call of {name!r}")
        limits = (requests_per_minute, tokens_per_minute, tokens)
        unlimited, wait = take_place(Meters(), *limits, now)
        if unlimited == Meters():
            return wait

        def take(connection: Connection) -> timedelta:
            meters, wait = take_place(_meters(connection, name), *limits, now)
            row = {
                "name": name,
                "requests_until": meters.requests_until,
                "tokens_until": meters.tokens_until,
            }
            _put(connection, tables.rates, row)
            return wait

        return await self._write(take, (rate_lock(name),))

    async def check_rate(
        self, name: str, per: timedelta, most: int, now: datetime, amount: int = 1
    ) -> timedelta | None:
        """Do something that may be done ``most`` times in a period; see :mod:`.rates`.

        Args:
            name: what is done and by whom, such as ``tools/agent-...``.
            per: the period.
            most: how often, by all processes together; 0 sets no limit.
            now: the present moment.
            amount: how many are done together.

        Returns:
            None when it may be done, which counts; else how long to wait.

        Raises:
            InvalidInput: a number is negative.
        """
        exact(name, "rate")
        moment(now, f"the rate {name!r}")
        if most < 0 or amount < 0:
            raise InvalidInput(f"rate {name!r} is negative: {amount} of {most}")
        if not most or not amount:
            return None
        return await self._write(
            lambda connection: take_turns(connection, name, per, most, amount, now),
            (rate_lock(name),),
        )


def _breaker_lock(name: str) -> str:
    return f"breaker {name}"


def _breaker(connection: Connection, name: str) -> Breaker:
    query = select(tables.breakers).where(tables.breakers.c.name == name)
    row = connection.execute(query).mappings().first()
    return Breaker(**row) if row is not None else Breaker(name=name)


def _breakers(connection: Connection) -> list[Breaker]:
    found = connection.execute(select(tables.breakers)).mappings()
    return sorted((Breaker(**row) for row in found), key=lambda breaker: breaker.name)


def _meters(connection: Connection, name: str) -> Meters:
    r = tables.rates.c
    query = select(r.requests_until, r.tokens_until).where(r.name == name)
    row = connection.execute(query).first()
    return Meters(*row) if row is not None else Meters()


def _put(connection: Connection, table: Table, row: Values) -> None:
    # The caller holds the name's lock, so that nobody inserts it in between.
    named = table.c.name == row["name"]
    if not connection.execute(table.update().where(named), row).rowcount:
        connection.execute(insert_new(connection, table), row)
