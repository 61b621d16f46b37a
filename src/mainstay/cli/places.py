"""Where things are, for those parts of the command line that must not load the settings."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

LOG_NAME = "mainstay.log"


def data_dir() -> Path:
    """Return the data directory that the settings would give."""
    return Path(os.environ.get("MAINSTAY_DATA_DIR") or platformdirs.user_data_dir("mainstay"))


def log_file() -> Path:
    """Return the file that warnings and unexpected errors are written to."""
    return data_dir() / LOG_NAME


def sqlite_file() -> Path | None:
    """Return the file of Mainstay's own database; None when it is no SQLite file."""
    url = os.environ.get("MAINSTAY_DATABASE_URL", "")
    if not url:
        return data_dir() / "mainstay.db"
    kind, _, path = url.partition(":///")
    return Path(path) if kind.startswith("sqlite") and path else None
