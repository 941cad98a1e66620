"""Declarations: types, records, parties, clauses, parameters, calendars, events, actions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from policy_engine.calendars import Calendar, DayRule, Holidays, Period, parse_span, zone
from policy_engine.calendars.calendar import WEEKDAYS
from policy_engine.cel.types import DYN, Field, Type, enumeration, list_of, map_of, record
from policy_engine.cel.values import Duration
from policy_engine.compiling.expressions import Expressions, Scope
from policy_engine.compiling.findings import Findings
from policy_engine.loading.document import MappingNode, Node, ScalarNode, SequenceNode
from policy_engine.model.policy import CalendarRef, Clause, Parameter, Party
from policy_engine.source.frozen import replace
from policy_engine.vocabulary import parse_money, read_value
from policy_engine.vocabulary.data import DataError

__all__ = ["Types", "entries", "literal", "parameters", "read_calendars", "read_clauses", "read_parties", "strings"]

_SIMPLE = "string bool int double decimal money timestamp date duration period".split()
_TYPE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\((.*)\))?")
_DEEPEST_TYPE = 16
_ABOUT_A_FIELD = frozenset({"type", "default", "title", "description", "note"})
_MONEY = re.compile(r"[A-Z]{3} -?\d+(?:\.\d+)?")


def entries(node: Node | None) -> tuple[tuple[ScalarNode, Node], ...]:
    """The entries of a mapping that say something: `x-…` and remarks are for people."""
    if not isinstance(node, MappingNode):
        return ()
    return tuple(e for e in node.entries if not e[0].text.startswith("x-"))


def strings(node: Node | None) -> tuple[ScalarNode, ...]:
    """One text or a list of texts, as scalars."""
    if isinstance(node, ScalarNode):
        return (node,)
    return tuple(i for i in node.items if isinstance(i, ScalarNode)) if isinstance(node, SequenceNode) else ()


def text_of(node: Node | None) -> str | None:
    return node.text if isinstance(node, ScalarNode) and node.value is not None else None


@dataclass(slots=True)
class Types:
    """Declared types by name, resolved when they are asked for."""

    findings: Findings
    nodes: Mapping[str, Node]
    parties: Type
    _found: dict[str, Type] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def named(self, name: str, where: ScalarNode) -> Type:
        if name in _SIMPLE:
            return Type(name)
        if name == "party":
            return self.parties
        if len(self._open) >= _DEEPEST_TYPE:
            self.findings.error(where, "type.too-deep", f"types are nested more than {_DEEPEST_TYPE} deep")
            return DYN
        if name in self._open:
            self.findings.error(where, "type.cycle", f"type `{name}` contains itself")
            return DYN
        if name in self._found:
            return self._found[name]
        node = self.nodes.get(name)
        if node is None:
            self.findings.unknown(where, "type", name, [*_SIMPLE, "party", "list", "map", "optional", *self.nodes])
            return DYN
        self._open.append(name)
        kind, optional = self.read(node)
        self._open.pop()
        if optional:
            self.findings.error(node, "type.optional", "a field is optional, a type is not")
        self._found[name] = kind
        return kind

    def read(self, node: Node) -> tuple[Type, bool]:
        """A type, and whether it is written ``optional(…)``."""
        if isinstance(node, SequenceNode):
            members = [item.text for item in strings(node)]
            for item in strings(node):
                if members.count(item.text) > 1:
                    self.findings.error(item, "type.same-member", f"`{item.text}` is a member twice")
            return enumeration(dict.fromkeys(members)), False
        if isinstance(node, MappingNode):
            return self.record(node), False
        return self._text(node.text, node)

    def _text(self, text: str, where: ScalarNode) -> tuple[Type, bool]:
        match = _TYPE.fullmatch(text.strip())
        if text.count("(") > _DEEPEST_TYPE:
            self.findings.error(where, "type.too-deep", f"types are nested more than {_DEEPEST_TYPE} deep")
            return DYN, False
        if match is None:
            self.findings.error(
                where, "type.syntax", f"`{text}` is not a type", "write `list(string)`, `optional(money)`"
            )
            return DYN, False
        name, inner = match.groups()
        if inner is None:
            return self.named(name, where), False
        if name not in ("list", "map", "optional"):
            self.findings.unknown(where, "type", name, ["list", "map", "optional"])
            return DYN, False
        kind, optional = self._text(inner, where)
        if optional:
            self.findings.error(where, "type.optional", "only a field is optional, not what is inside a type")
        if name == "optional":
            return kind, True
        return (list_of(kind) if name == "list" else map_of(Type("string"), kind)), False

    def record(self, node: Node | None, reserved: tuple[str, ...] = ()) -> Type:
        fields = []
        for key, value in entries(node):
            if key.text in reserved:
                message = f"`{key.text}` is what every event has: its time, its party, its id"
                self.findings.error(key, "type.reserved-field", message, "choose another name")
                continue
            fields.append(self._field(key.text, value))
        return record(fields)

    def _field(self, name: str, node: Node) -> Field:
        spec = node if isinstance(node, MappingNode) and _is_spec(node) else None
        kind, optional = self.read(spec.get("type") or node) if spec else self.read(node)
        default_node = spec.get("default") if spec else None
        if default_node is None:
            return Field(name, kind, optional)
        default = literal(default_node, kind, self.findings)
        return Field(name, kind, optional or default is None, default)


def _is_spec(node: MappingNode) -> bool:
    """``{type: bool, default: true}`` describes a field; other mappings are records."""
    keys = {key.text for key, _ in entries(node)}
    return "type" in keys and keys <= _ABOUT_A_FIELD


def literal(node: Node, kind: Type, findings: Findings) -> Any:
    """A literal value of a type; None, with a diagnostic, where it is none."""
    from policy_engine.loading.document import to_plain_node

    try:
        return read_value(to_plain_node(node), kind)
    except DataError as error:
        findings.error(node, "literal.bad-value", str(error))
        return None


# -- parties, clauses ----------------------------------------------------------------------------------


def read_parties(node: Node | None) -> dict[str, Party]:
    return {
        key.text: Party(key.text, text_of(value.get("title")) if isinstance(value, MappingNode) else None)
        for key, value in entries(node)
    }


def read_clauses(node: Node | None, sources: Node | None, findings: Findings) -> dict[str, Clause]:
    known = [key.text for key, _ in entries(sources)]
    clauses = {}
    for key, value in entries(node):
        if isinstance(value, ScalarNode):
            clauses[key.text] = Clause(key.text, value.text)
            continue
        assert isinstance(value, MappingNode)
        source, enforced = value.get("source"), value.get("enforced")
        if isinstance(source, ScalarNode) and source.text not in known:
            findings.unknown(source, "source", source.text, known)
        is_enforced = not (isinstance(enforced, ScalarNode) and enforced.value is False)
        why = text_of(value.get("why"))
        if not is_enforced and why is None and not value.damaged:
            findings.error(
                key, "clause.no-why", f"clause `{key.text}` is not enforced and does not say why", "add `why:`"
            )
        clauses[key.text] = Clause(key.text, text_of(value.get("text")) or "", text_of(source), is_enforced, why)
    return clauses


# -- parameters ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Choices:
    """Readings chosen and values set for a what-if."""

    readings: tuple[str, ...] = ()
    sets: Mapping[str, Any] = field(default_factory=dict)


def parameters(
    node: Node | None, types: Types, expressions: Expressions, order_only: Scope, choices: Choices
) -> dict[str, Parameter]:
    findings = types.findings
    found: dict[str, Parameter] = {}
    for key, value in entries(node):
        found[key.text] = _parameter(key, value, types, expressions, order_only, choices)
    known = sorted({reading for p in found.values() for reading in p.readings})
    where = node or MappingNode(0, 0, ())
    for reading in choices.readings:
        if reading not in known:
            findings.unknown(where, "reading", reading, known)
    for name in choices.sets:
        if name not in found:
            findings.unknown(where, "parameter", name, found)
    return found


def _parameter(
    key: ScalarNode, node: Node, types: Types, expressions: Expressions, order_only: Scope, choices: Choices
) -> Parameter:
    findings, name = types.findings, key.text
    spec = node if isinstance(node, MappingNode) else MappingNode(node.start, node.end, ())
    value_node: Node = (spec.get("value") or node) if isinstance(node, MappingNode) else node
    type_node = spec.get("type")
    declared = types.read(type_node)[0] if isinstance(type_node, ScalarNode) else None
    readings = {k.text: v for k, v in entries(spec.get("readings"))}
    every = {reading: _value(n, declared, findings) for reading, n in readings.items()}
    value, kind = _value(value_node, declared, findings)
    chosen = [reading for reading in choices.readings if reading in readings]
    if len(chosen) > 1:
        findings.error(key, "policy.two-readings", f"parameter `{name}` has one reading at a time: {', '.join(chosen)}")
    if chosen:
        value, kind = every[chosen[0]]
    overrides = []
    for item in _items(spec.get("overrides")):
        condition, other_node = item.get("if"), item.get("value")
        if isinstance(condition, ScalarNode) and other_node is not None:
            other, other_kind = _value(other_node, declared, findings)
            kind = _one_kind(kind, other_kind, other_node, findings)
            overrides.append((expressions.compile(condition, order_only, Type("bool")), other))
    if name in choices.sets:
        overrides = []
        given = choices.sets[name]
        value, kind = _value(ScalarNode(key.start, key.end, str(given), given), declared, findings)
    for each in (value, *(v for v, _ in every.values()), *(v for _, v in overrides)):
        if isinstance(each, Period):
            expressions.check_calendar(each, value_node.span)
    return Parameter(name, kind, value, tuple(overrides), tuple(readings), text_of(spec.get("note")))


def _items(node: Node | None) -> tuple[MappingNode, ...]:
    return tuple(i for i in node.items if isinstance(i, MappingNode)) if isinstance(node, SequenceNode) else ()


def _one_kind(kind: Type, other: Type, where: Node, findings: Findings) -> Type:
    if kind == other or DYN in (kind, other):
        return other if kind == DYN else kind
    if {kind.name, other.name} == {"duration", "period"}:
        return DYN
    findings.error(where, "parameter.two-types", f"the value is `{kind}`, this is `{other}`")
    return kind


def _value(node: Node, declared: Type | None, findings: Findings) -> tuple[Any, Type]:
    """A parameter's literal and its type: the declared one, or what the literal looks like."""
    if declared is not None:
        return literal(node, declared, findings), declared
    if not isinstance(node, ScalarNode):
        return None, DYN
    value = node.value
    if isinstance(value, bool):
        return value, Type("bool")
    if isinstance(value, int):
        return value, Type("int")
    if isinstance(value, float):
        return value, Type("double")
    text = node.text
    try:
        span = parse_span(text)
        if isinstance(span, Period):
            return span, Type("period")
        if span is not None:
            return Duration.of(span), Type("duration")
        if _MONEY.fullmatch(text):
            return parse_money(text), Type("money")
    except ValueError as error:
        findings.error(node, "literal.bad-value", str(error))
        return None, DYN
    return text, Type("string")


