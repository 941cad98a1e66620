"""An evaluation as JSON text (``schemas/evaluation.schema.json``)."""

from __future__ import annotations

import json

from policy_engine.model.evaluation import Evaluation

__all__ = ["render_json"]


def render_json(evaluation: Evaluation, *, lines: bool = False) -> str:
    """Indented for people, or (``lines``) in one line for streams. The order of keys is always the same."""
    data = evaluation.to_dict()
    if lines:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(data, ensure_ascii=False, indent=2)
