"""``policy-engine policies``."""

from __future__ import annotations

import json
import sys

import click

from policy_engine.cli.exit_codes import ExitCode
from policy_engine.cli.inputs import cache_folder, report
from policy_engine.engine import load_policy
from policy_engine.loading.library import Library
from policy_engine.model.policy import Policy
from policy_engine.source import Diagnostic, InvalidPolicyError

__all__ = ["command"]

_COLUMNS = ("policy", "from", "until", "states", "clauses", "readings", "title")


@click.command("policies", short_help="List the policies there are.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(form: str) -> None:
    """List the shipped policies: when each revision is in force, how large it is, its readings."""
    rows: list[dict[str, object]] = []
    problems: list[Diagnostic] = []
    for file in Library.shipped().all():
        try:
            rows.append(_row(file.name, load_policy(file.path, cache=cache_folder()).definition))
        except InvalidPolicyError as error:
            problems.extend(error.diagnostics)
    if form == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        click.echo(_table(rows))
    if problems:
        report(problems)
        sys.exit(ExitCode.REFUSED)


def _row(name: str, policy: Policy) -> dict[str, object]:
    effective = policy.effective
    return {
        "policy": name,
        "from": str(effective.first) if effective and effective.first else None,
        "until": str(effective.last) if effective and effective.last else None,
        "states": sum(1 for state in policy.states if state.index and not state.starts),
        "clauses": len(policy.clauses),
        "readings": sorted({r for p in policy.parameters.values() for r in p.readings}),
        "title": policy.title,
    }


def _table(rows: list[dict[str, object]]) -> str:
    cells = [_COLUMNS, *(tuple(_cell(row[column]) for column in _COLUMNS) for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(_COLUMNS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
