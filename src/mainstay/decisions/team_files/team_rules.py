"""What holds for a team beyond the shape of its parts.

Rules:
    1. A child is an agent or a supervisor; a supervisor has a name.
    2. No two children have one name, their instances included, wherever in the team they stand.
    3. Only a child that may end for good is significant, and only where that ends its supervisor.
       Source: OTP 24, ``supervisor``, a bad combination of flags.
    4. A dynamic supervisor has one child, the pattern of those that are started later.
    5. A team has an agent, and stays within its own limits and those of the installation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mainstay.decisions.agent_files.agent_rules import check_model
from mainstay.decisions.plan_files.problems import Path, Severity
from mainstay.decisions.team_files.team_levels import clashing_names
from mainstay.decisions.team_files.team_members import Agents, Member, members
from mainstay.decisions.team_files.team_places import TeamFindings
from mainstay.decisions.team_files.team_shape import TeamShape
from mainstay.schemas.ids import supervisor_id
from mainstay.schemas.supervision_calls import AgentLimits
from mainstay.schemas.team import AutoShutdown, Restart, Strategy, SupervisorSpec, TeamSpec

MAX_LEVELS = 50
"""Deepest team where the installation sets no limit."""

MAX_ID_CHARS = 1_000
"""Longest workflow id. Source: Temporal, ``limit.maxIDLength``."""

_FOR_AGENTS = ("model", "errors", "on_failure")
"""Keys of a child that mean nothing for a supervisor."""


@dataclass
class Scene:
    """A team while it is checked.

    Attributes:
        limits: of the installation; None when they are not known, which makes them warnings.
        seats: how many children are agents, each counted once.
        counts: how many agents of which role there are once the team is up; empty of unknown role.
    """

    team: TeamSpec
    findings: TeamFindings
    agents: Agents
    limits: AgentLimits | None = None
    shape: TeamShape = field(default_factory=TeamShape)
    seats: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def bounds(self) -> AgentLimits:
        """The limits of the installation, as they are when nothing is said of them."""
        return self.limits or AgentLimits()


@dataclass
class _Names:
    """The names of a part of a team: of the whole, or below a supervisor that is there often."""

    paths: dict[str, Path] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Level:
    """A supervisor in the tree.

    Attributes:
        depth: from 1 for the root.
        times: how many of it there are.
        longest: the longest path that one of it has.
    """

    spec: SupervisorSpec
    path: Path
    names: _Names
    depth: int = 1
    times: int = 1
    longest: str = ""


def check_tree(scene: Scene) -> None:
    """Check all supervisors and their children."""
    names = _Names()
    _check_level(scene, _Level(scene.team, (), names))
    _check_instances(scene, names)
    if not scene.seats and not {("children",), ("roles",)} & scene.shape.removed:
        hint = "add one: `children: [reviewer]`"
        scene.findings.add(("team",), "the team has no agent", hint, at_key=True)


def _check_level(scene: Scene, level: _Level) -> None:
    found = members(level.spec, level.path, scene.agents, scene.findings)
    kept = [one for one in found if one.path not in scene.shape.removed]
    scene.seats += len(found) - len(kept)
    _check_supervisor(scene, level, found)
    if level.depth >= _most_levels(scene) and kept:
        message = f"these children stand {level.depth + 1} deep, more than {_most_levels(scene)}"
        where = (*level.path, "children")
        scene.findings.add(where, message, "give the team fewer levels", at_key=True)
        scene.seats += 1  # whether there are agents further below is not looked at
        return
    for member in kept:
        _check_member(scene, level, member)
        _note_name(scene, level.names, member)
        if member.spec.supervisor is not None:
            _check_lower(scene, level, member, member.spec.supervisor)
        else:
            scene.seats += 1
            is_started = level.spec.strategy is not Strategy.DYNAMIC
            role = str(member.agent.role) if member.agent is not None else ""
            scene.counts[role] += member.spec.count * level.times * is_started


def _check_lower(scene: Scene, level: _Level, member: Member, lower: SupervisorSpec) -> None:
    count, is_dynamic = member.spec.count, level.spec.strategy is Strategy.DYNAMIC
    name = f"{member.name}-{count}" if count > 1 else member.name
    inner = replace(
        level,
        spec=lower,
        path=(*member.path, "supervisor"),
        depth=level.depth + 1,
        times=0 if is_dynamic else level.times * count,
        longest=f"{level.longest}/{name}".strip("/"),
    )
    if len(supervisor_id(scene.team.team, inner.longest)) > MAX_ID_CHARS:
        hint = "give the supervisors above it shorter names"
        message = f"the path of `{member.name}` has more than {MAX_ID_CHARS} characters"
        scene.findings.add((*member.path, "name"), message, hint)
    if count == 1 and not is_dynamic:
        _check_level(scene, inner)
        return
    own = _Names()
    _check_level(scene, replace(inner, names=own))
    _check_instances(scene, own)


def _most_levels(scene: Scene) -> int:
    return min(scene.bounds.depth or MAX_LEVELS, MAX_LEVELS)


def _check_supervisor(scene: Scene, level: _Level, found: Sequence[Member]) -> None:
    spec, path, findings = level.spec, level.path, scene.findings
    is_readable = (*path, "children") not in scene.shape.damaged
    if spec.strategy is Strategy.DYNAMIC:
        if len(found) != 1 and (*path, "children") not in scene.shape.removed:
            message = f"a dynamic supervisor has exactly one child, not {len(found)}"
            hint = "it is the pattern of the children that are started later"
            findings.add((*path, "strategy"), message, hint)
        if spec.auto_shutdown is not AutoShutdown.NEVER:
            message = "`auto_shutdown` has no effect on a dynamic supervisor"
            hint = "leave it out: its child is the pattern of many, and not significant"
            findings.add((*path, "auto_shutdown"), message, hint, at_key=True)
    elif (
        spec.auto_shutdown is not AutoShutdown.NEVER
        and is_readable
        and not any(one.spec.significant for one in found)
    ):
        message = "`auto_shutdown` follows significant children, and there are none"
        hint = "write `significant: true` for a transient or temporary child"
        findings.add((*path, "auto_shutdown"), message, hint, at_key=True)
    if not found and path and is_readable and spec.strategy is not Strategy.DYNAMIC:
        hint = "give it `children`, or add them while it runs"
        findings.warn(path[:-1], "the supervisor has no children", hint)
    _check_number(scene, level, sum(one.spec.count for one in found))


def _check_number(scene: Scene, level: _Level, number: int) -> None:
    most = scene.bounds.children
    if most is not None and number > most:
        message = f"the supervisor has {number} children, more than {most}"
        hint = "put a supervisor between, or raise MAINSTAY_LIMITS__CHILDREN"
        where = (*level.path, "children") if level.spec.children else ("roles",)
        severity = Severity.ERROR if scene.limits is not None else Severity.WARNING
        scene.findings.add(where, message, hint, at_key=True, severity=severity)


def _check_member(scene: Scene, level: _Level, member: Member) -> None:
    spec, path, findings = member.spec, member.path, scene.findings
    removed = scene.shape.removed
    if spec.agent is not None and spec.supervisor is not None:
        hint = "put the agent among the children of the supervisor"
        findings.add(path, "a child is an agent or a supervisor, not both", hint)
    elif spec.supervisor is not None:
        _check_lower_keys(scene, member)
    elif spec.agent is None and not {(*path, "agent"), (*path, "supervisor")} & removed:
        hint = "give it an `agent`, or `children`"
        findings.add(path, "a child is an agent or a supervisor; this one is neither", hint)
    if spec.significant:
        _check_significant(scene, level, member)
    if level.spec.strategy is Strategy.DYNAMIC and spec.count > 1:
        hint = "leave it out: each is started when somebody asks"
        findings.add((*path, "count"), "a dynamic supervisor begins without children", hint)
    if spec.backoff.initial > spec.backoff.maximum:
        hint = "raise `maximum` as well; it is a minute by default"
        message = "`initial` is longer than `maximum`"
        findings.add((*path, "backoff", "initial"), message, hint)
    if spec.errors is not None and spec.on_failure is not None:
        message = "`on_failure` has no effect beside `errors`"
        findings.warn((*path, "on_failure"), message, "leave one of them out")
    check_model(findings, (*path, "model"), spec.model)


def _check_lower_keys(scene: Scene, member: Member) -> None:
    spec, path, findings = member.spec, member.path, scene.findings
    if not member.name and (*path, "name") not in scene.shape.removed:
        hint = "write `name: …`: its agents are found by it"
        findings.add(path, "a supervisor needs a name", hint)
    for key in _FOR_AGENTS:
        if getattr(spec, key) is not None:
            message = f"`{key}` has no effect on a supervisor"
            findings.add((*path, key), message, "write it for its agents", at_key=True)
    if spec.shutdown not in (None, "infinity"):
        hint = "leave it out: a supervisor has the time that its children need"
        message = "the supervisor may be killed before its children have ended"
        findings.warn((*path, "shutdown"), message, hint)


def _check_significant(scene: Scene, level: _Level, member: Member) -> None:
    path, findings = (*member.path, "significant"), scene.findings
    removed = scene.shape.removed
    if level.spec.strategy is Strategy.DYNAMIC:
        hint = "leave it out"
        message = "the child of a dynamic supervisor is the pattern of many, and not significant"
        findings.add(path, message, hint)
        return
    if member.spec.restart is Restart.PERMANENT and (*member.path, "restart") not in removed:
        hint = "write `restart: transient` or `restart: temporary`"
        message = "a permanent child never ends for good, so it is not significant"
        findings.add(path, message, hint)
    shutdown = (*level.path, "auto_shutdown")
    if level.spec.auto_shutdown is AutoShutdown.NEVER and shutdown not in removed:
        hint = "write `auto_shutdown: any_significant` for its supervisor"
        message = "`significant` has no effect without `auto_shutdown`"
        findings.add(path, message, hint, at_key=True)


def _note_name(scene: Scene, names: _Names, member: Member) -> None:
    if not member.name or (*member.path, "name") in scene.shape.removed:
        return
    first = names.paths.setdefault(member.name, member.path)
    names.counts.setdefault(member.name, member.spec.count)
    if first != member.path:
        many = "write `count` for several of one agent, or " if member.spec.agent else ""
        scene.findings.add(
            (*member.path, "name"),
            f"the name `{member.name}` is taken {scene.findings.place(first)}",
            f"{many}give it a `name` of its own",
        )


def _check_instances(scene: Scene, names: _Names) -> None:
    for name, owner in clashing_names(names.counts):
        scene.findings.add(
            (*names.paths[name], "name"),
            f"the name `{name}` is that of an instance of `{owner}`, "
            f"{scene.findings.place(names.paths[owner])}",
            "give it another `name`",
        )
