"""The fold over events: open the case, then for each event what is due before it, then the event."""

from __future__ import annotations

from collections.abc import Iterable

from policy_engine.cel.values import Timestamp
from policy_engine.evaluating.case import Case
from policy_engine.evaluating.clocks import next_lapse
from policy_engine.evaluating.outlook import next_fact, permissions, running_deadlines
from policy_engine.evaluating.setting import Setting, failure
from policy_engine.evaluating.step import Stepped, apply_event, apply_lapse, open_case
from policy_engine.evaluating.trying import Taken, try_event
from policy_engine.model.evaluation import Action, Advice, Breach, Evaluation, Failure, PolicyRef, Refusal, Step
from policy_engine.model.history import Event, History
from policy_engine.model.policy import Policy
from policy_engine.source import Diagnostic, EvaluationError, InvalidHistoryError
from policy_engine.vocabulary import read_record
from policy_engine.vocabulary.data import DataError, record_problems

__all__ = ["MOST_LAPSES", "Replay", "evaluate", "opened_at", "started", "timezone_of"]

MOST_LAPSES = 1000


def evaluate(policy: Policy, history: History, as_of: Timestamp) -> Evaluation:
    """What the history comes to under the policy at ``as_of``.

    Raises InvalidHistoryError where the order's facts do not fit the policy, or an event or ``as_of``
    lies before the case opens.
    """
    prepared = _prepared(policy, history)
    _check_times(history, prepared[1], as_of, policy.ignores)
    replay = _opened(prepared)
    replay.take((event for event in history.events if event.time <= as_of), as_of)
    future = tuple(event for event in history.events if event.time > as_of)
    return replay.evaluation(history, as_of, future)


def started(policy: Policy, history: History) -> Replay:
    """A replay that has opened the case and taken no event yet. Raises InvalidHistoryError where the order
    does not fit the policy."""
    return _opened(_prepared(policy, history))


def _opened(prepared: _Prepared) -> Replay:
    setting, opened, error = prepared
    replay = Replay(setting)
    if error is not None:
        replay.errors.append(failure(setting.policy, error, opened, "opening"))
    else:
        replay.open(opened)
    return replay


_Prepared = tuple[Setting, Timestamp, EvaluationError | None]


