"""Where the SDK's and our own warnings go: a file, so that the terminal belongs to the command."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from mainstay.cli.places import LOG_NAME

MAX_LOG_BYTES = 5 * 1024 * 1024
KEPT_FILES = 2


def log_to_file(data_dir: Path) -> None:
    """Send warnings to the log in the data directory; to nowhere when it cannot be written.

    Called before the first connection: the SDK's core takes its logger when it starts.
    """
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        if isinstance(handler, RotatingFileHandler):
            handler.close()
    root.addHandler(_handler(data_dir))
    root.setLevel(logging.WARNING)
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    telemetry = TelemetryConfig(logging=LoggingConfig(filter=levels, forwarding=forwarding))
    Runtime.set_default(Runtime(telemetry=telemetry), error_if_already_set=False)


def _handler(data_dir: Path) -> logging.Handler:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(
            data_dir / LOG_NAME,
            maxBytes=MAX_LOG_BYTES,
            backupCount=KEPT_FILES,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError:
        return logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    return handler
