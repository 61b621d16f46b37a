"""Which language a file is in, and how its lines divide into code, comments and blanks.

A line counts as a comment when nothing else is on it. A Python docstring counts as code, because
telling it from other texts takes a parser.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

BINARY = "Binary"
LINK = "Link"
OTHER = "Other"

DATA = frozenset(
    {"JSON", "YAML", "TOML", "INI", "XML", "SVG", "Markdown", "Text", BINARY, LINK, OTHER}
)
"""What is measured, but is no program and so never a hot spot."""


@dataclass(frozen=True)
class Marks:
    """How a language marks comments: at the start of a line, and around a block."""

    line: tuple[str, ...] = ()
    block: tuple[str, str] | None = None


_C = Marks(("//",), ("/*", "*/"))
_HASH = Marks(("#",))
_DASH = Marks(("--",))
_XML = Marks((), ("<!--", "-->"))
_NONE = Marks()

_MARKS: dict[str, Marks] = {
    "Python": _HASH, "Shell": _HASH, "Ruby": _HASH, "Perl": _HASH, "R": _HASH, "YAML": _HASH,
    "TOML": _HASH, "Make": _HASH, "Docker": _HASH, "CMake": _HASH, "Elixir": _HASH, "INI": _HASH,
    "Terraform": _HASH, "C": _C, "C++": _C, "C#": _C, "Java": _C, "Kotlin": _C, "Scala": _C,
    "Swift": _C, "Go": _C, "Rust": _C, "JavaScript": _C, "TypeScript": _C, "PHP": _C, "Dart": _C,
    "Protocol Buffers": _C, "CSS": Marks((), ("/*", "*/")), "SQL": Marks(("--",), ("/*", "*/")),
    "Lua": _DASH, "Haskell": _DASH, "HTML": _XML, "XML": _XML, "SVG": _XML, "Markdown": _XML,
    "Lisp": Marks((";",)), "Erlang": Marks(("%",)), "TeX": Marks(("%",)),
}  # fmt: skip

_SUFFIXES: dict[str, str] = {
    "py": "Python", "pyi": "Python", "sh": "Shell", "bash": "Shell", "zsh": "Shell",
    "rb": "Ruby", "pl": "Perl", "pm": "Perl", "r": "R", "yaml": "YAML", "yml": "YAML",
    "toml": "TOML", "mk": "Make", "cmake": "CMake", "ex": "Elixir", "exs": "Elixir",
    "ini": "INI", "cfg": "INI", "tf": "Terraform", "c": "C", "h": "C", "cc": "C++", "cpp": "C++",
    "cxx": "C++", "hpp": "C++", "cs": "C#", "java": "Java", "kt": "Kotlin", "kts": "Kotlin",
    "scala": "Scala", "swift": "Swift", "go": "Go", "rs": "Rust", "js": "JavaScript",
    "mjs": "JavaScript", "cjs": "JavaScript", "jsx": "JavaScript", "ts": "TypeScript",
    "tsx": "TypeScript", "php": "PHP", "dart": "Dart", "proto": "Protocol Buffers", "css": "CSS",
    "scss": "CSS", "sql": "SQL", "lua": "Lua", "hs": "Haskell", "html": "HTML", "htm": "HTML",
    "xml": "XML", "svg": "SVG", "md": "Markdown", "rst": "Text", "txt": "Text", "json": "JSON",
    "el": "Lisp", "lisp": "Lisp", "clj": "Lisp", "erl": "Erlang", "tex": "TeX",
}  # fmt: skip

_NAMES: dict[str, str] = {"makefile": "Make", "dockerfile": "Docker", "cmakelists.txt": "CMake"}


def language_of(path: str) -> str:
    """Name a file's language by its name."""
    place = PurePosixPath(path.lower())
    return _NAMES.get(place.name) or _SUFFIXES.get(place.suffix[1:], OTHER)


def count_lines(text: str, language: str) -> tuple[int, int, int]:
    """Return how many lines a text has, how many are blank, and how many are only a comment."""
    marks = _MARKS.get(language, _NONE)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()  # a line ends with its newline; what follows the last one is no line
    blank = comment = 0
    is_inside = False
    for line in lines:
        stripped = line.strip()
        if is_inside:
            comment += 1
            is_inside = marks.block is not None and marks.block[1] not in stripped
        elif not stripped:
            blank += 1
        elif marks.line and stripped.startswith(marks.line):
            comment += 1
        elif marks.block is not None and stripped.startswith(marks.block[0]):
            comment += 1
            is_inside = marks.block[1] not in stripped[len(marks.block[0]) :]
    return len(lines), blank, comment
