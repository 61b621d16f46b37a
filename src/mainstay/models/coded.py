"""Functions in the place of a language model: agents that think with code.

The function is called as ``function(prompt=..., entries=...)``: what the agent was told last, and
the window of the conversation, oldest first. One that also has a parameter ``instructions`` is
given what stands above the conversation: the agent's prompt, pinned facts, the summary of what was
said before. One that has a parameter ``purpose`` is told what it is asked for: an ``answer``, or a
``summary`` of the text in the prompt. It returns a text, or a
:class:`mainstay.schemas.conversation.ModelAnswer` when it wants tools. It may be asynchronous; one
that is not runs in a thread. It is asked again after a crash, so it should have no effects of its
own: those belong into tools.
"""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mainstay.models.live_answer import LiveAnswer
from mainstay.models.model_string import ModelString
from mainstay.schemas.conversation import EntryKind, Finish, ModelAnswer
from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import InvalidInput, MainstayError, Unavailable
from mainstay.schemas.model_calls import ModelCall

PARAMETERS = ("prompt", "entries")
"""What each function takes; what it may take beside these is written above."""

Thinker = Callable[..., Any]  # Any: what a function returns is checked when it has returned


class CodedModels:
    """Asks functions.

    Args:
        load: imports a module by its name or its file's.
    """

    def __init__(self, load: Callable[[str], ModuleType]) -> None:
        self._load = load

    def check(self, name: ModelString) -> None:
        """See that a function is there and takes what it will be given.

        Raises:
            InvalidInput: it is not, or does not.
        """
        self._function(name)

    async def ask(self, name: ModelString, call: ModelCall) -> ModelAnswer:
        """Ask a function; see :class:`mainstay.activities.agent_ports.Models`."""
        function = await asyncio.to_thread(self._function, name)
        try:
            async with asyncio.timeout(call.timeout.total_seconds()) as limit:
                answered = await _called(function, call)
        except MainstayError:
            raise
        except TimeoutError:
            if not limit.expired():
                raise
            raise Unavailable(
                f"model {call.model!r} did not finish within {format_duration(call.timeout)}",
                hint="raise limits.model_timeout",
            ) from None
        except Exception as error:
            raise _blame(error, call) from None
        return _answer(answered, call)

    def _function(self, name: ModelString) -> Thinker:
        module, _, attribute = name.name.rpartition(":")
        try:
            found = getattr(self._load(module), attribute, None)
        except MainstayError as error:
            raise InvalidInput(f"model {name.text!r}: {error}", hint=error.hint) from None
        except ImportError as error:
            raise InvalidInput(
                f"model {name.text!r}: {error}", hint="is the module on PYTHONPATH?"
            ) from None
        if not callable(found):
            raise InvalidInput(
                f"model {name.text!r}: {module!r} has no function {attribute!r}",
                hint="write code:MODULE:FUNCTION",
            )
        # By name, so that no function that was made for something else can be called.
        if not set(PARAMETERS) <= _parameters(found):
            raise InvalidInput(
                f"model {name.text!r}: {attribute!r} does not take prompt and entries",
                hint=f"write def {attribute}(prompt: str, entries) -> str",
            )
        thinker: Thinker = found
        return thinker


def _parameters(function: Thinker) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return set()


async def _called(function: Thinker, call: ModelCall) -> Any:  # Any: whatever it returns
    prompts = [
        entry.text for entry in call.entries if entry.kind in (EntryKind.USER, EntryKind.FEEDBACK)
    ]
    given: dict[str, Any] = {  # Any: a text or entries
        "prompt": prompts[-1] if prompts else "",
        "entries": tuple(call.entries),
    }
    more = {"instructions": call.instructions, "purpose": call.purpose}
    given |= {name: more[name] for name in more.keys() & _parameters(function)}
    if inspect.iscoroutinefunction(function):
        return await function(**given)
    answered = await asyncio.to_thread(function, **given)
    return await answered if inspect.isawaitable(answered) else answered


def _answer(answered: object, call: ModelCall) -> ModelAnswer:
    if isinstance(answered, str):
        answered = ModelAnswer(text=answered)
    if not isinstance(answered, ModelAnswer):
        raise InvalidInput(
            f"model {call.model!r} returned {type(answered).__name__}, not a text",
            hint="return a str, or a ModelAnswer to call tools",
        )
    live = LiveAnswer(call.model, call.answer_bytes, call.watch)
    for use in answered.uses:
        live.count(str(use.arguments))
    live.say(answered.text)
    live.show()
    is_default = answered.finish is Finish.ANSWER and bool(answered.uses)
    return answered.model_copy(
        update={
            "finish": Finish.TOOLS if is_default else answered.finish,
            "usage": answered.usage.model_copy(update={"model_calls": 1}),
            "model": answered.model or call.model,
        }
    )


def _blame(error: Exception, call: ModelCall) -> InvalidInput:
    """Say what went wrong in the function, and where, in the place of a traceback."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return InvalidInput(
        f"model {call.model!r}: {type(error).__name__}: {error} "
        f"({Path(last.filename).name}, line {last.lineno})",
        hint="correct the function; raise mainstay's Unavailable for what may pass",
    )
