"""Compiling an expression so that it can reach nothing but the data it is given.

Rules:
    1. Only the kinds of syntax in :data:`ALLOWED` compile. There are no statements, no
       assignments, no loops, no unpacking of arguments.
    2. A dot or brackets reach a mapping's keys and a list's entries, never a Python attribute. A
       method exists only as a call of one listed in ``condition_operations.METHODS``.
    3. Every filter, test, method, operator and comparison goes through ours, which counts what
       it costs. Nothing is computed while compiling.
    4. No name and no attribute begins with an underscore.

Jinja2's own sandbox stands behind these rules; they are stricter, so it should never be needed.
"""

from __future__ import annotations

import operator as python_operator
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from jinja2.parser import Parser
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from mainstay.decisions.expressions import list_operations
from mainstay.decisions.expressions.budget import (
    Budget,
    ExpressionFault,
    Operation,
    check_number,
    kind_of,
)
from mainstay.decisions.expressions.condition_operations import (
    FILTERS,
    METHODS,
    TESTS,
    refuse_missing,
)
from mainstay.decisions.expressions.list_operations import ACCEPTS_MISSING, Missing, lookup
from mainstay.decisions.expressions.operators import (
    OPERATORS,
    call_method,
    concat,
    operate,
    take_slice,
    weigh,
)
from mainstay.decisions.suggestions import did_you_mean

MAX_EXPRESSION_CHARS = 4_096
MAX_DEPTH = 40
"""Deepest nesting of an expression; Python's own compiler gives up soon after."""

BUDGET = "_budget"
"""Where the budget stands among the variables; no expression can name it."""

RESULT = "_result"

Program = Callable[[Mapping[str, Any]], Any]
"""A compiled expression: takes the scope, gives the value."""

ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Call, nodes.Filter,
    nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow,
    nodes.Concat, nodes.CondExpr, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword,
)  # fmt: skip

GITHUB_SYNTAX = {"&&": "and", "||": "or", "!": "not"}


