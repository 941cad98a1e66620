"""CheckedDocument -> Policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from policy_engine.cel.types import DYN, INT, STRING, TIMESTAMP, Field, Type, enumeration, record
from policy_engine.compiling.declared import (
    Choices,
    Types,
    entries,
    parameters,
    read_calendars,
    read_clauses,
    read_parties,
    strings,
    text_of,
)
from policy_engine.compiling.expressions import Expressions, Scope, broken_expression, event_type
from policy_engine.compiling.findings import Findings, damaged_sections
from policy_engine.compiling.state_tree import StateTree
from policy_engine.compiling.states import Declarations, read_states
from policy_engine.loading.document import MappingNode, Node, ScalarNode
from policy_engine.loading.schema import CheckedDocument
from policy_engine.model.policy import ActionType, CalendarRef, Effective, EventType, Party, Policy
from policy_engine.source import Diagnostic
from policy_engine.source.digest import sha256

__all__ = ["Choices", "compile_policy"]

# Changes when the same document comes to mean something else.
_MEANING = 1
_ORDER_ONLY = "may not be read here: only the order's facts are known before the case opens"


def compile_policy(checked: CheckedDocument, choices: Choices) -> tuple[Policy, list[Diagnostic]]:
    """The policy, and everything that is wrong with it: it may be evaluated only where that is nothing."""
    document = checked.document
    root = document.root if isinstance(document.root, MappingNode) else MappingNode(0, 0, (), True)
    findings = Findings(document.sources, damaged_sections(root))
    parties = read_parties(root.get("parties"))
    party_type = enumeration(parties)
    types = Types(findings, {key.text: value for key, value in entries(root.get("types"))}, party_type)
    for key, _ in entries(root.get("types")):
        types.named(key.text, key)
    order = types.record(root.get("order"))
    _check_order(root, order, findings)
    case = _case(root.get("case"), types)
    events = _events(root.get("events"), types, parties)
    actions = {
        key.text: ActionType(key.text, types.record(value.get("data") if isinstance(value, MappingNode) else None))
        for key, value in entries(root.get("actions"))
    }
    tree = StateTree.of(root)
    expressions = Expressions(
        findings,
        calendars=frozenset({"default", *(key.text for key, _ in entries(root.get("calendars")))}),
        state_names=frozenset((*tree.by_path, *tree.by_name)),
    )
    order_only = Scope(
        {"order": order}, dict.fromkeys(("case", "params", "event", "now", "first", "last"), _ORDER_ONLY)
    )
    params = parameters(root.get("parameters"), types, expressions, order_only, choices)
    known = _open(_record((n, p.type) for n, p in params.items()), "parameters", findings)
    before = Scope({**order_only.names, "params": known}, order_only.why)
    scope = _scope(before, case, events, _deadline_names(tree), party_type, findings)
    lets = {key.text: (key, value) for key, value in entries(root.get("let")) if isinstance(value, ScalarNode)}
    expressions.add_lets(lets, scope)
    calendars = read_calendars(root.get("calendars"), expressions, before, params)
    clauses = read_clauses(root.get("clauses"), root.get("sources"), findings)
    declared = Declarations(party_type, events, actions, case, frozenset(clauses), scope)
    states, deadlines = read_states(tree, declared, expressions)
    opened_node = root.get("opened")
    opened = broken_expression("", root.start)
    if isinstance(opened_node, ScalarNode):
        opened = expressions.compile(opened_node, before, TIMESTAMP)
    policy = Policy(
        id=text_of(root.get("policy")) or "",
        revision=text_of(root.get("revision")) or "",
        title=text_of(root.get("title")),
        digest=_digest(document.plain(), choices, calendars),
        readings=tuple(sorted(choices.readings)),
        effective=_effective(root.get("effective"), order, events, findings),
        clauses=clauses,
        parties=parties,
        calendars=calendars,
        parameters=params,
        order=order,
        case=case,
        events=events,
        ignores=frozenset(scalar.text for scalar in strings(root.get("ignores"))),
        actions=actions,
        opened=opened,
        states=states,
        deadlines=deadlines,
        sources=document.sources.without_texts(),
    )
    for scalar in strings(root.get("ignores")):
        if scalar.text in events:
            message = f"`{scalar.text}` is declared as an event, and skipped"
            findings.error(scalar, "policy.ignored-event", message, "leave it out of `ignores`")
    _check_not_yet(root, findings)
    return policy, findings.diagnostics


def _record(pairs: Any) -> Type:
    return record(Field(name, kind) for name, kind in pairs)


def _open(kind: Type, section: str, findings: Findings) -> Type:
    """The type of a section's names; anything, where an entry of it was wrong and has been taken out."""
    return DYN if section in findings.damaged or "types" in findings.damaged else kind


