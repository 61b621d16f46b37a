"""Reading a plan's file: YAML, of which JSON is a part, with the place of everything in it.

Rules:
    1. Only ``true`` and ``false`` are booleans, only plain decimal numbers are numbers; ``on``,
       ``no``, ``12:30`` and ``2024-01-01`` are texts. (YAML 1.1 reads all of them otherwise.)
    2. A key is a text, and stands once in its mapping.
    3. Aliases are allowed as long as the document they unfold into stays small.
    4. Whatever is wrong is a Problem with its place, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import yaml

from mainstay.decisions.plan_files.problems import Findings, Path, Problem
from mainstay.decisions.plan_files.yaml_errors import explain, place_of
from mainstay.schemas.limits import MAX_PLAN_FILE_BYTES

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # Any: one of two unrelated classes

MAX_DEPTH = 64
MAX_NODES = 1_000_000
"""Most values in a document once its aliases are unfolded."""

MAX_NUMBER_CHARS = 300

_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}
_CONTAINER_TAGS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_RADIX = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Form:
    """What kind of file is read: how large it may be, and what to say of one that is wrong."""

    noun: str = "a plan"
    beginning: str = "begin with `name:`"
    when_empty: str = "`mainstay init` writes a plan"
    when_large: str = "split the plan into sub-plans, or make it in Python"
    max_bytes: int = MAX_PLAN_FILE_BYTES


PLAN_FORM = Form()


@dataclass(slots=True)
class Node:
    """A value in a file: where it stands, and what it holds.

    Attributes:
        value: the plain data.
        text: a scalar as it is written.
        keys: for a mapping, the places of its keys.
        children: for a mapping or a list, the nodes in it, by key or by index.
        size: values in it, aliases unfolded.
    """

    line: int
    column: int
    value: Any = None
    text: str = ""
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    children: dict[str | int, Node] = field(default_factory=dict)
    size: int = 1


@dataclass(frozen=True)
class Document:
    """A plan's file as it was read; ``data`` is None when it could not be."""

    source: str
    data: dict[str, Any] | None
    root: Node | None
    problems: tuple[Problem, ...]

    def locate(self, path: Path, at_key: bool = False) -> tuple[int, int]:
        """Return the line and column, from 1, of a value or its key, or of what is nearest."""
        node = self.root
        if node is None:
            return 1, 1
        place = (node.line, node.column)
        for part in path:
            child = node.children.get(part)
            if child is None:
                break
            place = (child.line, child.column)
            if at_key and isinstance(part, str):
                place = node.keys[part]
            node = child
        return place

    def text_at(self, path: Path) -> str:
        """Return a scalar as it is written in the file; empty when there is none."""
        node = self.root
        for part in path:
            node = node.children.get(part) if node is not None else None
        return node.text if node is not None else ""


def read_plan(text: str | bytes, source: str, form: Form = PLAN_FORM) -> Document:
    """Read a plan's file, or another mapping in YAML. ``source`` is its name, for messages."""
    findings = Findings(source)
    root = None
    decoded = decode(text, findings, form)
    if decoded is not None:
        root = _Builder(findings, form).build(decoded)
    if root is not None and not isinstance(root.value, dict):
        report(findings, root.line, root.column, f"{form.noun} is a mapping", form.beginning)
        root = None
    data = root.value if root is not None else None
    return Document(source, data, root, tuple(findings.problems))


def report(findings: Findings, line: int, column: int, message: str, hint: str = "") -> None:
    """Report something at a line and a column."""
    findings.problems.append(
        Problem(line=line, column=column, message=message, hint=hint, source=findings.source)
    )


def decode(text: str | bytes, findings: Findings, form: Form) -> str | None:
    """Return the text of a file, without a byte order mark; None when that is reported as wrong."""
    try:
        content = text if isinstance(text, bytes) else text.encode()
        if len(content) <= form.max_bytes:
            return content.decode("utf-8-sig")
        report(
            findings,
            1,
            1,
            f"the file has {len(content)} bytes, more than {form.max_bytes}",
            form.when_large,
        )
    except UnicodeDecodeError as error:
        line, column = place_of(content[: error.start].decode("utf-8", "replace"))
        report(findings, line, column, "the file is not UTF-8", "save it as UTF-8")
    except UnicodeEncodeError as error:
        line, column = place_of(error.object[: error.start])
        report(findings, line, column, "half a surrogate pair is no character", "remove it")
    return None


