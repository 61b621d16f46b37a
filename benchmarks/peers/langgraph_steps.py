"""What LangGraph does with the same work; run by the Python of build/peers.

    python langgraph_steps.py FOLDER STEPS WIDTH

Graphs with its async SQLite checkpointer, which gets the same durability as ours, and
: a step's checkpoint is written before the next step begins. Nodes run in
sequence, ten at once, and as a diamond of WIDTH in the middle.
"""

import asyncio
import json
import operator
import sys
import time
from pathlib import Path
from typing import Annotated, TypedDict

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send

AT_ONCE = 10


class State(TypedDict):
    left: int
    total: Annotated[int, operator.add]


async def double(state: State) -> State:
    return {"left": state["left"] - 1, "total": 2}


async def one_of_many(state: State) -> dict[str, int]:
    return {"total": 2}


async def begin(state: State) -> dict[str, int]:
    return {"left": state["left"] - 1}


async def end(state: State) -> dict[str, int]:
    return {"total": 2}


def in_sequence(saver: AsyncSqliteSaver) -> CompiledStateGraph:
    graph = StateGraph(State)
    graph.add_node("double", double)
    graph.add_edge(START, "double")
    graph.add_conditional_edges("double", lambda state: "double" if state["left"] > 0 else END)
    return graph.compile(checkpointer=saver)


def at_once(saver: AsyncSqliteSaver) -> CompiledStateGraph:
    """Ten nodes in each round, then a join; a round counts as ten steps."""
    graph = StateGraph(State)
    graph.add_node("begin", begin)
    graph.add_edge(START, "begin")
    names = [f"double{number}" for number in range(AT_ONCE)]
    for name in names:
        graph.add_node(name, one_of_many)
        graph.add_edge("begin", name)
    graph.add_node("join", end)
    graph.add_edge(names, "join")
    graph.add_conditional_edges("join", lambda state: "begin" if state["left"] > 0 else END)
    return graph.compile(checkpointer=saver)


def diamond(saver: AsyncSqliteSaver, width: int) -> CompiledStateGraph:
    graph = StateGraph(State)
    graph.add_node("begin", begin)
    graph.add_node("middle", one_of_many)
    graph.add_node("end", end)
    graph.add_edge(START, "begin")
    graph.add_conditional_edges("begin", lambda state: [Send("middle", state)] * width, ["middle"])
    graph.add_edge("middle", "end")
    graph.add_edge("end", END)
    return graph.compile(checkpointer=saver)


async def seconds(graph: CompiledStateGraph, left: int, thread: str) -> float:
    config = {"configurable": {"thread_id": thread}, "recursion_limit": 10 * left + 100}
    began = time.perf_counter()
    await graph.ainvoke({"left": left, "total": 0}, config, durability="async")
    return time.perf_counter() - began


async def main(folder: Path, steps: int, width: int) -> None:
    async with aiosqlite.connect(folder / "langgraph.sqlite") as connection:
        await connection.execute("PRAGMA synchronous=NORMAL")
        saver = AsyncSqliteSaver(connection)
        await seconds(in_sequence(saver), 20, "warm")
        found = {
            "in_sequence": steps / await seconds(in_sequence(saver), steps, "sequence"),
            "at_once": steps / await seconds(at_once(saver), -(-steps // AT_ONCE), "ten"),
            "diamond_seconds": await seconds(diamond(saver, width), 1, "diamond"),
        }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
