"""What can be and what will be: running deadlines, who may act until when, what comes if nobody does.

Derived views of a case; an expression that fails here marks its own entry and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policy_engine.calendars import Period, skipped
from policy_engine.cel.unparse import unparse
from policy_engine.cel.values import TIMESTAMP_MAX as MAX_NANOS
from policy_engine.cel.values import TIMESTAMP_MIN as MIN_NANOS
from policy_engine.cel.values import Duration, Timestamp
from policy_engine.evaluating.case import Case, Clock
from policy_engine.evaluating.clocks import next_lapse
from policy_engine.evaluating.setting import Setting, failure
from policy_engine.evaluating.step import Stepped, apply_lapse
from policy_engine.evaluating.trying import accepts_id
from policy_engine.model.evaluation import NextFact, Permission, RunningDeadline
from policy_engine.model.policy import Deadline, Expression, Rule, State
from policy_engine.source import EvaluationError
from policy_engine.source.frozen import frozen

__all__ = ["next_fact", "permissions", "running_deadlines"]

_TICK = 1000  # a microsecond, the finest digit of the engine's own times
# Lapses that come round for ever (a weekly reminder) are looked at so far and no further.
_MOST_AHEAD = 40


def _ahead(setting: Setting, case: Case) -> Iterator[tuple[Timestamp, Clock, Stepped | EvaluationError]]:
    """The lapses that come if nobody acts, one after the other, each with what it brings about."""
    for _ in range(_MOST_AHEAD):
        found = next_lapse(setting, case)
        if found is None:
            return
        time, clock = found
        try:
            stepped = apply_lapse(setting, case, clock, time)
        except EvaluationError as error:
            yield time, clock, error
            return
        yield time, clock, stepped
        case = stepped.case


def next_fact(setting: Setting, case: Case) -> NextFact | None:
    """The next lapse that is more than advice, and the first instant at which it is a fact."""
    for time, clock, result in _ahead(setting, case):
        deadline = setting.policy.deadlines[clock.deadline]
        if deadline.level == "should":
            continue
        if time + _TICK > MAX_NANOS:
            return None  # it never comes
        at = Timestamp(time + _TICK)
        if isinstance(result, EvaluationError):
            error = failure(setting.policy, result, time, f"deadline {deadline.id}")
            return NextFact(at, time, "lapse", deadline.name, None, error)
        moved = result.step.rule is not None and _moves(deadline, result.step.rule)
        return NextFact(at, time, "lapse", deadline.name, result.step.to if moved else None)
    return None


def _moves(deadline: Deadline, rule_id: str) -> bool:
    return any(rule.id == rule_id and rule.to is not None for rule in deadline.otherwise)


# -- running deadlines ---------------------------------------------------------------------------------


def running_deadlines(setting: Setting, case: Case, as_of: Timestamp) -> tuple[RunningDeadline, ...]:
    """The running clocks, soonest first; those that wait come last, in the order of the file."""
    found = [_running(setting, case, clock, as_of) for clock in case.clocks.values()]
    order = {clock.deadline: setting.policy.deadlines[clock.deadline].order for clock in case.clocks.values()}
    pairs = zip(found, order.values(), strict=True)
    ranked = sorted(pairs, key=lambda pair: (pair[0].due is None, pair[0].due or 0, pair[1]))
    return tuple(running for running, _ in ranked)


def _running(setting: Setting, case: Case, clock: Clock, as_of: Timestamp) -> RunningDeadline:
    deadline = setting.policy.deadlines[clock.deadline]
    due = None if clock.due is None else Timestamp(max(clock.due, clock.floor))
    error = None
    otherwise: str | None = None
    try:
        otherwise = _silence(setting, case, deadline, due or as_of)
    except EvaluationError as failed:
        error = failure(setting.policy, failed, as_of, f"deadline {deadline.id}")
    return RunningDeadline(
        name=deadline.name,
        state=setting.policy.states[deadline.state].path,
        party=deadline.party,
        level=deadline.level,
        started=clock.started,
        due=due,
        paused=False,
        held=clock.held,
        left=None if due is None or clock.held else Duration(due - as_of),
        otherwise=otherwise,
        cites=deadline.cites,
        count=_count(setting, clock),
        error=error,
    )


def _silence(setting: Setting, case: Case, deadline: Deadline, time: Timestamp) -> str | None:
    """What silence will mean, as far as the case as it stands can tell."""
    bindings = setting.bindings(case, time)
    for rule in deadline.otherwise:
        if rule.condition is None or setting.value(rule.condition, bindings, case):
            if rule.to is not None:
                return setting.policy.states[rule.to].path
            return f"breach by {rule.breach}" if rule.breach else rule.id
    return None


def _count(setting: Setting, clock: Clock) -> str | None:
    """How a period on a calendar was counted: the days that were passed over."""
    if not isinstance(clock.span, Period) or clock.anchor is None:
        return None
    days = skipped(clock.anchor.datetime, clock.span, setting.calendars[clock.span.calendar])
    if not days:
        return str(clock.span)
    passed = ", ".join(f"{day.isoformat()} ({why})" for day, why in days)
    return f"{clock.span}; not counted: {passed}"


# -- permissions ---------------------------------------------------------------------------------------

_Window = tuple[Timestamp, Timestamp]
TIMESTAMP_MIN, TIMESTAMP_MAX = Timestamp(MIN_NANOS), Timestamp(MAX_NANOS)
_ALWAYS: _Window = (TIMESTAMP_MIN, TIMESTAMP_MAX)


def permissions(setting: Setting, case: Case, as_of: Timestamp) -> tuple[Permission, ...]:
    """Who may send what, by rules of the active states, if nothing else happens: what an inner state or an
    earlier rule takes for itself is not permitted a second time."""
    states = setting.policy.states
    leaf = states[case.leaf]
    active = (leaf,) if case.closed else (leaf, *(states[index] for index in leaf.ancestors))
    looking = _Looking(setting, case, as_of, {} if case.closed else _ends(setting, case, active))
    found = [
        permission
        for name, event in setting.policy.events.items()
        for by in event.by
        for permission in looking.permitted(active, name, by)
    ]
    found.sort(key=lambda permission: (permission.event, permission.opens or TIMESTAMP_MIN))
    return tuple(found)


def _ends(setting: Setting, case: Case, active: tuple[State, ...]) -> Mapping[int, Timestamp]:
    """For each active state the instant of the first lapse that leaves it, or that closes the case."""
    ends: dict[int, Timestamp] = {}
    for time, clock, result in _ahead(setting, case):
        if isinstance(result, EvaluationError):
            break
        leaves = _left(setting, clock, result)
        for state in active:
            if state.index in leaves or result.case.closed:
                ends.setdefault(state.index, time)
        if len(ends) == len(active):
            break
    return ends


def _left(setting: Setting, clock: Clock, result: Stepped) -> frozenset[int]:
    """The states that a lapse leaves: by its target, all that are not the target's ancestors."""
    deadline = setting.policy.deadlines[clock.deadline]
    target = next((r.to for r in deadline.otherwise if r.id == result.step.rule), None)
    if target is None:
        return frozenset()
    kept = set(setting.policy.states[target].ancestors)
    return frozenset(state.index for state in setting.policy.states if state.index not in kept)


