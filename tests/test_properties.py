"""The laws of replay, over random small policies and histories."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policy_engine import Evaluation, Event, History, Policy
from policy_engine.cel.values import Timestamp
from policy_engine.evaluating.replay import Replay, started
from policy_engine.evaluating.snapshot import restore, snapshot
from policy_engine.loading.schema import schema_errors
from policy_engine.model.codec import POLICY_CODEC
from tests.strategies import START, compiled, histories, moments, policies, policy_data


def plain(replay: Replay) -> dict[str, Any]:
    """Everything that a replay says and where its case stands."""
    return {
        "case": None if replay.case is None else snapshot(replay.case),
        "steps": replay.steps,
        "actions": replay.actions,
        "breaches": replay.breaches,
        "advice": replay.advice,
        "refused": replay.refused,
        "errors": replay.errors,
    }


def upto(history: History, end: Timestamp) -> list[Any]:
    return [event for event in history.events if event.time <= end]


@given(policies(), histories(), moments(), moments())
def test_a_prefix_and_then_the_rest_is_the_whole(
    policy: Policy, history: History, first: datetime, second: datetime
) -> None:
    middle, end = sorted((Timestamp.of(first), Timestamp.of(second)))
    before = [event for event in history.events if event.time < middle]
    after = [event for event in upto(history, end) if event.time >= middle]
    whole = started(policy.definition, history)
    whole.take(upto(history, end), end)
    parts = started(policy.definition, history)
    parts.take(before, middle)
    parts.take(after, end)
    assert plain(parts) == plain(whole)


@given(policies(), histories(), moments())
def test_advancing_twice_is_advancing_once(policy: Policy, history: History, moment: datetime) -> None:
    end = Timestamp.of(moment)
    once = started(policy.definition, history)
    once.take(upto(history, end), end)
    said = plain(once)
    once.advance(end)
    assert plain(once) == said


@given(policies(), histories(), moments())
def test_later_events_only_add_steps(policy: Policy, history: History, moment: datetime) -> None:
    """The steps of what came before an instant are a prefix of the steps with everything after it."""
    before = replace(history, events=tuple(e for e in history.events if e.time < Timestamp.of(moment)))
    short = policy.evaluate(before, as_of=moment)
    long = policy.evaluate(history, as_of=moment + timedelta(days=5))
    assert long.steps[: len(short.steps)] == short.steps
    assert long.actions[: len(short.actions)] == short.actions


@given(policies(), histories(), moments())
def test_a_refused_event_changes_nothing_else(policy: Policy, history: History, moment: datetime) -> None:
    whole = policy.evaluate(history, as_of=moment)
    assume(whole.refused)
    gone = whole.refused[0].event
    position = next(
        i
        for i, e in enumerate(history.events)
        if (e.time, e.type, e.id, e.data) == (gone.time, gone.type, gone.id, gone.data)
        and any(r.event.time == e.time for r in whole.refused)
    )
    # Of two equal events one may have been applied: take out the one that was refused.
    same = [e for e in history.events if (e.time, e.type, e.id, e.data) == (gone.time, gone.type, gone.id, gone.data)]
    assume(len(same) == 1)
    without = replace(history, events=history.events[:position] + history.events[position + 1 :])
    less = policy.evaluate(without, as_of=moment)
    expected, got = whole.to_dict(), less.to_dict()
    del expected["refused"][0]
    assert got == expected


@given(policies(), histories(), moments())
def test_snapshot_and_restore_change_nothing(policy: Policy, history: History, moment: datetime) -> None:
    middle = Timestamp.of(moment)
    end = Timestamp(middle + 10**15)
    through = started(policy.definition, history)
    through.take(upto(history, middle), middle)
    assume(through.case is not None)
    stored = json.loads(json.dumps(snapshot(through.case)))
    resumed = Replay(through.setting, case=restore(stored), errors=list(through.errors))
    steps = len(through.steps)
    rest = [event for event in history.events if event.time > middle]
    through.take(rest, end)
    resumed.take(rest, end)
    assert resumed.case == through.case
    assert resumed.steps == through.steps[steps:]


@given(policies(), histories(), st.integers(0, 9))
def test_what_comes_next_comes_then(policy: Policy, history: History, hour: int) -> None:
    """`next.at` is the first instant at which a deadline that is more than advice has lapsed."""
    states = {number: state.path for state in policy.definition.states for number in state.deadlines}
    musts = {(d.name, states[i]) for i, d in enumerate(policy.definition.deadlines) if d.level == "must"}

    def lapsed(evaluation: Evaluation) -> int:
        return sum((step.cause.get("deadline"), step.cause.get("state")) in musts for step in evaluation.steps)

    for moment in (START + timedelta(hours=hour), START + timedelta(hours=3 * hour, microseconds=1)):
        known = replace(history, events=tuple(upto(history, Timestamp.of(moment))))
        now = policy.evaluate(known, as_of=moment)
        if now.next is None or now.next.error is not None:
            continue
        just_before = policy.evaluate(known, as_of=Timestamp(now.next.at - 1000))
        then = policy.evaluate(known, as_of=now.next.at)
        assert lapsed(just_before) == lapsed(now)
        assert lapsed(then) > lapsed(now)


@settings(max_examples=30)
@given(policies(), histories(), st.integers(0, 6))
def test_what_is_permitted_is_taken_at_both_ends_and_not_beyond(policy: Policy, history: History, hour: int) -> None:
    """For every window without conditions: an event at its ends is applied, and no permission says so wrongly."""
    moment = START + timedelta(hours=hour)
    known = replace(history, events=tuple(upto(history, Timestamp.of(moment))))
    now = policy.evaluate(known, as_of=moment)
    clear = [p for p in now.permitted if not p.conditions and p.error is None]
    for permission in clear[:4]:
        first = max(permission.opens or now.as_of, now.as_of)
        last = permission.closes or Timestamp(first + 10**13)
        for time in (first, last):
            if policy.evaluate(known, as_of=Timestamp(time)).steps != now.steps:
                continue  # a lapse in between may have changed what the guard reads
            event = Event(Timestamp(time), permission.event, permission.by, "probe", {"n": 3})
            then = policy.evaluate(replace(known, events=(*known.events, event)), as_of=Timestamp(time))
            if then.status != "failed":
                assert [r.code for r in then.refused[len(now.refused) :]] == [], (permission, time)
    # Where nothing permits an event now, it is refused now, unless a guard decides.
    for name, declared in policy.definition.events.items():
        for by in declared.by:
            windows = [p for p in now.permitted if (p.event, p.by) == (name, by)]
            if any(p.conditions or p.error for p in windows) or now.status == "failed":
                continue
            inside = any(
                (p.opens is None or p.opens <= now.as_of) and (p.closes is None or now.as_of <= p.closes)
                for p in windows
            )
            event = Event(now.as_of, name, by, "probe", {"n": 3})
            then = policy.evaluate(replace(known, events=(*known.events, event)), as_of=now.as_of)
            if then.status != "failed":
                assert (len(then.refused) > len(now.refused)) is not inside, (name, by, windows)


@given(policies(), histories(), moments())
def test_an_evaluation_has_the_published_shape_and_the_same_bytes(
    policy: Policy, history: History, moment: datetime
) -> None:
    first = policy.evaluate(history, as_of=moment).to_dict()
    again = policy.evaluate(history, as_of=moment).to_dict()
    assert json.dumps(first) == json.dumps(again)
    assert schema_errors("evaluation", json.loads(json.dumps(first))) == []
    assert len({action["id"] for action in first["actions"]}) == len(first["actions"])


@given(policies())
def test_a_policy_survives_its_encoding(policy: Policy) -> None:
    stored = json.loads(json.dumps(POLICY_CODEC.encode(policy.definition)))
    assert POLICY_CODEC.decode(stored) == policy.definition


@given(policy_data(), histories(), moments(), st.randoms(use_true_random=False))
def test_the_order_of_keys_says_nothing(data: dict[str, Any], history: History, moment: datetime, random: Any) -> None:
    """Shuffled keys give the same steps. (States and deadlines keep theirs: at one instant the file's order counts.)"""

    def shuffled(value: Any, key: str = "") -> Any:
        if isinstance(value, list):
            return [shuffled(item) for item in value]
        if not isinstance(value, dict):
            return value
        items = list(value.items())
        if key not in ("states", "deadlines"):
            ordered = [item for item in items if item[0] in ("states", "deadlines")]
            others = [item for item in items if item[0] not in ("states", "deadlines")]
            random.shuffle(others)
            items = others + ordered
        return {k: shuffled(v, k) for k, v in items}

    first = compiled(data).evaluate(history, as_of=moment)
    second = compiled(shuffled(data)).evaluate(history, as_of=moment)
    assert second.steps == first.steps
    assert second.status == first.status
