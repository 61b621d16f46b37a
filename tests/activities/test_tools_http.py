"""HTTP requests against a server of the test's own."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mainstay.schemas.errors import InvalidInput, LimitReached, Unavailable
from mainstay.tools.http import request
from mainstay.tools.tool import ToolContext


class Handler(BaseHTTPRequestHandler):
    """Answers as the path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        route = getattr(self, "answer_" + self.path.partition("?")[0].strip("/"))
        route()

    do_POST = do_GET

    def answer_echo(self) -> None:
        length = int(self.headers.get("content-length", 0))
        seen = {
            "method": self.command,
            "path": self.path,
            "body": self.rfile.read(length).decode(),
            "type": self.headers.get("content-type"),
            "mine": self.headers.get("x-mine"),
        }
        self.reply(200, json.dumps(seen).encode(), {"content-type": "application/json"})

    def answer_latin(self) -> None:
        self.reply(200, b"caf\xe9", {"content-type": "text/plain; charset=latin-1"})

    def answer_odd(self) -> None:
        self.reply(200, b"{no json", {"content-type": "application/json; charset=no-such"})

    def answer_bytes(self) -> None:
        self.reply(200, b"\xff\x00\xfe", {"content-type": "application/octet-stream"})

    def answer_large(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(200):
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass
        self.close_connection = True

    def answer_stall(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "1000")
        self.end_headers()
        self.wfile.write(b"x")
        self.wfile.flush()
        self.server.stalling.set()  # type: ignore[attr-defined]
        self.server.release.wait(20)  # type: ignore[attr-defined]
        self.close_connection = True

    def answer_busy(self) -> None:
        self.reply(429, b"slow down", {"retry-after": "7"})

    def answer_later(self) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=100)
        self.reply(503, b"", {"retry-after": format_datetime(moment, usegmt=True)})

    def answer_vague(self) -> None:
        self.reply(503, b"", {"retry-after": "soon"})

    def answer_broken(self) -> None:
        self.reply(500, b"it broke", {"retry-after": "7"})

    def answer_missing(self) -> None:
        self.reply(404, b"no such thing", {})

    def answer_moved(self) -> None:
        self.reply(302, b"", {"location": "/echo?moved=1"})

    def answer_loop(self) -> None:
        self.reply(302, b"", {"location": "/loop"})

    def answer_hangup(self) -> None:
        self.close_connection = True

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


class Server(ThreadingHTTPServer):
    """A server on a free port that can be told to let go of stalled requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stalling, self.release = threading.Event(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        running.daemon_threads = False
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.release.set()
        running.shutdown()
        thread.join()


async def call(server: Server, path: str, **arguments: Any) -> dict[str, Any]:
    result: dict[str, Any] = await request.run(
        {"url": f"{server.url}/{path}", **arguments}, ToolContext()
    )
    return result


async def test_sends_method_headers_params_and_json(server: Server) -> None:
    result = await call(
        server, "echo", method="post", headers={"X-Mine": "m"}, params={"a": [1, 2]}, json={"b": 1}
    )
    assert result["status"] == 200
    assert result["headers"]["content-type"] == "application/json"
    seen = result["json"]
    assert json.loads(result["body"]) == seen
    assert seen["method"] == "POST"
    assert seen["path"] == "/echo?a=1&a=2"
    assert json.loads(seen["body"]) == {"b": 1}
    assert seen["type"] == "application/json"
    assert seen["mine"] == "m"


async def test_sends_a_text_as_it_is(server: Server) -> None:
    result = await call(server, "echo", method="POST", body="plain ä")
    assert result["json"]["body"] == "plain ä"
    with pytest.raises(InvalidInput, match="exclude each other"):
        await call(server, "echo", method="POST", body="a", json=1)


async def test_body_is_text_where_it_is_text_and_base64_else(server: Server) -> None:
    latin = await call(server, "latin")
    assert (latin["body"], latin["encoding"]) == ("café", "latin-1")
    raw = await call(server, "bytes")
    assert raw["encoding"] == "base64"
    assert base64.b64decode(raw["body"]) == b"\xff\x00\xfe"
    assert (await call(server, "latin", decode="base64"))["encoding"] == "base64"
    odd = await call(server, "odd")
    assert odd["body"] == "{no json"
    assert "json" not in odd


async def test_answer_beyond_the_limit_is_cut_off(server: Server) -> None:
    with pytest.raises(LimitReached, match="more than 1000000 bytes"):
        await call(server, "large", max_bytes=1_000_000)


async def test_server_that_stalls_is_unavailable_after_the_timeout(server: Server) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match="no complete answer within 400ms"):
        await call(server, "stall", timeout=0.4)
    assert time.monotonic() - began < 2


async def test_cancel_ends_a_stalled_request_at_once(server: Server) -> None:
    running = asyncio.create_task(call(server, "stall"))
    assert await asyncio.to_thread(server.stalling.wait, 10)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("path", "least", "most"),
    [("busy", 7, 7), ("later", 90, 100), ("vague", None, None), ("broken", None, None)],
)
async def test_retry_after_is_carried_where_the_server_says_it(
    server: Server, path: str, least: float | None, most: float | None
) -> None:
    with pytest.raises(Unavailable, match=r"was answered (429|500|503)") as caught:
        await call(server, path)
    if least is None or most is None:
        assert caught.value.retry_after is None
    else:
        assert caught.value.retry_after is not None
        assert least <= caught.value.retry_after.total_seconds() <= most


async def test_client_error_is_a_result_unless_checked(server: Server) -> None:
    assert (await call(server, "missing"))["status"] == 404
    with pytest.raises(InvalidInput, match="answered 404 Not Found: no such thing"):
        await call(server, "missing", check=True)


async def test_redirects_are_followed_but_not_for_ever(server: Server) -> None:
    assert (await call(server, "moved"))["json"]["path"] == "/echo?moved=1"
    assert (await call(server, "moved", max_redirects=0))["status"] == 302
    with pytest.raises(LimitReached, match="redirected more than 5 times"):
        await call(server, "loop")


async def test_server_that_hangs_up_or_is_not_there_is_unavailable(server: Server) -> None:
    with pytest.raises(Unavailable, match="hangup"):
        await call(server, "hangup")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        with pytest.raises(Unavailable, match="http://127"):
            await request.run({"url": url}, ToolContext())


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.org/", "http://", "http://a:b/", ""])
async def test_what_is_no_url_is_the_callers_fault(url: str) -> None:
    with pytest.raises(InvalidInput, match="http"):
        await request.run({"url": url}, ToolContext())
