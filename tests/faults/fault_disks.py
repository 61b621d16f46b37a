"""Scenarios on file systems of their own, for a child process: ``python fault_disks.py WHAT DIR``.

They are mounted in a mount namespace of this process, so nothing is left of them, whatever
happens. Prints one line of JSON: what was found, or why it could not be tried.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_RDONLY = 1
MS_REMOUNT = 32
MS_PRIVATE_REC = (1 << 18) | 16384

libc = ctypes.CDLL(None, use_errno=True)


class CannotMount(Exception):
    """This machine does not let us."""


def enter_namespace() -> None:
    """Give this process its own view of what is mounted; needs no root where namespaces do."""
    uid, gid = os.getuid(), os.getgid()
    _must(libc.unshare(CLONE_NEWNS | (0 if uid == 0 else CLONE_NEWUSER)), "unshare")
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _must(libc.mount(None, b"/", None, MS_PRIVATE_REC, None), "make mounts private")


def mount(folder: Path, flags: int = 0, options: str = "") -> None:
    """Mount a file system in memory, or change how it is mounted."""
    folder.mkdir(exist_ok=True)
    result = libc.mount(b"none", bytes(folder), b"tmpfs", flags, options.encode())
    _must(result, f"mount {folder}")


def _must(result: int, what: str) -> None:
    if result != 0:
        raise CannotMount(f"{what}: {os.strerror(ctypes.get_errno())}")


def fill(folder: Path) -> Path:
    """Leave no free byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    assert os.statvfs(folder).f_bavail == 0, errno.errorcode
    return filler


async def full_store(folder: Path) -> dict[str, Any]:
    """Fill the disk of the store in the middle of a run, and make room again."""
    from fault_rig import POLL_SECONDS, running_rig
    from fault_run import Run

    disk = folder / "small"
    mount(disk, options="size=24m")
    async with running_rig(folder / "rig", store=disk / "mainstay.db") as rig:
        run = await Run.start(rig, "full-store")
        await run.reach(15)
        filler = fill(disk)
        workflow = rig.mainstay.temporal.get_workflow_handle(run.handle.id)
        said: set[str] = set()
        async with asyncio.timeout(30):
            while not any("full" in message for message in said):
                description = (await workflow.describe()).raw_description
                said |= {work.last_failure.message for work in description.pending_activities}
                await asyncio.sleep(POLL_SECONDS)
        filler.unlink()
        await run.judge(await run.end())
        return {"said": sorted(said)}


async def read_only_target(folder: Path) -> dict[str, Any]:
    """Let the report go to a place that cannot be written, make it writable, and go on."""
    from fault_rig import running_rig
    from fault_run import Run

    target = folder / "target"
    mount(target)
    mount(target, MS_REMOUNT | MS_RDONLY)
    async with running_rig(folder / "rig") as rig:
        run = await Run.start(rig, "read-only", report=target / "report.md")
        failed = await run.end()
        mount(target, MS_REMOUNT)
        await rig.mainstay.take_up(run.handle.id)
        result = await run.handle.result()
        facts = {
            "failed": failed.model_dump(mode="json"),
            "result": result.model_dump(mode="json"),
            "effects": run.ledger.effects(),
            "doubles": run.ledger.doubles,
            "report": run.report.decode(),
        }
    return facts


async def main(what: str, folder: Path) -> None:
    """Run one scenario."""
    try:
        enter_namespace()
        scenario = {"full_store": full_store, "read_only_target": read_only_target}[what]
        facts = await scenario(folder)
    except CannotMount as error:
        facts = {"skip": str(error)}
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    code = 1
    try:
        asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
        code = 0
    finally:
        if code:
            import traceback

            traceback.print_exc()
        sys.stderr.flush()
        # A process that used the SDK can crash while Python takes itself apart.
        os._exit(code)
