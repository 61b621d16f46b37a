"""Options as this command line has them: every one also reads ``MAINSTAY_<NAME>``."""

from __future__ import annotations

from typing import Any

import typer


def option(*names: str, help: str, **more: Any) -> Any:  # Any: as typer.Option itself
    """Declare an option that also reads the environment: ``--ui-port`` is ``MAINSTAY_UI_PORT``."""
    name = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "MAINSTAY_" + name.removeprefix("--").replace("-", "_").upper()
    return typer.Option(*names, help=help, envvar=variable, **more)
