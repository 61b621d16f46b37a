"""What the embedded server is started with, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mainstay.devserver.ports import LOOPBACK
from mainstay.schemas.search import SEARCH_ATTRIBUTES
from mainstay.settings import Settings

Durability = Literal["normal", "full"]

DEFAULT_PORT = 7233
DEFAULT_UI_PORT = 8233

MAX_POLL_RPS = 5_000
"""Polls a second of each of the one shard's queues. The default of 20 makes every step of a
sequence wait about 40 ms for nothing."""

MAX_TIME_SHIFT = "10ms"
"""How late a timer may fire. The default of one second also delays every retry."""

TUNING: dict[str, str] = {
    "history.transferProcessorMaxPollRPS": str(MAX_POLL_RPS),
    "history.timerProcessorMaxPollRPS": str(MAX_POLL_RPS),
    "history.visibilityProcessorMaxPollRPS": str(MAX_POLL_RPS),
    "history.timerProcessorMaxTimeShift": f'"{MAX_TIME_SHIFT}"',
}
"""Dynamic configuration of the server; values are JSON."""


def server_environment() -> dict[str, str]:
    """What the server's process is told besides its command line.

    It gets half of the cores (at least one): the workers want the rest, and with a core to spare
    the Go runtime spends it on waking threads. On two cores a step of a sequence takes a sixth
    less with one of them, and parallel activities come a sixth faster.
    """
    return {"GOMAXPROCS": str(max(1, (os.cpu_count() or 1) // 2))}


@dataclass(frozen=True)
class ServerOptions:
    """One server to start. ``database`` None keeps everything in memory; ``ui_port`` None is
    a server without Web UI.
    """

    binary: Path
    port: int
    database: Path | None = None
    ui_port: int | None = None
    durability: Durability = "normal"

    @property
    def address(self) -> str:
        """Where clients connect to."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def ui_url(self) -> str:
        """Where people look; empty without Web UI."""
        return f"http://{LOOPBACK}:{self.ui_port}" if self.ui_port else ""

    def command(self) -> list[str]:
        """The command line that starts this server."""
        words = [str(self.binary), "server", "start-dev", "--ip", LOOPBACK]
        words += ["--port", str(self.port), "--log-level", "warn", "--disable-config-file"]
        if self.ui_port is None:
            words.append("--headless")
        else:
            words += ["--ui-port", str(self.ui_port), "--ui-disable-news-fetch"]
        if self.database is not None:
            words += ["--db-filename", str(self.database)]
            words += ["--sqlite-pragma", "journal_mode=WAL"]
            words += ["--sqlite-pragma", f"synchronous={self.durability.upper()}"]
        for key, value in TUNING.items():
            words += ["--dynamic-config-value", f"{key}={value}"]
        for name, kind in SEARCH_ATTRIBUTES.items():
            words += ["--search-attribute", f"{name}={kind}"]
        return words


def server_database(settings: Settings) -> Path:
    """The database of the embedded server."""
    return settings.data_dir / "temporal.db"


def server_log(settings: Settings) -> Path:
    """The log of the embedded server, beside its database."""
    return settings.data_dir / "temporal.log"
