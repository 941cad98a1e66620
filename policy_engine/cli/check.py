"""``policy-engine check``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from policy_engine.cli.exit_codes import ExitCode
from policy_engine.cli.inputs import report
from policy_engine.engine import Policy, find_policies, problems_of, revision_problems
from policy_engine.loading.library import Library, looks_like_path
from policy_engine.model.policy import Policy as Definition
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
        checked = [(file, *_problems(file.path)) for file in files]
        for file, _, found in checked:
            problems.extend(found)
            if not found:
                click.echo(f"{file.path}: no problems")
        if not looks_like_path(name):
            usable = [(Policy(policy), file) for file, policy, found in checked if policy is not None and not found]
            problems.extend(revision_problems([p for p, _ in usable], [file for _, file in usable]))
    if problems:
        report(problems)
        count = len(dict.fromkeys(problems))
        click.echo(f"\n{count} problem{'' if count == 1 else 's'}", err=True)
        sys.exit(ExitCode.REFUSED)


def _problems(path: Path) -> tuple[Definition | None, list[Diagnostic]]:
    """What is wrong with a file as it stands, and then under each of its readings."""
    policy, problems, _ = problems_of(path)
    readings = {reading for p in policy.parameters.values() for reading in p.readings} if policy else set()
    for reading in sorted(readings):
        problems.extend(problem for problem in problems_of(path, (reading,))[1] if problem not in problems)
    return policy, problems
