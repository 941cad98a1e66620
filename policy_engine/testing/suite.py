"""Test file -> suite: every case with its history, its checkpoints and where each is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policy_engine.loading.document import Document, MappingNode, Node, ScalarNode, SequenceNode, to_plain_node
from policy_engine.loading.files import UnreadableError, read_text
from policy_engine.loading.schema import check_document
from policy_engine.loading.yaml_text import DocumentLimits, read_yaml
from policy_engine.source import Diagnostic, InputError, SourceMap
from policy_engine.source.frozen import frozen, replace

__all__ = ["Case", "Check", "Line", "Suite", "read_suite"]

# `- +6d refund_requested {amount: USD 10}`: YAML would take the first colon for a key.
_SHORT = re.compile(r"^(\s*- )([+@0-9][^'\"#{\n]*\{.*\})[ \t]*$", re.MULTILINE)
_QUOTED = re.compile(r"(\s*- )'(.*)'\s*")
_LINE = re.compile(
    r"(?P<at>\S+)\s+(?P<type>[A-Za-z_]\w*)(?:\s+by\s+(?P<by>\w+))?(?:\s+as\s+(?P<id>[\w-]+))?\s*(?P<data>\{.*\})?"
)


@frozen
class Line:
    """An event of a case: when (as written), what, by whom, with which data."""

    at: str
    type: str
    by: str | None
    id: str | None
    data: Mapping[str, Any]
    node: Node
    short: bool


@frozen
class Check:
    """What is expected at an instant, and where it is written."""

    at: str
    expect: MappingNode
    node: Node


@frozen
class Case:
    name: str
    cites: tuple[ScalarNode, ...]
    order: Mapping[str, Any]
    lines: tuple[Line, ...]
    checks: tuple[Check, ...]
    readings: tuple[str, ...]
    sets: Mapping[str, Any]
    node: MappingNode


@frozen
class Suite:
    path: Path
    policy: str | Path
    cases: tuple[Case, ...]
    document: Document
    quoted: frozenset[int]  # lines to which quotes were added before YAML read them

    def diagnostic(self, node: Node, code: str, message: str, hint: str | None = None) -> Diagnostic:
        return _as_written(Diagnostic.at(self.document.sources, node.span, code, message, hint), self.quoted)


def read_suite(path: Path) -> Suite:
    """Raises InputError with every problem of the file."""
    try:
        text = read_text(path)
    except UnreadableError as error:
        raise InputError([error.diagnostic]) from None
    quoted = frozenset(text.count("\n", 0, match.start(2)) + 1 for match in _SHORT.finditer(text))
    text = _SHORT.sub(lambda m: f"{m[1]}'{m[2].replace(chr(39), chr(39) * 2)}'", text)
    sources, source = SourceMap().add(str(path), text)
    document, problems = read_yaml(sources, source, DocumentLimits())
    if document is None:
        raise InputError(_as_written(p, quoted) for p in problems)
    checked, shape = check_document("test", document)
    problems = [*problems, *shape]
    root = checked.document.root
    assert isinstance(root, MappingNode)
    policy_node = root.get("policy")
    policy: str | Path = path.with_name(path.name.removesuffix(".test.yaml") + ".yaml")
    if isinstance(policy_node, ScalarNode):
        policy = path.parent / policy_node.text if "/" in policy_node.text else policy_node.text
    suite = Suite(path, policy, (), checked.document, quoted)
    shared = root.get("order")
    cases = []
    for node in _items(root.get("cases")):
        if isinstance(node, MappingNode):
            cases.append(_case(node, to_plain_node(shared) if shared else {}, suite, problems))
    names = [case.name for case in cases]
    for case in cases:
        if names.count(case.name) > 1:
            problems.append(suite.diagnostic(case.node, "test.same-name", f"two cases are called `{case.name}`"))
    if problems:
        raise InputError(_as_written(p, quoted) for p in problems)
    return replace(suite, cases=tuple(cases))


def _as_written(diagnostic: Diagnostic, quoted: frozenset[int]) -> Diagnostic:
    """The diagnostic without the quotes that were put around a short event."""
    place, line = diagnostic.place, diagnostic.line
    match = _QUOTED.fullmatch(line or "")
    if place is None or match is None or place.line not in quoted:
        return diagnostic
    start = len(match[1])
    column = place.column - 1 if place.column > start + 1 else place.column
    original = match[1] + match[2].replace("''", "'")
    return replace(diagnostic, line=original, place=replace(place, column=column), width=max(1, diagnostic.width - 2))


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, SequenceNode) else ()


def _case(node: MappingNode, shared: Mapping[str, Any], suite: Suite, problems: list[Diagnostic]) -> Case:
    name, order, cite = node.get("name"), node.get("order"), node.get("cite")
    checks = [check for check in map(_check, _items(node.get("checks"))) if check is not None]
    own = _check(node)
    if own is not None:
        checks.append(own)
    if not checks:
        message = "the case checks nothing"
        problems.append(suite.diagnostic(node, "test.no-check", message, "add `at:` and `expect:`, or `checks:`"))
    lines = [_line(item, suite, problems) for item in _items(node.get("history"))]
    cites = (cite,) if isinstance(cite, ScalarNode) else _items(cite)
    sets = node.get("set")
    return Case(
        name.text if isinstance(name, ScalarNode) else "",
        tuple(scalar for scalar in cites if isinstance(scalar, ScalarNode)),
        {**shared, **(to_plain_node(order) if order else {})},
        tuple(line for line in lines if line is not None),
        tuple(checks),
        tuple(item.text for item in _items(node.get("readings")) if isinstance(item, ScalarNode)),
        {key.removeprefix("params."): value for key, value in (to_plain_node(sets) if sets else {}).items()},
        node,
    )


def _check(node: Node) -> Check | None:
    if not isinstance(node, MappingNode):
        return None
    at, expect = node.get("at"), node.get("expect")
    if isinstance(at, ScalarNode) and isinstance(expect, MappingNode):
        return Check(at.text, expect, at)
    return None


def _line(node: Node, suite: Suite, problems: list[Diagnostic]) -> Line | None:
    if isinstance(node, MappingNode):
        plain = to_plain_node(node)
        if not isinstance(plain.get("time"), str) or not isinstance(plain.get("type"), str):
            message = "an event has a `time` and a `type`"
            problems.append(
                suite.diagnostic(node, "test.event", message, "or write `- +6d refund_requested {amount: USD 10}`")
            )
            return None
        return Line(
            plain["time"], plain["type"], plain.get("by"), plain.get("id"), plain.get("data") or {}, node, False
        )
    text = node.text if isinstance(node, ScalarNode) else ""
    match = _LINE.fullmatch(text.strip())
    if match is None:
        hint = "write `- +6d refund_requested {amount: USD 10}`, with `by PARTY` or `as ID` behind the type"
        problems.append(suite.diagnostic(node, "test.event", f"`{text}` is not an event", hint))
        return None
    data: Mapping[str, Any] = {}
    if match["data"]:
        sources, source = SourceMap().add("data", match["data"])
        document, found = read_yaml(sources, source, DocumentLimits())
        if document is None or found:
            problems.append(suite.diagnostic(node, "test.event", f"the data `{match['data']}` cannot be read"))
            return None
        data = document.plain()
    return Line(match["at"], match["type"], match["by"], match["id"], data, node, True)
