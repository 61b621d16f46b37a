"""How large, repetitive values are written on the wire: compressed, as one string."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from typing import Any

from pydantic_core import from_json, to_json

PACK_FROM_BYTES = 8 * 1024
"""JSON larger than this is compressed."""

_KEY = "packed"


def pack(data: dict[str, Any]) -> dict[str, Any]:  # Any: JSON-like data
    """Compress data if it is large."""
    plain = to_json(data)
    if len(plain) < PACK_FROM_BYTES:
        return data
    return {_KEY: b64encode(zlib.compress(plain)).decode("ascii")}


def unpack(data: Any) -> Any:  # Any: JSON-like data, or a model that is being validated
    """Return the data as it was before :func:`pack`; anything else as it is."""
    if isinstance(data, dict) and _KEY in data:
        return from_json(zlib.decompress(b64decode(data[_KEY])))
    return data
