"""Every setting, read from ``MAINSTAY_*`` in the environment; nothing else reads it.

Where the Temporal server is follows Temporal's own convention (``TEMPORAL_ADDRESS``, TOML
profiles, ...), which :mod:`mainstay.connection` reads through the SDK.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mainstay.schemas.budgets import RateLimit
from mainstay.schemas.durations import Duration, parse_duration
from mainstay.schemas.supervision_calls import AgentLimits


def _as_names(value: Any) -> Any:  # Any: whatever was given; pydantic judges the rest
    return value.replace(",", " ").split() if isinstance(value, str) else value


class Settings(BaseSettings):
    """What can be configured, with the defaults of a single machine."""

    model_config = SettingsConfigDict(
        env_prefix="MAINSTAY_", env_nested_delimiter="__", extra="ignore"
    )

    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("mainstay")),
        description="where the embedded server's and Mainstay's own databases live",
    )
    database_url: str = Field(
        "", description="SQLAlchemy URL of Mainstay's database; SQLite in data_dir when empty"
    )
    task_queue: str = Field("mainstay", description="the Temporal task queue to serve and use")
    durability: Literal["normal", "full"] = Field(
        "normal", description="full also survives a power cut, at about 2.3 times the cost"
    )
    tools: Annotated[list[str], NoDecode, BeforeValidator(_as_names)] = Field(
        default_factory=list,
        description="modules or files that define further tools; with spaces or commas between",
    )
    model: str = Field(
        "", description="model of agents that name none: provider:model, or script:FILE"
    )
    rate_limits: dict[str, RateLimit] = Field(
        default_factory=dict,
        description="how often each provider may be asked, as JSON: "
        '{"openai": {"requests_per_minute": 60, "tokens_per_minute": 100000}}',
    )
    limits: AgentLimits = Field(
        default_factory=AgentLimits,
        description="how many agents there may be: MAINSTAY_LIMITS__AGENTS, __CHILDREN, __DEPTH, "
        "__ROLES__CRITIC, ...; or all of them as JSON, in which null is no limit",
    )
    messages_per_second: int = Field(
        0, ge=0, description="messages that one agent may send; 0 sets no limit"
    )
    tool_calls_per_minute: int = Field(
        0, ge=0, description="tool calls that one agent may make; 0 sets no limit"
    )
    temporal_binary: str = Field("", description="the Temporal CLI, when it is not on the PATH")
    heartbeat_timeout: Duration = Field(
        parse_duration(10), description="a worker silent for this long is taken for dead"
    )

    @property
    def resolved_database_url(self) -> str:
        """The database URL that is in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'mainstay.db'}"
