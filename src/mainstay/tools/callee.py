"""The program that python.call runs: one function, called once, JSON in and JSON out.

It imports nothing of Mainstay, so it starts in a moment, and it is run by its path, so a folder
of its own must not come first where modules are looked for (``python -P`` sees to that). What the
function prints goes to stderr; stdout carries the answer alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Read the request from stdin, call the function, and write the answer."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    sys.path.insert(0, str(Path.cwd()))
    answer = _answer(request["module"], request["function"], request["arguments"])
    with os.fdopen(answer_to, "w", encoding="utf-8") as pipe:
        pipe.write(answer)


def _answer(module: str, function: str, arguments: dict[str, Any]) -> str:
    try:
        target = _find(module, function)
    except Exception as error:
        return _failure("import", error)
    try:
        inspect.signature(target).bind(**arguments)
    except (TypeError, ValueError) as error:
        return _failure("arguments", error)
    try:
        result = target(**arguments)
        if inspect.iscoroutine(result):
            import asyncio

            result = asyncio.run(result)
    except BaseException as error:
        traceback.print_exc()
        return _failure("call", error)
    try:
        return json.dumps({"result": result}, allow_nan=False, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError) as error:
        return _failure("result", error)


def _find(module: str, function: str) -> Callable[..., Any]:
    found: Any = _load_file(Path(module)) if module.endswith(".py") else None
    if found is None:
        found = importlib.import_module(module)
    for part in function.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{function} is not a function")
    target: Callable[..., Any] = found
    return target


def _load_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.resolve().parent))
    spec.loader.exec_module(module)
    return module


def _failure(stage: str, error: BaseException) -> str:
    return json.dumps({"stage": stage, "type": type(error).__name__, "message": str(error)})


if __name__ == "__main__":
    main()
