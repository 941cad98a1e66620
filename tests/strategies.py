"""Generators: well-formed small policies, and histories that meet their boundaries."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from policy_engine import History, Policy, load_history, load_policy

START = datetime(2020, 1, 1, tzinfo=UTC)
EVENTS = ("ping", "pong", "move", "stop")
SPANS = ("0 seconds", "1 hours", "2 hours", "3 hours", "1 calendar days", "1 working days")
GUARDS = (
    None,
    None,
    "event.n <= case.k",
    "event.n > 1 && case.k < 4",
    "has(last.pong)",
    "count.ping < 3",
    "10 / event.n > 3",  # an error when n is 0
)
STILL_GUARDS = (None, None, None, "case.k < 3", "count.ping % 2 == 0", "has(first.move)", "6 / case.k > 1")
WINDOWS = (None, None, "order.placed_at + duration('3h')", "last.ping.time + duration('1h')", "last.?pong.time")
# Deep, shallow and final: `b.y` starts conditionally, `end` can be appealed.
STATES = ("a", "b", "b.x", "b.y", "c", "end")
LEAVES = ("a", "b.x", "b.y", "c")


def maybe(draw: st.DrawFn, mapping: dict[str, Any], key: str, values: tuple[Any, ...]) -> None:
    value = draw(st.sampled_from(values))
    if value is not None:
        mapping[key] = value


@st.composite
def effects(draw: st.DrawFn, event: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    maybe(draw, found, "set", (None, {"case.k": "case.k + 1"}, {"case.k": "event.n" if event else "case.k * 2"}))
    maybe(draw, found, "do", (None, None, [{"note": {"k": "case.k"}}], [{"note": {"k": 7}, "if": "case.k > 1"}]))
    return found


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    rule = draw(effects(True))
    maybe(draw, rule, "if", GUARDS)
    maybe(draw, rule, "opens", WINDOWS)
    maybe(draw, rule, "closes", WINDOWS)
    maybe(draw, rule, "by", (None, None, "left", ["left", "right"]))
    maybe(draw, rule, "to", (None, *STATES))
    maybe(draw, rule, "breach", (None, None, None, "right"))
    if draw(st.integers(0, 9)) == 0:
        rule = {key: value for key, value in rule.items() if key in ("if", "opens", "closes", "by")}
        rule["refuse"] = "not now, k is {case.k}"
    return rule


@st.composite
def lapses(draw: st.DrawFn, advice: bool) -> dict[str, Any]:
    rule = draw(effects(False))
    maybe(draw, rule, "if", STILL_GUARDS)
    if not advice:
        maybe(draw, rule, "to", (None, *STATES))
        maybe(draw, rule, "breach", (None, "left"))
    return rule


@st.composite
def deadlines(draw: st.DrawFn) -> dict[str, Any]:
    deadline: dict[str, Any] = {}
    if draw(st.integers(0, 3)):
        deadline["within"] = draw(st.sampled_from(SPANS))
        maybe(draw, deadline, "from", (None, None, "last.?ping.time", "order.placed_at"))
    else:
        deadline["at"] = draw(st.sampled_from(("last.?ping.time", "order.placed_at + duration('5h')")))
    maybe(draw, deadline, "if", STILL_GUARDS)
    maybe(draw, deadline, "starts_on", (None, None, "ping", {"event": "pong", "by": "left"}))
    maybe(draw, deadline, "met_by", (None, None, "pong", {"event": "ping", "if": "event.n > 2"}))
    maybe(draw, deadline, "party", (None, "left", "right"))
    if draw(st.integers(0, 3)) == 0:
        deadline["level"] = "should"
    advice = deadline.get("level") == "should"
    if not advice or draw(st.booleans()):
        deadline["otherwise"] = draw(st.lists(lapses(advice), min_size=1, max_size=2))
    return deadline


@st.composite
def states(draw: st.DrawFn, depth: int = 1) -> dict[str, Any]:
    """Deadlines have other names on every level: those that run at once may not share one."""
    state: dict[str, Any] = {}
    names = draw(st.lists(st.sampled_from(EVENTS), unique=True, max_size=3))
    if names:
        state["on"] = {name: draw(st.lists(rules(), min_size=1, max_size=2)) for name in names}
    maybe(draw, state, "accepts", (None, ["ping"], ["pong", "move"]))
    clocks = draw(st.lists(deadlines(), max_size=2))
    if clocks:
        state["deadlines"] = dict(zip((f"first{depth}", f"second{depth}"), clocks, strict=False))
    maybe(draw, state, "enter", (None, None, {"set": {"case.k": "case.k + 1"}}, {"do": [{"note": {"k": "case.k"}}]}))
    maybe(draw, state, "leave", (None, None, {"do": [{"note": {"k": "case.k"}}]}))
    return state


@st.composite
def policy_data(draw: st.DrawFn) -> dict[str, Any]:
    inner = draw(states())
    inner["start"] = [{"if": "case.k > 2", "to": "y"}, {"to": "x"}]
    inner["states"] = {"x": draw(states(2)), "y": draw(states(2))}
    end = draw(states())
    end = {key: end[key] for key in ("on", "accepts", "enter", "leave") if key in end}
    root = draw(states(0))
    return {
        **root,
        "language": 1,
        "policy": "random",
        "revision": "1",
        "parties": {"left": {}, "right": {}},
        "order": {"id": "string", "placed_at": "timestamp"},
        "case": {"k": {"type": "int", "default": 1}},
        "events": {name: {"by": ["left", "right"], "data": {"n": "int"}} for name in EVENTS},
        "actions": {"note": {"data": {"k": "int"}}},
        "opened": "order.placed_at",
        "start": "a",
        "states": {
            "a": draw(states()),
            "b": inner,
            "c": draw(states()),
            "end": {**end, "final": True, "outcome": "ended with {case.k}"},
        },
    }


def policies() -> st.SearchStrategy[Policy]:
    return policy_data().map(compiled)


def compiled(data: dict[str, Any]) -> Policy:
    """A policy from plain data, through the door that everybody uses: a file (JSON is YAML)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "1.yaml"
        path.write_text(json.dumps(data), encoding="utf-8")
        return load_policy(path)


# Boundaries are met by times on the grid of the spans, and just beside it.
OFFSETS = st.builds(
    lambda hours, micros: timedelta(hours=hours, microseconds=micros),
    st.integers(0, 60),
    st.sampled_from((0, 0, 0, 1, -1)),
).filter(lambda offset: offset >= timedelta(0))


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from((*EVENTS, *EVENTS, *EVENTS, "unheard_of")))
    found: dict[str, Any] = {
        "time": (START + draw(OFFSETS)).isoformat(),
        "type": kind,
        "by": draw(st.sampled_from(("left", "right"))),
        "data": {"n": draw(st.integers(0, 5))} if draw(st.integers(0, 9)) else {"n": "five"},
    }
    identity = draw(st.sampled_from((None, "e1", "e2", "e3", "e4", "e5", "e6")))
    if identity:
        found["id"] = identity
    return found


def history(found: list[dict[str, Any]]) -> History:
    return load_history({"order": {"id": "o", "placed_at": START.isoformat()}, "events": found})


def histories() -> st.SearchStrategy[History]:
    return st.lists(events(), max_size=10).map(history)


def moments() -> st.SearchStrategy[datetime]:
    return OFFSETS.map(lambda offset: START + offset)
