"""Finding tools: shipped ones, modules, files, and what goes wrong with them."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.tools import catalogue
from mainstay.tools.catalogue import Catalogue, load_catalogue
from mainstay.tools.tool import ToolContext, tool

SHIPPED = [
    "fs.list",
    "fs.read",
    "fs.search",
    "fs.stat",
    "fs.write",
    "http.request",
    "json.query",
    "process.run",
    "python.call",
    "text.extract",
    "text.render",
]

GOOD = """
from __future__ import annotations
import dataclasses
from mainstay.tools.tool import tool

@dataclasses.dataclass
class Size:
    lines: int

@tool
def measure(text: str) -> Size:
    return Size(text.count("x"))
"""


def test_shipped_tools_are_found_in_order_of_their_names() -> None:
    found = load_catalogue()
    assert [name for name in found.specs() if name in SHIPPED] == SHIPPED
    assert [item.spec.name for item in found] == sorted(found.specs())


def test_every_shipped_tool_describes_itself_and_all_its_arguments() -> None:
    for name in SHIPPED:
        spec = load_catalogue().get(name).spec
        assert spec.description
        assert spec.touches or name.startswith(("text.", "json."))
        assert spec.heartbeats or spec.timeout.total_seconds() <= 60
        for parameter, schema in spec.parameters["properties"].items():
            assert schema.get("description"), f"{name}: {parameter}"


def test_default_of_a_duration_is_shown_as_it_may_be_written() -> None:
    properties = load_catalogue().get("fs.search").spec.parameters["properties"]
    assert properties["time_limit"]["default"] == 60.0


def test_unknown_tool_is_answered_with_a_suggestion() -> None:
    with pytest.raises(NotFound, match=r"no tool 'fs\.raed'") as caught:
        load_catalogue().get("fs.raed")
    assert "fs.read" in caught.value.hint


def test_file_of_tools_is_named_after_the_file_and_loaded_once(tmp_path: Path) -> None:
    path = tmp_path / "audit_tools.py"
    path.write_text(GOOD)
    first = load_catalogue([str(path)]).get("audit_tools.measure")
    again = load_catalogue([str(path)]).get("audit_tools.measure")
    assert first is again
    assert first.run_sync({"text": "xx"}, ToolContext()) == {"lines": 2}


def test_module_of_tools_is_found_by_its_dotted_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "made_for_this_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tools.py").write_text(GOOD)
    monkeypatch.syspath_prepend(tmp_path)
    assert "tools.measure" in load_catalogue(["made_for_this_test.tools"])


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("x = 1 / 0\n", "ZeroDivisionError: division by zero (broken.py, line 1)"),
        ("def f(:\n", "SyntaxError"),
        ("import no_such_module_at_all\n", "ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "SystemExit"),
        ("x = 1\n", "defines no tool"),
        (
            "from mainstay.tools.tool import tool\n@tool\ndef f(a): ...\n",
            "'a' has no annotation",
        ),
    ],
)
def test_broken_file_is_named_with_its_cause(tmp_path: Path, body: str, part: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(body)
    before = set(sys.modules)
    with pytest.raises(InvalidInput) as caught:
        load_catalogue([str(path)])
    assert "broken.py" in caught.value.message
    assert part in caught.value.message
    assert set(sys.modules) == before or part == "defines no tool"


@pytest.mark.parametrize("name", ["no_such_module_at_all.tools", "/nowhere/tools.py"])
def test_missing_module_or_file_is_not_found(name: str) -> None:
    with pytest.raises(NotFound, match=name):
        load_catalogue([name])


def test_two_tools_of_one_name_are_refused_naming_both_modules() -> None:
    @tool(name="a.b")
    def first() -> None: ...

    @tool(name="a.b")
    def second() -> None: ...

    second.spec = second.spec.model_copy(update={"module": "elsewhere"})
    with pytest.raises(InvalidInput, match=r"'a\.b'.*test_tools_catalogue.*elsewhere"):
        Catalogue([first, second])
    assert len(Catalogue([first, first])) == 1


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("no_such_module_at_all", "ModuleNotFoundError"),
        ("json:dumps", "neither a module nor a tool"),
        ("mainstay.tools.fs:nothing", "AttributeError"),
    ],
)
def test_broken_entry_point_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str, part: str
) -> None:
    point = EntryPoint("mine", value, catalogue.ENTRY_POINTS)
    monkeypatch.setattr(catalogue, "entry_points", lambda group: [point])
    with pytest.raises(InvalidInput) as caught:
        load_catalogue()
    assert "'mine'" in caught.value.message
    assert part in caught.value.message