class _Stop(Exception):
    """Reading cannot go on; the problem is already reported."""


class _Builder:
    """Makes nodes of YAML's events, without recursion, so that no nesting can exhaust the stack."""

    def __init__(self, findings: Findings, form: Form) -> None:
        self.findings = findings
        self.form = form
        self.anchors: dict[str, Node] = {}
        self.open: list[tuple[Node, str | None]] = []
        self.key: list[tuple[str, tuple[int, int]] | None] = []
        self.root: Node | None = None

    def build(self, text: str) -> Node | None:
        """Return the document's root, or None when something is wrong."""
        try:
            for event in _events(text):
                self._take(event)
        except _Stop:
            return None
        except yaml.YAMLError as error:
            line, column, message, hint = explain(error, text)
            report(self.findings, line, column, message, hint)
            return None
        if self.root is None:
            report(self.findings, 1, 1, "the file is empty", self.form.when_empty)
        return self.root

    def _take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        assert mark is not None, "both parsers mark every event"
        line, column = mark.line + 1, mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            self._check_tag(event.tag, _TAGS, line, column)
            node = Node(line, column, self._scalar(event, line, column), event.value)
            self._place(node, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            known = self.anchors.get(str(event.anchor))
            if known is None:
                self._stop(line, column, f"there is no finished anchor {event.anchor!r} above")
            else:
                self._place(known, None)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._check_tag(event.tag, _CONTAINER_TAGS, line, column)
            if len(self.open) >= MAX_DEPTH:
                self._stop(line, column, f"nested more than {MAX_DEPTH} deep")
            is_list = isinstance(event, yaml.SequenceStartEvent)
            self.open.append((Node(line, column, [] if is_list else {}), event.anchor))
            self.key.append(None)
        elif isinstance(event, yaml.CollectionEndEvent):
            node, anchor = self.open.pop()
            self.key.pop()
            self._place(node, anchor)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._stop(
                line, column, "a second document begins here", f"one file holds {self.form.noun}"
            )

    def _place(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        parent = self.open[-1][0]
        if isinstance(parent.value, list):
            parent.children[len(parent.value)] = node
            parent.value.append(node.value)
        else:
            key = self.key[-1]
            if key is None:
                self._begin_entry(node)
                return
            self.key[-1] = None
            self._end_entry(parent, key, node)
        parent.size += node.size
        if parent.size > MAX_NODES:
            self._stop(
                node.line,
                node.column,
                f"the file unfolds into more than {MAX_NODES} values",
                "use fewer aliases",
            )

    def _begin_entry(self, node: Node) -> None:
        if isinstance(node.value, dict | list):
            self._stop(
                node.line,
                node.column,
                "a mapping or a list cannot be a key",
                "quote an expression that begins with {",
            )
        self.key[-1] = (node.text, (node.line, node.column))

    def _end_entry(self, parent: Node, key: tuple[str, tuple[int, int]], node: Node) -> None:
        name, place = key
        if name in parent.children:
            first = parent.keys[name][0]
            report(
                self.findings,
                *place,
                f"the key {name!r} stands here twice",
                f"the first is in line {first}",
            )
        parent.keys[name] = place
        parent.children[name] = node
        parent.value[name] = node.value

    def _check_tag(self, tag: str | None, allowed: set[str], line: int, column: int) -> None:
        if tag not in (None, "!") and tag not in allowed:
            self._stop(line, column, f"the tag {tag} is not allowed", "write plain YAML")

    def _scalar(self, event: yaml.ScalarEvent, line: int, column: int) -> Any:
        text = event.value
        if event.tag in _TAGS:
            value = text if event.tag.endswith(":str") else resolve(text)
            if event.tag.endswith((":int", ":float", ":bool")) and isinstance(value, str):
                self._stop(line, column, f"{text!r} is not a {event.tag.rpartition(':')[2]}")
            return value
        is_plain = event.implicit[0] and event.tag is None
        return resolve(text) if is_plain else text

    def _stop(self, line: int, column: int, message: str, hint: str = "") -> None:
        report(self.findings, line, column, message, hint)
        raise _Stop


def resolve(text: str) -> Any:
    """Return what an unquoted scalar means: a boolean, a number, nothing or a text."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first not in "+-.0123456789" or len(text) > MAX_NUMBER_CHARS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and isfinite(float(text)):
        return float(text)
    return text


def _events(text: str) -> Iterator[yaml.Event]:
    yield from yaml.parse(text, Loader=LOADER)