def parse(source: str) -> nodes.Expr:
    """Read an expression and check that it keeps the rules.

    Raises:
        ExpressionFault: it is too long, no expression, or uses what is not allowed.
    """
    if len(source) > MAX_EXPRESSION_CHARS:
        raise ExpressionFault(f"it is longer than {MAX_EXPRESSION_CHARS} characters")
    try:
        parser = Parser(ENVIRONMENT, source, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            unexpected = parser.stream.current.value
            raise ExpressionFault(f"unexpected {unexpected!r}", hint=_syntax_hint(source))
    except TemplateSyntaxError as error:
        message = str(error.message).replace("unexpected 'end of template'", "it ends too early")
        raise ExpressionFault(message, hint=_syntax_hint(source)) from None
    except (RecursionError, ValueError, TemplateError):
        raise ExpressionFault("it cannot be read: too deep, or a number too long") from None
    _check(tree, 0)
    return tree


def compile_program(tree: nodes.Expr) -> Program:
    """Make a parsed expression ready to be evaluated. The tree is used up by it."""
    safe = _rewrite(tree)
    safe.set_environment(ENVIRONMENT)
    body = [nodes.Assign(nodes.Name(RESULT, "store"), safe, lineno=1)]
    template = ENVIRONMENT.from_string(nodes.Template(body, lineno=1))
    run = template.root_render_func

    def program(scope: Mapping[str, Any]) -> Any:
        context = template.new_context({**FUNCTIONS, **scope, BUDGET: Budget()}, shared=True)
        for _ in run(context):
            pass  # pragma: no cover  # an assignment prints nothing
        return context.vars[RESULT]

    return program


def secure(tree: nodes.Node) -> nodes.Expr:
    """Check an expression that stands in a larger template, and make its costs count.

    Raises:
        ExpressionFault: it uses what is not allowed.
    """
    _check(tree, 0)
    safe: nodes.Expr = _rewrite(tree)
    return safe


def _syntax_hint(source: str) -> str:
    for wrong, right in GITHUB_SYNTAX.items():
        if wrong in source.replace("!=", ""):
            return f"write `{right}` for `{wrong}`"
    return ""


def _check(node: nodes.Node, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ExpressionFault("it is nested too deeply", hint="use several task outputs for it")
    if not isinstance(node, ALLOWED):
        raise ExpressionFault(f"{type(node).__name__} is not allowed in an expression")
    if isinstance(node, nodes.Const):
        check_number(node.value)
    elif isinstance(node, nodes.Name | nodes.Getattr):
        name = node.name if isinstance(node, nodes.Name) else node.attr
        if name.startswith("_"):
            raise ExpressionFault(f"{name!r}: no name begins with an underscore here")
    elif isinstance(node, nodes.Call | nodes.Filter | nodes.Test):
        _check_call(node)
    for child in node.iter_child_nodes():
        _check(child, depth + 1)


def _check_call(node: nodes.Call | nodes.Filter | nodes.Test) -> None:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise ExpressionFault("* and ** are not allowed in a call")
    if isinstance(node, nodes.Call):
        if isinstance(node.node, nodes.Getattr):
            _check_known(node.node.attr, METHODS, "method")
        elif not isinstance(node.node, nodes.Name):
            raise ExpressionFault("only functions and methods can be called, by their name")
    elif isinstance(node, nodes.Filter):
        _check_known(node.name, FILTERS, "filter")
    else:
        _check_known(node.name, TESTS, "test")


def _check_known(name: str, table: Mapping[str, Operation], kind: str) -> None:
    if name not in table:
        hint = did_you_mean(name, table) or f"there are: {', '.join(sorted(table))}"
        raise ExpressionFault(f"there is no {kind} {name!r}", hint=hint)


def _rewrite(node: nodes.Node) -> Any:  # Any: a node of the same kind or one that stands for it
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        method = nodes.Const(node.node.attr, lineno=1)
        value = _rewrite(node.node.node)
        return _internal("_method", value, method, *map(_rewrite, node.args), named=node.kwargs)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
        bounds = (node.arg.start, node.arg.stop, node.arg.step)
        given = [nodes.Const(None, lineno=1) if at is None else _rewrite(at) for at in bounds]
        return _internal("_slice", _rewrite(node.node), *given)
    for name, field in node.iter_fields():
        if isinstance(field, nodes.Node):
            setattr(node, name, _rewrite(field))
        elif isinstance(field, list):
            setattr(node, name, [_rewrite(one) for one in field])
    if isinstance(node, nodes.Concat):
        return _internal("_concat", *node.nodes)
    if isinstance(node, nodes.Compare | nodes.Operand):
        node.expr = _internal("_weigh", node.expr)
    elif isinstance(node, nodes.Tuple):
        return nodes.List(node.items, lineno=1)
    elif isinstance(node, nodes.CondExpr) and node.expr2 is None:
        node.expr2 = nodes.Const(None, lineno=1)
    return node


def _internal(
    name: str, value: nodes.Expr, *arguments: nodes.Expr, named: list[Any] | None = None
) -> nodes.Expr:
    """Make a call of one of our own operations, which no expression can name."""
    if name == "_weigh" and isinstance(value, nodes.Const):
        return value
    for keyword in named or []:
        keyword.value = _rewrite(keyword.value)
    return nodes.Filter(value, name, list(arguments), named or [], None, None, lineno=1)


class PlanEnvironment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, reduced to what :data:`ALLOWED` can express."""

    intercepted_binops = frozenset(OPERATORS)
    intercepted_unops = frozenset("+-")

    def __init__(self) -> None:
        # Without the optimizer nothing is computed while compiling, outside of any budget.
        super().__init__(undefined=Missing, optimized=False, cache_size=0)
        self.globals.clear()
        self.filters.clear()
        self.tests.clear()

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Reach a key; Python attributes do not exist here."""
        return lookup(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Reach a key or an entry."""
        if isinstance(argument, Undefined):
            argument._fail_with_undefined_error()
        return lookup(obj, argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Refuse: nothing asks for attributes."""
        return False

    def is_safe_callable(self, obj: Any) -> bool:
        """Accept functions; the syntax allows to call only what the scope holds under a name.

        Raises:
            ExpressionFault: there is nothing of that name.
        """
        refuse(obj)
        return callable(obj) and not isinstance(obj, type)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute an operator within the limits."""
        refuse(left, right)
        budget: Budget = context.parent[BUDGET]
        return operate(budget, operator, left, right)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        """Compute a sign in front of a number."""
        refuse(arg)
        if not isinstance(arg, int | float):
            raise ExpressionFault(f"{operator} needs a number, not {kind_of(arg)}")
        return python_operator.neg(arg) if operator == "-" else arg


def refuse(*values: Any) -> None:
    """Complain when one of the values is not there."""
    for value in values:
        if isinstance(value, Undefined):
            value._fail_with_undefined_error()


def _bind(operation: Operation) -> Callable[..., Any]:
    """Give an operation the budget of the evaluation it is part of."""

    @pass_context
    def apply(context: Context, *values: Any, **named: Any) -> Any:
        return operation(context.parent[BUDGET], *values, **named)

    return apply


def _table(operations: Mapping[str, Operation]) -> dict[str, Callable[..., Any]]:
    return {
        name: _bind(operation if name in ACCEPTS_MISSING else refuse_missing(operation))
        for name, operation in operations.items()
    }


ENVIRONMENT = PlanEnvironment()
ENVIRONMENT.filters.update(_table(FILTERS))
ENVIRONMENT.filters.update(
    _table({"_method": call_method, "_slice": take_slice, "_concat": concat, "_weigh": weigh})
)
ENVIRONMENT.tests.update(_table(TESTS))

FUNCTIONS: dict[str, Any] = {**_table(list_operations.FUNCTIONS), "null": None}
"""What every scope holds besides its data."""
