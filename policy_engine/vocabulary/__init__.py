"""What rules about orders talk of beyond plain CEL: money, exact decimals, dates, periods on calendars.

Each is a host type registered with the expression room; `LIBRARY` is CEL's standard library with them.
"""

from policy_engine.vocabulary.data import read_record, read_value, to_plain
from policy_engine.vocabulary.functions import LIBRARY, Surroundings, plain_text
from policy_engine.vocabulary.money import Money, MoneyError, parse_decimal, parse_money

__all__ = [
    "LIBRARY",
    "Money",
    "MoneyError",
    "Surroundings",
    "parse_decimal",
    "parse_money",
    "plain_text",
    "read_record",
    "read_value",
    "to_plain",
]
