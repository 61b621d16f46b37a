"""The tools of the repository audit, as plain functions on files of the test's own."""

from __future__ import annotations

import dataclasses
import os
import random
import string
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mainstay.tools.loading import load_module

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TOOLS: Any = load_module(str(EXAMPLES / "audit_tools.py"))

if True:  # what follows can be imported only once the file beside it is loaded
    from repository_audit.facts import FileFacts, History
    from repository_audit.functions import find_long_functions
    from repository_audit.languages import count_lines, language_of
    from repository_audit.report import table
    from repository_audit.searching import MAX_LINE_CHARS, entropy_bits, find_secrets, find_todos
    from repository_audit.summary import rank_hot_spots, read_history


def write(folder: Path, name: str, content: str | bytes) -> str:
    body = content.encode() if isinstance(content, str) else content
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(body)
    return name


def measure(folder: Path, name: str, content: str | bytes, longest: int = 60) -> FileFacts:
    facts: FileFacts = TOOLS.measure(str(folder), write(folder, name, content), longest)
    return facts


def random_text(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    """A text that looks like a key and is none: nothing like it may stand in a repository."""
    return "".join(random.Random(7).choices(letters, k=length - 2)) + "7q"


def test_files_beside_a_file_of_tools_can_be_imported_and_never_hide_what_is_installed():
    assert sys.path.index(str(EXAMPLES)) > 0
    assert "repository_audit.facts" in sys.modules


def test_lines_are_code_comments_or_blank(tmp_path: Path):
    facts = measure(
        tmp_path, "a.py", "# a comment\n\nx = 1  # no comment line\n   \n'''text\n'''\n"
    )
    assert (facts.lines, facts.blank, facts.comment, facts.code) == (6, 2, 1, 3)
    assert facts.language == "Python"
    assert facts.bytes == (tmp_path / "a.py").stat().st_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/* a\n b\n*/\nint x;\n", (4, 0, 3)),
        ("/* a */\nint x;", (2, 0, 1)),
        ("// a\n\n/*\n\n*/\n", (5, 1, 4)),
        ("int x; /* a\n", (1, 0, 0)),
    ],
)
def test_block_comments_count_up_to_their_end(text: str, expected: tuple[int, int, int]):
    assert count_lines(text, "C") == expected


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("a/b.RS", "Rust"),
        ("Makefile", "Make"),
        ("docker/Dockerfile", "Docker"),
        ("LICENSE", "Other"),
        ("py", "Other"),
    ],
)
def test_the_language_comes_from_the_name(name: str, language: str):
    assert language_of(name) == language


def test_an_empty_file_has_no_line(tmp_path: Path):
    facts = measure(tmp_path, "a.py", "")
    assert (facts.lines, facts.bytes, facts.problem) == (0, 0, "")


def test_text_that_is_not_utf_8_is_measured_all_the_same(tmp_path: Path):
    facts = measure(tmp_path, "a.c", "// caf\xe9\nint x;".encode("latin-1"))
    assert (facts.lines, facts.comment, facts.bytes) == (2, 1, 14)


def test_a_file_name_that_is_not_utf_8_is_found(tmp_path: Path):
    (tmp_path / os.fsdecode(b"caf\xe9.py")).write_text("x = 1\n")
    assert TOOLS.measure(str(tmp_path), "caf\\xe9.py").lines == 1


def test_a_binary_file_has_bytes_and_no_lines(tmp_path: Path):
    facts = measure(tmp_path, "a.py", b"\0\n\n\n")
    assert (facts.language, facts.bytes, facts.lines) == ("Binary", 4, 0)


def test_a_link_is_not_followed(tmp_path: Path):
    write(tmp_path, "target.py", "x = 1\n")
    (tmp_path / "link.py").symlink_to("target.py")
    facts = TOOLS.measure(str(tmp_path), "link.py")
    assert (facts.language, facts.lines) == ("Link", 0)


def test_a_file_that_vanished_is_part_of_the_result(tmp_path: Path):
    facts = TOOLS.measure(str(tmp_path), "gone.py")
    assert facts.problem == "no such file or directory"
    assert TOOLS.recount(str(tmp_path), [facts])["ok"]


@pytest.mark.parametrize("content", ["", "a", "a\n", "a\nb", "\r\n\r\n", "\n", "a\rb\n", b"\xff\n"])
def test_the_second_count_agrees(tmp_path: Path, content: str | bytes):
    facts = measure(tmp_path, "a.txt", content)
    assert TOOLS.recount(str(tmp_path), [facts]) == {"ok": True, "reason": ""}


@pytest.mark.parametrize("wrong", [{"lines": 3}, {"bytes": 3}])
def test_the_second_count_names_the_file_that_differs(tmp_path: Path, wrong: dict[str, int]):
    facts = measure(tmp_path, "a.txt", "one\ntwo\n")
    answer = TOOLS.recount(str(tmp_path), [dataclasses.replace(facts, **wrong)])
    assert not answer["ok"]
    assert answer["reason"].startswith("'a.txt': ")
    assert answer["reason"].endswith("8 and 2 when counted again")


