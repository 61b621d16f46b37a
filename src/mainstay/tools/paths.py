r"""File names as JSON can carry them, and what the system's errors about them mean.

A file name on POSIX is bytes and need not be UTF-8; JSON text must be Unicode. A byte that is no
UTF-8 is written ``\xhh`` (two lower-case hexadecimal digits, 80 to ff), as ``ls -b`` and Python
show it: the Latin-1 name of ``café`` becomes ``caf\xe9``. A name that really contains such four
characters has its backslash written ``\x5c``. Any other name, with backslashes or without, is
written as it is. Every fs tool writes and reads this form, and :func:`encode` and :func:`decode`
are each other's inverse for every name there can be.
"""

from __future__ import annotations

import errno
import re

from mainstay.schemas.errors import (
    InvalidInput,
    LimitReached,
    MainstayError,
    NotFound,
    Refused,
    Unavailable,
)

_AMBIGUOUS = re.compile(r"\\(?=x(?:5c|[89a-f][0-9a-f]))")
_RAW_BYTE = re.compile("[\udc80-\udcff]")
_ESCAPED = re.compile(r"\\x(5c|[89a-f][0-9a-f])")
_FIRST_RAW = 0xDC00  # Source: PEP 383, byte b is the surrogate U+DC00 + b


def encode(name: str) -> str:
    """Write a name as the os module gives it in the form that JSON can carry."""
    if name.isascii() and "\\" not in name:
        return name
    return _RAW_BYTE.sub(
        lambda match: f"\\x{ord(match[0]) - _FIRST_RAW:02x}", _AMBIGUOUS.sub(r"\\x5c", name)
    )


def decode(text: str) -> str:
    """Read a name, given in the form of :func:`encode`, for use with the os module.

    Raises:
        InvalidInput: no file can have this name.
    """
    if "\0" in text:
        raise InvalidInput(f"{text!r} is no path: it contains a NUL character")
    return _ESCAPED.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return "\\" if code == ord("\\") else chr(_FIRST_RAW + code)


def explain(error: OSError, action: str, path: str) -> MainstayError:
    """Turn a system error about a path into one of ours.

    Args:
        error: what the system said.
        action: what was being done, as in "cannot read".
        path: the path, as the os module knows it.
    """
    message = f"cannot {action} {encode(path)!r}: {(error.strerror or str(error)).lower()}"
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return NotFound(message, hint="check the path; relative ones start where it runs")
        case errno.EACCES | errno.EPERM:
            return Refused(message, hint="change its permissions, or run as another user")
        case errno.EROFS:
            return Refused(message, hint="write to a file system that is not read-only")
        case errno.EDQUOT | errno.EFBIG | errno.EMFILE:
            return LimitReached(message, hint="free some of what is used up, or raise the limit")
        case errno.ENOSPC:
            return Unavailable(message, hint="make space on that disk")
        case errno.EISDIR | errno.EINVAL | errno.ENAMETOOLONG | errno.ELOOP | errno.ENXIO:
            return InvalidInput(message, hint="give the path of a regular file")
    return Unavailable(message)
