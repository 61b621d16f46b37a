"""What all tests share: a clean environment, a Temporal server, and a safe way out."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mainstay.settings import Settings


class _Exit:
    """The exit code of this run, once it is known."""

    session: pytest.Session | None = None


def pytest_sessionstart(session: pytest.Session) -> None:
    _Exit.session = session


@atexit.register
def leave_without_finalizing() -> None:
    """Leave before Python takes itself apart.

    A process that used the Temporal SDK can crash there (temporalio/sdk-python issue 300), which
    would turn a good run into a bad one. By now pytest has closed its session and written its
    reports and its coverage, here and in the workers of xdist alike.
    """
    if _Exit.session is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(_Exit.session.exitstatus))


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the developer's own configuration or data reaches a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith(("MAINSTAY_", "TEMPORAL_")):
                patch.delenv(name)
        patch.setenv("MAINSTAY_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        patch.setenv("TEMPORAL_CONFIG_FILE", os.devnull)
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a data directory of the test's own."""
    return Settings(data_dir=tmp_path / "data")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal_server() -> AsyncIterator[object]:
    """A `DevServer` in memory; each worker of xdist has its own."""
    from mainstay.devserver import start_server

    server = await start_server(database=None, ui=False)
    yield server
    await server.stop(grace_seconds=0)


@pytest_asyncio.fixture
async def temporal_client(temporal_server, settings):
    """A client of that server, connected as Mainstay connects."""
    from mainstay.connection import connect

    return await connect(settings, address=temporal_server.address)
