"""States, rules and deadlines: the tree of a policy made flat, every target a number."""

from __future__ import annotations

from collections.abc import Mapping

from policy_engine.cel.types import BOOL, DYN, TIMESTAMP, Field, Type
from policy_engine.compiling.declared import entries, strings, text_of
from policy_engine.compiling.expressions import DURATION_OR_PERIOD, MAYBE_TIMESTAMP, Expressions, Scope, event_type
from policy_engine.compiling.state_tree import RawState, StateTree
from policy_engine.loading.document import MappingNode, Node, ScalarNode, SequenceNode
from policy_engine.model.policy import (
    ActionCall,
    ActionType,
    Assignment,
    Deadline,
    Effects,
    EventType,
    Expression,
    Level,
    Rule,
    StartChoice,
    State,
    Trigger,
)
from policy_engine.source.frozen import frozen

__all__ = ["Declarations", "read_states"]

_NO_CLOCK = "may not be read by a clock: the engine tells people when it runs out before anything happens"
_NOT_YET = {
    "pauses_in": "clocks that pause are not carried out by this version",
    "reschedule": "clocks that move are not carried out by this version",
    "remind": "reminders are not carried out by this version",
}


@frozen
class Declarations:
    """What rules may refer to."""

    parties: Type
    events: Mapping[str, EventType]
    actions: Mapping[str, ActionType]
    case: Type
    clauses: frozenset[str]
    scope: Scope  # everything but `event`


def read_states(
    tree: StateTree, declared: Declarations, expressions: Expressions
) -> tuple[tuple[State, ...], tuple[Deadline, ...]]:
    """All states and deadlines; what is wrong with them goes to the expressions' findings."""
    reader = _Reader(tree, declared, expressions)
    states = tuple(map(reader.state, tree.raw))
    return states, tuple(reader.deadlines)


