"""What a compilation has to say: diagnostics gathered on the way, raised once at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from policy_engine.loading.document import MappingNode, Node
from policy_engine.source import Diagnostic, SourceMap, Span
from policy_engine.source.diagnostic import did_you_mean

__all__ = ["Findings", "damaged_sections"]


# Where names of a kind are declared: if an entry there was wrong, a name may only seem to be unknown.
_SECTIONS = {
    "state": "states",
    "party": "parties",
    "event": "events",
    "clause": "clauses",
    "source": "sources",
    "action": "actions",
    "type": "types",
    "parameter": "parameters",
    "reading": "parameters",
    "case field": "case",
    "calendar": "calendars",
}


@dataclass(slots=True)
class Findings:
    """``damaged`` are the sections in which an entry was wrong and has been taken out."""

    sources: SourceMap
    damaged: frozenset[str] = frozenset()
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def error(self, where: Node | Span, code: str, message: str, hint: str | None = None) -> None:
        span = where if isinstance(where, Span) else where.span
        self.diagnostics.append(Diagnostic.at(self.sources, span, code, message, hint))

    def unknown(self, where: Node | Span, what: str, name: str, known: Iterable[str]) -> None:
        """``name`` is no ``what`` (a state, a party, a clause …)."""
        if _SECTIONS.get(what) in self.damaged:
            return
        code = f"policy.unknown-{what.replace(' ', '-')}"
        self.error(where, code, f"there is no {what} `{name}`", did_you_mean(name, known))


def damaged_sections(root: MappingNode) -> frozenset[str]:
    """The sections of a policy that lost an entry: at the top level, or (of states) on any level."""
    found = {key.text for key, value in root.entries if isinstance(value, MappingNode) and value.damaged}
    if root.damaged:
        found |= set(_SECTIONS.values()) - {key.text for key, _ in root.entries}
    stack = [value for key, value in root.entries if key.text == "states"]
    while stack:
        node = stack.pop()
        if isinstance(node, MappingNode):
            found |= {"states"} if node.damaged else set()
            for _, state in node.entries:
                if isinstance(state, MappingNode):
                    stack.extend(value for key, value in state.entries if key.text == "states")
    return frozenset(found)
