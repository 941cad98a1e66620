"""The states of a document, numbered in the order of the file, and the names by which targets find them."""

from __future__ import annotations

from dataclasses import dataclass, field

from policy_engine.compiling.declared import entries
from policy_engine.compiling.findings import Findings
from policy_engine.loading.document import MappingNode, ScalarNode

__all__ = ["RawState", "StateTree"]


@dataclass(slots=True)
class RawState:
    """A state before its rules are read."""

    index: int
    path: str
    parent: int | None
    node: MappingNode
    key: ScalarNode | None
    children: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.rsplit(".", 1)[-1]


@dataclass(slots=True)
class StateTree:
    """The states by number, and the names by which targets find them."""

    raw: list[RawState]
    by_path: dict[str, int]
    by_name: dict[str, list[int]]

    @classmethod
    def of(cls, root: MappingNode) -> StateTree:
        tree = cls([], {}, {})
        stack: list[tuple[MappingNode, ScalarNode | None, str, int | None]] = [(root, None, "", None)]
        while stack:
            node, key, path, parent = stack.pop()
            index = len(tree.raw)
            tree.raw.append(RawState(index, path, parent, node, key))
            if parent is not None and key is not None:
                tree.raw[parent].children.append(index)
                tree.by_path[path] = index
                tree.by_name.setdefault(key.text, []).append(index)
            for name, child in reversed(entries(node.get("states"))):
                inner = child if isinstance(child, MappingNode) else MappingNode(child.start, child.end, ())
                stack.append((inner, name, f"{path}.{name.text}" if path else name.text, index))
        return tree

    def ancestors(self, index: int) -> tuple[int, ...]:
        found: list[int] = []
        parent = self.raw[index].parent
        while parent is not None:
            found.append(parent)
            parent = self.raw[parent].parent
        return tuple(found)

    def find(self, where: ScalarNode, findings: Findings) -> int | None:
        """The state that a target names, by its path or by a name that is unique."""
        name = where.text
        if name in self.by_path:
            return self.by_path[name]
        same = self.by_name.get(name, [])
        if len(same) == 1:
            return same[0]
        if same:
            paths = " or ".join(f"`{self.raw[index].path}`" for index in same)
            findings.error(where, "policy.ambiguous-state", f"several states are called `{name}`", f"write {paths}")
        else:
            findings.unknown(where, "state", name, [*self.by_path, *self.by_name])
        return None
