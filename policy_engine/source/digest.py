"""SHA-256 without OpenSSL: `hashlib` loads it first, which takes longer than everything that is hashed here.

The standard library's own `random` goes the same way for the same reason.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["sha256"]


def sha256(data: bytes) -> str:
    """The digest in hexadecimal (FIPS 180-4)."""
    digest: str = _implementation()(data).hexdigest()
    return digest


def _implementation() -> Any:
    for name in ("_sha2", "_sha256", "hashlib"):  # CPython from 3.12 on, before, and anything else
        try:
            return import_module(name).sha256
        except (ImportError, AttributeError):
            continue
    raise ImportError("this Python has no SHA-256")
