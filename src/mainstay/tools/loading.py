"""Importing the modules and files that people name, with errors that say which and why."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from mainstay.schemas.errors import InvalidInput, NotFound


def is_file_name(name: str) -> bool:
    """Tell whether a name is a Python file's and not a module's."""
    return name.endswith(".py")


def load_module(name: str) -> ModuleType:
    """Import ``package.module`` or a path to a ``.py`` file.

    Raises:
        NotFound: there is no such module or file.
        InvalidInput: it exists, and importing it failed.
    """
    return _load_file(Path(name)) if is_file_name(name) else _load_dotted(name)


def blame(what: str, error: BaseException) -> InvalidInput:
    """Say that importing something failed, and where, in the place of a traceback."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and Path(file) != Path(__file__):
            place = f" ({Path(file).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return InvalidInput(
        f"{what} cannot be imported: {type(error).__name__}: {error}{place}",
        hint=getattr(error, "hint", "") or "import it in Python to see where it fails",
    )


def _load_dotted(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise NotFound(
                f"there is no module {name!r}",
                hint="install it, or set PYTHONPATH to the folder it lies in",
            ) from None
        raise blame(f"module {name!r}", error) from None
    except (Exception, SystemExit) as error:
        raise blame(f"module {name!r}", error) from None


def _load_file(path: Path) -> ModuleType:
    """Import a file once, under a name that is the same in every process.

    As with a script, the files beside it can be imported; but what is installed comes first.
    """
    resolved = path.expanduser().resolve()
    if not resolved.is_file():
        raise NotFound(f"there is no file {str(path)!r}", hint="give a path to a .py file")
    digest = hashlib.sha256(str(resolved).encode(errors="surrogateescape")).hexdigest()[:12]
    # The last part stays the file's own name, because tools are named after it.
    name = f"mainstay_files.{digest}.{resolved.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, resolved)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{str(path)!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations and dataclasses look their module up
    if (folder := str(resolved.parent)) not in sys.path:
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception | SystemExit):
            raise blame(f"file {str(path)!r}", error) from None
        raise
    return module
