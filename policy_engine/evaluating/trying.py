"""Trying an event: which rule takes it, or why none does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_engine.cel.values import Timestamp
from policy_engine.evaluating.case import Case
from policy_engine.evaluating.setting import Setting, failure
from policy_engine.evaluating.trace import seen, seen_text
from policy_engine.model.evaluation import Refusal, RefusalCode
from policy_engine.model.history import Event
from policy_engine.model.policy import Deadline, Rule, State, Trigger
from policy_engine.source import EvaluationError
from policy_engine.source.diagnostic import did_you_mean, listed
from policy_engine.source.frozen import frozen
from policy_engine.vocabulary import read_record
from policy_engine.vocabulary.data import DataError

__all__ = ["Taken", "accepts_id", "matches", "try_event"]


@frozen
class Taken:
    """An event that is applied: by a rule, or (``rule`` None) because a state accepts it.

    ``event`` is the input with its sender filled in, ``values`` what expressions see of it, ``rule_id`` and
    ``cites`` what it is taken under, and ``seen`` what the guard and the window saw.
    """

    event: Event
    values: Mapping[str, Any]
    rule: Rule | None
    rule_id: str
    cites: tuple[str, ...]
    seen: Mapping[str, Any]


@frozen
class _Miss:
    """How far a rule got: 0 party, 1 guard, 2 closed window, 3 window still to open."""

    stage: int
    rule: Rule
    code: RefusalCode
    reason: str
    opens: Timestamp | None = None
    closes: Timestamp | None = None


class _FailedError(Exception):
    """A guard or a window that cannot be evaluated ends the search: the error, and the rule."""

    def __init__(self, error: EvaluationError, rule: str | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.rule = rule


def try_event(setting: Setting, case: Case, event: Event) -> Taken | Refusal:
    """The rule that takes the event on the case as it stands, or the refusal with its nearest miss."""
    read = _read(setting, case, event)
    if isinstance(read, Refusal):
        return read
    event, values = read
    try:
        return _search(setting, case, event, values)
    except _FailedError as failed:
        found = failure(setting.policy, failed.error, event.time, None)
        where = f" at {found.place}" if found.place else ""
        return Refusal(event, "error", f"{found.message}{where}", nearest=failed.rule)


def _read(setting: Setting, case: Case, event: Event) -> tuple[Event, Mapping[str, Any]] | Refusal:
    """The checks before any rule: duplicate, type, data, sender."""
    policy = setting.policy
    if event.id is not None and event.id in case.applied:
        return Refusal(event, "duplicate", f"an event with the id `{event.id}` has been applied")
    declared = policy.events.get(event.type)
    if declared is None:
        hint = did_you_mean(event.type, policy.events)
        return Refusal(event, "unknown_event", f"there is no event `{event.type}`" + (f" ({hint})" if hint else ""))
    try:
        data = read_record(event.data, declared.data)
    except DataError as error:
        return Refusal(event, "bad_data", str(error))
    if event.by is None and len(declared.by) == 1:
        event = Event(event.time, event.type, declared.by[0], event.id, event.data, event.recorded_at, event.place)
    if event.by not in declared.by:
        sent = f"not by `{event.by}`" if event.by else "and this does not say by whom"
        return Refusal(event, "wrong_party", f"`{event.type}` is sent by {listed(declared.by, 'or')}, {sent}")
    values = {**data, "time": event.time, "by": event.by}
    if event.id is not None:
        values["id"] = event.id
    return event, values


def _search(setting: Setting, case: Case, event: Event, values: Mapping[str, Any]) -> Taken | Refusal:
    states = setting.policy.states
    leaf = states[case.leaf]
    active = (leaf,) if case.closed else (leaf, *(states[index] for index in leaf.ancestors))
    bindings = setting.bindings(case, event.time, values)
    misses: list[_Miss] = []
    for state in active:
        for rule in state.rules.get(event.type, ()):
            tried = _try_rule(setting, case, event, rule, bindings)
            if isinstance(tried, _Miss):
                misses.append(tried)
            elif rule.refuse is not None:
                return _refused_by(setting, case, event, rule, bindings)
            else:
                return Taken(event, values, rule, rule.id, rule.cites, tried)
        if event.type in state.accepts:
            return Taken(event, values, None, accepts_id(state), state.cites, {})
    if not misses and not case.closed:
        for state in active:
            deadline = _awaiting(setting, case, state, event, bindings)
            if deadline is not None:
                return Taken(event, values, None, deadline.id, deadline.cites, {})
    if misses:
        nearest = min(misses, key=lambda miss: (-miss.stage, miss.rule.order))
        return Refusal(event, nearest.code, nearest.reason, nearest.opens, nearest.closes, nearest.rule.id)
    if case.closed:
        return Refusal(event, "closed", f"the case is closed ({case.outcome})")
    return Refusal(event, "not_permitted", f"no rule takes `{event.type}` in state `{leaf.path}`")


def _try_rule(
    setting: Setting, case: Case, event: Event, rule: Rule, bindings: Mapping[str, Any]
) -> _Miss | Mapping[str, Any]:
    """What the guard and the window saw where the rule holds, else how far it got."""
    if rule.by and event.by not in rule.by:
        reason = f"`{event.type}` may be sent by {listed(rule.by, 'or')} here, not by `{event.by}`"
        return _Miss(0, rule, "wrong_party", reason)
    values: dict[str, Any] = {}
    try:
        if rule.condition is not None:
            holds = setting.value(rule.condition, bindings, case)
            values = seen(setting, rule.condition, bindings, case)
            if not holds:
                saw = seen_text(values)
                reason = f"`{rule.condition.text}` does not hold{': ' if saw else ''}{saw}"
                return _Miss(1, rule, "guard", reason)
        opens = setting.instant(rule.opens, bindings, case)
        closes = setting.instant(rule.closes, bindings, case)
    except EvaluationError as error:
        raise _FailedError(error, rule.id) from None
    if opens is not None:
        values["opens"] = opens
        if event.time < opens:
            return _Miss(3, rule, "too_early", f"`{event.type}` may be sent from {opens} on", opens, closes)
    if closes is not None:
        values["closes"] = closes
        if event.time > closes:
            return _Miss(2, rule, "too_late", f"`{event.type}` could be sent until {closes}", opens, closes)
    return values


def _refused_by(setting: Setting, case: Case, event: Event, rule: Rule, bindings: Mapping[str, Any]) -> Refusal:
    assert rule.refuse is not None
    try:
        return Refusal(event, "refused", setting.text(rule.refuse, bindings, case), nearest=rule.id)
    except EvaluationError as error:
        raise _FailedError(error, rule.id) from None


def accepts_id(state: State) -> str:
    """What takes an event that a state accepts, as a rule's id would say it."""
    return f"{state.path}.accepts" if state.path else "accepts"


def _awaiting(setting: Setting, case: Case, state: State, event: Event, bindings: Mapping[str, Any]) -> Deadline | None:
    """The deadline of the state that the event starts or meets, and which so accepts it."""
    for number in state.deadlines:
        deadline = setting.policy.deadlines[number]
        for trigger in (*deadline.starts_on, *deadline.met_by):
            try:
                if matches(setting, case, trigger, event, bindings):
                    return deadline
            except EvaluationError as error:
                raise _FailedError(error, deadline.id) from None
    return None


def matches(setting: Setting, case: Case, trigger: Trigger, event: Event, bindings: Mapping[str, Any]) -> bool:
    """Whether an event starts or meets a clock. Raises EvaluationError from the trigger's condition."""
    if trigger.event != event.type or (trigger.by and event.by not in trigger.by):
        return False
    return trigger.condition is None or bool(setting.value(trigger.condition, bindings, case))
