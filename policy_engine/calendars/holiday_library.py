"""National holidays, resolved once: the only file that imports the `holidays` package."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from policy_engine.calendars.calendar import Holidays

__all__ = ["FIRST_YEAR", "LAST_YEAR", "library_version", "national_holidays"]

# Orders before or after these years are not what this is for; the library's own bounds narrow them.
FIRST_YEAR, LAST_YEAR = 1995, 2050


def library_version() -> str:
    return version("holidays")


def national_holidays(country: str, subdivision: str | None = None) -> Holidays:
    """The public holidays of a country (ISO 3166-1 alpha-2), or of one of its subdivisions.

    Raises ValueError, naming what is known, for an unknown country or subdivision.
    """
    import holidays

    supported: dict[str, list[str]] = holidays.list_supported_countries(include_aliases=True)
    if country not in supported:
        raise ValueError(f"`{country}` is not a country that the holiday library knows (like `CN` or `DE`)")
    if subdivision is not None and subdivision not in supported[country]:
        known = ", ".join(supported[country]) or "none"
        raise ValueError(f"`{subdivision}` is not a subdivision of `{country}` (known: {known})")
    found: Any = holidays.country_holidays(country, subdiv=subdivision, language="en_US")
    first = max(FIRST_YEAR, getattr(found, "start_year", FIRST_YEAR))
    last = min(LAST_YEAR, getattr(found, "end_year", LAST_YEAR))
    days: dict[str, str] = {}
    made_up: set[str] = set()
    for year in range(first, last + 1):
        yearly: Any = holidays.country_holidays(country, subdiv=subdivision, years=year, language="en_US")
        days.update({day.isoformat(): name for day, name in yearly.items() if day.year == year})
        made_up.update(day.isoformat() for day in getattr(yearly, "weekend_workdays", ()) if day.year == year)
    return Holidays(first, last, dict(sorted(days.items())), frozenset(made_up))
