"""What may stand where a type is expected: assignment, which is stricter than the types of a call.

Literals of lists, maps and records are held part by part, so that nothing wrong hides behind a type that was
joined from different ones; members of enumerations are held to their members.
"""

from __future__ import annotations

from typing import Protocol

from policy_engine.cel.errors import Problem
from policy_engine.cel.syntax import Call, Item, ListNode, Literal, MapNode, Node
from policy_engine.cel.types import DYN, Bindings, Type
from policy_engine.source.diagnostic import did_you_mean
from policy_engine.source.frozen import replace

__all__ = ["described", "fitted", "without_open"]


class Checking(Protocol):
    """What fitting needs of the checker that calls it."""

    bindings: Bindings
    problems: list[Problem]

    def report(self, code: str, message: str, node: Node, hint: str | None = None) -> None: ...
    def check(self, node: Node) -> tuple[Node, Type]: ...
    def adapted(self, node: Node, wanted: Type) -> Literal | None: ...


def described(kind: Type) -> str:
    """A type for people."""
    if kind.members:
        return f"one of {', '.join(f'`{m}`' for m in kind.members)}"
    return f"`{kind}`"


def without_open(kind: Type) -> Type:
    """The type with what stayed open made dyn."""
    if kind.name.startswith("$") or kind.is_param:
        return DYN
    return replace(kind, params=tuple(map(without_open, kind.params))) if kind.params else kind


def fitted(checker: Checking, node: Node, kind: Type, expected: Type) -> Node:
    """The node as ``expected`` asks for it; reports what does not fit.

    Literals of lists, maps and records are held part by part, so that nothing wrong hides behind a
    type that was joined from different ones; members of enumerations are held to their members.
    """
    match node:
        case Call(function="_?_:_", args=(condition, first, second)):
            branches = (_refitted(checker, first, expected), _refitted(checker, second, expected))
            return replace(node, args=(condition, *branches))
        case ListNode(items=items) if expected.name == "list" and not any(item.optional for item in items):
            element = expected.params[0]
            return replace(node, items=tuple(Item(_refitted(checker, item.value, element)) for item in items))
        case MapNode() if expected.name in ("map", "record") and not any(e.optional for e in node.entries):
            return _fitted_map(checker, node, expected)
        case Literal() if (adapted := checker.adapted(node, expected)) is not None:
            return adapted
        case Literal(value=str(value)) if expected.members:
            if value not in expected.members:
                hint = did_you_mean(value, expected.members)
                checker.report("cel.not-a-member", f"`{value}` is not {described(expected)}", node, hint)
            return node
    if not checker.bindings.accepts(expected, kind) or not _members_fit(expected, checker.bindings.resolve(kind)):
        message = f"{described(expected)} is expected here, this is {described(without_open(kind))}"
        checker.report("cel.wrong-type", message, node)
    return node


def _refitted(checker: Checking, node: Node, expected: Type) -> Node:
    problems = len(checker.problems)
    checked, kind = checker.check(node)
    return (
        checked
        if len(checker.problems) > problems
        else fitted(checker, checked, checker.bindings.resolve(kind), expected)
    )


def _fitted_map(checker: Checking, node: MapNode, expected: Type) -> Node:
    entries = []
    given = set()
    for entry in node.entries:
        wanted: Type | None = expected.params[1] if expected.name == "map" else None
        key = entry.key.value if isinstance(entry.key, Literal) else None
        if expected.name == "record" and isinstance(key, str):
            given.add(key)
            declared = expected.field(key)
            wanted = declared.type if declared else None
            if declared is None:
                names = [f.name for f in expected.fields]
                checker.report("cel.unknown-field", f"there is no field `{key}`", entry.key, did_you_mean(key, names))
        entries.append(replace(entry, value=_refitted(checker, entry.value, wanted)) if wanted else entry)
    for declared in expected.fields:
        if declared.name not in given and not declared.optional and declared.default is None:
            checker.report("cel.missing-field", f"the field `{declared.name}` is missing", node)
    return replace(node, entries=tuple(entries))


def _members_fit(expected: Type, actual: Type) -> bool:
    """Whether every value of a type is a member where an enumeration is expected, at any depth."""
    if actual.name == "dyn":
        return True
    if expected.members:
        return bool(actual.members) and set(actual.members) <= set(expected.members)
    if expected.name == "record" and actual.name == "record":
        pairs = ((wanted, actual.field(wanted.name)) for wanted in expected.fields)
        return all(found is None or _members_fit(wanted.type, found.type) for wanted, found in pairs)
    return all(map(_members_fit, expected.params, actual.params))
