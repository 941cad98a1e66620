"""Suite -> results: each case evaluated at its checkpoints, each expectation held against what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from policy_engine.cel.values import Timestamp
from policy_engine.engine import Policy, load_policy
from policy_engine.loading.document import MappingNode, Node, ScalarNode, SequenceNode, to_plain_node
from policy_engine.model.evaluation import Evaluation
from policy_engine.model.history import Event, History
from policy_engine.source import Diagnostic, InputError, PolicyEngineError
from policy_engine.source.diagnostic import did_you_mean
from policy_engine.source.frozen import frozen
from policy_engine.testing.moments import read_moment
from policy_engine.testing.suite import Case, Check, Suite, read_suite
from policy_engine.vocabulary import MoneyError, parse_money

__all__ = ["CaseResult", "SuiteResult", "run_suite"]

Load = Callable[[str | Path, tuple[str, ...], Mapping[str, Any]], Policy]


@frozen
class CaseResult:
    """A case and what did not hold; ``evaluation`` is the one of the first failed checkpoint."""

    name: str
    failures: tuple[Diagnostic, ...] = ()
    evaluation: Evaluation | None = None
    policy: Policy | None = None

    @property
    def passed(self) -> bool:
        return not self.failures


@frozen
class SuiteResult:
    path: Path
    cases: tuple[CaseResult, ...]


def _load(policy: str | Path, readings: tuple[str, ...], sets: Mapping[str, Any]) -> Policy:
    return load_policy(policy, readings=readings, sets=sets)


def run_suite(path: Path, load: Load = _load) -> SuiteResult:
    """Run every case of a file. Raises InputError where the file or its policy cannot be used."""
    suite = read_suite(path)
    policies: dict[str, Policy] = {}

    def policy_of(case: Case) -> Policy:
        key = repr((case.readings, sorted(case.sets.items())))
        if key not in policies:
            policies[key] = load(suite.policy, case.readings, case.sets)
        return policies[key]

    load(suite.policy, (), {})
    return SuiteResult(path, tuple(_run(suite, case, policy_of) for case in suite.cases))


def _run(suite: Suite, case: Case, policy_of: Callable[[Case], Policy]) -> CaseResult:
    try:
        policy = policy_of(case)
        unknown = _unknown_names(suite, case, policy)
        if unknown:
            return CaseResult(case.name, tuple(unknown), None, policy)
        opened = policy.opened(History(case.order))
        history, ids = _history(suite, case, opened)
    except InputError as error:
        return CaseResult(case.name, error.diagnostics)
    failures: list[Diagnostic] = []
    shown: Evaluation | None = None
    for check in case.checks:
        found, evaluation = _check(suite, check, policy, history, opened, ids)
        failures.extend(found)
        shown = shown or (evaluation if found else None)
    return CaseResult(case.name, tuple(failures), shown, policy)


def _unknown_names(suite: Suite, case: Case, policy: Policy) -> list[Diagnostic]:
    """Names in a case that the policy does not have: a test of nothing is no test."""
    definition = policy.definition
    found = []
    for scalar in case.cites:
        if scalar.text not in definition.clauses:
            hint = did_you_mean(scalar.text, definition.clauses)
            found.append(suite.diagnostic(scalar, "test.unknown-clause", f"there is no clause `{scalar.text}`", hint))
    for line in case.lines:
        if line.short and line.type not in definition.events:
            hint = did_you_mean(line.type, definition.events)
            found.append(suite.diagnostic(line.node, "test.unknown-event", f"there is no event `{line.type}`", hint))
    facts = {field.name for field in definition.order.fields}
    for name in case.order:
        if name not in facts:
            hint = did_you_mean(name, facts)
            found.append(suite.diagnostic(case.node, "test.unknown-fact", f"the order has no fact `{name}`", hint))
    states = {state.path for state in definition.states if state.index}
    for check in case.checks:
        state = check.expect.get("state")
        if isinstance(state, ScalarNode) and state.text not in states:
            hint = did_you_mean(state.text, states)
            found.append(suite.diagnostic(state, "test.unknown-state", f"there is no state `{state.text}`", hint))
    return found


def _history(suite: Suite, case: Case, opened: Timestamp) -> tuple[History, dict[str, Timestamp]]:
    events: list[Event] = []
    times: dict[str, Timestamp] = {}
    for number, line in enumerate(case.lines, 1):
        identity = line.id or f"e{number}"
        try:
            time = read_moment(line.at, opened, times)
        except ValueError as error:
            raise InputError([suite.diagnostic(line.node, "test.moment", str(error))]) from None
        times[identity] = time
        events.append(Event(time, line.type, line.by, identity, line.data))
    return History.of(case.order, tuple(events), case.name), times


def _check(
    suite: Suite, check: Check, policy: Policy, history: History, opened: Timestamp, ids: Mapping[str, Timestamp]
) -> tuple[list[Diagnostic], Evaluation | None]:
    try:
        as_of = read_moment(check.at, opened, ids)
        evaluation = policy.evaluate(history, as_of=as_of)
    except ValueError as error:
        return [suite.diagnostic(check.node, "test.moment", str(error))], None
    except PolicyEngineError as error:
        return [suite.diagnostic(check.node, "test.cannot-evaluate", str(error))], None

    def moment(text: str) -> str:
        return str(read_moment(text, opened, ids))

    got = evaluation.to_dict()
    failures: list[Diagnostic] = []
    _compare(suite, check.expect, got, "", moment, failures)
    return failures, evaluation


def _compare(
    suite: Suite, node: Node, got: Any, path: str, moment: Callable[[str], str], failures: list[Diagnostic]
) -> None:
    """Mappings are held key by key, lists item by item and in length, scalars by value."""

    def fail(where: Node, message: str, hint: str | None = None, code: str = "test.mismatch") -> None:
        failures.append(suite.diagnostic(where, code, f"`{path}`: {message}" if path else message, hint))

    if isinstance(node, MappingNode):
        if not isinstance(got, Mapping):
            fail(node, f"expected a mapping, got {_shown(got)}")
        elif not node.entries:
            fail(node, "an empty expectation checks nothing", code="test.checks-nothing")
        for key, value in node.entries if isinstance(got, Mapping) else ():
            inner = f"{path}.{key.text}" if path else key.text
            if key.text not in got:
                if not (isinstance(value, ScalarNode) and value.value is None):
                    fail(key, f"there is no `{key.text}` here", did_you_mean(key.text, map(str, got)))
            else:
                _compare(suite, value, got[key.text], inner, moment, failures)
    elif isinstance(node, SequenceNode):
        if not isinstance(got, list):
            fail(node, f"expected a list, got {_shown(got)}")
        elif len(got) != len(node.items):
            fail(node, f"expected {len(node.items)} entries, got {len(got)}: {_shown(got)}")
        else:
            for index, (item, value) in enumerate(zip(node.items, got, strict=True)):
                _compare(suite, item, value, f"{path}[{index}]", moment, failures)
    elif not _same(node, got, moment):
        fail(node, f"expected {_shown(to_plain_node(node))}, got {_shown(got)}")


def _same(node: ScalarNode, got: Any, moment: Callable[[str], str]) -> bool:
    expected = node.value
    if expected == got and isinstance(expected, bool) == isinstance(got, bool):
        return True
    if not isinstance(got, str):
        return False
    for read in (moment, lambda text: str(parse_money(text))):
        try:
            if read(node.text) == got:
                return True
        except (ValueError, MoneyError):
            continue
    return node.text == got


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_shown(v)}" for k, v in value.items()) + "}"
    return "nothing" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"
