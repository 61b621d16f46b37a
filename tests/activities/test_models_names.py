"""Names of tools on the wire, and what loading the package costs."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.models.language_models import LanguageModels
from mainstay.models.script_file import ScriptSpec
from mainstay.models.wire_names import WireNames
from mainstay.schemas.errors import InvalidInput

NAMES = st.text("ab._-/é", min_size=1, max_size=8) | st.text("ab.", min_size=60, max_size=80)


@given(st.lists(NAMES, max_size=30))
def test_each_name_is_allowed_unique_and_can_be_turned_back(names: list[str]) -> None:
    wire = WireNames(names)
    sent = {name: wire.to_wire(name) for name in names}
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in sent.values())
    assert all(wire.from_wire(name) == own for own, name in sent.items())


def test_dots_become_underscores_unless_that_name_is_taken() -> None:
    assert WireNames(["fs.read"]).to_wire("fs.read") == "fs_read"
    both = WireNames(["fs.read", "fs_read"])
    assert both.to_wire("fs_read") == "fs_read"
    assert re.fullmatch(r"fs_read_[0-9a-f]{8}", both.to_wire("fs.read"))


def test_a_name_that_no_tool_has_is_left_alone() -> None:
    names = WireNames(["fs.read"])
    assert names.from_wire("fs_write") == "fs_write"
    assert names.to_wire("fs.gone") == "fs_gone"


def test_scripts_and_names_load_no_providers_library() -> None:
    code = (
        "import sys; from mainstay.models.language_models import LanguageModels;"
        "LanguageModels().provider('openai:gpt-5');"
        "sys.exit(any(name in sys.modules for name in ('pydantic_ai', 'openai', 'anthropic')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_missing_library_is_named_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match="not installed") as caught:
        LanguageModels(environment={}).check("openai:gpt-5")
    assert "mainstay[models]" in caught.value.hint


def test_the_form_of_a_script_can_be_given_to_an_editor() -> None:
    schema = ScriptSpec.model_json_schema()
    assert "turns" in schema["required"]
    assert "from" in schema["$defs"]["When"]["properties"]
