"""When: periods, calendars, and counting on them. Usable with no policy in sight; imports `source` alone."""

from policy_engine.calendars.calendar import Calendar, DayRule, Holidays, zone
from policy_engine.calendars.counting import add, after, end_of, local_date, skipped, start_of, subtract, working_days
from policy_engine.calendars.period import Period, Unit, parse_span, show_duration

__all__ = [
    "Calendar",
    "DayRule",
    "Holidays",
    "Period",
    "Unit",
    "add",
    "after",
    "end_of",
    "local_date",
    "parse_span",
    "show_duration",
    "skipped",
    "start_of",
    "subtract",
    "working_days",
    "zone",
]
