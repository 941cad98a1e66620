"""What a compilation has to say: diagnostics gathered on the way, raised once at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from policy_engine.loading.document import Node
from policy_engine.source import Diagnostic, SourceMap, Span
from policy_engine.source.diagnostic import did_you_mean

__all__ = ["Findings"]


@dataclass(slots=True)
class Findings:
    sources: SourceMap
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def error(self, where: Node | Span, code: str, message: str, hint: str | None = None) -> None:
        span = where if isinstance(where, Span) else where.span
        self.diagnostics.append(Diagnostic.at(self.sources, span, code, message, hint))

    def unknown(self, where: Node | Span, what: str, name: str, known: Iterable[str]) -> None:
        """``name`` is no ``what`` (a state, a party, a clause …)."""
        code = f"policy.unknown-{what.replace(' ', '-')}"
        self.error(where, code, f"there is no {what} `{name}`", did_you_mean(name, known))
