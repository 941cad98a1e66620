"""What stays the same for a whole case: the policy, the order's facts, its parameters and calendars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_engine.calendars import Calendar
from policy_engine.cel.interpret import interpret
from policy_engine.cel.values import Optional, Timestamp
from policy_engine.evaluating.case import Case
from policy_engine.model.evaluation import Failure
from policy_engine.model.policy import Expression, Policy, Template
from policy_engine.source import EvaluationError
from policy_engine.source.frozen import field, frozen, replace
from policy_engine.vocabulary import LIBRARY, Surroundings, plain_text

__all__ = ["Setting", "failure"]


@frozen
class Setting:
    """``order`` and ``params`` are values of their declared types."""

    policy: Policy
    order_id: str
    order: Mapping[str, Any]
    params: Mapping[str, Any]
    calendars: Mapping[str, Calendar]
    _around: dict[int, Surroundings] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, policy: Policy, order_id: str, order: Mapping[str, Any]) -> Setting:
        """Raises EvaluationError where an override or a calendar's time zone cannot be evaluated."""
        bare = cls(policy, order_id, order, {}, {})
        # A calendar whose zone is a parameter is not known while parameters are being chosen.
        plain = {name: ref.calendar for name, ref in policy.calendars.items() if ref.timezone is None}
        around = Surroundings(plain)
        facts = {"order": order}
        params = {name: p.value for name, p in policy.parameters.items()}
        for name, parameter in policy.parameters.items():
            for condition, value in parameter.overrides:
                if bare._value(condition, facts, around):
                    params[name] = value
                    break
        before = {"order": order, "params": params}
        calendars = {}
        for name, ref in policy.calendars.items():
            zone = bare._value(ref.timezone, before, around) if ref.timezone else ref.calendar.timezone
            calendars[name] = replace(ref.calendar, timezone=zone) if ref.timezone else ref.calendar
        return cls(policy, order_id, order, params, calendars)

    def bindings(self, case: Case, now: Timestamp, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The names that an expression may use at a step."""
        names: dict[str, Any] = {
            "order": self.order,
            "params": self.params,
            "case": case.data,
            "now": now,
            "first": case.first,
            "last": case.last,
            "count": case.count,
            "due": _Due(self.policy, case),
        }
        if event is not None:
            names["event"] = event
        return names

    def opening_bindings(self) -> dict[str, Any]:
        """The names that an expression may use before the case opens."""
        return {"order": self.order, "params": self.params}

    def value(self, expression: Expression, bindings: Mapping[str, Any], case: Case) -> Any:
        """Raises EvaluationError with the place of what failed."""
        return self._value(expression, bindings, self._surroundings(case.leaf))

    def opening_value(self, expression: Expression) -> Any:
        return self._value(expression, self.opening_bindings(), Surroundings(self.calendars))

    def _value(self, expression: Expression, bindings: Mapping[str, Any], around: Surroundings | None) -> Any:
        return interpret(expression.node, bindings, library=LIBRARY, context=around)

    def text(self, template: Template, bindings: Mapping[str, Any], case: Case) -> str:
        parts = (
            part if isinstance(part, str) else plain_text(self.value(part, bindings, case)) for part in template.parts
        )
        return "".join(parts)

    def instant(self, expression: Expression | None, bindings: Mapping[str, Any], case: Case) -> Timestamp | None:
        """A timestamp, cut to whole microseconds; None where there is no expression or it gives none."""
        if expression is None:
            return None
        value = self.value(expression, bindings, case)
        if isinstance(value, Optional):
            if not value.present:
                return None
            value = value.value
        if not isinstance(value, Timestamp):
            raise EvaluationError("cel.wrong-type", "this gives no timestamp", expression.start, expression.start)
        return value if value % 1000 == 0 else Timestamp(value // 1000 * 1000)

    def _surroundings(self, leaf: int) -> Surroundings:
        found = self._around.get(leaf)
        if found is None:
            states = self.policy.states
            active = (leaf, *states[leaf].ancestors)
            found = Surroundings(self.calendars, frozenset(states[index].path for index in active if index))
            self._around[leaf] = found
        return found


class _Due(Mapping[str, Timestamp]):
    """``due.NAME``: the due instants of running deadlines, looked up when they are read."""

    def __init__(self, policy: Policy, case: Case) -> None:
        self._policy = policy
        self._case = case

    def __getitem__(self, name: str) -> Timestamp:
        for clock in self._case.clocks.values():
            if self._policy.deadlines[clock.deadline].name == name and clock.due is not None:
                return max(clock.due, clock.floor)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name == key for key in self)

    def __iter__(self) -> Any:
        for clock in self._case.clocks.values():
            if clock.due is not None:
                yield self._policy.deadlines[clock.deadline].name

    def __len__(self) -> int:
        return sum(1 for _ in self)


def failure(policy: Policy, error: EvaluationError, at: Timestamp | None, subject: str | None) -> Failure:
    """An evaluation error as the evaluation reports it, with its place in the policy's files."""
    place = str(policy.sources.place(error.start)) if error.start is not None and policy.sources.sources else None
    return Failure(error.code, error.message, place, at, subject)
