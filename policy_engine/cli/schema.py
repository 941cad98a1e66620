"""``policy-engine schema``."""

from __future__ import annotations

import click

from policy_engine.loading.shipped import SCHEMAS, schema_text

__all__ = ["command"]


@click.command("schema", short_help="Print a JSON Schema.")
@click.argument("name", type=click.Choice(SCHEMAS))
def command(name: str) -> None:
    """Print the JSON Schema of that NAME, for editors and other tools."""
    click.echo(schema_text(name), nl=False)
