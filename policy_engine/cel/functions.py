"""The standard library of the language: one row an overload (cel-spec, "List of standard definitions")."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from policy_engine.cel.library import Library, Row
from policy_engine.cel.values import (
    DURATION_MAX,
    INT_MAX,
    INT_MIN,
    NONE,
    TIMESTAMP_MAX,
    TIMESTAMP_MIN,
    UINT_MAX,
    Duration,
    Optional,
    Timestamp,
    TypeValue,
    UInt,
    parse_duration,
    parse_timestamp,
    type_name,
)
from policy_engine.source import EvaluationError

__all__ = ["SPECIAL_FORMS", "STANDARD"]


def _fail(code: str, message: str) -> EvaluationError:
    return EvaluationError(f"cel.{code}", message)


# -- ranges --------------------------------------------------------------------------------------------


def _int(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise _fail("overflow", "the result does not fit a 64-bit int")


def _uint(value: int) -> UInt:
    if 0 <= value <= UINT_MAX:
        return UInt(value)
    raise _fail("overflow", "the result does not fit a 64-bit uint")


def _timestamp(value: int) -> Timestamp:
    if TIMESTAMP_MIN <= value <= TIMESTAMP_MAX:
        return Timestamp(value)
    raise _fail("overflow", "the result is outside the years 1 to 9999")


def _duration(value: int) -> Duration:
    if -DURATION_MAX - 1 <= value <= DURATION_MAX:
        return Duration(value)
    raise _fail("overflow", "the result is out of range for a duration")


# -- arithmetic ----------------------------------------------------------------------------------------


def _quotient(left: int, right: int) -> int:
    """Division that truncates toward zero, as CEL's does and Python's does not."""
    if right == 0:
        raise _fail("division-by-zero", "division by zero")
    result = abs(int(left)) // abs(int(right))
    return result if (left < 0) == (right < 0) else -result


def _remainder(left: int, right: int) -> int:
    if right == 0:
        raise _fail("division-by-zero", "remainder of a division by zero")
    return int(left) - int(right) * _quotient(left, right)


def _divide_double(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _arithmetic() -> list[Row]:
    ranged: list[tuple[str, Callable[[int], Any]]] = [("int", _int), ("uint", _uint)]
    rows: list[Row] = []
    for name, fit in ranged:
        operations: list[tuple[str, Callable[[int, int], int], str]] = [
            ("+", lambda a, b: int(a) + int(b), "sum"),
            ("-", lambda a, b: int(a) - int(b), "difference"),
            ("*", lambda a, b: int(a) * int(b), "product"),
            ("/", _quotient, "quotient, truncated toward zero"),
            ("%", _remainder, "remainder, with the sign of the left side"),
        ]
        for symbol, function, meaning in operations:
            rows.append(
                Row(
                    f"_{symbol}_({name}, {name}) -> {name}",
                    _ranged(fit, function),
                    f"{meaning}; error on overflow",
                )
            )
    rows += [
        Row("_+_(double, double) -> double", operator.add, "sum"),
        Row("_-_(double, double) -> double", operator.sub, "difference"),
        Row("_*_(double, double) -> double", operator.mul, "product"),
        Row("_/_(double, double) -> double", _divide_double, "quotient; by zero infinite or NaN"),
        Row("-_(int) -> int", lambda a: _int(-a), "negation; error on overflow"),
        Row("-_(double) -> double", operator.neg, "negation"),
        Row("_+_(string, string) -> string", operator.add, "the two joined"),
        Row("_+_(bytes, bytes) -> bytes", operator.add, "the two joined"),
        Row("_+_(list(A), list(A)) -> list(A)", operator.add, "the two joined"),
        Row(
            "_+_(timestamp, duration) -> timestamp",
            lambda t, d: _timestamp(int(t) + int(d)),
            "that much later",
        ),
        Row(
            "_+_(duration, timestamp) -> timestamp",
            lambda d, t: _timestamp(int(t) + int(d)),
            "that much later",
        ),
        Row("_+_(duration, duration) -> duration", lambda a, b: _duration(int(a) + int(b)), "sum"),
        Row(
            "_-_(timestamp, timestamp) -> duration",
            lambda a, b: _duration(int(a) - int(b)),
            "time between the two",
        ),
        Row(
            "_-_(timestamp, duration) -> timestamp",
            lambda t, d: _timestamp(int(t) - int(d)),
            "that much earlier",
        ),
        Row("_-_(duration, duration) -> duration", lambda a, b: _duration(int(a) - int(b)), "difference"),
        Row("!_(bool) -> bool", operator.not_, "the opposite"),
    ]
    return rows


def _ranged(fit: Callable[[int], Any], function: Callable[[int, int], int]) -> Callable[[int, int], Any]:
    return lambda left, right: fit(function(left, right))


def _ordering() -> list[Row]:
    symbols = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
    same = ("bool", "string", "bytes", "timestamp", "duration")
    numbers = ("int", "uint", "double")
    pairs = [(kind, kind) for kind in same] + [(left, right) for left in numbers for right in numbers]
    return [
        Row(
            f"_{symbol}_({left}, {right}) -> bool",
            function,
            "order; numbers by their exact value across types",
        )
        for symbol, function in symbols.items()
        for left, right in pairs
    ]


# -- conversions ---------------------------------------------------------------------------------------


def _int_of_double(value: float) -> int:
    # The bounds themselves are not exact as doubles, so cel-spec leaves them out.
    if not -(2.0**63) < value < 2.0**63:
        raise _fail("overflow", f"{value} does not fit a 64-bit int")
    return int(value)


def _uint_of_double(value: float) -> UInt:
    if not 0 <= value < 2.0**64:
        raise _fail("overflow", f"{value} does not fit a 64-bit uint")
    return UInt(int(value))


_DIGITS = r"(?a)[+-]?[0-9]{1,40}"
_FLOAT = (
    r"(?ai)[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]{1,6})?"
    r"|[+-]?(?:inf|infinity)|nan"
)


def _int_of_string(text: str) -> int:
    if re.fullmatch(_DIGITS, text):
        return _int(int(text))
    raise _fail("bad-argument", f"`{text}` is not an int")


def _uint_of_string(text: str) -> UInt:
    if re.fullmatch(_DIGITS, text) and text[0] != "-":
        return _uint(int(text))
    raise _fail("bad-argument", f"`{text}` is not a uint")


def _double_of_string(text: str) -> float:
    if len(text) <= 400 and re.fullmatch(_FLOAT, text):
        return float(text)
    raise _fail("bad-argument", f"`{text}` is not a double")


_BOOLS = {
    **dict.fromkeys(("1", "t", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "false", "FALSE", "False"), False),
}


def _bool_of_string(text: str) -> bool:
    if text in _BOOLS:
        return _BOOLS[text]
    raise _fail("bad-argument", f"`{text}` is not a bool")


def _string_of_bytes(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise _fail("bad-argument", "the bytes are not UTF-8") from None


def string_of_double(value: float) -> str:
    """The shortest decimal that reads back the same; whole numbers without a point, as cel-go writes them."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        return f"{mantissa.removesuffix('.0')}e{exponent[0] if exponent[0] == '-' else '+'}{exponent.lstrip('+-'):0>2}"
    return text.removesuffix(".0")


