"""Reading a file with a limit, whatever it turns out to be."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mainstay.schemas.errors import InvalidInput, LimitReached
from mainstay.tools.paths import encode, explain

_BLOCK_BYTES = 1 << 20

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def open_regular(path: str) -> int:
    """Open a file for reading and return its descriptor.

    Raises:
        InvalidInput: it is a folder, a pipe or a device, which may have no end.
        NotFound, Refused: as :func:`mainstay.tools.paths.explain`.
    """
    try:
        # Not blocking, or opening a pipe that nobody writes to would wait for ever.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise explain(error, "read", path) from None
    kind = type_of(os.fstat(file).st_mode)
    if kind != "file":
        os.close(file)
        raise InvalidInput(
            f"cannot read {encode(path)!r}: it is a {kind}", hint="give the path of a regular file"
        )
    return file


def read_limited(path: str, most: int) -> bytes:
    """Return a file's contents.

    Raises:
        LimitReached: it is larger than ``most`` bytes.
        InvalidInput, NotFound, Refused: it cannot be read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        try:
            body = file.read(most + 1)
        except OSError as error:
            raise explain(error, "read", path) from None
        if len(body) > most:
            size = max(os.fstat(file.fileno()).st_size, len(body))
            raise LimitReached(
                f"{encode(path)!r} has {size} bytes; at most {most} are read",
                hint="raise max_bytes, or leave the file out",
            )
    return body


def hash_file(path: str) -> str:
    """Return the SHA-256 of a file's contents, in hexadecimal."""
    digest = hashlib.sha256()
    with os.fdopen(open_regular(path), "rb") as file:
        try:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        except OSError as error:
            raise explain(error, "read", path) from None
    return digest.hexdigest()


def describe(path: str, *, follow: bool) -> dict[str, Any] | None:  # Any: JSON-like data
    """Return what the system knows of a path; None when there is nothing.

    Raises:
        Refused, InvalidInput: it cannot be looked at.
    """
    try:
        status = Path(path).stat(follow_symlinks=follow)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise explain(error, "look at", path) from None
    return {
        "type": type_of(status.st_mode),
        "size_bytes": status.st_size,
        "modified": datetime.fromtimestamp(status.st_mtime, UTC).isoformat(),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
    }


def type_of(mode: int) -> str:
    """Name what a mode's bits say a thing is: file, directory, link, fifo, socket or device."""
    return _TYPES.get(stat.S_IFMT(mode), "device")
