"""Tell what many evaluations came to, as Markdown tables on standard output.

    python examples/olist/tabulate.py < evaluations.jsonl

Reads what `policy-engine evaluate --format json` prints for several histories: one evaluation a line.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

Evaluation = dict[str, Any]

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")


def main() -> None:
    """Read evaluations from standard input and print the report."""
    print(report(json.loads(line) for line in sys.stdin if line.strip()))


def report(evaluations: Iterable[Evaluation]) -> str:
    """Outcomes with the money moved, whether closed cases gave out what was paid, and the refused events."""
    histories: Counter[tuple[str, str, str]] = Counter()
    sums: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    refusals: Counter[tuple[str, str, str]] = Counter()
    closed = kept = 0
    for evaluation in evaluations:
        case = (evaluation["status"], evaluation["outcome"] or "", evaluation["state"])
        histories[case] += 1
        sums[case]["total"] += amount(evaluation["order"]["total"])  # type: ignore[assignment]
        for name in ("refund", "release"):
            sums[case][name] += moved(evaluation, name)  # type: ignore[assignment]
        if evaluation["status"] == "closed":
            closed += 1
            kept += conserves(evaluation)
        for refusal in evaluation["refused"]:
            refusals[refusal["event"]["type"], refusal["code"], INSTANT.sub("…", refusal["reason"])] += 1

    cases = sorted(histories, key=lambda case: (-histories[case], case))
    outcomes = [
        [*case, f"{histories[case]:,}", *(f"{sums[case][name]:,.2f}" for name in ("total", "refund", "release"))]
        for case in cases
    ]
    every = [f"{sum(sums[case][name] for case in cases):,.2f}" for name in ("total", "refund", "release")]
    outcomes.append(["all", "", "", f"{histories.total():,}", *every])
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