# -- calendars -----------------------------------------------------------------------------------------


def read_calendars(
    node: Node | None, expressions: Expressions, scope: Scope, params: Mapping[str, Parameter]
) -> dict[str, CalendarRef]:
    found: dict[str, CalendarRef] = {}
    for key, value in entries(node):
        if isinstance(value, MappingNode):
            found[key.text] = _calendar(key.text, value, expressions, scope, params)
    if "default" not in found:
        found["default"] = CalendarRef(Calendar("default"))
    return found


def _calendar(
    name: str, node: MappingNode, expressions: Expressions, scope: Scope, params: Mapping[str, Parameter]
) -> CalendarRef:
    findings = expressions.findings
    calendar = Calendar(
        name,
        weekend=_weekend(node.get("weekend")),
        holidays=_holidays(node.get("holidays"), findings),
        closed=_day_rules(node.get("closed"), findings),
        opened=_day_rules(node.get("open"), findings),
        ends="same_time" if text_of(node.get("ends")) == "same_time" else "day",
    )
    timezone = node.get("timezone")
    if not isinstance(timezone, ScalarNode):
        return CalendarRef(calendar)
    if timezone.text.startswith("params."):
        expression = expressions.compile(timezone, scope, Type("string"))
        parameter = params.get(timezone.text.removeprefix("params."))
        if parameter is not None:
            for value in (parameter.value, *(v for _, v in parameter.overrides)):
                _check_zone(str(value), timezone, findings)
        return CalendarRef(calendar, expression)
    _check_zone(timezone.text, timezone, findings)
    return CalendarRef(replace(calendar, timezone=timezone.text))


