"""Source -> Document. The only file that imports yaml.

Nodes are composed from libyaml's events without recursion, scalars resolved by YAML 1.2's core schema:
``on`` and ``no`` are texts, dates are not guessed. What YAML does to expressions that should have been
quoted is recognised and said in one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from policy_engine.loading.core_schema import resolve_plain
from policy_engine.loading.document import Document, MappingNode, Node, ScalarNode, SequenceNode
from policy_engine.source import Diagnostic, Source, SourceMap, Span
from policy_engine.source.frozen import frozen

__all__ = ["DocumentLimits", "read_yaml"]

_WORD = re.compile(r"[\w.\-@/ ]+")
# What an expression looks like inside a line that YAML could not read.
_EXPRESSION = re.compile(
    r"\?|&&|\|\||==|!=|<=|>=|\bin \[|\w\(|^!"
    r"|^(?P<quote>[\"']).*?(?P=quote)\s*[^\s}\],:#]"  # a text and more behind it
    r"|^[\[{].*[\]}]\s*[.+*/<>=!&|?-]"  # a list or a map and an operator behind it
)
# In flow style the next key ends what could be an expression.
_NEXT_KEY = re.compile(r",\s+[\w.-]+:\s")
_QUOTE = "quote this expression"


@frozen
class DocumentLimits:
    """Bounds for texts from strangers: characters, depth, nodes once aliases are resolved, one scalar."""

    text: int = 4_000_000
    depth: int = 64
    nodes: int = 200_000
    scalar: int = 1_000_000


class _TooMuchError(Exception):
    """A bound is passed: the message, and where."""


class _Open:
    """A collection whose end has not come yet."""

    __slots__ = ("children", "event")

    def __init__(self, event: Any) -> None:
        self.event = event
        self.children: list[Node] = []


def read_yaml(sources: SourceMap, source: Source, limits: DocumentLimits) -> tuple[Document | None, list[Diagnostic]]:
    """The document in ``source``, and everything wrong with it; None where it cannot be read at all."""
    reader = _Reader(sources, source, limits)
    root = reader.read()
    return (Document(root, sources) if root is not None else None), reader.diagnostics


class _Reader:
    def __init__(self, sources: SourceMap, source: Source, limits: DocumentLimits) -> None:
        self._sources = sources
        self._source = source
        self._limits = limits
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = 0
        self._broken: set[int] = set()  # where scalars start that have been reported
        self.diagnostics: list[Diagnostic] = []

    def _report(self, code: str, message: str, start: int, end: int, hint: str | None = None) -> None:
        base = self._source.base
        span = Span(base + start, base + max(end, start + 1))
        self.diagnostics.append(Diagnostic.at(self._sources, span, code, message, hint))

    def read(self) -> Node | None:
        text = self._source.text
        if len(text) > self._limits.text:
            message = f"the file has {len(text)} characters, {self._limits.text} are allowed"
            self._report("yaml.too-large", message, 0, 1)
            return None
        try:
            return self._compose(iter(yaml.parse(text, Loader=yaml.CSafeLoader)))
        except _TooMuchError as error:
            message, start = error.args
            self._report("yaml.too-large", message, start, start + 1)
        except yaml.reader.ReaderError as error:
            where = text.find(error.character) if isinstance(error.character, str) else error.position
            message = "this character is not allowed in YAML; in a quoted text write it as an escape like `\\x07`"
            self._report("yaml.bad-character", message, max(0, min(where, len(text) - 1)), where + 1)
        except yaml.MarkedYAMLError as error:
            self._syntax_error(error)
        return None

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark if error.problem_mark is not None else error.context_mark
        offset: int = 0 if mark is None else mark.index
        index = min(offset, max(len(self._source.text) - 1, 0))
        place = self._source.place(self._source.base + index)
        line = self._source.line(place.line)
        problem = error.problem or "this cannot be read"
        # libyaml notices some broken expressions only on the line behind them.
        for number in (place.line, place.line - 1):
            found = _expression_in(self._source.line(number) if number else "")
            if found is not None:
                start = self._source.line_starts[number - 1] + found[0]
                message = "YAML reads part of this expression as its own"
                self._report("yaml.quote-expression", message, start, start + len(found[1]), _help(found[1]))
                return
        self._report("yaml.syntax", f"this is not YAML: {problem}", index, index + 1, _syntax_help(line, problem))

    # -- composing -----------------------------------------------------------------------------------

    def _compose(self, events: Iterator[Any]) -> Node | None:
        stack: list[_Open] = []
        root: Node | None = None
        documents = 0
        for event in events:
            node: Node | None = None
            if isinstance(event, yaml.ScalarEvent):
                node = self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                node = self._alias(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                if len(stack) >= self._limits.depth:
                    raise _TooMuchError(f"nested more than {self._limits.depth} deep", _marks(event)[0])
                self._check_tag(event)
                stack.append(_Open(event))
            elif isinstance(event, yaml.CollectionEndEvent):
                node = self._close(stack.pop(), event)
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    self._report("yaml.documents", "one document is expected in a file", *_marks(event))
                    return root
            if node is not None:
                if stack:
                    stack[-1].children.append(node)
                else:
                    root = node
        if root is None:
            self._report("yaml.empty", "the file is empty", 0, 1)
        return root

    def _count(self, start: int, weight: int = 1) -> None:
        self._nodes += weight
        if self._nodes > self._limits.nodes:
            raise _TooMuchError(f"more than {self._limits.nodes} values once aliases are resolved", start)

    def _check_tag(self, event: Any) -> None:
        if event.tag not in (None, "!"):
            start, _ = _marks(event)
            self._report("yaml.tag", f"tags are not used here: `{event.tag}`", start, start + len(event.tag))

    def _remember(self, event: Any, node: Node, weight: int) -> None:
        if event.anchor:
            self._anchors[event.anchor] = (node, weight)

    def _scalar(self, event: Any) -> Node:
        start, end = _marks(event)
        self._count(start)
        if len(event.value) > self._limits.scalar:
            raise _TooMuchError(f"a text of {len(event.value)} characters, {self._limits.scalar} are allowed", start)
        before = len(self.diagnostics)
        style = event.style or "plain"
        value: Any = event.value
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            written = self._source.text[start:].split("\n", 1)[0].split(" #", 1)[0].strip()
            if following := _NEXT_KEY.search(written):
                written = written[: following.start()]
            self._report(
                "yaml.quote-expression", "YAML takes `!` for a tag", start, start + len(written), _help(written)
            )
        elif style == "plain" and event.tag is None:
            try:
                value = resolve_plain(event.value)
            except ValueError as error:
                self._report("yaml.number", str(error), start, end)
        base = self._source.base
        if len(self.diagnostics) > before:
            self._broken.add(base + start)
        node = ScalarNode(base + start, base + end, event.value, value, style)
        self._remember(event, node, 1)
        return node

    def _alias(self, event: Any) -> Node:
        start, end = _marks(event)
        found = self._anchors.get(event.anchor)
        if found is None:
            written = self._source.text[start:].split("\n", 1)[0].strip()
            hint = _help(written) if _EXPRESSION.search(written) else None
            self._report("yaml.unknown-alias", f"there is no anchor `{event.anchor}` before this", start, end, hint)
            self._broken.add(self._source.base + start)
            return ScalarNode(self._source.base + start, self._source.base + end, "", None)
        node, weight = found
        self._count(start, weight)
        return node

    def _close(self, opened: _Open, event: Any) -> Node:
        start, end = opened.event.start_mark.index, event.end_mark.index
        base = self._source.base
        self._count(start)
        node: Node
        if isinstance(opened.event, yaml.SequenceStartEvent):
            node = SequenceNode(base + start, base + end, tuple(opened.children))
        else:
            flow = bool(opened.event.flow_style)
            entries = self._entries(opened.children, flow)
            whole = tuple(entry for entry in entries.values() if entry[1].start not in self._broken)
            node = MappingNode(base + start, base + end, whole, 2 * len(whole) < len(opened.children))
        if opened.event.anchor:
            self._remember(opened.event, node, _weight(node))
        return node

    def _entries(self, children: list[Node], flow: bool) -> dict[str, tuple[ScalarNode, Node]]:
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        base = self._source.base
        last: Node | None = None
        for key, value in zip(children[::2], children[1::2], strict=True):
            start, end = key.start - base, key.end - base
            if not isinstance(key, ScalarNode):
                self._report("yaml.key", "a key is a text", start, end)
            elif flow and _cut_by_comma(key, value) and last is not None:
                start = last.start - base
                written = self._source.text[start:end]
                self._broken.add(last.start)
                self._report(
                    "yaml.quote-expression", "YAML splits this expression at the comma", start, end, _help(written)
                )
            elif key.text == "<<" and key.style == "plain":
                self._report("yaml.merge-key", "`<<` is not used here; name each key, or use `extends`", start, end)
            elif key.text in entries:
                first = self._sources.place(entries[key.text][0].start)
                self._report(
                    "yaml.duplicate-key", f"`{key.text}` is here twice, first on line {first.line}", start, end
                )
            else:
                entries[key.text] = (key, value)
            last = value
        return entries


def _expression_in(line: str) -> tuple[int, str] | None:
    """The column and text of what looks like an expression behind the last key of a line."""
    found = None
    for match in re.finditer(r"[\w-]+:\s+", line):
        rest = line[match.end() :].rstrip()
        if "{" in line[: match.start()] and (following := _NEXT_KEY.search(rest)):
            rest = rest[: following.start()]
        if _EXPRESSION.search(rest) and (found is None or not rest.startswith(": ")):
            while rest and rest[-1] in "}]" and rest.count(rest[-1]) > rest.count("{" if rest[-1] == "}" else "["):
                rest = rest[:-1].rstrip()
            found = match.end(), rest
    return found


def _marks(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


def _weight(node: Node) -> int:
    total, stack = 0, [node]
    while stack:
        current = stack.pop()
        total += 1
        if isinstance(current, SequenceNode):
            stack.extend(current.items)
        elif isinstance(current, MappingNode):
            stack.extend(value for _, value in current.entries)
    return total


def _cut_by_comma(key: ScalarNode, value: Node) -> bool:
    """``{if: f(a, b)}`` is the key ``if`` and, behind the comma, a key ``b)`` without a value."""
    empty = isinstance(value, ScalarNode) and value.style == "plain" and value.text == ""
    return empty and key.style == "plain" and not _WORD.fullmatch(key.text)


def _help(expression: str) -> str:
    quoted = expression.replace("'", "''")
    return f"{_QUOTE}: '{quoted}'" if '"' in expression else f'{_QUOTE}: "{expression}"'


def _syntax_help(line: str, problem: str) -> str | None:
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not with tabs"
    if "mapping values" in problem:
        return 'quote a text that holds `: `, as in "a: b"'
    return None
