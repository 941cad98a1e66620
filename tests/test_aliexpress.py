"""The shipped policy over random histories: money is conserved, whatever the parties do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_engine import Policy, load_history, load_policy
from policy_engine.vocabulary import parse_money

START = datetime(2014, 3, 1, 8, tzinfo=UTC)
READINGS = ["calendar_days", "first_filing_ever", "silence_starts_return", "no_escalation_in_transit"]
POLICIES: dict[str, Policy] = {}
REASONS = ["goods_in_transit", "not_received", "not_as_described", "damaged", "other"]


def policy_of(reading: str | None) -> Policy:
    if str(reading) not in POLICIES:
        POLICIES[str(reading)] = load_policy("aliexpress@2012", readings=[reading] if reading else [])
    return POLICIES[str(reading)]


AMOUNTS = st.sampled_from(["USD 0", "USD 0.01", "USD 12.50", "USD 39.99", "USD 40", "USD 40.01", "EUR 5"])
CLAIMS = st.fixed_dictionaries({"amount": AMOUNTS, "reason": st.sampled_from(REASONS), "with_return": st.booleans()})
NOTHING = st.just({})
EVENTS: dict[str, tuple[list[str], st.SearchStrategy[dict[str, Any]]]] = {
    "shipped": (["seller"], st.fixed_dictionaries({"complete": st.booleans()})),
    "receipt_confirmed": (["buyer"], NOTHING),
    "refund_requested": (["buyer"], CLAIMS),
    "request_modified": (["buyer"], CLAIMS),
    "request_cancelled": (["buyer"], NOTHING),
    "request_accepted": (["seller"], NOTHING),
    "request_rejected": (["seller"], NOTHING),
    "offer_made": (["seller"], st.fixed_dictionaries({"amount": AMOUNTS, "with_return": st.booleans()})),
    "offer_accepted": (["buyer"], NOTHING),
    "evidence_submitted": (["buyer", "seller"], NOTHING),
    "ruling_requested": (["buyer", "seller"], NOTHING),
    "intervened": (["platform"], NOTHING),
    "ruled": (["platform"], st.fixed_dictionaries({"refund": AMOUNTS, "seller_at_fault": st.booleans()})),
    "return_shipped": (["buyer"], NOTHING),
    "return_received": (["seller"], NOTHING),
    "message_sent": (["buyer", "seller"], NOTHING),
    "feedback_left": (["buyer"], st.just({"stars": 1})),
}
# A case is brought on its way, so that random events meet more than its beginning.
OPENINGS = [
    [],
    [("shipped", 1)],
    [("shipped", 1), ("refund_requested", 7)],
    [("shipped", 1), ("refund_requested", 7), ("request_rejected", 8)],
    [("shipped", 1), ("refund_requested", 7), ("request_rejected", 8), ("ruling_requested", 9)],
    [("shipped", 1), ("refund_requested", 7), ("request_accepted", 8), ("return_shipped", 9)],
]


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    found = []
    for name, day in draw(st.sampled_from(OPENINGS)):
        data = {"amount": "USD 12.50", "reason": draw(st.sampled_from(REASONS)), "with_return": draw(st.booleans())}
        time = START + timedelta(days=day)
        found.append(
            {
                "time": time.isoformat(),
                "type": name,
                "by": EVENTS[name][0][0],
                "data": data if "request" in name else {},
            }
        )
    hour = 24 * 9
    for _ in range(draw(st.integers(0, 8))):
        hour += draw(st.sampled_from([0, 1, 24, 24 * 5, 24 * 10, 24 * 15, 24 * 30]))
        name = draw(st.sampled_from(sorted(EVENTS)))
        by, data = EVENTS[name]
        time = START + timedelta(hours=hour, microseconds=draw(st.sampled_from([0, 0, 1])))
        found.append({"time": time.isoformat(), "type": name, "by": draw(st.sampled_from(by)), "data": draw(data)})
    total = draw(st.sampled_from(["USD 40", "USD 0", "USD 12.50"]))
    limit = draw(st.sampled_from(["3 days", "5 days", "27 days"]))
    return {
        "order": {"id": "o", "placed_at": START.isoformat(), "total": total, "delivery_limit": limit},
        "events": found,
    }


@given(histories(), st.sampled_from([None, *READINGS]))
def test_money_is_conserved(data: dict[str, Any], reading: str | None) -> None:
    found = policy_of(reading).evaluate(load_history(data), as_of=START + timedelta(days=400))
    assert found.status != "failed", found.errors
    total = parse_money(data["order"]["total"]).amount
    paid = [action.data["amount"].amount for action in found.actions if action.name in ("refund", "release")]
    assert all(amount > 0 for amount in paid), "zero amounts emit nothing"
    assert sum(paid) == (total if found.status == "closed" else 0)
    assert all(action.cites for action in found.actions)
    assert found.state in {
        "awaiting_shipment", "shipped", "dispute.awaiting_seller", "dispute.rejected", "ruling",
        "returning.awaiting_return", "returning.awaiting_receipt", "refunded", "completed", "ruled",
    }  # fmt: skip


@pytest.mark.parametrize("reading", [None, *READINGS])
def test_a_dispute_never_stays_open_for_want_of_an_answer(reading: str | None) -> None:
    """If nobody acts, every state from the first request on leads on, but the ruling, which waits for the platform."""
    for opening in OPENINGS[2:]:
        events = [
            {"time": (START + timedelta(days=day)).isoformat(), "type": name, "by": EVENTS[name][0][0],
             "data": {"amount": "USD 12.50", "reason": "damaged", "with_return": True} if name == "refund_requested" else {}}
            for name, day in opening
        ]  # fmt: skip
        order = {"id": "o", "placed_at": START.isoformat(), "total": "USD 40", "delivery_limit": "27 days"}
        found = policy_of(reading).evaluate(
            load_history({"order": order, "events": events}), as_of=START + timedelta(days=400)
        )
        assert found.status == "closed" or found.state == "ruling"
        if found.state == "ruling":
            assert [breach.party for breach in found.breaches] == ["platform"]
