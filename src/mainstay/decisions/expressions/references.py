"""What an expression refers to: which tasks, inputs and functions, told without evaluating it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from jinja2 import nodes

ALL = "*"
"""Stands for every field where a task's whole entry is used."""

Path = tuple[str, ...]
"""A name and the keys after it: ``needs.build.outputs`` is ("needs", "build", "outputs")."""


@dataclass(frozen=True)
class References:
    """What one or more expressions refer to.

    Attributes:
        paths: every name that is read, with the constant keys after it.
        functions: functions that are called.
        is_open: paths that go on in a way that only evaluating could tell (``needs[item]``).
    """

    paths: frozenset[Path] = frozenset()
    functions: frozenset[str] = frozenset()
    is_open: frozenset[Path] = frozenset()

    @classmethod
    def union(cls, several: Iterable[References]) -> References:
        """Put together what several expressions refer to."""
        every = list(several)
        return cls(
            frozenset().union(*(one.paths for one in every)),
            frozenset().union(*(one.functions for one in every)),
            frozenset().union(*(one.is_open for one in every)),
        )

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name at the top level, called functions not included."""
        return frozenset(path[0] for path in self.paths)

    @cached_property
    def needs(self) -> frozenset[str]:
        """Tasks whose entry in ``needs`` is read."""
        return self._under("needs")

    @cached_property
    def inputs(self) -> frozenset[str]:
        """Inputs that are read by name."""
        return self._under("inputs")

    @cached_property
    def env(self) -> frozenset[str]:
        """Environment variables that are read by name."""
        return self._under("env")

    @cached_property
    def uses_all_needs(self) -> bool:
        """True when it cannot be told which tasks are read."""
        return ("needs",) in self.paths

    @cached_property
    def uses_all_inputs(self) -> bool:
        """True when it cannot be told which inputs are read."""
        return ("inputs",) in self.paths

    @cached_property
    def needs_result_fields(self) -> Mapping[str, frozenset[str]]:
        """For each task that is read: which fields of its entry, ``*`` for all of them."""
        fields: dict[str, set[str]] = {}
        for path in self.paths:
            if path[0] == "needs" and len(path) > 1:
                fields.setdefault(path[1], set()).add(path[2] if len(path) > 2 else ALL)
        return {task: frozenset(names) for task, names in fields.items()}

    def _under(self, name: str) -> frozenset[str]:
        return frozenset(path[1] for path in self.paths if path[0] == name and len(path) > 1)


NO_REFERENCES = References()


def collect(tree: nodes.Node) -> References:
    """Tell what a parsed expression refers to."""
    paths: set[Path] = set()
    functions: set[str] = set()
    is_open: set[Path] = set()
    for node in _outermost(tree, functions):
        path, ends = _unwind(node)
        paths.add(path)
        if not ends:
            is_open.add(path)
    return References(frozenset(paths), frozenset(functions), frozenset(is_open))


def is_plain_path(tree: nodes.Node) -> bool:
    """Tell whether an expression only reaches into the data, so that it makes nothing new."""
    while isinstance(tree, nodes.Getattr | nodes.Getitem):
        if isinstance(tree, nodes.Getitem) and not isinstance(tree.arg, nodes.Const):
            return False
        tree = tree.node
    return isinstance(tree, nodes.Name)


def _outermost(tree: nodes.Node, functions: set[str]) -> Iterator[nodes.Node]:
    """Find each name together with all the keys behind it, and note the functions called."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, nodes.Call):
            pending.extend([*node.args, *node.kwargs])
            if isinstance(node.node, nodes.Name):
                functions.add(node.node.name)
            else:
                pending.extend(node.node.iter_child_nodes())  # a method's value; its name is no key
        elif isinstance(node, nodes.Name):
            yield node
        elif isinstance(node, nodes.Getattr | nodes.Getitem):
            below: nodes.Node = node
            while isinstance(below, nodes.Getattr | nodes.Getitem):
                if isinstance(below, nodes.Getitem):
                    pending.append(below.arg)
                below = below.node
            if isinstance(below, nodes.Name):
                yield node
            else:
                pending.append(below)
        else:
            pending.extend(node.iter_child_nodes())


def _unwind(node: nodes.Node) -> tuple[Path, bool]:
    """Return a name with the constant keys after it, and whether those are all there is."""
    keys: list[str | None] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            keys.append(node.attr)
            node = node.node
        else:
            assert isinstance(node, nodes.Getitem)
            constant = isinstance(node.arg, nodes.Const)
            keys.append(str(node.arg.value) if isinstance(node.arg, nodes.Const) else None)
            assert constant or keys[-1] is None
            node = node.node
    path = [node.name]
    for key in reversed(keys):
        if key is None:
            return tuple(path), False
        path.append(key)
    return tuple(path), True