class _Reader:
    def __init__(self, tree: StateTree, declared: Declarations, expressions: Expressions) -> None:
        self._tree = tree
        self._declared = declared
        self._expressions = expressions
        self._findings = expressions.findings
        self._ids: dict[str, ScalarNode | None] = {}
        self._cites: list[tuple[str, ...]] = []
        self.deadlines: list[Deadline] = []
        scope = declared.scope
        self._plain = scope.without(event="is only known while an event is being tried or applied")
        self._clock = scope.without(event=_NO_CLOCK, now=_NO_CLOCK, due=_NO_CLOCK)
        self._window = scope.without(event="may not be read by a window: the engine tells people *when* they may act")

    # -- states --------------------------------------------------------------------------------------

    def state(self, raw: RawState) -> State:
        node = raw.node
        cites = self._cite(node, self._cites[raw.parent] if raw.parent is not None else ())
        self._cites.append(cites)
        prefix = f"{raw.path}." if raw.path else ""
        final = isinstance(marked := node.get("final"), ScalarNode) and marked.value is True
        self._check_shape(raw, final)
        rules = {}
        for key, value in entries(node.get("on")):
            event = self._declared.events.get(key.text)
            if event is None:
                self._findings.unknown(key, "event", key.text, self._declared.events)
                continue
            rules[key.text] = self._rules(value, f"{prefix}on.{key.text}", cites, event)
        first = len(self.deadlines)
        for key, value in entries(node.get("deadlines")):
            around = (raw.index, *self._tree.ancestors(raw.index))
            same = [d for d in self.deadlines if d.name == key.text and d.state in around]
            if same:
                where = self._tree.raw[same[0].state].path or "the policy"
                message = f"`{where}` has a deadline `{key.text}` too, and both run at once"
                self._findings.error(key, "deadline.same-name", message, "choose another name")
            if isinstance(value, MappingNode):
                self.deadlines.append(self._deadline(key, value, raw.index, prefix, cites))
        outcome = node.get("outcome")
        return State(
            index=raw.index,
            path=raw.path,
            parent=raw.parent,
            ancestors=self._tree.ancestors(raw.index),
            rules=rules,
            accepts=self._known_events(node.get("accepts")),
            deadlines=tuple(range(first, len(self.deadlines))),
            starts=self._starts(raw),
            enter=self._effects(node.get("enter"), f"{prefix}enter", cites),
            leave=self._effects(node.get("leave"), f"{prefix}leave", cites),
            final=final,
            outcome=self._expressions.template(outcome, self._plain) if isinstance(outcome, ScalarNode) else None,
            cites=cites,
        )

    def _check_shape(self, raw: RawState, final: bool) -> None:
        where = raw.key or raw.node
        node = raw.node
        if final:
            for key in ("deadlines", "states", "start"):
                if (found := node.key(key)) is not None:
                    message = f"a final state has no `{key}`: entering it closes the case"
                    self._findings.error(found, "state.final", message)
            if node.get("outcome") is None and not node.damaged:
                message = f"the final state `{raw.path}` has no `outcome`"
                self._findings.error(where, "state.no-outcome", message, f"add `outcome: {raw.name}`")
        elif (found := node.key("outcome")) is not None and not node.damaged:
            self._findings.error(found, "state.outcome", "only a final state has an `outcome`", "add `final: true`")
        if raw.children and node.get("start") is None and raw.index and not node.damaged:
            names = [self._tree.raw[child].path for child in raw.children]
            hint = f"add `start: {names[0].rsplit('.', 1)[-1]}`"
            self._findings.error(where, "state.no-start", f"`{raw.path}` has states inside and no `start`", hint)
        elif not raw.children and (found := node.key("start")) is not None and raw.index:
            self._findings.error(found, "state.start", "there are no states inside to start in")

    def _starts(self, raw: RawState) -> tuple[StartChoice, ...]:
        node = raw.node.get("start")
        if isinstance(node, ScalarNode):
            target = self._inner_target(raw, node)
            return () if target is None else (StartChoice(target),)
        choices: list[StartChoice] = []
        items = [i for i in node.items if isinstance(i, MappingNode)] if isinstance(node, SequenceNode) else []
        for position, item in enumerate(items):
            condition, to = item.get("if"), item.get("to")
            target = self._inner_target(raw, to) if isinstance(to, ScalarNode) else None
            last = position == len(items) - 1
            if last and condition is not None:
                message = "the last choice of `start` must hold always, or the case would have no state"
                self._findings.error(condition, "state.start", message, "leave out its `if`")
            if not last and condition is None:
                self._findings.error(item, "state.start", "the choices behind this one are never reached")
            compiled = self._condition(condition, self._plain)
            if target is not None:
                choices.append(StartChoice(target, compiled))
        return tuple(choices)

    def _inner_target(self, raw: RawState, where: ScalarNode) -> int | None:
        """A state inside this one, by its name there, its path, or a unique name."""
        local = f"{raw.path}.{where.text}" if raw.path else where.text
        target = self._tree.by_path.get(local)
        if target is None:
            target = self._tree.find(where, self._findings)
        if target is not None and raw.index not in self._tree.ancestors(target):
            self._findings.error(where, "state.start", f"`{where.text}` is not inside `{raw.path or 'the policy'}`")
            return None
        return target

    # -- small parts ---------------------------------------------------------------------------------

    def _cite(self, node: MappingNode, inherited: tuple[str, ...]) -> tuple[str, ...]:
        cited = strings(node.get("cite"))
        for scalar in cited:
            if scalar.text not in self._declared.clauses:
                self._findings.unknown(scalar, "clause", scalar.text, self._declared.clauses)
        return tuple(dict.fromkeys(scalar.text for scalar in cited)) or inherited

    def _known_events(self, node: Node | None) -> tuple[str, ...]:
        found = strings(node)
        for scalar in found:
            if scalar.text not in self._declared.events:
                self._findings.unknown(scalar, "event", scalar.text, self._declared.events)
        return tuple(scalar.text for scalar in found)

    def _by(self, node: Node | None, event: EventType | None) -> tuple[str, ...]:
        found = strings(node)
        for scalar in found:
            if scalar.text not in self._declared.parties.members:
                self._findings.unknown(scalar, "party", scalar.text, self._declared.parties.members)
            elif event is not None and scalar.text not in event.by:
                message = f"`{scalar.text}` never sends `{event.name}`"
                self._findings.error(scalar, "rule.never-by", message, f"it is sent by {', '.join(event.by)}")
        return tuple(scalar.text for scalar in found)

    def _party(self, node: Node | None) -> str | None:
        if not isinstance(node, ScalarNode):
            return None
        if node.text not in self._declared.parties.members:
            self._findings.unknown(node, "party", node.text, self._declared.parties.members)
        return node.text

    def _condition(self, node: Node | None, scope: Scope) -> Expression | None:
        return self._expressions.compile(node, scope, BOOL) if isinstance(node, ScalarNode) else None

    def _instant(self, node: Node | None, scope: Scope) -> Expression | None:
        if not isinstance(node, ScalarNode):
            return None
        if node.text[:4].isdigit():
            return self._expressions.compile(node, scope, TIMESTAMP)
        return self._expressions.compile(node, scope, MAYBE_TIMESTAMP)

    def _set(self, node: Node | None, scope: Scope) -> tuple[Assignment, ...]:
        found = []
        for key, value in entries(node):
            name = key.text.partition(".")[2]
            declared = self._declared.case.field(name)
            if declared is None:
                self._findings.unknown(key, "case field", name, [f.name for f in self._declared.case.fields])
            elif isinstance(value, ScalarNode):
                found.append(Assignment(name, declared.type, self._assigned(value, scope, declared)))
        return tuple(found)

    def _assigned(self, value: ScalarNode, scope: Scope, declared: Field) -> Expression:
        if declared.optional:
            return self._optional_assignment(value, scope, declared.type)
        return self._expressions.compile(value, scope, declared.type)

    def _optional_assignment(self, value: ScalarNode, scope: Scope, kind: Type) -> Expression:
        """An optional field takes a value, or an optional one, which may be none."""
        if not isinstance(value.value, str):
            return self._expressions.compile(value, scope, kind)
        before = len(self._findings.diagnostics)
        plain = self._expressions.compile(value, scope, kind)
        if len(self._findings.diagnostics) == before:
            return plain
        first = self._findings.diagnostics[before:]
        del self._findings.diagnostics[before:]
        optional = self._expressions.compile(value, scope, Type("optional_type", (kind,)))
        if len(self._findings.diagnostics) > before:
            self._findings.diagnostics[before:] = first
        return optional

    def _do(self, node: Node | None, scope: Scope) -> tuple[ActionCall, ...]:
        calls = []
        for item in node.items if isinstance(node, SequenceNode) else ():
            assert isinstance(item, MappingNode)
            named = [(key, value) for key, value in entries(item) if key.text != "if"]
            if len(named) != 1:
                self._findings.error(item, "action.one", "an entry of `do` names one action, and may have an `if`")
                continue
            key, value = named[0]
            action = self._declared.actions.get(key.text)
            if action is None:
                self._findings.unknown(key, "action", key.text, self._declared.actions)
                continue
            data = self._action_data(key, value, action, scope)
            calls.append(ActionCall(action.name, data, self._condition(item.get("if"), scope), key.start))
        return tuple(calls)

    def _action_data(
        self, key: ScalarNode, node: Node, action: ActionType, scope: Scope
    ) -> tuple[tuple[str, Type, Expression], ...]:
        found = {}
        for name, value in entries(node):
            declared = action.data.field(name.text)
            if declared is None:
                self._findings.unknown(name, "action field", name.text, [f.name for f in action.data.fields])
            elif isinstance(value, ScalarNode):
                compiled = self._assigned(value, scope, declared)
                found[name.text] = (name.text, declared.type, compiled)
        for declared in action.data.fields:
            given = node.get(declared.name) if isinstance(node, MappingNode) else None
            damaged = isinstance(node, MappingNode) and node.damaged
            if given is None and not declared.optional and declared.default is None and not damaged:
                self._findings.error(key, "action.missing-field", f"`{action.name}` needs `{declared.name}`")
        return tuple(found.values())

    def _effects(self, node: Node | None, effects_id: str, cites: tuple[str, ...]) -> Effects | None:
        if not isinstance(node, MappingNode):
            return None
        self._name(effects_id, None)
        return Effects(
            effects_id, self._set(node.get("set"), self._plain), self._do(node.get("do"), self._plain), cites
        )

    # -- rules ---------------------------------------------------------------------------------------

    def _rules(
        self, node: Node, rule_id: str, cites: tuple[str, ...], event: EventType | None, advice: bool = False
    ) -> tuple[Rule, ...]:
        if not isinstance(node, SequenceNode):
            return (self._rule(node, rule_id, cites, event, advice),)
        items = enumerate(node.items)
        return tuple(self._rule(item, f"{rule_id}[{index}]", cites, event, advice) for index, item in items)

    def _rule(self, node: Node, rule_id: str, cites: tuple[str, ...], event: EventType | None, advice: bool) -> Rule:
        if isinstance(node, ScalarNode):
            self._name(rule_id, None)
            if advice:
                self._no_target(node)
            return Rule(rule_id, node.start, node.start, to=self._tree.find(node, self._findings), cites=cites)
        assert isinstance(node, MappingNode)
        self._check_rule(node, event, advice)
        named = node.get("id")
        rule_id = named.text if isinstance(named, ScalarNode) else rule_id
        self._name(rule_id, named if isinstance(named, ScalarNode) else None)
        scope = self._plain
        if event is not None:
            scope = self._declared.scope.with_event(self._event_type(event))
        to, refuse, because = node.get("to"), node.get("refuse"), node.get("because")
        return Rule(
            id=rule_id,
            order=node.start,
            start=node.start,
            by=self._by(node.get("by"), event),
            condition=self._condition(node.get("if"), scope),
            opens=self._instant(node.get("opens"), self._window),
            closes=self._instant(node.get("closes"), self._window),
            set=self._set(node.get("set"), scope),
            do=self._do(node.get("do"), scope),
            to=self._tree.find(to, self._findings) if isinstance(to, ScalarNode) else None,
            breach=self._party(node.get("breach")),
            refuse=self._expressions.template(refuse, scope) if isinstance(refuse, ScalarNode) else None,
            because=self._expressions.template(because, scope) if isinstance(because, ScalarNode) else None,
            cites=self._cite(node, cites),
        )

    def _name(self, rule_id: str, where: ScalarNode | None) -> None:
        if rule_id in self._ids and (where or self._ids[rule_id]):
            place = where or self._ids[rule_id]
            assert place is not None
            self._findings.error(place, "rule.same-id", f"another rule has the id `{rule_id}`")
        self._ids[rule_id] = where

    def _no_target(self, node: Node) -> None:
        message = "advice changes no state: its lapse is a note in the evaluation"
        self._findings.error(node, "deadline.advice", message, "leave out `to`, or `level: should`")

    def _check_rule(self, node: MappingNode, event: EventType | None, advice: bool) -> None:
        self._not_yet(node)
        if advice and (to := node.key("to")) is not None:
            self._no_target(to)
        if (refuse := node.key("refuse")) is not None:
            if event is None:
                self._findings.error(refuse, "rule.refuse", "a lapse has no event to refuse")
            for key in ("set", "do", "to", "reschedule", "breach"):
                if (other := node.key(key)) is not None:
                    self._findings.error(other, "rule.refuse", f"a rule that refuses has no `{key}`")
        if event is None:
            for key in ("by", "opens", "closes"):
                if (other := node.key(key)) is not None:
                    self._findings.error(other, "rule.lapse", f"a lapse has no `{key}`: nobody sends it")

    def _not_yet(self, node: MappingNode) -> None:
        for key, message in _NOT_YET.items():
            if (found := node.key(key)) is not None:
                self._findings.error(found, "policy.not-yet", message)

    # -- deadlines -----------------------------------------------------------------------------------

    def _deadline(
        self, key: ScalarNode, node: MappingNode, state: int, prefix: str, inherited: tuple[str, ...]
    ) -> Deadline:
        self._not_yet(node)
        self._check_deadline(key, node)
        cites = self._cite(node, inherited)
        named = node.get("id")
        deadline_id = text_of(named) or f"{prefix}deadlines.{key.text}"
        self._name(deadline_id, named if isinstance(named, ScalarNode) else None)
        level: Level = "should" if text_of(node.get("level")) == "should" else "must"
        otherwise, within = node.get("otherwise"), node.get("within")
        rules: tuple[Rule, ...] = ()
        if otherwise is not None:
            rules = self._rules(otherwise, f"{deadline_id}.otherwise", cites, None, level == "should")
        return Deadline(
            id=deadline_id,
            name=key.text,
            state=state,
            order=key.start,
            start=key.start,
            party=self._party(node.get("party")),
            level=level,
            within=self._expressions.compile(within, self._clock, DURATION_OR_PERIOD)
            if isinstance(within, ScalarNode)
            else None,
            at=self._instant(node.get("at"), self._clock),
            start_from=self._instant(node.get("from"), self._clock),
            starts_on=self._triggers(node.get("starts_on")),
            met_by=self._triggers(node.get("met_by")),
            condition=self._condition(node.get("if"), self._clock),
            otherwise=rules,
            cites=cites,
        )

    def _check_deadline(self, key: ScalarNode, node: MappingNode) -> None:
        has = {name for name in ("within", "at", "from", "otherwise") if node.get(name) is not None}
        if len(has & {"within", "at"}) != 1 and not node.damaged:
            message = f"the deadline `{key.text}` needs either `within` (a span) or `at` (an instant)"
            self._findings.error(key, "deadline.when", message)
        if "from" in has and "within" not in has:
            self._findings.error(node.key("from") or key, "deadline.when", "`from` is another start for `within`")
        if "otherwise" not in has and text_of(node.get("level")) != "should" and not node.damaged:
            message = f"the deadline `{key.text}` does not say what silence means"
            self._findings.error(
                key, "deadline.no-otherwise", message, "add `otherwise:`, or `level: should` for advice"
            )

    def _event_type(self, event: EventType) -> Type:
        """What `event` is in a rule; anything, where its declaration was wrong and has been taken out."""
        if self._findings.damaged & {"types", "events"}:
            return DYN
        return event_type(event.data, self._declared.parties)

    def _triggers(self, node: Node | None) -> tuple[Trigger, ...]:
        items = node.items if isinstance(node, SequenceNode) else (node,) if node is not None else ()
        found = []
        for item in items:
            name = (
                item if isinstance(item, ScalarNode) else item.get("event") if isinstance(item, MappingNode) else None
            )
            if not isinstance(name, ScalarNode):
                continue
            event = self._declared.events.get(name.text)
            if event is None:
                self._findings.unknown(name, "event", name.text, self._declared.events)
                continue
            if isinstance(item, MappingNode):
                scope = self._declared.scope.with_event(self._event_type(event))
                found.append(
                    Trigger(event.name, self._by(item.get("by"), event), self._condition(item.get("if"), scope))
                )
            else:
                found.append(Trigger(event.name))
        return tuple(found)
