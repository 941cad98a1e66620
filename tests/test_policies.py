"""Every suite of policy tests: those beside shipped policies, and those that pin the engine's meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy_engine import load_policy
from policy_engine.rendering.diagnostics_text import render_diagnostics
from policy_engine.testing.running import run_suite
from tests.conftest import ROOT

SUITES = sorted([*(ROOT / "policies").rglob("*.test.yaml"), *(ROOT / "tests" / "cases" / "replay").glob("*.test.yaml")])


@pytest.mark.parametrize("path", SUITES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_suite(path: Path) -> None:
    result = run_suite(path)
    assert result.cases
    failures = [f"{case.name}\n{render_diagnostics(case.failures)}" for case in result.cases if not case.passed]
    assert not failures, "\n\n".join(failures)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "policies").glob("*/*.yaml")), ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_every_shipped_file_has_its_tests_and_its_name(path: Path) -> None:
    if path.name.endswith(".test.yaml"):
        assert path.with_name(path.name.removesuffix(".test.yaml") + ".yaml").exists()
        return
    policy = load_policy(path)
    assert (policy.id, policy.revision) == (path.parent.name, path.stem)
    assert path.with_suffix(".test.yaml").exists()
    assert (path.parent / "README.md").exists()


def test_every_clause_is_carried_out_or_says_why_not() -> None:
    for path in (ROOT / "policies").glob("*/*.yaml"):
        if path.name.endswith(".test.yaml"):
            continue
        definition = load_policy(path).definition
        cited: set[str] = set()
        for state in definition.states:
            cited.update(state.cites)
            for rules in state.rules.values():
                cited.update(name for rule in rules for name in rule.cites)
        for deadline in definition.deadlines:
            cited.update(deadline.cites)
            cited.update(name for rule in deadline.otherwise for name in rule.cites)
        enforced = {name for name, clause in definition.clauses.items() if clause.enforced}
        assert enforced - cited == set(), "clauses that no rule cites"
        assert all(clause.why for clause in definition.clauses.values() if not clause.enforced)
