"""``policy-engine test``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from policy_engine.cli.exit_codes import ExitCode
from policy_engine.cli.inputs import report
from policy_engine.loading.shipped import policies_folder
from policy_engine.rendering.diagnostics_text import render_diagnostics
from policy_engine.rendering.evaluation_text import render_text
from policy_engine.source import Diagnostic, InputError
from policy_engine.testing.running import CaseResult, run_suite

__all__ = ["command"]


@click.command("test", short_help="Run the tests beside policies.")
@click.argument("path", nargs=-1, metavar="[PATH...]")
@click.option("-k", "keyword", default="", metavar="WORD", help="Only cases with this in their name.")
@click.option("-v", "--verbose", is_flag=True, help="Name the cases that pass, too.")
def command(path: tuple[str, ...], keyword: str, verbose: bool) -> None:
    """Run *.test.yaml files, or all in a folder; without PATH those of the shipped policies."""
    files, problems = _files(path)
    passed = failed = 0
    for file in files:
        try:
            result = run_suite(file)
        except InputError as error:
            problems.extend(error.diagnostics)
            continue
        for case in result.cases:
            if keyword.lower() not in case.name.lower():
                continue
            passed, failed = passed + case.passed, failed + (not case.passed)
            if not case.passed:
                click.echo(f"FAILED {file}: {case.name}\n{_failure(case)}\n")
            elif verbose:
                click.echo(f"passed {file}: {case.name}")
    if problems:
        report(problems)
    if not passed and not failed and not problems:
        report([Diagnostic("test.none", "no test was run")])
    click.echo(f"{passed} passed, {failed} failed")
    sys.exit(ExitCode.REFUSED if problems else ExitCode.FAILED if failed or not passed else ExitCode.FINE)


def _failure(case: CaseResult) -> str:
    text = render_diagnostics(case.failures)
    if case.evaluation is None or case.policy is None:
        return text
    timeline = render_text(case.evaluation, case.policy.definition)
    return text + "\n\n" + "\n".join(f"    {line}".rstrip() for line in timeline.splitlines())


def _files(paths: tuple[str, ...]) -> tuple[list[Path], list[Diagnostic]]:
    found: list[Path] = []
    problems: list[Diagnostic] = []
    for path in map(Path, paths) if paths else (policies_folder(),):
        if path.is_dir():
            inside = sorted(path.rglob("*.test.yaml"))
            if not inside:
                problems.append(Diagnostic("test.none", f"there is no `*.test.yaml` in `{path}`"))
            found.extend(inside)
        else:
            beside = path.with_suffix(".test.yaml")
            is_policy = path.suffix == ".yaml" and not path.name.endswith(".test.yaml")
            found.append(beside if is_policy else path)
    return found, problems
