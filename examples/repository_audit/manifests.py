"""Reading manifests: which packages a project says it depends on."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mainstay.tools.paths import decode
from repository_audit.facts import Dependency, Manifest

Document = Mapping[str, Any]  # Any: what the file holds is what we are here to find out

_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(\[[^\]]*\])?\s*(.*)")
_GO_LINE = re.compile(r"^\s*(?:require\s+)?([\w.~-]+(?:/[\w.~-]+)+)\s+(v\S+)(.*)$")
_GEM = re.compile(r"^\s*gem\s+['\"]([^'\"]+)['\"](?:\s*,\s*['\"]([^'\"]+)['\"])?")


def read_manifest(root: str, path: str) -> Manifest:
    """Read one manifest; one that is broken is reported, not raised."""
    name = PurePosixPath(path).name
    parse = _PARSERS.get(name, _parse_requirements)
    try:
        text = (Path(decode(root)) / decode(path)).read_text(encoding="utf-8", errors="replace")
        found = list(parse(text))
    except OSError as error:
        return Manifest(path, problem=(error.strerror or "cannot be read").lower())
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return Manifest(path, problem=f"cannot be understood: {error}")
    found.sort(key=lambda one: (one.group, one.name.lower(), one.constraint))
    return Manifest(path, found)


def _parse_pyproject(text: str) -> Iterable[Dependency]:
    document = tomllib.loads(text)
    project = document.get("project", {})
    yield from _requirements(project.get("dependencies", []))
    groups = {**project.get("optional-dependencies", {}), **document.get("dependency-groups", {})}
    for group, lines in groups.items():
        yield from _requirements((line for line in lines if isinstance(line, str)), group)
    poetry = document.get("tool", {}).get("poetry", {})
    yield from _mapping(poetry.get("dependencies", {}))
    for group, content in poetry.get("group", {}).items():
        yield from _mapping(content.get("dependencies", {}), group)


def _parse_requirements(text: str) -> Iterable[Dependency]:
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return _requirements(line for line in lines if line and not line.startswith(("#", "-")))


def _parse_package_json(text: str) -> Iterable[Dependency]:
    document = json.loads(text)
    yield from _mapping(document.get("dependencies", {}))
    for key, group in (("devDependencies", "dev"), ("peerDependencies", "peer"),
                       ("optionalDependencies", "optional")):  # fmt: skip
        yield from _mapping(document.get(key, {}), group)


def _parse_cargo(text: str) -> Iterable[Dependency]:
    document = tomllib.loads(text)
    yield from _mapping(document.get("dependencies", {}))
    yield from _mapping(document.get("workspace", {}).get("dependencies", {}), "workspace")
    yield from _mapping(document.get("dev-dependencies", {}), "dev")
    yield from _mapping(document.get("build-dependencies", {}), "build")


def _parse_composer(text: str) -> Iterable[Dependency]:
    document = json.loads(text)
    yield from _mapping(document.get("require", {}))
    yield from _mapping(document.get("require-dev", {}), "dev")


def _parse_go_mod(text: str) -> Iterable[Dependency]:
    is_inside = False
    for line in text.splitlines():
        if line.startswith("require ("):
            is_inside = True
        elif line.startswith(")"):
            is_inside = False
        elif (is_inside or line.startswith("require ")) and (match := _GO_LINE.match(line)):
            yield Dependency(match[1], match[2], "indirect" if "// indirect" in match[3] else "")


def _parse_gemfile(text: str) -> Iterable[Dependency]:
    for line in text.splitlines():
        if match := _GEM.match(line):
            yield Dependency(match[1], match[2] or "")


def _requirements(lines: Iterable[str], group: str = "") -> Iterable[Dependency]:
    for line in lines:
        if match := _REQUIREMENT.match(line):
            yield Dependency(match[1], match[3].partition(";")[0].strip(), group)


def _mapping(entries: Document, group: str = "") -> Iterable[Dependency]:
    for name, value in entries.items():
        version = value.get("version", "") if isinstance(value, Mapping) else value
        yield Dependency(name, str(version), group)


_PARSERS: dict[str, Callable[[str], Iterable[Dependency]]] = {
    "pyproject.toml": _parse_pyproject,
    "package.json": _parse_package_json,
    "Cargo.toml": _parse_cargo,
    "composer.json": _parse_composer,
    "go.mod": _parse_go_mod,
    "Gemfile": _parse_gemfile,
}
