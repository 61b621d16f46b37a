"""What DBOS does with the same work; run by the Python of build/peers.

    python dbos_steps.py FOLDER STEPS WIDTH

Async workflows on its SQLite system database, which gets the same journal mode and durability as
ours. Its steps are made in sequence, ten at once, and as a diamond of WIDTH in the middle.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import sqlalchemy
from dbos import DBOS, DBOSConfig
from sqlalchemy import event

AT_ONCE = 10


@event.listens_for(sqlalchemy.Engine, "connect")
def set_pragmas(connection: sqlalchemy.engine.interfaces.DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


@DBOS.step()
async def double(number: int) -> int:
    return number * 2


@DBOS.workflow()
async def in_sequence(steps: int) -> int:
    total = 0
    for number in range(steps):
        total += await double(number)
    return total


@DBOS.workflow()
async def ten_at_once(steps: int) -> int:
    total = 0
    for first in range(0, steps, AT_ONCE):
        some = (double(number) for number in range(first, min(first + AT_ONCE, steps)))
        total += sum(await asyncio.gather(*some))
    return total


@DBOS.workflow()
async def diamond(width: int) -> int:
    first = await double(1)
    middle = await asyncio.gather(*(double(first) for _ in range(width)))
    return await double(sum(middle))


async def seconds(workflow: Callable[[int], Awaitable[int]], size: int) -> float:
    began = time.perf_counter()
    await workflow(size)
    return time.perf_counter() - began


async def main(folder: Path, steps: int, width: int) -> None:
    url = f"sqlite:///{folder / 'dbos.sqlite'}"
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url,
        "log_level": "ERROR",
        "enable_otlp": False,
    }
    DBOS(config=config)
    DBOS.launch()
    await in_sequence(20)
    found = {
        "in_sequence": steps / await seconds(in_sequence, steps),
        "at_once": steps / await seconds(ten_at_once, steps),
        "diamond_seconds": await seconds(diamond, width),
    }
    print(json.dumps(found), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
