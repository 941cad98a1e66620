"""How much an expression may ask for. Texts and values come from strangers; everything is bounded."""

from __future__ import annotations

from policy_engine.source.frozen import frozen

__all__ = ["DEFAULT_LIMITS", "Limits"]


@frozen
class Limits:
    """``text``: characters; ``depth``: nesting of syntax; ``cost``: steps of one evaluation, where a
    node, a round of a comprehension and every element or 16 characters that are built count one each.
    """

    text: int = 100_000
    depth: int = 120
    cost: int = 1_000_000


DEFAULT_LIMITS = Limits()
