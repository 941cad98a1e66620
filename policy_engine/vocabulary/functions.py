"""Functions and operators beyond CEL: money, decimals, dates, counting on calendars, states.

Those that count on a calendar or ask where the case stands take the `Surroundings` of the evaluation;
everything else depends on its arguments alone.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from policy_engine.calendars import (
    Calendar,
    Period,
    add,
    after,
    end_of,
    local_date,
    parse_span,
    show_duration,
    start_of,
    subtract,
    working_days,
)
from policy_engine.cel.functions import STANDARD
from policy_engine.cel.library import Row
from policy_engine.cel.types import STRING, Type
from policy_engine.cel.values import Duration, Optional, Timestamp, register_type, show
from policy_engine.source import EvaluationError
from policy_engine.source.frozen import frozen
from policy_engine.vocabulary.dates import parse_date
from policy_engine.vocabulary.money import CONTEXT, Money, MoneyError, exactly, parse_decimal, parse_money

__all__ = ["LIBRARY", "Surroundings", "plain_text"]

T = TypeVar("T")

register_type(date, "date", date.isoformat)
register_type(Period, "period", str)


@frozen
class Surroundings:
    """What an evaluation stands in: its calendars by name, and the paths of the active states."""

    calendars: Mapping[str, Calendar]
    active: frozenset[str] = frozenset()


# -- counting ------------------------------------------------------------------------------------------


def _counted(
    count: Callable[[datetime, Period, Calendar], datetime],
) -> Callable[[Surroundings, Timestamp, Period], Timestamp]:
    def apply(around: Surroundings, moment: Timestamp, period: Period) -> Timestamp:
        return _instant(lambda: count(moment.datetime, period, around.calendars[period.calendar]))

    return apply


def _instant(compute: Callable[[], datetime]) -> Timestamp:
    return Timestamp.of(_on_calendar(compute))


def _on_calendar(compute: Callable[[], T]) -> T:
    try:
        return compute()
    except KeyError as error:
        raise EvaluationError("calendar.unknown", f"there is no calendar {error}") from None
    except LookupError as error:
        raise EvaluationError("calendar.unknown-holidays", str(error)) from None
    except (OverflowError, ValueError) as error:
        message = str(error) if "calendar" in str(error) else "the result is outside the years 1 to 9999"
        raise EvaluationError("cel.overflow", message) from None


def _default(around: Surroundings) -> Calendar:
    return around.calendars["default"]


def _day(around: Surroundings, moment: Timestamp | date) -> date:
    if not isinstance(moment, Timestamp):
        return moment
    return _on_calendar(lambda: local_date(moment.datetime, _default(around)))


def _working_days(around: Surroundings, first: Timestamp | date, last: Timestamp | date) -> int:
    return _on_calendar(lambda: working_days(_day(around, first), _day(around, last), _default(around)))


def _is_working_day(around: Surroundings, moment: Timestamp | date) -> bool:
    return _on_calendar(lambda: _default(around).why_closed(_day(around, moment)) is None)


def _in_state(around: Surroundings, name: str) -> bool:
    return name in around.active or any(path.endswith(f".{name}") for path in around.active)


# -- texts that become values --------------------------------------------------------------------------


def _read(reader: Callable[[str], T]) -> Callable[[str], T]:
    def read(text: str) -> T:
        try:
            return reader(text)
        except (MoneyError, ValueError) as error:
            raise EvaluationError("cel.bad-argument", str(error)) from None

    return read


def _date_of(text: str) -> date:
    return parse_date(text)


def _period_of(text: str) -> Period:
    span = parse_span(text)
    if isinstance(span, Period):
        return span
    raise ValueError(f"`{text}` is not a period on a calendar, like `2 working days`")


# -- order ---------------------------------------------------------------------------------------------

Ordered = Any


def _extreme(name: str, better: Callable[[Ordered, Ordered], bool]) -> Callable[..., Any]:
    def choose(*args: Any) -> Any:
        given = [arg for arg in args if not isinstance(arg, Optional) or arg.present]
        values = [arg.value if isinstance(arg, Optional) else arg for arg in given]
        optional = bool(args) and all(isinstance(arg, Optional) for arg in args)
        if not values:
            return Optional(False)
        best = values[0]
        for value in values[1:]:
            if better(*_comparable(value, best)):
                best = value
        return Optional(True, best) if optional else best

    choose.__name__ = name
    return choose


def _comparable(left: Ordered, right: Ordered) -> tuple[Ordered, Ordered]:
    return (left.amount, left.same(right)) if isinstance(left, Money) else (left, right)


_EXTREMES = [
    Row(f"{name}(maybe({kind})...) -> maybe({kind})", _extreme(name, better), meaning)
    for name, better, meaning in (
        ("latest", operator.gt, "the last in time; absent optionals are skipped"),
        ("earliest", operator.lt, "the first in time; absent optionals are skipped"),
        ("max", operator.gt, "the greatest; absent optionals are skipped"),
        ("min", operator.lt, "the least; absent optionals are skipped"),
    )
    for kind in ("timestamp", "date", "duration", "money", "decimal", "int", "uint", "double", "string")
]

_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def _money_order(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[Money, Money], bool]:
    return lambda left, right: compare(left.amount, left.same(right))


def _ordering() -> list[Row]:
    rows = []
    for symbol, compare in _ORDER.items():
        rows.append(Row(f"_{symbol}_(money, money) -> bool", _money_order(compare), "order, in one currency"))
        rows.append(Row(f"_{symbol}_(date, date) -> bool", compare, "order"))
        for left, right in (("decimal", "decimal"), ("decimal", "int"), ("int", "decimal")):
            rows.append(Row(f"_{symbol}_({left}, {right}) -> bool", compare, "order by exact value"))
    return rows


# -- arithmetic ----------------------------------------------------------------------------------------


def _decimals() -> list[Row]:
    operations = (
        ("+", CONTEXT.add, "sum"),
        ("-", CONTEXT.subtract, "difference"),
        ("*", CONTEXT.multiply, "product"),
        ("/", CONTEXT.divide, "quotient, to 34 digits"),
    )
    rows = []
    for symbol, compute, meaning in operations:
        for left, right in (("decimal", "decimal"), ("decimal", "int"), ("int", "decimal")):
            rows.append(Row(f"_{symbol}_({left}, {right}) -> decimal", _exact(compute), meaning))
    rows.append(Row("-_(decimal) -> decimal", CONTEXT.minus, "negation"))
    return rows


def _exact(compute: Callable[..., Decimal]) -> Callable[[Any, Any], Decimal]:
    return lambda left, right: exactly(lambda: compute(left, right))


def _scaled(compute: Callable[..., Decimal]) -> Callable[[Money, Any], Money]:
    return lambda money, factor: Money(money.currency, exactly(lambda: compute(money.amount, factor)))


def _together(compute: Callable[..., Decimal]) -> Callable[[Money, Money], Money]:
    return lambda left, right: Money(left.currency, exactly(lambda: compute(left.amount, left.same(right))))


_MONEY = [
    Row("_+_(money, money) -> money", _together(CONTEXT.add), "sum, in one currency"),
    Row("_-_(money, money) -> money", _together(CONTEXT.subtract), "difference, in one currency"),
    Row("-_(money) -> money", lambda m: Money(m.currency, CONTEXT.minus(m.amount)), "negation"),
    *(
        Row(f"_{symbol}_(money, {kind}) -> money", _scaled(compute), meaning)
        for symbol, compute, meaning in (
            ("*", CONTEXT.multiply, "so many times the amount"),
            ("/", CONTEXT.divide, "that part of the amount, to 34 digits until rounded"),
        )
        for kind in ("int", "decimal")
    ),
    *(
        Row(f"_*_({kind}, money) -> money", lambda f, m: _scaled(CONTEXT.multiply)(m, f), "so many times the amount")
        for kind in ("int", "decimal")
    ),
    Row("(money).round() -> money", Money.rounded, "to the currency's minor unit, half to even"),
    Row("money(string) -> money", _read(parse_money), "as in `USD 12.50`"),
    Row("money(string, decimal) -> money", lambda c, a: Money(_read(parse_money)(f"{c} 0").currency, a), "an amount"),
    Row("string(money) -> string", str, "as in `USD 12.50`"),
    Row("decimal(string) -> decimal", _read(parse_decimal), "decimal digits, exact"),
    Row("decimal(int) -> decimal", Decimal, "the same number, exact"),
    Row("decimal(decimal) -> decimal", lambda d: d, "the same"),
    Row("string(decimal) -> string", lambda d: f"{d:f}", "its digits"),
]

_TIME = [
    Row("_+_(timestamp, period) -> timestamp", _counted(add), "the due instant: the last at which it runs", True),
    Row(
        "_-_(timestamp, period) -> timestamp", _counted(subtract), "the first instant of the day counted back to", True
    ),
    Row("after(timestamp, period) -> timestamp", _counted(after), "the first instant at which it is over", True),
    Row(
        "after(timestamp, duration) -> timestamp",
        lambda t, d: STANDARD.call("_+_", False, (t, d), None),
        "the first instant at which it is over",
    ),
    Row("period(string) -> period", _read(_period_of), "as in `2 working days on platform`"),
    Row("period(period) -> period", lambda p: p, "the same"),
    Row("string(period) -> string", str, "as it is written"),
    Row("date(timestamp) -> date", _day, "the date in the default calendar", True),
    Row("date(string) -> date", _read(_date_of), "as in `2024-03-10`"),
    Row("string(date) -> string", date.isoformat, "as in `2024-03-10`"),
    Row(
        "start_of(date) -> timestamp",
        lambda around, d: _instant(lambda: start_of(d, _default(around))),
        "the first instant of a day in the default calendar",
        True,
    ),
    Row(
        "end_of(date) -> timestamp",
        lambda around, d: _instant(lambda: end_of(d, _default(around))),
        "the last microsecond of a day in the default calendar",
        True,
    ),
    *(
        Row(
            f"working_days({kind}, {kind}) -> int",
            _working_days,
            "how many working days lie after the first, up to and with the second",
            True,
        )
        for kind in ("timestamp", "date")
    ),
    *(
        Row(f"is_working_day({kind}) -> bool", _is_working_day, "whether the default calendar works that day", True)
        for kind in ("timestamp", "date")
    ),
    Row("in_state(string) -> bool", _in_state, "whether that state is active", True),
]


def _decimal_literal(text: str) -> Decimal:
    """The exact decimal that a number is written as, ``1e-2`` too. Raises ValueError where 34 digits do not hold it."""
    value = Decimal(int(text, 16)) if text[:2].lower() == "0x" else Decimal(text)
    if len(value.as_tuple().digits) > CONTEXT.prec or not -40 < value.adjusted() < 40:
        raise ValueError(f"`{text}` has more digits than a decimal holds (34)")
    return value


_DECIMAL_TYPE = Type("decimal")

LIBRARY = STANDARD.extended(
    [*_EXTREMES, *_ordering(), *_decimals(), *_MONEY, *_TIME],
    literals={("double", "decimal"): _decimal_literal, ("int", "decimal"): _decimal_literal},
    fields={"money": {"amount": (_DECIMAL_TYPE, lambda m: m.amount), "currency": (STRING, lambda m: m.currency)}},
)


def plain_text(value: Any) -> str:
    """A value as it reads inside a sentence."""
    if isinstance(value, str):
        return value
    if isinstance(value, Duration):
        return show_duration(value.timedelta)
    return show(value)
