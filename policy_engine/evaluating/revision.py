"""Which revision is in force for a history: chosen once, from the history up to ``as_of``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from policy_engine.calendars import Calendar, local_date
from policy_engine.cel.values import Timestamp
from policy_engine.evaluating.setting import Setting
from policy_engine.model.history import History
from policy_engine.model.policy import Policy
from policy_engine.source import Diagnostic, EvaluationError, InvalidHistoryError, InvalidPolicyError
from policy_engine.vocabulary import read_value
from policy_engine.vocabulary.data import DataError

__all__ = ["check_dates", "in_force"]


def in_force(policies: Sequence[Policy], history: History, as_of: Timestamp) -> Policy:
    """The one revision whose days hold the date that its ``effective.by`` gives.

    Raises InvalidPolicyError where none is in force, InvalidHistoryError where the history gives no date.
    """
    for policy in policies:
        if policy.effective is None:
            if len(policies) == 1:
                return policy
            continue
        day = _date(policy, history, as_of)
        first, last = policy.effective.first, policy.effective.last
        if (first is None or first <= day) and (last is None or day <= last):
            return policy
    dated = [(p, _date(p, history, as_of)) for p in policies if p.effective is not None]
    shown = ", ".join(f"`{p.id}@{p.revision}` {_days(p)}" for p in policies)
    on = f" on {dated[0][1]}" if dated else ""
    message = f"no revision of `{policies[0].id}` is in force{on} for order {history.order['id']}"
    hint = f"there are {shown}; pin one, as in `--policy {policies[-1].id}@{policies[-1].revision}`"
    raise InvalidPolicyError([Diagnostic("policy.not-in-force", message, help=hint)])


def _days(policy: Policy) -> str:
    if policy.effective is None:
        return "(no dates)"
    return f"({policy.effective.first or '…'} to {policy.effective.last or '…'})"


def _date(policy: Policy, history: History, as_of: Timestamp) -> date:
    assert policy.effective is not None
    owner, name, *_ = policy.effective.by.split(".")
    if owner == "first":
        times = [e.time for e in history.events if e.type == name and e.time <= as_of]
        return _local(policy, history, min(times, default=as_of))
    field = policy.order.field(name)
    try:
        if field is None:
            raise DataError("is not a fact of the order")
        value = read_value(history.order.get(name), field.type)
    except DataError as error:
        message = f"`order.{name}` chooses the revision of `{policy.id}`, and {error}"
        raise InvalidHistoryError([Diagnostic("history.bad-order", message, history.place)]) from None
    return _local(policy, history, value) if isinstance(value, Timestamp) else value


def _local(policy: Policy, history: History, moment: Timestamp) -> date:
    ref = policy.calendars["default"]
    calendar: Calendar = ref.calendar
    if ref.timezone is not None:
        try:
            order = {
                f.name: read_value(history.order[f.name], f.type)
                for f in policy.order.fields
                if f.name in history.order
            }
            calendar = Setting.of(policy, str(history.order["id"]), order).calendars["default"]
        except (DataError, EvaluationError):
            calendar = ref.calendar
    try:
        return local_date(moment.datetime, calendar)
    except OverflowError:
        return moment.datetime.date()


def check_dates(policies: Sequence[tuple[Policy, str]]) -> list[Diagnostic]:
    """Overlaps and gaps between revisions of one policy; each comes with the name of its file."""
    dated = [(p.effective.first or date.min, p.effective.last or date.max, name) for p, name in policies if p.effective]
    found = [
        Diagnostic("policy.no-dates", f"`{name}` is one of several revisions and does not say when it is in force")
        for policy, name in policies
        if policy.effective is None and len(policies) > 1
    ]
    dated.sort()
    latest: tuple[date, date, str] | None = None
    for current in dated:
        if latest is None:
            latest = current
            continue
        (_, last, name), (first, _, other) = latest, current
        latest = max(latest, current, key=lambda span: span[1])
        if first <= last:
            found.append(Diagnostic("policy.overlap", f"`{name}` and `{other}` are both in force on {first}"))
        elif (first - last).days > 1:
            found.append(
                Diagnostic(
                    "policy.gap", f"between `{name}` (until {last}) and `{other}` (from {first}) none is in force"
                )
            )
    return found
