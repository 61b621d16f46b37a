"""Makes plans for Hypothesis: documents as they would stand in a file, valid ones and broken ones.

Every tool of a valid plan is in :data:`TOOLS`; whoever runs such plans registers tools of these
names. ``shape`` returns nothing in particular, so that no valid plan depends on what it returns.
"""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hypothesis import strategies as st

from mainstay.schemas.tools import ToolSpec

_POINT = {
    "type": "object",
    "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
    "required": ["x", "y"],
    "additionalProperties": False,
}

TOOLS: dict[str, ToolSpec] = {
    tool.name: tool
    for tool in (
        ToolSpec(
            name="fs.read",
            parameters={
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "limit": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
                    "mode": {"enum": ["text", "bytes"], "type": "string"},
                    "only": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["path"],
            },
        ),
        ToolSpec(name="now", parameters={"type": "object", "properties": {}}),
        ToolSpec(name="launch", idempotent=False, parameters={"type": "object"}),
        ToolSpec(
            name="shape",
            parameters={
                "type": "object",
                "properties": {
                    "at": {"anyOf": [{"$ref": "#/$defs/Point"}, {"type": "null"}]},
                    "size": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10},
                    "few": {"type": "array", "maxItems": 2},
                    "word": {"type": "string", "minLength": 1},
                    "kind": {"const": "box"},
                    "either": {"anyOf": [{"type": "integer"}, {"type": "array"}]},
                    "part": {"allOf": [{"type": "integer", "maximum": 10}]},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                },
                "$defs": {"Point": _POINT},
            },
        ),
    )
}

_WORDS = st.sampled_from(["a", "plain text", "x/y", "5", "true", "${", "$${{ x }}", "", "é"])
_ITEMS = st.lists(st.integers(0, 99) | _WORDS, min_size=1, max_size=4)

Document = dict[str, Any]

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@st.composite
def valid_plans(draw: st.DrawFn, depth: int = 1) -> Document:
    """Make a plan that is valid and can end: a few tasks of every kind, needing earlier ones."""
    inputs = draw(_inputs())
    names = [f"t{number}" for number in range(draw(st.integers(1, 6)))]
    plans = {"inner": draw(valid_plans(depth=depth - 1))} if depth and draw(st.booleans()) else {}
    tasks: Document = {}
    for position, name in enumerate(names):
        needs = (
            draw(st.lists(st.sampled_from(names[:position]), max_size=3, unique=True))
            if (position)
            else []
        )
        tasks[name] = draw(_task(needs, tasks, inputs, plans))
    document: Document = {"name": draw(st.sampled_from(["made", "a-plan", "_p1"])), "tasks": tasks}
    for key, value in (("inputs", inputs), ("plans", plans)):
        if value:
            document[key] = value
    if draw(st.booleans()):
        document["outputs"] = {"last": f"${{{{ needs.{names[-1]}.result }}}}"}
    if draw(st.booleans()):
        document["max_parallel"] = draw(st.integers(1, 20))
    order = draw(st.permutations(list(document)))
    return {key: document[key] for key in order}


@st.composite
def _inputs(draw: st.DrawFn) -> Document:
    """Make inputs that all have a default, so that a plan can be started without any."""
    made: Document = {}
    for name in draw(st.lists(st.sampled_from(["path", "count", "flag"]), unique=True)):
        kind, value = {
            "path": ("string", draw(_WORDS)),
            "count": ("integer", draw(st.integers(-5, 5))),
            "flag": ("boolean", draw(st.booleans())),
        }[name]
        made[name] = {"type": kind, "default": value}
    return made


@st.composite
def _task(
    draw: st.DrawFn, needs: list[str], before: Document, inputs: Document, plans: Document
) -> Document:
    kinds = ["tool", "tool", "tool", "each", "ask", *(["plan"] if plans else [])]
    kind = draw(st.sampled_from(kinds))
    seen = [f"inputs.{name}" for name in inputs] + [f"needs.{name}.result" for name in needs]
    task: Document = {"needs": needs} if needs else {}
    if kind == "plan":
        task["plan"] = "inner"
    elif kind == "ask":
        task["approval"] = {"message": "Go?", "deadline": 0.05, "default": "approve"}
    else:
        if kind == "each":
            task["for_each"] = draw(_ITEMS | st.just("${{ range(5) }}"))
            task["batch"] = draw(st.integers(1, 3))
            seen += ["item", "index"]
        task |= draw(_work(seen))
        task |= draw(_extras(kind))
    if draw(st.booleans()):
        task["if"] = draw(_condition(needs, inputs))
    return task


