"""Timeouts and retry policies of every activity and child workflow, with their reasons."""

from __future__ import annotations

from datetime import timedelta

from temporalio.common import RetryPolicy

MACHINE_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=10),
)
"""Without end: only what the machine did wrong (a killed worker, a store that does not answer) is
retried by Temporal. What a tool did wrong is decided by the plan, with the plan's own limits."""

RECORD_TIMEOUT = timedelta(seconds=30)
"""One write to storage; longer means that the worker or the store is gone."""

STEP_TIMEOUT = timedelta(milliseconds=500)
"""One look into a mailbox within a step of a workflow, which is held up meanwhile; what takes
longer is left to an activity. It spares the server a third of its work on a turn."""

LONG_STEP_TIMEOUT = timedelta(seconds=2)
"""An agent's getting ready within its first step, and the end of its run within the last. Longer
than other looks into a mailbox: nothing is held up by it, and many agents of a team come and go at
once."""

ONCE = RetryPolicy(maximum_attempts=1)
"""For what is done in another way when it fails."""

PREPARE_TIMEOUT = timedelta(minutes=2)
"""Reading inputs and outputs of up to 64 MiB and evaluating expressions over them."""

TOOL_MARGIN = timedelta(minutes=1)
"""What a tool activity may take beyond its tool's own timeouts, which it keeps itself."""

SETTLE_DELAY = timedelta(milliseconds=10)
"""A short sleep at the start of a continued run: without it, if the first update is refused by
its validator, the next good one waits ten seconds."""
"""Source: measured on server 1.32.0."""

SHORTEST_TURN = timedelta(seconds=5)
"""A workflow may need so long to be brought back from a long history on a busy machine."""


def turn_timeout(silence: timedelta) -> timedelta:
    """Return how long one step of a workflow may take before its worker is taken for dead.

    Args:
        silence: after how long the run's workers are taken for dead.

    Returns:
        The same, but 5 to 120 seconds, which is what the server allows.
    """
    return min(max(silence, SHORTEST_TURN), timedelta(seconds=120))


AGENT_MARGIN = timedelta(minutes=15)
"""What asking a model may take beyond its own timeout: waiting for a place in the queue of a
provider whose rate is limited."""

TOOL_CALL_TIMEOUT = timedelta(hours=24)
"""Longest tool call of an agent; each tool keeps a timeout of its own. A worker that dies is
noticed by its heartbeats."""

SUPERVISOR_TIMEOUT = timedelta(hours=24)
"""Seeing to the orphans of a killed supervisor, or closing all that is left of a team: it takes as
long as their work takes. A worker that dies is noticed by its heartbeats."""

CLOSING_TIMEOUT = timedelta(seconds=30)
"""How long a run that has told its end may take to be closed, before its next one is begun."""

TAKEN_WAITS = tuple(timedelta(milliseconds=50 * 2**n) for n in range(7))
"""Waits before starting a child again whose former run the server still takes for open."""

RECORD_PAUSE = timedelta(seconds=1)
"""While children are being started or stopped, a supervisor is put on record no more often."""

HEALTH_TIMEOUT = timedelta(seconds=60)
"""One look at a whole team."""

HEALTH_LATENESS = timedelta(seconds=5)
"""A look that begins later than this is left out: there was no worker, so that agents look worse
than they are."""
