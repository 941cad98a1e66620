"""Counting on a calendar.

Calendar periods follow local dates and do not count the day they start on. They end with the last
microsecond of their last day, or at the same wall time of it where the calendar says so; local times
that do not exist or exist twice resolve like ``fold=0`` (PEP 495). All instants are aware datetimes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from policy_engine.calendars.calendar import Calendar
from policy_engine.calendars.period import Period

__all__ = ["add", "after", "end_of", "local_date", "skipped", "start_of", "subtract", "working_days"]

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
# A calendar on which no day is a working day must not make a count run for ever.
_MOST_DAYS = 366 * 400


def local_date(moment: datetime, calendar: Calendar) -> date:
    """The date that a calendar shows at an instant."""
    return moment.astimezone(calendar.zone).date()


def start_of(day: date, calendar: Calendar) -> datetime:
    """The first instant of a day."""
    return datetime.combine(day, time(), calendar.zone).astimezone(UTC)


def end_of(day: date, calendar: Calendar) -> datetime:
    """The last microsecond of a day."""
    return start_of(day + _DAY, calendar) - _TICK


def add(moment: datetime, period: Period, calendar: Calendar) -> datetime:
    """The due instant: the last instant at which the period that starts at ``moment`` still runs.

    Raises LookupError where the calendar does not know its holidays, OverflowError past the year 9999.
    """
    day = _last_day(local_date(moment, calendar), period, calendar, 1)
    return _same_time(moment, day, calendar) if calendar.ends == "same_time" else end_of(day, calendar)


def subtract(moment: datetime, period: Period, calendar: Calendar) -> datetime:
    """Counting back: the first instant of the day that the period reaches, not counting the day it starts on."""
    day = _last_day(local_date(moment, calendar), period, calendar, -1)
    return _same_time(moment, day, calendar) if calendar.ends == "same_time" else start_of(day, calendar)


def after(moment: datetime, period: Period, calendar: Calendar) -> datetime:
    """The first instant at which the period is over: the morning after its last day."""
    due = add(moment, period, calendar)
    return due if calendar.ends == "same_time" else due + _TICK


def skipped(moment: datetime, period: Period, calendar: Calendar) -> tuple[tuple[date, str], ...]:
    """The days that a count of working days passed over, each with why."""
    if period.unit != "working_day":
        return ()
    start = local_date(moment, calendar)
    last = _last_day(start, period, calendar, 1)
    days = (start + timedelta(days=n) for n in range(1, (last - start).days + 1))
    return tuple((day, why) for day in days if (why := calendar.why_closed(day)) is not None)


def working_days(first: date, last: date, calendar: Calendar) -> int:
    """How many working days lie after ``first``, up to and with ``last``; negative when it lies before."""
    if last < first:
        return -working_days(last, first, calendar)
    if (last - first).days > _MOST_DAYS:
        raise OverflowError("too many days to count")
    return sum(calendar.why_closed(first + timedelta(days=n)) is None for n in range(1, (last - first).days + 1))


def _same_time(moment: datetime, day: date, calendar: Calendar) -> datetime:
    wall = moment.astimezone(calendar.zone).time()
    return datetime.combine(day, wall.replace(fold=0), calendar.zone).astimezone(UTC)


def _last_day(start: date, period: Period, calendar: Calendar, step: int) -> date:
    count = period.count * step
    match period.unit:
        case "calendar_day":
            return start + timedelta(days=count)
        case "week":
            return start + timedelta(weeks=count)
        case "month":
            return _months_on(start, count)
        case "year":
            return _months_on(start, 12 * count)
        case "working_day":
            if period.count == 0:
                return start
            for number, day in enumerate(_open_days(start, calendar, step), 1):
                if number == period.count:
                    return day
    raise OverflowError(f"{period} do not end on calendar `{calendar.name}`")


def _months_on(start: date, months: int) -> date:
    """The same day so many months on; a month without that day ends on its last."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError("a date outside the years 1 to 9999")
    following = date(year + month // 11, (month + 1) % 12 + 1, 1) if (year, month) < (9999, 11) else date.max
    last = (following - _DAY).day if following != date.max else 31
    return date(year, month + 1, min(start.day, last))


def _open_days(start: date, calendar: Calendar, step: int) -> Iterator[date]:
    for distance in range(1, _MOST_DAYS):
        day = start + timedelta(days=distance * step)
        if calendar.why_closed(day) is None:
            yield day
