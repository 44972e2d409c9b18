"""Numbers as people type them."""

from decimal import Decimal

from focalbench.errors import InputError

HUNDREDTHS = {"%": 100, "‰": 1000}


def read_share(option: str, text: str) -> float:
    """A share as people write it. Raises InputError where it could mean anything else.

    >>> read_share("--pos-rate", "0.0015"), read_share("--pos-rate", "0,15 %"), read_share("--pos-rate", "15/10 000")
    (0.0015, 0.0015, 0.0015)
    """
    plain = "".join(text.split())
    try:
        return float(_fraction(plain) if "/" in plain else _decimal(plain))
    except (ArithmeticError, ValueError):
        raise InputError(f"{option} takes one share, such as 0.0015, 0.15% or 15/10000, got {text!r}") from None


def _fraction(text: str) -> Decimal:
    counts = text.split("/")
    if len(counts) != 2 or not all(count.isdecimal() for count in counts):  # 1/10.000 and 1/10,000 are either
        raise ValueError
    return Decimal(counts[0]) / Decimal(counts[1])


def _decimal(text: str) -> Decimal:
    """A comma is a decimal comma: what stands before it is no share by itself, so this is no list."""
    unit = HUNDREDTHS.get(text[-1:])
    number = (text[:-1] if unit else text).replace(",", ".")
    return Decimal(number) / unit if unit else Decimal(number)


def read_number(option: str, text: str) -> float:
    """A number of an option that may be repeated. Raises InputError for anything else."""
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{option} takes one number, such as 0.003, got {text!r}; repeat it for several") from None
