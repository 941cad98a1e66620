"""Files as texts: UTF-8, of a bounded size, or a diagnostic that says why not."""

from __future__ import annotations

from pathlib import Path

from policy_engine.source import Diagnostic, Place

__all__ = ["MOST_BYTES", "UnreadableError", "decode", "read_text"]

MOST_BYTES = 256_000_000


class UnreadableError(Exception):
    """A file that cannot be read as text; carries the one diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(str(diagnostic))
        self.diagnostic = diagnostic


def read_text(path: Path, name: str | None = None) -> str:
    """The text of a file. Raises UnreadableError."""
    shown = name or str(path)
    try:
        if path.is_file() and path.stat().st_size > MOST_BYTES:
            raise UnreadableError(Diagnostic("input.too-large", f"`{shown}` has more than {MOST_BYTES} bytes"))
        return decode(path.read_bytes(), shown)
    except FileNotFoundError:
        raise UnreadableError(Diagnostic("input.missing", f"there is no file `{shown}`")) from None
    except IsADirectoryError:
        raise UnreadableError(Diagnostic("input.missing", f"`{shown}` is a folder, a file is expected")) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise UnreadableError(Diagnostic("input.missing", f"`{shown}` cannot be read: {why}")) from None


def decode(data: bytes, name: str) -> str:
    """UTF-8, with or without a byte order mark. Raises UnreadableError at the first byte that is not."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        message = f"the file is not UTF-8: byte 0x{data[error.start]:02x}"
        raise UnreadableError(Diagnostic("input.not-utf8", message, Place(name, line, column))) from None
