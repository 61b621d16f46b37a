"""Every error Mainstay raises on purpose.

| error         | when                                            | retried? | exit code |
|---------------|-------------------------------------------------|----------|-----------|
| MainstayError | the base; a plan or an agent that failed        | no       | 1         |
| InvalidInput  | a plan, a file, an argument is wrong            | never    | 3         |
| NotFound      | what was named does not exist                   | never    | 4         |
| LimitReached  | a rule stopped it: budget, quota, size          | never    | 5         |
| Refused       | no authority for it, or a person said no        | never    | 6         |
| Unavailable   | a server, a provider, a database did not answer | yes      | 7         |

Exit code 2 stays the usage error of the command line. A message says what, which one
(``{id!r}``) and what is wrong; the hint says what to do next.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar


class MainstayError(Exception):
    """The base of every error raised on purpose.

    Args:
        message: What went wrong, naming the thing it went wrong with.
        hint: What the reader can do about it; empty when there is nothing to do.
    """

    exit_code: ClassVar[int] = 1
    is_retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint))


class InvalidInput(MainstayError):
    """The caller's fault: a plan, an agent file or an argument is wrong."""

    exit_code = 3


class NotFound(MainstayError):
    """The caller's fault: what was named does not exist."""

    exit_code = 4


class LimitReached(MainstayError):
    """A rule stopped it: a budget, a quota, a size, a full mailbox."""

    exit_code = 5


class BudgetReached(LimitReached):
    """What may be spent is spent; more can be given."""


class Refused(MainstayError):
    """No authority for it, or a person said no."""

    exit_code = 6


class Unavailable(MainstayError):
    """The world's fault: a provider, a server or a database did not answer.

    Attributes:
        retry_after: how long the other side asks to be left alone, where it said so.
    """

    exit_code = 7
    is_retryable = True
    retry_after: timedelta | None = None


class ToolFailed(MainstayError):
    """A tool did its work and reports that it did not succeed, a non-zero exit code for instance.

    Retried by the task's policy when the tool is idempotent.
    """

    is_retryable = True


class UnknownOutcome(MainstayError):
    """Something that must not be done twice was begun, and nobody knows whether it happened."""


class PlanFailed(MainstayError):
    """A plan ended without success: a task failed, or its time was up."""


class AgentFailed(MainstayError):
    """An agent could not answer a message, or ended before it did."""


ERRORS: dict[str, type[MainstayError]] = {
    error.__name__: error
    for error in (
        MainstayError,
        InvalidInput,
        NotFound,
        LimitReached,
        BudgetReached,
        Refused,
        Unavailable,
        ToolFailed,
        UnknownOutcome,
        PlanFailed,
        AgentFailed,
    )
}


def restore(type_name: str | None, message: str, hint: str = "") -> MainstayError:
    """Make an error again from what is left of it after it crossed Temporal.

    Only the name of an error's type and its message survive between an activity, a workflow and
    a client. An unknown name becomes a plain :class:`MainstayError` that still shows the name.
    """
    known = ERRORS.get(type_name or "")
    if known is not None:
        return known(message, hint=hint)
    return MainstayError(f"{type_name}: {message}" if type_name else message, hint=hint)


def _rebuild(kind: type[MainstayError], message: str, hint: str) -> MainstayError:
    return kind(message, hint=hint)
