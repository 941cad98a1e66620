"""An order and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_engine.cel.values import Timestamp
from policy_engine.source import Place
from policy_engine.source.frozen import field, frozen

__all__ = ["Event", "History"]


@frozen
class Event:
    """Something that a party did or that happened. ``data`` is plain: a policy reads it by its types."""

    time: Timestamp
    type: str
    by: str | None = None
    id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    recorded_at: Timestamp | None = None
    place: Place | None = field(default=None, compare=False)


@frozen
class History:
    """The facts of an order, and its events in order of (time, position in the input).

    ``order`` is plain data and has at least an ``id``; ``name`` says where the history is from, and
    ``place`` where in it the order stands.
    """

    order: Mapping[str, Any]
    events: tuple[Event, ...] = ()
    name: str = "history"
    place: Place | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls, order: Mapping[str, Any], events: tuple[Event, ...], name: str = "history", place: Place | None = None
    ) -> History:
        """Events in any order; sorting keeps those of one instant as they stand."""
        return cls(order, tuple(sorted(events, key=lambda event: event.time)), name, place)
