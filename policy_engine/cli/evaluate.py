"""``policy-engine evaluate``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain

import click

from policy_engine.cel.values import Timestamp
from policy_engine.cli.exit_codes import ExitCode
from policy_engine.cli.inputs import AsOf, SetParameter, cache_folder, histories, report
from policy_engine.engine import Policy, choose_policy, load_policies, load_policy
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
        choice = _Choice(policy, readings, dict(sets))
    except InputError as error:
        report(error.diagnostics)
        sys.exit(ExitCode.REFUSED)
    found = histories(history)
    first_two = [item for _, item in zip(range(2), found, strict=False)]
    lines = any(path.endswith((".jsonl", ".ndjson")) for path in history)
    several = lines or len(first_two) > 1
    sys.exit(_all(chain(first_two, found), choice, as_of, form, several, strict))


class _Choice:
    """The revision for each history, with the readings and parameters that were asked for."""

    def __init__(self, policy: str, readings: tuple[str, ...], sets: dict[str, object]) -> None:
        self._readings, self._sets = readings, sets
        self._pinned = "@" in policy or looks_like_path(policy)
        self._cache = cache_folder()
        self._with: dict[str, Policy] = {}
        if self._pinned:
            self.policies = load_policies(policy, readings=readings, sets=sets, cache=self._cache)
        else:
            self.policies = load_policies(policy, cache=self._cache)

    def __call__(self, history: History, as_of: Timestamp) -> Policy:
        policy = choose_policy(self.policies, history, as_of, pinned=self._pinned)
        if self._pinned or not (self._readings or self._sets):
            return policy
        name = f"{policy.id}@{policy.revision}"
        if name not in self._with:
            self._with[name] = load_policy(name, readings=self._readings, sets=self._sets, cache=self._cache)
        return self._with[name]


def _all(
    found: Iterator[History | InvalidHistoryError],
    choice: _Choice,
    as_of: Timestamp | str,
    form: str,
    several: bool,
    strict: bool,
) -> ExitCode:
    refused = failed = False
    printed = 0
    for item in found:
        try:
            if isinstance(item, InvalidHistoryError):
                raise item
            moment = _moment(as_of, item, choice.policies)
            policy = choice(item, moment)
            evaluation = policy.evaluate(item, as_of=moment)
        except InputError as error:
            refused = True
            report(error.diagnostics)
            continue
        failed |= evaluation.status == "failed" or (strict and bool(evaluation.refused or evaluation.breaches))
        _print(evaluation, policy, item, form, several, printed)
        printed += 1
    return ExitCode.REFUSED if refused else ExitCode.FAILED if failed else ExitCode.FINE


def _moment(as_of: Timestamp | str, history: History, policies: tuple[Policy, ...]) -> Timestamp:
    if isinstance(as_of, Timestamp):
        return as_of
    return history.events[-1].time if history.events else policies[0].opened(history)


def _print(evaluation: Evaluation, policy: Policy, history: History, form: str, several: bool, printed: int) -> None:
    if form == "json":
        from policy_engine.rendering.evaluation_json import render_json

        click.echo(render_json(evaluation, lines=several))
        return
    from policy_engine.rendering.evaluation_text import render_text

    if printed:
        click.echo("\n" + "-" * 100 + "\n")
    click.echo(render_text(evaluation, policy.definition, policy.timezone(history)))
