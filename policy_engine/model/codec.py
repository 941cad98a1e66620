"""A policy as JSON and back: for caches. Only the classes listed here are ever built from what is read.

Plain JSON values stand for themselves; everything else is a list that begins with a tag: the name of a
dataclass and its fields in order, or one of the short tags below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

from policy_engine.calendars import Calendar, DayRule, Holidays, Period
from policy_engine.cel import syntax
from policy_engine.cel.types import Field, Type
from policy_engine.cel.values import Duration, Timestamp, UInt
from policy_engine.model import policy
from policy_engine.source import Source, SourceMap
from policy_engine.vocabulary import Money

__all__ = ["decode", "encode"]

_CLASSES: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        Calendar, DayRule, Holidays, Period, Field, Type, Money, Source, SourceMap,
        syntax.Literal, syntax.Ident, syntax.Select, syntax.Call, syntax.Item, syntax.ListNode, syntax.Entry,
        syntax.MapNode, syntax.MessageNode, syntax.Macro,
        policy.Expression, policy.Template, policy.Clause, policy.Party, policy.Effective, policy.Parameter,
        policy.CalendarRef, policy.EventType, policy.ActionType, policy.Assignment, policy.ActionCall,
        policy.Effects, policy.Rule, policy.Trigger, policy.Deadline, policy.StartChoice, policy.State, policy.Policy,
    )
}  # fmt: skip
_FIELDS = {cls: tuple(field.name for field in fields(cls)) for cls in _CLASSES.values()}


def encode(value: Any) -> Any:
    """A value of the model as JSON holds it. Raises TypeError for what a policy cannot contain."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind in _FIELDS:
        return [kind.__name__, *(encode(getattr(value, name)) for name in _FIELDS[kind])]
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
    for tag, cls, write in (
        ("ts", Timestamp, int), ("du", Duration, int), ("u", UInt, int), ("dc", Decimal, str), ("dt", date, str),
    ):  # fmt: skip
        if kind is cls:
            return [tag, write(value)]
    if kind is bytes:
        return ["b", value.hex()]
    raise TypeError(f"a {kind.__name__} has no place in a policy")


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


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
    **{name: (lambda items, cls=cls: cls(*items)) for name, cls in _CLASSES.items()},  # type: ignore[misc]
}


def decode(data: Any) -> Any:
    """What `encode` wrote. Raises KeyError, TypeError, ValueError or ArithmeticError for anything else."""
    if type(data) is list:
        return _READERS[data[0]](list(map(decode, data[1:])))
    if type(data) is dict:
        return {key: decode(item) for key, item in data.items()}
    return data
