"""Whole Jinja2 templates within the limits of plan expressions.

An expression in a template is checked, rewritten and charged exactly as one in a plan
(:mod:`mainstay.decisions.expressions.sandbox`). The statements around it are if, for and set:
a loop pays for all its turns when it begins, and what is printed is paid for as text.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from jinja2 import Template, nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from jinja2.parser import Parser
from jinja2.runtime import Context, LoopContext
from jinja2.utils import pass_context

from mainstay.decisions.expressions.budget import (
    CHARS_PER_STEP,
    MAX_TEXT_CHARS,
    Budget,
    ExpressionFault,
    as_text,
    kind_of,
)
from mainstay.decisions.expressions.sandbox import (
    BUDGET,
    ENVIRONMENT,
    FUNCTIONS,
    PlanEnvironment,
    secure,
)
from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.errors import InvalidInput, MainstayError

MAX_TEMPLATE_CHARS = 256 * 1024
CACHED_TEMPLATES = 128

STATEMENTS = "{% if %}, {% for %} and {% set %}"

LOOP_FACTS = frozenset({"index", "index0", "first", "last", "length", "revindex"})
"""What a template may ask of ``loop``."""


class _TemplateEnvironment(PlanEnvironment):
    """The environment of expressions, and the variable ``loop``."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Reach a key, or a fact about the loop."""
        if isinstance(obj, LoopContext) and attribute in LOOP_FACTS:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)


def render_template(template: str, variables: Mapping[str, Any]) -> str:  # Any: JSON-like data
    """Fill in a template.

    Raises:
        InvalidInput: it cannot be read, uses what is not there, or is too much work.
    """
    if len(template) > MAX_TEMPLATE_CHARS:
        raise InvalidInput(f"the template has more than {MAX_TEMPLATE_CHARS} characters")
    try:
        return _render(template, variables)
    except MainstayError:
        raise
    except ExpressionFault as fault:
        hint = fault.hint
        if fault.unknown_name:
            hint = hint or did_you_mean(fault.unknown_name, variables)
        raise InvalidInput(f"the template: {fault.message}", hint=hint) from None
    except TemplateSyntaxError as error:
        raise InvalidInput(f"the template, line {error.lineno}: {error.message}") from None
    except (TemplateError, RecursionError, SyntaxError, MemoryError) as error:
        raise InvalidInput(f"the template cannot be used: {error}") from None
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise InvalidInput(
            f"the template: {error}", hint="check the types of the variables"
        ) from None


def _render(template: str, variables: Mapping[str, Any]) -> str:
    compiled = _compile(template)
    budget = Budget()
    context = compiled.new_context({**FUNCTIONS, **variables, BUDGET: budget}, shared=True)
    parts = []
    length = 0
    for part in compiled.root_render_func(context):
        length += len(part)
        if length > MAX_TEXT_CHARS:
            raise ExpressionFault(f"it makes more than {MAX_TEXT_CHARS} characters")
        budget.spend(1 + len(part) // CHARS_PER_STEP)
        parts.append(part)
    return "".join(parts)


@functools.lru_cache(maxsize=CACHED_TEMPLATES)
def _compile(template: str) -> Template:
    tree = Parser(ENVIRONMENT, template).parse()
    tree.body = [_secure_statement(node) for node in tree.body]
    return _TEMPLATES.from_string(tree)


def _secure_statement(node: nodes.Node) -> nodes.Node:
    """Return a statement that can do no more than it may.

    Raises:
        ExpressionFault: it is none of those that are allowed.
    """
    if isinstance(node, nodes.Output):
        node.nodes = [
            part if isinstance(part, nodes.TemplateData) else _charged("_print", secure(part))
            for part in node.nodes
        ]
    elif isinstance(node, nodes.If):
        node.test = secure(node.test)
        for name in ("body", "elif_", "else_"):
            setattr(node, name, [_secure_statement(child) for child in getattr(node, name)])
    elif isinstance(node, nodes.For) and not node.recursive:
        _secure_loop(node)
    elif isinstance(node, nodes.Assign):
        _check_target(node.target)
        node.node = secure(node.node)
    else:
        raise ExpressionFault(
            f"line {node.lineno}: {{% {type(node).__name__.lower()} %}} is not allowed",
            hint=f"there are {STATEMENTS}",
        )
    return node


def _secure_loop(node: nodes.For) -> None:
    _check_target(node.target)
    # One turn costs at least as much as there is to do in it.
    size = 1 + sum(1 for child in node.body for _ in child.find_all(nodes.Node))
    node.iter = _charged("_each", secure(node.iter), nodes.Const(size, lineno=node.lineno))
    if node.test is not None:
        node.test = secure(node.test)
    node.body = [_secure_statement(child) for child in node.body]
    node.else_ = [_secure_statement(child) for child in node.else_]


def _check_target(target: nodes.Node) -> None:
    names = target.items if isinstance(target, nodes.Tuple) else [target]
    for name in names:
        if not isinstance(name, nodes.Name) or name.name.startswith("_"):
            raise ExpressionFault(f"line {target.lineno}: only a plain name can be set")


def _charged(operation: str, value: nodes.Expr, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, operation, list(arguments), [], None, None, lineno=value.lineno or 1)


@pass_context
def _print(context: Context, value: Any) -> str:  # Any: JSON-like data
    budget: Budget = context.parent[BUDGET]
    budget.weigh(value)
    return as_text(budget, value)


@pass_context
def _each(context: Context, value: Any, size: int) -> Any:  # Any: JSON-like data
    budget: Budget = context.parent[BUDGET]
    budget.weigh(value)
    if not isinstance(value, list | tuple | Mapping):
        raise ExpressionFault(f"{{% for %}} needs a list or a mapping, not {kind_of(value)}")
    budget.spend(len(value) * size)
    return value


_TEMPLATES = _TemplateEnvironment()
_TEMPLATES.filters.update({**ENVIRONMENT.filters, "_print": _print, "_each": _each})
_TEMPLATES.tests.update(ENVIRONMENT.tests)
