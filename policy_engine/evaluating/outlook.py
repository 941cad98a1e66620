"""What can be and what will be: running deadlines, who may act until when, what comes if nobody does.

Derived views of a case; an expression that fails here marks its own entry and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policy_engine.calendars import Period, skipped
from policy_engine.cel.unparse import unparse
from policy_engine.cel.values import Duration, Timestamp
from policy_engine.evaluating.case import Case, Clock
from policy_engine.evaluating.clocks import next_lapse
from policy_engine.evaluating.setting import Setting, failure
from policy_engine.evaluating.step import Stepped, apply_lapse
from policy_engine.evaluating.trying import accepts_id
from policy_engine.model.evaluation import Failure, NextFact, Permission, RunningDeadline
from policy_engine.model.policy import Deadline, Rule, State
from policy_engine.source import EvaluationError

__all__ = ["next_fact", "permissions", "running_deadlines"]

_TICK = 1000  # a microsecond, the finest digit of the engine's own times
_MOST_AHEAD = 200


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
        left=None if due is None else Duration(due - as_of),
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


def permissions(setting: Setting, case: Case, as_of: Timestamp) -> tuple[Permission, ...]:
    """Who may send what, by rules of the active states, if nothing else happens."""
    states = setting.policy.states
    leaf = states[case.leaf]
    active = (leaf,) if case.closed else (leaf, *(states[index] for index in leaf.ancestors))
    ends = {} if case.closed else _ends(setting, case, active)
    bindings = setting.bindings(case, as_of)
    found: list[tuple[int, Permission]] = []
    for name, event in setting.policy.events.items():
        for by in event.by:
            for state in active:
                shut = False
                for rule in state.rules.get(name, ()):
                    if rule.by and by not in rule.by:
                        continue
                    permission, always = _permission(setting, case, state, rule, name, by, bindings, ends, as_of)
                    if permission is not None:
                        found.append((rule.order, permission))
                    if always:
                        shut = True
                        break
                if shut:
                    break
                if name in state.accepts:
                    found.append((state.index, _accepted(state, name, by, ends)))
                    break
            else:
                if not case.closed and not any(name in state.rules for state in active):
                    found.extend(_awaited(setting, active, name, by, ends))
    found.sort(key=lambda pair: (pair[1].event, pair[0], pair[1].by))
    return tuple(permission for _, permission in found)


def _ends(setting: Setting, case: Case, active: tuple[State, ...]) -> Mapping[int, Timestamp]:
    """For each active state the instant of the first lapse that leaves it."""
    ends: dict[int, Timestamp] = {}
    inner = {state.index for state in active if state.index}
    for time, clock, result in _ahead(setting, case):
        if isinstance(result, EvaluationError):
            break
        leaves = _left(setting, clock, result)
        for index in inner & leaves:
            ends.setdefault(index, time)
        if result.case.closed:
            for state in active:
                ends.setdefault(state.index, time)
        if inner <= ends.keys():
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


def _permission(
    setting: Setting,
    case: Case,
    state: State,
    rule: Rule,
    event: str,
    by: str,
    bindings: Mapping[str, Any],
    ends: Mapping[int, Timestamp],
    as_of: Timestamp,
) -> tuple[Permission | None, bool]:
    """What a rule permits, and whether it takes every such event, so that no later rule is asked."""
    conditions: tuple[str, ...] = ()
    opens = closes = None
    error: Failure | None = None
    always = False
    try:
        if rule.condition is not None:
            if rule.condition.names & {"event", "now"}:
                conditions = (unparse(rule.condition.node),)
            elif not setting.value(rule.condition, bindings, case):
                return None, False
        opens = setting.instant(rule.opens, bindings, case)
        closes = setting.instant(rule.closes, bindings, case)
        always = not conditions and rule.opens is None and rule.closes is None
    except EvaluationError as failed:
        error = failure(setting.policy, failed, as_of, rule.id)
    if rule.refuse is not None:
        return None, always
    if state.index in ends:
        closes = ends[state.index] if closes is None else min(closes, ends[state.index])
    if closes is not None and (closes < as_of or (opens is not None and opens > closes)):
        return None, False
    return Permission(event, by, opens, closes, conditions, rule.id, rule.cites, error), always


def _accepted(state: State, event: str, by: str, ends: Mapping[int, Timestamp]) -> Permission:
    return Permission(event, by, None, ends.get(state.index), (), accepts_id(state), state.cites)


def _awaited(
    setting: Setting, active: tuple[State, ...], event: str, by: str, ends: Mapping[int, Timestamp]
) -> Iterator[tuple[int, Permission]]:
    """An event that starts or meets a deadline is taken where no rule names it."""
    for state in active:
        for number in state.deadlines:
            deadline = setting.policy.deadlines[number]
            for trigger in (*deadline.starts_on, *deadline.met_by):
                if trigger.event == event and (not trigger.by or by in trigger.by):
                    conditions = (unparse(trigger.condition.node),) if trigger.condition else ()
                    yield (
                        deadline.order,
                        Permission(event, by, None, ends.get(state.index), conditions, deadline.id, deadline.cites),
                    )
                    return