def _timestamp_of_string(text: str) -> Timestamp:
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise _fail("bad-argument", str(error)) from None


def _duration_of_string(text: str) -> Duration:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise _fail("bad-argument", str(error)) from None


def _type_of(value: object) -> TypeValue:
    name = type_name(value)
    return TypeValue({"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}.get(name, name))


_CONVERSIONS = [
    Row("int(int) -> int", lambda v: v, "the same"),
    Row("int(uint) -> int", lambda v: _int(int(v)), "the same number; error on overflow"),
    Row("int(double) -> int", _int_of_double, "cut toward zero; error on overflow"),
    Row("int(string) -> int", _int_of_string, "decimal digits, with an optional sign"),
    Row("int(timestamp) -> int", lambda v: int(v) // 1_000_000_000, "seconds since 1970"),
    Row("uint(uint) -> uint", lambda v: v, "the same"),
    Row("uint(int) -> uint", lambda v: _uint(v), "the same number; error when negative"),
    Row("uint(double) -> uint", _uint_of_double, "cut toward zero; error on overflow"),
    Row("uint(string) -> uint", _uint_of_string, "decimal digits"),
    Row("double(double) -> double", lambda v: v, "the same"),
    Row("double(int) -> double", float, "the nearest double"),
    Row("double(uint) -> double", float, "the nearest double"),
    Row("double(string) -> double", _double_of_string, "a decimal number"),
    Row("string(string) -> string", lambda v: v, "the same"),
    Row("string(int) -> string", lambda v: str(int(v)), "decimal digits"),
    Row("string(uint) -> string", lambda v: str(int(v)), "decimal digits"),
    Row("string(double) -> string", string_of_double, "the shortest decimal that reads back the same"),
    Row("string(bool) -> string", lambda v: "true" if v else "false", "`true` or `false`"),
    Row("string(bytes) -> string", _string_of_bytes, "UTF-8 decoded; error where it is not UTF-8"),
    Row("string(timestamp) -> string", str, "RFC 3339, in UTC"),
    Row("string(duration) -> string", str, "seconds, as in `100s`"),
    Row("bytes(bytes) -> bytes", lambda v: v, "the same"),
    Row("bytes(string) -> bytes", lambda v: v.encode(), "UTF-8 encoded"),
    Row("bool(bool) -> bool", lambda v: v, "the same"),
    Row("bool(string) -> bool", _bool_of_string, "`true`, `false`, `t`, `f`, `1`, `0`"),
    Row("timestamp(timestamp) -> timestamp", lambda v: v, "the same"),
    Row("timestamp(string) -> timestamp", _timestamp_of_string, "RFC 3339 with an offset"),
    Row("timestamp(int) -> timestamp", lambda v: _timestamp(v * 1_000_000_000), "seconds since 1970"),
    Row("duration(duration) -> duration", lambda v: v, "the same"),
    Row("duration(string) -> duration", _duration_of_string, "as in `1h30m` or `3.5s`"),
    Row("dyn(A) -> dyn", lambda v: v, "the same value, with its type forgotten"),
    Row("type(A) -> type(A)", _type_of, "the type of a value"),
]

# -- strings, sizes ------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _pattern(text: str) -> Any:
    import re2  # linear time; costs more to call than `re`, and no pattern can make it hang

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options=options)
    except re2.error as error:
        detail = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise _fail("bad-argument", f"`{text}` is not a regular expression: {detail}") from None


def _matches(text: str, pattern: str) -> bool:
    return _pattern(pattern).search(text) is not None


_STRINGS = [
    Row("size(string) -> int", len, "how many code points"),
    Row("size(bytes) -> int", len, "how many bytes"),
    Row("size(list(A)) -> int", len, "how many elements"),
    Row("size(map(A, B)) -> int", len, "how many entries"),
    Row("(string).size() -> int", len, "how many code points"),
    Row("(bytes).size() -> int", len, "how many bytes"),
    Row("(list(A)).size() -> int", len, "how many elements"),
    Row("(map(A, B)).size() -> int", len, "how many entries"),
    Row("(string).contains(string) -> bool", lambda s, part: part in s, "whether it has that part"),
    Row("(string).startsWith(string) -> bool", str.startswith, "whether it begins so"),
    Row("(string).endsWith(string) -> bool", str.endswith, "whether it ends so"),
    Row("(string).matches(string) -> bool", _matches, "whether an RE2 pattern occurs in it"),
    Row("matches(string, string) -> bool", _matches, "whether an RE2 pattern occurs in it"),
]

# -- times ---------------------------------------------------------------------------------------------

_OFFSET = r"(?a)([+-]?)(\d\d):(\d\d)"


def _local(moment: Timestamp, zone: str) -> datetime:
    from datetime import timedelta, timezone
    from zoneinfo import ZoneInfo

    try:
        if match := re.fullmatch(_OFFSET, zone):
            delta = timedelta(hours=int(match[2]), minutes=int(match[3]))
            return moment.datetime.astimezone(timezone(-delta if match[1] == "-" else delta))
        return moment.datetime.astimezone(ZoneInfo(zone))
    except OverflowError:
        raise _fail("overflow", "the local time is outside the years 1 to 9999") from None
    except (OSError, ValueError, KeyError):
        raise _fail("bad-argument", f"`{zone}` is not a time zone") from None


_PARTS: list[tuple[str, Callable[[datetime], int], str]] = [
    ("getFullYear", lambda t: t.year, "the year"),
    ("getMonth", lambda t: t.month - 1, "the month, from 0"),
    ("getDate", lambda t: t.day, "the day of the month, from 1"),
    ("getDayOfMonth", lambda t: t.day - 1, "the day of the month, from 0"),
    ("getDayOfWeek", lambda t: t.isoweekday() % 7, "the day of the week, Sunday is 0"),
    ("getDayOfYear", lambda t: t.timetuple().tm_yday - 1, "the day of the year, from 0"),
    ("getHours", lambda t: t.hour, "the hour, 0 to 23"),
    ("getMinutes", lambda t: t.minute, "the minute, 0 to 59"),
    ("getSeconds", lambda t: t.second, "the second, 0 to 59"),
    ("getMilliseconds", lambda t: t.microsecond // 1000, "the millisecond, 0 to 999"),
]


def _part(read: Callable[[datetime], int]) -> tuple[Callable[..., int], Callable[..., int]]:
    return (lambda t: read(t.datetime)), (lambda t, zone: read(_local(t, zone)))


def _times() -> list[Row]:
    rows: list[Row] = []
    for name, read, meaning in _PARTS:
        utc, local = _part(read)
        rows.append(Row(f"(timestamp).{name}() -> int", utc, f"{meaning}, in UTC"))
        rows.append(Row(f"(timestamp).{name}(string) -> int", local, f"{meaning}, in a time zone"))
    second = 1_000_000_000
    for name, unit, meaning in (
        ("getHours", 3600 * second, "whole hours"),
        ("getMinutes", 60 * second, "whole minutes"),
        ("getSeconds", second, "whole seconds"),
    ):
        rows.append(Row(f"(duration).{name}() -> int", _whole(unit), meaning))
    rows.append(
        Row(
            "(duration).getMilliseconds() -> int",
            lambda d: _quotient(d, 1_000_000) % 1000,
            "milliseconds of the second",
        )
    )
    return rows


def _whole(unit: int) -> Callable[[Duration], int]:
    return lambda duration: _quotient(duration, unit)


# -- optionals -----------------------------------------------------------------------------------------


def _value(optional: Optional) -> Any:
    if optional.present:
        return optional.value
    raise _fail("no-value", "the optional has no value")


_ZEROES = (None, False, 0, 0.0, "", b"")


def _of_non_zero(value: Any) -> Optional:
    empty = value in _ZEROES if not isinstance(value, list | dict) else not value
    return NONE if empty else Optional(True, value)


_OPTIONALS = [
    Row("optional.of(A) -> optional_type(A)", lambda v: Optional(True, v), "an optional with a value"),
    Row("optional.none() -> optional_type(A)", lambda: NONE, "an optional without a value"),
    Row("optional.ofNonZeroValue(A) -> optional_type(A)", _of_non_zero, "none for zero and empty values"),
    Row("(optional_type(A)).hasValue() -> bool", lambda o: o.present, "whether there is a value"),
    Row("(optional_type(A)).value() -> A", _value, "the value; error where there is none"),
    Row(
        "(optional_type(A)).or(optional_type(A)) -> optional_type(A)",
        lambda a, b: a if a.present else b,
        "the first with a value",
    ),
    Row(
        "(optional_type(A)).orValue(A) -> A",
        lambda o, v: o.value if o.present else v,
        "the value, or another instead",
    ),
]

STANDARD = Library([*_arithmetic(), *_ordering(), *_CONVERSIONS, *_STRINGS, *_times(), *_OPTIONALS])


def _never(*_args: object) -> object:
    raise AssertionError("special forms are evaluated by the evaluators themselves")


# What the evaluators do themselves, because not every argument is always evaluated or any type fits.
SPECIAL_FORMS = Library(
    Row(signature, _never, meaning)
    for signature, meaning in (
        ("_||_(bool, bool) -> bool", "either; an error yields to a true side"),
        ("_&&_(bool, bool) -> bool", "both; an error yields to a false side"),
        ("_?_:_(bool, A, A) -> A", "the second or the third, by the first"),
        ("_==_(A, A) -> bool", "equality; numbers by their exact value across types"),
        ("_!=_(A, A) -> bool", "inequality"),
        ("@in(A, list(A)) -> bool", "whether an element equals it"),
        ("@in(A, map(A, B)) -> bool", "whether a key equals it"),
        ("_[_](list(A), int) -> A", "the element at an index from 0; error outside"),
        ("_[_](map(A, B), A) -> B", "the value at a key; error where there is none"),
        ("_[_](optional_type(list(A)), int) -> optional_type(A)", "the same behind an optional"),
        ("_[_](optional_type(map(A, B)), A) -> optional_type(B)", "the same behind an optional"),
        ("_[?_](list(A), int) -> optional_type(A)", "the element, or none"),
        ("_[?_](map(A, B), A) -> optional_type(B)", "the value, or none"),
        ("_[?_](optional_type(list(A)), int) -> optional_type(A)", "the element, or none"),
        ("_[?_](optional_type(map(A, B)), A) -> optional_type(B)", "the value, or none"),
    )
)
