"""What the shape of the project must stay."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "mainstay"
FILES = sorted(SOURCE.rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
HEAVY_STORES = {"sqlalchemy", "sqlmodel", "chromadb", "alembic"}
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    r"|\bxox[abpr]-[0-9A-Za-z-]{20,}|\bsk-[A-Za-z0-9_-]{32,}|\bAIza[0-9A-Za-z_-]{35}\b"
)
MACHINE_PATH = re.compile(r"(?<![\w.:/}])/(?:root|home/\w+|Users/\w+|work)/")
TEXT = {".py", ".toml", ".md", ".txt", ".yml", ".yaml", ".json", ".cfg", ".ini", ".sh", ".mako", ""}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked_files() -> list[Path]:
    """Files that are, or by the rules of .gitignore would be, part of the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listing.returncode != 0:
        pytest.skip("this is no git checkout, so what belongs to it is unknown")
    names = [name for name in listing.stdout.decode().split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that are loaded after a statement, in a fresh interpreter."""
    script = f"import sys\n{statement}\nprint(*{{n.partition('.')[0] for n in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_is_small_and_its_functions_too(path: Path):
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    }
    assert not long


def test_no_file_has_a_name_that_says_nothing():
    assert not [name_of(path) for path in FILES if path.stem in EMPTY_NAMES]
    assert not [name_of(path) for path in FILES if path.parent.name in EMPTY_NAMES]


def test_every_module_of_the_package_has_a_layer():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = (
        contract
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    layers = {name.strip() for layer in contract["layers"] for name in layer.split("|")}
    present = {
        path.stem
        for path in SOURCE.iterdir()
        if (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert contract["exhaustive"]
    assert present <= layers


def test_workflows_load_no_storage():
    modules = [
        f"mainstay.workflows.{path.stem}"
        for path in sorted((SOURCE / "workflows").glob("*.py"))
        if path.stem != "__init__"
    ]
    statement = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    assert not loaded_by(statement) & HEAVY_STORES


def test_decisions_load_neither_temporal_nor_storage():
    modules = [
        f"mainstay.decisions.{path.stem}"
        for path in sorted((SOURCE / "decisions").glob("*.py"))
        if path.stem != "__init__"
    ]
    statement = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    assert not loaded_by(statement) & (HEAVY_STORES | {"temporalio", "httpx"})


@pytest.mark.skipif(
    not (SOURCE / "cli" / "main.py").exists(), reason="there is no command line yet"
)
def test_help_of_the_command_line_loads_neither_temporal_nor_storage():
    statement = (
        "import runpy\nsys.argv = ['mainstay', '--help']\n"
        "from mainstay.cli.main import main\n"
        "import os; os._exit = sys.exit\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code"
    )
    assert not loaded_by(statement) & (HEAVY_STORES | {"temporalio", "httpx"})


def test_every_activity_is_called_with_a_heartbeat_timeout():
    # Without one, a worker killed at the wrong moment is noticed minutes later.
    calls = [
        (name_of(path), call)
        for path in sorted((SOURCE / "workflows").glob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"execute_activity", "start_activity"}
    ]
    assert calls
    without = [
        f"{name}:{call.lineno}"
        for name, call in calls
        if "heartbeat_timeout" not in {keyword.arg for keyword in call.keywords}
    ]
    assert not without


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def conditions_of(service: dict[str, Any]) -> dict[str, str]:
    return {name: wait["condition"] for name, wait in service.get("depends_on", {}).items()}


def test_every_service_that_stays_up_has_a_health_check():
    services = compose()["services"]
    ending = {
        name
        for service in services.values()
        for name, condition in conditions_of(service).items()
        if condition == "service_completed_successfully"
    }
    without = {name for name, service in services.items() if "healthcheck" not in service}
    assert without == ending


def test_every_service_waits_for_what_exists_and_can_be_waited_for():
    services = compose()["services"]
    for service in services.values():
        for name, condition in conditions_of(service).items():
            assert name in services
            if condition == "service_healthy":
                assert "healthcheck" in services[name]
            else:
                assert condition == "service_completed_successfully"


def test_every_image_has_an_exact_tag():
    for service in compose()["services"].values():
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?", service["image"])


def test_two_workers_are_built_from_the_dockerfile():
    worker = compose()["services"]["worker"]
    assert worker["deploy"]["replicas"] == 2
    assert (ROOT / worker["build"] / "Dockerfile").exists()


def test_every_password_comes_from_a_variable():
    text = (ROOT / "docker-compose.yml").read_text()
    passwords = re.findall(r"(?:PASSWORD|PWD): (.*)", text)
    assert passwords
    assert all(re.fullmatch(r"\$\{\w+:-for-development-only\}", word) for word in passwords)


def test_every_volume_and_config_that_is_used_is_declared():
    document = compose()
    for service in document["services"].values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in document["volumes"]
        for config in service.get("configs", []):
            assert config["source"] in document["configs"]


def test_dockerfile_copies_what_exists_and_dockerignore_lets_through():
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = re.findall(r"^COPY (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {word for line in copied for word in line.split()[:-1]}
    assert sources
    assert sources == allowed
    assert all((ROOT / word).exists() for word in sources)


def test_worker_of_the_image_is_not_root():
    words = re.findall(r"^USER (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert words
    assert words[-1] not in {"root", "0"}


def test_constraints_are_exact_versions_alone_and_sorted():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines)
    names = [line.partition("==")[0].lower() for line in lines]
    assert names == sorted(set(names))
    assert "mainstay" not in names


def test_no_file_holds_a_secret_or_a_path_of_one_machine():
    found = []
    for path in tracked_files():
        if path.suffix not in TEXT or path == Path(__file__).resolve():
            continue
        text = path.read_text(errors="replace")
        found += [f"{name_of(path)}: {hit.group()}" for hit in SECRET.finditer(text)]
        found += [f"{name_of(path)}: {hit.group()}" for hit in MACHINE_PATH.finditer(text)]
    assert not found
