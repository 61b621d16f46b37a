"""Writing an agent back as a file that reads as the same agent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import yaml

from mainstay.decisions.agent_files.agent_words import FILE_KEYS
from mainstay.decisions.agent_files.front_matter import FENCE, clean_prompt
from mainstay.decisions.plan_files.plan_file import resolve
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.model import Spec

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def to_markdown(spec: AgentSpec) -> str:
    """Write an agent as a file: what is not a default as front matter, then the prompt.

    A prompt that a file's body cannot hold as it is, one that begins with a blank line for
    instance, stands in the front matter.

    Raises:
        InvalidInput: a key of ``extras`` is one of our own.
    """
    taken = sorted(set(spec.extras) & set(FILE_KEYS))
    if taken:
        raise InvalidInput(
            f"the extras of agent {spec.name!r} hold a key of Mainstay's: {taken[0]!r}",
            hint=f"set `{taken[0]}` itself, and remove it from `extras`",
        )
    front = _written(spec) | spec.extras
    front.pop("extras", None)
    prompt = spec.prompt
    if "\x00" not in prompt and clean_prompt(prompt) == prompt:
        front.pop("prompt", None)
    else:
        prompt = ""
    head = yaml.dump(front, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)
    return f"{FENCE}\n{head}{FENCE}\n" + (f"\n{prompt}\n" if prompt else "")


def _written(spec: Spec) -> dict[str, Any]:
    """Return what is not a default, in the order of the schema."""
    fields = type(spec).model_fields
    return {
        name: _plain(value)
        for name, value in spec
        if fields[name].is_required()
        or value != fields[name].get_default(call_default_factory=True)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return _written(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, Decimal):
        number = float(value)
        return number if Decimal(repr(number)) == value else str(value)
    return value


def _duration(value: timedelta) -> str | float:
    seconds, rest = divmod(value, timedelta(seconds=1))
    if rest or not seconds:
        return value.total_seconds()
    text = ""
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        text += f"{count}{unit}" if count else ""
    return text


class _Dumper(yaml.SafeDumper):
    """Writes YAML as our own reader understands it, which differs from YAML 1.1's."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value that stands twice, twice."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_plain = isinstance(resolve(text), str) and text.isprintable()
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain else '"')


_Dumper.add_representer(str, _represent_text)
