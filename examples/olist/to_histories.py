"""Turn Olist's orders into event histories, one JSON object a line on standard output.

    python examples/olist/to_histories.py FOLDER

The README beside this file states what each column is read as, and why. The order of the output is that of the
orders file, and the same files give the same bytes. What had to be put right is counted on standard error.
"""

import argparse
import csv
import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, str]
History = dict[str, Any]

# The files name no zone. Brazil's standard time, all year: when a clock was put forward is not told either.
BRAZIL = timezone(timedelta(hours=-3))
HOUR = timedelta(hours=1)

# "Not received, not arrived, not delivered", in folded text (lower case, no accents, single spaces): a word for
# not, small words, the verb. What follows must not say that something other than the goods was missing (an answer,
# the money, the invoice), or that the goods came, but late or otherwise than agreed.
NOT_RECEIVED = re.compile(
    r"\b(?:nao|n|nunca) "
    r"(?:(?:o|os|a|as|me|nos|foi|foram|ter|tinha|ainda) )*"
    r"(?:recebi|recebemos|recebid[oa]s?|chegou|chegaram|entregues?|entregou|entregaram)\b"
    r"(?! (?:ainda )?(?:nenhum|nenhuma|qualquer|resposta|retorno|contato|(?:a )?nota|conforme|como"
    r"|(?:o |o meu |meu )?(?:reembolso|estorno|ressarcimento|dinheiro)|(?:no|na|dentro do) (?:prazo|data))\b)"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the histories of a folder to standard output, and what was put right to standard error."""
    parser = argparse.ArgumentParser(description="Turn Olist's orders into event histories (JSON Lines).")
    parser.add_argument("folder", type=Path, help="where the olist_*_dataset.csv files are")
    folder = parser.parse_args(arguments).folder
    for name in ("orders", "order_payments", "order_reviews"):
        if not _file(folder, name).is_file():
            parser.error(f"there is no {_file(folder, name)}")
    counts: Counter[str] = Counter()
    for history in histories(folder):
        print(json.dumps(history))
        counts["orders"] += 1
        counts["events"] += len(history["events"])
        counts["hand-overs moved to the purchase"] += sum("x-olist-time" in event for event in history["events"])
        counts["reviews left out, answered before the purchase"] += len(history.get("x-left-out", ()))
    for what, count in counts.items():
        print(f"{count:>7,} {what}", file=sys.stderr)


def histories(folder: Path) -> Iterator[History]:
    """The histories of a folder, in the order of the orders file."""
    payments: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in _rows(folder, "order_payments"):
        payments[row["order_id"]] += Decimal(row["payment_value"])
    reviews: defaultdict[str, list[Row]] = defaultdict(list)
    for row in _rows(folder, "order_reviews"):
        reviews[row["order_id"]].append(row)
    for row in _rows(folder, "orders"):
        yield history_of(row, payments[row["order_id"]], reviews[row["order_id"]])


def history_of(order: Row, total: Decimal, reviews: Sequence[Row]) -> History:
    """The history of one order; ``total`` is what was paid, ``reviews`` are its rows in any order.

    Its events are in order of time. At one instant a hand-over comes first; of one review the request or the
    receipt comes before the feedback.
    """
    placed = _time(order["order_purchase_timestamp"])
    approved = _optional_time(order["order_approved_at"])
    handed_over = _optional_time(order["order_delivered_carrier_date"])
    delivered = _optional_time(order["order_delivered_customer_date"])

    events: list[dict[str, Any]] = []
    if handed_over is not None:
        shipped = _event("shipped", max(handed_over, placed), "shipped", "seller")
        if handed_over < placed:
            shipped["x-olist-time"] = handed_over.isoformat()
        events.append(shipped)

    left_out: list[dict[str, str]] = []
    received = False
    for review in sorted(reviews, key=lambda row: (row["review_answer_timestamp"], row["review_id"])):
        answered = _time(review["review_answer_timestamp"])
        if answered < placed:
            left_out.append({"review": review["review_id"], "time": answered.isoformat()})
            continue
        stars = int(review["review_score"])
        missing = says_not_received(review)
        if stars <= 2 and missing:
            claim = {"amount": _money(total), "reason": "not_received"}
            events.append(_event(f"{review['review_id']}-request", answered, "refund_requested", "buyer", claim))
        if stars >= 4 and not missing and not received and delivered is not None and delivered <= answered:
            events.append(_event(f"{review['review_id']}-receipt", answered, "receipt_confirmed", "buyer"))
            received = True
        feedback = {"stars": stars}
        events.append(_event(f"{review['review_id']}-feedback", answered, "feedback_left", "buyer", feedback))
    events.sort(key=lambda event: str(event["time"]))

    history: History = {
        "order": {
            "id": order["order_id"],
            "placed_at": placed.isoformat(),
            "total": _money(total),
            "delivery_limit": delivery_limit(
                max(handed_over or approved or placed, placed), _time(order["order_estimated_delivery_date"])
            ),
        },
        "events": events,
    }
    if left_out:
        history["x-left-out"] = left_out
    return history


def delivery_limit(start: datetime, promised: datetime) -> str:
    """The time from ``start`` to the end of the promised day, in hours begun; `0 days` where that day is over."""
    end = datetime.combine(promised.date() + timedelta(days=1), datetime.min.time(), BRAZIL)
    hours = -((start - end) // HOUR)
    if hours <= 0:
        return "0 days"
    return f"{hours} hour{'' if hours == 1 else 's'}"


def says_not_received(review: Row) -> bool:
    """Whether the title or the text of a review says that the goods did not come."""
    text = f"{review['review_comment_title']} . {review['review_comment_message']}"
    letters = (c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return NOT_RECEIVED.search(" ".join("".join(letters).split())) is not None


def _file(folder: Path, name: str) -> Path:
    return folder / f"olist_{name}_dataset.csv"


def _rows(folder: Path, name: str) -> Iterator[Row]:
    with _file(folder, name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _event(key: str, time: datetime, kind: str, by: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    event = {"id": key, "time": time.isoformat(), "type": kind, "by": by}
    return event if data is None else {**event, "data": data}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BRAZIL)


def _optional_time(text: str) -> datetime | None:
    return _time(text) if text else None


def _money(amount: Decimal) -> str:
    return f"BRL {amount:.2f}"


if __name__ == "__main__":
    main()
