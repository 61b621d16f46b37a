"""What an agent's activities need from the world, as Protocols; ``worker.py`` plugs them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from mainstay.schemas.agent import BudgetSpec
from mainstay.schemas.agent_calls import AgentEvent, AgentRow
from mainstay.schemas.budgets import Account, Breaker
from mainstay.schemas.conversation import Entry, LiveText, ModelAnswer, Summary, ThreadRow, Usage
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message, MessageHeader, SendReceipt, Settlement
from mainstay.schemas.model_calls import ModelCall as ModelCall
from mainstay.schemas.supervision_calls import AgentLimits


class Models(Protocol):
    """Language models, and code that stands in for one."""

    def check(self, model: str) -> None:
        """See that a model can be used: its form, its library, its key, its file.

        Raises:
            InvalidInput: it cannot, with what to set or install as the hint.
        """

    def provider(self, model: str) -> str:
        """Return the name under which its limits and its breaker are kept, ``openai`` say."""

    async def ask(self, call: ModelCall) -> ModelAnswer:
        """Ask once; nothing is retried here.

        Raises:
            Unavailable: a passing failure; ``retry_after`` is set when the provider named it.
            InvalidInput: the provider will not take the request, however often it is asked.
            Refused: it does not let us in, or refuses to answer.
            LimitReached: the answer is larger than is allowed.
        """


class Mailboxes(Protocol):
    """Messages by receiver."""

    async def send_messages(self, messages: Sequence[Message]) -> list[SendReceipt]:
        """Insert messages in one transaction; ids that are known already change nothing.

        ``must_ring`` is true for one message of each receiver whose bell was not rung yet; the
        bell counts as rung from then on, until the receiver's next take.

        Raises:
            NotFound: a receiver does not exist.
            Refused: a receiver has ended, or is ending.
        """

    async def take_batch(
        self, agent_id: str, batch: int, size: int, now: datetime, *, only: str = ""
    ) -> list[MessageHeader]:
        """Take the next messages, most urgent first, then by arrival; the same ones again for the
        same ``batch``. Expired ones are marked so and left out. The bell is silenced when the
        mailbox is empty afterwards."""

    async def settle_and_take(
        self,
        agent_id: str,
        settled: Sequence[Settlement],
        events: Sequence[AgentEvent],
        batch: int,
        size: int,
        now: datetime,
        *,
        only: str = "",
        reclaims: bool = False,
    ) -> list[MessageHeader]:
        """Settle, append events, and :meth:`take_batch`, in one transaction.

        With ``reclaims``, what was delivered before and never settled is put back first.
        """

    async def close_mailbox(
        self,
        agent_id: str,
        settled: Sequence[Settlement],
        events: Sequence[AgentEvent],
        reason: str,
        now: datetime,
    ) -> list[Settlement]:
        """Settle, then let everything that is left fail with the reason; returns what failed.

        From then on sending to this agent is refused.
        """

    async def get_message(self, message_id: str) -> Message:
        """Return a message.

        Raises:
            NotFound: there is none.
        """

    async def unanswered_bells(self, rung_before: datetime, limit: int = 100) -> list[str]:
        """Return agents whose bell was rung before a moment and that still have messages."""


class Threads(Protocol):
    """Conversations: append-only, and every write idempotent by key."""

    async def append_entries(self, thread_id: str, entries: Sequence[Entry]) -> list[Entry]:
        """Append entries at the end, in one transaction; known keys change nothing.

        Returns:
            All of them with their positions, as they are stored.
        """

    async def find_entry(self, thread_id: str, key: str) -> Entry | None:
        """Return the entry with a key."""

    async def load_entries(
        self, thread_id: str, start: int = 0, stop: int | None = None
    ) -> list[Entry]:
        """Return entries by position, ``stop`` exclusive."""

    async def keep_answer(
        self,
        thread_id: str,
        entry: Entry,
        charge_key: str,
        accounts: Sequence[str],
        usage: Usage,
        events: Sequence[AgentEvent] = (),
        *,
        model: str = "",
    ) -> Entry:
        """Append an answer, charge for it, silence its live text and append events, in one
        transaction. With a key that is known, nothing happens and the kept entry is returned.
        ``model`` is what the provider calls it, for the charge."""

    async def latest_summary(self, thread_id: str) -> Summary | None:
        """Return the summary that reaches furthest."""

    async def keep_summary(
        self,
        thread_id: str,
        summary: Summary,
        charge_key: str,
        accounts: Sequence[str],
        usage: Usage,
        *,
        model: str = "",
    ) -> None:
        """Store a summary and charge for it, once."""

    async def get_thread(self, thread_id: str) -> ThreadRow | None:
        """Return a thread's row."""

    async def create_thread(self, thread: ThreadRow) -> None:
        """Insert a thread; a no-op when it is known."""

    async def show_live(self, text: LiveText) -> None:
        """Show what a model is saying; a later attempt takes the place of an earlier one."""


