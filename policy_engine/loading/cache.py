"""A cache of compiled policies: JSON files, keyed by content and version, never required.

An entry names every file that it was made from with a hash of its bytes, and is used only while all of
them are as they were. Entries are written beside and moved into place; what cannot be read is ignored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from policy_engine.model.codec import POLICY_CODEC
from policy_engine.model.policy import Policy
from policy_engine.source.digest import sha256
from policy_engine.source.frozen import frozen

__all__ = ["PolicyCache"]

_FORMAT = 1
_PACKAGE = Path(__file__).resolve().parent.parent
# The rooms whose code decides what a text is compiled to.
_ROOMS = ("source", "cel", "calendars", "vocabulary", "model", "loading", "compiling")


@frozen
class PolicyCache:
    """``folder`` must be the user's own: entries are plain data, but they are believed."""

    folder: Path

    def load(self, path: Path, readings: tuple[str, ...], sets: Mapping[str, Any]) -> Policy | None:
        try:
            entry = json.loads(self._file(path, readings, sets).read_bytes())
            if not isinstance(entry, dict) or any(_hash(Path(p)) != h for p, h in entry["files"]):
                return None
            policy = POLICY_CODEC.decode(entry["policy"])
        except (OSError, ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
            return None
        return policy if isinstance(policy, Policy) else None

    def store(
        self, path: Path, readings: tuple[str, ...], sets: Mapping[str, Any], policy: Policy, files: Iterable[Path]
    ) -> None:
        """Best effort: a cache that cannot be written is no cache, and nothing else."""
        every = [*files]
        if any(ref.calendar.holidays is not None for ref in policy.calendars.values()):
            every.append(_holiday_library())
        entry = {"files": [[str(p.resolve()), _hash(p)] for p in every], "policy": POLICY_CODEC.encode(policy)}
        target = self._file(path, readings, sets)
        beside = target.with_suffix(f".{os.getpid()}")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.write_text(json.dumps(entry, separators=(",", ":")), encoding="utf-8")
            beside.replace(target)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def _file(self, path: Path, readings: tuple[str, ...], sets: Mapping[str, Any]) -> Path:
        key = [_FORMAT, _fingerprint(), str(path), str(path.resolve()), sorted(readings), sorted(sets.items())]
        name = sha256(json.dumps(key, default=str).encode())
        return self.folder / f"{name[:40]}.json"


def _hash(path: Path) -> str:
    try:
        return sha256(path.read_bytes())
    except OSError:
        return "missing"


def _holiday_library() -> Path:
    """A file of the holiday library that changes with its version."""
    spec = find_spec("holidays")
    return Path(spec.origin).with_name("version.py") if spec and spec.origin else Path("holidays")


def _fingerprint() -> str:
    """The version of this package, as its files are: an upgrade or an edit makes old entries unknown."""
    seen = []
    for room in _ROOMS:
        with os.scandir(_PACKAGE / room) as found:
            for entry in found:
                if entry.name.endswith((".py", ".lark")):
                    status = entry.stat()
                    seen.append((room, entry.name, status.st_size, status.st_mtime_ns))
    return sha256(repr(sorted(seen)).encode())
