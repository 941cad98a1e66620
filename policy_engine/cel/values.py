"""The values of the language and their rules: equality, order, ranges, names of types.

Plain Python where Python has the type: bool, int, float, str, bytes, list, dict, None. Own types only
where it has not: `UInt`, `Timestamp` and `Duration` (whole nanoseconds, as cel-spec has them), `Optional`,
`TypeValue`. The three numbers subclass int, so that comparing them costs what comparing ints costs;
`type_name` tells them apart, and equality never mixes kinds that Python would (``True == 1``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from policy_engine.source.frozen import frozen

__all__ = [
    "DURATION_MAX",
    "INT_MAX",
    "INT_MIN",
    "NONE",
    "TIMESTAMP_MAX",
    "TIMESTAMP_MIN",
    "UINT_MAX",
    "Duration",
    "Optional",
    "Timestamp",
    "TypeValue",
    "UInt",
    "equal",
    "parse_duration",
    "parse_timestamp",
    "register_type",
    "show",
    "type_name",
]

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1
_NANO: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TIMESTAMP_MIN: Final = -62_135_596_800 * _NANO  # 0001-01-01T00:00:00Z
TIMESTAMP_MAX: Final = 253_402_300_800 * _NANO - 1  # 9999-12-31T23:59:59.999999999Z
# The range that cel-go and the conformance suite use: what a signed 64-bit count of nanoseconds holds.
DURATION_MAX: Final = INT_MAX


class UInt(int):
    """An unsigned 64-bit integer."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self)}u"


