"""One text as a number, as people, banks, spreadsheets and laboratories write them; what it leaves open is kept open.

pandas reads a cell only as Python writes it (or with one decimal mark for a whole file), so this grammar is ours.
"""

import re
from typing import NamedTuple

LONGEST = 64  # signs of a text that may be a number
_SCALES = {
    **dict.fromkeys(("k", "K", "tsd", "thousand"), 1e3),
    **dict.fromkeys(("lac", "lacs", "lakh", "lakhs"), 1e5),
    **dict.fromkeys(("M", "MM", "mn", "mio", "mln", "mill", "million", "millions"), 1e6),
    **dict.fromkeys(("cr", "crore", "crores"), 1e7),
    **dict.fromkeys(("B", "G", "bn", "bil", "billion", "billions", "mrd"), 1e9),
    "T": 1e12,
}
_SAME = str.maketrans(  # signs that look alike, and the blanks that part thousands
    {
        **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\ufe63\uff0d", "-"),
        **dict.fromkeys("\xa0\u202f\u2009\u2007\u2008\u200a\t", " "),
        **dict.fromkeys("\u2019\u2018\u02bc\u00b4`", "'"),
        **dict.fromkeys("\u200b\u200e\u200f\u2066\u2067\u2068\u2069\ufeff", ""),
    }
)
_SYMBOL = "[$€£¥₹₽₩₺₴₦฿₫₱₪]"
_CODE = (
    "USD|EUR|GBP|JPY|CHF|CNY|RMB|INR|AUD|CAD|NZD|HKD|SGD|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|RUB|UAH|BRL|MXN|ARS|CLP|COP|ZAR"
    "|NGN|KES|EGP|ILS|SAR|AED|THB|VND|IDR|MYR|PHP|KRW|TWD|PKR|BDT"
)
_CURRENCY = rf"{_SYMBOL}|[A-Z]{{1,2}}[$£]|{_CODE}|kr\.?|Kč|zł|Ft|Rs\.?|Fr\.?"
_SCALE = f"(?i:{'|'.join(sorted(filter(lambda word: len(word) > 1, _SCALES), key=len, reverse=True))})|[kKMBGT]"
_WORD = r"[°µμ]?[^\W\d_][^\W_]*\.?"
_UNIT = rf"[%‰°]|[*!]{{1,2}}|(?:{_SYMBOL}|{_WORD})(?:\s?[/^*·.-]\s?[^\W_]+|\s{_WORD})*"
_CELL = re.compile(
    rf"""(?P<bound>(?:[<>≤≥~≈]=?|(?i:ca|approx)\.?)\s*)?
    (?:(?P<outer>{_CURRENCY})\s*(?=\())?
    (?P<open>\(\s*)?
    (?P<sign>[+-]\s*)?
    (?:(?P<before>{_CURRENCY})\s*)?
    (?P<inner>[+-]\s*)?
    (?P<digits>\d+(?:[.,' ]\d+)*[.,]?|[.,]\d+)
    (?P<exponent>[eE][+-]?\d+)?
    (?:\s*(?P<over>\+))?
    (?:\s*(?P<scale>{_SCALE})\.?(?![^\W_]))?
    (?:\s*(?P<after>{_UNIT}))?
    (?P<close>\s*\))?
    (?P<trailing>\s*-)?""",
    re.VERBOSE,
)


class _Found(NamedTuple):
    """The groups of _CELL."""

    digits: str
    bound: str | None
    outer: str | None
    open: str | None
    sign: str | None
    before: str | None
    inner: str | None
    exponent: str | None
    over: str | None
    scale: str | None
    after: str | None
    close: str | None
    trailing: str | None


_GROUPED = re.compile(r"[1-9]\d{0,2}(?:[.,' ]\d{2,3})*[.,' ]\d{3}|0")  # 1,234,567 and India's 12,34,567


