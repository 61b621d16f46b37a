"""Who types."""

from __future__ import annotations

import getpass


def user_name() -> str:
    """Return the name of the person at the terminal, as the system knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "somebody"
