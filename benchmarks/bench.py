"""What every benchmark is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from benchmarks.peers import Peers, PeersMissing
from benchmarks.report import Finding


@dataclass
class Bench:
    """One run of the benchmarks: how thorough it is, and the others' results.

    Attributes:
        quick: fewer rounds and smaller sizes, to see that it runs.
        rounds: how often each thing is measured; the median counts.
    """

    quick: bool = False
    why_no_peers: str = ""
    _peers: Peers | None = field(default=None, repr=False)

    @property
    def rounds(self) -> int:
        """How often each thing is measured."""
        return 1 if self.quick else 3

    def size(self, full: int, quick: int) -> int:
        """Choose a size."""
        return quick if self.quick else full

    def run_peers(self) -> None:
        """Let the others do their work once more, if they are there."""
        if self.why_no_peers:
            return
        try:
            if self._peers is None:
                self._peers = Peers(self.size(400, 100), self.size(998, 98))
            self._peers.run_once()
        except PeersMissing as reason:
            self.why_no_peers = f"others could not be run: {reason}"

    @property
    def peers(self) -> Peers | None:
        """The others' results; None when they could not be run."""
        return None if self.why_no_peers else self._peers


Measure = Callable[[Bench], Awaitable[Iterable[Finding]]]
