"""``policy-engine evaluate``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain

import click

from policy_engine.cel.values import Timestamp
from policy_engine.cli.exit_codes import ExitCode
from policy_engine.cli.inputs import AsOf, SetParameter, cache_folder, histories, report
from policy_engine.engine import Policy, choose_policy, load_policies
from policy_engine.loading.library import looks_like_path
from policy_engine.model.evaluation import Evaluation
from policy_engine.model.history import History
from policy_engine.source import InputError, InvalidHistoryError

__all__ = ["command"]


@click.command("evaluate", short_help="Evaluate histories against a policy.")
@click.argument("history", nargs=-1, required=True)
@click.option("--policy", required=True, metavar="NAME|PATH", help="NAME, NAME@REVISION, or a file.")
@click.option("--as-of", type=AsOf(), default="now", show_default=True, help="The instant to look from.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--reading", "readings", multiple=True, metavar="NAME", help="Choose a declared reading.")
@click.option("--set", "sets", multiple=True, type=SetParameter(), help="Replace a parameter: a what-if.")
@click.option("--strict", is_flag=True, help="Exit with 1 where an event was refused or a rule broken.")
def command(
    history: tuple[str, ...],
    policy: str,
    as_of: Timestamp | str,
    form: str,
    readings: tuple[str, ...],
    sets: tuple[tuple[str, object], ...],
    strict: bool,
) -> None:
    """Evaluate HISTORY files (YAML, JSON, JSON Lines; - is standard input) against a policy.

    Several histories, and JSON Lines, give one JSON object a line. One that cannot be read is reported and
    does not stop the others.
    """
    try:
        policies = load_policies(policy, readings=readings, sets=dict(sets), cache=cache_folder())
    except InputError as error:
        report(error.diagnostics)
        sys.exit(ExitCode.REFUSED)
    pinned = "@" in policy or looks_like_path(policy)
    found = histories(history)
    first_two = [item for _, item in zip(range(2), found, strict=False)]
    lines = any(path.endswith((".jsonl", ".ndjson")) for path in history)
    several = lines or len(first_two) > 1
    sys.exit(_all(chain(first_two, found), policies, pinned, as_of, form, several, strict))


def _all(
    found: Iterator[History | InvalidHistoryError],
    policies: tuple[Policy, ...],
    pinned: bool,
    as_of: Timestamp | str,
    form: str,
    several: bool,
    strict: bool,
) -> ExitCode:
    refused = failed = False
    for index, item in enumerate(found):
        try:
            if isinstance(item, InvalidHistoryError):
                raise item
            moment = _moment(as_of, item, policies)
            policy = choose_policy(policies, item, moment, pinned=pinned)
            evaluation = policy.evaluate(item, as_of=moment)
        except InputError as error:
            refused = True
            report(error.diagnostics)
            continue
        failed |= evaluation.status == "failed" or (strict and bool(evaluation.refused or evaluation.breaches))
        _print(evaluation, policy, form, several, index)
    return ExitCode.REFUSED if refused else ExitCode.FAILED if failed else ExitCode.FINE


def _moment(as_of: Timestamp | str, history: History, policies: tuple[Policy, ...]) -> Timestamp:
    if isinstance(as_of, Timestamp):
        return as_of
    return history.events[-1].time if history.events else policies[0].opened(history)


def _print(evaluation: Evaluation, policy: Policy, form: str, several: bool, index: int) -> None:
    if form == "json":
        from policy_engine.rendering.evaluation_json import render_json

        click.echo(render_json(evaluation, lines=several))
        return
    from policy_engine.rendering.evaluation_text import render_text

    if index:
        click.echo("\n" + "-" * 100 + "\n")
    click.echo(render_text(evaluation, policy.definition))
