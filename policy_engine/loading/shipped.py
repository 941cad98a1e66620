"""What is shipped with the package: schemas and policies.

They stand at the top level of the checkout and inside the package of an installed wheel; this is the
one place that knows both.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["SCHEMAS", "policies_folder", "schema_text"]

SCHEMAS = ("policy", "history", "test", "evaluation")
_PACKAGE = Path(__file__).resolve().parent.parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / "_shipped" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def policies_folder() -> Path:
    """The folder of the shipped policies: one folder a policy, one file a revision."""
    return _folder("policies")


def schema_text(name: str) -> str:
    """The JSON Schema of that name, as it is published."""
    return (_folder("schemas") / f"{name}.schema.json").read_text(encoding="utf-8")
