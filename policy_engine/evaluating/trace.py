"""Why: the values that an expression saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policy_engine.cel.syntax import Ident, Macro, Node, Select, children
from policy_engine.cel.unparse import unparse
from policy_engine.cel.values import show
from policy_engine.evaluating.case import Case
from policy_engine.evaluating.setting import Setting
from policy_engine.model.policy import Expression
from policy_engine.source import EvaluationError

__all__ = ["seen", "seen_text"]


def seen(setting: Setting, expression: Expression, bindings: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """Each path that the expression reads (``event.amount``) and its value; what cannot be read is left out."""
    values: dict[str, Any] = {}
    for node in _paths(expression.node):
        path = Expression(unparse(node), node, expression.type, frozenset(), node.start)
        try:
            values[path.text] = setting.value(path, bindings, case)
        except EvaluationError:
            continue
    return values


def seen_text(values: Mapping[str, Any]) -> str:
    """``event.amount = USD 50.00, order.total = USD 40.00``."""
    return ", ".join(f"{path} = {show(value)}" for path, value in values.items())


def _paths(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[Node]:
    """The longest paths of names and fields; those of names that a macro binds are its own business."""
    root: Node = node
    while isinstance(root, Select):
        root = root.operand
    if isinstance(root, Ident):
        if isinstance(node, Select) and node.test:
            node = node.operand
        if root.name not in bound:
            yield node
    elif isinstance(node, Macro):
        yield from _paths(node.target, bound)
        for arg in node.args:
            yield from _paths(arg, bound | set(node.variables))
    else:
        for child in children(node):
            yield from _paths(child, bound)
