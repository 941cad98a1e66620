"""One step: the opening, an applied event, or a lapse, against one case.

A step reads the case as it was, remembers, leaves and enters states, and looks at every clock. Whatever
fails once a rule is chosen raises, and the case stays as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from policy_engine.cel.values import Optional, Timestamp
from policy_engine.evaluating.case import Case, Clock
from policy_engine.evaluating.clocks import after_step
from policy_engine.evaluating.setting import Setting
from policy_engine.evaluating.trace import seen
from policy_engine.evaluating.trying import Taken
from policy_engine.model.evaluation import Action, Advice, Breach, Step
from policy_engine.model.policy import ActionCall, Assignment, Deadline, Effects, Rule
from policy_engine.source import EvaluationError
from policy_engine.source.digest import sha256
from policy_engine.source.frozen import frozen, replace
from policy_engine.vocabulary import Money, read_value, to_plain
from policy_engine.vocabulary.data import DataError

__all__ = ["Stepped", "apply_event", "apply_lapse", "open_case"]


@frozen
class Stepped:
    """The case after a step, and what the step has to say."""

    case: Case
    step: Step
    actions: tuple[Action, ...] = ()
    breaches: tuple[Breach, ...] = ()
    advice: tuple[Advice, ...] = ()


def open_case(setting: Setting, opened: Timestamp) -> Stepped:
    """The first step: the outermost state and those that its ``start`` leads to are entered."""
    data = {f.name: f.default for f in setting.policy.case.fields if f.default is not None}
    count = dict.fromkeys(setting.policy.events, 0)
    writer = _Writer(setting, Case(0, opened, data, count=count), opened, None, ["opened"])
    writer.enter((0,))
    case = writer.finish(None)
    step = Step(
        opened, {"kind": "opened"}, None, None, _path(setting, case), writer.changes, writer.action_ids, (), None, {}
    )
    return Stepped(case, step, tuple(writer.actions))


def apply_event(setting: Setting, case: Case, taken: Taken) -> Stepped:
    event, rule = taken.event, taken.rule
    cause = {"kind": "event", "event": event.id, "type": event.type, "by": event.by}
    identity: list[Any] = ["event", event.id]
    ordinals = case.ordinals
    if event.id is None:
        ordinal = case.ordinals.get((event.type, event.time), 0)
        ordinals = {**case.ordinals, (event.type, event.time): ordinal + 1}
        identity = ["event", event.type, str(event.time), ordinal]
    remembered = replace(
        case,
        time=event.time,
        first=case.first if event.type in case.first else {**case.first, event.type: taken.values},
        last={**case.last, event.type: taken.values},
        count={**case.count, event.type: case.count[event.type] + 1},
        applied=case.applied if event.id is None else case.applied | {event.id},
        lapses=0,
        ordinals=ordinals,
    )
    writer = _Writer(setting, case, event.time, taken.values, identity)
    because = writer.follow(rule, remembered)
    after = writer.finish(taken)
    step = Step(
        event.time, cause, taken.rule_id, _path(setting, case), _path(setting, after), writer.changes,
        writer.action_ids, taken.cites, because, taken.seen,
    )  # fmt: skip
    breaches: tuple[Breach, ...] = ()
    if rule is not None and rule.breach is not None:
        breaches = (Breach(rule.breach, rule.id, None, None, event.time, rule.cites),)
    return Stepped(after, step, tuple(writer.actions), breaches)


def apply_lapse(setting: Setting, case: Case, clock: Clock, time: Timestamp) -> Stepped:
    """A deadline has run out at ``time``: silence means what its ``otherwise`` says."""
    deadline = setting.policy.deadlines[clock.deadline]
    due = clock.due if clock.due is not None else time
    state = setting.policy.states[deadline.state].path
    cause = {"kind": "lapse", "deadline": deadline.name, "state": state, "started": clock.started, "due": due}
    identity = ["lapse", deadline.id, str(clock.started), str(due), case.lapses]
    ended = replace(case, clocks={n: c for n, c in case.clocks.items() if n != clock.deadline})
    rule, values = _choose(setting, ended, deadline, time)
    writer = _Writer(setting, ended, time, None, identity)
    because = writer.follow(rule, replace(ended, time=time, lapses=case.lapses + 1))
    after = writer.finish(None)
    cites = rule.cites if rule else deadline.cites
    rule_id = rule.id if rule else None
    step = Step(
        time, cause, rule_id, _path(setting, case), _path(setting, after), writer.changes, writer.action_ids, cites,
        because, values,
    )  # fmt: skip
    breaches: tuple[Breach, ...] = ()
    advice: tuple[Advice, ...] = ()
    if rule is not None and rule.breach is not None:
        breaches = (Breach(rule.breach, rule.id, deadline.name, due, time, rule.cites),)
    if deadline.level == "should":
        advice = (Advice(deadline.party, deadline.name, due, time, deadline.cites),)
    return Stepped(after, step, tuple(writer.actions), breaches, advice)


def _choose(setting: Setting, case: Case, deadline: Deadline, time: Timestamp) -> tuple[Rule | None, Mapping[str, Any]]:
    bindings = setting.bindings(case, time)
    for rule in deadline.otherwise:
        if rule.condition is None:
            return rule, {}
        if setting.value(rule.condition, bindings, case):
            return rule, seen(setting, rule.condition, bindings, case)
    return None, {}


def _path(setting: Setting, case: Case) -> str:
    return setting.policy.states[case.leaf].path


class _Writer:
    """A step while it is being taken: the case so far, and what has been set and done."""

    def __init__(
        self, setting: Setting, case: Case, time: Timestamp, event: Mapping[str, Any] | None, identity: list[Any]
    ) -> None:
        self._setting = setting
        self._time = time
        self._event = event
        self._identity = identity
        self._case = case
        self._entered: list[int] = []
        self.within: tuple[int, ...] = ()
        self.changes: dict[str, Any] = {}
        self.actions: list[Action] = []

    @property
    def action_ids(self) -> tuple[str, ...]:
        return tuple(action.id for action in self.actions)

    def follow(self, rule: Rule | None, remembered: Case) -> str | None:
        """Set, remember, do, and go where the rule leads; the text of its ``because``."""
        states = self._setting.policy.states
        before = self._case
        if not before.closed:
            self.within = (before.leaf, *states[before.leaf].ancestors)
        if rule is None:
            self._case = remembered
            return None
        data = self._assigned(rule.set, before, self._event)
        self._case = replace(remembered, data=data)
        self._carry_out(rule.do, rule.id, rule.cites, self._event)
        because = None
        if rule.because is not None:
            bindings = self._setting.bindings(self._case, self._time, self._event)
            because = self._setting.text(rule.because, bindings, self._case)
        if rule.to is not None:
            self._go(rule.to)
            after = (self._case.leaf, *states[self._case.leaf].ancestors)
            self.within = tuple(index for index in self.within if index in after)
        return because

    def _go(self, target: int) -> None:
        states = self._setting.policy.states
        kept = set(states[target].ancestors)
        active = (self._case.leaf, *states[self._case.leaf].ancestors)
        left = [index for index in active if index not in kept]
        for index in left:
            self._effects(states[index].leave)
        gone = set(left)
        deadlines = self._setting.policy.deadlines
        clocks = {n: c for n, c in self._case.clocks.items() if deadlines[n].state not in gone}
        self._case = replace(self._case, clocks=clocks, closed=False, outcome=None)
        self.enter(tuple(reversed([i for i in (target, *states[target].ancestors) if i not in active or i in gone])))

    def enter(self, path: tuple[int, ...]) -> None:
        """Enter states from the outside in, and go on through ``start`` to a leaf."""
        states = self._setting.policy.states
        for index in path:
            self._enter(index)
        while states[self._case.leaf].starts:
            self._enter(self._chosen(self._case.leaf))

    def _chosen(self, index: int) -> int:
        bindings = self._setting.bindings(self._case, self._time)
        for choice in self._setting.policy.states[index].starts:
            if choice.condition is None or self._setting.value(choice.condition, bindings, self._case):
                return self._below(index, choice.to)
        raise EvaluationError("policy.no-start", f"no choice of `start` holds in `{_path(self._setting, self._case)}`")

    def _below(self, index: int, target: int) -> int:
        """The state directly inside ``index`` that leads to ``target``; states between are entered on the way."""
        line = (target, *self._setting.policy.states[target].ancestors)
        between = line[: line.index(index)]
        for state in reversed(between[1:]):
            self._enter(state)
        return target

    def _enter(self, index: int) -> None:
        state = self._setting.policy.states[index]
        self._case = replace(self._case, leaf=index)
        self._entered.append(index)
        self._effects(state.enter)
        if state.final:
            bindings = self._setting.bindings(self._case, self._time)
            outcome = self._setting.text(state.outcome, bindings, self._case) if state.outcome else state.path
            self._case = replace(self._case, closed=True, outcome=outcome)

    def _effects(self, effects: Effects | None) -> None:
        if effects is not None:
            self._case = replace(self._case, data=self._assigned(effects.set, self._case, None))
            self._carry_out(effects.do, effects.id, effects.cites, None)

    def _assigned(
        self, assignments: tuple[Assignment, ...], case: Case, event: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """The case's data with fields set; all right-hand sides read the data as they were."""
        if not assignments:
            return self._case.data
        bindings = self._setting.bindings(case, self._time, event)
        data = dict(self._case.data)
        for assignment in assignments:
            value = self._setting.value(assignment.value, bindings, case)
            if isinstance(value, Optional):
                value = value.value if value.present else None
            if value is None:
                data.pop(assignment.field, None)
            else:
                value = data[assignment.field] = _fitted(value, assignment.type, assignment.value.start)
            self.changes[f"case.{assignment.field}"] = value
        return data

    def _carry_out(
        self, calls: tuple[ActionCall, ...], rule: str, cites: tuple[str, ...], event: Mapping[str, Any] | None
    ) -> None:
        if not calls:
            return
        bindings = self._setting.bindings(self._case, self._time, event)
        for index, call in enumerate(calls):
            if call.condition is not None and not self._setting.value(call.condition, bindings, self._case):
                continue
            data = {}
            for name, kind, expression in call.data:
                value = self._setting.value(expression, bindings, self._case)
                if isinstance(value, Optional):
                    if not value.present:
                        continue
                    value = value.value
                data[name] = value = _fitted(value, kind, expression.start)
                for money in _moneys(value):
                    if not money.is_round:
                        message = (
                            f"`{name}` of `{call.action}` is {money}: an action's money must be round (`.round()`)"
                        )
                        raise EvaluationError("action.not-round", message, expression.start, expression.start)
            for declared in self._setting.policy.actions[call.action].data.fields:
                if declared.default is not None:
                    data.setdefault(declared.name, declared.default)
            identity = [self._setting.order_id, *self._identity, rule, index]
            self.actions.append(Action(_action_id(identity), self._time, call.action, data, rule, cites))

    def finish(self, event: Taken | None) -> Case:
        """The case once its clocks have been looked at."""
        entered = tuple(self._entered)
        if event is None:
            return after_step(self._setting, self._case, self._time, entered, (), None, None)
        return after_step(self._setting, self._case, self._time, entered, self.within, event.event, event.values)


def _moneys(value: Any) -> Iterator[Money]:
    """All money in a value, however deep."""
    if isinstance(value, Money):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _moneys(item)


def _fitted(value: Any, kind: Any, start: int) -> Any:
    """A computed value as its declared type has it: a record keeps its declared fields alone."""
    try:
        return read_value(value, kind)
    except DataError as error:
        raise EvaluationError("cel.wrong-type", str(error), start, start) from None


def _action_id(identity: list[Any]) -> str:
    """A stable id: the same cause, rule and index of the same order always give the same."""
    text = json.dumps(to_plain(identity), separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode("utf-8", "surrogatepass"))[:32]
