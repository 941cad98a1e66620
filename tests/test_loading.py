"""Policies and histories on their way in: types, extends, revisions, the cache, the shapes that are published."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_engine import InvalidHistoryError, InvalidPolicyError, load_history, load_policy
from policy_engine.cel.values import Timestamp
from policy_engine.engine import choose_policy, load_policies, problems_of
from policy_engine.loading.history_file import _has_shape
from policy_engine.loading.library import Library
from policy_engine.loading.schema import schema_errors
from tests.conftest import ROOT

GOOD = (ROOT / "tests" / "cases" / "bad" / "policies" / "good.yaml").read_text(encoding="utf-8")
ORDER = {"id": "o", "placed_at": "2020-01-01T00:00:00Z", "total": "USD 10"}
AS_OF = datetime(2020, 2, 1, tzinfo=UTC)


def problems(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "1.yaml"
    path.write_text(text, encoding="utf-8")
    return [f"{p.code} {p.place.line if p.place else 0}" for p in problems_of(path)[1]]


SET = "set: {case.claim: event}"


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        # An enumeration takes its members only, wherever the value comes from.
        ([(SET, "set: {case.why: order.id}"), ("case: {", "case: {why: optional(reason), ")], ["cel.wrong-type 24"]),
        ([(SET, "set: {case.why: event.reason}"), ("case: {", "case: {why: optional(reason), ")], []),
        ([(SET, "set: {case.why: '\"damagd\"'}"), ("case: {", "case: {why: optional(reason), ")], ["cel.not-a-member 24"]),
        ([(SET, 'set: {case.why: "case.tries > 1 ? \'lost\' : \'damaged\'"}'), ("case: {", "case: {why: optional(reason), ")], ["cel.not-a-member 24"]),
        # A literal of the wrong type, for an optional field too.
        ([(SET, "set: {case.tries: 1.5}")], ["cel.wrong-type 24"]),
        ([(SET, "set: {case.n: true}"), ("case: {", "case: {n: optional(int), ")], ["cel.wrong-type 24"]),
        ([(SET, "set: {case.n: case.tries}"), ("case: {", "case: {n: optional(int), ")], []),
        # Literals of records and lists, part by part.
        ([(SET, "set: {case.claim: '{\"reason\": \"damaged\"}'}")], ["cel.missing-field 24"]),
        ([(SET, "set: {case.claim: '{\"amount\": order.total, \"reason\": \"damaged\"}'}")], []),
        ([(SET, "set: {case.claim: '{\"amount\": order.total, \"reason\": \"lost\", \"x\": 1}'}")], ["cel.not-a-member 24", "cel.unknown-field 24"]),
        ([(SET, "set: {case.l: '[1, \"a\"]'}"), ("case: {", "case: {l: optional(list(int)), ")], ["cel.wrong-type 24"]),
        # One id, one action.
        ([("to: asked}", "to: asked, id: done.enter}")], ["rule.same-id 24"]),
        # Names of deadlines that run at once.
        ([("start: waiting\n", "start: waiting\ndeadlines: {respond: {within: 9 days, level: should}}\n")], ["deadline.same-name 29"]),
        # Reserved fields behind a named type.
        ([("  claim: {amount", "  claim: {time: timestamp, amount")], ["type.reserved-field 15"]),
        # Numbers that decimals do not hold.
        ([("event.amount <= order.total", "order.total * 0.12345678901234567890123456789012345678 > order.total")], ["cel.literal 24"]),
        ([("event.amount <= order.total", "order.total * 1e-2 < order.total")], []),
        # Depth, through names and through types.
        ([("opened:", "let:\n" + "".join(f"  t{i}: (let.t{i + 1} + 1) * 2\n" for i in range(100)) + "  t100: 1\nopened:")], ["cel.too-deep *"]),
        ([("tries: {type: int, default: 0}", f"tries: {'list(' * 1500}int{')' * 1500}")], ["type.too-deep 9", "policy.case-unset 9"]),
        ([("  reason: [damaged, missing]", "  reason: [damaged, missing, damaged]")], ["type.same-member 7", "type.same-member 7"]),
        ([("opened:", "ignores: [reject]\nopened:")], ["policy.ignored-event 19"]),
        ([("respond_within: 5 days", "respond_within: {value: 5 dayz, type: duration}")], ["literal.bad-value 11"]),
        ([("within: params.respond_within", "within: 5 dayz")], ["literal.bad-duration 28"]),
        ([("opened:", "calendars: {default: {timezone: order.id}}\nopened:")], ["calendar.unknown-zone 19"]),
        ([("opened:", "calendars: {default: {timezone: UTC, closed: [{date: 2020-01-01, until: 2020-01-02}]}}\nopened:")], ["calendar.day 19"]),
        ([("parties:", "extends: 5\nparties:")], ["schema.wrong-type 4"]),
        ([("  reject: {by: seller}", "  reject: {by: seller}\n  x-note: anything")], []),
    ],
)  # fmt: skip
def test_what_a_policy_may_say(tmp_path: Path, changes: list[tuple[str, str]], codes: list[str]) -> None:
    found = problems(tmp_path, *changes)
    if codes[:1] == ["cel.too-deep *"]:
        found = [f"{problem.split()[0]} *" for problem in found]
    assert set(found) == set(codes)


def test_an_override_may_count_on_a_calendar(tmp_path: Path) -> None:
    value = "{value: 5 days, overrides: [{if: 'date(order.placed_at) > date(\"2019-12-31\")', value: 1 days}]}"
    assert problems(tmp_path, ("respond_within: 5 days", f"respond_within: {value}")) == []
    policy = load_policy(tmp_path / "1.yaml")
    events = [{"time": "2020-01-02T00:00:00Z", "type": "request", "data": {"amount": "USD 5", "reason": "damaged"}}]
    found = policy.evaluate(load_history({"order": ORDER, "events": events}), as_of=datetime(2020, 1, 2, tzinfo=UTC))
    assert found.deadlines[0].due == Timestamp.of(datetime(2020, 1, 3, tzinfo=UTC))


def test_a_deadline_at_the_end_of_time_never_comes(tmp_path: Path) -> None:
    changes = [("within: params.respond_within", 'at: timestamp("9999-12-31T23:59:59.999999Z")')]
    assert problems(tmp_path, *changes) == []
    events = [{"time": "2020-01-02T00:00:00Z", "type": "request", "data": {"amount": "USD 5", "reason": "damaged"}}]
    found = load_policy(tmp_path / "1.yaml").evaluate(load_history({"order": ORDER, "events": events}), as_of=AS_OF)
    assert found.next is None
    assert found.to_dict()["deadlines"][0]["due"] == "9999-12-31T23:59:59.999999Z"


def test_extends_merges_and_names_the_file_of_each_line(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "2.yaml").write_text(
        'extends: ./1.yaml\nrevision: "2"\nparameters: {respond_within: 7 days}\n'
        "states:\n  asked:\n    on: {reject: null, request: {to: waiting, because: null}}\n",
        encoding="utf-8",
    )
    policy = load_policy(tmp_path / "2.yaml").definition
    asked = policy.state("asked")
    assert asked is not None
    assert (policy.revision, list(asked.rules)) == ("2", ["request"])
    assert str(policy.parameters["respond_within"].value) == "604800s"
    place = policy.sources.place(asked.rules["request"][0].start)
    assert (Path(place.file).name, place.line) == ("2.yaml", 6)


def test_revisions_by_date(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()

    def write(name: str, dates: str, revision: str | None = None) -> None:
        text = GOOD.replace("policy: bad", "policy: shop").replace('revision: "1"', f'revision: "{revision or name}"')
        text = text.replace("parties:", f"effective: {{{dates}by: order.placed_at}}\nparties:", 1) if dates else text
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    library = Library((tmp_path,))
    write("a", "until: 2019-12-31, ")
    write("b", "from: 2020-01-01, ")
    policies = load_policies("shop", library=library)
    for moment, revision in (("2019-12-31T23:59:59.999999Z", "a"), ("2020-01-01T00:00:00Z", "b")):
        history = load_history({"order": {**ORDER, "placed_at": moment}, "events": []})
        assert choose_policy(policies, history, AS_OF, pinned=False).revision == revision
    assert load_policy("shop@a", library=library).revision == "a"
    with pytest.raises(InvalidPolicyError, match="has 2 revisions"):
        load_policy("shop", library=library)
    for dates, code in (
        ("from: 2019-12-31, ", "policy.overlap"),
        ("from: 2020-01-02, ", "policy.gap"),
        ("", "policy.no-dates"),
    ):
        write("b", dates)
        with pytest.raises(InvalidPolicyError) as refused:
            load_policies("shop", library=library)
        assert [d.code for d in refused.value.diagnostics] == [code]
    write("b", "from: 2020-01-01, ", revision="c")
    with pytest.raises(InvalidPolicyError, match=r"holds `shop@c`, its place says `shop@b`"):
        load_policies("shop", library=library)


def test_the_cache_is_believed_only_while_nothing_has_changed(tmp_path: Path) -> None:
    cache, path = tmp_path / "cache", tmp_path / "1.yaml"
    path.write_text(GOOD, encoding="utf-8")
    fresh = load_policy(path, cache=cache)
    [entry] = cache.iterdir()
    assert load_policy(path, cache=cache).definition == fresh.definition
    stored = entry.read_text(encoding="utf-8")
    for broken in (
        "",
        "{}",
        "[]",
        stored[:-40],
        stored.replace('"Rule"', '"Popen"'),
        json.dumps({"files": [], "policy": 5}),
    ):
        entry.write_text(broken, encoding="utf-8")
        assert load_policy(path, cache=cache).definition == fresh.definition
    path.write_text(GOOD.replace("5 days", "6 days"), encoding="utf-8")
    assert load_policy(path, cache=cache).digest != fresh.digest
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    assert load_policy(path, cache=blocked / "inside").id == "bad"


# -- histories -----------------------------------------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "x", "2020-01-01T00:00:00Z", "2020-01-01"])
)
NEAR_EVENTS = st.dictionaries(
    st.sampled_from(["time", "type", "id", "by", "data", "recorded_at", "dat", "x-y"]),
    SCALARS | st.just({}),
    max_size=5,
)
NEAR_HISTORIES = st.dictionaries(
    st.sampled_from(["order", "events", "title", "note", "evnts", "x-z"]),
    st.one_of(SCALARS, st.lists(NEAR_EVENTS, max_size=3), st.just({"id": "o"}), st.just({"id": 5}), st.just({})),
    max_size=4,
)


@given(NEAR_HISTORIES)
def test_the_quick_look_at_a_shape_never_takes_what_the_schema_does_not(data: dict[str, Any]) -> None:
    """A time that is no time is said later, in better words: the pattern in the schema is for editors."""
    if _has_shape(data):
        left = [
            error for error in schema_errors("history", data) if error.path[-1:] not in (("time",), ("recorded_at",))
        ]
        assert left == []


def test_a_history_from_a_mapping_takes_datetimes() -> None:
    moment = datetime(2020, 1, 2, tzinfo=UTC)
    history = load_history({"order": {"id": "o"}, "events": [{"time": moment, "type": "x"}]})
    assert history.events[0].time == Timestamp.of(moment)
    with pytest.raises(InvalidHistoryError):
        load_history({"order": {"id": "o"}, "events": [{"time": datetime(2020, 1, 2), "type": "x"}]})


def test_events_of_one_instant_stay_in_their_order() -> None:
    early, late = "2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00"
    events = [{"time": t, "type": n} for t, n in ((late, "a"), (early, "b"), ("2019-12-31T23:59:59.9999999Z", "c"))]
    assert [e.type for e in load_history({"order": {"id": "o"}, "events": events}).events] == ["c", "a", "b"]


def test_everything_that_is_wrong_with_an_order(tmp_path: Path) -> None:
    policy = load_policy(ROOT / "tests" / "cases" / "bad" / "policies" / "good.yaml")
    path = tmp_path / "h.yaml"
    path.write_text("order: {id: '7', placed_at: 2020-01-01, total: 40}\nevents: []\n", encoding="utf-8")
    with pytest.raises(InvalidHistoryError) as refused:
        policy.evaluate(load_history(path), as_of=AS_OF)
    said = [str(diagnostic) for diagnostic in refused.value.diagnostics]
    assert len(said) == 2
    assert all(text.startswith(f"{path}:1:8: error history.bad-order: order `7` does not fit") for text in said)
    path.write_text("order: {id: '7', placed_at: 2020-01-01T00:00:00Z, total: XYZ 40}\nevents: []\n", encoding="utf-8")
    with pytest.raises(InvalidHistoryError, match="`XYZ` is not a currency of ISO 4217"):
        policy.evaluate(load_history(path), as_of=AS_OF)


def test_events_before_the_opening_are_an_input_error() -> None:
    policy = load_policy(ROOT / "tests" / "cases" / "replay" / "refusals.yaml")
    event = {"time": "2019-12-31T23:59:59.999999Z", "type": "tick", "id": "early"}
    with pytest.raises(InvalidHistoryError, match=r"event early is at .* before the case opened"):
        policy.evaluate(load_history({"order": ORDER, "events": [event]}), as_of=AS_OF)
    policy.evaluate(load_history({"order": ORDER, "events": [{**event, "type": "noise"}]}), as_of=AS_OF)
    with pytest.raises(InvalidHistoryError, match="there was no case"):
        policy.evaluate(load_history({"order": ORDER, "events": []}), as_of=datetime(2019, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="without an offset"):
        policy.evaluate(load_history({"order": ORDER, "events": []}), as_of=datetime(2021, 1, 1))


def test_deep_data_and_half_characters_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    path.write_text('{"order": {"id": "o", "x": ' + "[" * 400 + "]" * 400 + '}, "events": []}', encoding="utf-8")
    with pytest.raises(InvalidHistoryError, match="nested more than 32 deep"):
        load_history(path)
    for bad in ('"\\ud800"', "1e999"):
        path.write_text('{"order": {"id": "o", "x": ' + bad + '}, "events": []}', encoding="utf-8")
        with pytest.raises(InvalidHistoryError):
            load_history(path)


def test_future_events_are_listed_and_change_nothing() -> None:
    policy = load_policy(ROOT / "tests" / "cases" / "replay" / "refusals.yaml")
    event = {"time": (AS_OF + timedelta(microseconds=1)).isoformat(), "type": "done", "id": "later"}
    found = policy.evaluate(load_history({"order": ORDER, "events": [event]}), as_of=AS_OF).to_dict()
    assert (found["status"], [e["id"] for e in found["future"]]) == ("open", ["later"])
