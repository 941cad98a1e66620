"""The syntax of an expression: frozen nodes with spans.

A node's ``start`` and ``end`` are offsets of its text, in the expression itself or, when the parser
was given a map of positions, in the file that the expression stands in. Operators are calls under
the names that cel-spec gives them (``_+_``, ``_?_:_``, ``@in``); comprehensions and the other macros
that bind a name are one node, `Macro`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policy_engine.source.frozen import frozen

__all__ = [
    "Call",
    "Entry",
    "Ident",
    "Item",
    "ListNode",
    "Literal",
    "Macro",
    "MapNode",
    "MessageNode",
    "Node",
    "Select",
    "children",
    "free_names",
    "walk",
]


@frozen
class Literal:
    """A constant. ``text`` is how it was written where that matters (``0.15`` as a decimal)."""

    start: int
    end: int
    value: Any
    text: str = ""


@frozen
class Ident:
    """A name, possibly dotted once the checker has resolved it; a leading dot starts at the root."""

    start: int
    end: int
    name: str


@frozen
class Select:
    """``operand.field``; ``optional`` for ``.?``, ``test`` for ``has(operand.field)``."""

    start: int
    end: int
    operand: Node
    field: str
    optional: bool = False
    test: bool = False


@frozen
class Call:
    """``function(args)`` or ``target.function(args)``; operators too."""

    start: int
    end: int
    function: str
    target: Node | None
    args: tuple[Node, ...]


@frozen
class Item:
    """An element of a list; ``optional`` for ``[?x]``: left out when x is none."""

    value: Node
    optional: bool = False


@frozen
class ListNode:
    start: int
    end: int
    items: tuple[Item, ...]


@frozen
class Entry:
    """An entry of a map; ``optional`` for ``{?k: x}``: left out when x is none."""

    key: Node
    value: Node
    optional: bool = False


@frozen
class MapNode:
    start: int
    end: int
    entries: tuple[Entry, ...]


@frozen
class MessageNode:
    """``Name{field: value}``. Parsed so that it can be refused by name: there are no messages here."""

    start: int
    end: int
    name: str
    fields: tuple[tuple[str, Node, bool], ...]


@frozen
class Macro:
    """A macro that binds ``variables`` over ``target`` in its ``args``.

    ``name`` is one of ``all exists exists_one map filter transformList transformMap
    transformMapEntry optMap optFlatMap bind``; a filter comes first in ``args`` where there is one.
    """

    start: int
    end: int
    name: str
    target: Node
    variables: tuple[str, ...]
    args: tuple[Node, ...]


Node = Literal | Ident | Select | Call | ListNode | MapNode | MessageNode | Macro


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order in which they are written."""
    match node:
        case Select(operand=operand):
            return (operand,)
        case Call(target=target, args=args):
            return args if target is None else (target, *args)
        case ListNode(items=items):
            return tuple(item.value for item in items)
        case MapNode(entries=entries):
            return tuple(part for entry in entries for part in (entry.key, entry.value))
        case MessageNode(fields=fields):
            return tuple(value for _, value, _ in fields)
        case Macro(target=target, args=args):
            return (target, *args)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, depth first, without recursion."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def free_names(node: Node) -> frozenset[str]:
    """Names that the expression reads from outside (the first part of a path)."""
    names: set[str] = set()
    stack: list[tuple[Node, frozenset[str]]] = [(node, frozenset())]
    while stack:
        current, bound = stack.pop()
        if isinstance(current, Ident):
            if current.name not in bound:
                names.add(current.name)
        elif isinstance(current, Macro):
            stack.append((current.target, bound))
            inner = bound | set(current.variables)
            stack.extend((arg, inner) for arg in current.args)
        else:
            stack.extend((child, bound) for child in children(current))
    return frozenset(names)
