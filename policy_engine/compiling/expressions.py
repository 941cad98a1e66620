"""Expressions of a policy: which names each position may use, literals where a position expects them,
positions kept through to the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from policy_engine.calendars import Period, parse_span
from policy_engine.cel.check import CheckedExpr, Environment, check
from policy_engine.cel.errors import CelError
from policy_engine.cel.fitting import described
from policy_engine.cel.parse import parse
from policy_engine.cel.syntax import Call, Literal, Node, Select, free_names, walk
from policy_engine.cel.syntax import Ident as IdentNode
from policy_engine.cel.types import BOOL, DYN, INT, STRING, TIMESTAMP, Field, Type, record
from policy_engine.cel.values import Duration
from policy_engine.compiling.findings import Findings
from policy_engine.loading.document import ScalarNode, positions
from policy_engine.model.policy import Expression, Template
from policy_engine.source import Span
from policy_engine.source.diagnostic import did_you_mean
from policy_engine.source.frozen import frozen, replace
from policy_engine.vocabulary import LIBRARY, MoneyError, parse_money, read_value
from policy_engine.vocabulary.data import DataError

__all__ = ["DURATION_OR_PERIOD", "MAYBE_TIMESTAMP", "Expressions", "Scope", "broken_expression", "event_type"]

# `let` is a word that CEL reserves and this language uses as a name.
_WORDS = frozenset({"let"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MONEY = re.compile(r"[A-Za-z]{3} -?[0-9.]+")

_SPANS = "write `5 days`, `48 hours`, `30 minutes`, or `2 working days`, `10 calendar days`, `1 month`, `1 year`"

DURATION_OR_PERIOD = ("duration", "period")
MAYBE_TIMESTAMP = ("timestamp", "optional_type")


@frozen
class Scope:
    """The names that a position may use; ``why`` says of others why not."""

    names: Mapping[str, Type]
    why: Mapping[str, str] = MappingProxyType({})

    def without(self, **why: str) -> Scope:
        """This scope less some names, with the reason for each."""
        return Scope({k: v for k, v in self.names.items() if k not in why}, {**self.why, **why})

    def with_event(self, kind: Type) -> Scope:
        return Scope({**self.names, "event": kind}, {k: v for k, v in self.why.items() if k != "event"})


def event_type(data: Type, parties: Type) -> Type:
    """What ``event``, ``first.X`` and ``last.X`` are: the data, and when, by whom, under which id."""
    reserved = (Field("time", TIMESTAMP), Field("by", parties), Field("id", STRING, optional=True))
    return record((*(f for f in data.fields if f.name not in ("time", "by", "id")), *reserved))


@dataclass(slots=True)
class Expressions:
    """Compiles scalars into `Expression` values; ``lets`` are the named expressions by name."""

    findings: Findings
    lets: dict[str, Node] = field(default_factory=dict)
    calendars: frozenset[str] = frozenset({"default"})
    state_names: frozenset[str] = frozenset()

    def compile(self, scalar: ScalarNode, scope: Scope, expected: Type | tuple[str, ...] | None = None) -> Expression:
        """``expected`` is a type, or names of types that all make sense here."""
        literal = self._literal(scalar, expected)
        if literal is not None:
            value, kind = literal
            return Expression(
                scalar.text, Literal(scalar.start, scalar.end, value, scalar.text), kind, frozenset(), scalar.start
            )
        source = self.findings.sources.source(scalar.start)
        return self.text(scalar.text, scope, expected, positions(source, scalar), scalar.start)

    def text(
        self,
        text: str,
        scope: Scope,
        expected: Type | tuple[str, ...] | None,
        at: Callable[[int], int],
        start: int,
    ) -> Expression:
        """An expression from its text; ``at`` says where each of its characters stands."""
        node = self.parse(text, at)
        if node is None:
            return broken_expression(text, start)
        checked = self.check(node, scope, expected if isinstance(expected, Type) else None)
        if checked is None:
            return broken_expression(text, start)
        if isinstance(expected, tuple) and checked.type.name not in (*expected, "dyn"):
            wanted = " or ".join(f"`{name}`" for name in expected if name != "optional_type")
            self._report(
                checked.node, "cel.wrong-type", f"{wanted} is expected here, this is {described(checked.type)}"
            )
        self._look_inside(checked.node)
        return Expression(text, checked.node, checked.type, free_names(checked.node), start)

    def parse(self, text: str, at: Callable[[int], int]) -> Node | None:
        try:
            return parse(text, positions=at, words=_WORDS)
        except CelError as error:
            self._problems(error)
            return None

    def check(self, node: Node, scope: Scope, expected: Type | None) -> CheckedExpr | None:
        environment = Environment(
            {**scope.names, "let": record(Field(name, DYN) for name in self.lets)},
            LIBRARY,
            expansions={f"let.{name}": body for name, body in self.lets.items()},
            why=scope.why,
        )
        try:
            return check(node, environment, expected)
        except CelError as error:
            self._problems(error, expected)
            return None

    def _problems(self, error: CelError, expected: Type | None = None) -> None:
        for problem in error.problems:
            hint = problem.help
            if problem.code == "cel.unknown-name" and hint is None and expected is not None:
                if expected.members:
                    name = problem.message.split("`")[1]
                    hint = did_you_mean(name, expected.members)
                elif expected.name == "string":
                    hint = "a text inside an expression needs quotes of its own, as in '\"text\"'"
            self.findings.error(Span(problem.start, problem.end), problem.code, problem.message, hint)

    def _report(self, node: Node, code: str, message: str, hint: str | None = None) -> None:
        self.findings.error(Span(node.start, node.end), code, message, hint)

    def _look_inside(self, node: Node) -> None:
        """Constants that name something of the policy must name something there is."""
        for part in walk(node):
            if isinstance(part, Literal) and isinstance(part.value, Period):
                self.check_calendar(part.value, Span(part.start, part.end))
            elif isinstance(part, Call) and part.function == "in_state" and isinstance(part.args[0], Literal):
                name = str(part.args[0].value)
                if name not in self.state_names:
                    self.findings.unknown(Span(part.args[0].start, part.args[0].end), "state", name, self.state_names)
            elif isinstance(part, Call) and part.function == "period" and isinstance(part.args[0], Literal):
                self._check_period(part.args[0])

    def _check_period(self, literal: Literal) -> None:
        try:
            value = parse_span(str(literal.value))
        except ValueError as error:
            self._report(literal, "literal.bad-span", str(error))
            return
        if isinstance(value, Period):
            self.check_calendar(value, Span(literal.start, literal.end))
        else:
            self._report(literal, "literal.bad-span", f"`{literal.value}` is not a period on a calendar")

    def check_calendar(self, period: Period, where: Span) -> None:
        if period.calendar not in self.calendars:
            self.findings.unknown(where, "calendar", period.calendar, self.calendars)

    # -- literals ------------------------------------------------------------------------------------

    def _literal(self, scalar: ScalarNode, expected: Type | tuple[str, ...] | None) -> tuple[Any, Type] | None:
        """The value of a scalar that is a literal where its position expects one, None for an expression."""
        names = expected if isinstance(expected, tuple) else (expected.name,) if expected else ()
        if not isinstance(scalar.value, str):
            return self._plain_literal(scalar, expected)
        text = scalar.text.strip()
        try:
            if isinstance(expected, Type) and text in expected.members:
                return text, expected
            if "money" in names and _MONEY.fullmatch(text):
                return parse_money(text), Type("money")
            if {"duration", "period"} & set(names):
                return self._span_literal(scalar, text, names)
            if isinstance(expected, Type) and expected.name in ("timestamp", "date") and text[:4].isdigit():
                return read_value(text, expected), expected
        except (MoneyError, DataError, ValueError) as error:
            self.findings.error(scalar, f"literal.bad-{names[0]}", str(error))
            return None, DYN
        return None

    def _plain_literal(self, scalar: ScalarNode, expected: Type | tuple[str, ...] | None) -> tuple[Any, Type] | None:
        value = scalar.value
        kind = BOOL if isinstance(value, bool) else INT if isinstance(value, int) else Type("double")
        if isinstance(expected, Type) and expected.name not in ("dyn", kind.name):
            try:
                return read_value(value, expected), expected
            except DataError as error:
                self.findings.error(scalar, "cel.wrong-type", str(error))
                return None, DYN
        if isinstance(expected, tuple):
            wanted = " or ".join(f"`{name}`" for name in expected if name != "optional_type")
            self.findings.error(scalar, "cel.wrong-type", f"{wanted} is expected here, this is {scalar.text}")
            return None, DYN
        return value, kind

    def _span_literal(self, scalar: ScalarNode, text: str, names: tuple[str, ...]) -> tuple[Any, Type] | None:
        value = parse_span(text)
        if value is None:
            if re.fullmatch(r"\d+ ?[a-z]+(?: days?)?", text):
                raise ValueError(f"`{text}` is no span: {_SPANS}")
            return None
        if isinstance(value, Period):
            if "period" not in names:
                raise ValueError(f"`{text}` counts on a calendar, a duration is expected here")
            self.check_calendar(value, scalar.span)
            return value, Type("period")
        if "duration" not in names:
            raise ValueError(f"`{text}` is elapsed time, a period on a calendar is expected here")
        return Duration.of(value), Type("duration")

    # -- templates -----------------------------------------------------------------------------------

    def template(self, scalar: ScalarNode, scope: Scope) -> Template:
        """A text in which ``{expression}`` stands for its value and ``{{`` for a brace."""
        text = scalar.text
        source = self.findings.sources.source(scalar.start)
        at = positions(source, scalar)
        parts: list[str | Expression] = []
        literal, index = "", 0
        while index < len(text):
            char = text[index]
            if text.startswith(("{{", "}}"), index):
                literal, index = literal + char, index + 2
            elif char == "{":
                end = _closing(text, index)
                if end < 0:
                    self.findings.error(
                        Span(at(index), at(index) + 1),
                        "template.brace",
                        "this brace is not closed",
                        "write `{{` for a brace",
                    )
                    break
                parts.extend([literal] if literal else [])
                inner = text[index + 1 : end]
                offset = index + 1

                def inside(position: int, offset: int = offset) -> int:
                    return at(offset + position)

                parts.append(self.text(inner, scope, None, inside, at(offset)))
                literal, index = "", end + 1
            elif char == "}":
                self.findings.error(
                    Span(at(index), at(index) + 1),
                    "template.brace",
                    "this brace closes nothing",
                    "write `}}` for a brace",
                )
                index += 1
            else:
                literal, index = literal + char, index + 1
        if literal or not parts:
            parts.append(literal)
        return Template(tuple(parts))

    # -- named expressions ---------------------------------------------------------------------------

    def add_lets(self, scalars: Mapping[str, tuple[ScalarNode, ScalarNode]], scope: Scope) -> None:
        """Parse all named expressions, refuse cycles, and check each where no event is known yet."""
        for name, (_, scalar) in scalars.items():
            source = self.findings.sources.source(scalar.start)
            if not isinstance(scalar.value, str):
                self.lets[name] = Literal(scalar.start, scalar.end, scalar.value, scalar.text)
                continue
            node = self.parse(scalar.text, positions(source, scalar))
            if node is not None:
                self.lets[name] = node
        uses = {name: _lets_in(node) for name, node in self.lets.items()}
        for name in _on_cycles(uses):
            self.findings.error(scalars[name][0], "policy.let-cycle", f"`let.{name}` needs itself")
            self.lets[name] = Literal(self.lets[name].start, self.lets[name].end, None)
        broad = scope.with_event(DYN)
        for name, node in self.lets.items():
            if name not in _on_cycles(uses):
                self.check(node, replace(broad), None)


def broken_expression(text: str, start: int) -> Expression:
    """Stands where a diagnostic has been given: a policy with diagnostics is never evaluated."""
    return Expression(text, Literal(start, start + 1, None), DYN, frozenset(), start)


def _closing(text: str, index: int) -> int:
    """The brace that closes the one at ``index``; braces inside and in quotes are skipped."""
    depth, quote = 0, ""
    for position in range(index, len(text)):
        char = text[position]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        else:
            depth += (char == "{") - (char == "}")
            if depth == 0:
                return position
    return -1


def _lets_in(node: Node) -> frozenset[str]:
    return frozenset(
        part.field
        for part in walk(node)
        if isinstance(part, Select) and isinstance(part.operand, IdentNode) and part.operand.name == "let"
    )


def _on_cycles(uses: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The names that reach themselves."""
    found = set()
    for name in uses:
        seen: set[str] = set()
        stack = [name]
        while stack:
            for used in uses.get(stack.pop(), ()):
                if used not in seen:
                    seen.add(used)
                    stack.append(used)
        if name in seen:
            found.add(name)
    return frozenset(found)
