"""Where things are: texts, spans in them, and what is said about them. Imports nothing of ours."""

from policy_engine.source.diagnostic import Diagnostic, Severity
from policy_engine.source.errors import (
    EvaluationError,
    InputError,
    InvalidHistoryError,
    InvalidPolicyError,
    PolicyEngineError,
)
from policy_engine.source.span import Place, Source, SourceMap, Span

__all__ = [
    "Diagnostic",
    "EvaluationError",
    "InputError",
    "InvalidHistoryError",
    "InvalidPolicyError",
    "Place",
    "PolicyEngineError",
    "Severity",
    "Source",
    "SourceMap",
    "Span",
]
