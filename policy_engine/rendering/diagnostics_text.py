"""Diagnostics for people: ``file:line:column``, the line with a caret, what to write instead."""

from __future__ import annotations

from collections.abc import Iterable

from policy_engine.rendering.safe import safe
from policy_engine.source import Diagnostic
from policy_engine.source.diagnostic import sorted_by_place

__all__ = ["render_diagnostics"]

_WIDEST = 100


def render_diagnostics(diagnostics: Iterable[Diagnostic]) -> str:
    """All of them in order of place, an empty line between two."""
    return "\n\n".join(map(_one, sorted_by_place(diagnostics)))


def _one(diagnostic: Diagnostic) -> str:
    where = f"{diagnostic.place}: " if diagnostic.place else ""
    lines = [f"{safe(where)}{diagnostic.severity.value}: {safe(diagnostic.message)} [{diagnostic.code}]"]
    if diagnostic.line is not None and diagnostic.place is not None:
        lines.extend(_excerpt(diagnostic.line, diagnostic.place.line, diagnostic.place.column, diagnostic.width))
    if diagnostic.help:
        lines.append(f"  help: {safe(diagnostic.help)}")
    return "\n".join(lines)


def _excerpt(line: str, number: int, column: int, width: int) -> list[str]:
    """The source line and a caret under the part that is meant; a long line is cut around it."""
    line = line.replace("\t", " ")
    start = max(0, column - 1 - _WIDEST // 2) if len(line) > _WIDEST else 0
    shown = safe(line[start : start + _WIDEST])
    margin = f"  {number} | "
    caret = "^" * max(1, min(width, _WIDEST - (column - 1 - start)))
    return [f"{margin}{shown}", f"{' ' * (len(margin) - 2)}| {' ' * (column - 1 - start)}{caret}"]
