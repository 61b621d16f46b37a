"""Writing a file so that a reader sees the old contents or the new, and never a part.

The contents go to a temporary file beside the target, to the disk, and then under the target's
name. The temporary file is named after the call's idempotency key and is locked while it is
written: what an attempt that was killed left behind is taken over by the next attempt, and two
attempts that overlap wait for each other.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

_NEW_MODE = 0o666  # less the umask, as for any new file


def write_atomically(target: str, body: bytes, key: str) -> None:
    """Replace a file's contents, or create it; a symbolic link is followed, a mode is kept.

    Args:
        target: the file's path, as the os module knows it.
        body: the whole new contents.
        key: the same for every attempt of one call; empty when there is none.

    Raises:
        OSError: it failed; then the target is as it was, and nothing else is left.
    """
    place = Path(target).resolve()
    mode = _mode_of(place)
    with _temporary(place, key) as (path, file):
        os.ftruncate(file, 0)
        view = memoryview(body)
        while view:
            view = view[os.write(file, view) :]
        if mode is not None:
            os.fchmod(file, mode)
        os.fsync(file)
        path.replace(place)
    _sync_folder(place.parent)


def _mode_of(target: Path) -> int | None:
    """Return the permissions of the file that is there; None when there is none.

    Raises:
        IsADirectoryError: something is there that is no regular file.
    """
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "not a regular file", str(target))
    return stat.S_IMODE(status.st_mode)


@contextlib.contextmanager
def _temporary(target: Path, key: str) -> Iterator[tuple[Path, int]]:
    """Give a locked file beside the target; it is removed unless it was moved away."""
    digest = hashlib.sha256(os.fsencode(f"{key or uuid.uuid4()}\0{target}")).hexdigest()[:16]
    path = target.parent / f".mainstay-{digest}.tmp"
    file = _open_locked(path)
    try:
        yield path, file
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(file)


def _open_locked(path: Path) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _NEW_MODE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still_at(path, file):
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # another attempt moved it to the target while we waited


def _is_still_at(path: Path, file: int) -> bool:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(file))


def _sync_folder(folder: Path) -> None:
    """Make the new name durable too, where the file system allows it."""
    with contextlib.suppress(OSError):
        file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)
