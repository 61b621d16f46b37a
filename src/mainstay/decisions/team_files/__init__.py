"""Team files: reading them, saying all that is wrong with them, and what they unfold into."""

from mainstay.decisions.team_files.expansion import CompiledTeam, expand, plan_child
from mainstay.decisions.team_files.team_file import check_team, read_team
from mainstay.decisions.team_files.team_levels import all_agents, child_names, level
from mainstay.decisions.team_files.team_schema import team_schema

__all__ = [
    "CompiledTeam",
    "all_agents",
    "check_team",
    "child_names",
    "expand",
    "level",
    "plan_child",
    "read_team",
    "team_schema",
]
