"""The command line as its users meet it: output, exit codes, forms of input, hostile text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policy_engine import __version__
from policy_engine.cli import main
from policy_engine.loading.schema import schema_errors
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "silent-seller"
AS_OF = ("--as-of", "2014-04-01T00:00:00Z")
BAD = ROOT / "tests" / "cases" / "bad"


def run(*args: object, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=text)


def test_the_example_prints_what_its_folder_says() -> None:
    for name in ("history.json", "history.yaml"):
        result = run("evaluate", EXAMPLE / name, "--policy", "aliexpress", *AS_OF)
        assert result.exit_code == 0
        assert result.stdout == (EXAMPLE / "expected.txt").read_text(encoding="utf-8")


def test_json_has_the_published_shape_and_one_object_a_line(tmp_path: Path) -> None:
    result = run("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress", *AS_OF, "--format", "json")
    data = json.loads(result.stdout)
    assert schema_errors("evaluation", data) == []
    assert (data["outcome"], data["as_of"]) == ("refunded", "2014-04-01T00:00:00Z")
    line = json.dumps(json.loads((EXAMPLE / "history.json").read_text(encoding="utf-8")))
    for count in (1, 3):
        lines = tmp_path / "many.jsonl"
        lines.write_text("\n".join([line] * count), encoding="utf-8")
        found = run("evaluate", lines, "--policy", "aliexpress", *AS_OF, "--format", "json").stdout.splitlines()
        assert [json.loads(item) for item in found] == [data] * count


def test_standard_input_in_every_form() -> None:
    text = (EXAMPLE / "history.json").read_text(encoding="utf-8")
    line = json.dumps(json.loads(text))
    for given, times in ((text, 1), (line, 1), (f"{line}\n{line}\n", 2), ((EXAMPLE / "history.yaml").read_text(), 1)):
        result = run("evaluate", "-", "--policy", "aliexpress", *AS_OF, text=given)
        assert result.exit_code == 0, result.output
        assert result.stdout.count("CLOSED: refunded") == times


def test_strict_makes_refusals_count() -> None:
    assert run("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress", *AS_OF, "--strict").exit_code == 1


def test_as_of_is_printed_always(tmp_path: Path) -> None:
    now = run("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress@2012", "--format", "json")
    assert json.loads(now.stdout)["as_of"][:2] == "20"
    last = run("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress", "--as-of", "last")
    assert "as of 2014-03-10 04:00:00 (2014-03-10T11:00:00Z)" in last.stdout
    empty = tmp_path / "empty.yaml"
    empty.write_text(
        "order: {id: '1', placed_at: 2014-03-01T08:00:00Z, total: USD 1, delivery_limit: 9 days}\nevents: []\n"
    )
    assert "(2014-03-01T08:00:00Z)" in run("evaluate", empty, "--policy", "aliexpress", "--as-of", "last").stdout


def test_readings_and_what_ifs_change_the_answer() -> None:
    due = []
    for extra in ((), ("--reading", "calendar_days"), ("--set", "params.respond_within=3 days")):
        command = (
            "evaluate",
            EXAMPLE / "history.json",
            "--policy",
            "aliexpress",
            "--as-of",
            "last",
            "--format",
            "json",
        )
        data = json.loads(run(*command, *extra).stdout)
        due.append((data["next"]["due"], data["policy"]["digest"]))
    assert [d for d, _ in due] == ["2014-03-14T09:30:00Z", "2014-03-15T06:59:59.999999Z", "2014-03-12T09:30:00Z"]
    assert len({digest for _, digest in due}) == 3


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("evaluate", EXAMPLE / "history.json"), 2, "--policy"),
        (("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress", "--as-of", "yesterday"), 2, "RFC 3339"),
        (("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress", "--set", "x=1"), 2, "params.NAME=VALUE"),
        (("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress", "--set", "params.x="), 2, "no value"),
        (("evalute",), 2, "did you mean `evaluate`?"),
        (("schema", "nothing"), 2, "nothing"),
        (("evaluate", EXAMPLE / "history.json", "--policy", "aliexpres"), 3, "did you mean `aliexpress`?"),
        (("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress@1999"), 3, "it has `2012`"),
        (
            ("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress", "--reading", "x", *AS_OF),
            3,
            "no reading `x`",
        ),
        (
            ("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress", "--set", "params.x=1", *AS_OF),
            3,
            "parameter",
        ),
        (("evaluate", "nothing.yaml", "--policy", "aliexpress"), 3, "there is no file"),
        (("evaluate", BAD / "histories" / "no-offset.yaml", "--policy", "aliexpress"), 3, "with an offset"),
        (("evaluate", EXAMPLE / "history.json", "--policy", BAD / "policies" / "cel-and.yaml"), 3, "write `&&`"),
        (
            ("evaluate", EXAMPLE / "history.json", "--policy", "aliexpress", "--as-of", "2014-01-01T00:00:00Z"),
            3,
            "opened",
        ),
        (("check", BAD / "policies" / "policy-many.yaml"), 3, "5 problems"),
        (("check", "nothing.yaml"), 3, "there is no file"),
        (("test", ROOT / "docs"), 3, "there is no `*.test.yaml`"),
        (("check", "aliexpress"), 0, "no problems"),
        (("test", "-k", "short promise"), 0, "1 passed, 0 failed"),
        (("test", "-k", "there is no such test"), 1, "no test was run"),
        (("policies",), 0, "aliexpress@2012"),
        (("policies", "--format", "json"), 0, '"until": "2016-12-31"'),
        (("--version",), 0, __version__),
        (("--help",), 0, "Exit codes"),
    ],
    ids=lambda value: " ".join(map(str, value))[:60] if isinstance(value, tuple) else None,
)
def test_exit_codes(args: tuple[object, ...], code: int, says: str) -> None:
    result = run(*args)
    assert (result.exit_code, says in result.output) == (code, True), result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", ["policy", "history", "test", "evaluation"])
def test_schemas_are_printed(name: str) -> None:
    assert json.loads(run("schema", name).stdout)["$schema"].endswith("2020-12/schema")


def test_one_bad_history_does_not_stop_the_others(tmp_path: Path) -> None:
    good = json.dumps(json.loads((EXAMPLE / "history.json").read_text(encoding="utf-8")))
    lines = tmp_path / "lines.jsonl"
    lines.write_text(f"{good}\nnot json\n{{}}\n{good}\n", encoding="utf-8")
    result = run("evaluate", lines, "--policy", "aliexpress", *AS_OF, "--format", "json")
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 2
    assert f"{lines}:2:1" in result.stderr
    assert f"{lines}:3:1" in result.stderr


def test_a_failed_case_is_exit_1(tmp_path: Path) -> None:
    history = tmp_path / "h.yaml"
    history.write_text(
        "order: {id: o, placed_at: 2020-01-01T00:00:00Z}\n"
        "events: [{time: 2020-01-01T01:00:00Z, type: go, data: {to: bounce}}]\n"
    )
    policy = ROOT / "tests" / "cases" / "replay" / "clocks.yaml"
    result = run("evaluate", history, "--policy", policy, "--as-of", "2020-01-02T00:00:00Z")
    assert result.exit_code == 1
    assert "FAILED in ping" in result.stdout
    assert "replay.too-many-lapses" in result.stdout


def test_text_from_strangers_moves_no_cursor(tmp_path: Path) -> None:
    history = tmp_path / "h.json"
    order = {"id": "\x1b[31mred\r\n", "placed_at": "2014-03-01T08:00:00Z", "total": "USD 1", "delivery_limit": "9 days"}
    history.write_text(json.dumps({"order": order, "events": []}), encoding="utf-8")
    result = run("evaluate", history, "--policy", "aliexpress", *AS_OF)
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert "\\u001b[31mred\\u000d\\u000a" in result.output


def test_a_failing_policy_test_shows_the_line_and_the_case(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text((BAD / "policies" / "good.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    suite = tmp_path / "p.test.yaml"
    suite.write_text(
        "order: {id: o, placed_at: 2020-01-01T00:00:00Z, total: USD 10}\n"
        "cases:\n"
        "  - name: wrong\n"
        "    history:\n"
        "      - +1d request {amount: USD 5, reason: damaged}\n"
        "    at: +2d\n"
        "    expect: {state: waiting, next: {due: +6d1s}}\n"
        "  - name: unknown\n"
        "    history:\n"
        "      - +1d requst {amount: USD 5}\n"
        "    at: +2d\n"
        "    expect: {stat: waiting}\n"
        "  - name: empty\n"
        "    history: []\n"
        "    at: +2d\n"
        "    expect: {next: {}}\n",
        encoding="utf-8",
    )
    result = run("test", suite)
    # `stat` is no key of an evaluation: the file itself is refused, with its place.
    assert result.exit_code == 3
    assert f"{suite}:12:14: error: `stat` is not a key" in result.output
    suite.write_text(suite.read_text(encoding="utf-8").replace("{stat: waiting}", "{state: waiting}"), encoding="utf-8")
    result = run("test", suite)
    assert result.exit_code == 1
    assert f"{suite}:7:21: error: `state`: expected `waiting`, got `asked`" in result.output
    assert "`next.due`: expected `+6d1s`, got `2020-01-07T00:00:00Z`" in result.output
    assert "buyer: request (e1) -> asked" in result.output
    assert "there is no event `requst`" in result.output
    assert "expected a mapping, got nothing" in result.output
    assert "0 passed, 3 failed" in result.output


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_the_same_bytes_for_any_hash_seed(seed: str) -> None:
    command = [
        sys.executable,
        "-m",
        "policy_engine",
        "evaluate",
        str(EXAMPLE / "history.json"),
        "--policy",
        "aliexpress",
    ]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "POLICY_ENGINE_CACHE": "off"}
    found = subprocess.run(
        [*command, "--as-of", "2014-03-12T00:00:00Z", "--format", "json"],
        env=environment, capture_output=True, check=True, cwd=ROOT,
    )  # fmt: skip
    expected = run(
        "evaluate",
        EXAMPLE / "history.json",
        "--policy",
        "aliexpress",
        "--as-of",
        "2014-03-12T00:00:00Z",
        "--format",
        "json",
    )
    assert found.stdout.decode() == expected.stdout
