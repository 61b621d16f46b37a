"""What is wrong with a team's keys and values, in words for someone who writes its file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from mainstay.decisions.agent_files.agent_words import PARTS as PARTS_OF_AGENT
from mainstay.decisions.agent_files.agent_words import explain_misfit as explain_misfit_of_agent
from mainstay.decisions.expressions.budget import kind_of
from mainstay.decisions.plan_files.plan_words import describe, keys_of
from mainstay.decisions.plan_files.problems import Path
from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.agent import AgentSpec, OnFailure
from mainstay.schemas.team import (
    AutoShutdown,
    BackoffSpec,
    ChildSpec,
    ErrorAction,
    ErrorPolicy,
    Escalation,
    HealthSpec,
    IntensitySpec,
    Orphans,
    Restart,
    Strategy,
    SupervisorSpec,
    TeamLimits,
    TeamSpec,
)

CHILD_KEYS = tuple(keys_of(ChildSpec))
SUPERVISOR_KEYS = tuple(keys_of(SupervisorSpec))
TEAM_KEYS = tuple(keys_of(TeamSpec))
PARTS: Mapping[str, type[BaseModel]] = {
    "intensity": IntensitySpec,
    "backoff": BackoffSpec,
    "errors": ErrorPolicy,
    "limits": TeamLimits,
    "health": HealthSpec,
}
"""What stands under these keys, wherever they may stand."""

KILL, FOR_EVER = "brutal_kill", "infinity"
STRATEGY_ALIASES: Mapping[str, Strategy] = {
    "all_for_one": Strategy.ONE_FOR_ALL,
    "simple_one_for_one": Strategy.DYNAMIC,
}
"""Other names of strategies, however their words are joined."""

TERMINATE_ALL_ALIASES = ("OneForAll", "oneForAll")
"""Specification 003's name; only so written, because OTP's one_for_all is another strategy."""

_CHOICES: Mapping[str, type[StrEnum]] = {
    "strategy": Strategy,
    "restart": Restart,
    "escalation": Escalation,
    "auto_shutdown": AutoShutdown,
    "orphans": Orphans,
    "on_failure": OnFailure,
}
_INTENSITY = "write `intensity: {max_restarts: 3, window: 5s}`"
_COUNT = "did you mean `count`?"
_MEANT_IN_SUPERVISOR = {
    **dict.fromkeys(("max_restarts", "max_seconds", "period", "window"), _INTENSITY),
    "<<": "merge keys are not supported; repeat the entries",
}
_MEANT_IN_TEAM = {
    "name": "did you mean `team`?",
    "supervisor": "write its keys at the top: `strategy`, `children`",
    "members": "did you mean `children`?",
    "workers": "did you mean `children`?",
    "tasks": "a team has `children`; a file with `tasks` is a plan: `mainstay run`",
    "version": "leave it out",
    "catalogue": "leave it out: `--agents FOLDER` names the catalogue",
}
_MEANT_IN_CHILD = {
    "id": "did you mean `name`?",
    "type": "an agent has `agent`, a supervisor has `children`",
    "restart_type": "did you mean `restart`?",
    "restart_policy": "did you mean `restart`?",
    **dict.fromkeys(("replicas", "instances", "size"), _COUNT),
    **dict.fromkeys(("timeout", "grace"), "did you mean `shutdown`?"),
    **dict.fromkeys(
        ("prompt", "tools", "role"), "write the agent under `agents` at the top, and name it here"
    ),
    "members": "did you mean `children`?",
}
_MEANT_IN_PART: Mapping[str, Mapping[str, str]] = {
    "intensity": {
        **dict.fromkeys(("intensity", "restarts", "max"), "did you mean `max_restarts`?"),
        **dict.fromkeys(("period", "max_seconds", "within"), "did you mean `window`?"),
    },
    "backoff": {
        "multiplier": "did you mean `factor`?",
        "first": "did you mean `initial`?",
        "max": "did you mean `maximum`?",
    },
}
_HINTS = {
    "children": "write each as `- AGENT`, or as `- name: …` with its keys below",
    "intensity": _INTENSITY,
    "backoff": "write `backoff: {initial: 1s, maximum: 1m}`",
    "agents": "write agents by name; a child names the file of another: `agent: agents/x.md`",
    "roles": "write `roles: {critic: 2}`",
    "supervisor": "write `strategy` and `children` below it",
}
_MAX_SHOWN_CHARS = 40


def fold(text: str) -> str:
    """Write a word in one way, however its parts are joined: ``RestForOne`` as ``rest_for_one``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.strip())
    return re.sub(r"[-_\s]+", "_", parted).lower()


