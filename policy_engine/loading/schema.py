"""Document -> CheckedDocument: the shape, by the published JSON Schemas. The only file that imports jsonschema.

Each finding is put into words of our own, at the key or value that it is about; what does not fit is
taken out of the tree, so that later stages can go on and find the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from policy_engine.loading.document import Document, MappingNode, Node, Path, SequenceNode
from policy_engine.loading.shipped import schema_text
from policy_engine.source import Diagnostic
from policy_engine.source.diagnostic import did_you_mean, listed
from policy_engine.source.frozen import frozen

__all__ = ["CheckedDocument", "check_document", "schema_errors"]

_KINDS = {
    "object": "a mapping (`key: value`)",
    "array": "a list",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}
_PATTERNS = {
    "^([A-Za-z_][A-Za-z0-9_]*|x-.*)$": "a name has letters, digits and underscores, and no digit first",
    "^[A-Za-z_][A-Za-z0-9_]*$": "a name has letters, digits and underscores, and no digit first",
    "^(case\\.[A-Za-z_][A-Za-z0-9_]*|x-.*)$": "`set` assigns fields of the case, as in `case.claim: event`",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "write a date like 2024-03-10",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$": (
        "write a time with an offset, like 2024-03-10T08:00:00Z"
    ),
    "^[A-Z]{2}$": "write a country code of two capital letters, like `CN`",
}


@frozen
class CheckedDocument:
    """A document that has the shape its schema asks for (what did not fit has been taken out)."""

    document: Document


@frozen
class SchemaError:
    """A finding of the schema, in our words. ``on_key``: the key is meant, not its value."""

    code: str
    message: str
    path: Path
    help: str | None = None
    on_key: bool = False


@cache
def _validator(name: str) -> Any:
    return Draft202012Validator(json.loads(schema_text(name)))


def schema_errors(name: str, data: Any) -> list[SchemaError]:
    """Everything in plain data that the schema of that name does not allow."""
    found: list[SchemaError] = []
    for error in _validator(name).iter_errors(data):
        found.extend(_findings(error))
    return _missing_together(list(dict.fromkeys(found)))


def _missing_together(errors: list[SchemaError]) -> list[SchemaError]:
    """Keys that one mapping lacks, said in one sentence."""
    kept: list[SchemaError] = []
    missing: dict[Path, list[str]] = {}
    for error in errors:
        if error.code == "schema.missing-key":
            missing.setdefault(error.path, []).append(error.message)
        else:
            kept.append(error)
    meant = {(error.path[:-1], error.help) for error in errors if error.code == "schema.unknown-key"}
    for path, every in missing.items():
        # A key that is there under a wrong name is not missing as well.
        keys = [key for key in every if (path, f"did you mean `{key}`?") not in meant]
        if not keys:
            continue
        where = f"`{path[-1]}`" if path and isinstance(path[-1], str) else "this" if path else "the file"
        plural = "s" if len(keys) > 1 else ""
        kept.append(SchemaError("schema.missing-key", f"{where} needs the key{plural} {listed(keys)}", path))
    return kept


def check_document(name: str, document: Document) -> tuple[CheckedDocument, list[Diagnostic]]:
    """The document with what does not fit its schema taken out, and a diagnostic for each such place."""
    errors = [e for e in schema_errors(name, document.plain()) if not _is_consequence(document, e)]
    diagnostics = [_diagnostic(document, error) for error in errors]
    bad = {error.path for error in errors if error.code != "schema.missing-key"}
    root = _pruned(document.root, (), bad) or MappingNode(document.root.start, document.root.end, (), True)
    return CheckedDocument(Document(root, document.sources)), diagnostics


def _is_consequence(document: Document, error: SchemaError) -> bool:
    """Whether something only seems to be missing, because it was wrong and has been taken out."""
    node = document.find(error.path)
    return error.code in ("schema.missing-key", "schema.empty") and isinstance(node, MappingNode) and node.damaged


def _diagnostic(document: Document, error: SchemaError) -> Diagnostic:
    span = document.key_span(error.path) if error.on_key else None
    if span is None:
        node = document.find(error.path) or document.root
        span = node.span
        if error.code == "schema.missing-key":
            # A whole mapping is too much to point at: its own key, or where it begins.
            span = document.key_span(error.path) or _beginning(node)
    return Diagnostic.at(document.sources, span, error.code, error.message, error.help)


def _beginning(node: Node) -> Any:
    return node.entries[0][0].span if isinstance(node, MappingNode) and node.entries else node.span


def _pruned(node: Node, path: Path, bad: set[Path]) -> Node | None:
    if path in bad:
        return None
    if isinstance(node, MappingNode):
        pruned = ((key, _pruned(value, (*path, key.text), bad)) for key, value in node.entries)
        kept = tuple((key, value) for key, value in pruned if value is not None)
        return MappingNode(node.start, node.end, kept, node.damaged or len(kept) < len(node.entries))
    if isinstance(node, SequenceNode):
        items = (_pruned(item, (*path, index), bad) for index, item in enumerate(node.items))
        return SequenceNode(node.start, node.end, tuple(item for item in items if item is not None))
    return node


# -- errors of the schema in words ---------------------------------------------------------------------


def _findings(error: ValidationError) -> Iterator[SchemaError]:
    path: Path = tuple(error.absolute_path)
    where = f"`{path[-1]}`" if path and isinstance(path[-1], str) else "this" if path else "the file"
    value: Any = error.instance
    rule: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(error, path)
        case "required":
            missing = next(key for key in rule if key not in value and f"'{key}'" in error.message)
            yield SchemaError("schema.missing-key", missing, path)
        case "anyOf":
            yield from _alternatives(error, path, where)
        case "pattern" if "propertyNames" in error.absolute_schema_path:
            hint = _PATTERNS.get(rule)
            yield SchemaError("schema.bad-key", f"`{value}` cannot be a key here", (*path, str(value)), hint, True)
        case "pattern":
            yield SchemaError("schema.bad-value", f"`{value}` cannot stand here", path, _PATTERNS.get(rule))
        case "type":
            kinds = [rule] if isinstance(rule, str) else rule
            wanted = " or ".join(_KINDS[kind] for kind in kinds)
            yield SchemaError("schema.wrong-type", f"{where} must be {wanted}, this is {_kind(value)}", path)
        case "enum":
            yield SchemaError("schema.bad-value", f"{_shown(value)} is not {listed(rule, 'or')}", path)
        case "const":
            yield SchemaError(
                "schema.bad-value", f"{where} must be the {_kind(rule)[4:]}, this is {_kind(value)}", path
            )
        case "minItems" | "minProperties" | "minLength":
            yield SchemaError("schema.empty", f"{where} is empty", path)
        case _:
            yield SchemaError("schema.bad-value", f"{where}: {error.message}", path)


def _unknown_keys(error: ValidationError, path: Path) -> Iterator[SchemaError]:
    properties: Any = error.schema["properties"]  # type: ignore[index]  # a schema with this rule is an object
    known = [key for key in properties if key not in ("title", "description", "note")]
    keys: Any = error.instance
    for key in keys:
        if key not in properties and not key.startswith("x-"):
            hint = did_you_mean(key, known)
            yield SchemaError(
                "schema.unknown-key", f"`{key}` is not a key that can stand here", (*path, key), hint, True
            )


def _alternatives(error: ValidationError, path: Path, where: str) -> Iterator[SchemaError]:
    """The findings of the one alternative that has the value's kind, or that none has."""
    context: Iterable[ValidationError] = error.context or ()
    branches: dict[int, list[ValidationError]] = {}
    for inner in context:
        branches.setdefault(int(inner.schema_path[0]), []).append(inner)
    fitting = [b for b in branches.values() if not any(e.validator == "type" and not e.path for e in b)]
    if fitting:
        for inner in fitting[0]:
            yield from _findings(inner)
        return
    kinds: list[str] = []
    for branch in branches.values():
        for inner in branch:
            if inner.validator == "type" and not inner.path:
                rule: Any = inner.validator_value
                kinds.extend([rule] if isinstance(rule, str) else rule)
    names = list(dict.fromkeys(_KINDS[kind] for kind in kinds if kind != "null"))
    yield SchemaError(
        "schema.wrong-type", f"{where} must be {' or '.join(names)}, this is {_kind(error.instance)}", path
    )


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f"the text `{value}`" if len(value) <= 40 else "a text"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a list" if isinstance(value, list) else "a mapping"


def _shown(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"
