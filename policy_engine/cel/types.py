"""Types: what fits where.

A `Type` is a name with parameters; a record type (a host's order, event, …) also has fields, an
enumeration is the string type with its members. Type parameters of functions are single capital
letters, bound by `Bindings` while one call is being checked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policy_engine.source.frozen import frozen

__all__ = [
    "BOOL",
    "BYTES",
    "DOUBLE",
    "DURATION",
    "DYN",
    "INT",
    "NULL",
    "STRING",
    "TIMESTAMP",
    "TYPE",
    "UINT",
    "Bindings",
    "Field",
    "Type",
    "enumeration",
    "join",
    "list_of",
    "map_of",
    "optional_of",
    "record",
]


@frozen
class Field:
    """A field of a record; reading an ``optional`` one that is absent is an evaluation error.

    ``default`` is the value that a host puts where none is given; None where there is no default.
    """

    name: str
    type: Type
    optional: bool = False
    default: Any = None


@frozen
class Type:
    name: str
    params: tuple[Type, ...] = ()
    fields: tuple[Field, ...] = ()
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.name == "record":
            return "{" + ", ".join(f.name for f in self.fields) + "}"
        if self.params:
            return f"{self.name}({', '.join(map(str, self.params))})"
        return self.name

    @property
    def is_param(self) -> bool:
        return len(self.name) == 1 and self.name.isupper()

    def field(self, name: str) -> Field | None:
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        return None


BOOL = Type("bool")
INT = Type("int")
UINT = Type("uint")
DOUBLE = Type("double")
STRING = Type("string")
BYTES = Type("bytes")
NULL = Type("null_type")
DYN = Type("dyn")
TIMESTAMP = Type("timestamp")
DURATION = Type("duration")
TYPE = Type("type", (DYN,))
# Types that null may stand for (cel-go's rule for well-known and abstract types).
_NULLABLE = frozenset({"timestamp", "duration", "optional_type", "null_type", "record"})


def list_of(element: Type) -> Type:
    return Type("list", (element,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    return Type("optional_type", (value,))


def record(fields: Iterable[Field]) -> Type:
    return Type("record", (), tuple(fields))


def enumeration(members: Iterable[str]) -> Type:
    return Type("string", (), (), tuple(members))


class Bindings:
    """What the type parameters stand for while a call is checked; the one mutable thing in a check."""

    __slots__ = ("found",)

    def __init__(self, found: dict[str, Type] | None = None) -> None:
        self.found: dict[str, Type] = found or {}

    def copy(self) -> Bindings:
        return Bindings(dict(self.found))

    def resolve(self, kind: Type) -> Type:
        """The type with every bound parameter replaced."""
        seen = kind
        while seen.name in self.found and not seen.params:
            seen = self.found[seen.name]
        if seen.params:
            return Type(seen.name, tuple(map(self.resolve, seen.params)), seen.fields, seen.members)
        return seen

    def accepts(self, expected: Type, actual: Type) -> bool:
        """Whether a value of ``actual`` may stand where ``expected`` is asked for; binds parameters."""
        expected, actual = self.resolve(expected), self.resolve(actual)
        if expected == actual:
            return True
        for param, other in ((expected, actual), (actual, expected)):
            if _is_free(param):
                return self._bind(param, other)
        if expected.name == "dyn" or actual.name == "dyn":
            return True
        if expected.name == actual.name == "type":
            return True  # types are values of one type, whatever they are types of
        if actual.name == "null_type":
            return expected.name in _NULLABLE
        if expected.name == "record":
            return _fits_record(self, expected, actual)
        if expected.name != actual.name or len(expected.params) != len(actual.params):
            return False
        return all(map(self.accepts, expected.params, actual.params))

    def _bind(self, param: Type, other: Type) -> bool:
        if _occurs(param.name, other):
            return False
        self.found[param.name] = other
        return True


def _is_free(kind: Type) -> bool:
    return kind.is_param or kind.name.startswith("$")


def _occurs(name: str, kind: Type) -> bool:
    return kind.name == name or any(_occurs(name, param) for param in kind.params)


def _fits_record(bindings: Bindings, expected: Type, actual: Type) -> bool:
    if actual.name == "map":
        # A map literal may become a record; its keys and values are checked when it is assigned.
        return actual.params[0].name in ("string", "dyn")
    if actual.name != "record":
        return False
    for wanted in expected.fields:
        given = actual.field(wanted.name)
        if given is None:
            if not wanted.optional:
                return False
        elif (given.optional and not wanted.optional) or not bindings.accepts(wanted.type, given.type):
            return False
    return True


def join(kinds: Iterable[Type]) -> Type:
    """One type for the elements of a list: theirs if they agree, else ``dyn``; `Type` ``$`` names are free."""
    joined: Type | None = None
    for kind in kinds:
        if joined is None or joined == kind:
            joined = kind
        elif joined.name == kind.name == "string":
            joined = STRING
        else:
            return DYN
    return joined if joined is not None else DYN
