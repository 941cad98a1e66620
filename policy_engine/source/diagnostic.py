"""What is said to people about their files: one value for every mistake, rendered like any result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from policy_engine.source.frozen import frozen
from policy_engine.source.span import Place, SourceMap, Span

__all__ = ["Diagnostic", "Severity", "did_you_mean", "listed", "sorted_by_place"]


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


@frozen
class Diagnostic:
    """One finding in one place.

    ``code`` is stable (``schema.unknown-key``); ``message`` starts in lower case, has no final stop and
    quotes the user's text in backticks; ``help`` says what to write instead. ``line`` is the source
    line and ``width`` how many of its columns are meant, so that a diagnostic can be shown without
    its file at hand.
    """

    code: str
    message: str
    place: Place | None = None
    help: str | None = None
    severity: Severity = Severity.ERROR
    line: str | None = None
    width: int = 1

    @classmethod
    def at(
        cls,
        sources: SourceMap,
        span: Span,
        code: str,
        message: str,
        help: str | None = None,  # noqa: A002 - the word that compilers use
        severity: Severity = Severity.ERROR,
    ) -> Diagnostic:
        source = sources.source(span.start)
        place = source.place(span.start)
        line = source.line(place.line)
        width = max(1, min(span.end - span.start, len(line) - place.column + 1))
        return cls(code, message, place, help, severity, line, width)

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        hint = f" ({self.help})" if self.help else ""
        return f"{where}{self.severity.value} {self.code}: {self.message}{hint}"


def sorted_by_place(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """In order of file, line and column, each said once."""

    def key(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
        place = diagnostic.place or Place("", 0, 0)
        return (place.file, place.line, place.column, diagnostic.code, diagnostic.message)

    return tuple(sorted(dict.fromkeys(diagnostics), key=key))


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """``did you mean `x`?`` for the nearest known word, or a list of the words when they are few."""
    from difflib import get_close_matches  # only ever needed when something is wrong

    names = sorted(set(known))
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known here: {listed(names)}" if 0 < len(names) <= 12 else None


def listed(words: Sequence[str], last: str = "and") -> str:
    """``a``, ``b`` and ``c``, each in backticks."""
    quoted = [f"`{word}`" for word in words]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"
