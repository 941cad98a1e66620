"""A case as an immutable value: where it stands, what it remembers, which clocks run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_engine.calendars import Period
from policy_engine.cel.values import Duration, Timestamp
from policy_engine.source.frozen import field, frozen

__all__ = ["Case", "Clock"]


@frozen
class Clock:
    """A running deadline. ``anchor`` is what ``at`` or ``from`` gave last, None while it gives nothing;
    ``floor`` is the step that last started or changed it: it never lapses before."""

    deadline: int
    started: Timestamp
    floor: Timestamp
    span: Duration | Period | None = None
    anchor: Timestamp | None = None
    due: Timestamp | None = None
    held: bool = False

    @property
    def effective(self) -> Timestamp | None:
        """When it lapses if nothing changes, None while it waits or is held back."""
        if self.due is None or self.held:
            return None
        return max(self.due, self.floor)


@frozen
class Case:
    """``leaf`` is the active leaf state; ``clocks`` are the running ones by their deadline's number."""

    leaf: int
    time: Timestamp
    data: Mapping[str, Any] = field(default_factory=dict)
    first: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)
    count: Mapping[str, int] = field(default_factory=dict)
    clocks: Mapping[int, Clock] = field(default_factory=dict)
    closed: bool = False
    outcome: str | None = None
    applied: frozenset[str] = frozenset()
    lapses: int = 0  # since the last applied event
    ordinals: Mapping[tuple[str, Timestamp], int] = field(default_factory=dict)  # applied events without an id
