"""Reading and writing files through the tools."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import stat as modes
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mainstay.schemas.errors import InvalidInput, LimitReached, NotFound, Refused
from mainstay.tools import atomic, fs, paths, patterns
from mainstay.tools.globs import compile_globs
from mainstay.tools.tool import Tool, ToolContext


def call(tool: Tool, **arguments: Any) -> Any:
    return tool.run_sync(arguments, ToolContext(key="plan/x/1/task/0"))


def make_tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


TREE = ("b.py", "a.py", "A.md", ".hidden", "src/m.py", "src/deep/n.py", "build/o.py", ".git/x")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["A.md", "a.py", "b.py", "build/o.py", "src/deep/n.py", "src/m.py"]),
        ({"include": "*.md"}, ["A.md"]),
        ({"include": ["*.md", "src/*.py"]}, ["A.md", "src/m.py"]),
        ({"include": "src/**/*.py"}, ["src/deep/n.py", "src/m.py"]),
        ({"include": "**/n.py"}, ["src/deep/n.py"]),
        ({"include": "**"}, ["A.md", "a.py", "b.py", "build/o.py", "src/deep/n.py", "src/m.py"]),
        ({"include": "/*.py"}, ["a.py", "b.py"]),
        ({"include": "[ab].py"}, ["a.py", "b.py"]),
        ({"include": "[!b].py", "exclude": ["src/", "build"]}, ["a.py"]),
        ({"exclude": "build"}, ["A.md", "a.py", "b.py", "src/deep/n.py", "src/m.py"]),
        ({"recursive": False}, ["A.md", "a.py", "b.py"]),
        ({"include_hidden": True, "include": [".*", "x"]}, [".git/x", ".hidden"]),
        ({"kind": "directory"}, ["build", "src", "src/deep"]),
        ({"kind": "any", "include": "*s*"}, ["src"]),
    ],
)
def test_list_gives_what_the_globs_say_in_one_order(
    tmp_path: Path, options: dict[str, Any], expected: list[str]
) -> None:
    make_tree(tmp_path, *TREE)
    assert call(fs.list_, path=str(tmp_path), **options) == expected


def test_list_with_more_entries_than_allowed_is_an_error(tmp_path: Path) -> None:
    make_tree(tmp_path, "a", "b", "c")
    with pytest.raises(LimitReached, match="more than 2 entries"):
        call(fs.list_, path=str(tmp_path), max_entries=2)


def test_list_of_nothing_is_empty_and_of_no_folder_an_error(tmp_path: Path) -> None:
    assert call(fs.list_, path=str(tmp_path)) == []
    with pytest.raises(NotFound, match="nowhere"):
        call(fs.list_, path=str(tmp_path / "nowhere"))
    make_tree(tmp_path, "file")
    with pytest.raises(NotFound, match="not a directory"):
        call(fs.list_, path=str(tmp_path / "file"))


def test_list_is_not_caught_in_circles_of_links(tmp_path: Path) -> None:
    make_tree(tmp_path, "one/a", "two/b")
    (tmp_path / "one/up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "two/other").symlink_to(tmp_path / "one")
    (tmp_path / "gone").symlink_to("nowhere")
    assert call(fs.list_, path=str(tmp_path)) == ["one/a", "two/b"]
    followed = call(fs.list_, path=str(tmp_path), follow_links=True)
    assert {"one/a", "two/b", "two/other/a"} <= set(followed)
    assert len(followed) < 20


def test_names_that_are_no_utf8_go_from_list_to_read_and_back(tmp_path: Path) -> None:
    names = [b"caf\xe9.txt", "käse.txt".encode(), b"tab\there", b"back\\slash", b"\\xff", b"\xff\\"]
    for number, name in enumerate(names):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text(str(number))
    listed = call(fs.list_, path=str(tmp_path))
    listed = json.loads(json.dumps(listed, ensure_ascii=False).encode("utf-8"))
    assert "caf\\xe9.txt" in listed
    assert "käse.txt" in listed
    assert len(listed) == len(names)
    contents = {call(fs.read, path=f"{tmp_path}/{name}")["content"] for name in listed}
    assert contents == {"0", "1", "2", "3", "4", "5"}
    for name in listed:
        path = f"{tmp_path}/{name}"
        assert call(fs.stat, path=path)["type"] == "file"
        call(fs.write, path=path, content="new")
        found = call(fs.search, path=path, pattern="new")["matches"]
        assert found[0]["path"] == path
    assert sorted(os.fsencode(entry.name) for entry in tmp_path.iterdir()) == sorted(names)


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_every_file_name_survives_encoding_and_is_json(name: bytes) -> None:
    text = paths.encode(os.fsdecode(name))
    assert os.fsencode(paths.decode(text)) == name
    text.encode("utf-8")


@given(st.text(alphabet="x5cfe8\\\udcff\udc80é", max_size=12))
def test_names_full_of_backslashes_survive_encoding(name: str) -> None:
    assert paths.decode(paths.encode(name)) == name


@example("[[-?]", "")
@given(st.text(alphabet="ab*?[]!/-^\\.", max_size=10), st.text(alphabet="ab/.", max_size=8))
def test_no_glob_is_an_error_and_no_star_crosses_a_slash(pattern: str, path: str) -> None:
    compile_globs([pattern])(path)
    assert not compile_globs(["x/*"])("x/" + path) or "/" not in path


def test_read_gives_text_or_base64(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes("käse\r\n".encode())
    text = call(fs.read, path=str(tmp_path / "t"))
    assert text == {"content": "käse\r\n", "encoding": "utf-8", "size_bytes": 7}
    coded = call(fs.read, path=str(tmp_path / "t"), encoding="base64")
    assert base64.b64decode(coded["content"]) == "käse\r\n".encode()
    assert call(fs.read, path=str(tmp_path / "t"), encoding="latin-1")["size_bytes"] == 7


def test_read_of_what_is_no_text_says_which_byte(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"ab\xff")
    with pytest.raises(InvalidInput, match=r"is not utf-8 text: byte 2 is 0xff"):
        call(fs.read, path=str(tmp_path / "b"))
    assert call(fs.read, path=str(tmp_path / "b"), errors="replace")["content"] == "ab\ufffd"
    with pytest.raises(InvalidInput, match="no text encoding 'utf-9'"):
        call(fs.read, path=str(tmp_path / "b"), encoding="utf-9")


def test_read_stops_at_the_limit(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 11)
    with pytest.raises(LimitReached, match="has 11 bytes; at most 10 are read"):
        call(fs.read, path=str(tmp_path / "big"), max_bytes=10)
    assert call(fs.read, path=str(tmp_path / "big"), max_bytes=11)["size_bytes"] == 11


def test_read_of_what_has_no_end_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in [(tmp_path / "pipe", "fifo"), (Path("/dev/zero"), "device")]:
        with pytest.raises(InvalidInput, match=f"it is a {kind}"):
            call(fs.read, path=str(path))
    with pytest.raises(InvalidInput, match="it is a directory"):
        call(fs.read, path=str(tmp_path))


def test_file_that_vanished_after_the_listing_is_not_found(tmp_path: Path) -> None:
    make_tree(tmp_path, "a")
    [name] = call(fs.list_, path=str(tmp_path))
    (tmp_path / name).unlink()
    with pytest.raises(NotFound, match="no such file") as caught:
        call(fs.read, path=str(tmp_path / name))
    assert not caught.value.is_retryable


def test_path_with_a_nul_is_refused() -> None:
    with pytest.raises(InvalidInput, match="NUL"):
        call(fs.read, path="a\0b")


def test_write_replaces_and_keeps_the_mode(tmp_path: Path) -> None:
    target = tmp_path / "t"
    target.write_text("old")
    target.chmod(0o640)
    result = call(fs.write, path=str(target), content="néw")
    assert result == {
        "path": str(target),
        "size_bytes": 4,
        "sha256": hashlib.sha256("néw".encode()).hexdigest(),
    }
    assert target.read_text() == "néw"
    assert modes.S_IMODE(target.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]


def test_write_makes_parents_on_request_only(tmp_path: Path) -> None:
    target = tmp_path / "a/b/c"
    with pytest.raises(NotFound):
        call(fs.write, path=str(target), content="x")
    call(fs.write, path=str(target), content=base64.b64encode(b"\xff").decode(), encoding="base64",
         make_parents=True)  # fmt: skip
    assert target.read_bytes() == b"\xff"


def test_write_goes_through_a_link_and_leaves_it(tmp_path: Path) -> None:
    make_tree(tmp_path, "real")
    (tmp_path / "link").symlink_to("real")
    call(fs.write, path=str(tmp_path / "link"), content="new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_write_takes_over_what_a_killed_attempt_left(tmp_path: Path) -> None:
    target = tmp_path / "t"

    def die_half_way() -> None:
        with atomic._temporary(target, "key") as (path, file):
            os.write(file, b"half of what was to be writt")
            left.append(path)
            os.link(path, tmp_path / "left")
            raise KeyboardInterrupt

    left: list[Path] = []
    with pytest.raises(KeyboardInterrupt):
        die_half_way()
    (tmp_path / "left").rename(left[0])  # as kill -9 would have left it, under its own name
    atomic.write_atomically(str(target), b"whole", "key")
    assert target.read_bytes() == b"whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]


def test_two_attempts_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "t"
    bodies = [bytes([number]) * 300_000 for number in range(8)]
    threads = [
        threading.Thread(target=atomic.write_atomically, args=(str(target), body, "key"))
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() in bodies
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]


@pytest.mark.parametrize(
    ("arguments", "error", "part"),
    [
        ({"path": "{tmp}", "content": "x"}, InvalidInput, "not a regular file"),
        ({"path": "{tmp}/t", "content": "ä", "encoding": "ascii"}, InvalidInput, "as ascii"),
        ({"path": "{tmp}/t", "content": "?", "encoding": "base64"}, InvalidInput, "as base64"),
        ({"path": "{tmp}/t", "content": "?", "encoding": "no"}, InvalidInput, "encoding 'no'"),
        ({"path": "{tmp}/" + "n" * 300, "content": "x"}, InvalidInput, "too long"),
        ({"path": "{tmp}/file/t", "content": "x"}, NotFound, "not a directory"),
    ],
)
def test_write_that_cannot_be_leaves_nothing(
    tmp_path: Path, arguments: dict[str, str], error: type[Exception], part: str
) -> None:
    (tmp_path / "file").touch()
    arguments = {**arguments, "path": arguments["path"].replace("{tmp}", str(tmp_path))}
    with pytest.raises(error, match=part):
        call(fs.write, **arguments)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_stat_describes_what_is_there(tmp_path: Path) -> None:
    target = tmp_path / "t"
    target.write_bytes(b"abc")
    target.chmod(0o600)
    os.utime(target, (0, 1_700_000_000))
    assert call(fs.stat, path=str(target), sha256=True) == {
        "exists": True,
        "type": "file",
        "size_bytes": 3,
        "modified": "2023-11-14T22:13:20+00:00",
        "mode": "0600",
        "sha256": hashlib.sha256(b"abc").hexdigest(),
    }
    (tmp_path / "link").symlink_to("t")
    assert call(fs.stat, path=str(tmp_path / "link"), follow_links=False)["type"] == "link"
    assert call(fs.stat, path=str(tmp_path))["type"] == "directory"
    assert call(fs.stat, path=str(tmp_path / "no"), missing_ok=True) == {"exists": False}
    with pytest.raises(NotFound, match="nothing at"):
        call(fs.stat, path=str(tmp_path / "no"))


def test_search_finds_lines_and_skips_what_is_no_text(tmp_path: Path) -> None:
    make_tree(tmp_path, "a.py", "b.txt", "big.txt")
    (tmp_path / "a.py").write_bytes(b"one\r\n  TODO: fix\nTODO again")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9 todo")
    (tmp_path / "bin").write_bytes(b"TODO\0TODO")
    (tmp_path / "big.txt").write_bytes(b"TODO" + b"x" * 100)
    result = call(fs.search, path=str(tmp_path), pattern=r"TODO\b", max_file_bytes=50)
    assert result == {
        "matches": [
            {"path": "a.py", "line": 2, "column": 3, "text": "  TODO: fix"},
            {"path": "a.py", "line": 3, "column": 1, "text": "TODO again"},
        ],
        "truncated": False,
        "files_searched": 2,
        "files_skipped": 2,
    }
    found = call(fs.search, path=str(tmp_path), pattern="todo", flags=["ignorecase"], max_matches=2)
    assert len(found["matches"]) == 2
    assert found["truncated"] is True


def test_search_for_a_literal_takes_no_character_for_a_sign(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("f(x)\nfx\n")
    found = call(fs.search, path=str(tmp_path / "a"), pattern="f(x)", literal=True)
    assert [match["line"] for match in found["matches"]] == [1]


def test_search_gives_up_on_a_catastrophic_pattern(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a" * 60 + "b\n")
    with pytest.raises(LimitReached, match=re.escape("'^(a|aa)+$' took too long")):
        call(fs.search, path=str(tmp_path / "a"), pattern="^(a|aa)+$", time_limit=0.2)


def matching_threads() -> list[threading.Thread]:
    """Return the threads of tools that are inside the engine of regular expressions."""
    frames = sys._current_frames()
    return [
        thread
        for thread in threading.enumerate()
        if thread.ident in frames and frames[thread.ident].f_code.co_filename == patterns.__file__
    ]


@pytest.mark.slow
async def test_cancel_of_a_search_takes_no_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a" * 60 + "b\n")
    arguments = {"path": str(tmp_path), "pattern": "^(a|aa)+$", "time_limit": 1}
    running = asyncio.create_task(fs.search.run(arguments, ToolContext()))
    deadline = time.monotonic() + 10
    while not (threads := matching_threads()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 2
    for thread in threads:
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()


def test_search_with_no_regular_expression_says_why(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"'\(' is no regular expression"):
        call(fs.search, path=str(tmp_path), pattern="(")
    with pytest.raises(NotFound):
        call(fs.search, path=str(tmp_path / "nowhere"), pattern="a")


def test_refusal_of_the_system_is_no_passing_failure() -> None:
    error = paths.explain(PermissionError(13, "Permission denied"), "read", "/x")
    assert isinstance(error, Refused)
    assert error.message == "cannot read '/x': permission denied"