def explain_unknown_key(path: Path, around: object) -> tuple[str, str]:
    """Return the message and the hint for a key that does not exist.

    Args:
        path: where it stands in the file's long form; a supervisor's is ``…, "supervisor"``.
        around: the mapping that it stands in.
    """
    key, above = str(path[-1]), path[:-1]
    message = f"unknown key `{key}`"
    if path[0] == "agents":
        return _explain_key_of_agent(path)
    part = str(above[-1]) if above else ""
    if part in PARTS:
        keys = tuple(keys_of(PARTS[part]))
        message, hint = f"{message} in `{part}`", _MEANT_IN_PART.get(part, {}).get(key, "")
    elif not above:
        keys = TEAM_KEYS
        hint = _MEANT_IN_TEAM.get(key) or _MEANT_IN_SUPERVISOR.get(key, "")
        if key in CHILD_KEYS and not hint:
            hint = f"`{key}` belongs to a child"
    elif part == "supervisor":
        keys = SUPERVISOR_KEYS
        hint = _MEANT_IN_SUPERVISOR.get(key) or _misplaced(key)
    else:
        keys = CHILD_KEYS
        hint = _in_child(key, around if isinstance(around, Mapping) else {})
    return message, hint or _nearest(key, keys)


def explain_misfit(path: Path, detail: ErrorDetails) -> tuple[str, str]:
    """Return the message and the hint for a value that the schema refuses."""
    kind, key, value = detail["type"], str(path[-1]), detail["input"]
    if path[0] == "agents" and len(path) > 2:
        return explain_misfit_of_agent(path[2:], detail)
    if path[-2:-1] == ("children",):
        message = f"a child is an agent's name or a mapping, not {kind_of(value)}"
        return message, _HINTS["children"]
    if key == "shutdown":
        message = f"`shutdown` must be {KILL}, {FOR_EVER} or a time"
        return message, "write `shutdown: 30s` for instance"
    if kind == "enum":
        chosen = _CHOICES.get(key, ErrorAction)
        words = [str(one) for one in chosen]
        hint = did_you_mean(fold(str(value)[:100]), words) or f"there are: {', '.join(words)}"
        return f"`{key}`: there is no {str(value)[:_MAX_SHOWN_CHARS]!r}", hint
    message, hint = describe(path, detail, False)
    return message, hint or (_HINTS.get(key, "") if kind.endswith("_type") else "")


def _explain_key_of_agent(path: Path) -> tuple[str, str]:
    key = str(path[-1])
    if len(path) == 3:
        return f"unknown key `{key}`", _nearest(key, keys_of(AgentSpec))
    part = str(path[2])
    return f"unknown key `{key}` in `{part}`", _nearest(key, keys_of(PARTS_OF_AGENT[part]))


def _in_child(key: str, child: Mapping[str, object]) -> str:
    if key in SUPERVISOR_KEYS or key in _MEANT_IN_SUPERVISOR:
        if child.get("supervisor") is not None and child.get("agent") is None:
            return _MEANT_IN_SUPERVISOR.get(key) or f"write `{key}` below `supervisor`"
        return f"`{key}` belongs to a supervisor, which has `children` in place of `agent`"
    if key in _MEANT_IN_CHILD:
        return _MEANT_IN_CHILD[key]
    if key in TEAM_KEYS:
        return f"`{key}` stands only at the top of the file"
    return did_you_mean(key, [*CHILD_KEYS, *SUPERVISOR_KEYS])


def _misplaced(key: str) -> str:
    if key in CHILD_KEYS:
        return f"write `{key}` beside `supervisor`"
    return f"`{key}` stands only at the top of the file" if key in TEAM_KEYS else ""


def _nearest(key: str, keys: Sequence[str]) -> str:
    return did_you_mean(fold(key), keys) or f"there are: {', '.join(keys)}"
