"""Full disks and read-only targets, on a small file system of the test's own.

It is mounted in a mount namespace of a child process, so nothing is left of it, whatever happens.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_RDONLY = 1
MS_REMOUNT = 32
MS_PRIVATE_REC = (1 << 18) | 16384

PRELUDE = f"""
import ctypes, json, os, pathlib, sys
from mainstay.schemas.errors import MainstayError
from mainstay.tools import fs
from mainstay.tools.tool import ToolContext

libc = ctypes.CDLL(None, use_errno=True)
root = sys.argv[1]

def must(result, what):
    if result != 0:
        print(json.dumps({{"skip": what + ": " + os.strerror(ctypes.get_errno())}}))
        sys.exit(0)

def mount(flags, options):
    must(libc.mount(b"none", root.encode(), b"tmpfs", flags, options), "mount")

uid, gid = os.getuid(), os.getgid()
flags = {CLONE_NEWNS} | (0 if uid == 0 else {CLONE_NEWUSER})
must(libc.unshare(flags), "unshare")
if uid != 0:
    pathlib.Path("/proc/self/setgroups").write_text("deny")
    pathlib.Path("/proc/self/uid_map").write_text(f"0 {{uid}} 1")
    pathlib.Path("/proc/self/gid_map").write_text(f"0 {{gid}} 1")
must(libc.mount(None, b"/", None, {MS_PRIVATE_REC}, None), "make mounts private")
mount(0, b"size=64k,mode=0777")

def attempt(tool, **arguments):
    try:
        return {{"result": tool.run_sync(arguments, ToolContext(key="k"))}}
    except MainstayError as error:
        return {{"error": type(error).__name__, "message": error.message, "hint": error.hint}}

def report(**facts):
    print(json.dumps({{**facts, "names": sorted(os.listdir(root))}}))
"""


def run_on_small_disk(root: Path, body: str) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-c", PRELUDE + body, str(root)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    if "skip" in found:
        pytest.skip(f"no file system can be mounted here: {found['skip']}")
    return found


def test_full_disk_leaves_the_old_file_whole_and_no_other(tmp_path: Path) -> None:
    found = run_on_small_disk(
        tmp_path,
        """
target = pathlib.Path(root, "t")
target.write_text("old")
outcome = attempt(fs.write, path=str(target), content="x" * 200_000)
again = attempt(fs.write, path=str(target), content="fits")
report(outcome=outcome, again=again, content=target.read_text())
""",
    )
    assert found["outcome"]["error"] == "Unavailable"
    assert "no space left" in found["outcome"]["message"]
    assert found["outcome"]["hint"] == "make space on that disk"
    assert found["again"]["result"]["size_bytes"] == 4
    assert found["content"] == "fits"
    assert found["names"] == ["t"]


def test_read_only_target_is_refused_and_unchanged(tmp_path: Path) -> None:
    found = run_on_small_disk(
        tmp_path,
        f"""
target = pathlib.Path(root, "t")
target.write_text("old")
mount({MS_RDONLY | MS_REMOUNT}, None)
outcome = attempt(fs.write, path=str(target), content="new")
report(outcome=outcome, content=target.read_text())
""",
    )
    assert found["outcome"]["error"] == "Refused"
    assert "read-only" in found["outcome"]["message"]
    assert found["content"] == "old"
    assert found["names"] == ["t"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without rights")
def test_folder_without_permission_is_refused(tmp_path: Path) -> None:
    found = run_on_small_disk(
        tmp_path,
        """
pathlib.Path(root, "closed").mkdir(mode=0o700)
pathlib.Path(root, "closed/secret").write_text("s")
os.chown(root, 65534, 65534)
sys.dont_write_bytecode = True
os.chdir(root)  # the folders above belong to somebody else
root = "."
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
report(
    read=attempt(fs.read, path=root + "/closed/secret"),
    listed=attempt(fs.list_, path=root),
    written=attempt(fs.write, path=root + "/closed/t", content="x"),
)
""",
    )
    for name in ("read", "listed", "written"):
        assert found[name]["error"] == "Refused", name
        assert "permission denied" in found[name]["message"]
    assert found["names"] == ["closed"]
