"""The reference evaluator: one readable walk over the syntax, which *is* the semantics.

``&&``, ``||``, ``all`` and ``exists`` absorb errors where the other side decides; everything else is
strict. Evaluation is pure: bindings are read, never written, and nothing outlives the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from policy_engine.cel.functions import STANDARD
from policy_engine.cel.library import Library
from policy_engine.cel.limits import DEFAULT_LIMITS, Limits
from policy_engine.cel.syntax import Call, Ident, ListNode, Literal, Macro, MapNode, MessageNode, Node, Select
from policy_engine.cel.unparse import unparse
from policy_engine.cel.values import NONE, Optional, TypeValue, UInt, equal, type_name
from policy_engine.source import EvaluationError

__all__ = ["interpret"]


def interpret(
    node: Node,
    bindings: Mapping[str, Any],
    *,
    library: Library = STANDARD,
    context: Any = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Any:
    """The value of an expression. Raises EvaluationError with the offsets of the part that failed."""
    return _Walk(bindings, library, context, limits.cost).value(node)


def _fail(node: Node, code: str, message: str) -> EvaluationError:
    return EvaluationError(f"cel.{code}", message, node.start, node.end)


class _Walk:
    """One evaluation: the bindings, the names bound by macros around the current node, the budget left."""

    def __init__(self, bindings: Mapping[str, Any], library: Library, context: Any, budget: int) -> None:
        self._bindings = bindings
        self._locals: dict[str, Any] = {}
        self._library = library
        self._context = context
        self._budget = budget

    def value(self, node: Node) -> Any:
        return _VISIT[type(node)](self, node)

    def _spend(self, node: Node, amount: int = 1) -> None:
        self._budget -= amount
        if self._budget < 0:
            raise _fail(node, "cost", "the evaluation costs more than it may")

    # -- leaves and paths ----------------------------------------------------------------------------

    def _literal(self, node: Literal) -> Any:
        return node.value

    def _ident(self, node: Ident) -> Any:
        if node.name in self._locals:
            return self._locals[node.name]
        name = node.name.removeprefix(".")
        try:
            return self._bindings[name]
        except KeyError:
            if name in _TYPE_NAMES:
                return TypeValue(name)
            raise _fail(node, "unknown-name", f"`{name}` is not known here") from None

    def _select(self, node: Select) -> Any:
        operand = self.value(node.operand)
        viral = isinstance(operand, Optional)
        if viral:
            if not operand.present:
                return False if node.test else NONE
            operand = operand.value
        if not isinstance(operand, Mapping):
            fields = self._library.fields.get(type_name(operand))
            if fields and node.field in fields:
                value = fields[node.field][1](operand)
                return True if node.test else Optional(True, value) if node.optional or viral else value
            raise _fail(node, "no-such-field", f"{type_name(operand)} has no field `{node.field}`")
        if node.test:
            return node.field in operand
        if node.optional or viral:
            return Optional(True, operand[node.field]) if node.field in operand else NONE
        try:
            return operand[node.field]
        except KeyError:
            raise _fail(node, "no-such-key", f"`{unparse(node)}` is not set") from None

    # -- calls ---------------------------------------------------------------------------------------

    def _call(self, node: Call) -> Any:
        self._spend(node)
        special = _SPECIAL.get(node.function) if node.target is None else None
        member = node.target is not None
        args = () if special else tuple(map(self.value, (node.target, *node.args) if node.target else node.args))
        try:
            if special is not None:
                return special(self, node)
            result = self._library.call(node.function, member, args, self._context)
        except EvaluationError as error:
            if error.start is None:
                raise EvaluationError(error.code, error.message, node.start, node.end) from None
            raise
        if isinstance(result, str | bytes | list):
            self._spend(node, len(result) // (1 if isinstance(result, list) else 16))
        return result

    def _bool(self, node: Node, operator: str) -> bool:
        value = self.value(node)
        if isinstance(value, bool):
            return value
        raise _fail(node, "no-such-overload", f"`{operator}` needs a bool, not {type_name(value)}")

    def _either(self, node: Call, decisive: bool) -> bool:
        """``||`` (decisive true) and ``&&`` (decisive false): an error yields to the side that decides."""
        operator = "||" if decisive else "&&"
        try:
            if self._bool(node.args[0], operator) is decisive:
                return decisive
        except EvaluationError as error:
            if error.code == "cel.cost" or self._bool(node.args[1], operator) is not decisive:
                raise
            return decisive
        return self._bool(node.args[1], operator)

    def _or(self, node: Call) -> bool:
        return self._either(node, True)

    def _and(self, node: Call) -> bool:
        return self._either(node, False)

    def _conditional(self, node: Call) -> Any:
        return self.value(node.args[1] if self._bool(node.args[0], "?:") else node.args[2])

    def _equal(self, node: Call) -> bool:
        return equal(self.value(node.args[0]), self.value(node.args[1]))

    def _unequal(self, node: Call) -> bool:
        return not equal(self.value(node.args[0]), self.value(node.args[1]))

    def _in(self, node: Call) -> bool:
        item, container = self.value(node.args[0]), self.value(node.args[1])
        if isinstance(container, list):
            self._spend(node, len(container))
            return any(equal(item, element) for element in container)
        if isinstance(container, Mapping):
            return _key(item, container) is not None
        raise _fail(node, "no-such-overload", f"`in` looks into a list or a map, not {type_name(container)}")

    def _index(self, node: Call) -> Any:
        operand, key = self.value(node.args[0]), self.value(node.args[1])
        if isinstance(operand, Optional):
            return self._at(node, operand.value, key, True) if operand.present else NONE
        return self._at(node, operand, key, False)

    def _optional_index(self, node: Call) -> Any:
        operand, key = self.value(node.args[0]), self.value(node.args[1])
        if isinstance(operand, Optional):
            if not operand.present:
                return NONE
            operand = operand.value
        return self._at(node, operand, key, True)

    def _at(self, node: Call, operand: Any, key: Any, optional: bool) -> Any:
        if isinstance(operand, list):
            if isinstance(key, float) and key.is_integer():
                key = int(key)
            if type(key) is not int and type(key) is not UInt:
                raise _fail(node, "no-such-overload", f"a list is indexed by an int, not {type_name(key)}")
            if 0 <= key < len(operand):
                return Optional(True, operand[key]) if optional else operand[key]
            if optional:
                return NONE
            raise _fail(node, "index-out-of-range", f"index {key} is outside a list of {len(operand)}")
        if isinstance(operand, Mapping):
            found = _key(key, operand)
            if found is not None:
                return Optional(True, operand[found[0]]) if optional else operand[found[0]]
            if optional:
                return NONE
            raise _fail(node, "no-such-key", f"`{unparse(node)}` is not set")
        raise _fail(node, "no-such-overload", f"{type_name(operand)} cannot be indexed")

    # -- lists, maps, macros -------------------------------------------------------------------------

    def _list(self, node: ListNode) -> list[Any]:
        self._spend(node, 1 + len(node.items))
        values: list[Any] = []
        for item in node.items:
            value = self.value(item.value)
            if item.optional:
                if not isinstance(value, Optional):
                    raise _fail(item.value, "no-such-overload", f"`?` needs an optional, not {type_name(value)}")
                if value.present:
                    values.append(value.value)
            else:
                values.append(value)
        return values

    def _map(self, node: MapNode) -> dict[Any, Any]:
        self._spend(node, 1 + len(node.entries))
        values: dict[Any, Any] = {}
        for entry in node.entries:
            key, value = self.value(entry.key), self.value(entry.value)
            if type_name(key) not in ("bool", "int", "uint", "string"):
                raise _fail(entry.key, "bad-key", f"{type_name(key)} cannot be a key of a map")
            if entry.optional:
                if not isinstance(value, Optional):
                    raise _fail(entry.value, "no-such-overload", f"`?` needs an optional, not {type_name(value)}")
                if not value.present:
                    continue
                value = value.value
            if _key(key, values) is not None:
                raise _fail(entry.key, "repeated-key", "a key of the map is repeated")
            values[key] = value
        return values

    def _message(self, node: MessageNode) -> Any:
        raise _fail(node, "unknown-name", f"`{node.name}` is not a type that can be made")

    def _macro(self, node: Macro) -> Any:
        target = self.value(node.target)
        saved = self._locals
        self._locals = dict(saved)
        try:
            return _MACROS[node.name](self, node, target)
        finally:
            self._locals = saved

    def _rounds(self, node: Macro, target: Any) -> Iterator[tuple[Any, Any]]:
        """Bind the variables for each element in turn; yields what the first and second stand for."""
        pairs: Iterator[tuple[Any, Any]]
        if isinstance(target, list):
            pairs = iter(enumerate(target))
        elif isinstance(target, Mapping):
            pairs = iter(target.items())
        else:
            raise _fail(
                node.target,
                "no-such-overload",
                f"`{node.name}` goes over a list or a map, not {type_name(target)}",
            )
        two = len(node.variables) == 2
        for first, second in pairs:
            self._spend(node)
            if two:
                self._locals[node.variables[0]] = first
                self._locals[node.variables[1]] = second
            else:
                self._locals[node.variables[0]] = second if isinstance(target, list) else first
            yield first, second

    def _quantifier(self, node: Macro, target: Any, decisive: bool) -> bool:
        failed: EvaluationError | None = None
        for _ in self._rounds(node, target):
            try:
                if self._bool(node.args[0], node.name) is decisive:
                    return decisive
            except EvaluationError as error:
                if error.code == "cel.cost":
                    raise
                failed = error
        if failed is not None:
            raise failed
        return not decisive

    def _all(self, node: Macro, target: Any) -> bool:
        return self._quantifier(node, target, False)

    def _exists(self, node: Macro, target: Any) -> bool:
        return self._quantifier(node, target, True)

    def _exists_one(self, node: Macro, target: Any) -> bool:
        return sum(self._bool(node.args[0], node.name) for _ in self._rounds(node, target)) == 1

    def _filter(self, node: Macro, target: Any) -> list[Any]:
        name = node.variables[0]
        return [self._locals[name] for _ in self._rounds(node, target) if self._bool(node.args[0], node.name)]

    def _kept(self, node: Macro) -> bool:
        return len(node.args) == 1 or self._bool(node.args[0], node.name)

    def _transform_list(self, node: Macro, target: Any) -> list[Any]:
        return [self.value(node.args[-1]) for _ in self._rounds(node, target) if self._kept(node)]

    def _transform_map(self, node: Macro, target: Any) -> dict[Any, Any]:
        return {key: self.value(node.args[-1]) for key, _ in self._rounds(node, target) if self._kept(node)}

    def _transform_entry(self, node: Macro, target: Any) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for _ in self._rounds(node, target):
            if self._kept(node):
                made = self.value(node.args[-1])
                if not isinstance(made, Mapping):
                    raise _fail(node.args[-1], "no-such-overload", f"`{node.name}` needs a map, not {type_name(made)}")
                for key, value in made.items():
                    if _key(key, result) is not None:
                        raise _fail(node, "repeated-key", "a key of the map is repeated")
                    result[key] = value
        return result

    def _optional_map(self, node: Macro, target: Any) -> Optional:
        if not isinstance(target, Optional):
            raise _fail(node.target, "no-such-overload", f"`{node.name}` needs an optional, not {type_name(target)}")
        if not target.present:
            return NONE
        self._locals[node.variables[0]] = target.value
        value = self.value(node.args[0])
        if node.name == "optMap":
            return Optional(True, value)
        if isinstance(value, Optional):
            return value
        raise _fail(node.args[0], "no-such-overload", f"`optFlatMap` needs an optional, not {type_name(value)}")

    def _bind(self, node: Macro, target: Any) -> Any:
        self._locals[node.variables[0]] = target
        return self.value(node.args[0])


def _key(key: Any, mapping: Mapping[Any, Any]) -> tuple[Any] | None:
    """The key of a map that equals ``key`` as CEL has it, in a tuple; None where there is none."""
    if isinstance(key, str):
        return (key,) if key in mapping else None
    try:
        if key not in mapping:
            return None
    except TypeError:
        return None
    # Python takes True for 1: look which key it was.
    for candidate in mapping:
        if equal(candidate, key):
            return (candidate,)
    return None


_TYPE_NAMES = frozenset(
    "bool int uint double string bytes list map null_type type optional_type "
    "google.protobuf.Timestamp google.protobuf.Duration".split()
)
_VISIT: dict[type, Callable[[_Walk, Any], Any]] = {
    Literal: _Walk._literal,
    Ident: _Walk._ident,
    Select: _Walk._select,
    Call: _Walk._call,
    ListNode: _Walk._list,
    MapNode: _Walk._map,
    MessageNode: _Walk._message,
    Macro: _Walk._macro,
}
_SPECIAL: dict[str, Callable[[_Walk, Call], Any]] = {
    "_||_": _Walk._or,
    "_&&_": _Walk._and,
    "_?_:_": _Walk._conditional,
    "_==_": _Walk._equal,
    "_!=_": _Walk._unequal,
    "@in": _Walk._in,
    "_[_]": _Walk._index,
    "_[?_]": _Walk._optional_index,
}
_MACROS: dict[str, Callable[[_Walk, Macro, Any], Any]] = {
    "all": _Walk._all,
    "exists": _Walk._exists,
    "exists_one": _Walk._exists_one,
    "filter": _Walk._filter,
    "map": _Walk._transform_list,
    "transformList": _Walk._transform_list,
    "transformMap": _Walk._transform_map,
    "transformMapEntry": _Walk._transform_entry,
    "optMap": _Walk._optional_map,
    "optFlatMap": _Walk._optional_map,
    "bind": _Walk._bind,
}
