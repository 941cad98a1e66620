"""A library: functions and operators by name, each with typed signatures. Hosts add their own rows.

A row is ``(signature, implementation, meaning)``. Signatures read as cel-spec writes them:
``size(string) -> int``, ``(string).contains(string) -> bool`` for member functions, ``_+_(int, int) -> int``
for operators, single capital letters for type parameters, ``...`` behind a last parameter that repeats.
``maybe(T)`` takes a T or an optional one; as a result it is optional where every such argument is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from policy_engine.cel.types import Type
from policy_engine.cel.values import type_name
from policy_engine.source import EvaluationError
from policy_engine.source.frozen import frozen

__all__ = ["Library", "Overload", "Row", "parse_type"]

Implementation = Callable[..., Any]
# (type of the literal, type asked for) -> how the text of the one is read as the other
Literals = Mapping[tuple[str, str], Callable[[str], Any]]
# name of a host's type -> field -> its type and how it is read
Fields = Mapping[str, Mapping[str, tuple[Type, Callable[[Any], Any]]]]
_NO_LITERALS: Literals = {}
_NO_FIELDS: Fields = {}


class Row(NamedTuple):
    """One overload. With ``context`` the implementation takes the host's context before its arguments."""

    signature: str
    implementation: Implementation
    meaning: str
    context: bool = False


@frozen
class Overload:
    name: str
    member: bool
    params: tuple[Type, ...]
    repeats: bool
    result: Type
    implementation: Implementation
    context: bool
    signature: str

    def takes(self, count: int) -> bool:
        return count >= len(self.params) if self.repeats else count == len(self.params)

    def param(self, index: int) -> Type:
        return self.params[min(index, len(self.params) - 1)]


class Library:
    """Functions by name. Immutable once made: `extended` gives a new one."""

    def __init__(
        self, rows: Iterable[Row] = (), literals: Literals = _NO_LITERALS, fields: Fields = _NO_FIELDS
    ) -> None:
        """``literals``: how a literal of one type is read as another, from its text, where that one is
        asked for; ``fields``: what can be selected from a value of a host's type."""
        self._rows: dict[tuple[str, bool], list[Row]] = {}
        for row in rows:
            member = row.signature.startswith("(")
            start = row.signature.index(").") + 2 if member else 0
            name = row.signature[start : row.signature.index("(", start)]
            self._rows.setdefault((name, member), []).append(row)
        self.literals = dict(literals)
        self.fields = dict(fields)
        # Both memos hold what the rows imply and nothing else, so a race only computes it twice.
        self._overloads: dict[tuple[str, bool], tuple[Overload, ...]] = {}
        self._found: dict[tuple[str, bool, tuple[type, ...]], Overload] = {}

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for rows in self._rows.values() for row in rows)

    def extended(self, rows: Iterable[Row], literals: Literals = _NO_LITERALS, fields: Fields = _NO_FIELDS) -> Library:
        """This library and more."""
        more = Library(rows, {**self.literals, **literals}, {**self.fields, **fields})
        more._rows = {key: [*self._rows.get(key, ()), *more._rows.get(key, ())] for key in (self._rows | more._rows)}
        return more

    def names(self, member: bool | None = None) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name, kind in self._rows if member is None or kind == member))

    def overloads(self, name: str, member: bool) -> tuple[Overload, ...]:
        """The overloads of a function, empty for an unknown one."""
        key = (name, member)
        found = self._overloads.get(key)
        if found is None:
            found = self._overloads[key] = tuple(map(_overload, self._rows.get(key, ())))
        return found

    def call(self, name: str, member: bool, args: tuple[Any, ...], context: Any) -> Any:
        """Apply the overload that fits the values. Raises EvaluationError where none does."""
        key = (name, member, tuple(map(type, args)))
        overload = self._found.get(key)
        if overload is None:
            overload = self._found[key] = self._pick(name, member, args)
        if overload.context:
            return overload.implementation(context, *args)
        return overload.implementation(*args)

    def _pick(self, name: str, member: bool, args: tuple[Any, ...]) -> Overload:
        names = tuple(map(type_name, args))
        for overload in self.overloads(name, member):
            if overload.takes(len(args)) and all(_holds(overload.param(i), found) for i, found in enumerate(names)):
                return overload
        raise EvaluationError("cel.no-such-overload", _no_overload(name, member, names))


def _holds(param: Type, name: str) -> bool:
    return param.is_param or param.name in (name, "dyn") or (param.name == "maybe" and _holds_maybe(param, name))


def _holds_maybe(param: Type, name: str) -> bool:
    return name == "optional_type" or _holds(param.params[0], name)


def _no_overload(name: str, member: bool, names: tuple[str, ...]) -> str:
    operator = name.strip("_")
    if name.startswith("_") and len(names) == 2:
        return f"`{operator}` cannot take {names[0]} and {names[1]}"
    if member:
        return f"{names[0]} has no function `{name}({', '.join(names[1:])})`"
    return f"`{operator}` cannot take ({', '.join(names)})"


def _overload(row: Row) -> Overload:
    signature, _, result = row.signature.rpartition(" -> ")
    target = ""
    if signature.startswith("("):
        target, _, signature = signature[1:].partition(").")
    name, _, params_text = signature.partition("(")
    params = _split(params_text[:-1])
    repeats = bool(params) and params[-1].endswith("...")
    types = tuple(parse_type(text.removesuffix("...")) for text in params)
    if target:
        types = (parse_type(target), *types)
    return Overload(
        name, bool(target), types, repeats, parse_type(result), row.implementation, row.context, row.signature
    )


def _split(text: str) -> list[str]:
    """The parts between commas that stand outside parentheses."""
    parts: list[str] = []
    depth, start = 0, 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    rest = text[start:].strip()
    return [*parts, rest] if rest else parts


def parse_type(text: str) -> Type:
    """``list(map(string, A))`` as a `Type`."""
    name, bracket, rest = text.strip().partition("(")
    return Type(name, tuple(map(parse_type, _split(rest[:-1]))) if bracket else ())
