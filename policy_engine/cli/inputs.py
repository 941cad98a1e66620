"""Options and inputs that commands share. Only here are the clock and the environment read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policy_engine.cel.values import Timestamp, parse_timestamp
from policy_engine.loading.history_file import read_histories, read_history_bytes
from policy_engine.model.history import History
from policy_engine.source import Diagnostic, InvalidHistoryError

__all__ = ["AsOf", "SetParameter", "cache_folder", "histories", "report"]


# click's parameter types became generic in a later release than the oldest that is supported.
if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType


class AsOf(_ParamType):
    """``now``, ``last`` (the time of the last event), or an instant."""

    name = "now|last|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Timestamp | str:
        if not isinstance(value, str) or value == "last":
            return value  # type: ignore[no-any-return]
        if value == "now":
            return Timestamp.of(datetime.now(UTC))
        try:
            return Timestamp(parse_timestamp(value) // 1000 * 1000)
        except ValueError as error:
            self.fail(f"{error}, or `now` or `last`", param, ctx)


class SetParameter(_ParamType):
    """``params.NAME=VALUE``, the value as YAML reads it."""

    name = "params.NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        path, equals, text = str(value).partition("=")
        name = path.removeprefix("params.")
        if not equals or name == path or not name.isidentifier():
            self.fail(f"`{value}`: write `params.NAME=VALUE`, like `params.respond_within=3 days`", param, ctx)
        text = text.strip()
        if not text:
            self.fail(f"`{value}` gives no value", param, ctx)
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            return name, text[1:-1]
        from policy_engine.loading.core_schema import resolve_plain  # for what-ifs alone

        try:
            return name, resolve_plain(text)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def cache_folder() -> Path | None:
    """Where compiled policies are kept: a folder of the user's own, or nowhere."""
    if os.environ.get("POLICY_ENGINE_CACHE") == "off":
        return None
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - pathlib's raises
    return Path(base) / "policy-engine" if os.path.isabs(base) else None  # noqa: PTH117 - the same


def histories(paths: Iterable[str]) -> Iterator[History | InvalidHistoryError]:
    """The histories of files and of standard input (``-``), as they come."""
    for path in paths:
        if path == "-":
            yield from read_history_bytes(sys.stdin.buffer.read(), "<stdin>")
        else:
            yield from read_histories(Path(path))


def report(diagnostics: Iterable[Diagnostic]) -> None:
    """Say on standard error what is wrong with the input."""
    from policy_engine.rendering.diagnostics_text import render_diagnostics

    click.echo(render_diagnostics(diagnostics), err=True)
