"""A policy file and the files it extends, read, merged (RFC 7396) and laid out in one `SourceMap`.

Every node keeps its span, so a diagnostic names the file that its line is really in. The base stands
first: its keys come before those that the extending file adds.
"""

from __future__ import annotations

from pathlib import Path

from policy_engine.loading.document import Document, MappingNode, Node, ScalarNode
from policy_engine.loading.files import UnreadableError, read_text
from policy_engine.loading.yaml_text import DocumentLimits, read_yaml
from policy_engine.source import Diagnostic, SourceMap, Span
from policy_engine.source.frozen import frozen

__all__ = ["PolicyText", "read_policy_text"]

_LIMITS = DocumentLimits()
_LONGEST_CHAIN = 16


@frozen
class PolicyText:
    """``document`` is None where a file cannot be read; ``files`` are the paths read, with their texts."""

    document: Document | None
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[tuple[Path, str], ...]


def read_policy_text(path: Path, name: str | None = None) -> PolicyText:
    """The document of a policy file with everything that it extends merged in."""
    files, diagnostics = _chain(path, name or str(path))
    if diagnostics:
        return PolicyText(None, tuple(diagnostics), tuple((p, text) for p, _, text in files))
    sources, found = SourceMap(), []
    for _, shown, text in reversed(files):
        sources, source = sources.add(shown, text)
        found.append(source)
    merged: Node | None = None
    for source in found:
        document, problems = read_yaml(sources, source, _LIMITS)
        diagnostics.extend(problems)
        if document is None:
            return PolicyText(None, tuple(diagnostics), tuple((p, text) for p, _, text in files))
        if merged is not None and not isinstance(merged, MappingNode):
            span = Span(merged.start, merged.start + 1)
            message = "the file that is extended must be a mapping (`key: value`)"
            diagnostics.append(Diagnostic.at(sources, span, "schema.wrong-type", message))
            return PolicyText(None, tuple(diagnostics), tuple((p, text) for p, _, text in files))
        merged = document.root if merged is None else _merged(merged, document.root)
    assert merged is not None
    if isinstance(merged, MappingNode) and len(found) > 1:
        merged = merged.without(frozenset({"extends"}))
    document = Document(merged, sources)
    return PolicyText(document, tuple(diagnostics), tuple((p, text) for p, _, text in files))


def _chain(path: Path, name: str) -> tuple[list[tuple[Path, str, str]], list[Diagnostic]]:
    """The files from the named one to the last base: path, name to show, text."""
    files: list[tuple[Path, str, str]] = []
    seen: set[Path] = set()
    where: tuple[SourceMap, ScalarNode] | None = None
    folder = path.resolve().parent
    while True:
        resolved = path.resolve()
        if resolved in seen or len(files) >= _LONGEST_CHAIN:
            problem = f"`{name}` extends itself" if resolved in seen else "too many files extend each other"
            return files, [_at(where, "extends.cycle", problem)]
        if resolved.parent != folder:
            return files, [_at(where, "extends.outside", f"`{name}` is not in the folder of the file that extends it")]
        seen.add(resolved)
        try:
            text = read_text(path, name)
        except UnreadableError as error:
            if where is None:
                return files, [error.diagnostic]
            return files, [_at(where, "extends.missing", error.diagnostic.message)]
        files.append((path, name, text))
        base = _extended(name, text)
        if base is None:
            return files, []
        where = base
        target = Path(base[1].text)
        if target.is_absolute() or ".." in target.parts:
            message = f"`{base[1].text}` leads out of the policy's folder"
            return files, [_at(where, "extends.outside", message, "write a file beside this one, like `./2012.yaml`")]
        path = path.parent / target
        name = str(Path(name).parent / target)


def _extended(name: str, text: str) -> tuple[SourceMap, ScalarNode] | None:
    """The scalar behind ``extends``, where the file has one."""
    if "extends" not in text:
        return None
    sources, source = SourceMap().add(name, text)
    document, _ = read_yaml(sources, source, _LIMITS)
    if document is None or not isinstance(document.root, MappingNode):
        return None
    base = document.root.get("extends")
    return (sources, base) if isinstance(base, ScalarNode) and isinstance(base.value, str) else None


def _at(where: tuple[SourceMap, ScalarNode] | None, code: str, message: str, hint: str | None = None) -> Diagnostic:
    if where is None:
        return Diagnostic(code, message, help=hint)
    return Diagnostic.at(where[0], where[1].span, code, message, hint)


def _merged(base: Node, patch: Node) -> Node:
    """RFC 7396: mappings merge key by key, ``null`` removes, everything else replaces."""
    if not isinstance(patch, MappingNode):
        return patch
    if not isinstance(base, MappingNode):
        base = MappingNode(patch.start, patch.end, ())
    changes = {key.text: (key, value) for key, value in patch.entries}
    entries: list[tuple[ScalarNode, Node]] = []
    for key, value in base.entries:
        if key.text not in changes:
            entries.append((key, value))
            continue
        new_key, new = changes.pop(key.text)
        if not _removes(new):
            both = isinstance(value, MappingNode) and isinstance(new, MappingNode)
            entries.append((key if both else new_key, _merged(value, new)))
    nothing = MappingNode(patch.start, patch.end, ())
    for key, value in changes.values():
        if not _removes(value):
            entries.append((key, _merged(nothing, value)))
    return MappingNode(patch.start, patch.end, tuple(entries), base.damaged or patch.damaged)


def _removes(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None
