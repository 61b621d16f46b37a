"""The activity that takes a task back."""

from __future__ import annotations

from typing import Any

from temporalio import activity

from mainstay.activities.calling import OpenTask, reporting
from mainstay.activities.failures import as_application_error
from mainstay.activities.items import Items
from mainstay.activities.ports import Storage, Toolbox
from mainstay.activities.pulse import pulse
from mainstay.activities.scope import Reader
from mainstay.schemas import names
from mainstay.schemas.calls import TaskCall, Verdict
from mainstay.schemas.tools import ToolCall

UNDO = ":undo"
"""Suffix of the name under which it is kept which items were undone."""

Value = Any  # JSON-like data


class UndoActivities:
    """Compensation."""

    def __init__(self, storage: Storage, toolbox: Toolbox, reader: Reader) -> None:
        self._storage = storage
        self._toolbox = toolbox
        self._reader = reader

    @activity.defn(name=names.TASK_UNDO)
    async def undo(self, call: TaskCall) -> Verdict:
        """Take a task back, item by item, the last first; what never happened is left alone."""
        with reporting():
            async with pulse():
                opened = await OpenTask.open(self._storage, self._toolbox, self._reader, call)
                items = await self._items(opened)
                await items.run()
                for failure in items.failures.values():
                    raise as_application_error(failure)
                return Verdict(done=len(items.done))

    async def _items(self, opened: OpenTask) -> Items:
        call, action = opened.call, opened.task.undo
        assert action is not None
        done = await self._done(call)
        done.reverse()
        rows = await opened.rows() if opened.is_list else []

        def make_call(position: int) -> ToolCall:
            index, output = done[position]
            scope = {**opened.scope, "output": output}
            if opened.is_list:
                scope |= {"item": rows[index], "index": index}
            return opened.tool_call(action.tool, action.with_, scope, f"undo/{index}")

        return Items(
            storage=self._storage,
            toolbox=self._toolbox,
            tool=action.tool,
            plan_id=call.plan_id,
            task=call.task + UNDO,
            round=call.round,
            start=0,
            stop=len(done),
            make_call=make_call,
        )

    async def _done(self, call: TaskCall) -> list[tuple[int, Value]]:
        """Return the items that ended well, in order, with their outputs."""
        found: dict[int, Value] = {}
        for chunk in await self._storage.load_chunks(call.plan_id, call.task, call.round):
            for index, value in enumerate(chunk.values, chunk.start):
                if index not in chunk.errors:
                    found.setdefault(index, value)
        return sorted(found.items())
