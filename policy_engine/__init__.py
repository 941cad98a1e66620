"""Marketplace dispute rules as data.

YAML text -> Source -> Document -> CheckedDocument -> Policy --+
             (read)    (check)     (compile)                   +-> Evaluation -> text | json
event text -> History ----------------------------------------+  (evaluate)    (render)

    policy = load_policy("NAME@REVISION")
    history = load_history("history.yaml")
    policy.evaluate(history, as_of=datetime(2014, 4, 1, tzinfo=UTC)).to_dict()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Where the public names live: importing the package costs nothing until one of them is used.
_HOMES = {
    "Policy": "engine",
    "load_history": "engine",
    "load_policy": "engine",
    "Evaluation": "model.evaluation",
    "Event": "model.history",
    "History": "model.history",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'source')}"), name)
    globals()[name] = value
    return value
