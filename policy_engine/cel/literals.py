"""How literals are written: cel-spec's "Literals" and "Escape sequences"."""

from __future__ import annotations

import re

from policy_engine.cel.values import INT_MAX, INT_MIN, UINT_MAX, UInt

__all__ = ["LiteralError", "read_bytes", "read_double", "read_int", "read_string", "read_uint"]

_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
}  # fmt: skip
_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([\s\S]))")


class LiteralError(ValueError):
    """A literal that has no value; the message is for people."""


def read_int(text: str) -> int:
    digits = text.removeprefix("-")
    if len(digits) > 40:
        raise LiteralError("a number does not fit 64 bits")
    value = int(digits, 16) if digits[:2] in ("0x", "0X") else int(digits)
    value = -value if text.startswith("-") else value
    if not INT_MIN <= value <= INT_MAX:
        raise LiteralError(f"`{text}` does not fit a 64-bit int")
    return value


def read_uint(text: str) -> UInt:
    digits = text[:-1]
    if len(digits) > 40:
        raise LiteralError("a number does not fit 64 bits")
    value = int(digits, 16) if digits[:2] in ("0x", "0X") else int(digits)
    if value > UINT_MAX:
        raise LiteralError(f"`{text}` does not fit a 64-bit uint")
    return UInt(value)


def read_double(text: str) -> float:
    return float(text)


def read_string(text: str) -> str:
    body, raw = _body(text)
    return body if raw else _ESCAPE.sub(_text_escape, body)


def read_bytes(text: str) -> bytes:
    body, raw = _body(text)
    if raw:
        return body.encode()
    parts: list[bytes] = []
    position = 0
    for match in _ESCAPE.finditer(body):
        parts.append(body[position : match.start()].encode())
        parts.append(_byte_escape(match))
        position = match.end()
    parts.append(body[position:].encode())
    return b"".join(parts)


def _body(text: str) -> tuple[str, bool]:
    """The text between the quotes, line breaks made ``\\n``, and whether it is raw."""
    prefix = text[: len(text) - len(text.lstrip("rRbB"))]
    quoted = text[len(prefix) :]
    width = 3 if quoted[:3] in ('"""', "'''") and len(quoted) >= 6 else 1
    body = quoted[width:-width].replace("\r\n", "\n").replace("\r", "\n")
    return body, "r" in prefix.lower()


def _simple(match: re.Match[str]) -> str:
    found = _SIMPLE.get(match[5])
    if found is None:
        raise LiteralError(f"`\\{match[5]}` is not an escape sequence")
    return found


def _text_escape(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code is None and match[4] is None:
        return _simple(match)
    number = int(match[4], 8) if match[4] else int(code, 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise LiteralError(f"`{match[0]}` is not a Unicode character")
    return chr(number)


def _byte_escape(match: re.Match[str]) -> bytes:
    if match[2] or match[3]:
        raise LiteralError(f"`{match[0]}`: bytes have no Unicode escapes")
    if match[1]:
        return bytes([int(match[1], 16)])
    if match[4]:
        return bytes([int(match[4], 8)])
    return _simple(match).encode()
