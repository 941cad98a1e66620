"""A case as plain JSON and back: what a host stores between two events."""

from __future__ import annotations

from typing import Any

from policy_engine.evaluating.case import Case, Clock
from policy_engine.model.codec import VALUE_CLASSES, Codec

__all__ = ["restore", "snapshot"]

_CODEC = Codec((*VALUE_CLASSES, Case, Clock))


def snapshot(case: Case) -> Any:
    """Plain JSON that `restore` makes the same case of."""
    return _CODEC.encode(case)


def restore(data: Any) -> Case:
    """Raises ValueError for anything that is not a snapshot."""
    try:
        case = _CODEC.decode(data)
    except (LookupError, TypeError, ArithmeticError) as error:
        raise ValueError("this is not the snapshot of a case") from error
    if not isinstance(case, Case):
        raise ValueError("this is not the snapshot of a case")
    return case