def _check_zone(name: str, where: Node, findings: Findings) -> None:
    try:
        zone(name)
    except ValueError as error:
        from zoneinfo import available_timezones

        from policy_engine.source.diagnostic import did_you_mean

        findings.error(where, "calendar.unknown-zone", str(error), did_you_mean(name, available_timezones()))


def _weekend(node: Node | None) -> frozenset[int]:
    if node is None:
        return frozenset({5, 6})
    return frozenset(WEEKDAYS.index(day.text) for day in strings(node) if day.text in WEEKDAYS)


def _holidays(node: Node | None, findings: Findings) -> Holidays | None:
    if not isinstance(node, MappingNode):
        return None
    country, subdivision = node.get("country"), node.get("subdivision")
    if not isinstance(country, ScalarNode):
        return None
    from policy_engine.calendars.holiday_library import national_holidays  # a tenth of a second to import

    try:
        return national_holidays(country.text, text_of(subdivision))
    except ValueError as error:
        findings.error(country if subdivision is None else subdivision, "calendar.unknown-holidays", str(error))
        return None


def _day_rules(node: Node | None, findings: Findings) -> tuple[DayRule, ...]:
    rules = []
    for item in _items(node):
        first = _date(item.get("date") or item.get("from"), findings)
        last = _date(item.get("date") or item.get("until"), findings)
        keys = {name for name in ("date", "from", "until") if item.get(name) is not None}
        if keys not in ({"date"}, {"from", "until"}):
            findings.error(item, "calendar.day", "a day is a `date`, or `from` and `until`")
        elif first is not None and last is not None:
            yearly = item.get("yearly")
            repeats = isinstance(yearly, ScalarNode) and yearly.value is True
            if last < first and not repeats:
                findings.error(item, "calendar.day", "`until` lies before `from`")
            rules.append(DayRule(first, last, repeats, text_of(item.get("why")) or ""))
    return tuple(rules)


def _date(node: Node | None, findings: Findings) -> date | None:
    if not isinstance(node, ScalarNode):
        return None
    try:
        return date.fromisoformat(node.text)
    except ValueError:
        findings.error(node, "literal.bad-date", f"`{node.text}` is not a date, like 2024-03-10")
        return None