class Timestamp(int):
    """An instant: nanoseconds since 1970-01-01T00:00:00Z, years 1 to 9999."""

    __slots__ = ()

    @classmethod
    def of(cls, moment: datetime) -> Timestamp:
        """From an aware datetime. Raises ValueError for a naive one."""
        if moment.tzinfo is None:
            raise ValueError("a time without an offset is not an instant")
        delta = moment - _EPOCH
        return cls(((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1000)

    @property
    def datetime(self) -> datetime:
        """As an aware datetime in UTC; digits finer than a microsecond are cut off."""
        return _EPOCH + timedelta(microseconds=self // 1000)

    def __str__(self) -> str:
        seconds, nanos = divmod(int(self), _NANO)
        whole = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{whole.rjust(19, '0')}{_fraction(nanos)}Z"

    def __repr__(self) -> str:
        return f"timestamp({str(self)!r})"


class Duration(int):
    """Elapsed time in nanoseconds."""

    __slots__ = ()

    @classmethod
    def of(cls, delta: timedelta) -> Duration:
        return cls(((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1000)

    @property
    def timedelta(self) -> timedelta:
        """As a timedelta; digits finer than a microsecond are cut off."""
        return timedelta(microseconds=self // 1000)

    def __str__(self) -> str:
        seconds, nanos = divmod(abs(int(self)), _NANO)
        fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
        return f"{'-' if self < 0 else ''}{seconds}{fraction}s"

    def __repr__(self) -> str:
        return f"duration({str(self)!r})"


def _fraction(nanos: int) -> str:
    return f".{nanos:09d}".rstrip("0") if nanos else ""


@frozen
class Optional:
    """A value that may be absent: cel-spec's ``optional_type``."""

    present: bool
    value: Any = None


NONE: Final = Optional(False)


@frozen
class TypeValue:
    """A type as a value: what ``type(x)`` gives."""

    name: str


_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    type(None): "null_type",
    Timestamp: "timestamp",
    Duration: "duration",
    Optional: "optional_type",
    TypeValue: "type",
}
_SHOW: dict[type, Callable[[Any], str]] = {}
_EQUAL: dict[type, Callable[[Any, Any], bool]] = {}


def register_type(
    python: type, name: str, show: Callable[[Any], str] = str, equal: Callable[[Any, Any], bool] | None = None
) -> None:
    """Let the language know a host's type: its class, its name, how a value of it reads, and when two
    are equal where that is not Python's ``==``."""
    _NAMES[python] = name
    _SHOW[python] = show
    if equal is not None:
        _EQUAL[python] = equal


def type_name(value: object) -> str:
    """The name of a value's type, ``dyn`` for what the language does not know."""
    return _NAMES.get(type(value), "dyn")


_NUMBERS = (int, UInt, float)


def equal(left: object, right: object) -> bool:
    """Equality as cel-spec has it: numbers across types by their exact value, no other type with another."""
    kind = type(left)
    if kind in _NUMBERS:
        # Python compares int with float exactly, and NaN with nothing.
        return type(right) in _NUMBERS and left == right
    if kind is not type(right):
        return False
    if isinstance(left, list):
        assert isinstance(right, list)
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        assert isinstance(right, dict)
        if len(left) != len(right):
            return False
        return all(key in right and equal(value, right[key]) for key, value in left.items())
    if isinstance(left, Optional):
        assert isinstance(right, Optional)
        return left.present == right.present and equal(left.value, right.value)
    special = _EQUAL.get(kind)
    return left == right if special is None else special(left, right)


# -- times as text -----------------------------------------------------------------------------------

_RFC3339 = r"(?a)(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))"
_UNITS = {"h": 3600 * _NANO, "m": 60 * _NANO, "s": _NANO, "ms": 1_000_000, "us": 1000, "µs": 1000, "ns": 1}
_DURATION = r"(?a)(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)"


def parse_timestamp(text: str) -> Timestamp:
    """RFC 3339 with an offset; digits finer than a nanosecond are cut off. Raises ValueError."""
    if len(text) == 20 and text[19] == "Z" and text[10] == "T" and text[4] == text[7] == "-" and text[5:7].isdigit():
        # The common form, read by the standard library in a tenth of the time; the rest says what is wrong.
        try:
            return Timestamp.of(datetime.fromisoformat(text))
        except ValueError:
            pass
    match = re.fullmatch(_RFC3339, text)
    if match is None:
        raise ValueError(f"`{text}` is not an RFC 3339 time with an offset, like 2024-03-10T08:00:00Z")
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    if second == 60:
        raise ValueError(f"`{text}`: leap seconds are not counted")
    try:
        delta = datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _EPOCH
    except ValueError as error:
        raise ValueError(f"`{text}`: {error}") from None
    nanos = (delta.days * 86_400 + delta.seconds) * _NANO + int(((match[7] or "") + "0" * 9)[:9])
    if match[9]:
        hours, minutes = int(match[10]), int(match[11])
        if hours > 23 or minutes > 59:
            raise ValueError(f"`{text}`: the offset is out of range")
        offset = (hours * 3600 + minutes * 60) * _NANO
        nanos += -offset if match[9] == "+" else offset
    if not TIMESTAMP_MIN <= nanos <= TIMESTAMP_MAX:
        raise ValueError(f"`{text}` is outside the years 1 to 9999")
    return Timestamp(nanos)


def parse_duration(text: str) -> Duration:
    """Units from hours to nanoseconds, as in ``1h30m``, ``-0.5s``. Raises ValueError."""
    body = text[1:] if text[:1] in ("-", "+") else text
    total = 0
    position = 0
    part = re.compile(_DURATION)
    while match := part.match(body, position):
        whole, _, fraction = match[1].partition(".")
        unit = _UNITS[match[2]]
        if len(whole) > 20 or len(fraction) > 30:
            break
        total += int(whole or "0") * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        position = match.end()
    if position != len(body) or (not position and body != "0"):
        raise ValueError(f"`{text}` is not a duration, like 1h30m or 3.5s")
    total = -total if text.startswith("-") else total
    if not -DURATION_MAX - 1 <= total <= DURATION_MAX:
        raise ValueError(f"`{text}` is out of range for a duration")
    return Duration(total)


# -- values for people -------------------------------------------------------------------------------


def show(value: object) -> str:
    """A value as an author would write it, for explanations."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'
    if isinstance(value, bytes):
        return f"b{show(value.decode('latin-1'))}"
    if isinstance(value, list):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{show(k)}: {show(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Optional):
        return f"optional.of({show(value.value)})" if value.present else "optional.none()"
    if isinstance(value, TypeValue):
        return value.name
    if isinstance(value, Timestamp | Duration):
        return str(value)
    return _SHOW.get(type(value), repr)(value)
