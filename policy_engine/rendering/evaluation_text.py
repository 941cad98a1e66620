"""An evaluation for people: the decision first, then the timeline, then who may act and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Any

from policy_engine.calendars import zone
from policy_engine.cel.values import Timestamp
from policy_engine.model.evaluation import Evaluation, Failure, Permission, Refusal, RunningDeadline, Step
from policy_engine.model.policy import Policy
from policy_engine.rendering.safe import safe
from policy_engine.vocabulary import plain_text

__all__ = ["render_text"]


def render_text(evaluation: Evaluation, policy: Policy, timezone: str | None = None) -> str:
    """At most a hundred columns where the texts allow it; times in ``timezone``, by default the policy's."""
    writer = _Writer(evaluation, policy, timezone or policy.calendars["default"].calendar.timezone)
    return "\n".join(safe(line) for line in writer.lines())


class _Writer:
    def __init__(self, evaluation: Evaluation, policy: Policy, timezone: str) -> None:
        self._evaluation = evaluation
        self._policy = policy
        self._timezone = timezone
        self._zone: tzinfo = zone(timezone)

    def _time(self, moment: Timestamp) -> str:
        """Local time to the second, finer digits only where there are any but the day's last."""
        try:
            local = moment.datetime.astimezone(self._zone)
        except OverflowError:
            return str(moment)  # no local time within the years that there are
        text = local.strftime("%Y-%m-%d %H:%M:%S")
        if local.microsecond == 999999 and local.second == 59:
            return text
        return f"{text}.{local.microsecond:06d}" if local.microsecond else text

    def lines(self) -> Iterator[str]:
        evaluation = self._evaluation
        ref = evaluation.policy
        yield from self._decision()
        yield ""
        readings = f", reading {', '.join(ref.readings)}" if ref.readings else ""
        yield f"Order {evaluation.order['id']} under {ref.id} {ref.revision}{readings}"
        yield f"as of {self._time(evaluation.as_of)} ({evaluation.as_of}), local times of {self._timezone}"
        yield from _section("Timeline", self._timeline())
        yield from _section("Running", map(self._running, evaluation.deadlines))
        yield from _section("May act", map(self._permitted, evaluation.permitted))
        yield from _section("Breaches", self._breaches())
        yield from _section("Not done in time (advice)", self._advice())
        yield from _section("Events still to come", (self._event_line(event) for event in evaluation.future))

    # -- the decision --------------------------------------------------------------------------------

    def _decision(self) -> Iterator[str]:
        evaluation = self._evaluation
        if evaluation.status == "failed":
            yield f"FAILED in {evaluation.state or 'the opening'}"
            for error in evaluation.errors:
                yield f"  {_failure(error)}"
            return
        if evaluation.status == "closed":
            yield f"CLOSED: {evaluation.outcome}"
        else:
            yield f"OPEN in {evaluation.state}"
            yield from (f"  {line}" for line in self._next())
        for action in evaluation.actions:
            yield f"  {action.name} {_data(action.data)} on {self._time(action.time)}{_cited(action.cites)}"
        decided = next((s for s in reversed(evaluation.steps) if s.from_ != s.to and s.from_ is not None), None)
        if decided is not None:
            if decided.because:
                yield f"  because {decided.because}"
            for name in decided.cites:
                clause = self._policy.clauses.get(name)
                if clause is not None:
                    yield f"  [{name}] {clause.text}"

    # -- the timeline --------------------------------------------------------------------------------

    def _timeline(self) -> Iterator[str]:
        entries: list[tuple[Timestamp, int, Step | Refusal]] = []
        entries.extend((step.time, index, step) for index, step in enumerate(self._evaluation.steps))
        entries.extend((refusal.event.time, 10**9 + i, refusal) for i, refusal in enumerate(self._evaluation.refused))
        actions = {action.id: action for action in self._evaluation.actions}
        for moment, _, entry in sorted(entries, key=lambda item: item[:2]):
            time = self._time(moment)
            if isinstance(entry, Refusal):
                event = entry.event
                name = f"{event.by or '?'}: {event.type}" + (f" ({event.id})" if event.id else "")
                yield f"{time}  x {name}  REFUSED, {entry.code}: {self._localised(entry)}"
                continue
            moved = f" -> {entry.to}" if entry.from_ != entry.to else ""
            yield f"{time}  {self._cause(entry)}{moved}{_cited(entry.cites)}"
            if entry.because:
                yield f"{'':19}    because {entry.because}"
            for name, value in entry.set.items():
                yield f"{'':19}    {name} = {_value(value)}"
            for action_id in entry.actions:
                action = actions[action_id]
                yield f"{'':19}    do {action.name} {_data(action.data)}"

    def _localised(self, refusal: Refusal) -> str:
        """The reason with its instants in local time, as the rest of the timeline has them."""
        reason = refusal.reason
        for moment in (refusal.opens, refusal.closes):
            if moment is not None:
                reason = reason.replace(str(moment), self._time(moment))
        return reason

    def _cause(self, step: Step) -> str:
        cause: Mapping[str, Any] = step.cause
        if cause["kind"] == "event":
            return f"{cause['by']}: {cause['type']}" + (f" ({cause['event']})" if cause["event"] else "")
        if cause["kind"] == "lapse":
            return f"silence: {cause['deadline']} ran out (from {self._time(cause['started'])})"
        return "opened"

    def _event_line(self, event: Any) -> str:
        return f"{self._time(event.time)}  {event.by or '?'}: {event.type}" + (f" ({event.id})" if event.id else "")

    # -- what can be and what will be ----------------------------------------------------------------

    def _running(self, deadline: RunningDeadline) -> str:
        who = f"{deadline.party}: " if deadline.party else ""
        advice = " (advice)" if deadline.level == "should" else ""
        if deadline.due is None:
            return f"{who}{deadline.name}{advice} waits{_cited(deadline.cites)}"
        held = ", held back" if deadline.held else ""
        left = ""
        if deadline.left is not None:
            left = f", {_short(deadline.left)} left"
        silence = f"; silence means {deadline.otherwise}" if deadline.otherwise else ""
        count = f"\n{'':4}{deadline.count}" if deadline.count and "not counted" in deadline.count else ""
        due = f"{deadline.name}{advice} by {self._time(deadline.due)}"
        return f"{who}{due}{left}{held}{silence}{_cited(deadline.cites)}{count}"

    def _permitted(self, permission: Permission) -> str:
        window = ""
        if permission.opens is not None and permission.opens > self._evaluation.as_of:
            window += f" from {self._time(permission.opens)}"
        if permission.closes is not None:
            window += f" until {self._time(permission.closes)}"
        conditions = f", if {' and '.join(permission.conditions)}" if permission.conditions else ""
        error = f" ERROR {_failure(permission.error)}" if permission.error else ""
        return f"{permission.by}: {permission.event}{window}{conditions}{_cited(permission.cites)}{error}"

    def _next(self) -> Iterator[str]:
        fact = self._evaluation.next
        if fact is None:
            yield "if nobody acts, nothing happens: no deadline runs"
            return
        effect = f"the case goes to {fact.to}" if fact.to else "the case stays where it is"
        if fact.error is not None:
            effect = f"the case fails: {_failure(fact.error)}"
        yield f"if nobody acts, {fact.deadline} runs out with {self._time(fact.due)}, and {effect}"

    def _breaches(self) -> Iterator[str]:
        for breach in self._evaluation.breaches:
            late = f" ({breach.deadline})" if breach.deadline else ""
            yield f"{self._time(breach.time)}  {breach.party}{late}{_cited(breach.cites)}"

    def _advice(self) -> Iterator[str]:
        for advice in self._evaluation.advice:
            yield f"{self._time(advice.due)}  {advice.party or 'nobody named'}: {advice.deadline}{_cited(advice.cites)}"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield f"{title}:"
        for line in found:
            for part in line.split("\n"):
                yield f"  {part}"


def _cited(cites: tuple[str, ...]) -> str:
    return f"  [{', '.join(cites)}]" if cites else ""


def _short(left: Any) -> str:
    """``4 d 3 h``, ``2 h 10 min``, ``30 s``: the two largest parts of what is left."""
    seconds = int(left) // 1_000_000_000
    parts = []
    for name, unit in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, unit)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_value(item)}" for name, item in value.items())
    return "unset" if value is None else plain_text(value)


def _data(data: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in data.items())


def _failure(failure: Failure) -> str:
    place = f" at {failure.place}" if failure.place else ""
    subject = f"{failure.subject}: " if failure.subject else ""
    return f"{subject}{failure.message} [{failure.code}]{place}"
