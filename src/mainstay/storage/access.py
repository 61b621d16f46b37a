"""How everything that is kept is written and read: the means that each subject's class is given.

A subject (mailboxes, agents, threads, ...) is a class of its own in its own file that derives from
:class:`Access`. :class:`.store.Store` inherits from all of them and provides the means.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection

from mainstay.schemas.errors import MainstayError

P = ParamSpec("P")
T = TypeVar("T")


class Access(ABC):
    """Writing and reading, whatever the database."""

    @abstractmethod
    async def _write(
        self, work: Callable[[Connection], T], locks: Iterable[str] = (), weight: int = 500
    ) -> T:
        """Run ``work`` in a transaction and return what it returned, after the commit.

        Args:
            work: gets the connection. It may be run again, so it acts on nothing else.
            locks: the ids of what it writes about (plans, agents, threads, ...). On PostgreSQL
                whoever names the same id waits until the transaction ends; SQLite has one writer
                at a time anyway.
            weight: about how many bytes it writes.

        Raises:
            InvalidInput: the database refuses the values.
            Unavailable: the database does not answer, is full, locked or read-only.
        """

    async def _decide(
        self,
        work: Callable[[Connection], T | MainstayError],
        locks: Iterable[str] = (),
        weight: int = 500,
    ) -> T:
        """Do :meth:`_write`, and raise the error that ``work`` returned.

        A refusal is a value until the transaction is over: raised inside of it, it would make the
        writer do everything again that it was doing together. Such a ``work`` has changed nothing.
        """
        outcome = await self._write(work, locks, weight)
        if isinstance(outcome, MainstayError):
            raise outcome
        return outcome

    @abstractmethod
    async def _read(
        self,
        query: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a query on a connection for reading, and return what it returned.

        Raises:
            Unavailable: the database does not answer.
        """


class Mergeable(ABC):
    """Work of which several pieces, when they wait for the writer together, cost little more."""

    __slots__ = ()

    @classmethod
    @abstractmethod
    def run_together(cls, connection: Connection, works: Sequence[Self]) -> list[Any]:
        """Do several, in few statements, and return what each returns, in their order.

        Any: what each returns is the business of whoever waits for it.
        """

    def __call__(self, connection: Connection) -> Any:  # Any: see above
        """Do this one alone."""
        return self.run_together(connection, [self])[0]
