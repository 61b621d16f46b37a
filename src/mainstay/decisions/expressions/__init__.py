"""Expressions in ``${{ }}``: what they mean, what they may touch, and what they may cost."""

from mainstay.decisions.expressions.references import References
from mainstay.decisions.expressions.rendering import (
    START,
    check,
    evaluate,
    holds_expression,
    inspect,
    inspect_condition,
    is_expression,
    is_true,
    render,
)

__all__ = [
    "START",
    "References",
    "check",
    "evaluate",
    "holds_expression",
    "inspect",
    "inspect_condition",
    "is_expression",
    "is_true",
    "render",
]
