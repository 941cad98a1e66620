"""The exceptions of the project, as a tree.

PolicyEngineError
├── InputError                 the input cannot be used; carries every diagnostic found
│   ├── InvalidPolicyError
│   └── InvalidHistoryError
└── EvaluationError            an expression failed on values; an outcome, not a crash
"""

from __future__ import annotations

from collections.abc import Iterable

from policy_engine.source.diagnostic import Diagnostic, sorted_by_place

__all__ = [
    "EvaluationError",
    "InputError",
    "InvalidHistoryError",
    "InvalidPolicyError",
    "PolicyEngineError",
]


class PolicyEngineError(Exception):
    """The base of everything that this package raises on purpose."""


class InputError(PolicyEngineError):
    """Input that cannot be used; ``diagnostics`` holds every problem found, sorted by place."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = sorted_by_place(diagnostics)
        super().__init__("\n".join(map(str, self.diagnostics)))


class InvalidPolicyError(InputError):
    """A policy that cannot be loaded, or a policy name that leads to none."""


class InvalidHistoryError(InputError):
    """A history that cannot be read, or that does not fit the policy's order."""


class EvaluationError(PolicyEngineError):
    """An expression that failed on the values it met.

    ``code`` is stable; ``start`` and ``end`` are offsets of the failing part in the policy's
    `SourceMap`, or None where no part is to blame.
    """

    def __init__(self, code: str, message: str, start: int | None = None, end: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.start = start
        self.end = end
