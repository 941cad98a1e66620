"""Dates as they are written: RFC 3339's full-date, and nothing else of ISO 8601."""

from __future__ import annotations

from datetime import date

__all__ = ["parse_date"]


def parse_date(text: str) -> date:
    """``2024-03-10``. Raises ValueError."""
    digits = text[:4] + text[5:7] + text[8:]
    if len(text) == 10 and text[4] == text[7] == "-" and digits.isascii() and digits.isdigit():
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"`{text}`: {error}") from None
    raise ValueError(f"`{text}` is not a date, like 2024-03-10")
