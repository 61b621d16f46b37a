"""How long a run's history has grown, and whether it is time to leave it."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow

from mainstay.decisions.rollover import PATIENCE, Rollover, rollover


class HistoryLength:
    """Watches the length of one run's history.

    ``holds`` is true while nothing new is to be handed out, so that the run can be left soon.
    """

    def __init__(self, threshold: int) -> None:
        self.holds = False
        self._threshold = threshold
        self._start = 0
        self._held_since: datetime | None = None

    def begin(self) -> None:
        """Count from here: what a run reads at its start would otherwise end short runs at once."""
        self._start = workflow.info().get_current_history_length()

    def is_over(self, in_flight: int) -> bool:
        """Tell whether the run is to continue as new now."""
        info, now = workflow.info(), workflow.now()
        choice = rollover(
            info.get_current_history_length() - self._start,
            self._threshold,
            info.is_continue_as_new_suggested(),
            in_flight,
            now - self._held_since if self._held_since else timedelta(0),
        )
        self.holds = choice is Rollover.HOLD
        if self.holds and self._held_since is None:
            self._held_since = now
        return choice is Rollover.CONTINUE_AS_NEW

    def patience_ends_at(self) -> datetime | None:
        """Return when free places have been kept empty for long enough; None if they are not."""
        if not self.holds or self._held_since is None:
            return None
        until = self._held_since + PATIENCE
        return until if until > workflow.now() else None
