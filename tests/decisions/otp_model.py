"""A supervisor as OTP's documentation describes it: one process that does one thing at a time.

It is written from the documentation (Supervisor Behaviour, Maximum Restart Intensity, Automatic
Shutdown, module supervisor) and knows nothing of the decisions. Starting and stopping block, so
it reads like the text. What OTP does not have follows `schemas/team.py`: groups of children that
start together, waits before restarts, refusals, terminate_all, escalations, and the restart of a
running child on request.

The world sends it events and gets back what it does about each:

    ("ready", name)  ("failed", name)  ("refused", name)   of a child that is being started
    ("gone", name)                                         of one that is being stopped, or is to be
    ("exit", name, "normal" | "shutdown" | "failed" | "refused")
    ("start", child)  ("terminate", name)  ("restart", name)  ("delete", name)
    ("unhealthy", name)  ("tick",)  ("shutdown",)

    -> ("start", name)  ("stop", name)  ("ready",)  ("end", how)
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

Actions = list[tuple[str, ...]]
Process = Generator[Actions, tuple[Any, ...], Any]


@dataclass
class Child:
    """A child specification. Children of the same group are started together."""

    name: str
    group: int = 0
    restart: str = "permanent"
    significant: bool = False
    initial: float = 0
    maximum: float = 60


@dataclass
class Flags:
    """The supervisor's own flags."""

    strategy: str = "one_for_one"
    max_restarts: int = 3
    window: float = 5
    escalation: str = "escalate"
    auto_shutdown: str = "never"


class Over(Exception):
    """The supervisor is to end."""


