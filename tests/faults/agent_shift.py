"""One shift of the crew: spawn it, tell it things, answer its questions, judge what it left."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from agent_crew import TOLD, crew, expected_names, is_signed
from fault_rig import Ledger, Rig, until

from mainstay.agent_handle import AgentHandle
from mainstay.schemas.agent_calls import AgentEventKind
from mainstay.schemas.agent_run import AgentOptions
from mainstay.schemas.conversation import Entry, Usage
from mainstay.schemas.errors import MainstayError, Unavailable
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MESSAGE_ENDS, Message, MessageStatus

HEARTBEAT = timedelta(seconds=2)
END_SECONDS = 60.0
"""Longest a shift may take, kills and restarts included; an undisturbed one takes seconds."""

ASK_SECONDS = 0.1
NAME_LENGTH = 20
SIGNATURE = "signed by a person"

Left = dict[str, Any]
"""What a shift leaves behind, without the times and names that differ from shift to shift."""


@dataclass
class Shift:
    """A shift that is going on, with people who talk to the agents."""

    rig: Rig
    name: str
    ledger: Ledger
    agents: dict[str, AgentHandle]
    people: list[asyncio.Task[None]]

    @classmethod
    async def start(cls, rig: Rig, name: str, seconds: float = 0.04) -> Shift:
        """Spawn the crew as the team ``name`` and begin to talk to it."""
        # The tokens of a summary are estimated from texts with the ledger's path in them.
        name = name.ljust(NAME_LENGTH, "_")
        folder = rig.folder / name
        folder.mkdir()
        ledger = Ledger(folder / "ledger.db")
        options = AgentOptions(heartbeat_timeout=HEARTBEAT, rollover_turns=4)
        agents = {
            spec.name: await rig.mainstay.spawn(spec, team=name, options=options)
            for spec in crew(folder, ledger.path, seconds)
        }
        shift = cls(rig, name, ledger, agents, [])
        shift.people = [asyncio.create_task(shift.tell(agent)) for agent in TOLD]
        shift.people.append(asyncio.create_task(shift.sign()))
        return shift

    async def tell(self, agent: str) -> None:
        """Send an agent its messages, each again and again until it is accepted."""
        for text in TOLD[agent]:
            while True:
                with suppress(Unavailable, TimeoutError):
                    async with asyncio.timeout(5):
                        await self.agents[agent].send(text, message_id=self.message_id(text))
                        break
                await asyncio.sleep(ASK_SECONDS)

    async def sign(self) -> None:
        """Answer the lead's questions, again when the answer may have been lost."""
        while True:
            # Refused until it asks; unavailable while something is dead.
            with suppress(MainstayError, TimeoutError):
                async with asyncio.timeout(2):
                    lead = self.agents["lead"]
                    for question in (await lead.info()).questions:
                        await lead.answer(SIGNATURE, use_id=question.use_id, by="test")
            await asyncio.sleep(ASK_SECONDS)

    def message_id(self, text: str) -> str:
        """Name a message of this shift: the same name, sent again, is the same message."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.name}/{text}"))

    async def messages(self) -> dict[str, Message]:
        """Return the messages of people that were accepted, by their texts."""
        found = {}
        for text in (text for told in TOLD.values() for text in told):
            with suppress(MainstayError):
                found[text] = await self.rig.mainstay.store.get_message(self.message_id(text))
        return found

    async def has_ended(self) -> bool:
        """Whether every message has come to its end."""
        found = await self.messages()
        total = sum(len(told) for told in TOLD.values())
        return len(found) == total and all(m.status in MESSAGE_ENDS for m in found.values())

    async def reach(self, effects: int) -> None:
        """Wait until so many effects have happened."""
        await until(lambda: len(self.ledger.effects()) >= effects, f"{effects} effects", 40)

    async def end(self) -> None:
        """Wait until everything is answered, and send the crew home."""
        try:
            async with asyncio.timeout(END_SECONDS):
                while not await self.has_ended():
                    await asyncio.sleep(ASK_SECONDS)
                for handle in self.agents.values():
                    await self._send_home(handle)
        except TimeoutError:
            raise AssertionError(await self.describe()) from None
        finally:
            for task in self.people:
                task.cancel()
            await asyncio.wait(self.people)

    async def _send_home(self, handle: AgentHandle) -> None:
        while (await handle.row()).state is not LifeState.TERMINATED:
            with suppress(MainstayError, TimeoutError):
                async with asyncio.timeout(2):
                    await handle.stop("the shift is over")
            await asyncio.sleep(ASK_SECONDS)

    async def describe(self) -> str:
        """Say where the shift stands, for a test that fails."""
        found = await self.messages()
        lines = [f"{text}: {message.status}" for text, message in found.items()]
        for handle in self.agents.values():
            with suppress(MainstayError):
                lines.append(repr(await handle.info()))
        lines += [repr(task) for task in self.people]
        lines += [f"worker {worker.pid}: {worker.said()[-3000:]}" for worker in self.rig.workers]
        return "\n".join(lines)

    async def judge(self) -> Left:
        """See that everything happened once, and return what must be the same in every shift.

        Raises:
            AssertionError: something is missing, doubled, or does not add up.
        """
        found = await self.messages()
        assert {m.status for m in found.values()} == {MessageStatus.PROCESSED}, found
        assert self.ledger.effects() == sorted(expected_names())
        assert all(SIGNATURE in found[job].answer for job in TOLD["lead"] if is_signed(job))
        left = {name: await self._left_by(handle) for name, handle in self.agents.items()}
        store = self.rig.mainstay.store
        kept = [(await store.recall(self.name, chore, 1))[0] for chore in TOLD["solo"]]
        return {**left, "kept": kept, "answers": {t: m.answer for t, m in found.items()}}

    async def _left_by(self, handle: AgentHandle) -> Left:
        store = self.rig.mainstay.store
        row = await handle.row()
        account = await handle.account()
        charges = await store.charges_of(account.id, 1000)
        assert len({charge.key for charge in charges}) == len(charges)
        assert sum((charge.usage for charge in charges), Usage()) == account.spent
        entries = await handle.entries()
        settled = [
            event.message_id
            for event in await store.agent_events_after(handle.id, 0, 10_000)
            if event.kind is AgentEventKind.MESSAGE_SETTLED
        ]
        asked = [m.id for m in await store.messages_of(handle.id, limit=1000)]
        assert sorted(settled) == sorted(asked)
        assert sorted({entry.turn for entry in entries}) == sorted(asked)
        summary = await store.latest_summary(row.thread)
        return {
            "transcript": self._plain(entries),
            "summary": None if summary is None else (summary.upto, summary.text),
            "spent": account.spent.model_dump(),
            "charges": len(charges),
            "result": (await handle.result()).usage.model_dump(),
        }

    def _plain(self, entries: list[Entry]) -> list[Any]:
        turns = list(dict.fromkeys(entry.turn for entry in entries))
        return [
            (
                entry.position,
                entry.kind,
                entry.text,
                entry.author.partition("/")[2] or entry.author,
                [(use.name, str(use.arguments).replace(self.name, "")) for use in entry.uses],
                entry.tool,
                entry.is_error,
                entry.finish,
                entry.tokens,
                turns.index(entry.turn),
            )
            for entry in entries
        ]