def test_todos_are_those_that_begin_a_comment():
    text = "\n".join(
        [
            "x = 1  # " + "TODO(ann): first",
            "// " + "FIXME second",
            " * " + "TODO: third */",
            "the word " + "TODO in a sentence",
            "name = 'my_" + "TODO'",
            "# TODOLIST",
        ]
    )
    assert [(one.line, one.kind, one.text) for one in find_todos(text)] == [
        (1, "TODO", "first"),
        (2, "FIXME", "second"),
        (3, "TODO", "third"),
    ]


SECRETS = {
    "AWS access key": "AKIA" + random_text(16, string.ascii_uppercase + string.digits).upper(),
    "GitHub token": "ghp_" + random_text(36),
    "GitLab token": "glpat-" + random_text(20),
    "Slack token": "xoxb-" + random_text(40),
    "Google API key": "AIza" + random_text(35),
    "Stripe live key": "sk_live_" + random_text(24),
    "model provider key": "sk-" + random_text(40),
    "JSON Web Token": "eyJ" + random_text(20) + ".eyJ" + random_text(20) + "." + random_text(20),
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + random_text(64),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_of_a_known_form_is_found_and_masked(kind: str):
    secret = SECRETS[kind]
    found = find_secrets(f"first line\nvalue: {secret}\n", "a.txt")
    assert [(one.line, one.kind) for one in found] == [(2, kind)]
    assert secret[8:16] not in found[0].text


@pytest.mark.parametrize(
    "line",
    ['password = "{}"', "API_KEY: '{}'", '"client_secret": "{}"', 'authToken := "{}"'],
)
def test_a_random_text_assigned_to_a_telling_name_is_found(line: str):
    secret = random_text(24)
    found = find_secrets(line.format(secret), "a.py")
    assert [(one.kind, one.text) for one in found] == [
        ("assigned secret", f"{secret[:4]}… (24 characters)")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "sha256 = '" + random_text(64, "0123456789abcdef") + "'",
        '"integrity": "sha512-' + random_text(86) + '=="',
        "commit " + random_text(40, "0123456789abcdef"),
        "password = 'your-password-here-123'",
        "token = '<paste the token of 2024>'",
        "token = '${{ env.TOKEN_NUMBER_1 }}'",
        "secret_name = 'the-name-of-the-secret'",
        "password = os.environ['DATABASE_PASSWORD_1']",
        "aws = AKIA" + "IOSFODNN7EXAMPLE",
        "api_key_url = 'https://host.test/v2/keys?9f8'",
        "token = 'aabbaabbaabb12'",
        "-----BEGIN " + "PRIVATE KEY-----",
    ],
)
def test_hashes_placeholders_and_names_raise_no_alarm(line: str):
    assert find_secrets(line, "a.py") == []


def test_lock_files_and_minified_lines_raise_no_alarm():
    line = f'token: "{random_text(30)}"'
    assert find_secrets(line, "a.py")
    for name in ("poetry.lock", "web/package-lock.json", "pnpm-lock.yaml", "go.sum"):
        assert find_secrets(line, name) == []
    assert find_secrets("x" * MAX_LINE_CHARS + line, "a.js") == []


def test_entropy_is_counted_in_bits_for_each_character():
    assert [entropy_bits(text) for text in ("aaaa", "abab", "abcd")] == [0, 1, 2]


def test_long_functions_of_python_are_measured_exactly():
    text = "class A:\n    async def f(self):\n        x = 1\n\n        return x\n\ndef g(): ...\n"
    assert find_long_functions(text, "Python", 4) == []
    [found] = find_long_functions(text, "Python", 3)
    assert (found.line, found.name, found.lines, found.is_estimate) == (2, "f", 4, False)


def test_python_that_does_not_parse_is_estimated():
    text = "def f():\n    print 1\n    print 2\n\nx = 1\n"
    [found] = find_long_functions(text, "Python", 2)
    assert (found.line, found.name, found.lines, found.is_estimate) == (1, "f", 3, True)


def test_python_with_doubtful_escapes_is_measured_without_a_warning():
    [found] = find_long_functions("def f():\n    return '\\d'\n", "Python", 1)
    assert not found.is_estimate


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("Go", "func (s *Server) serve(x int) error {\n  if x {\n  }\n}\n"),
        ("Rust", "pub async fn serve(\n    x: u8,\n) -> u8 {\n}\n"),
        ("C", "static int serve(int x) {\n  if (x) {\n  }\n}\n"),
        ("JavaScript", "export function serve(x) {\n  return '{{{';\n  // {\n}\n"),
        ("Java", "  public int serve(int x) {\n  for (;;) {\n  }\n}\n"),
    ],
)
def test_functions_in_braces_are_estimated(language: str, text: str):
    [found] = find_long_functions(text + "int other;\n", language, 3)
    assert (found.line, found.name, found.lines, found.is_estimate) == (1, "serve", 4, True)


