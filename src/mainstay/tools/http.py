"""The tool that speaks HTTP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json as jsonlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from mainstay.schemas.durations import Duration, format_duration
from mainstay.schemas.errors import InvalidInput, LimitReached, MainstayError, Unavailable
from mainstay.schemas.limits import MAX_OUTPUT_BYTES
from mainstay.tools.tool import tool

if TYPE_CHECKING:
    import httpx

Value = Any  # JSON-like data
Parameter = str | int | float | bool
Body = Literal["auto", "text", "base64"]

BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
MAX_CONNECT_SECONDS = 10.0
_SHOWN_CHARS = 200


@dataclass(frozen=True)
class Limits:
    """What one request may take, from its beginning to the last byte of the answer."""

    timeout: timedelta
    max_bytes: int
    max_redirects: int


@tool(name="http.request", idempotent=False, timeout="2m", heartbeats=True, touches=("http",))
async def request(
    url: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    params: dict[str, Parameter | list[Parameter]] | None = None,
    json: Value = None,
    body: str | None = None,
    timeout: Duration = timedelta(seconds=30),
    max_bytes: Annotated[int, Field(ge=0, le=MAX_OUTPUT_BYTES // 2)] = 10 * 1024 * 1024,
    max_redirects: Annotated[int, Field(ge=0, le=20)] = 5,
    decode: Body = "auto",
    check: bool = False,
) -> dict[str, Value]:
    """Send an HTTP request; returns status, url, headers, body, encoding, and json if it is JSON.

    A server that is busy (429, 503), fails (5xx) or does not answer makes the call fail in a way
    that may pass; Retry-After is honoured. GET and HEAD can safely be sent twice: let such a task
    say `idempotent: true`, and it is tried again.

    Args:
        url: where to, http or https.
        method: GET, POST, ...
        headers: headers to send.
        params: query parameters to add to the url.
        json: data to send as JSON.
        body: text to send as it is.
        timeout: longest from the beginning to the last byte of the answer.
        max_bytes: a larger answer is an error.
        max_redirects: how many redirects to follow; 0 returns the first one.
        decode: whether the body is text, or base64 of its bytes; "auto" looks at the answer.
        check: fail when the status is 4xx.
    """
    if json is not None and body is not None:
        raise InvalidInput("http.request: json and body exclude each other", hint="remove one")
    limits = Limits(timeout, max_bytes, max_redirects)
    content = {"json": json, "content": body, "headers": headers, "params": params}
    response, received = await _send(method.upper(), url, content, limits)
    _judge(response.status_code, response.headers, received, f"{method} {url!r}", check)
    return _describe(response, received, decode)


async def _send(
    method: str, url: str, content: dict[str, Value], limits: Limits
) -> tuple[httpx.Response, bytes]:
    """Send a request and read the whole answer.

    Raises:
        Unavailable: there is no answer, or none in time.
        LimitReached: it is too large, or only leads from one place to another.
        InvalidInput: nothing could be sent.
    """
    import httpx

    try:
        async with asyncio.timeout(limits.timeout.total_seconds()), _client(limits) as web:
            request = web.build_request(method, url, **content)
            response = await web.send(
                request, stream=True, follow_redirects=limits.max_redirects > 0
            )
            try:
                return response, await _read(response, limits.max_bytes)
            finally:
                await response.aclose()
    except TimeoutError:
        raise Unavailable(
            f"{method} {url!r} had no complete answer within {format_duration(limits.timeout)}",
            hint="raise its timeout, or look whether the server is well",
        ) from None
    except httpx.TooManyRedirects:
        raise LimitReached(
            f"{method} {url!r} was redirected more than {limits.max_redirects} times",
            hint="check the url, or raise max_redirects",
        ) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, ValueError) as error:
        raise InvalidInput(f"http.request: {url!r}: {error}", hint="write http://...") from None
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise Unavailable(f"{method} {url!r}: {reason}", hint="is the server up?") from None


def _client(limits: Limits) -> httpx.AsyncClient:
    import httpx

    seconds = limits.timeout.total_seconds()
    return httpx.AsyncClient(
        timeout=httpx.Timeout(seconds, connect=min(seconds, MAX_CONNECT_SECONDS)),
        max_redirects=limits.max_redirects,
    )


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes(65536):
        content += chunk
        if len(content) > max_bytes:
            raise LimitReached(
                f"the answer of {str(response.url)!r} has more than {max_bytes} bytes",
                hint="raise max_bytes, or ask for less",
            )
    return bytes(content)


def _judge(status: int, headers: Mapping[str, str], content: bytes, what: str, check: bool) -> None:
    """Raise what a status means, where it means that the request did not succeed."""
    if status < HTTPStatus.BAD_REQUEST:
        return
    error: MainstayError
    said = content[: _SHOWN_CHARS * 4].decode("utf-8", "replace").strip()[:_SHOWN_CHARS]
    message = f"{what} was answered {status} {_phrase(status)}".rstrip() + (
        f": {said}" if said else ""
    )
    if status in BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        error = Unavailable(message, hint="the server may be well again later")
        if status in BUSY:
            error.retry_after = _retry_after(headers.get("retry-after"))
        raise error
    if check:
        raise InvalidInput(message, hint="correct the request, or set check to false")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _retry_after(value: str | None) -> timedelta | None:
    """Read a Retry-After header: seconds, or a date. Source: RFC 9110, section 10.2.3."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return timedelta(seconds=min(int(value.strip()[:9]), 10**9))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment - datetime.now(UTC), timedelta(0))


def _describe(response: httpx.Response, content: bytes, decode: Body) -> dict[str, Value]:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    result: dict[str, Value] = {
        "status": response.status_code,
        "url": str(response.url),
        "headers": dict(response.headers),
        "size_bytes": len(content),
    }
    if decode == "base64" or (decode == "auto" and not _is_text(kind, content)):
        return {**result, "encoding": "base64", "body": base64.b64encode(content).decode("ascii")}
    encoding = response.charset_encoding or "utf-8"
    try:
        text = content.decode(encoding, "replace")
    except LookupError:
        encoding, text = "utf-8", content.decode("utf-8", "replace")
    result |= {"encoding": encoding, "body": text}
    if kind.endswith(("/json", "+json")):
        # What says that it is JSON and is none is still there as text.
        with contextlib.suppress(ValueError, RecursionError):
            result["json"] = jsonlib.loads(text)
    return result


def _is_text(kind: str, content: bytes) -> bool:
    if kind.startswith("text/") or kind.endswith(("/json", "+json", "/xml", "+xml", "/javascript")):
        return True
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content
