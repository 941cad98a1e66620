"""Instants as tests write them: RFC 3339, or so long after the opening or after an event."""

from __future__ import annotations

import re
from collections.abc import Mapping

from policy_engine.cel.values import Timestamp, parse_timestamp

__all__ = ["read_moment"]

_NANOS = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1000,
}
_RELATIVE = re.compile(r"(?:@(?P<event>[\w-]+))?(?P<parts>(?:[+-]\d[\da-z]*)*)", re.ASCII)
_PART = re.compile(r"([+-]?)((?:\d+(?:d|h|ms|us|m|s))+)", re.ASCII)
_UNIT = re.compile(r"(\d+)(d|h|ms|us|m|s)", re.ASCII)


def read_moment(text: str, opened: Timestamp, events: Mapping[str, Timestamp]) -> Timestamp:
    """``+5d12h``, ``+5d-1us`` from the opening, ``@e1+48h`` from an event, or RFC 3339.

    A day is 24 hours. Raises ValueError.
    """
    if text[:1].isdigit():
        return Timestamp(parse_timestamp(text) // 1000 * 1000)
    match = _RELATIVE.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"`{text}` is not an instant: write `+5d`, `+5d-1s`, `@EVENT+48h`, or RFC 3339")
    base = opened
    if match["event"]:
        if match["event"] not in events:
            raise ValueError(f"there is no event with the id `{match['event']}` before this")
        base = events[match["event"]]
    position, parts, total = 0, match["parts"], int(base)
    while position < len(parts):
        part = _PART.match(parts, position)
        if part is None:
            raise ValueError(f"`{text}`: write spans like `5d`, `12h`, `30m`, `1s`, `1ms`, `1us`")
        span = sum(int(count) * _NANOS[unit] for count, unit in _UNIT.findall(part[2]))
        total += -span if part[1] == "-" else span
        position = part.end()
    return Timestamp(total)