class Otp:
    """The reference. ``mode`` says what it is blocked in: start, stop, wait, or nothing."""

    def __init__(self, flags: Flags, children: Iterable[Child]) -> None:
        self.flags = flags
        self.children = [] if flags.strategy == "dynamic" else list(children)
        self.now = 0.0
        self.alive: set[str] = set()
        self.pending: set[str] = set()
        self.told: set[str] = set()
        self.doomed: list[str] = []
        self.held: set[str] = set()
        self.restarts: list[float] = []
        self.counted = 0
        self.escalations = 0
        self.due = 0.0
        self.mode = ""
        self.ended = ""
        self._all_restarted_at: float | None = None
        self._failures: dict[str, int] = {}
        self._ready_at: dict[str, float] = {}
        self._out: Actions = []
        self._last_failure = ""
        self._is_ending = False
        self._process = self._run()
        self.first = next(self._process)

    def send(self, *event: Any) -> Actions:
        """Tell it something; return what it does about it."""
        try:
            return self._process.send(event)
        except StopIteration:
            return []

    def find(self, name: str) -> Child | None:
        """Return the child of a name."""
        return next((child for child in self.children if child.name == name), None)

    # The process.

    def _run(self) -> Process:
        try:
            yield from self._live()
        except Over as over:
            self._is_ending = True
            yield from self._stop(self.children)
            self.ended = str(over)
            self._out.append(("end", self.ended))
        self.mode = "ended"
        yield self._flush()

    def _live(self) -> Process:
        if (yield from self._start(self.children, is_first=True)) is not None:
            raise Over("failed")
        self._out.append(("ready",))
        while True:
            event = yield from self._listen("")
            yield from getattr(self, f"_on_{event[0]}")(*event[1:])

    def _listen(self, mode: str) -> Process:
        """Wait for something that happens; what only has to be noted is noted."""
        self.mode = mode
        event = yield self._flush()
        match event:
            case ("shutdown",) if not self._is_ending:
                raise Over("stopped")
            case ("gone", str(name)):
                self.alive.discard(name)
                self.pending.discard(name)
                self.told.discard(name)
            case ("ready", str(name)):
                self.pending.discard(name)
                self._ready_at[name] = self.now
        return event

    def _flush(self) -> Actions:
        out, self._out = self._out, []
        return out

    def _groups(self, children: Iterable[Child]) -> list[list[Child]]:
        if self.flags.strategy == "dynamic":
            return [list(children)]
        groups: dict[int, list[Child]] = {}
        for child in children:
            groups.setdefault(child.group, []).append(child)
        return [groups[number] for number in sorted(groups)]

    def _start(self, children: Iterable[Child], *, is_first: bool = False) -> Process:
        """Start children from left to right; return the first that did not start."""
        for group in self._groups(list(children)):
            for child in group:
                self._out.append(("start", child.name))
                self.alive.add(child.name)
                self.pending.add(child.name)
            while self.pending:
                event = yield from self._listen("start")
                if event[0] not in ("failed", "refused"):
                    continue
                self.alive.discard(event[1])
                self.pending.discard(event[1])
                self._ready_at.pop(event[1], None)
                self._last_failure = event[0]
                if event[0] == "failed" or is_first:
                    return self._known(event[1], children)
                self.held.add(event[1])
        return None

    def _known(self, name: str, children: Iterable[Child]) -> Child:
        return next(child for child in (*self.children, *children) if child.name == name)

    def _stop(self, children: Iterable[Child]) -> Process:
        """Stop children from right to left; one that has gone by itself meanwhile is skipped."""
        doomed = [child for child in children if child.name in self.alive]
        for group in reversed(self._groups(doomed)):
            self.doomed = [child.name for child in doomed if child.name not in self.told]
            for child in group:
                if child.name in self.alive and child.name not in self.told:
                    self._out.append(("stop", child.name))
                    self.told.add(child.name)
                    self.doomed.remove(child.name)
            while any(child.name in self.alive for child in group):
                yield from self._listen("stop")
        self.doomed = []

    # What happens while it is idle.

    def _on_exit(self, name: str, how: str) -> Process:
        self.alive.discard(name)
        child = self._known(name, [])
        is_failure = how in ("failed", "refused")
        if child.restart == "permanent" or (child.restart == "transient" and is_failure):
            if how == "refused":
                self.held.add(name)
            else:
                yield from self._restart(child)
            return
        self._drop(child)
        if child.significant and self.flags.auto_shutdown == "any_significant":
            raise Over("shutdown")
        others = [c for c in self.children if c.significant and c.name in self.alive]
        if child.significant and self.flags.auto_shutdown == "all_significant" and not others:
            raise Over("shutdown")

    def _on_unhealthy(self, name: str) -> Process:
        self._out.append(("stop", name))
        self.told.add(name)
        while name in self.alive:
            yield from self._listen("stop")
        yield from self._on_exit(name, "failed")

    def _on_start(self, child: Child) -> Process:
        if self.find(child.name) is not None:
            return
        self.children.append(child)
        if (yield from self._start([child], is_first=True)) is not None:
            self.children.remove(child)

    def _on_terminate(self, name: str) -> Process:
        child = self.find(name)
        if child is None:
            return
        yield from self._stop([child])
        self._drop(child)

    def _on_restart(self, name: str) -> Process:
        child = self.find(name)
        if child is None or self.flags.strategy == "dynamic":
            return
        if name in self.alive:
            yield from self._stop([child])
            if (yield from self._start([child], is_first=True)) is not None:
                yield from self._on_exit(name, self._last_failure)
            return
        self.held.discard(name)
        yield from self._start([child])  # if it fails, it stays as it was

    def _on_delete(self, name: str) -> Process:
        child = self.find(name)
        if child is not None and name not in self.alive and self.flags.strategy != "dynamic":
            self.children.remove(child)
            self.held.discard(name)
        yield from ()

    def _on_tick(self) -> Process:
        yield from ()

    def _drop(self, child: Child) -> None:
        if child.restart == "temporary" or self.flags.strategy == "dynamic":
            self.children.remove(child)
            self.held.discard(child.name)

    # Restarts.

    def _restart(self, child: Child) -> Process:
        """Restart a child, again and again if its restart fails."""
        failed: Child | None = child
        while failed is not None:
            failed = yield from self._try_restart(failed)

    def _try_restart(self, child: Child) -> Process:
        flags = self.flags
        if flags.strategy == "terminate_all":
            raise Over("failed")
        self._mind_quiet()
        restarts = [self.now, *(r for r in self.restarts if r >= self.now - flags.window)]
        if len(restarts) > flags.max_restarts:
            return (yield from self._give_up())
        self.restarts, self.counted = restarts, self.counted + 1
        due = self.now + self._wait(child)
        concerned = [child]
        if flags.strategy == "one_for_all":
            concerned = list(self.children)
        elif flags.strategy == "rest_for_one":
            concerned += [c for c in self.children if c.group > child.group]
        yield from self._stop(c for c in concerned if c is not child)
        self._forget_temporary(concerned)
        self.due = due
        while self.now < due:
            yield from self._listen("wait")
        return (yield from self._start(self._startable(concerned)))

    def _mind_quiet(self) -> None:
        if self._all_restarted_at is None:
            return
        last = max([self._all_restarted_at, *self.restarts])
        if self.now - last > self.flags.window:
            self._all_restarted_at = None

    def _give_up(self) -> Process:
        self.escalations += 1
        if self.flags.escalation == "restart" and self._all_restarted_at is None:
            self._all_restarted_at, self.restarts = self.now, []
            self._failures.clear()
            everybody = list(self.children)
            yield from self._stop(everybody)
            self._forget_temporary(everybody)
            yield from self._start_all()
            return None
        raise Over("shutdown" if self.flags.escalation == "terminate" else "failed")

    def _start_all(self) -> Process:
        """Start everything anew; what fails is restarted before the next one's turn."""
        while missing := [c for c in self._startable(self.children) if c.name not in self.alive]:
            failed = yield from self._start(missing)
            if failed is not None:
                yield from self._restart(failed)

    def _forget_temporary(self, children: Iterable[Child]) -> None:
        for child in list(children):
            if child.restart == "temporary":
                self._drop(child)

    def _startable(self, children: Iterable[Child]) -> list[Child]:
        return [c for c in children if c in self.children and c.name not in self.held]

    def _wait(self, child: Child) -> float:
        ran = self.now - self._ready_at.pop(child.name, self.now)
        if ran > child.maximum and ran >= self.flags.window:
            self._failures.pop(child.name, None)
        failures = self._failures.get(child.name, 0)
        self._failures[child.name] = failures + 1
        return min(child.initial * 2**failures, child.maximum)
