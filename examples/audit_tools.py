"""The tools of ``repository-audit.yaml``.

    mainstay run examples/repository-audit.yaml --tools examples/audit_tools.py

Each is a thin cover for a plain function in ``repository_audit/``: the function is what is worth
testing, the tool says how a plan may call it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mainstay import tool
from mainstay.tools.paths import decode, encode
from repository_audit.chart import draw_chart
from repository_audit.facts import FileFacts, History, Manifest, Summary
from repository_audit.manifests import read_manifest
from repository_audit.measuring import measure_file
from repository_audit.measuring import recount as recount_files
from repository_audit.report import write_report
from repository_audit.summary import read_history
from repository_audit.summary import summarize as summarize_files

Lines = Annotated[int, Field(ge=1)]


@tool(name="audit.measure", touches=("fs.read",))
def measure(root: str, path: str, long_function_lines: Lines = 60) -> FileFacts:
    """Measure one file: its lines, TODOs, possible secrets and long functions.

    A file that cannot be read is part of the result and no error: one such file should not stop
    the audit of ten thousand.

    Args:
        root: the audited folder.
        path: the file, relative to it.
        long_function_lines: a function with more lines than this is long.
    """
    return measure_file(root, path, long_function_lines)


@tool(name="audit.recount", timeout="10m", heartbeats=True, touches=("fs.read",))
def recount(root: str, files: list[FileFacts]) -> dict[str, Any]:  # Any: JSON-like data
    """Count bytes and lines in another way, and compare; a check for `verify`.

    Args:
        root: the audited folder.
        files: what `audit.measure` returned for each file.
    """
    reason = recount_files(root, files)
    return {"ok": not reason, "reason": reason}


@tool(name="audit.dependencies", touches=("fs.read",))
def dependencies(root: str, path: str) -> Manifest:
    """Read which packages a manifest asks for.

    Args:
        root: the audited folder.
        path: the manifest, relative to it.
    """
    return read_manifest(root, path)


@tool(name="audit.history")
def history(log: str) -> History:
    """Count the commits that touched each file.

    Args:
        log: what `git log --format=%x09%H --name-only` printed; empty without Git.
    """
    return read_history(log)


@tool(name="audit.summarize", timeout="5m", heartbeats=True)
def summarize(
    root: str,
    files: list[FileFacts],
    history: History,
    manifests: list[Manifest],
    top: Lines = 15,
    long_function_lines: Lines = 60,
) -> Summary:
    """Add everything up and rank it.

    Args:
        root: the audited folder; the report is named after it.
        files: what `audit.measure` returned for each file.
        history: what `audit.history` returned.
        manifests: what `audit.dependencies` returned for each manifest.
        top: how many of each ranking the report shows.
        long_function_lines: what `audit.measure` was given.
    """
    name = encode(Path(decode(root)).resolve().name) or "/"
    return summarize_files(name, files, history, manifests, top, long_function_lines)


@tool(name="audit.report")
def report(summary: Summary, chart: str) -> str:
    """Write the report as Markdown.

    Args:
        summary: what `audit.summarize` returned.
        chart: the address of the chart, relative to the report.
    """
    return write_report(summary, chart)


@tool(name="audit.chart")
def chart(summary: Summary) -> str:
    """Draw the chart as SVG.

    Args:
        summary: what `audit.summarize` returned.
    """
    return draw_chart(summary)


@tool(name="audit.discard", touches=("fs.write",))
def discard(path: str, sha256: str) -> dict[str, Any]:  # Any: JSON-like data
    """Remove a file, unless somebody changed it since it was written; returns removed.

    Doing it twice is as good as doing it once, as an `undo` must be.

    Args:
        path: the file.
        sha256: the digest of what was written to it.
    """
    place = Path(decode(path))
    try:
        is_ours = hashlib.sha256(place.read_bytes()).hexdigest() == sha256
    except FileNotFoundError:
        return {"removed": False}
    if is_ours:
        place.unlink(missing_ok=True)
    return {"removed": is_ours}
