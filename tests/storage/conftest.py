"""Both databases, empty and at the present schema, for every test that asks for one."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from postgres_server import NoPostgres, running_postgres

from mainstay.storage.migrate import migrate
from mainstay.storage.store import Store, open_store

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_numbers = count()


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    try:
        with running_postgres() as folder:
            yield folder
    except NoPostgres as reason:
        pytest.skip(f"PostgreSQL: {reason}")


def _url(folder: Path, name: str) -> str:
    return f"postgresql+psycopg://tester:s3cret-word@/{name}?host={folder}"


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Databases that are migrated once; each test gets a copy."""
    return {"sqlite": str(tmp_path_factory.mktemp("template") / "template.db")}


@pytest.fixture
def copy_template(
    templates: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str], str]:
    def copy(kind: str) -> str:
        if kind == "sqlite":
            template = Path(templates["sqlite"])
            if not template.exists():
                migrate(f"sqlite:///{template}")
            target = tmp_path / "records.db"
            shutil.copy(template, target)
            return f"sqlite:///{target}"
        folder = request.getfixturevalue("postgres_folder")
        if "postgresql" not in templates:
            migrate(_create(folder, "template"))
            templates["postgresql"] = "template"
        return _create(folder, f"copy{next(_numbers)}", "TEMPLATE template")

    return copy


def _create(folder: Path, name: str, how: str = "") -> str:
    with psycopg.connect(
        host=str(folder), user="tester", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name} {how}".encode())
    return _url(folder, name)


@pytest.fixture(params=[SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the databases this run of a test is about."""
    return str(request.param)


@pytest.fixture
def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database in which nothing is yet."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'records.db'}"
    return _create(request.getfixturevalue("postgres_folder"), f"empty{next(_numbers)}")


@pytest.fixture
def url(kind: str, copy_template: Callable[[str], str]) -> str:
    """The URL of a database at the present schema, without rows."""
    return copy_template(kind)


@pytest.fixture
def sqlite_url(copy_template: Callable[[str], str]) -> str:
    return copy_template("sqlite")


@pytest.fixture
def postgres_url(copy_template: Callable[[str], str]) -> str:
    return copy_template("postgresql")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await open_store(url)
    yield opened
    await opened.close()