class Accounts(Protocol):
    """Who may spend what, and who spent what."""

    async def open_account(self, account: str, limits: BudgetSpec, title: str = "") -> None:
        """Open an account; a no-op when it is open."""

    async def get_accounts(self, accounts: Sequence[str]) -> list[Account]:
        """Return accounts, those that exist, in the order asked for."""

    async def charge(
        self, key: str, accounts: Sequence[str], usage: Usage, *, model: str = ""
    ) -> bool:
        """Charge each account once under a key; False when that key was charged before."""

    async def charge_within(
        self,
        key: str,
        accounts: Sequence[str],
        usage: Usage,
        refusal: Callable[[Sequence[Account]], MainstayError | None],
    ) -> None:
        """Charge once under a key, unless ``refusal`` returns why not; in one transaction.

        Raises:
            MainstayError: what ``refusal`` returned.
        """

    async def charged(self, key: str) -> Usage:
        """Return what was charged under a key; nothing when it never was."""

    async def change_breaker(
        self, name: str, change: Callable[[Breaker], Breaker]
    ) -> tuple[Breaker, Breaker]:
        """Change a breaker's state by a pure function, in a transaction; returns old and new.

        ``change`` may be called more than once.
        """

    async def check_rate(
        self, name: str, per: timedelta, most: int, now: datetime, amount: int = 1
    ) -> timedelta | None:
        """Do something that may be done ``most`` times in a period, 0 being no limit.

        Returns:
            None when it may be done, which counts; else how long to wait.
        """

    async def reserve(
        self,
        name: str,
        requests_per_minute: int,
        tokens_per_minute: int,
        tokens: int,
        now: datetime,
    ) -> timedelta:
        """Take a place in a provider's queue; returns how long to wait before asking it."""


class Agents(Protocol):
    """Rows about agents, for people and for lookups by name."""

    async def create_agent(self, row: AgentRow, limits: AgentLimits | None = None) -> AgentRow:
        """Insert an agent and claim its name; the same id again changes nothing.

        Raises:
            Refused: another agent that has not ended has that name.
            LimitReached: there are as many agents as ``limits`` allow.
        """

    async def get_agent(self, agent: str) -> AgentRow | None:
        """Return an agent by id, or the living one by name, or else the last one of that name."""

    async def list_agents(
        self, states: Iterable[LifeState] = (), *, parent: str = "", limit: int = 1000
    ) -> list[AgentRow]:
        """Return agents, the newest first; what is left empty does not choose."""

    async def append_agent_events(self, events: Sequence[AgentEvent]) -> None:
        """Append events and bring rows up to date; known keys change nothing."""


class Families(Protocol):
    """Agents by the agent that they were spawned under."""

    async def get_agent(self, agent: str) -> AgentRow | None:
        """Return an agent by id, or the living one by name, or else the last one of that name."""

    async def get_document(self, key: str) -> bytes:
        """Return a document.

        Raises:
            NotFound: no document has that key.
        """

    async def living_children(self, parents: Sequence[str]) -> list[AgentRow]:
        """Return the agents that live under any of some parents, those of one parent together."""

    async def reparent_agents(self, agent_ids: Sequence[str], ended: str, now: datetime) -> None:
        """Give children of an agent that has ended to its nearest living ancestor, and say so.

        Who has ended, or has another parent by now, stays as it is.
        """


class Memories(Protocol):
    """What agents keep beyond a conversation. Another storage may take this one's place."""

    async def remember(self, scope: str, key: str, text: str) -> None:
        """Keep a text under a key, in place of the one that was there."""

    async def recall(self, scope: str, query: str, limit: int = 5) -> list[tuple[str, str]]:
        """Return keys and texts that fit a query, the best first."""


class AgentStorage(Mailboxes, Threads, Accounts, Agents, Families, Memories, Protocol):
    """All of it, beside the documents and effects of :class:`.ports.Storage`."""

    async def put_document(self, key: str, body: bytes) -> None:
        """Store a document; a no-op when the key is known."""

    async def get_document(self, key: str) -> bytes:
        """Return a document."""

    async def mark_started(self, key: str) -> bool:
        """Note that an effect that cannot be repeated begins; False when it had begun before."""

    async def clear_started(self, key: str) -> None:
        """Forget such a note."""
