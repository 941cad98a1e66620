"""``policy-engine check``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from policy_engine.cli.exit_codes import ExitCode
from policy_engine.cli.inputs import report
from policy_engine.engine import find_policies, problems_of
from policy_engine.loading.library import Library
from policy_engine.source import Diagnostic, InvalidPolicyError

__all__ = ["command"]


@click.command("check", short_help="Check policy files.")
@click.argument("policy", nargs=-1, required=True, metavar="POLICY...")
def command(policy: tuple[str, ...]) -> None:
    """Check policies (names or files), each with every reading that it declares.

    Everything that is wrong is said in one go, with its place and what to write instead.
    """
    problems: list[Diagnostic] = []
    for name in policy:
        try:
            files = find_policies(name, Library.shipped())
        except InvalidPolicyError as error:
            problems.extend(error.diagnostics)
            continue
        for file in files:
            found = _problems(file.path)
            problems.extend(found)
            if not found:
                click.echo(f"{file.path}: no problems")
    if problems:
        report(problems)
        count = len(dict.fromkeys(problems))
        click.echo(f"\n{count} problem{'' if count == 1 else 's'}", err=True)
        sys.exit(ExitCode.REFUSED)


def _problems(path: Path) -> list[Diagnostic]:
    """What is wrong with a file as it stands, and then under each of its readings."""
    policy, problems, _ = problems_of(path)
    readings = {reading for p in policy.parameters.values() for reading in p.readings} if policy else set()
    for reading in sorted(readings):
        problems.extend(problem for problem in problems_of(path, (reading,))[1] if problem not in problems)
    return problems
