"""Snapshots of agents: how they are sealed, read, migrated, and judged complete.

Rules:
    1. A snapshot is sealed with a checksum over all of it. A wrong checksum is refused.
    2. A version older than today's is migrated, one step after the other; a newer one is refused.
    3. A restore that cannot be complete is refused, naming everything that is missing: entries
       of a conversation, its own conversation, a tool, a message's conversation. Never fresh in
       silence.
    4. What a conversation holds of a message that was not worked on to the end is left out: the
       message is worked on again from its start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from mainstay.decisions.agent_files.agent_rules import BUILT_IN_TOOLS
from mainstay.decisions.agents.lifecycle import begin
from mainstay.schemas.agent_run import AgentState
from mainstay.schemas.conversation import Entry, Summary, ThreadRow
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.messages import Message, MessageStatus
from mainstay.schemas.snapshots import SNAPSHOT_FORMAT, SNAPSHOT_VERSION, Snapshot, ThreadCopy

Data = dict[str, Any]  # Any: JSON, of whatever version

FIRST_SEALED_VERSION = 1
"""Snapshots of earlier versions have no checksum."""

MAX_NAMED = 10
"""Faults of a snapshot that are named; a count stands for the others."""


def seal(snapshot: Snapshot) -> Data:
    """Return a snapshot as JSON-like data, with its checksum."""
    data = snapshot.model_dump(mode="json")
    return {**data, "checksum": checksum_of(data)}


def checksum_of(data: Mapping[str, Any]) -> str:  # Any: JSON
    """Return the checksum over all of a snapshot but the checksum itself."""
    rest = {name: value for name, value in data.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def read_snapshot(data: object, source: str) -> Snapshot:
    """Return the snapshot that some JSON is, in today's version, when it is whole.

    Args:
        data: what the JSON said.
        source: names the file or the document, for messages.

    Raises:
        InvalidInput: it is no snapshot, was changed, comes from a newer version, or lacks
            something.
    """
    if not isinstance(data, dict) or data.get("format") != SNAPSHOT_FORMAT:
        raise InvalidInput(
            f"{source!r} is no snapshot of an agent",
            hint="`mainstay agent snapshot` makes them",
        )
    version = _version_of(data, source)
    if version >= FIRST_SEALED_VERSION and data.get("checksum") != checksum_of(data):
        raise InvalidInput(
            f"the snapshot {source!r} is damaged or was changed: its checksum is wrong",
            hint="fetch it again from where it came; nothing was restored",
        )
    for step in range(version, SNAPSHOT_VERSION):
        data = _migrated(data, step, source)
    try:
        snapshot = Snapshot.model_validate(data)
    except ValidationError as error:
        raise _incomplete(source, [_said(detail) for detail in error.errors()]) from None
    missing = find_gaps(snapshot)
    if missing:
        raise _incomplete(source, missing)
    return snapshot


def find_gaps(snapshot: Snapshot) -> list[str]:
    """Return what a snapshot lacks, in words; empty when it is whole."""
    gaps = [gap for thread in snapshot.threads for gap in _thread_gaps(thread)]
    known = {thread.thread_id for thread in snapshot.threads}
    if len(known) < len(snapshot.threads):
        gaps.append("a conversation is there twice")
    if snapshot.thread not in known:
        gaps.append(f"the agent's own conversation {snapshot.thread!r} is missing")
    gaps += [
        f"the conversation {message.thread!r} of message {message.id!r} is missing"
        for message in snapshot.waiting
        if message.thread and message.thread not in known
    ]
    return gaps


def missing_tools(wishes: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the tools that an agent names and nobody has; ``fs.*`` must fit one at least."""
    return [
        wish
        for wish in wishes
        if wish not in BUILT_IN_TOOLS and not any(_fits(tool, wish) for tool in known)
    ]


def see_tools(snapshot: Snapshot, known: Collection[str], source: str) -> None:
    """See that all tools of an agent are there.

    Raises:
        InvalidInput: naming those that are not.
    """
    missing = missing_tools(snapshot.spec.tools, known)
    if missing:
        raise InvalidInput(
            f"the snapshot {source!r} cannot be restored: there is no tool "
            + ", ".join(repr(name) for name in missing),
            hint="`--tools MODULE` names the module or the file they are in; see `mainstay tools`",
        )


def copy_thread(
    thread: ThreadRow,
    entries: Sequence[Entry],
    summaries: Sequence[Summary],
    unfinished: Collection[str],
) -> ThreadCopy:
    """Copy a conversation without the turns that are not finished.

    Positions stay dense from 0, and summaries that reach beyond the first gap go too.

    Args:
        thread: its row.
        entries: all of its entries, by position.
        summaries: all of its summaries.
        unfinished: the turns, that is the messages, to leave out.

    Example:
        Of positions 0 to 4, of which 1 and 2 go, the others become 0, 1 and 2; a summary that
        reaches to 1 stays.
    """
    kept = [entry for entry in entries if not entry.turn or entry.turn not in unfinished]
    dropped = [entry.position for entry in entries if entry.turn and entry.turn in unfinished]
    whole = min(dropped, default=len(entries))
    return ThreadCopy(
        thread_id=thread.thread_id,
        title=thread.title,
        length=len(kept),
        entries=tuple(
            entry.model_copy(update={"position": place}) for place, entry in enumerate(kept)
        ),
        summaries=tuple(summary for summary in summaries if summary.upto <= whole),
    )


