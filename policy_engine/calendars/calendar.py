"""A calendar: a time zone, the days that are no working days, and how a period ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

from policy_engine.source.frozen import frozen

__all__ = ["WEEKDAYS", "Calendar", "DayRule", "Holidays", "zone"]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name. Raises ValueError for an unknown one."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"`{name}` is not a time zone of the IANA database") from None


@frozen
class DayRule:
    """Days from ``first`` to ``last``, both included; ``yearly`` repeats their months and days."""

    first: date
    last: date
    yearly: bool = False
    why: str = ""

    def covers(self, day: date) -> bool:
        if not self.yearly:
            return self.first <= day <= self.last
        first, last = (self.first.month, self.first.day), (self.last.month, self.last.day)
        mark = (day.month, day.day)
        # A range that runs over New Year has its end before its start.
        return first <= mark <= last if first <= last else mark >= first or mark <= last


@frozen
class Holidays:
    """A country's public holidays, resolved: the years they are known for, the days (``2014-10-01``) and
    their names, and the weekend days on which work is made up. Texts, so that a stored table is as good as
    a fresh one."""

    first_year: int
    last_year: int
    days: Mapping[str, str]
    made_up: frozenset[str] = frozenset()


@frozen
class Calendar:
    """``ends``: a period ends with the last microsecond of its last day, or at the ``same_time`` of it."""

    name: str
    timezone: str = "UTC"
    weekend: frozenset[int] = frozenset({5, 6})
    holidays: Holidays | None = None
    closed: tuple[DayRule, ...] = ()
    opened: tuple[DayRule, ...] = ()
    ends: Literal["day", "same_time"] = "day"

    @property
    def zone(self) -> ZoneInfo:
        return zone(self.timezone)

    def why_closed(self, day: date) -> str | None:
        """Why a day is no working day, None where it is one. Raises LookupError for a year whose
        holidays are not known: a count over it would be a guess."""
        for rule in self.opened:
            if rule.covers(day):
                return None
        for rule in self.closed:
            if rule.covers(day):
                return rule.why or "closed"
        holidays = self.holidays
        if holidays is not None:
            if not holidays.first_year <= day.year <= holidays.last_year:
                raise LookupError(
                    f"the holidays of {day.year} are not known on calendar `{self.name}` "
                    f"({holidays.first_year} to {holidays.last_year} are)"
                )
            text = day.isoformat()
            if text in holidays.days:
                return holidays.days[text]
            if text in holidays.made_up:
                return None
        return day.strftime("%A") if day.weekday() in self.weekend else None
