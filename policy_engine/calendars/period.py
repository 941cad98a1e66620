"""Spans of time as rules write them: elapsed time, or periods that count on a calendar."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final, Literal

from policy_engine.source.frozen import frozen

__all__ = ["Period", "Unit", "parse_span", "show_duration"]

Unit = Literal["calendar_day", "working_day", "week", "month", "year"]
_WORDS: Final[dict[Unit, str]] = {
    "calendar_day": "calendar day",
    "working_day": "working day",
    "week": "week",
    "month": "month",
    "year": "year",
}
_UNITS: Final[dict[str, Unit]] = {word: unit for unit, word in _WORDS.items()}
_ELAPSED: Final = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}
_MOST: Final = 100_000
_LONGEST: Final = 9_000_000_000  # seconds: what a signed 64-bit count of nanoseconds holds, and some room
_SPAN: Final = (
    r"(?a)(?P<count>\d{1,10}) (?P<unit>(?:calendar |working )?[a-z]+?)s?"
    r"(?: on (?P<calendar>[A-Za-z_][A-Za-z0-9_]*))?"
)
_ISO_TIME: Final = r"(?a)PT(?=\d)(?:(\d{1,7})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?"
_ISO_DATE: Final = r"(?a)P(\d+)([DWMY])"
_SPELLINGS: Final = {
    "D": "`{0} days` (elapsed, {0} x 24 h) or `{0} calendar days`",
    "W": "`{0} weeks`, or `{1} days` for elapsed time",
    "M": "`{0} months`",
    "Y": "`{0} years`",
}


@frozen
class Period:
    """So many days, weeks, months, years or working days, on a calendar known by name."""

    count: int
    unit: Unit
    calendar: str = "default"

    def __str__(self) -> str:
        plural = "" if self.count == 1 else "s"
        where = "" if self.calendar == "default" else f" on {self.calendar}"
        return f"{self.count} {_WORDS[self.unit]}{plural}{where}"


def parse_span(text: str) -> timedelta | Period | None:
    """``5 days``, ``48 hours``, ``PT48H`` as elapsed time; ``2 working days on platform`` as a `Period`.

    None for text that is no span at all. Raises ValueError, with what to write instead, for text that
    means to be one and says too little: ``P5D`` does not say which days it counts.
    """
    if text.startswith("P"):
        if match := re.fullmatch(_ISO_TIME, text):
            hours, minutes, seconds = (int(part or 0) for part in match.groups())
            return timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if match := re.fullmatch(_ISO_DATE, text):
            spelling = _SPELLINGS[match[2]].format(match[1], int(match[1]) * 7)
            raise ValueError(f"`{text}` does not say how it counts: write {spelling}")
        return None
    match = re.fullmatch(_SPAN, text)
    if match is None:
        return None
    count, word, calendar = int(match["count"]), match["unit"], match["calendar"]
    if count * _ELAPSED.get(word, 0) > _LONGEST or (word in _UNITS and count > _MOST):
        raise ValueError(f"`{text}` is longer than can be counted")
    if word in _ELAPSED and calendar is None:
        return timedelta(seconds=count * _ELAPSED[word])
    if word in _ELAPSED:
        raise ValueError(
            f"`{text}` counts elapsed time, which needs no calendar: `{count} calendar days on {calendar}`?"
        )
    if word in _UNITS:
        return Period(count, _UNITS[word], calendar or "default")
    return None


def show_duration(span: timedelta) -> str:
    """Elapsed time in the largest unit that divides it, as an author would write it."""
    if span.microseconds:
        return f"{span.total_seconds()} seconds"
    seconds = span.days * 86_400 + span.seconds
    for word, unit in _ELAPSED.items():
        if seconds % unit == 0 and (seconds or word == "day"):
            count = seconds // unit
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"
