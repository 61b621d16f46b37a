"""What the command line says to people, on stderr: messages, hints and errors.

How commands print their data is in :mod:`mainstay.cli.printing`.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from mainstay.schemas.errors import InvalidInput, MainstayError


def set_up_streams() -> None:
    """Let a character that the terminal cannot show be written as an escape, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(message: str) -> None:
    """Tell something that is not the command's data."""
    print(message, file=sys.stderr, flush=True)


def hint(message: str) -> None:
    """Offer the next step."""
    say(f"hint: {message}")


def tell_error(error: MainstayError) -> None:
    """Tell what went wrong, and what to do about it."""
    say(f"error: {error.message}")
    if error.hint:
        hint(error.hint)


def wrong_setting(error: BaseException) -> InvalidInput | None:
    """Make a message of the error of a setting that cannot be read; None for any other error."""
    if type(error).__name__ == "SettingsError":
        return InvalidInput(str(error), hint="look at the variables that begin with MAINSTAY_")
    if type(error).__name__ != "ValidationError" or getattr(error, "title", "") != "Settings":
        return None
    first = error.errors()[0]  # type: ignore[attr-defined]  # pydantic is not loaded for this
    name = "MAINSTAY_" + "_".join(str(part) for part in first["loc"]).upper()
    return InvalidInput(
        f"the setting {name} cannot be {first['input']!r}: {first['msg']}",
        hint=f"change it, or unset {name}",
    )


def tell_unexpected(error: BaseException) -> None:
    """Tell of an error that nobody foresaw; where it happened goes into a file."""
    say(f"error: unexpected {type(error).__name__}: {error}; please report it")
    file = _write_report(error)
    hint(f"where it happened is in {file}" if file else "add --debug to see where it happened")


def can_show_symbols() -> bool:
    """Tell whether stdout takes more than ASCII."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    if locale in ("C", "POSIX"):
        return False
    return (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "") == "utf8"


def _write_report(error: BaseException) -> Path | None:
    from mainstay.cli.places import log_file

    try:
        file = log_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{datetime.now(UTC).isoformat()} unexpected error\n")
            log.writelines(traceback.format_exception(error))
    except OSError:
        return None
    return file
