"""Marketplace dispute rules as data.

YAML text -> Source -> Document -> CheckedDocument -> Policy --+
             (read)    (check)     (compile)                   +-> Evaluation -> text | json
event text -> History ----------------------------------------+  (evaluate)    (render)

    policy = load_policy("NAME@REVISION")
    history = load_history("history.yaml")
    policy.evaluate(history, as_of=datetime(2014, 4, 1, tzinfo=UTC)).to_dict()
"""

from policy_engine.engine import Policy, load_history, load_policy
from policy_engine.model.evaluation import Evaluation
from policy_engine.model.history import Event, History
from policy_engine.source import (
    Diagnostic,
    InputError,
    InvalidHistoryError,
    InvalidPolicyError,
    PolicyEngineError,
)

__version__ = "0.1.0"

__all__ = [
    "Diagnostic",
    "Evaluation",
    "Event",
    "History",
    "InputError",
    "InvalidHistoryError",
    "InvalidPolicyError",
    "Policy",
    "PolicyEngineError",
    "load_history",
    "load_policy",
]
