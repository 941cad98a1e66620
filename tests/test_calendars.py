"""Counting: worked dates, boundaries to the microsecond, and a naive count to hold the quick one against."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_engine.calendars import (
    Calendar,
    DayRule,
    Period,
    add,
    after,
    end_of,
    local_date,
    parse_span,
    show_duration,
    skipped,
    start_of,
    subtract,
    working_days,
)
from policy_engine.calendars.holiday_library import national_holidays

LA = Calendar("default", "America/Los_Angeles")
SHANGHAI = Calendar("platform", "Asia/Shanghai")
TICK = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "span", "calendar", "due"),
    [
        # Two working days from a Saturday are Monday and Tuesday.
        ("2014-03-08T12:00:00+08:00", "2 working days", SHANGHAI, "2014-03-11T23:59:59.999999+08:00"),
        ("2014-03-07T23:59:59+08:00", "1 working day", SHANGHAI, "2014-03-10T23:59:59.999999+08:00"),
        ("2014-03-10T00:00:00+08:00", "1 working day", SHANGHAI, "2014-03-11T23:59:59.999999+08:00"),
        # The day it starts on is not counted, whatever the hour.
        ("2014-03-10T23:59:59-07:00", "5 calendar days", LA, "2014-03-15T23:59:59.999999-07:00"),
        ("2014-03-10T00:00:00-07:00", "5 calendar days", LA, "2014-03-15T23:59:59.999999-07:00"),
        # Days have 23 and 25 hours.
        ("2014-03-08T12:00:00-08:00", "1 calendar day", LA, "2014-03-09T23:59:59.999999-07:00"),
        ("2014-11-01T12:00:00-07:00", "1 calendar day", LA, "2014-11-02T23:59:59.999999-08:00"),
        # A month without that day ends on its last day.
        ("2024-01-31T12:00:00-08:00", "1 month", LA, "2024-02-29T23:59:59.999999-08:00"),
        ("2023-01-31T12:00:00-08:00", "1 month", LA, "2023-02-28T23:59:59.999999-08:00"),
        ("2024-02-29T12:00:00-08:00", "1 year", LA, "2025-02-28T23:59:59.999999-08:00"),
        ("2023-12-31T12:00:00-08:00", "2 months", LA, "2024-02-29T23:59:59.999999-08:00"),
        ("2024-03-01T12:00:00-08:00", "2 weeks", LA, "2024-03-15T23:59:59.999999-07:00"),
        # The local date decides, not the date in UTC.
        ("2014-03-10T23:30:00+00:00", "1 calendar day", SHANGHAI, "2014-03-12T23:59:59.999999+08:00"),
        ("2014-03-10T00:00:00+00:00", "0 calendar days", SHANGHAI, "2014-03-10T23:59:59.999999+08:00"),
    ],
)
def test_due(start: str, span: str, calendar: Calendar, due: str) -> None:
    period = parse_span(span)
    assert isinstance(period, Period)
    assert add(at(start), period, calendar) == at(due)
    assert after(at(start), period, calendar) == at(due) + TICK


def test_the_same_time_of_the_last_day() -> None:
    calendar = Calendar("same", "America/Los_Angeles", ends="same_time")
    start = at("2014-03-08T02:30:00-08:00")
    # 02:30 does not exist on 9 March: it resolves like fold=0, with the offset before the change.
    assert add(start, Period(1, "calendar_day"), calendar) == at("2014-03-09T02:30:00-08:00")
    assert add(start, Period(2, "calendar_day"), calendar) == at("2014-03-10T02:30:00-07:00")
    assert after(start, Period(2, "calendar_day"), calendar) == at("2014-03-10T02:30:00-07:00")
    assert subtract(at("2014-03-31T02:30:00-07:00"), Period(1, "month"), calendar) == at("2014-02-28T02:30:00-08:00")


def test_days_that_start_late() -> None:
    # In São Paulo there was no midnight on 4 November 2018: the day began at 1.
    brazil = Calendar("br", "America/Sao_Paulo")
    assert start_of(date(2018, 11, 4), brazil) == at("2018-11-04T03:00:00+00:00")
    assert end_of(date(2018, 11, 3), brazil) == at("2018-11-04T02:59:59.999999+00:00")


def test_closed_and_open_days() -> None:
    calendar = Calendar(
        "c",
        "UTC",
        closed=(
            DayRule(date(2020, 3, 2), date(2020, 3, 3), why="stocktaking"),
            DayRule(date(2000, 12, 30), date(2000, 1, 1), yearly=True, why="new year"),
        ),
        opened=(DayRule(date(2020, 3, 1), date(2020, 3, 1), why="made up"),),
    )
    assert calendar.why_closed(date(2020, 3, 1)) is None  # a Sunday
    assert calendar.why_closed(date(2020, 3, 2)) == "stocktaking"
    assert calendar.why_closed(date(2021, 12, 31)) == calendar.why_closed(date(2025, 1, 1)) == "new year"
    assert calendar.why_closed(date(2021, 12, 29)) is None
    days = skipped(at("2020-02-28T12:00:00+00:00"), Period(2, "working_day"), calendar)
    assert [(day.isoformat(), why) for day, why in days] == [
        ("2020-02-29", "Saturday"),
        ("2020-03-02", "stocktaking"),
        ("2020-03-03", "stocktaking"),
    ]


def test_holidays_of_a_country() -> None:
    china = Calendar("cn", "Asia/Shanghai", holidays=national_holidays("CN"))
    assert china.why_closed(date(2014, 10, 1)) == "National Day"
    assert china.why_closed(date(2014, 9, 28)) is None  # a Sunday on which work is made up
    assert china.why_closed(date(2014, 9, 27)) == "Saturday"
    with pytest.raises(LookupError, match="the holidays of 1900 are not known"):
        china.why_closed(date(1900, 1, 1))
    bavaria = Calendar("by", "Europe/Berlin", holidays=national_holidays("DE", "BY"))
    berlin = Calendar("be", "Europe/Berlin", holidays=national_holidays("DE", "BE"))
    assert bavaria.why_closed(date(2020, 1, 6)) is not None
    assert berlin.why_closed(date(2020, 1, 6)) is None
    for country, subdivision in (("XX", None), ("DE", "ZZ")):
        with pytest.raises(ValueError, match=r"`(XX|ZZ)` is not a"):
            national_holidays(country, subdivision)


def test_a_calendar_without_working_days_ends_the_count() -> None:
    never = Calendar("never", "UTC", weekend=frozenset(range(7)))
    with pytest.raises(OverflowError, match="do not end on calendar `never`"):
        add(at("2020-01-01T00:00:00+00:00"), Period(1, "working_day"), never)


CALENDARS = st.builds(
    lambda zone, weekend, closed, opened: Calendar(
        "random",
        zone,
        frozenset(weekend),
        closed=tuple(DayRule(d, d) for d in closed),
        opened=tuple(DayRule(d, d) for d in opened),
    ),
    st.sampled_from(["UTC", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Apia", "Europe/Berlin"]),
    st.sets(st.integers(0, 6), max_size=3),
    st.lists(st.dates(date(2011, 12, 1), date(2012, 3, 1)), max_size=20),
    st.lists(st.dates(date(2011, 12, 1), date(2012, 3, 1)), max_size=5),
)
MOMENTS = st.datetimes(datetime(2011, 12, 15), datetime(2012, 2, 1), timezones=st.just(UTC))


@given(CALENDARS, MOMENTS, st.integers(0, 15))
def test_working_days_against_a_naive_count(calendar: Calendar, start: datetime, count: int) -> None:
    day, left = local_date(start, calendar), count
    first = day
    while left:
        day += timedelta(days=1)
        left -= calendar.why_closed(day) is None
    assert add(start, Period(count, "working_day"), calendar) == end_of(day, calendar)
    assert working_days(first, day, calendar) == count
    assert working_days(day, first, calendar) == -count


PERIODS = st.builds(
    Period, st.integers(0, 20), st.sampled_from(["calendar_day", "working_day", "week", "month", "year"])
)


@given(CALENDARS, MOMENTS, MOMENTS, PERIODS)
def test_a_later_start_is_never_due_earlier(
    calendar: Calendar, first: datetime, second: datetime, period: Period
) -> None:
    first, second = sorted((first, second))
    assert first <= add(first, period, calendar) <= add(second, period, calendar)


@given(st.integers(0, 10**7))
def test_elapsed_time_reads_back(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    text = show_duration(span)
    assert parse_span(text) == span


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("P5D", "`5 days` .* or `5 calendar days`"),
        ("P1M", "`1 months`"),
        ("5 days on platform", "needs no calendar"),
        ("999999999 days", "longer than"),
        ("999999 working days", "longer than"),
    ],
)
def test_spans_that_say_too_little(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_span(text)


@pytest.mark.parametrize(
    "text", ["", "days", "5", "5days", "five days", "-5 days", "5 fortnights", "PT", "P", "5 days 3"]
)
def test_texts_that_are_no_spans(text: str) -> None:
    assert parse_span(text) is None