def _prepared(policy: Policy, history: History) -> _Prepared:
    """What a case stands in, when it opens, and why it cannot where an expression fails."""
    try:
        order = read_record(history.order, policy.order)
    except DataError:
        which = f"order `{history.order.get('id')}` does not fit policy `{policy.id}`"
        raise InvalidHistoryError(
            Diagnostic("history.bad-order", f"{which}: {error}", history.place)
            for error in record_problems(history.order, policy.order)
        ) from None
    try:
        setting = Setting.of(policy, order["id"], order)
        opened = setting.opening_value(policy.opened)
    except EvaluationError as error:
        # Nothing has begun: the case fails at its first known instant.
        first = history.events[0].time if history.events else Timestamp(0)
        return Setting(policy, order["id"], order, {}, {}), first, error
    return setting, Timestamp(opened // 1000 * 1000), None


def opened_at(policy: Policy, history: History) -> Timestamp:
    """When the case of a history opens. Raises InvalidHistoryError where its order does not fit the policy."""
    return _prepared(policy, history)[1]


def timezone_of(policy: Policy, history: History) -> str:
    """The time zone of the default calendar for an order. Raises InvalidHistoryError where it does not fit."""
    setting, _, _ = _prepared(policy, history)
    calendars = setting.calendars or {name: ref.calendar for name, ref in policy.calendars.items()}
    return calendars["default"].timezone


def _check_times(history: History, opened: Timestamp, as_of: Timestamp, ignores: frozenset[str]) -> None:
    problems = [
        Diagnostic(
            "history.before-opening",
            f"event {event.id or event.type} is at {event.time}, before the case opened at {opened}",
            event.place or history.place,
        )
        for event in history.events
        if event.time < opened and event.type not in ignores
    ]
    if as_of < opened and not problems:
        message = f"as of {as_of} there was no case: it opened at {opened}"
        problems.append(Diagnostic("history.as-of", message, history.place, "choose a later `--as-of`"))
    if problems:
        raise InvalidHistoryError(problems)


class Replay:
    """A fold in progress: the case so far and everything that its steps have said."""

    def __init__(self, setting: Setting, case: Case | None = None, errors: Iterable[Failure] = ()) -> None:
        self.setting = setting
        self.case = case
        self.errors: list[Failure] = list(errors)
        self.steps: list[Step] = []
        self.actions: list[Action] = []
        self.breaches: list[Breach] = []
        self.advice: list[Advice] = []
        self.refused: list[Refusal] = []
        self.ignored: list[Event] = []

    def open(self, opened: Timestamp) -> None:
        try:
            self._note(open_case(self.setting, opened))
        except EvaluationError as error:
            self.errors.append(failure(self.setting.policy, error, opened, "opening"))

    def take(self, events: Iterable[Event], as_of: Timestamp) -> None:
        """Events in order, each after what is due before it; then what is due before ``as_of``."""
        for event in events:
            if event.type in self.setting.policy.ignores:
                self.ignored.append(event)
                continue
            self.advance(event.time)
            self._event(event)
        self.advance(as_of)

    def advance(self, to: Timestamp) -> None:
        """Everything that lapses before an instant: at a due instant a deadline still runs."""
        while self.case is not None and not self.errors:
            found = next_lapse(self.setting, self.case)
            if found is None or found[0] >= to:
                return
            time, clock = found
            deadline = self.setting.policy.deadlines[clock.deadline]
            subject = f"deadline {deadline.id}"
            try:
                if self.case.lapses >= MOST_LAPSES:
                    message = f"more than {MOST_LAPSES} deadlines lapsed since the last applied event"
                    raise EvaluationError("replay.too-many-lapses", message, deadline.start, deadline.start)
                self._note(apply_lapse(self.setting, self.case, clock, time))
            except EvaluationError as error:
                self.errors.append(failure(self.setting.policy, error, time, subject))

    def _event(self, event: Event) -> None:
        if self.case is None or self.errors:
            return
        tried = try_event(self.setting, self.case, event)
        if not isinstance(tried, Taken):
            self.refused.append(tried)
            return
        try:
            self._note(apply_event(self.setting, self.case, tried))
        except EvaluationError as error:
            self.errors.append(failure(self.setting.policy, error, event.time, f"event {event.id or event.type}"))

    def _note(self, stepped: Stepped) -> None:
        self.case = stepped.case
        self.steps.append(stepped.step)
        self.actions.extend(stepped.actions)
        self.breaches.extend(stepped.breaches)
        self.advice.extend(stepped.advice)

    def evaluation(self, history: History, as_of: Timestamp, future: tuple[Event, ...]) -> Evaluation:
        setting, case = self.setting, self.case
        policy = setting.policy
        alive = case is not None and not self.errors
        return Evaluation(
            policy=PolicyRef(policy.id, policy.revision, policy.digest, policy.readings),
            order=history.order,
            as_of=as_of,
            status="failed" if self.errors else "closed" if case is not None and case.closed else "open",
            state=policy.states[case.leaf].path if case is not None else "",
            outcome=case.outcome if case is not None else None,
            case=case.data if case is not None else {},
            actions=tuple(self.actions),
            deadlines=running_deadlines(setting, case, as_of) if case is not None and alive else (),
            permitted=permissions(setting, case, as_of) if case is not None and alive else (),
            breaches=tuple(self.breaches),
            advice=tuple(self.advice),
            refused=tuple(self.refused),
            errors=tuple(self.errors),
            steps=tuple(self.steps),
            next=next_fact(setting, case) if case is not None and alive else None,
            future=future,
            ignored=tuple(self.ignored),
        )
