"""Clocks: started and met by steps, looked at anew after each, lapsing one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from policy_engine.cel.values import Duration, Optional, Timestamp
from policy_engine.evaluating.case import Case, Clock
from policy_engine.evaluating.setting import Setting
from policy_engine.evaluating.trying import matches
from policy_engine.model.history import Event
from policy_engine.model.policy import Deadline
from policy_engine.source import EvaluationError
from policy_engine.source.frozen import replace
from policy_engine.vocabulary import LIBRARY, Surroundings

__all__ = ["after_step", "next_lapse"]


def after_step(
    setting: Setting,
    case: Case,
    time: Timestamp,
    entered: Iterable[int],
    within: Iterable[int],
    event: Event | None,
    values: Mapping[str, Any] | None,
) -> Case:
    """The case with its clocks as a step leaves them: met, started, then every one looked at anew.

    ``entered`` are the states that the step entered, ``within`` those in which its event was applied and
    which are active after it: there the event may start a clock.
    Raises EvaluationError from a deadline's own expressions.
    """
    if case.closed:
        return replace(case, clocks={})
    clocks = dict(case.clocks)
    if event is not None:
        _meet(setting, case, clocks, event, values)
    for state in entered:
        for number in setting.policy.states[state].deadlines:
            if not setting.policy.deadlines[number].starts_on:
                clocks[number] = _start(setting, case, number, time)
    if event is not None:
        bindings = setting.bindings(case, time, values)
        for state in within:
            for number in setting.policy.states[state].deadlines:
                triggers = setting.policy.deadlines[number].starts_on
                if number not in clocks and any(matches(setting, case, t, event, bindings) for t in triggers):
                    clocks[number] = _start(setting, case, number, time)
    case = replace(case, clocks=clocks)
    return replace(case, clocks={n: _looked_at(setting, case, c, time) for n, c in clocks.items()})


def _meet(
    setting: Setting, case: Case, clocks: dict[int, Clock], event: Event, values: Mapping[str, Any] | None
) -> None:
    bindings = setting.bindings(case, event.time, values)
    for number in list(clocks):
        if any(matches(setting, case, t, event, bindings) for t in setting.policy.deadlines[number].met_by):
            del clocks[number]


def _start(setting: Setting, case: Case, number: int, time: Timestamp) -> Clock:
    deadline = setting.policy.deadlines[number]
    span = None
    if deadline.within is not None:
        span = setting.value(deadline.within, setting.bindings(case, time), case)
    clock = Clock(number, time, time, span, held=deadline.condition is not None)
    if deadline.at is None and deadline.start_from is None:
        clock = replace(clock, anchor=time, due=_due(setting, deadline, clock, time))
    return clock


def _looked_at(setting: Setting, case: Case, clock: Clock, time: Timestamp) -> Clock:
    """A running clock with its ``if``, ``at`` and ``from`` evaluated anew."""
    deadline = setting.policy.deadlines[clock.deadline]
    moving = deadline.at or deadline.start_from
    if moving is None and deadline.condition is None:
        return clock
    bindings = setting.bindings(case, time)
    if moving is not None:
        anchor = setting.instant(moving, bindings, case)
        if anchor != clock.anchor:
            due = None if anchor is None else _due(setting, deadline, clock, anchor)
            clock = replace(clock, anchor=anchor, due=due, floor=time)
    if deadline.condition is not None:
        held = not setting.value(deadline.condition, bindings, case)
        if held != clock.held:
            clock = replace(clock, held=held, floor=clock.floor if held else time)
    return clock


def _due(setting: Setting, deadline: Deadline, clock: Clock, anchor: Timestamp) -> Timestamp:
    if deadline.at is not None:
        return anchor
    span = clock.span.value if isinstance(clock.span, Optional) else clock.span
    assert deadline.within is not None
    try:
        due: Timestamp = LIBRARY.call("_+_", False, (anchor, span), Surroundings(setting.calendars))
    except EvaluationError as error:
        raise EvaluationError(error.code, error.message, deadline.within.start, deadline.within.start) from None
    # Cut to whole microseconds: the engine's own times have no finer digits.
    return Timestamp(due // 1000 * 1000) if isinstance(span, Duration) else due


def next_lapse(setting: Setting, case: Case) -> tuple[Timestamp, Clock] | None:
    """The clock that lapses first if nothing happens, and when it takes effect: the earliest; at one
    instant the innermost state's; then in the order of the file."""
    best: tuple[tuple[int, int, int], Timestamp, Clock] | None = None
    for clock in case.clocks.values():
        effective = clock.effective
        if effective is None:
            continue
        deadline = setting.policy.deadlines[clock.deadline]
        key = (effective, -len(setting.policy.states[deadline.state].ancestors), deadline.order)
        if best is None or key < best[0]:
            best = key, effective, clock
    return None if best is None else best[1:]
