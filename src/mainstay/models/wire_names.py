"""Tool names as providers allow them: letters, digits, ``_`` and ``-``, at most 64.

Rules:
    1. A name that is allowed stays as it is.
    2. In any other, each character that is not allowed becomes ``_``: ``fs.read`` is ``fs_read``.
    3. Where that name is taken, or too long, it ends in eight digits of the name's hash, so that
       it does not depend on the order of the tools.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

MAX_CHARS = 64
"""Source: the function names of OpenAI's API; Anthropic's allow 128."""

_ALLOWED = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_CHARS}}}")
_OTHER = re.compile(r"[^A-Za-z0-9_-]")


class WireNames:
    """Translates the names of a set of tools, there and back."""

    def __init__(self, names: Iterable[str]) -> None:
        given = sorted(set(names))
        self._wire = {name: name for name in given if _ALLOWED.fullmatch(name)}
        for name in given:
            if name not in self._wire:
                self._wire[name] = _free_name(name, set(self._wire.values()))
        self._own = {wire: name for name, wire in self._wire.items()}

    def to_wire(self, name: str) -> str:
        """Return the name a provider is told; also for tools that are gone since."""
        return self._wire.get(name) or _free_name(name, set())

    def from_wire(self, wire: str) -> str:
        """Return a tool's own name; a name that no tool has is returned as it is."""
        return self._own.get(wire, wire)


def _free_name(name: str, taken: set[str]) -> str:
    plain = _OTHER.sub("_", name) or "_"
    if len(plain) <= MAX_CHARS and plain not in taken:
        return plain
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{plain[: MAX_CHARS - 9]}_{digest}"
