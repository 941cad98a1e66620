"""Values of ours as JSON and back, for caches and snapshots. Only listed classes are ever built from what is read.

Plain JSON values stand for themselves; everything else is a list that begins with a tag: the name of a
dataclass and its fields in order, or one of the short tags below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from policy_engine.calendars import Calendar, DayRule, Holidays, Period
from policy_engine.cel import syntax
from policy_engine.cel.types import Field, Type
from policy_engine.cel.values import Duration, Timestamp, UInt
from policy_engine.model import policy
from policy_engine.source import Source, SourceMap
from policy_engine.source.frozen import field_names, make
from policy_engine.vocabulary import Money

__all__ = ["POLICY_CODEC", "VALUE_CLASSES", "Codec"]

VALUE_CLASSES: tuple[type, ...] = (Money, Period)
_CLASSES: tuple[type, ...] = (
        *VALUE_CLASSES, Calendar, DayRule, Holidays, Field, Type, Source, SourceMap,
        syntax.Literal, syntax.Ident, syntax.Select, syntax.Call, syntax.Item, syntax.ListNode, syntax.Entry,
        syntax.MapNode, syntax.MessageNode, syntax.Macro,
        policy.Expression, policy.Template, policy.Clause, policy.Party, policy.Effective, policy.Parameter,
        policy.CalendarRef, policy.EventType, policy.ActionType, policy.Assignment, policy.ActionCall,
        policy.Effects, policy.Rule, policy.Trigger, policy.Deadline, policy.StartChoice, policy.State, policy.Policy,
)  # fmt: skip


class Codec:
    """Writes and reads values that are made of JSON's own and of a closed list of dataclasses."""

    def __init__(self, classes: Iterable[type]) -> None:
        self._fields = {cls: field_names(cls) for cls in classes}
        made = {cls.__name__: partial(make, cls) for cls in self._fields}
        self._readers: dict[str, Callable[[list[Any]], Any]] = {**_READERS, **made}

    def encode(self, value: Any) -> Any:
        """A value as JSON holds it. Raises TypeError for what is not in the list."""
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        encode = self.encode
        if kind in self._fields:
            return [kind.__name__, *(encode(getattr(value, name)) for name in self._fields[kind])]
        if kind is tuple:
            return ["t", *map(encode, value)]
        if kind is list:
            return ["l", *map(encode, value)]
        if kind is frozenset:
            return ["s", *map(encode, sorted(value))]
        if isinstance(value, Mapping):
            if all(type(key) is str for key in value):
                return {key: encode(item) for key, item in value.items()}
            return ["m", *(encode(part) for pair in value.items() for part in pair)]
        if kind in _WRITERS:
            tag, write = _WRITERS[kind]
            return [tag, write(value)]
        raise TypeError(f"a {kind.__name__} has no place here")

    def decode(self, data: Any) -> Any:
        """What `encode` wrote. Raises KeyError, IndexError, TypeError, ValueError or ArithmeticError for
        anything else."""
        decode = self.decode
        if type(data) is list:
            items = [item if type(item) in _PLAIN else decode(item) for item in data[1:]]
            return self._readers[data[0]](items)
        if type(data) is dict:
            return {key: item if type(item) in _PLAIN else decode(item) for key, item in data.items()}
        return data


_PLAIN = frozenset({str, int, bool, type(None), float})


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


_WRITERS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    Timestamp: ("ts", int),
    Duration: ("du", int),
    UInt: ("u", int),
    Decimal: ("dc", str),
    date: ("dt", str),
    bytes: ("b", bytes.hex),
}
_READERS: dict[str, Callable[[list[Any]], Any]] = {
    "t": tuple,
    "l": list,
    "s": frozenset,
    "m": _pairs,
    "ts": lambda items: Timestamp(items[0]),
    "du": lambda items: Duration(items[0]),
    "u": lambda items: UInt(items[0]),
    "dc": lambda items: Decimal(items[0]),
    "dt": lambda items: date.fromisoformat(items[0]),
    "b": lambda items: bytes.fromhex(items[0]),
}

POLICY_CODEC = Codec(_CLASSES)
