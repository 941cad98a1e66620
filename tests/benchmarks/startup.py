"""Whole processes, as ratios to a bare interpreter's start: one evaluation with a warm cache, and with none.

    python tests/benchmarks/startup.py [RUNS]

CPU time (user + system) of the finished process as the operating system accounts it; the runs of all commands
are interleaved, so that a machine that slows down slows all of them. Byte code must be written (unset
PYTHONDONTWRITEBYTECODE), as it is for whoever installs the package.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = str(Path(sys.executable).with_name("policy-engine"))


def evaluate(history: str) -> list[str]:
    path = str(ROOT / "examples" / "silent-seller" / history)
    return [COMMAND, "evaluate", path, "--policy", "aliexpress", "--as-of", "2014-03-12T00:00:00Z"]


def cpu(command: list[str], environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        warm = environment | {"XDG_CACHE_HOME": folder}
        cold = environment | {"POLICY_ENGINE_CACHE": "off"}
        bare = [sys.executable, "-c", "pass"]
        commands = {
            "bare interpreter": (bare, environment),
            "import click": ([sys.executable, "-c", "import click"], environment),
            "import policy_engine": ([sys.executable, "-c", "import policy_engine"], environment),
            "evaluate JSON, warm": (evaluate("history.json"), warm),
            "evaluate YAML, warm": (evaluate("history.yaml"), warm),
            "evaluate JSON, no cache": (evaluate("history.json"), cold),
        }
        for command, env in commands.values():
            cpu(command, env)
        figures: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, (command, env) in commands.items():
                figures[name].append(cpu(command, env))
    base = figures["bare interpreter"]
    print(f"{'':24}{'median ms':>10}{'min ms':>9}{'x bare':>9}")
    for name, found in figures.items():
        ratio = statistics.median(a / b for a, b in zip(found, base, strict=True))
        print(f"{name:24}{1000 * statistics.median(found):10.1f}{1000 * min(found):9.1f}{ratio:9.1f}")


if __name__ == "__main__":
    main()