@frozen
class _Looking:
    """One look at what is permitted: from ``as_of`` on, with the end of each active state."""

    setting: Setting
    case: Case
    as_of: Timestamp
    ends: Mapping[int, Timestamp]

    def permitted(self, active: tuple[State, ...], event: str, by: str) -> Iterator[Permission]:
        """In the order in which an event is tried; ``free`` is the time that no rule has taken yet, ``unless``
        what earlier rules refuse, depending on the event."""
        free = [_ALWAYS]
        unless: tuple[str, ...] = ()
        for state in active:
            for rule in state.rules.get(event, ()):
                if rule.by and by not in rule.by:
                    continue
                made, taken = self._by_rule(state, rule, event, by, free, unless)
                yield from made
                if rule.refuse is not None and taken is None and rule.condition is not None:
                    unless = (*unless, *self._refusals(rule.condition))
                free = _without(free, taken)
                if not free:
                    return
            if event in state.accepts:
                yield from self._pieces(state, event, by, free, unless, accepts_id(state), state.cites)
                return
        if not self.case.closed and not any(event in state.rules for state in active):
            yield from self._awaited(active, event, by)

    def _by_rule(
        self, state: State, rule: Rule, event: str, by: str, free: list[_Window], unless: tuple[str, ...]
    ) -> tuple[list[Permission], _Window | None]:
        """What a rule permits of the free time, and the time that it takes for itself."""
        bindings = self.setting.bindings(self.case, self.as_of)
        try:
            conditions = self._conditions(rule.condition, bindings)
            if conditions is None:
                return [], None
            opens = self.setting.instant(rule.opens, bindings, self.case)
            closes = self.setting.instant(rule.closes, bindings, self.case)
        except EvaluationError as failed:
            error = failure(self.setting.policy, failed, self.as_of, rule.id)
            # As when an event is tried: a failing guard or window ends the search.
            return [Permission(event, by, None, None, (), rule.id, rule.cites, error)], _ALWAYS
        window = (opens if opens is not None else TIMESTAMP_MIN, closes if closes is not None else TIMESTAMP_MAX)
        made: list[Permission] = []
        if rule.refuse is None:
            inside = [(max(first, window[0]), min(last, window[1])) for first, last in free]
            made.extend(self._pieces(state, event, by, inside, (*conditions, *unless), rule.id, rule.cites))
        return made, None if conditions else window

    def _refusals(self, condition: Expression) -> tuple[str, ...]:
        """That a refusing guard does not hold, where only the event can tell."""
        return (f"!({unparse(condition.node)})",) if condition.names & {"event", "now"} else ()

    def _conditions(self, condition: Expression | None, bindings: Mapping[str, Any]) -> tuple[str, ...] | None:
        """What has to hold of the event, None where the guard is false whatever the event."""
        if condition is None:
            return ()
        if condition.names & {"event", "now"}:
            return (unparse(condition.node),)
        return () if self.setting.value(condition, bindings, self.case) else None

    def _pieces(
        self,
        state: State,
        event: str,
        by: str,
        windows: list[_Window],
        conditions: tuple[str, ...],
        rule: str,
        cites: tuple[str, ...],
    ) -> Iterator[Permission]:
        """A permission for each window that is not over, and ends with the state at the latest."""
        for first, last in windows:
            end = min(last, self.ends.get(state.index, TIMESTAMP_MAX))
            if first <= end and end >= self.as_of:
                opens = None if first == TIMESTAMP_MIN else Timestamp(first)
                closes = None if end == TIMESTAMP_MAX else Timestamp(end)
                yield Permission(event, by, opens, closes, conditions, rule, cites)

    def _awaited(self, active: tuple[State, ...], event: str, by: str) -> Iterator[Permission]:
        """An event that starts or meets a deadline is taken where no rule names it."""
        bindings = self.setting.bindings(self.case, self.as_of)
        for state in active:
            for number in state.deadlines:
                deadline = self.setting.policy.deadlines[number]
                for trigger in (*deadline.starts_on, *deadline.met_by):
                    if trigger.event != event or (trigger.by and by not in trigger.by):
                        continue
                    try:
                        conditions = self._conditions(trigger.condition, bindings)
                    except EvaluationError as failed:
                        error = failure(self.setting.policy, failed, self.as_of, deadline.id)
                        yield Permission(event, by, None, None, (), deadline.id, deadline.cites, error)
                        return
                    if conditions is not None:
                        yield from self._pieces(state, event, by, [_ALWAYS], conditions, deadline.id, deadline.cites)
                        if not conditions:
                            return


def _without(free: list[_Window], taken: _Window | None) -> list[_Window]:
    """The free time less a window; both of its ends belong to it."""
    if taken is None or taken[0] > taken[1]:
        return free
    rest: list[_Window] = []
    for first, last in free:
        if first < taken[0]:
            rest.append((first, min(last, Timestamp(taken[0] - _TICK))))
        if last > taken[1]:
            rest.append((max(first, Timestamp(taken[1] + _TICK)), last))
    return [window for window in rest if window[0] <= window[1]]
