"""Money: an exact decimal in a currency, and the arithmetic that keeps it honest."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal

from policy_engine.cel.values import register_type
from policy_engine.source import EvaluationError
from policy_engine.source.diagnostic import did_you_mean
from policy_engine.source.frozen import frozen
from policy_engine.vocabulary.currencies import MINOR_DIGITS

__all__ = ["CONTEXT", "Money", "MoneyError", "exactly", "parse_decimal", "parse_money", "show_decimal"]

# IEEE 754 decimal128's precision: every amount and every product of an amount and a rate is exact in it.
CONTEXT = Context(
    prec=34,
    rounding=ROUND_HALF_EVEN,
    Emin=-6143,
    Emax=6144,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
_DECIMAL = r"(?a)[+-]?(?:\d{1,20}(?:\.\d{1,14})?|\.\d{1,14})"
_MONEY = r"(?a)([A-Za-z]{3}) (-?\d{1,18}(?:\.\d{1,14})?)"


class MoneyError(ValueError):
    """Text that is no amount of money; the message is for people."""


@frozen
class Money:
    """``currency`` is an ISO 4217 code; ``amount`` keeps the digits that a computation gave it."""

    currency: str
    amount: Decimal

    def __str__(self) -> str:
        digits = MINOR_DIGITS.get(self.currency, 2)
        exponent = self.amount.as_tuple().exponent
        if isinstance(exponent, int) and exponent > -digits:
            return f"{self.currency} {self.amount:.{digits}f}"
        return f"{self.currency} {self.amount:f}"

    @property
    def is_round(self) -> bool:
        """Whether the amount has no more digits than the currency's minor unit."""
        return self.rounded().amount == self.amount

    def rounded(self) -> Money:
        """To the currency's minor unit, half to even."""
        unit = Decimal(1).scaleb(-MINOR_DIGITS.get(self.currency, 2))
        return Money(self.currency, exactly(lambda: self.amount.quantize(unit, context=CONTEXT)))

    def same(self, other: Money) -> Decimal:
        """The other's amount. Raises EvaluationError where it is in another currency."""
        if other.currency != self.currency:
            raise EvaluationError(
                "money.mixed-currencies", f"{self} and {other} are in two currencies and are never converted"
            )
        return other.amount


def _equal(left: Money, right: Money) -> bool:
    return left.amount == left.same(right)


def show_decimal(value: Decimal) -> str:
    return f"{value:f}"


def exactly(compute: Callable[[], Decimal]) -> Decimal:
    """The result of a decimal computation; what decimals cannot hold becomes an evaluation error."""
    try:
        return compute()
    except decimal.DivisionByZero:
        raise EvaluationError("cel.division-by-zero", "division by zero") from None
    except decimal.DecimalException:
        raise EvaluationError("cel.overflow", "the result is out of range for a decimal") from None


def parse_decimal(text: str) -> Decimal:
    """Decimal digits, at most 20 before the point and 14 behind. Raises MoneyError."""
    if not re.fullmatch(_DECIMAL, text):
        raise MoneyError(f"`{text}` is not a decimal, like 0.15")
    return Decimal(text)


def parse_money(text: str) -> Money:
    """``USD 12.50``. Raises MoneyError, with what to write instead."""
    match = re.fullmatch(_MONEY, text)
    if match is None:
        raise MoneyError(f"`{text}` is not money: write a currency code, a space and the amount, like `USD 12.50`")
    currency, amount = match.groups()
    digits = MINOR_DIGITS.get(currency)
    if digits is None:
        hint = did_you_mean(currency.upper(), MINOR_DIGITS)
        raise MoneyError(f"`{currency}` is not a currency of ISO 4217{f' ({hint})' if hint else ''}")
    if len(amount.partition(".")[2]) > digits:
        raise MoneyError(f"`{text}` has more digits than {currency} has ({digits})")
    return Money(currency, Decimal(amount))


register_type(Money, "money", str, _equal)
register_type(Decimal, "decimal", show_decimal)
