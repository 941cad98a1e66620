"""What a history comes to under a policy: section by section what the JSON output holds.

Times are `Timestamp` values; ``to_dict`` gives the plain form of ``schemas/evaluation.schema.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from policy_engine.cel.values import Duration, Timestamp
from policy_engine.model.history import Event
from policy_engine.model.policy import Level
from policy_engine.source.frozen import field_names, frozen
from policy_engine.vocabulary import to_plain

__all__ = [
    "Action",
    "Advice",
    "Breach",
    "Evaluation",
    "Failure",
    "NextFact",
    "Permission",
    "PolicyRef",
    "Refusal",
    "RefusalCode",
    "RunningDeadline",
    "Status",
    "Step",
]

Status = Literal["open", "closed", "failed"]
RefusalCode = Literal[
    "unknown_event",
    "bad_data",
    "wrong_party",
    "not_permitted",
    "too_early",
    "too_late",
    "guard",
    "refused",
    "error",
    "closed",
    "duplicate",
]


@frozen
class PolicyRef:
    id: str
    revision: str
    digest: str
    readings: tuple[str, ...] = ()


@frozen
class Failure:
    """An expression that failed: a stable code, what happened, where it is written (``file:line:column``)."""

    code: str
    message: str
    place: str | None = None
    at: Timestamp | None = None
    subject: str | None = None


@frozen
class Action:
    """Something for the marketplace to carry out, exactly once under its ``id``."""

    id: str
    time: Timestamp
    name: str
    data: Mapping[str, Any]
    rule: str
    cites: tuple[str, ...]


@frozen
class RunningDeadline:
    """A clock that runs. ``due`` is the instant at which it takes effect, None while it waits for one;
    ``held`` while the deadline's ``if`` is false; ``left`` is the time from ``as_of`` to ``due``; ``count``
    says how a period on a calendar was counted."""

    name: str
    state: str
    party: str | None
    level: Level
    started: Timestamp
    due: Timestamp | None
    paused: bool
    held: bool
    left: Duration | None
    otherwise: str | None
    cites: tuple[str, ...]
    count: str | None = None
    error: Failure | None = None


@frozen
class Permission:
    """What a party may do from ``opens`` to ``closes``, both included; None where there is no bound."""

    event: str
    by: str
    opens: Timestamp | None
    closes: Timestamp | None
    conditions: tuple[str, ...]
    rule: str
    cites: tuple[str, ...]
    error: Failure | None = None


@frozen
class Breach:
    party: str
    rule: str
    deadline: str | None
    due: Timestamp | None
    time: Timestamp
    cites: tuple[str, ...]


@frozen
class Advice:
    """A ``should`` that was not done in time."""

    party: str | None
    deadline: str
    due: Timestamp
    time: Timestamp
    cites: tuple[str, ...]


@frozen
class Refusal:
    """An event that changed nothing, and why; ``nearest`` is the rule that came closest to taking it."""

    event: Event
    code: RefusalCode
    reason: str
    opens: Timestamp | None = None
    closes: Timestamp | None = None
    nearest: str | None = None


@frozen
class Step:
    """One change: the opening, an applied event, or a lapse. ``actions`` are ids."""

    time: Timestamp
    cause: Mapping[str, Any]
    rule: str | None
    from_: str | None
    to: str
    set: Mapping[str, Any]
    actions: tuple[str, ...]
    cites: tuple[str, ...]
    because: str | None
    values: Mapping[str, Any]


@frozen
class NextFact:
    """What becomes a fact at ``at`` if nobody acts: when a host should wake."""

    at: Timestamp
    due: Timestamp
    kind: Literal["lapse", "reminder"]
    deadline: str
    to: str | None
    error: Failure | None = None


@frozen
class Evaluation:
    policy: PolicyRef
    order: Mapping[str, Any]
    as_of: Timestamp
    status: Status
    state: str
    outcome: str | None
    case: Mapping[str, Any]
    actions: tuple[Action, ...]
    deadlines: tuple[RunningDeadline, ...]
    permitted: tuple[Permission, ...]
    breaches: tuple[Breach, ...]
    advice: tuple[Advice, ...]
    refused: tuple[Refusal, ...]
    errors: tuple[Failure, ...]
    steps: tuple[Step, ...]
    next: NextFact | None
    future: tuple[Event, ...]
    ignored: tuple[Event, ...]

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON holds it (``schemas/evaluation.schema.json``)."""
        plain: dict[str, Any] = _plain(self)
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Event):
        return {"id": value.id, "time": str(value.time), "type": value.type, "by": value.by}
    if type(value).__module__ == __name__:
        named = {name.rstrip("_"): _plain(getattr(value, name)) for name in field_names(value)}
        if named.get("error", value) is None:
            del named["error"]
        return named
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return to_plain(value)
