"""Teams from files: read from disk with the agents they name, checked, and complete."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mainstay.agent_source import load_agent, read_catalogue
from mainstay.decisions.plan_files.plan_agents import is_agent_file
from mainstay.decisions.plan_files.problems import Problem, is_fatal, list_problems
from mainstay.decisions.team_files import all_agents, check_team, expand, read_team
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.schemas.ids import NAME_PATTERN
from mainstay.schemas.limits import MAX_PLAN_FILE_BYTES
from mainstay.schemas.supervision_calls import AgentLimits
from mainstay.schemas.team import ChildSpec, SupervisorSpec, TeamSpec
from mainstay.schemas.tools import ToolSpec

CATALOGUE = "agents"
"""The folder that agents are looked for in, beside a team's file or in the present folder."""

Tools = Mapping[str, ToolSpec]
Change = Callable[[str], str]


@dataclass(frozen=True)
class TeamFile:
    """A team's file and the agents around it, as :meth:`mainstay.Mainstay.team_up` takes them.

    Models that are files (``script:talk.yaml``) have their names in full: a worker may run in
    another folder.
    """

    spec: TeamSpec
    catalogue: tuple[AgentSpec, ...]
    find_agent: Callable[[str], AgentSpec | None]


@dataclass(frozen=True)
class CheckedTeam:
    """What is wrong with a team's file, and how many agents it begins with when nothing is."""

    problems: list[Problem]
    agents: int = 0


def load_team(
    path: str | Path,
    *,
    catalogue: str = "",
    tools: Tools | None = None,
    name: str = "",
    model: str = "",
) -> TeamFile:
    """Read a team that can be brought up.

    Args:
        path: the file; paths of agents in it are relative to its folder.
        catalogue: the folder of the agents that it names; by default one called ``agents``.
        tools: every tool there is, by name; None leaves the names of tools unchecked.
        name: in place of the one in the file.
        model: in place of the models of all its agents.

    Raises:
        NotFound: there is no such file or folder.
        InvalidInput: something is wrong; the message lists all of that, one a line, as
            ``file:line:column: error: what is wrong (hint: what to do)``.
    """
    files = _Files(Path(path), catalogue, tools, model)
    text = _read(files.path)
    problems = check_team(
        text, str(path), files.find, catalogue=files.catalogue, tools=tools, limits=None
    )
    if is_fatal(problems):
        raise InvalidInput(
            list_problems(f"team {str(path)!r}", [one for one in problems if is_fatal([one])]),
            hint=f"`mainstay team validate {path}` shows each in its place",
        )
    spec = files.complete(read_team(text, str(path)))
    return TeamFile(_named(spec, name), files.catalogue, files.find)


def check_team_file(
    path: str | Path,
    *,
    catalogue: str = "",
    tools: Tools | None = None,
    limits: AgentLimits | None = None,
) -> CheckedTeam:
    """Read and check a team's file, and return everything that is wrong with it.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is there and cannot be read.
    """
    files = _Files(Path(path), catalogue, tools, "")
    text = _read(files.path)
    problems = check_team(
        text, str(path), files.find, catalogue=files.catalogue, tools=tools, limits=limits
    )
    if is_fatal(problems):
        return CheckedTeam(problems)
    team = read_team(text, str(path))
    compiled = expand(team, files.catalogue, find_agent=files.find)
    return CheckedTeam(problems, sum(all_agents(compiled.plan).values()))


class _Files:
    """The files around a team's file."""

    def __init__(self, path: Path, catalogue: str, tools: Tools | None, model: str) -> None:
        self.path = path
        self._tools = tools
        self._model = located(model, Path()) if model else ""
        self.catalogue = self._read_catalogue(catalogue)

    def find(self, written: str) -> AgentSpec | None:
        """Return the agent of a file that a team names."""
        if not is_agent_file(written):
            return None
        file = self.path.parent / written
        return self._placed(load_agent(file, self._tools), file.parent) if file.exists() else None

    def complete(self, team: TeamSpec) -> TeamSpec:
        """Name the files of its models in full."""
        folder = self.path.parent
        agents = {name: self._placed(spec, folder) for name, spec in team.agents.items()}

        def change(model: str) -> str:
            return self._model or located(model, folder)

        children = [_with_models(child, change) for child in team.children]
        return team.model_copy(update={"agents": agents, "children": children})

    def _placed(self, spec: AgentSpec, folder: Path) -> AgentSpec:
        model = self._model or (located(spec.model, folder) if spec.model else None)
        return spec.model_copy(update={"model": model})

    def _read_catalogue(self, folder: str) -> tuple[AgentSpec, ...]:
        """Read the catalogue; what is broken in it concerns a team only if it names that."""
        if not folder:
            places = (self.path.parent / CATALOGUE, Path(CATALOGUE))
            found = next((place for place in places if place.is_dir()), None)
            if found is None:
                return ()
            folder = str(found)
        return tuple(
            self._placed(file.spec, Path(file.path).parent)
            for file in read_catalogue(folder, self._tools).files
            if file.spec is not None
        )


def located(model: str, folder: Path) -> str:
    """Name the file of a scripted or coded model in full; another model stays as it is.

    A relative one stands for a file beside the one that names it, or else in the present folder.
    """
    kind, _, name = model.partition(":")
    file, colon, function = name.rpartition(":") if kind == "code" else (name, "", "")
    if kind not in ("script", "code") or (kind == "code" and not file.endswith(".py")):
        return model
    beside = folder / file
    found = beside if beside.is_file() else Path(file)
    return f"{kind}:{found.resolve()}{colon}{function}"


def _with_models(child: ChildSpec, change: Change) -> ChildSpec:
    """Change the models that are written for a child, and for those below it."""
    update: dict[str, object] = {}
    if child.model:
        update["model"] = change(child.model)
    if child.supervisor is not None:
        update["supervisor"] = _below(child.supervisor, change)
    return child.model_copy(update=update)


def _below(supervisor: SupervisorSpec, change: Change) -> SupervisorSpec:
    children = [_with_models(child, change) for child in supervisor.children]
    return supervisor.model_copy(update={"children": children})


def _named(team: TeamSpec, name: str) -> TeamSpec:
    if name and not re.fullmatch(NAME_PATTERN, name):
        raise InvalidInput(
            f"{name!r} is no name for a team",
            hint="letters, digits, _ and -, at most 100, no digit first",
        )
    return team.model_copy(update={"team": name}) if name else team


def _read(path: Path) -> bytes:
    """Return a file's bytes; one more than allowed where it is too large, for that to be told."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_PLAN_FILE_BYTES + 1)
    except FileNotFoundError:
        raise NotFound(
            f"there is no team file {str(path)!r}",
            hint="`mainstay team schema` shows what stands in one",
        ) from None
    except OSError as error:
        raise InvalidInput(
            f"the team file {str(path)!r} cannot be read: {error.strerror}"
        ) from None
