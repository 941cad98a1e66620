"""Tell what many evaluations came to, as Markdown tables on standard output.

    python examples/olist/tabulate.py < evaluations.jsonl

Reads what `policy-engine evaluate --format json` prints for several histories: one evaluation a line.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Evaluation = dict[str, Any]

ALL = ("all", "", "")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")


def main() -> None:
    """Read evaluations from standard input and print the report."""
    print(report(json.loads(line) for line in sys.stdin if line.strip()))


@dataclass
class Tally:
    """Cases that ended alike, and the money in them."""

    histories: int = 0
    paid: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    released: Decimal = Decimal(0)

    def add(self, paid: Decimal, refunded: Decimal, released: Decimal) -> None:
        self.histories += 1
        self.paid += paid
        self.refunded += refunded
        self.released += released

    def cells(self) -> list[str]:
        return [f"{self.histories:,}", f"{self.paid:,.2f}", f"{self.refunded:,.2f}", f"{self.released:,.2f}"]


def report(evaluations: Iterable[Evaluation]) -> str:
    """Outcomes with the money moved, whether closed cases gave out what was paid, and the refused events.

    Amounts are added up by number: all orders are taken to be in one currency.
    """
    tallies: defaultdict[tuple[str, str, str], Tally] = defaultdict(Tally)
    refusals: Counter[tuple[str, str, str]] = Counter()
    closed = kept = 0
    for evaluation in evaluations:
        money = (amount(evaluation["order"]["total"]), moved(evaluation, "refund"), moved(evaluation, "release"))
        for case in ((evaluation["status"], evaluation["outcome"] or "", evaluation["state"]), ALL):
            tallies[case].add(*money)
        if evaluation["status"] == "closed":
            closed += 1
            kept += conserves(evaluation)
        for refusal in evaluation["refused"]:
            refusals[refusal["event"]["type"], refusal["code"], INSTANT.sub("…", refusal["reason"])] += 1

    cases = sorted(tallies, key=lambda case: (case == ALL, -tallies[case].histories, case))
    outcomes = [[*case, *tallies[case].cells()] for case in cases]
    refused = [[*key, f"{count:,}"] for key, count in sorted(refusals.items(), key=lambda item: (-item[1], item[0]))]
    heads = ["status", "outcome", "state", "histories", "paid", "refunded", "released"]
    parts = [
        table(heads, outcomes, 3),
        f"Of {closed:,} closed cases, refund and release together are what was paid in {kept:,}.",
        table(["refused event", "code", "reason", "events"], refused, 3),
    ]
    return "\n\n".join(parts)


def conserves(evaluation: Evaluation) -> bool:
    """Whether refund and release together are the order's total."""
    paid_out = moved(evaluation, "refund") + moved(evaluation, "release")
    return paid_out == amount(evaluation["order"]["total"])


def moved(evaluation: Evaluation, name: str) -> Decimal:
    """How much the actions of a name moved."""
    return sum((amount(a["data"]["amount"]) for a in evaluation["actions"] if a["name"] == name), Decimal(0))


def amount(money: str) -> Decimal:
    """The number of an amount like `BRL 12.34`."""
    return Decimal(money.partition(" ")[2])


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> str:
    """A Markdown table; columns from ``words`` on hold numbers and stand to the right."""
    rules = ["---" if index < words else "---:" for index in range(len(heads))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rules, *rows))


if __name__ == "__main__":
    main()
