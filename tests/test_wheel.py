"""What is built is what is used: schemas and policies are in the wheel, and found from any folder."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if subprocess.run([sys.executable, "-c", "import hatchling"], capture_output=True).returncode:
        pytest.skip("the build backend (hatchling) is not installed: `pip install hatchling`")
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=ROOT, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_holds_what_is_shipped(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("schemas", "policies"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert f"policy_engine/_shipped/{path.relative_to(ROOT).as_posix()}" in names
    assert {"policy_engine/py.typed", "policy_engine/cel/grammar.lark"} <= names
    assert not [name for name in names if name.startswith("tests/")]


def test_it_runs_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    inside = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(inside)
    history = ROOT / "examples" / "silent-seller" / "history.json"
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import policy_engine; "
        "assert policy_engine.__file__.startswith(sys.path[0]), policy_engine.__file__; "
        "from policy_engine.cli import main; main()"
    )
    command = [sys.executable, "-c", code, str(inside)]
    for args, says in (
        (["evaluate", str(history), "--policy", "aliexpress", "--as-of", "2014-04-01T00:00:00Z"], "CLOSED: refunded"),
        (["schema", "policy"], "2020-12/schema"),
        (["test"], " passed, 0 failed"),
    ):
        done = subprocess.run([*command, *args], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert says in done.stdout
