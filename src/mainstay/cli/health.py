"""The checks of ``mainstay doctor``. Each looks at one thing, and never fails itself."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import URL
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

from mainstay.connection import (
    RPC_TIMEOUT,
    configured_address,
    connect,
    explicit_address,
    has_worker,
)
from mainstay.devserver.binary import find_binary
from mainstay.schemas.errors import MainstayError, Unavailable
from mainstay.schemas.search import SEARCH_ATTRIBUTES
from mainstay.settings import Settings
from mainstay.storage.connection import read_url
from mainstay.storage.failures import describe
from mainstay.storage.store import open_store
from mainstay.tools.catalogue import load_catalogue

OLDEST_PYTHON = (3, 11)
ENOUGH_BYTES = 1024**3
"""Free space below which a warning is given: a history and its outputs can need as much."""

LEAST_BYTES = 50 * 1024**2
"""Free space with which nothing can be expected to work."""

VERSION_SECONDS = 5.0


class Health(StrEnum):
    """How a check ended. With a warning plans can run, perhaps not yet."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    what: str
    health: Health
    found: str
    hint: str = ""

    def as_data(self) -> dict[str, Any]:  # Any: JSON
        """Return it as JSON."""
        return asdict(self)


async def examine(
    extra_tools: Sequence[str] = (), settings: Settings | None = None
) -> list[Finding]:
    """Make every check, one after another."""
    try:
        settings = settings or Settings()
    except ValueError as error:
        said = str(error).replace("\n", " ")
        return [Finding("settings", Health.ERROR, said, "correct the MAINSTAY_ variables")]
    findings = [_python(), await asyncio.to_thread(_binary, settings)]
    findings += [finding async for finding in _server(settings)]
    findings += [_data_dir(settings), _disk(settings)]
    findings.append(await _database(settings))
    findings.append(await asyncio.to_thread(_tools, settings, extra_tools))
    return findings


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Finding("Python", Health.ERROR, version, "Mainstay needs Python 3.11 or newer")
    return Finding("Python", Health.OK, version)


def _binary(settings: Settings) -> Finding:
    try:
        path = find_binary(settings.temporal_binary)
        ran = subprocess.run(  # noqa: S603 - the program the user configured
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS
        )
    except MainstayError as error:
        return Finding("temporal program", Health.WARNING, error.message, error.hint)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(
            "temporal program", Health.WARNING, f"does not run: {error}", "install it again"
        )
    version = ran.stdout.strip() or f"exit code {ran.returncode}"
    health = Health.OK if ran.returncode == 0 else Health.WARNING
    return Finding("temporal program", health, f"{version}, {path}")


async def _server(settings: Settings) -> AsyncIterator[Finding]:
    try:
        address = configured_address(settings)
        client = await connect(settings)
    except MainstayError as error:
        yield _no_server(settings, error)
        return
    checks: list[tuple[str, Callable[[], Awaitable[Finding]]]] = [
        ("Temporal server", lambda: _version(client, address)),
        ("worker", lambda: _worker(client, settings)),
        ("search attributes", lambda: _search_attributes(client)),
    ]
    for what, check in checks:
        try:
            yield await check()
        except RPCError as error:
            yield Finding(what, Health.ERROR, error.message, "is the namespace right?")


def _no_server(settings: Settings, error: MainstayError) -> Finding:
    if not explicit_address() and isinstance(error, Unavailable):
        try:
            find_binary(settings.temporal_binary)
        except MainstayError as missing:
            return Finding("Temporal server", Health.ERROR, error.message, missing.hint)
        found = "none runs on this machine now"
        hint = "`mainstay run` starts one for the run; `mainstay up` starts one that stays"
        return Finding("Temporal server", Health.WARNING, found, hint)
    return Finding("Temporal server", Health.ERROR, error.message, error.hint)


async def _version(client: Client, address: str) -> Finding:
    answer = await client.workflow_service.get_system_info(
        GetSystemInfoRequest(), timeout=RPC_TIMEOUT
    )
    found = f"version {answer.server_version} at {address}, namespace {client.namespace!r}"
    return Finding("Temporal server", Health.OK, found)


async def _worker(client: Client, settings: Settings) -> Finding:
    queue = f"queue {settings.task_queue!r}"
    if await has_worker(client, settings.task_queue):
        return Finding("worker", Health.OK, f"one serves {queue}")
    return Finding(
        "worker",
        Health.WARNING,
        f"none serves {queue}",
        "`mainstay up` or `mainstay worker` runs one; `mainstay run` brings its own",
    )


async def _search_attributes(client: Client) -> Finding:
    listing = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), timeout=RPC_TIMEOUT
    )
    missing = sorted(set(SEARCH_ATTRIBUTES) - set(listing.custom_attributes))
    if missing:
        found = f"{', '.join(missing)} missing"
        hint = "a worker adds them when it starts, if it may"
        return Finding("search attributes", Health.WARNING, found, hint)
    return Finding("search attributes", Health.OK, ", ".join(SEARCH_ATTRIBUTES))


def _data_dir(settings: Settings) -> Finding:
    folder = settings.data_dir
    place = _nearest(folder)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        hint = "set MAINSTAY_DATA_DIR to a folder that you may write to"
        return Finding("data directory", Health.ERROR, f"{folder} cannot be written", hint)
    return Finding("data directory", Health.OK, str(folder))


def _disk(settings: Settings) -> Finding:
    try:
        free = shutil.disk_usage(_nearest(settings.data_dir)).free
    except OSError as error:
        return Finding("disk space", Health.WARNING, f"unknown: {error.strerror}")
    found = f"{free / 1024**3:.1f} GiB free"
    if free >= ENOUGH_BYTES:
        return Finding("disk space", Health.OK, found)
    health = Health.WARNING if free >= LEAST_BYTES else Health.ERROR
    return Finding("disk space", health, found, "make room, or set MAINSTAY_DATA_DIR elsewhere")


async def _database(settings: Settings) -> Finding:
    try:
        url = read_url(settings.resolved_database_url)
        shown = describe(url)
        if _is_still_to_be_made(url):
            return Finding("database", Health.OK, f"{shown}: the first plan will make it")
        store = await open_store(settings.resolved_database_url)
        await store.close()
    except MainstayError as error:
        return Finding("database", Health.ERROR, error.message, error.hint)
    return Finding("database", Health.OK, f"{shown}, schema up to date")


def _is_still_to_be_made(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").exists()


def _tools(settings: Settings, extra: Sequence[str]) -> Finding:
    try:
        found = load_catalogue([*settings.tools, *extra])
    except MainstayError as error:
        return Finding("tools", Health.ERROR, error.message, error.hint)
    return Finding("tools", Health.OK, f"{len(found)} load")


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next((place for place in _upwards(folder) if place.exists()), folder)


def _upwards(folder: Path) -> Iterator[Path]:
    absolute = folder.absolute()
    yield absolute
    yield from absolute.parents
