"""A text as a tree of nodes, each with its span; no duplicate keys, no tags, aliases resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from policy_engine.source import Source, SourceMap, Span
from policy_engine.source.frozen import frozen

__all__ = ["Document", "MappingNode", "Node", "Path", "ScalarNode", "SequenceNode"]

Path = tuple[str | int, ...]


@frozen
class ScalarNode:
    """``value`` is what YAML 1.2's core schema makes of ``text``; ``style`` is one of ``plain ' " | >``."""

    start: int
    end: int
    text: str
    value: Any
    style: str = "plain"

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


@frozen
class SequenceNode:
    start: int
    end: int
    items: tuple[Node, ...]

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


@frozen
class MappingNode:
    """``damaged``: an entry was wrong, has been reported and taken out; what now seems to be missing here
    is not worth a second word."""

    start: int
    end: int
    entries: tuple[tuple[ScalarNode, Node], ...]
    damaged: bool = False

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)

    def get(self, key: str) -> Node | None:
        for name, value in self.entries:
            if name.text == key:
                return value
        return None

    def key(self, key: str) -> ScalarNode | None:
        for name, _ in self.entries:
            if name.text == key:
                return name
        return None

    def without(self, keys: frozenset[str]) -> MappingNode:
        kept = tuple(e for e in self.entries if e[0].text not in keys)
        return MappingNode(self.start, self.end, kept, self.damaged)


Node = ScalarNode | SequenceNode | MappingNode


@frozen
class Document:
    """The tree of one input, and the texts that its places are in."""

    root: Node
    sources: SourceMap

    def find(self, path: Path) -> Node | None:
        """The node that a path of keys and indexes leads to."""
        node: Node | None = self.root
        for part in path:
            if isinstance(node, MappingNode) and isinstance(part, str):
                node = node.get(part)
            elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.items):
                node = node.items[part]
            else:
                return None
        return node

    def key_span(self, path: Path) -> Span | None:
        """Where the key at the end of a path is written."""
        parent = self.find(path[:-1])
        if path and isinstance(parent, MappingNode):
            key = parent.key(str(path[-1]))
            return key.span if key else None
        return None

    def plain(self) -> Any:
        """The tree as dicts, lists and scalars."""
        return to_plain_node(self.root)


def to_plain_node(node: Node) -> Any:
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, SequenceNode):
        return [to_plain_node(item) for item in node.items]
    return {key.text: to_plain_node(value) for key, value in node.entries}


# -- positions inside scalars --------------------------------------------------------------------------


def positions(source: Source, scalar: ScalarNode) -> Callable[[int], int]:
    """For an offset in the scalar's value, the offset in its file where that character really stands.

    Escapes, folded lines and the indentation of block scalars are followed; an offset at the end of the
    value is one past its last character.
    """
    where = list(_aligned(source.text[scalar.start - source.base : scalar.end - source.base], scalar))
    fallback = scalar.start

    def at(offset: int) -> int:
        if not where:
            return fallback
        if offset >= len(where):
            return where[-1] + 1 + (offset - len(where))
        return where[offset]

    return at


def _aligned(raw: str, scalar: ScalarNode) -> Iterator[int]:
    """The place of each character of the value, by walking the raw text beside it."""
    block = scalar.style in "|>"
    index = raw.find("\n") + 1 if block else len(scalar.style) if scalar.style in "'\"" else 0
    indent = _indent(raw, index) if block else 0
    index += indent
    for char in scalar.text:
        index = _over_line_continuation(raw, index) if scalar.style == '"' else index
        yield scalar.start + min(index, max(len(raw) - 1, 0))
        if index >= len(raw):
            continue
        if raw[index] in " \t\r\n" and char in " \n" and not (raw[index] == char == " " and not _folds(raw, index)):
            index = _over_break(raw, index, char, block, scalar.style == ">", indent)
        elif scalar.style == '"' and raw[index] == "\\":
            index += {"x": 4, "u": 6, "U": 10}.get(raw[index + 1 : index + 2], 2)
        elif scalar.style == "'" and raw.startswith("''", index):
            index += 2
        else:
            index += 1


def _indent(raw: str, index: int) -> int:
    """How far the first line of a block scalar that is not blank is indented."""
    for line in raw[index:].splitlines():
        if line.strip():
            return len(line) - len(line.lstrip(" "))
    return 0


def _folds(raw: str, index: int) -> bool:
    """Whether only blanks stand between here and the end of the line."""
    rest = raw[index:].lstrip(" \t")
    return rest[:1] in ("\r", "\n")


def _over_line_continuation(raw: str, index: int) -> int:
    while raw.startswith(("\\\n", "\\\r\n"), index):
        index = raw.index("\n", index) + 1
        index += len(raw[index:]) - len(raw[index:].lstrip(" \t"))
    return index


def _over_break(raw: str, index: int, char: str, block: bool, folded: bool, indent: int) -> int:
    """Past a line break that became ``char``, and past what YAML does not count as content after it."""
    if not block:
        # A flow scalar: a run of blanks and breaks is one space, or one break fewer than it has.
        rest = raw[index:]
        run = len(rest) - len(rest.lstrip(" \t\r\n"))
        breaks = rest[:run].count("\n")
        if char == " " or breaks <= 2:
            return index + run
        return index + rest.index("\n") + 1
    newline = raw.find("\n", index)
    if newline < 0:
        return len(raw)
    index = newline + 1
    if folded and char == "\n" and raw[index:].lstrip(" ").startswith("\n"):
        index = raw.index("\n", index) + 1
    return index + min(indent, len(raw[index:]) - len(raw[index:].lstrip(" ")))
