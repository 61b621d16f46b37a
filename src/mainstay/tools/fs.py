"""Tools that read and write files. Names that are not UTF-8: see :mod:`mainstay.tools.paths`."""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.schemas.limits import MAX_OUTPUT_BYTES
from mainstay.tools import files
from mainstay.tools.atomic import write_atomically
from mainstay.tools.context import context
from mainstay.tools.paths import decode, encode, explain
from mainstay.tools.search import search
from mainstay.tools.tool import tool
from mainstay.tools.walk import Kind, Selection, list_sorted

__all__ = ["list_", "read", "search", "stat", "write"]

Bytes = Annotated[int, Field(ge=0, le=MAX_OUTPUT_BYTES)]
MOST_ENTRIES = 1_000_000


@tool(name="fs.list", timeout="5m", heartbeats=True, touches=("fs.read",))
def list_(
    path: str,
    include: list[str] | str = "*",
    exclude: list[str] | str | None = None,
    recursive: bool = True,
    include_hidden: bool = False,
    follow_links: bool = False,
    kind: Kind = "file",
    max_entries: Annotated[int, Field(ge=0, le=MOST_ENTRIES)] = 100_000,
) -> list[str]:
    """List the entries of a folder, as paths relative to it, in the order of their bytes.

    Args:
        path: the folder.
        include: one or more globs. One without "/" is compared with the name at any depth, one
            with "/" with the whole relative path; "**" stands for any number of folders.
        exclude: globs of what to leave out; a folder that matches is not entered.
        recursive: also what is in the folders below.
        include_hidden: also names that begin with a dot.
        follow_links: enter folders that are symbolic links; circles are recognised.
        kind: what to list.
        max_entries: more than this is an error.
    """
    selection = Selection(
        include=[include] if isinstance(include, str) else include,
        exclude=[exclude] if isinstance(exclude, str) else exclude or (),
        recursive=recursive,
        hidden=include_hidden,
        links=follow_links,
        kind=kind,
    )
    return [encode(found) for found in list_sorted(decode(path), selection, max_entries)]


@tool(name="fs.read", touches=("fs.read",))
def read(
    path: str,
    encoding: str = "utf-8",
    errors: Literal["strict", "replace"] = "strict",
    max_bytes: Bytes = 10 * 1024 * 1024,
) -> dict[str, Any]:  # Any: JSON-like data
    """Read a whole file; returns content, encoding and size_bytes.

    Args:
        path: the file.
        encoding: how its bytes become text; "base64" for contents that are no text.
        errors: whether bytes that are no text fail the call or become U+FFFD.
        max_bytes: a larger file is an error.
    """
    body = files.read_limited(decode(path), max_bytes)
    if encoding == "base64":
        content = base64.b64encode(body).decode("ascii")
    else:
        content = _to_text(body, path, encoding, errors)
    return {"content": content, "encoding": encoding, "size_bytes": len(body)}


@tool(name="fs.write", touches=("fs.write",))
def write(
    path: str, content: str, encoding: str = "utf-8", make_parents: bool = False
) -> dict[str, Any]:  # Any: JSON-like data
    """Write a whole file, entirely or not at all; returns path, size_bytes and sha256.

    A file that was there keeps its permissions. A full disk leaves it as it was.

    Args:
        path: the file.
        content: its new contents.
        encoding: how the text becomes bytes; "base64" when content is base64.
        make_parents: also create the folders it lies in.
    """
    body = _to_bytes(content, path, encoding)
    target = decode(path)
    try:
        if make_parents:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, body, context().key)
    except OSError as error:
        raise explain(error, "write", target) from None
    digest = hashlib.sha256(body).hexdigest()
    return {"path": path, "size_bytes": len(body), "sha256": digest}


@tool(name="fs.stat", timeout="5m", heartbeats=True, touches=("fs.read",))
def stat(
    path: str, sha256: bool = False, missing_ok: bool = False, follow_links: bool = True
) -> dict[str, Any]:  # Any: JSON-like data
    """Describe a path: exists, type, size_bytes, modified (ISO 8601, UTC) and mode.

    Args:
        path: what to look at.
        sha256: also compute the SHA-256 of a file's contents.
        missing_ok: return only {"exists": false} when there is nothing, in place of an error.
        follow_links: describe what a symbolic link points to, not the link.
    """
    target = decode(path)
    found = files.describe(target, follow=follow_links)
    if found is None:
        if missing_ok:
            return {"exists": False}
        raise NotFound(f"there is nothing at {path!r}", hint="check the path, or set missing_ok")
    if sha256 and found["type"] == "file":
        found["sha256"] = files.hash_file(target)
    return {"exists": True, **found}


def _to_text(body: bytes, path: str, encoding: str, errors: str) -> str:
    try:
        return body.decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path!r} is not {encoding} text: byte {error.start} is 0x{body[error.start]:02x}",
            hint='set encoding to "base64" or to what it is, or errors to "replace"',
        ) from None
    except LookupError:
        raise _unknown_encoding(encoding) from None


def _to_bytes(content: str, path: str, encoding: str) -> bytes:
    try:
        if encoding == "base64":
            return base64.b64decode(content, validate=True)
        return content.encode(encoding)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise InvalidInput(
            f"the content for {path!r} cannot be written as {encoding}: {error}",
            hint='"utf-8" can write every text',
        ) from None
    except LookupError:
        raise _unknown_encoding(encoding) from None


def _unknown_encoding(encoding: str) -> InvalidInput:
    return InvalidInput(
        f"there is no text encoding {encoding!r}", hint='for instance "utf-8", "latin-1", "base64"'
    )
