"""The shape of the house: which room may import which, who owns which third-party import, what is public."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import policy_engine

PACKAGE = Path(policy_engine.__file__).parent

# Each room and the rooms to its left, which it may import.
LEFT = {
    "source": set(),
    "cel": {"source"},
    "calendars": {"source"},
    "vocabulary": {"source", "cel", "calendars"},
    "model": {"source", "cel", "calendars", "vocabulary"},
    "loading": {"source", "cel", "calendars", "vocabulary", "model"},
    "compiling": {"source", "cel", "calendars", "vocabulary", "model", "loading"},
    "evaluating": {"source", "cel", "calendars", "vocabulary", "model"},
    "rendering": {"source", "cel", "calendars", "vocabulary", "model"},
}
LEFT["engine"] = set(LEFT)
LEFT["testing"] = set(LEFT) - {"rendering", "compiling"}
LEFT["cli"] = set(LEFT)
LEFT["__init__"] = {"engine", "model", "source"}
LEFT["__main__"] = {"cli"}

# Which file owns which third-party import.
OWNERS = {
    "lark": {"cel/parse.py"},
    "re2": {"cel/functions.py"},
    "yaml": {"loading/yaml_text.py"},
    "jsonschema": {"loading/schema.py"},
    "holidays": {"calendars/holiday_library.py"},
    "click": {f"cli/{path.name}" for path in (PACKAGE / "cli").glob("*.py")},
}
STANDARD = set(__import__("sys").stdlib_module_names)
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "_shipped" not in path.parts)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module or "")
    return found


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_follow_the_picture(path: Path) -> None:
    own = room(path)
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "policy_engine":
            other = rest.split(".")[0]
            if other and other != own:
                assert other in LEFT[own], f"{own} imports {other}"
        elif top not in STANDARD:
            relative = str(path.relative_to(PACKAGE))
            assert relative in OWNERS.get(top, set()), f"{relative} imports {top}"


def test_every_third_party_import_has_its_owner() -> None:
    for library, owners in OWNERS.items():
        used = {str(p.relative_to(PACKAGE)) for p in FILES if any(n.split(".")[0] == library for n in imports(p))}
        assert used <= owners
        assert used, f"{library} is not imported any more"


def test_no_python_file_names_a_marketplace() -> None:
    names = {path.name for path in (PACKAGE.parent / "policies").iterdir() if path.is_dir()}
    for path in FILES:
        text = path.read_text(encoding="utf-8").lower()
        assert not [name for name in names if name in text], path


def test_public_names() -> None:
    assert sorted(policy_engine.__all__) == [
        "Diagnostic",
        "Evaluation",
        "Event",
        "History",
        "InputError",
        "InvalidHistoryError",
        "InvalidPolicyError",
        "Policy",
        "PolicyEngineError",
        "load_history",
        "load_policy",
    ]
    for name in policy_engine.__all__:
        assert getattr(policy_engine, name) is not None


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_code_is_made_from_text(path: Path) -> None:
    """No eval, exec, pickle or unsafe YAML anywhere: policies and histories come from strangers."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            written = node.func.id == "exec" and path.name == "frozen.py"  # from names in our own class bodies
            assert written or node.func.id not in ("eval", "exec", "compile", "__import__"), path
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert not names & {"pickle", "marshal", "shelve"}, path


def test_the_digest_is_sha_256() -> None:
    import hashlib

    from policy_engine.source.digest import sha256

    for data in (b"", b"abc", bytes(range(256)) * 50):
        assert sha256(data) == hashlib.sha256(data).hexdigest()
