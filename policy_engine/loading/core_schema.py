"""What a plain scalar means: YAML 1.2's core schema (its section 10.3)."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["resolve_plain"]

_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def resolve_plain(text: str) -> Any:
    """A plain scalar by YAML 1.2's core schema. Raises ValueError for numbers that JSON and CEL do not have."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) <= 64 and (text[0] in "+-." or text[0].isdigit()):
        if _INT.fullmatch(text) or _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
            number = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
            if not -(2**63) <= number < 2**64:
                raise ValueError(f"`{text}` does not fit 64 bits")
            return number
        if _FLOAT.fullmatch(text):
            value = float(text)
            if value in (float("inf"), float("-inf")):
                raise ValueError(f"`{text}` is too large for a number")
            return value
        if _NOT_FINITE.fullmatch(text):
            raise ValueError(f"`{text}` is not a number that can be used here")
    elif text[0].isdigit() and _INT.fullmatch(text):
        raise ValueError("the number does not fit 64 bits")
    return text
