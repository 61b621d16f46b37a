"""Whether a team has the right keys and types, in plain words and all at once.

The file's short forms are written out first (see :mod:`.team_places`). The schema finds what is
wrong; what it found is taken out, so that the rest can still be checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mainstay.decisions.plan_files.plan_file import Document, Node
from mainstay.decisions.plan_files.plan_structure import is_name, path_in
from mainstay.decisions.plan_files.problems import Path
from mainstay.decisions.team_files.team_places import TeamFindings
from mainstay.decisions.team_files.team_words import (
    FOR_EVER,
    KILL,
    PARTS,
    STRATEGY_ALIASES,
    SUPERVISOR_KEYS,
    TERMINATE_ALL_ALIASES,
    explain_misfit,
    explain_unknown_key,
    fold,
)
from mainstay.schemas.team import Strategy, TeamSpec

MAX_NESTING = 64
"""Deepest nesting of values once aliases are unfolded; the reader bounds it without them."""

MAX_ROUNDS = 4
UNNAMED = "unnamed"

Data = dict[str, Any]  # a part of a team, in its long form


@dataclass
class TeamShape:
    """What is left of a team once wrong parts are taken out.

    Attributes:
        spec: the team, or None when too little is left of it.
        removed: places where something was taken out.
        damaged: these, and all that surround them.
    """

    spec: TeamSpec | None = None
    removed: set[Path] = field(default_factory=set)
    damaged: set[Path] = field(default_factory=set)


def check_shape(document: Document, findings: TeamFindings) -> TeamShape:
    """Check a document against the schema of teams, and report everything that is wrong."""
    shape = TeamShape()
    if document.data is None or document.root is None:
        return shape
    if _is_too_deep(document.root):
        findings.add((), f"nested more than {MAX_NESTING} deep", "use fewer levels")
        return shape
    data = _long_team(document.data, findings)
    for _ in range(MAX_ROUNDS):
        try:
            shape.spec = TeamSpec.model_validate(data)
            return shape
        except ValidationError as error:
            wrong: set[Path] = set()
            for detail in error.errors(include_url=False, include_context=True):
                _report(detail, data, findings, wrong)
            shape.removed |= wrong
            shape.damaged |= {path[:end] for path in wrong for end in range(len(path) + 1)}
            for path in sorted(wrong, key=len, reverse=True):
                _take_out(data, path)
    return shape


def _is_too_deep(root: Node) -> bool:
    nodes = [root]
    for _ in range(MAX_NESTING):
        # By identity: an alias is the node that it stands for, wherever it stands.
        nodes = list({id(one): one for node in nodes for one in node.children.values()}.values())
        if not nodes:
            return False
    return True


def _present(data: Mapping[str, Any]) -> Data:
    """Return a mapping without the keys that have no value."""
    return {key: value for key, value in data.items() if value is not None}


def _long_team(data: Mapping[str, Any], findings: TeamFindings) -> Data:
    team = _long_supervisor(data, findings, ())
    agents = team.get("agents")
    if isinstance(agents, dict):
        team["agents"] = {
            name: {"name": name, **_present(one)} if isinstance(one, dict) else one
            for name, one in agents.items()
        }
    return team


def _long_supervisor(data: Mapping[str, Any], findings: TeamFindings, path: Path) -> Data:
    long = _with_parts(data)
    strategy = long.get("strategy")
    if isinstance(strategy, str):
        long["strategy"] = _strategy(strategy, findings, (*path, "strategy"))
    if isinstance(long.get("children"), list):
        long["children"] = [
            _long_child(one, findings, (*path, "children", index))
            for index, one in enumerate(long["children"])
        ]
    return long


def _long_child(child: Any, findings: TeamFindings, path: Path) -> Any:  # Any: as it is written
    if isinstance(child, str):
        return {"agent": child}
    if not isinstance(child, dict):
        return child
    long = _with_parts(child)
    own = [key for key in long if key in SUPERVISOR_KEYS]
    is_inline = "children" in own or (bool(own) and "agent" not in long)
    if is_inline and "supervisor" not in long:
        long["supervisor"] = {key: long.pop(key) for key in own}
    if isinstance(long.get("supervisor"), dict):
        long["supervisor"] = _long_supervisor(long["supervisor"], findings, (*path, "supervisor"))
    shutdown = long.get("shutdown")
    if isinstance(shutdown, str) and fold(shutdown) in (KILL, FOR_EVER):
        long["shutdown"] = fold(shutdown)
    return long


def _with_parts(data: Mapping[str, Any]) -> Data:
    return {
        key: _present(value) if key in PARTS and isinstance(value, dict) else value
        for key, value in _present(data).items()
    }


def _strategy(text: str, findings: TeamFindings, path: Path) -> str:
    if text.strip() in TERMINATE_ALL_ALIASES:
        hint = "write `terminate_all`; OTP's strategy is written `one_for_all`, or `AllForOne`"
        findings.warn(path, f"`{text.strip()}` is read as `terminate_all`", hint)
        return Strategy.TERMINATE_ALL
    folded = fold(text)
    folded = STRATEGY_ALIASES.get(folded, folded)
    return folded if folded in list(Strategy) else text


def _report(detail: ErrorDetails, data: Data, findings: TeamFindings, wrong: set[Path]) -> None:
    """Report one complaint of the schema, and note what to take out."""
    path = path_in(data, detail["loc"])
    kind = detail["type"]
    if kind == "missing":
        findings.add(("team",), "`team` is missing", "name the team: `team: review`", at_key=True)
        wrong.add(("team",))
        return
    wrong.add(path)
    if kind == "extra_forbidden":
        message, hint = explain_unknown_key(path, _value_at(data, path[:-1]))
        findings.add(path, message, hint, at_key=True)
        return
    message, hint = explain_misfit(path, detail)
    is_own_key = path[0] == "agents" and path[2:] == ("name",) and detail["input"] == path[1]
    findings.add(path[:2] if is_own_key else path, message, hint, at_key=is_own_key)


def _value_at(data: Any, path: Path) -> Any:  # Any: any part of a team
    for part in path:
        data = data[part]
    return data


def _take_out(data: Data, path: Path) -> None:
    """Take a wrong part out of a team, so that no entry of its lists moves."""
    if path == ("team",):
        data["team"] = UNNAMED
    elif path[0] == "agents" and len(path) > 1:
        _take_out_of_agent(data["agents"], path)
    elif path[-2:-1] == ("children",):
        _value_at(data, path[:-1])[path[-1]] = {}
    elif len(path) == 1:
        data.pop(str(path[0]), None)
    else:
        # A new mapping, because the one that is there may be the document's.
        owner = _value_at(data, path[:-2])
        rest = owner[path[-2]]
        owner[path[-2]] = {key: value for key, value in rest.items() if key != path[-1]}


def _take_out_of_agent(agents: Data, path: Path) -> None:
    name = str(path[1])
    if len(path) == 2:
        agents[name] = {"name": name if is_name(name) else UNNAMED}
    elif path[2] == "name":
        agents[name]["name"] = UNNAMED
    else:
        agents[name].pop(path[2], None)
