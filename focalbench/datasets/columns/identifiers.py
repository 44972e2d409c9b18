"""Columns that say whose a row is: rows of one person in two splits would make every model look better than it is."""

import re
from collections.abc import Sequence

from focalbench.datasets.tables.table import ColumnReading

_MANY = 20  # values: fewer are kinds rather than persons
_REPEATED = 1.05  # rows a value, on average: fewer, and nearly every row stands for itself
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")  # of customer_id, CustomerID and customer-Id
_IDS = frozenset(("id", "ids", "uid", "uuid", "guid", "nr", "no", "num", "number", "key", "code", "hash", "ref"))
_SURE = frozenset(("id", "uid", "uuid", "guid"))
_OWNERS = frozenset(
    (
        *("patient", "person", "subject", "participant", "customer", "client", "user", "member", "employee", "student"),
        *("household", "family", "account", "card", "device", "session", "machine", "loan", "policy", "vehicle"),
        *("author", "driver", "owner", "borrower", "applicant", "kunde", "kunden", "patienten", "konto"),
    )
)


def may_be_groups(columns: Sequence[ColumnReading], rows: int) -> list[str]:
    """The columns of a table of so many rows that are named like an identifier, of many values that repeat."""
    return [
        column.name
        for column in columns
        if column.read_as in ("number", "category")
        and _MANY <= column.distinct <= rows / _REPEATED
        and is_identifier(column.name)
    ]


def is_identifier(name: str) -> bool:
    """Whether a column's name is that of an identifier of persons or things.

    >>> [is_identifier(name) for name in ("patient_id", "CustomerID", "card", "account number", "SubjectNo")]
    [True, True, True, True, True]
    >>> [is_identifier(name) for name in ("paid", "account_balance", "card_type", "zip code", "number", "acid")]
    [False, False, False, False, False, False]
    """
    words = [word.casefold() for word in _WORDS.findall(name)]
    if not words:
        return False
    *before, last = words
    owned = any(word in _OWNERS or word.removesuffix("s") in _OWNERS for word in before)
    return last in _SURE or (last in _IDS and owned) or (last in _OWNERS and not before)