def test_dependencies_of_each_kind_of_manifest_are_read(tmp_path: Path):
    contents = {
        "pyproject.toml": "[project]\ndependencies = ['Rich>=14', 'httpx[http2]']\n"
        "[dependency-groups]\ndev = ['pytest', {include-group = 'x'}]\n",
        "requirements-dev.txt": "# tools\nruff==1.0  # fast\n-r other.txt\n\nmypy ; sys=='x'\n",
        "package.json": '{"dependencies": {"vue": "^3"}, "devDependencies": {"vite": "5"}}',
        "Cargo.toml": "[dependencies]\nserde = {version = '1', features = []}\n",
        "go.mod": "module m\nrequire (\n\tgithub.com/a/b v1.2.3\n\tx.org/c v2.0.0 // indirect\n)\n",
        "composer.json": '{"require": {"php": ">=8"}}',
        "Gemfile": "gem 'rails', '~> 7'\n",
    }
    found = {}
    for name, content in contents.items():
        manifest = TOOLS.dependencies(str(tmp_path), write(tmp_path, name, content))
        assert manifest.problem == ""
        found[name] = [(one.name, one.constraint, one.group) for one in manifest.dependencies]
    assert found == {
        "pyproject.toml": [("httpx", "", ""), ("Rich", ">=14", ""), ("pytest", "", "dev")],
        "requirements-dev.txt": [("mypy", "", ""), ("ruff", "==1.0", "")],
        "package.json": [("vue", "^3", ""), ("vite", "5", "dev")],
        "Cargo.toml": [("serde", "1", "")],
        "go.mod": [("github.com/a/b", "v1.2.3", ""), ("x.org/c", "v2.0.0", "indirect")],
        "composer.json": [("php", ">=8", "")],
        "Gemfile": [("rails", "~> 7", "")],
    }


@pytest.mark.parametrize("content", ["{", "[]", '{"dependencies": []}', "\ufeff", b"\xff\xfe"])
def test_a_broken_manifest_is_part_of_the_result(tmp_path: Path, content: str | bytes):
    manifest = TOOLS.dependencies(str(tmp_path), write(tmp_path, "package.json", content))
    assert manifest.problem.startswith("cannot be understood: ")


def test_the_history_counts_commits_for_each_file():
    log = '\tabc\n\na.py\n"caf\\303\\251.py"\n\n\tdef\n\na.py\n"x\\351\\ty"\n'
    history = read_history(log)
    assert (history.commit, history.commits) == ("abc", 2)
    assert history.touched == {"a.py": 2, "café.py": 1, "x\\xe9\ty": 1}
    assert read_history("") == History()


def test_hot_spots_are_ranked_by_size_times_churn_and_then_by_name():
    files = [
        FileFacts("big.py", "Python", lines=100),
        FileFacts("often.py", "Python", lines=30),
        FileFacts("b.py", "Python", lines=10),
        FileFacts("a.py", "Python", lines=10),
        FileFacts("data.json", "JSON", lines=9_000),
    ]
    history = History("c", 9, {"big.py": 1, "often.py": 9, "data.json": 9})
    ranked = [(spot.path, spot.score) for spot in rank_hot_spots(files, history)]
    assert ranked == [("often.py", 270), ("big.py", 100), ("a.py", 0), ("b.py", 0)]


def summary_of(folder: Path, names: list[str]) -> Any:
    files = [TOOLS.measure(str(folder), name, 1) for name in names]
    return TOOLS.summarize(str(folder), files, History(), [], 2, 1)


def test_the_report_cannot_be_broken_by_what_is_in_the_tree(tmp_path: Path):
    name = write(tmp_path, "a|`b`<x>.py", "# " + "TODO <b>|bold|</b> *x*\ndef f():\n  pass\n")
    summary = summary_of(tmp_path, [name])
    text = TOOLS.report(summary, "chart.svg")
    rows = [line for line in text.splitlines() if line.startswith("| `` a")]
    assert rows
    assert all(row.replace("\\|", "").count("|") in (4, 5) for row in rows)
    assert "\\<b\\>\\|bold\\|" in text
    ElementTree.fromstring(TOOLS.chart(summary))


def test_the_report_says_how_many_more_there_are(tmp_path: Path):
    name = write(tmp_path, "a.py", "# " + "TODO x\n" + "# " + "TODO y\n" + "# " + "TODO z\n")
    assert "And 1 more." in TOOLS.report(summary_of(tmp_path, [name]), "chart.svg")


def test_an_empty_tree_makes_a_report_and_a_chart(tmp_path: Path):
    summary = summary_of(tmp_path, [])
    assert "0 files, 0 lines" in TOOLS.report(summary, "chart.svg")
    assert "nothing to show" in TOOLS.chart(summary)


def test_a_table_sets_numbers_to_the_right():
    assert table(("name", "n"), [("a", 1_000)]) == "| name | n |\n|---|---:|\n| a | 1,000 |"


def test_undo_removes_a_file_only_as_long_as_it_is_ours(tmp_path: Path):
    path = tmp_path / "report.md"
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of "abc"
    path.write_text("changed by somebody")
    assert TOOLS.discard(str(path), digest) == {"removed": False}
    assert path.read_text() == "changed by somebody"
    path.write_text("abc")
    assert TOOLS.discard(str(path), digest) == {"removed": True}
    assert TOOLS.discard(str(path), digest) == {"removed": False}
    assert not path.exists()
