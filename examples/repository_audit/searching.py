"""Looking for what should not stay in a file: TODOs, and secrets.

A secret is reported when it has the form of a known kind of key, or when a text is assigned to a
name like ``password``, holds letters and digits and looks random. What is plainly a placeholder
is passed over. No more than the first four characters are ever shown.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from repository_audit.facts import Finding

MIN_ENTROPY_BITS = 3.3
"""Least Shannon entropy per character of an assigned secret: words have less, keys have more."""

MAX_TEXT_CHARS = 120
"""Length to which a TODO's text is cut."""

MAX_LINE_CHARS = 2_000
"""Longer lines are generated or minified, where everything looks random."""

_TODO = re.compile(
    r"(?:#|//|/\*+|<!--|--|;|%|^[ \t]*\*)[ \t]*(TODO|FIXME)\b[ \t]*(?:\([^)\n]*\))?[ \t]*:?(.*)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class _Kind:
    """A kind of key: what it is called, a text that each holds, and its form."""

    name: str
    mark: str
    form: re.Pattern[str]


_KINDS = (
    # Looking for the mark first is ten times faster than looking for every form.
    _Kind("AWS access key", "AKIA", re.compile(r"\bAKIA[0-9A-Z]{16}\b")),
    _Kind("AWS temporary key", "ASIA", re.compile(r"\bASIA[0-9A-Z]{16}\b")),
    _Kind("GitHub token", "gh", re.compile(r"\b(?:gh[pousr]_\w{36}|github_pat_\w{40,})\b")),
    _Kind("GitLab token", "glpat-", re.compile(r"\bglpat-[\w-]{20,}")),
    _Kind("Slack token", "xox", re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{20,}")),
    _Kind("Google API key", "AIza", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    _Kind("Stripe live key", "k_live_", re.compile(r"\b[sr]k_live_[0-9A-Za-z]{20,}")),
    _Kind("model provider key", "sk-", re.compile(r"\bsk-(?=[\w-]*\d)[A-Za-z0-9_-]{32,}")),
    _Kind("JSON Web Token", "eyJ", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    _Kind(
        "private key",
        "PRIVATE KEY-----",
        re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:\s|\\n)+[A-Za-z0-9+/=]{20,}"),
    ),
)

# Looking for what is assigned first, and for the name before it then, is four times faster.
_ASSIGNED = re.compile(r"[=:]>?\s{0,3}[\"']([^\s\"'\\]{12,200})[\"']")
_NAMED = re.compile(
    r"(?i)(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key)[\w-]{0,20}"
    r"[\"']?\s{0,3}:?$"
)
_MAX_NAME_CHARS = 60

_PLACEHOLDER = re.compile(
    r"(?i)example|sample|dummy|changeme|change-me|placeholder|your|redacted|xxxx|\*\*\*|\.\.\."
    r"|[<>{}()\[\]$%]|://|1234567|abcdef"
)
_LOCK_FILES = re.compile(r"(?:^|/)[^/]*(?:\.lock|-lock\.(?:json|yaml)|go\.sum|shrinkwrap\.json)$")


def find_todos(text: str) -> list[Finding]:
    """Return comments that begin with TODO or FIXME, with what they say."""
    if "TODO" not in text and "FIXME" not in text:
        return []
    found = []
    for match in _TODO.finditer(text):
        said = " ".join(match[2].split()).removesuffix("-->").removesuffix("*/").strip()
        found.append(Finding(_line_of(text, match.start(1)), match[1], _cut(said)))
    return found


def find_secrets(text: str, path: str) -> list[Finding]:
    """Return what may be a secret, masked, in the order of lines, one of a kind in a line."""
    found: dict[tuple[int, str], Finding] = {}
    for start, kind, secret in _candidates(text, path):
        if _is_in_long_line(text, start):
            continue
        line = _line_of(text, start)
        found.setdefault((line, kind), Finding(line, kind, mask(secret)))
    return [found[key] for key in sorted(found)]


def mask(secret: str) -> str:
    """Show what a secret begins with and how long it is, and no more."""
    if secret.startswith("-----"):
        return "-----BEGIN …"
    return f"{secret[:4]}… ({len(secret)} characters)"


def entropy_bits(text: str) -> float:
    """Return the Shannon entropy per character: 0 for "aaaa", 2 for "abcd"."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def _candidates(text: str, path: str) -> Iterator[tuple[int, str, str]]:
    known = set()
    for kind in _KINDS:
        if kind.mark not in text:
            continue
        for match in kind.form.finditer(text):
            if not _is_harmless(match[0]):
                known.add(match.start())
                yield match.start(), kind.name, match[0]
    if _LOCK_FILES.search(path):
        return
    for match in _ASSIGNED.finditer(text):
        secret, before = match[1], text[max(match.start() - _MAX_NAME_CHARS, 0) : match.start()]
        if match.start(1) in known or not _NAMED.search(before):
            continue
        if not _is_harmless(secret) and _looks_random(secret):
            yield match.start(1), "assigned secret", secret


def _looks_random(text: str) -> bool:
    has_both = any(char.isdigit() for char in text) and any(char.isalpha() for char in text)
    return has_both and entropy_bits(text) >= MIN_ENTROPY_BITS


def _is_harmless(secret: str) -> bool:
    """Tell whether a text is plainly a placeholder."""
    return _PLACEHOLDER.search(secret) is not None


def _line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _is_in_long_line(text: str, position: int) -> bool:
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    return (len(text) if end < 0 else end) - start > MAX_LINE_CHARS


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[: MAX_TEXT_CHARS - 1]}…"
