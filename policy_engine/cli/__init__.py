"""The command line: the only room that imports click, prints, or exits. One file per command.

Commands are imported when they are called, so that each costs what it needs and no more.
"""

from __future__ import annotations

import gc
from importlib import import_module

# A run of the command line makes many objects at once and few cycles: looking for them a hundred times
# while modules load is a twentieth of the time that a run takes. Set before the heavy imports.
gc.set_threshold(50_000, 20, 20)

import click  # noqa: E402

from policy_engine.cli.exit_codes import ExitCode  # noqa: E402

__all__ = ["main"]

_COMMANDS = {
    "check": "Check policy files and say everything that is wrong with them.",
    "evaluate": "Evaluate histories against a policy: what was decided, and what comes next.",
    "policies": "List the policies there are.",
    "schema": "Print a JSON Schema: policy, history, test or evaluation.",
    "test": "Run the tests that stand beside policies.",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"policy_engine.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from policy_engine.source.diagnostic import did_you_mean

            hint = did_you_mean(args[0], _COMMANDS)
            ctx.fail(f"there is no command `{args[0]}`" + (f" ({hint})" if hint else ""))
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        from policy_engine import __version__

        click.echo(f"policy-engine {__version__}")
        ctx.exit(ExitCode.FINE)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version and exit."
)
def main() -> None:
    """Marketplace dispute rules as data: evaluate an order's history against a policy.

    \b
    Exit codes: 0 fine; 1 evaluated, and something failed; 2 misuse; 3 input refused.
    """
