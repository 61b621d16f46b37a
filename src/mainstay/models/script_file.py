"""Written conversations: the form of their files, and reading one.

A script stands in for a language model in tests, demos and offline work. Example::

    prices: {input: 3, output: 15}       # US dollars for a million tokens
    turns:
      - when: {from: feedback}           # a reaction: whenever the model is told it was wrong
        say: "Sorry. Once more."
      - tools:                           # the first answer
          - fs.read: {path: notes.txt}
      - say: "It says: ${{ last }}"      # the second one
        delay: 200ms
        usage: {input: 1200, output: 80}
      - error: {message: "overloaded", retry_after: 1s, attempts: 2, after: "Let me th"}
        say: "Done."                     # the third one, from its third attempt on

Rules:
    1. Turns without ``when`` are played in the order of the file, each ``repeat`` times.
    2. Turns with ``when`` are reactions: the first one that fits what the model was just told is
       played in the place of the next turn, which then comes after it. They never wear out.
    3. After the last turn the script is at its end, which is an error; ``loop: true`` begins again.
    4. ``error`` fails the first ``attempts`` attempts; then the rest of the turn is played.
    5. ``${{ last }}`` is what the model was just told, ``${{ user }}`` what a person or another
       agent said last, ``${{ number }}`` how many answers there were before, ``${{ agent }}`` the
       agent's instructions. They stand in ``say`` and in arguments; ``$${{`` is a plain ``${{``.
    6. Asked to sum a conversation up, the script says its ``summary``, and no turn is played;
       without one it says the beginning of what each line of the conversation says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import regex
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from mainstay.decisions.plan_files.plan_file import Document, Form, read_plan
from mainstay.decisions.plan_files.problems import Findings, in_order, list_problems
from mainstay.decisions.suggestions import did_you_mean
from mainstay.models.prices import Prices
from mainstay.schemas.conversation import Finish
from mainstay.schemas.durations import Duration
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.model import Spec

FORM = Form(
    noun="a script",
    beginning="begin with `turns:`",
    when_empty="write `turns:` and below it `- say: Hello.`",
    when_large="split it into several scripts",
)

Value = Any  # JSON-like data, from the file

SLOT = re.compile(r"\$\$\{\{|\$\{\{\s*(last|user|number|agent)\s*\}\}")
"""What is filled in when a turn is played, or a ``${{`` that is to stay."""

_ANY_SLOT = re.compile(r"(?<!\$)\$\{\{[^}]*\}\}")
_CALL_KEYS = {"name", "arguments", "raw_arguments", "id"}


class Told(StrEnum):
    """Who told the model something: a person or an agent, a tool, or Mainstay itself."""

    USER = "user"
    TOOL = "tool"
    FEEDBACK = "feedback"


class When(Spec):
    """What must have been said for a reaction; everything that is given must hold of one text."""

    text: str = Field("", description="stands in what the model was just told")
    matches: str = Field("", description="a regular expression that is found in it")
    told_by: Told | None = Field(None, alias="from", description="user, tool or feedback")
    tool: str = Field("", description="it is the result of this tool")
    instructions: str = Field("", description="stands in the instructions of whoever asks")

    @field_validator("matches")
    @classmethod
    def _can_be_searched(cls, pattern: str) -> str:
        try:
            regex.compile(pattern)
        except regex.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return pattern


def as_when(value: Value) -> Value:
    """Accept a text alone."""
    return {"text": value} if isinstance(value, str) else value


class Use(Spec):
    """A tool call: ``{name: fs.read, arguments: {path: a}}``; in short ``fs.read: {path: a}``."""

    name: str = Field(min_length=1, description="the tool's name")
    arguments: dict[str, Value] = Field(default_factory=dict, description="its arguments")
    raw_arguments: str | None = Field(None, description="sent as they are, if they are no JSON")
    id: str = Field("", description="the call's id; else made of the answer's key")


def as_use(value: Value) -> Value:
    """Accept ``fs.read: {path: a}`` and ``fs.read`` alone."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and len(value) == 1 and not _CALL_KEYS & value.keys():
        name, arguments = next(iter(value.items()))
        return {"name": name, "arguments": arguments or {}}
    return value


class Fault(Spec):
    """A failure in the place of an answer."""

    kind: Literal["transient", "permanent", "refused", "too_large"] = Field(
        "transient", description="transient, permanent, refused or too_large"
    )
    message: str = Field("the script says so", description="what the failure says")
    retry_after: Duration | None = Field(None, description="for transient: ask again after this")
    attempts: int = Field(1, ge=1, description="how many attempts fail")
    after: str = Field("", description="what is said before it breaks off")


class Counted(Spec):
    """Tokens that an answer takes; what is absent is estimated from the texts' lengths."""

    input: int | None = Field(None, ge=0, description="input tokens, cached ones included")
    output: int | None = Field(None, ge=0, description="output tokens")
    cached: int = Field(0, ge=0, description="of the input, those that were cached")


class Turn(Spec):
    """One answer."""

    when: Annotated[When | None, BeforeValidator(as_when)] = Field(
        None, description="makes it a reaction"
    )
    say: Value = Field(None, description="a text; anything else is said as JSON")
    tools: list[Annotated[Use, BeforeValidator(as_use)]] = Field(
        default_factory=list, description="tool calls, all at once"
    )
    error: Fault | None = Field(None, description="fails first")
    delay: Duration = Field(timedelta(0), description="silence before the answer")
    typing: Duration = Field(timedelta(0), description="from the first word to the last")
    usage: Counted = Field(default_factory=Counted, description="tokens it takes")
    finish: Finish | None = Field(None, description="answer, tools, length or refused")
    repeat: int = Field(1, ge=1, le=1_000_000, description="how many times it is played")

    @model_validator(mode="after")
    def _does_something(self) -> Turn:
        if not self.model_fields_set & {"say", "tools", "error"}:
            raise ValueError(
                'has neither say, tools nor error; write `say: ""` for an empty answer'
            )
        for template in (self.say, [use.arguments for use in self.tools]):
            for found in unknown_slots(template):
                raise ValueError(f"{found} is nothing; there are last, user, number and agent")
        return self


def unknown_slots(template: Value) -> list[str]:
    """Return what is written as a slot, and is none."""
    if isinstance(template, dict):
        return [found for value in template.values() for found in unknown_slots(value)]
    if isinstance(template, list):
        return [found for value in template for found in unknown_slots(value)]
    if not isinstance(template, str):
        return []
    return [found for found in _ANY_SLOT.findall(template) if not SLOT.fullmatch(found)]


class ScriptSpec(Spec):
    """A script, as it is written."""

    description: str = Field("", description="what it plays")
    prices: Prices | None = Field(None, description="US dollars for a million tokens; else free")
    loop: bool = Field(False, description="begin again after the last turn")
    summary: str | None = Field(None, description="said when asked to sum a conversation up")
    turns: list[Turn] = Field(min_length=1, description="the answers, in order")


def read_script(path: Path) -> ScriptSpec:
    """Read a script from its file.

    Raises:
        InvalidInput: it cannot be read, or is not a script; each problem with its line.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"the script {str(path)!r} cannot be read: {error.strerror or error}",
            hint="a script's path is relative to the folder the worker was started in",
        ) from None
    return parse_script(text, str(path))


def parse_script(text: str | bytes, source: str) -> ScriptSpec:
    """Read a script. ``source`` is its name, for messages.

    Raises:
        InvalidInput: it is not a script; each problem with its line.
    """
    document = read_plan(text, source, FORM)
    problems = list(document.problems)
    if document.data is not None and not problems:
        try:
            return ScriptSpec.model_validate(document.data)
        except ValidationError as error:
            findings = Findings(source, document.locate)
            for detail in error.errors(include_url=False):
                _report(detail, document, findings)
            problems = findings.problems
    raise InvalidInput(
        list_problems(f"the script {source!r}", in_order(problems)),
        hint="see the beginning of mainstay/models/script_file.py for the form of a script",
    )


def _report(detail: ErrorDetails, document: Document, findings: Findings) -> None:
    path = _path_in(document.data, detail["loc"])
    if detail["type"] == "extra_forbidden":
        key = str(detail["loc"][-1])
        guess = did_you_mean(key, sorted(_KEYS))
        findings.add(path, f"unknown key `{key}`", guess, at_key=True)
        return
    said = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else detail["msg"]
    name = f"`{detail['loc'][-1]}`: " if isinstance(detail["loc"][-1], str) else ""
    findings.add(path, name + said)


def _path_in(data: Value, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return as much of a place as the file has; short forms have fewer levels than the model."""
    path: list[str | int] = []
    for part in loc:
        is_item = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if not is_item and not (isinstance(data, Mapping) and part in data):
            break
        data = data[part]
        path.append(part)
    return tuple(path)


_KEYS = {
    field.alias or name
    for model in (ScriptSpec, Turn, When, Use, Fault, Counted, Prices)
    for name, field in model.model_fields.items()
}