def messages_for(
    snapshot: Snapshot, agent_id: str, threads: Mapping[str, str], ids: Mapping[str, str]
) -> list[Message]:
    """Return the messages that wait, as a restored agent gets them, in the order of arrival.

    They are copies: whoever sent the first ones waits for those. So nobody is woken by their
    answers, and nobody but the restored agent pays for them.

    Args:
        snapshot: where they are.
        agent_id: the restored agent.
        threads: what each conversation is called now.
        ids: what each message is called now.
    """
    changes: dict[str, object] = {
        "receiver": agent_id,
        "sender": "",
        "reply_workflow": "",
        "accounts": (),
        "status": MessageStatus.PENDING,
        "delivered_at": None,
    }
    return [
        message.model_copy(
            update={
                **changes,
                "id": ids[message.id],
                "sender_name": message.sender_name or message.sender,
                "thread": threads[message.thread] if message.thread else "",
            }
        )
        for message in sorted(snapshot.waiting, key=lambda message: message.number)
    ]


def state_for(snapshot: Snapshot, now: datetime) -> AgentState:
    """Return the state that a restored agent begins with: its counts go on, its life is new."""
    life = begin(now, snapshot.spec.limits)
    return AgentState(
        life=life.model_copy(update={"restarts": snapshot.restarts}),
        batch=snapshot.batch,
        rings=True,
        counts=snapshot.counts.model_copy(update={"since_rollover": 0}),
    )


def _version_of(data: Data, source: str) -> int:
    version = data.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise InvalidInput(f"the snapshot {source!r} has the version {version!r}, which is none")
    if version > SNAPSHOT_VERSION:
        raise InvalidInput(
            f"the snapshot {source!r} has version {version}; this Mainstay reads up to "
            f"{SNAPSHOT_VERSION}",
            hint="install a newer Mainstay; nothing was restored",
        )
    return version


def _migrated(data: Data, version: int, source: str) -> Data:
    try:
        return {**MIGRATIONS[version](data), "version": version + 1}
    except (KeyError, TypeError, AttributeError) as error:
        raise _incomplete(source, [f"version {version} without {error}"]) from None


def _from_version_0(data: Data) -> Data:
    """Version 0 knew one conversation, named what was spent ``usage``, and had no checksum."""
    new = {name: value for name, value in data.items() if name not in _VERSION_0_KEYS}
    summary = data.get("summary")
    own = {
        "thread_id": data["thread"],
        "title": data["name"],
        "length": data["entries_count"],
        "entries": data["entries"],
        "summaries": [] if summary is None else [summary],
    }
    memories = [{"key": key, "text": text} for key, text in data.get("memories", {}).items()]
    return {
        "options": {},
        **new,
        "threads": [own],
        "spent": data["usage"],
        "waiting": data.get("mailbox", []),
        "memories": memories,
    }


_VERSION_0_KEYS = {"entries_count", "entries", "summary", "usage", "mailbox", "memories"}

MIGRATIONS: dict[int, Callable[[Data], Data]] = {0: _from_version_0}
"""How a snapshot of each older version becomes one of the next."""


def _thread_gaps(thread: ThreadCopy) -> list[str]:
    places = [entry.position for entry in thread.entries]
    which = f"of conversation {thread.thread_id!r}"
    if places != list(range(thread.length)):
        absent = sorted(set(range(thread.length)) - set(places))
        named = ", ".join(str(place) for place in absent[:MAX_NAMED])
        return [
            f"entries {named} {which} are missing ({len(places)} of {thread.length} are there)"
            if absent
            else f"the entries {which} are not in order, or more than its {thread.length}"
        ]
    if len({entry.key for entry in thread.entries}) < len(places):
        return [f"an entry {which} is there twice"]
    far = [summary.upto for summary in thread.summaries if not 0 <= summary.upto <= thread.length]
    return [f"a summary {which} reaches to {upto}" for upto in far]


def _fits(tool: str, wish: str) -> bool:
    return tool.startswith(wish[:-1]) if wish.endswith("*") else tool == wish


def _said(detail: Any) -> str:  # Any: pydantic's description of an error
    place = ".".join(str(part) for part in detail["loc"])
    return f"{place}: {detail['msg']}"


def _incomplete(source: str, missing: Sequence[str]) -> InvalidInput:
    named = "; ".join(missing[:MAX_NAMED])
    more = f"; and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
    return InvalidInput(
        f"the snapshot {source!r} is not complete: {named}{more}",
        hint="an agent is restored whole or not at all; use another snapshot",
    )