def _scope(
    before: Scope, case: Type, events: Mapping[str, EventType], deadlines: list[str], parties: Type, findings: Findings
) -> Scope:
    """Everything that an expression may name but `event` itself."""
    applied = record(Field(name, event_type(event.data, parties), optional=True) for name, event in events.items())
    return Scope(
        {
            **before.names,
            "case": _open(case, "case", findings),
            "now": TIMESTAMP,
            "first": _open(applied, "events", findings),
            "last": _open(applied, "events", findings),
            "count": _open(_record((name, INT) for name in events), "events", findings),
            "due": _open(record(Field(name, TIMESTAMP, optional=True) for name in deadlines), "states", findings),
        }
    )


def _deadline_names(tree: StateTree) -> list[str]:
    names = (key.text for raw in tree.raw for key, _ in entries(raw.node.get("deadlines")))
    return list(dict.fromkeys(names))


def _check_order(root: MappingNode, order: Type, findings: Findings) -> None:
    where = root.key("order")
    identity = order.field("id")
    if (
        where is not None
        and "order" not in findings.damaged
        and (identity is None or identity.type != STRING or identity.optional)
    ):
        findings.error(where, "policy.order-id", "an order has an `id` that is a string", "add `id: string`")


def _case(node: Node | None, types: Types) -> Type:
    case = types.record(node)
    for field in case.fields:
        damaged = (
            isinstance(node, MappingNode) and isinstance(spec := node.get(field.name), MappingNode) and spec.damaged
        )
        if not field.optional and field.default is None and not damaged:
            where = node.key(field.name) if isinstance(node, MappingNode) else None
            message = f"when the case opens, `case.{field.name}` has no value"
            hint = f"write `optional({field.type})`, or give a `default`"
            types.findings.error(where or node or MappingNode(0, 0, ()), "policy.case-unset", message, hint)
    return case


def _events(node: Node | None, types: Types, parties: Mapping[str, Party]) -> dict[str, EventType]:
    events = {}
    for key, value in entries(node):
        assert isinstance(value, MappingNode)
        by = strings(value.get("by"))
        for scalar in by:
            if scalar.text not in parties:
                types.findings.unknown(scalar, "party", scalar.text, parties)
        data = value.get("data")
        kind = Type("record")
        if isinstance(data, MappingNode):
            kind = types.record(data, reserved=("time", "by", "id"))
        elif isinstance(data, ScalarNode):
            kind, optional = types.read(data)
            if kind.name != "record" or optional:
                message = f"the data of an event are a record, `{data.text}` is none"
                types.findings.error(data, "policy.event-data", message)
                kind = Type("record")
            for name in ("time", "by", "id"):
                if kind.field(name) is not None:
                    message = f"`{data.text}` has a field `{name}`, which is what every event has"
                    types.findings.error(data, "type.reserved-field", message, "choose another name for the field")
        events[key.text] = EventType(key.text, tuple(scalar.text for scalar in by), kind)
    return events


def _effective(node: Node | None, order: Type, events: Mapping[str, EventType], findings: Findings) -> Effective | None:
    if not isinstance(node, MappingNode):
        return None
    by, first, last = node.get("by"), text_of(node.get("from")), text_of(node.get("until"))
    path = text_of(by) or ""
    parts = path.split(".")
    if by is not None:
        if len(parts) == 2 and parts[0] == "order":
            field = order.field(parts[1])
            if field is None or field.type.name not in ("timestamp", "date"):
                findings.error(by, "policy.effective", f"`{path}` is not a time of the order")
        elif not (len(parts) == 3 and parts[0] == "first" and parts[1] in events and parts[2] == "time"):
            message = f"`{path}` does not date an order"
            findings.error(by, "policy.effective", message, "write `order.FIELD` or `first.EVENT.time`")
    days = []
    for key, text in (("from", first), ("until", last)):
        try:
            days.append(date.fromisoformat(text) if text else None)
        except ValueError:
            findings.error(node.get(key) or node, "literal.bad-date", f"`{text}` is not a date")
            days.append(None)
    if days[0] and days[1] and days[1] < days[0]:
        findings.error(node.get("until") or node, "policy.effective", "`until` lies before `from`")
    return Effective(path, *days)


def _check_not_yet(root: MappingNode, findings: Findings) -> None:
    for _, calendar in entries(root.get("calendars")):
        for name in ("overrides", "convention"):
            found = calendar.key(name) if isinstance(calendar, MappingNode) else None
            if found is not None:
                findings.error(found, "policy.not-yet", f"`{name}` of a calendar is not carried out by this version")
    for name in ("scorecards",):
        if (found := root.key(name)) is not None:
            findings.error(found, "policy.not-yet", f"`{name}` are not carried out by this version")


def _digest(plain: Any, choices: Choices, calendars: Mapping[str, CalendarRef]) -> str:
    """What the evaluation depends on besides the history: the document, the choices, the holiday tables."""
    holidays = ""
    if any(ref.calendar.holidays is not None for ref in calendars.values()):
        from policy_engine.calendars.holiday_library import library_version

        holidays = library_version()
    meaning = [_MEANING, plain, sorted(choices.readings), dict(choices.sets), holidays]
    text = json.dumps(meaning, default=str, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + sha256(text.encode())