@st.composite
def _work(draw: st.DrawFn, seen: list[str]) -> Document:
    tool = draw(st.sampled_from(["fs.read", "now", "launch", "shape"]))
    value = draw(_template(seen))
    arguments: dict[str, Document] = {
        "fs.read": {"path": f"p {value}"},
        "shape": {"size": draw(st.integers(1, 9)), "labels": {"k": f"v {value}"}},
    }
    return {"tool": tool, "with": arguments[tool]} if tool in arguments else {"tool": tool}


@st.composite
def _template(draw: st.DrawFn, seen: list[str]) -> str:
    words = [draw(_WORDS)]
    for name in draw(st.lists(st.sampled_from(seen), max_size=2)) if seen else []:
        words.append(f"${{{{ {name} }}}}")
    return " ".join(words)


@st.composite
def _condition(draw: st.DrawFn, needs: list[str], inputs: Document) -> str | bool:
    choices: list[str | bool] = [True, "success()", "always()", "not failure()", "1 < 2"]
    choices += [f"needs.{name}.result == 'success'" for name in needs]
    choices += [f"${{{{ inputs.{name} is defined }}}}" for name in inputs]
    return draw(st.sampled_from(choices))


@st.composite
def _extras(draw: st.DrawFn, kind: str) -> Document:
    possible: Document = {
        "continue_on_error": True,
        "env": {"A": "1", "B": "${{ plan.name }}"},
        "timeout": "30s",
        "priority": "low",
        "outputs": {"value": "${{ output }}"},
        "undo": {"tool": "now"},
        "verify": {"check": "output is defined"},
        "retry": {"attempts": 2, "initial": 0.01},
        "idempotent": True,
    }
    chosen = draw(st.lists(st.sampled_from(list(possible)), max_size=3, unique=True))
    if "retry" in chosen:
        chosen.append("idempotent")
    return {key: copy.deepcopy(possible[key]) for key in chosen}


_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["${{ inputs.x }}", "${{", "${{ needs }}", "t0", "inner", "./x.yaml", "a && b"]
    ),
    st.just([]),
    st.just({}),
    st.lists(st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=3),
)
_KEYS = st.sampled_from(
    ["tool", "plan", "needs", "if", "with", "for_each", "batch", "retry", "verify", "undo", "env",
     "approval", "inputs", "tasks", "plans", "outputs", "name", "uses", "<<", "1x", "timeout",
     "default", "choices", "type", "check", "max_parallel", "t0", "t1", "inner"]
) | st.text(max_size=5)  # fmt: skip


@st.composite
def broken_plans(draw: st.DrawFn) -> Any:
    """Take a valid plan and spoil a few places in it: it may still be valid, but rarely is."""
    document: Any = copy.deepcopy(draw(valid_plans()))
    for _ in range(draw(st.integers(1, 4))):
        document = _spoil(draw, document)
    return document


def _spoil(draw: st.DrawFn, document: Any) -> Any:
    places = list(_places(document))
    parent, key = draw(st.sampled_from(places)) if places else (None, None)
    action = draw(st.sampled_from(["replace", "remove", "rename", "add", "swap"]))
    if parent is None:
        return draw(_JUNK)
    if action == "remove":
        del parent[key]
    elif action == "rename" and isinstance(parent, dict):
        parent[draw(_KEYS)] = parent.pop(key)
    elif action == "add" and isinstance(parent, dict):
        parent[draw(_KEYS)] = draw(_JUNK)
    elif action == "swap":
        other, at = draw(st.sampled_from(places))
        parent[key] = copy.deepcopy(other[at])
    else:
        parent[key] = draw(_JUNK)
    return document


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def as_yaml(document: Any) -> str:
    """Write a document as a person would, with its keys in their order."""
    return str(yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True))
