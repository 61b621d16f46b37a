"""Whether a team fits: into its own limits, and into those of the installation.

Those of the installation count every living agent, so a team that fits alone may still be refused
when it is started.
"""

from __future__ import annotations

from collections.abc import Iterator

from mainstay.decisions.plan_files.problems import Path
from mainstay.decisions.suggestions import did_you_mean
from mainstay.decisions.team_files.team_rules import Scene
from mainstay.schemas.agent import Role


def check_limits(scene: Scene) -> None:
    """Check a team's numbers of agents, after its tree was checked."""
    own = scene.team.limits
    for role in own.roles:
        if role not in list(Role):
            hint = did_you_mean(role, list(Role)) or f"there are: {', '.join(Role)}"
            message = f"there is no role `{role}`"
            scene.findings.add(("limits", "roles", role), message, hint, at_key=True)
    for where, most, number, what in _own_limits(scene):
        if number > most:
            message = f"the team has {number} {what}, more than its limit of {most}"
            scene.findings.add(where, message, "raise the limit, or have fewer")
    for most, number, what, setting in _limits_of_installation(scene):
        if number > most:
            message = f"the team has {number} {what}, more than the {most} that there may be"
            hint = f"have fewer, or raise MAINSTAY_LIMITS__{setting}"
            add = scene.findings.warn if scene.limits is None else scene.findings.add
            add(("team",), message, hint)


def _own_limits(scene: Scene) -> Iterator[tuple[Path, int, int, str]]:
    own = scene.team.limits
    if own.agents is not None:
        yield ("limits", "agents"), own.agents, scene.counts.total(), "agents"
    for role, most in own.roles.items():
        yield ("limits", "roles", role), most, scene.counts[role], _of_role(role)


def _limits_of_installation(scene: Scene) -> Iterator[tuple[int, int, str, str]]:
    bounds = scene.bounds
    most = min((one for one in (bounds.agents, bounds.team_agents) if one is not None), default=0)
    if most:
        setting = "AGENTS" if most == bounds.agents else "TEAM_AGENTS"
        yield most, scene.counts.total(), "agents", setting
    for setting, roles in (("ROLES", bounds.roles), ("TEAM_ROLES", bounds.team_roles)):
        for role, most in roles.items():
            yield most, scene.counts[role], _of_role(role), setting


def _of_role(role: str) -> str:
    return f"agents of the role `{role}`"
