"""A policy, compiled: every name resolved, every expression checked, no YAML in sight.

States are numbered in the order of the file; number 0 is the policy itself, the outermost state. Rules,
deadlines and expressions keep the offset at which they are written, which `Policy.sources` can place.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from policy_engine.calendars import Calendar
from policy_engine.cel.syntax import Node
from policy_engine.cel.types import Type
from policy_engine.source import SourceMap
from policy_engine.source.frozen import field, frozen

__all__ = [
    "ActionCall",
    "ActionType",
    "Assignment",
    "CalendarRef",
    "Clause",
    "Deadline",
    "Effective",
    "Effects",
    "EventType",
    "Expression",
    "Level",
    "Parameter",
    "Party",
    "Policy",
    "Rule",
    "StartChoice",
    "State",
    "Template",
    "Trigger",
]

Level = Literal["must", "should"]


@frozen
class Expression:
    """A checked expression. ``text`` is how it is written; ``names`` are what it reads."""

    text: str
    node: Node
    type: Type
    names: frozenset[str]
    start: int


@frozen
class Template:
    """A text with expressions in it."""

    parts: tuple[str | Expression, ...]


@frozen
class Clause:
    name: str
    text: str
    source: str | None = None
    enforced: bool = True
    why: str | None = None


@frozen
class Party:
    name: str
    title: str | None = None


@frozen
class Effective:
    """The days on which a revision is in force, both included, and the fact whose date counts."""

    by: str
    first: date | None = None
    last: date | None = None


@frozen
class Parameter:
    """A named value; the first override whose condition holds for the order replaces it."""

    name: str
    type: Type
    value: Any
    overrides: tuple[tuple[Expression, Any], ...] = ()
    readings: tuple[str, ...] = ()
    note: str | None = None


@frozen
class CalendarRef:
    """A calendar, and where its time zone is from when the order's data decide it."""

    calendar: Calendar
    timezone: Expression | None = None


@frozen
class EventType:
    name: str
    by: tuple[str, ...]
    data: Type


@frozen
class ActionType:
    name: str
    data: Type


@frozen
class Assignment:
    """``set``: a field of the case and what it becomes."""

    field: str
    type: Type
    value: Expression


@frozen
class ActionCall:
    """``do``: an action to carry out with these data, where the condition holds."""

    action: str
    data: tuple[tuple[str, Type, Expression], ...]
    condition: Expression | None
    start: int


@frozen
class Effects:
    """What entering or leaving a state does. ``id`` is the rule that its actions name."""

    id: str
    set: tuple[Assignment, ...] = ()
    do: tuple[ActionCall, ...] = ()
    cites: tuple[str, ...] = ()


@frozen
class Rule:
    """What an event, or a deadline's lapse, brings about. ``order`` is its place in the file."""

    id: str
    order: int
    start: int
    by: tuple[str, ...] = ()
    condition: Expression | None = None
    opens: Expression | None = None
    closes: Expression | None = None
    set: tuple[Assignment, ...] = ()
    do: tuple[ActionCall, ...] = ()
    to: int | None = None
    breach: str | None = None
    refuse: Template | None = None
    because: Template | None = None
    cites: tuple[str, ...] = ()


@frozen
class Trigger:
    """An event, of these parties where any are named, that starts or meets a clock."""

    event: str
    by: tuple[str, ...] = ()
    condition: Expression | None = None


@frozen
class Deadline:
    """A clock of a state. Either ``at``, or ``within`` from its start (or from ``start_from``)."""

    id: str
    name: str
    state: int
    order: int
    start: int
    party: str | None = None
    level: Level = "must"
    within: Expression | None = None
    at: Expression | None = None
    start_from: Expression | None = None
    starts_on: tuple[Trigger, ...] = ()
    met_by: tuple[Trigger, ...] = ()
    condition: Expression | None = None
    otherwise: tuple[Rule, ...] = ()
    cites: tuple[str, ...] = ()


@frozen
class StartChoice:
    """Where a compound state goes on to; the last one of a state has no condition."""

    to: int
    condition: Expression | None = None


@frozen
class State:
    index: int
    path: str
    parent: int | None
    ancestors: tuple[int, ...]  # from this state's parent to the outermost
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    accepts: tuple[str, ...] = ()
    deadlines: tuple[int, ...] = ()  # numbers of the policy's deadlines
    starts: tuple[StartChoice, ...] = ()
    enter: Effects | None = None
    leave: Effects | None = None
    final: bool = False
    outcome: Template | None = None
    cites: tuple[str, ...] = ()


@frozen
class Policy:
    """One revision of one marketplace's rules, with its readings chosen.

    ``digest`` identifies what the policy means: equal digests, equal evaluations.
    """

    id: str
    revision: str
    title: str | None
    digest: str
    readings: tuple[str, ...]
    effective: Effective | None
    clauses: Mapping[str, Clause]
    parties: Mapping[str, Party]
    calendars: Mapping[str, CalendarRef]
    parameters: Mapping[str, Parameter]
    order: Type
    case: Type
    events: Mapping[str, EventType]
    ignores: frozenset[str]
    actions: Mapping[str, ActionType]
    opened: Expression
    states: tuple[State, ...]
    deadlines: tuple[Deadline, ...]
    sources: SourceMap

    def state(self, path: str) -> State | None:
        """The state of that full path."""
        for candidate in self.states:
            if candidate.path == path:
                return candidate
        return None
