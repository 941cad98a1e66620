"""Text from strangers on a terminal: what would move the cursor or change colours is made visible."""

from __future__ import annotations

__all__ = ["safe"]


def safe(text: str) -> str:
    """The text with every control character (and what turns writing around) as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
