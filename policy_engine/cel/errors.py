"""What can go wrong with an expression, and where."""

from __future__ import annotations

from collections.abc import Sequence

from policy_engine.source import EvaluationError, PolicyEngineError
from policy_engine.source.frozen import frozen

__all__ = ["CelError", "CelEvaluationError", "CelSyntaxError", "CelTypeError", "Problem"]

CelEvaluationError = EvaluationError
"""An expression failed on values: code, message, and the offsets of the failing part."""


@frozen
class Problem:
    """One finding in an expression: a stable code, what is wrong, where, and what to write instead."""

    code: str
    message: str
    start: int
    end: int
    help: str | None = None


class CelError(PolicyEngineError):
    """An expression that cannot be used; ``problems`` in order of place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.start, p.end)))
        super().__init__("; ".join(p.message for p in self.problems))


class CelSyntaxError(CelError):
    """Text that is not an expression."""


class CelTypeError(CelError):
    """An expression in which names or types do not fit."""
