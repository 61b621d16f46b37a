"""What holds for the agents of a plan, for the tasks that they do, and for critics."""

from __future__ import annotations

from collections.abc import Mapping

from mainstay.decisions.agent_files.agent_rules import check_model, check_rules
from mainstay.decisions.agent_files.output_rules import check_output
from mainstay.decisions.expressions import START
from mainstay.decisions.plan_files.plan_agents import is_agent_file
from mainstay.decisions.plan_files.problems import Findings, Path, Severity
from mainstay.decisions.plan_files.scene import Scene
from mainstay.schemas.plan import TaskSpec, VerifySpec

FOR_AGENTS = ("prompt", "output", "budget", "model")
"""Keys of a task that mean nothing without an agent."""


class _Inside(Findings):
    """Findings about a part of a file, reported as findings about the whole."""

    def __init__(self, whole: Findings, path: Path) -> None:
        super().__init__(whole.source)
        self._whole, self._path = whole, path

    def add(
        self,
        path: Path,
        message: str,
        hint: str = "",
        *,
        at_key: bool = False,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Report something at a path inside the part."""
        where = (*self._path, *path)
        self._whole.add(where, message, hint, at_key=at_key, severity=severity)


def check_plan_agents(scene: Scene) -> None:
    """Check the agents that are written in the plan itself; those of files were checked there."""
    check_model(scene.findings, (*scene.path, "model"), scene.plan.model)
    written = (scene.written or {}).get("agents")
    for name, spec in scene.plan.agents.items():
        if scene.written is None or (
            isinstance(written, Mapping) and isinstance(written.get(name), Mapping)
        ):
            path = (*scene.path, "agents", name)
            check_rules(
                _Inside(scene.findings, path), dict(spec), scene.tools, "give it a `prompt`"
            )


def check_agent_task(scene: Scene, name: str, task: TaskSpec) -> None:
    """Check a task as far as agents are concerned."""
    if not task.is_for_agent:
        _check_nothing_for_agents(scene, name, task)
        return
    work = next((key for key in ("tool", "plan") if getattr(task, key) is not None), None)
    key = "agent" if task.agent is not None else "capability"
    if work is not None:
        _add(scene, name, key, f"a task has either `{work}` or `{key}`", "make two tasks of it")
    if task.agent is not None and task.capability is not None:
        hint = "`agent` names one, `capability` lets one be chosen"
        _add(scene, name, "capability", "a task has either `agent` or `capability`", hint)
    if not task.prompt and not _is_damaged(scene, name, "prompt"):
        _add(scene, name, key, "the agent is told nothing to do", "give the task a `prompt`")
    if task.with_ and work is None:
        _add(scene, name, "with", "an agent takes no arguments", "say it in the `prompt`")
    if task.agent is not None:
        _check_agent(scene, scene.task_path(name, "agent"), task.agent)
    else:
        _check_capability(scene, name, task.capability or "")
    check_model(scene.findings, scene.task_path(name, "model"), task.model)
    if task.output is not None:
        check_output(scene.findings, scene.task_path(name, "output"), task.output)


def check_critic(scene: Scene, name: str, verify: VerifySpec) -> None:
    """Check a ``verify`` as far as critics are concerned."""
    path = scene.task_path(name, "verify")
    if verify.agent is not None:
        _check_agent(scene, (*path, "agent"), verify.agent)
        return
    usual = VerifySpec()
    for key in ("criteria", "threshold"):
        if getattr(verify, key) != getattr(usual, key):
            message = f"`{key}` has no effect without `agent`"
            scene.findings.add((*path, key), message, "name a critic, or remove it", at_key=True)


def _check_nothing_for_agents(scene: Scene, name: str, task: TaskSpec) -> None:
    damaged = any(_is_damaged(scene, name, key) for key in ("agent", "capability"))
    for key in FOR_AGENTS:
        if getattr(task, key) is not None and not damaged:
            message = f"`{key}` has no effect without `agent`"
            _add(scene, name, key, message, "name an `agent` or a `capability`")


def _check_agent(scene: Scene, path: Path, agent: str) -> None:
    if START in agent or agent in scene.agent_names:
        return
    if is_agent_file(agent) and scene.written is not None:
        return  # reported where the file was looked for
    if _lacks_names(scene):
        return
    hint = scene.findings.suggest(agent, scene.agent_names)
    scene.findings.add(
        path,
        f"there is no agent `{agent}`",
        hint or "write it under `agents`, or give a path: agents/reader.md",
    )


def _check_capability(scene: Scene, name: str, capability: str) -> None:
    known = sorted({one for spec in scene.agents.values() for one in spec.capabilities})
    if capability in known or scene.structure.is_damaged((*scene.path, "agents")):
        return
    listed = f"there are: {', '.join(known)}" if known else "no agent of the plan names any"
    scene.findings.add(
        scene.task_path(name, "capability"),
        f"no agent of the plan has the capability `{capability}`",
        scene.findings.suggest(capability, known) or listed,
    )


def _lacks_names(scene: Scene) -> bool:
    """Tell whether there may be agents whose names cannot be known, because a folder is broken."""
    is_broken = scene.structure.is_damaged((*scene.path, "agents"))
    return is_broken and not isinstance((scene.written or {}).get("agents"), Mapping)


def _is_damaged(scene: Scene, name: str, key: str) -> bool:
    return scene.structure.is_damaged(scene.task_path(name, key))


def _add(scene: Scene, task: str, key: str, message: str, hint: str = "") -> None:
    scene.findings.add(scene.task_path(task, key), message, hint, at_key=True)
