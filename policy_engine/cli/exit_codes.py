"""What the process says when it ends."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """``MISUSE`` is click's own, for a command line that makes no sense."""

    FINE = 0
    FAILED = 1
    MISUSE = 2
    REFUSED = 3
