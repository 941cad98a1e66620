"""Broken policies and histories: each with everything that is said about it, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy_engine import InvalidHistoryError
from policy_engine.engine import problems_of
from policy_engine.loading.history_file import read_histories
from policy_engine.rendering.diagnostics_text import render_diagnostics
from policy_engine.source.diagnostic import sorted_by_place
from tests.conftest import ROOT

CASES = ROOT / "tests" / "cases" / "bad"
POLICIES = sorted(p for p in (CASES / "policies").glob("*.yaml") if p.stem != "good")
HISTORIES = sorted(p for p in (CASES / "histories").iterdir() if p.suffix != ".txt")


def compare(path: Path, said: str, update: bool) -> None:
    expected = path.with_suffix(path.suffix + ".txt")
    said = said.replace(f"{path.parent}/", "") + "\n"
    if update:
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


def test_the_base_of_all_cases_is_good() -> None:
    policy, problems, _ = problems_of(CASES / "policies" / "good.yaml")
    assert policy is not None
    assert problems == []


@pytest.mark.parametrize("path", POLICIES, ids=lambda p: p.stem)
def test_policies(path: Path, update_expected: bool) -> None:
    problems = sorted_by_place(problems_of(path)[1])
    assert problems
    assert all(problem.code and problem.message for problem in problems)
    compare(path, render_diagnostics(problems), update_expected)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda p: p.name)
def test_histories(path: Path, update_expected: bool) -> None:
    found = [item for item in read_histories(path) if isinstance(item, InvalidHistoryError)]
    assert found
    compare(path, "\n\n".join(render_diagnostics(item.diagnostics) for item in found), update_expected)


def test_one_bad_line_does_not_stop_the_others() -> None:
    found = list(read_histories(CASES / "histories" / "lines.jsonl"))
    assert [isinstance(item, InvalidHistoryError) for item in found] == [False, True, True, True]


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"policy: \xff\xfe\n", "input.not-utf8"),
        (BOMB.encode(), "yaml.too-large"),
        (b"[" * 10_000, "yaml.too-large"),
        (b"x: " + b"a" * 10_000_000, "yaml.too-large"),
        (b"a: " + b"{b: " * 10_000, "yaml.too-large"),
        (b"\x00", "yaml.bad-character"),
        (b"x: \x1b[31mred\n", "yaml.bad-character"),
    ],
    ids=["not utf-8", "alias bomb", "deep", "long scalar", "deep mappings", "nul", "ansi"],
)
@pytest.mark.parametrize("kind", ["policy", "history"])
def test_hostile_bytes(tmp_path: Path, data: bytes, code: str, kind: str) -> None:
    path = tmp_path / "input.yaml"
    path.write_bytes(data)
    if kind == "policy":
        codes = [problem.code for problem in problems_of(path)[1]]
    else:
        [found] = read_histories(path)
        assert isinstance(found, InvalidHistoryError)
        codes = [problem.code for problem in found.diagnostics]
    assert codes == [code]


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.yaml", tmp_path):
        [problem] = problems_of(path)[1]
        assert problem.code == "input.missing"
        [found] = read_histories(path)
        assert isinstance(found, InvalidHistoryError)
