"""Whether a plan has the right keys and types, in plain words and all at once.

The schema finds what is wrong. What it found is then taken out, so that the rest of the plan can
still be checked: one typo must not hide the other nine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mainstay.decisions.plan_files.plan_file import Document
from mainstay.decisions.plan_files.plan_words import describe, explain_unknown_key
from mainstay.decisions.plan_files.problems import Findings, Path
from mainstay.schemas.ids import NAME_PATTERN
from mainstay.schemas.plan import PlanSpec

MAX_ROUNDS = 4
_PLACEHOLDER: dict[str, Any] = {"approval": True}


@dataclass
class Structure:
    """What is left of a plan once wrong parts are taken out.

    Attributes:
        spec: the plan, or None when too little is left of it.
        damaged: places where something was taken out, and all that surround them.
    """

    spec: PlanSpec | None = None
    damaged: set[Path] = field(default_factory=set)

    def is_damaged(self, path: Path) -> bool:
        """Tell whether something was taken out at a place or right inside it."""
        return path in self.damaged


def check_structure(document: Document, findings: Findings) -> Structure:
    """Check a document against the schema of plans, and report everything that is wrong."""
    structure = Structure()
    data: Any = _with_texts_in_env(document.data, document, ())
    for _ in range(MAX_ROUNDS):
        try:
            structure.spec = PlanSpec.model_validate(data)
            return structure
        except ValidationError as error:
            data = _copy(data)
            removed: set[Path] = set()
            for detail in error.errors(include_url=False, include_context=True):
                path = _report(detail, data, findings, removed)
                structure.damaged.update(path[:length] for length in range(len(path) + 1))
            if not _take_out(data, removed):
                return structure
    return structure


def _report(detail: ErrorDetails, data: Any, findings: Findings, removed: set[Path]) -> Path:
    """Report one complaint of the schema, note what to take out, and return where it is."""
    path = path_in(data, detail["loc"])
    kind = detail["type"]
    is_bad_key = "[key]" in detail["loc"]
    if kind == "missing":
        name = str(detail["loc"][-1])
        findings.add((*path, name), f"`{name}` is missing", at_key=True)
        removed.add((*path, name) if _is_plan(path) else path)
    elif path not in removed:
        removed.add(path)
        if kind == "extra_forbidden":
            message, hint = explain_unknown_key(path)
        else:
            message, hint = describe(path, detail, is_bad_key)
        findings.add(path, message, hint, at_key=is_bad_key or kind == "extra_forbidden")
    return path


def _is_plan(path: Path) -> bool:
    """Tell whether a plan stands at a path: the whole one, or one inside its ``plans``."""
    return len(path) % 2 == 0 and all(part == "plans" for part in path[::2])


def path_in(data: Any, loc: tuple[str | int, ...]) -> Path:
    """Return the part of a schema's location that exists in the document."""
    path: list[str | int] = []
    for part in loc:
        if isinstance(data, Mapping) and part in data:
            data = data[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            break
        path.append(part)
    return tuple(path)


def _copy(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copy(value) for key, value in data.items()}
    return [_copy(value) for value in data] if isinstance(data, list) else data


def is_name(text: str) -> bool:
    """Tell whether a text has the form of a name."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def _take_out(data: Any, removed: set[Path]) -> bool:
    """Remove what was reported; False when a plan is not worth to be looked at any more."""
    # Whatever is deepest goes first, and the last entry of a list, so that no place moves.
    for path in sorted(removed, key=_depth_and_index, reverse=True):
        if not path or (path[-1] == "tasks" and _is_plan(path[:-1])):
            return False
        parent = data
        for part in path[:-1]:
            parent = parent[part]
        last = path[-1]
        if last == "name" and _is_plan(path[:-1]):
            parent["name"] = "unnamed"
        elif path[-2:-1] == ("tasks",) and _is_plan(path[:-2]) and is_name(str(last)):
            parent[last] = dict(_PLACEHOLDER)
        elif isinstance(parent, dict):
            parent.pop(last, None)
            if not parent and path[-2:-1] == ("tasks",) and _is_plan(path[:-2]):
                return False
        else:
            del parent[int(last)]
    return True


def _depth_and_index(path: Path) -> tuple[int, list[tuple[int, str]]]:
    return len(path), [(part, "") if isinstance(part, int) else (-1, part) for part in path]


def _with_texts_in_env(data: Any, document: Document, path: Path) -> Any:
    """Return the plan with numbers and booleans in ``env`` as the texts they are written as."""
    if not isinstance(data, dict):
        return data
    changed = dict(data)
    _fix_env(changed, document, path)
    for group in ("tasks", "plans"):
        if isinstance(entries := data.get(group), dict):
            changed[group] = {
                name: _entry(one, group, document, (*path, group, name))
                for name, one in entries.items()
            }
    return changed


def _entry(one: Any, group: str, document: Document, path: Path) -> Any:
    if group == "plans":
        return _with_texts_in_env(one, document, path)
    if isinstance(one, dict) and isinstance(one.get("env"), dict):
        one = dict(one)
        _fix_env(one, document, path)
    return one


def _fix_env(owner: dict[str, Any], document: Document, path: Path) -> None:
    if isinstance(env := owner.get("env"), dict):
        owner["env"] = {
            name: document.text_at((*path, "env", name))
            if isinstance(value, int | float)
            else value
            for name, value in env.items()
        }
