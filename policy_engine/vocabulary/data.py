"""Plain data (what JSON and YAML hold) <-> values of declared types.

A record becomes a dict with its declared fields alone: defaults filled in, absent optional fields left
out, undeclared ones not seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from policy_engine.calendars import Period, parse_span, show_duration
from policy_engine.cel.types import Type
from policy_engine.cel.values import INT_MAX, INT_MIN, Duration, Timestamp, UInt, parse_timestamp
from policy_engine.source.diagnostic import did_you_mean, listed
from policy_engine.source.frozen import replace
from policy_engine.vocabulary.dates import parse_date
from policy_engine.vocabulary.money import Money, parse_decimal, parse_money

T = TypeVar("T")

__all__ = ["DataError", "read_record", "read_value", "record_problems", "to_plain"]


class DataError(ValueError):
    """Data that does not fit its type. ``path`` leads to it (field names and indexes)."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        where = ".".join(map(str, self.path))
        return f"`{where}`: {self.message}" if where else self.message


def read_record(data: Mapping[str, Any], kind: Type) -> dict[str, Any]:
    """The declared fields of a record. Raises DataError for the first that does not fit."""
    values: dict[str, Any] = {}
    for field in kind.fields:
        given = data.get(field.name)
        if given is None:
            if field.default is not None:
                values[field.name] = field.default
            elif not field.optional:
                raise DataError(f"is missing ({_wanted(field.type)} is required)", (field.name,))
            continue
        values[field.name] = _inside(field.name, given, field.type)
    return values


def record_problems(data: Mapping[str, Any], kind: Type) -> tuple[DataError, ...]:
    """Everything that does not fit in a record, field by field."""
    found = []
    for field in kind.fields:
        try:
            read_record(data, replace(kind, fields=(field,)))
        except DataError as error:
            found.append(error)
    return tuple(found)


def _inside(key: str | int, value: Any, kind: Type) -> Any:
    try:
        return read_value(value, kind)
    except DataError as error:
        raise DataError(error.message, (key, *error.path)) from None


def read_value(value: Any, kind: Type) -> Any:
    """A value of a type from plain data, or from a value that has the type already. Raises DataError."""
    reader = _READERS.get(kind.name)
    if reader is None:
        return value
    return reader(value, kind)


def _wanted(kind: Type) -> str:
    examples = {
        "string": "a text",
        "bool": "true or false",
        "int": "a whole number",
        "uint": "a whole number from 0",
        "double": "a number",
        "decimal": "a decimal, like 0.15",
        "money": "money, like `USD 12.50`",
        "timestamp": "a time with an offset, like 2024-03-10T08:00:00Z",
        "date": "a date, like 2024-03-10",
        "duration": "a duration, like `5 days` or `48 hours`",
        "period": "a period, like `2 working days`",
        "list": "a list",
        "map": "a map",
        "record": "a record",
    }
    return f"one of {listed(kind.members, 'or')}" if kind.members else examples.get(kind.name, kind.name)


def _no(value: Any, kind: Type) -> DataError:
    shown = repr(value) if not isinstance(value, str) else f"`{value}`"
    return DataError(f"{shown[:80]} is not {_wanted(kind)}")


def _string(value: Any, kind: Type) -> str:
    if not isinstance(value, str):
        raise _no(value, kind)
    if kind.members and value not in kind.members:
        hint = did_you_mean(value, kind.members)
        raise DataError(f"`{value}` is not {_wanted(kind)}" + (f" ({hint})" if hint else ""))
    return value


def _bool(value: Any, kind: Type) -> bool:
    if isinstance(value, bool):
        return value
    raise _no(value, kind)


def _int(value: Any, kind: Type) -> int:
    if type(value) is int and INT_MIN <= value <= INT_MAX:
        return value
    raise _no(value, kind)


def _uint(value: Any, kind: Type) -> UInt:
    if type(value) in (int, UInt) and 0 <= value < 2**64:
        return UInt(value)
    raise _no(value, kind)


def _double(value: Any, kind: Type) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise _no(value, kind)


def _decimal(value: Any, kind: Type) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if type(value) in (int, float, str):
        # repr is the shortest text that reads back the same: the digits that were written.
        return _parsed(value if isinstance(value, str) else repr(value), parse_decimal)
    raise _no(value, kind)


def _money(value: Any, kind: Type) -> Money:
    if isinstance(value, Money):
        return value
    if isinstance(value, str):
        return _parsed(value, parse_money)
    raise _no(value, kind)


def _parsed(text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise DataError(str(error)) from None


def _timestamp(value: Any, kind: Type) -> Timestamp:
    if isinstance(value, Timestamp):
        return value
    if isinstance(value, str):
        # The engine's own times are microseconds: finer digits are cut off.
        return Timestamp(_parsed(value, parse_timestamp) // 1000 * 1000)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return Timestamp.of(value)
    raise _no(value, kind)


def _date(value: Any, kind: Type) -> date:
    if type(value) is date:
        return value
    if isinstance(value, str):
        return _parsed(value, parse_date)
    raise _no(value, kind)


def _duration(value: Any, kind: Type) -> Duration:
    if isinstance(value, Duration):
        return value
    if isinstance(value, timedelta):
        return Duration.of(value)
    span = _parsed(value, parse_span) if isinstance(value, str) else None
    if span is None or isinstance(span, Period):
        raise _no(value, kind)
    return Duration.of(span)


def _period(value: Any, kind: Type) -> Period:
    span = _parsed(value, parse_span) if isinstance(value, str) else value
    if isinstance(span, Period):
        return span
    raise _no(value, kind)


def _list(value: Any, kind: Type) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _no(value, kind)
    return [_inside(index, item, kind.params[0]) for index, item in enumerate(value)]


def _map(value: Any, kind: Type) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _no(value, kind)
    return {key: _inside(key, item, kind.params[1]) for key, item in value.items()}


def _record(value: Any, kind: Type) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _no(value, kind)
    return read_record(value, kind)


_READERS = {
    "string": _string,
    "bool": _bool,
    "int": _int,
    "uint": _uint,
    "double": _double,
    "decimal": _decimal,
    "money": _money,
    "timestamp": _timestamp,
    "date": _date,
    "duration": _duration,
    "period": _period,
    "list": _list,
    "map": _map,
    "record": _record,
}


def to_plain(value: Any) -> Any:
    """A value as JSON holds it: times as RFC 3339 in UTC, money as ``USD 12.50``, exact decimals as text."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        # JSON has no name for these; the names are those of the conformance suite's data.
        return value if math.isfinite(value) else "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, Duration):
        return show_duration(value.timedelta)
    if isinstance(value, UInt):
        return int(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
