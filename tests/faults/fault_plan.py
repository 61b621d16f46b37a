"""The plan whose workers and server are killed, and what must be there when it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fault_tools import put_result

from mainstay.schemas.plan import PlanSpec

ITEMS = 60
BATCH = 10
CHAIN = 3
FAN = 4
PART_ITEMS = 6
ASKS = "sign"


def effects_plan(seconds: float) -> PlanSpec:
    """Make the plan; each effect takes ``seconds``.

    A list in batches, a chain, a fan-out, a sub-plan, a check that sends a task back once, an
    approval, and a report written to disk.
    """
    tasks: dict[str, Any] = {
        "list": {"tool": "ledger.names", "with": {"prefix": "item", "count": ITEMS}},
        "mark": {
            "needs": "list",
            "for_each": "${{ needs.list.outputs }}",
            "batch": BATCH,
            "max_parallel": 2,
            **_put("${{ item }}", seconds),
        },
        "checked": {
            **_put("checked after '${{ feedback }}'", seconds),
            "needs": "list",
            "verify": {"check": "feedback == 'do it again'", "reason": "do it again"},
        },
        "part": {
            "needs": "list",
            "plan": "part",
            "with": {"ledger": "${{ inputs.ledger }}", "count": PART_ITEMS},
        },
    }
    for number in range(CHAIN):
        need = f"chain-{number - 1}" if number else "list"
        tasks[f"chain-{number}"] = {"needs": need, **_put(f"chain-{number}", seconds)}
    for number in range(FAN):
        tasks[f"fan-{number}"] = {
            "needs": f"chain-{CHAIN - 1}",
            **_put(f"fan-{number}", seconds, "ledger.put_async"),
        }
    fans = [f"fan-{number}" for number in range(FAN)]
    tasks[ASKS] = {"needs": ["mark", "checked", "part", *fans], "approval": "Write it down?"}
    tasks["report"] = {
        "needs": [ASKS, "mark", "checked", "part", *fans],
        "tool": "fs.write",
        "with": {"path": "${{ inputs.report }}", "content": _content(fans)},
    }
    return PlanSpec.model_validate(
        {
            "name": "effects",
            "inputs": {"ledger": {}, "report": {}},
            "tasks": tasks,
            "outputs": {
                "marked": "${{ needs.mark.outputs | map(attribute='name') | list }}",
                "signed": "${{ needs.sign.outputs.approved }}",
                "sha256": "${{ needs.report.outputs.sha256 }}",
            },
            "plans": {"part": _part(seconds)},
        }
    )


def _put(name: str, seconds: float, tool: str = "ledger.put") -> dict[str, Any]:
    given = {"ledger": "${{ inputs.ledger }}", "name": name, "seconds": seconds}
    return {"tool": tool, "with": given}


def _part(seconds: float) -> dict[str, Any]:
    return {
        "name": "part",
        "inputs": {"ledger": {}, "count": {"type": "integer"}},
        "tasks": {
            "list": {
                "tool": "ledger.names",
                "with": {"prefix": "part", "count": "${{ inputs.count }}"},
            },
            "put": {
                "needs": "list",
                "for_each": "${{ needs.list.outputs }}",
                "batch": 2,
                **_put("${{ item }}", seconds),
            },
        },
        "outputs": {"names": "${{ needs.put.outputs | map(attribute='name') | list }}"},
    }


def _content(fans: list[str]) -> str:
    lines = ["# Report", "${{ needs.mark.outputs | map(attribute='digest') | join(' ') }}"]
    lines += ["${{ needs.checked.outputs.name }}", "${{ needs.part.outputs.names | join(' ') }}"]
    lines += [f"${{{{ needs['{fan}'].outputs.digest }}}}" for fan in fans]
    return "\n".join(lines) + "\n"


def expected_names() -> Iterator[str]:
    """Name every effect of the plan; each must have happened once."""
    yield from (f"item-{number:03}" for number in range(ITEMS))
    yield from (f"part-{number:03}" for number in range(PART_ITEMS))
    yield from (f"chain-{number}" for number in range(CHAIN))
    yield from (f"fan-{number}" for number in range(FAN))
    yield from ("checked after ''", "checked after 'do it again'")


def expected_report() -> bytes:
    """Return the report as it must be, whatever happened while it was made."""
    marked = [put_result(f"item-{number:03}")["digest"] for number in range(ITEMS)]
    lines = ["# Report", " ".join(marked), "checked after 'do it again'"]
    lines.append(" ".join(f"part-{number:03}" for number in range(PART_ITEMS)))
    lines += [put_result(f"fan-{number}")["digest"] for number in range(FAN)]
    return "\n".join([*lines, ""]).encode()
