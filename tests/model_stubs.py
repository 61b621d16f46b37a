"""Servers on loopback that speak like OpenAI's Chat Completions and Responses and like Anthropic.

They run in a thread, so that tests can drive them through real clients in this process or another.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

Body = dict[str, Any]
Event = tuple[str, Body | str]


@dataclass(frozen=True)
class Say:
    """A whole answer: a text in pieces, tool calls as (id, name, arguments as written)."""

    pieces: Sequence[str] = ()
    tools: Sequence[tuple[str, str, str]] = ()
    usage: tuple[int, int, int] | None = (11, 7, 0)  # input, output, of the input cached
    finish: str = ""
    pause: float = 0.0
    """Seconds between two pieces."""


@dataclass(frozen=True)
class Fail:
    """An error status in the place of an answer."""

    status: int
    message: str = "no"
    headers: dict[str, str] = field(default_factory=dict)
    code: str = ""


@dataclass(frozen=True)
class Cut:
    """A stream whose connection breaks; ``cleanly`` ends it as if it were complete."""

    pieces: Sequence[str] = ("Once upon",)
    cleanly: bool = False
    pause: float = 0.0
    """Seconds from the last piece to the break."""


@dataclass(frozen=True)
class Garbage:
    """A stream with something in it that is no JSON."""


@dataclass(frozen=True)
class Stall:
    """A stream that falls silent until the client goes away or the stub is closed."""

    pieces: Sequence[str] = ("Let me",)
    before_headers: bool = False


Reply = Say | Fail | Cut | Garbage | Stall
Answering = Callable[[Body], Reply]


class Events(Protocol):
    """Writes an answer as the events of one way of speaking."""

    def __call__(self, say: Say, *, is_whole: bool = True) -> Iterator[Event]: ...


class ModelStub:
    """A server with what it was asked, and what it will answer.

    Args:
        replies: one after the other, the last one for ever; or a function of the request.
    """

    def __init__(self, replies: Sequence[Reply] | Answering) -> None:
        self.requests: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.was_dropped = threading.Event()
        self.is_silent = threading.Event()
        self.is_closing = threading.Event()
        self._replies = replies
        self._lock = threading.Lock()
        stub = self

        class Handler(_Handler):
            model_stub = stub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def address(self) -> str:
        """``http://127.0.0.1:port``; OpenAI's API is below ``/v1``."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def openai(self) -> str:
        """A model that is asked by the Chat Completions API."""
        return f"openai:gpt-4o-mini@{self.address}/v1"

    @property
    def responses(self) -> str:
        """A model that is asked by the Responses API."""
        return f"openai-responses:gpt-4o-mini@{self.address}/v1"

    @property
    def anthropic(self) -> str:
        """A model that is asked by the Messages API."""
        return f"anthropic:claude-haiku-4-5@{self.address}"

    def next_reply(self, body: Body) -> Reply:
        """Return what is answered to a request."""
        if not isinstance(self._replies, Sequence):
            return self._replies(body)
        with self._lock:
            index = min(len(self.requests), len(self._replies)) - 1
            return self._replies[index]

    def close(self) -> None:
        """Stop, and wait for every connection's end."""
        self.is_closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def model_stub(*replies: Reply, answer: Answering | None = None) -> Iterator[ModelStub]:
    """Run a stub: with replies, or with a function that answers."""
    stub = ModelStub(answer or replies)
    try:
        yield stub
    finally:
        stub.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model_stub: ModelStub

    def do_POST(self) -> None:
        stub = self.model_stub
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        stub.paths.append(self.path)
        stub.headers.append({key.lower(): value for key, value in self.headers.items()})
        stub.requests.append(body)
        events = _WAYS[self.path.rpartition("/")[2]]
        self.close_connection = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.answer(stub.next_reply(body), events)

    def answer(self, reply: Reply, events: Events) -> None:
        if isinstance(reply, Fail):
            self.fail(reply, is_openai=events is not anthropic_events)
            return
        if isinstance(reply, Stall) and reply.before_headers:
            self.stay_silent()
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("connection", "close")
        self.end_headers()
        if isinstance(reply, Say):
            for event in events(reply):
                self.send_event(event)
                self.model_stub.is_closing.wait(reply.pause)
            self.wfile.write(b"0\r\n\r\n")
            return
        if isinstance(reply, Garbage):
            self.send_event(("content_block_delta", '{"choices": [{"delta": '))
        else:
            for event in events(Say(reply.pieces), is_whole=False):
                self.send_event(event)
        if isinstance(reply, Cut):
            self.model_stub.is_closing.wait(reply.pause)
        if isinstance(reply, Stall):
            self.stay_silent()
        elif isinstance(reply, Garbage) or reply.cleanly:
            self.wfile.write(b"0\r\n\r\n")

    def fail(self, reply: Fail, *, is_openai: bool) -> None:
        error: Body = {"message": reply.message, "type": reply.code or "an_error"}
        if is_openai:
            error["code"] = reply.code or None
        content = json.dumps({"type": "error", "error": error}).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_event(self, event: Event) -> None:
        name, data = event
        text = data if isinstance(data, str) else json.dumps(data)
        content = (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()

    def stay_silent(self) -> None:
        """Say nothing until the client hangs up."""
        self.model_stub.is_silent.set()
        while not self.model_stub.is_closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.02)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                self.model_stub.was_dropped.set()
                return

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def openai_events(say: Say, *, is_whole: bool = True) -> Iterator[Event]:
    """Yield an answer in the form of OpenAI's Chat Completions."""

    def chunk(delta: Body, finish: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return "", {**_OPENAI, "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in say.pieces:
        yield chunk({"content": piece})
    for index, (use_id, name, arguments) in enumerate(say.tools):
        function = {"name": name, "arguments": ""}
        call = {"index": index, "id": use_id, "type": "function", "function": function}
        yield chunk({"tool_calls": [call]})
        for part in _halves(arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    if not is_whole:
        return
    yield chunk({}, say.finish or ("tool_calls" if say.tools else "stop"))
    if say.usage is not None:
        asked, said, cached = say.usage
        counted = {
            "prompt_tokens": asked,
            "completion_tokens": said,
            "total_tokens": asked + said,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        yield "", {**_OPENAI, "choices": [], "usage": counted}
    yield "", "[DONE]"


def anthropic_events(say: Say, *, is_whole: bool = True) -> Iterator[Event]:
    """Yield an answer in the form of Anthropic's Messages."""

    def event(kind: str, **content: Any) -> Event:
        return kind, {"type": kind, **content}

    asked, said, cached = say.usage or (0, 0, 0)
    counted = {
        "input_tokens": asked - cached,  # Anthropic counts cached tokens apart
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": 1,
    }
    yield event("message_start", message={**_ANTHROPIC, "usage": counted})
    index = 0
    if say.pieces:
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in say.pieces:
            delta = {"type": "text_delta", "text": piece}
            yield event("content_block_delta", index=0, delta=delta)
        if not is_whole:
            return
        yield event("content_block_stop", index=0)
        index = 1
    for number, (use_id, name, arguments) in enumerate(say.tools, index):
        block = {"type": "tool_use", "id": use_id, "name": name, "input": {}}
        yield event("content_block_start", index=number, content_block=block)
        for part in _halves(arguments):
            delta = {"type": "input_json_delta", "partial_json": part}
            yield event("content_block_delta", index=number, delta=delta)
        yield event("content_block_stop", index=number)
    reason = say.finish or ("tool_use" if say.tools else "end_turn")
    yield event(
        "message_delta",
        delta={"stop_reason": reason, "stop_sequence": None},
        usage={**counted, "output_tokens": said},
    )
    yield event("message_stop")


def responses_events(say: Say, *, is_whole: bool = True) -> Iterator[Event]:
    """Yield an answer in the form of OpenAI's Responses."""
    numbers = itertools.count()

    def event(kind: str, **content: Any) -> Event:
        return kind, {"type": kind, "sequence_number": next(numbers), **content}

    def output_text(text: str) -> Body:
        return {"type": "output_text", "text": text, "annotations": []}

    response = {**_RESPONSE, "output": [], "status": "in_progress"}
    output: list[Body] = []
    yield event("response.created", response=response)
    if say.pieces:
        at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        item: Body = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
        yield event(
            "response.output_item.added", output_index=0, item={**item, "status": "in_progress"}
        )
        yield event("response.content_part.added", **at, part=output_text(""))
        for piece in say.pieces:
            yield event("response.output_text.delta", **at, delta=piece, logprobs=[])
        if not is_whole:
            return
        text = "".join(say.pieces)
        output.append({**item, "status": "completed", "content": [output_text(text)]})
        yield event("response.output_text.done", **at, text=text, logprobs=[])
        yield event("response.output_item.done", output_index=0, item=output[0])
    for index, (use_id, name, arguments) in enumerate(say.tools, len(output)):
        call: Body = {"id": f"fc_{use_id}", "type": "function_call", "call_id": use_id}
        call |= {"name": name, "arguments": "", "status": "in_progress"}
        at = {"item_id": call["id"], "output_index": index}
        yield event("response.output_item.added", output_index=index, item=call)
        for part in _halves(arguments):
            yield event("response.function_call_arguments.delta", **at, delta=part)
        whole = {**call, "arguments": arguments, "status": "completed"}
        yield event("response.function_call_arguments.done", **at, name=name, arguments=arguments)
        yield event("response.output_item.done", output_index=index, item=whole)
        output.append(whole)
    if not is_whole:
        return
    asked, said, cached = say.usage or (0, 0, 0)
    counted = {
        "input_tokens": asked,
        "output_tokens": said,
        "total_tokens": asked + said,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    done = {**response, "status": "completed", "output": output, "usage": counted}
    yield event("response.completed", response=done)


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [text[:middle], text[middle:]]


_OPENAI: Body = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "gpt-4o-mini-2024-07-18",
}
_ANTHROPIC: Body = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}
_RESPONSE: Body = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "gpt-4o-mini-2024-07-18",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
_WAYS: dict[str, Events] = {
    "completions": openai_events,
    "messages": anthropic_events,
    "responses": responses_events,
}