class Cell(NamedTuple):
    """A text that is a number in some style. digits: as written. decimal: their mark where this text alone shows it,
    "" where either mark would do ("1,234"), None where there is neither. scale: what k, Mio. and the like multiply by.
    unit: what else stood beside it, in one spelling. bound: such as <, or + behind it. odd_minus: told by brackets or
    a minus behind it.
    """

    digits: str
    decimal: str | None
    negative: bool = False
    exponent: str = ""
    scale: float = 1.0
    unit: str = ""
    bound: str = ""
    odd_minus: bool = False

    def value(self, mark: str) -> float:
        """The number, where what is open has this decimal mark; NaN beyond every float."""
        decimal = self.decimal or mark
        plain = self.digits.replace(" ", "").replace("'", "").replace(",."[decimal == ","], "").replace(",", ".")
        try:
            size = float(f"{plain}{self.exponent}") * self.scale
        except (ValueError, OverflowError):
            return float("nan")
        return -size if self.negative else size

    def separators(self, mark: str) -> set[str]:
        """The signs between thousands."""
        decimal = self.decimal or mark
        return {sign for sign in self.digits if not sign.isdecimal() and sign != decimal}


def parse(text: str) -> Cell | None:
    """The number in a text, if it is one with at most a sign, a currency or unit, brackets, and a bound such as <.

    >>> parse("-1.234,50 €")
    Cell(digits='1.234,50', decimal=',', negative=True, exponent='', scale=1.0, unit='€', bound='', odd_minus=False)
    >>> parse("12/13") is None, parse("0,125").decimal, parse("1,234").decimal, parse("1 234").decimal
    (True, ',', '', None)
    """
    match = _CELL.fullmatch(text.translate(_SAME).strip()) if len(text) <= LONGEST else None
    if match is None:
        return None
    found = _Found(**match.groupdict())
    digits, units = found.digits, [unit for unit in (found.outer, found.before, found.after) if unit]
    trailing = found.trailing is not None and digits[-1] not in ".,"  # 99,- is a price without cents
    opened = found.open is not None
    signs = [sign.strip() for sign in (found.sign, found.inner) if sign] + ["-"] * trailing
    grade = trailing and digits.isdecimal() and len(digits) < 3  # 2- is one
    decimal = _decimal(digits)
    if opened != (found.close is not None) or len(units) > 1 or len(signs) > 1 or grade or decimal == "no":
        return None
    return Cell(
        digits,
        decimal,
        opened != ("-" in signs),
        found.exponent or "",
        _scale(found.scale or ""),
        _unit(units[0]) if units else "",
        _bound(found.bound or found.over or ""),
        opened or trailing,
    )


def is_currency(unit: str) -> bool:
    """Whether a unit is an amount of money's."""
    return re.fullmatch(_CURRENCY, unit.upper()) is not None or unit in ("kr", "kč", "zł", "ft", "rs", "fr")


def _scale(text: str) -> float:
    return _SCALES.get(text, _SCALES.get(text.casefold(), 1.0))


def _unit(text: str) -> str:
    """One spelling of a unit: years is year, KG is kg."""
    lower = " ".join(text.casefold().split()).rstrip(".")
    return lower.removesuffix("s") if len(lower) > 3 else lower


def _bound(text: str) -> str:
    short = text.strip()
    return {"≤": "<=", "≥": ">="}.get(short, short if short in ("<", "<=", ">", ">=", "+") else "~" if short else "")


def _decimal(digits: str) -> str | None:
    """The decimal mark that digits show; "" where . or , could be either, None where there is neither, "no" where they
    are no number.
    """
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return None if digits.isdecimal() or _GROUPED.fullmatch(digits) else "no"
    mark, other = digits[last], ",."[digits[last] == ","]
    head, tail = digits[:last], digits[last + 1 :]
    if mark in head:  # twice: it parts thousands, and so it is not the decimal one
        one_kind = other not in digits and " " not in digits and "'" not in digits
        return other if one_kind and _GROUPED.fullmatch(digits) else "no"
    if other in head or " " in head or "'" in head:
        separators = {sign for sign in head if not sign.isdecimal()}
        return mark if len(separators) == 1 and _GROUPED.fullmatch(head) and (tail.isdecimal() or not tail) else "no"
    return "" if len(tail) == 3 and _GROUPED.fullmatch(digits) else mark
