"""Texts that a person would call numbers, as people, banks, spreadsheets and laboratories write them.

One column has one reading, taken from all of its cells: the decimal mark, the mark that groups thousands, a unit, and
the texts that stand for a missing value. pandas reads a cell only as Python writes it (or with one decimal mark for
a whole file), so this is ours. Nothing is guessed from a single cell: what a column leaves open is asked of the file.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from focalbench.datasets.dataset import Floats

Decimal = Literal[".", ","]
MISSING = frozenset(  # texts for a missing value, case and blanks apart; any one other repeated text may be one as well
    (
        *("", "-", "--", "---", ".", "..", "...", "…", "?", "??", "\\n"),
        *("na", "n/a", "n.a.", "n.a", "<na>", "nan", "null", "(null)", "none", "nil", "void", "blank", "(blank)"),
        *("#n/a", "#na", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#error!"),
        *("unknown", "unk", "missing", "not available", "not applicable", "not done", "not recorded"),
        *("n.d.", "nd", "n/d", "n. d.", "s/d", "s.d.", "k.a.", "k. a.", "k.a", "o.a."),
    )
)
LOST = 0.05  # of the cells: at most so many that are no numbers leave a column of numbers
LONGEST = 64  # signs of a text that may be a number
_MAGNITUDES = {"K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
_NOT_A_NUMBER = ("nan", "+nan", "-nan")
_SPELLED = {"k": "K", "mn": "M", "mio": "M", "Mio": "M", "Mn": "M", "bn": "B", "Bn": "B", "Mrd": "B"}
_SAME = str.maketrans(  # signs that look alike, and the blanks that part thousands
    {
        **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d", "-"),
        **dict.fromkeys("\xa0\u202f\u2009\u2007\u2008\u200a\t", " "),
        **dict.fromkeys("\u2019\u2018\u02bc\u00b4`", "'"),
        **dict.fromkeys("\u200e\u200f\u2066\u2067\u2068\u2069\ufeff", ""),
    }
)
_SYMBOL = "[$€£¥₹₽₩₺₴₦฿₫₱₪]"
_CODE = (
    "USD|EUR|GBP|JPY|CHF|CNY|RMB|INR|AUD|CAD|NZD|HKD|SGD|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|RUB|UAH|BRL|MXN|ARS|CLP|COP|ZAR"
    "|NGN|KES|EGP|ILS|SAR|AED|THB|VND|IDR|MYR|PHP|KRW|TWD|PKR|BDT"
)
_CURRENCY = rf"{_SYMBOL}|[A-Z]{{1,2}}[$£]|{_CODE}|kr\.?|Kč|zł|Ft|Rs\.?|Fr\.?"
_UNIT = rf"[%‰]|{_SYMBOL}|[°µμ]?[^\W\d_][^\W_]*\.?(?:[/^*·.-][^\W_]+)*"
_CELL = re.compile(
    rf"""(?P<bound>[<>≤≥~≈]=?\s*)?
    (?P<open>\(\s*)?
    (?P<sign>[+-]\s*)?
    (?:(?P<before>{_CURRENCY})\s*)?
    (?P<inner>[+-]\s*)?
    (?P<digits>\d+(?:[.,' ]\d+)*[.,]?|[.,]\d+)
    (?P<exponent>[eE][+-]?\d+)?
    (?:\s*(?P<over>\+))?
    (?:\s*(?P<after>{_UNIT}))?
    (?P<close>\s*\))?
    (?P<trailing>\s*-)?""",
    re.VERBOSE,
)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:[.,' ]\d{2,3})*[.,' ]\d{3}|0")  # 1,234,567 and India's 12,34,567


class Cell(NamedTuple):
    """A text that is a number in some style. decimal: its mark where this text alone shows it, "" where either mark
    would do ("1,234"), None where there is neither. digits: as written. unit: what stood beside it.
    """

    digits: str
    decimal: str | None
    negative: bool
    exponent: str
    unit: str
    bounded: bool


@dataclass(frozen=True)
class Numbers:
    """What the distinct texts of a column say. values: of each, NaN where missing. decimal: the mark that the cells
    themselves show, None where they show none. open: a text that could be read with either, if there is one. how: what
    was done, in words. missing: texts read as missing. doubts: what a person should look at.
    """

    values: Floats
    decimal: Decimal | None
    open: str
    how: tuple[str, ...]
    missing: tuple[str, ...]
    doubts: tuple[str, ...]


def read_numbers(texts: Sequence[str], counts: Sequence[int], decimal: Decimal = ".") -> Numbers | None:
    """Read a column's distinct texts, each there so many times, as numbers; None where it is no column of numbers.

    decimal: the mark of cells that would allow either, unless others of the column show theirs.
    """
    if (python := _as_python_writes(texts)) is not None and decimal == ".":
        return python
    cells = [parse(text) for text in texts]
    if not _is_numeric(texts, cells, counts):
        return None
    found = [cell for cell in cells if cell is not None]
    odd_units = _odd_units(cells, counts)
    if odd_units is None:
        return None
    cells = [None if cell is not None and cell.unit in odd_units else cell for cell in cells]
    marks = Counter[str]()
    for cell, count in zip(cells, counts, strict=True):
        if cell is not None and cell.decimal:
            marks[cell.decimal] += count
    shown: Decimal | None = None if not marks else "," if marks[","] > marks["."] else "."
    mark = shown or decimal
    scaled = len({_scale(cell.unit) for cell in found}) > 1
    values = np.array([np.nan if cell is None else _value(cell, mark, scaled=scaled) for cell in cells])
    lost = [text for text, cell in zip(texts, cells, strict=True) if cell is None]
    return Numbers(
        values,
        shown,
        next((text for text, cell in zip(texts, cells, strict=True) if cell is not None and cell.decimal == ""), ""),
        tuple(_how(cells, counts, mark, scaled=scaled)),
        tuple(text.strip() for text in lost),
        tuple(_doubts(texts, cells, counts, marks)),
    )


def _as_python_writes(texts: Sequence[str]) -> Numbers | None:
    """Texts that need no parsing of ours, only known marks of the missing among them; None for others."""
    import pandas as pd

    column = pd.Series(texts, dtype="str")
    values = np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64)
    lost = [text for text in column[np.isnan(values)] if plain(text) not in _NOT_A_NUMBER]
    if len(lost) == len(texts) or not all(plain(text) in MISSING for text in lost):
        return None
    either = column.str.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}")
    shown = column.str.contains(".", regex=False) & ~either & ~np.isnan(values)
    return Numbers(values, "." if shown.any() else None, next(iter(column[either]), ""), (), tuple(lost), ())


def parse(text: str) -> Cell | None:
    """The number in a text, if it is one with at most a sign, a currency or unit, brackets, and a bound such as <.

    >>> parse("-1.234,50 €")
    Cell(digits='1.234,50', decimal=',', negative=True, exponent='', unit='€', bounded=False)
    >>> parse("12/13") is None, parse("0,125").decimal, parse("1,234").decimal, parse("1 234").decimal
    (True, ',', '', None)
    """
    match = _CELL.fullmatch(text.translate(_SAME).strip()) if len(text) <= LONGEST else None
    if match is None:
        return None
    digits, before, after = match["digits"], match["before"], match["after"]
    opened, signs = match["open"] is not None, [match["sign"], match["inner"], match["trailing"]]
    if opened != (match["close"] is not None) or (before and after) or sum(sign is not None for sign in signs) > 1:
        return None
    decimal = _decimal(digits)
    if decimal == "no":
        return None
    negative = opened != any(sign is not None and sign.strip() == "-" for sign in signs)
    bounded = match["bound"] is not None or match["over"] is not None
    return Cell(digits, decimal, negative, match["exponent"] or "", _unit(before or after or ""), bounded)


def _unit(text: str) -> str:
    """One spelling of a unit: years is year, KG is kg; k, M and the like, which multiply, are told by their case."""
    short = _SPELLED.get(text, text)
    lower = text.rstrip(".").casefold()
    return short if short in _MAGNITUDES else lower.removesuffix("s") if len(lower) > 3 else lower


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
        return mark if len(separators) == 1 and _GROUPED.fullmatch(head) and tail.isdecimal() else "no"
    return "" if len(tail) == 3 and _GROUPED.fullmatch(digits) else mark


def _value(cell: Cell, mark: Decimal, *, scaled: bool) -> float:
    decimal = cell.decimal or mark
    plain = cell.digits.replace(" ", "").replace("'", "").replace(",."[decimal == ","], "").replace(",", ".")
    try:
        value = float(f"{plain}{cell.exponent}")
    except (ValueError, OverflowError):
        return float("nan")
    value *= _scale(cell.unit) if scaled else 1.0
    return -value if cell.negative else value


def _scale(unit: str) -> float:
    return _MAGNITUDES.get(unit, 1.0)


def _is_numeric(texts: Sequence[str], cells: Sequence[Cell | None], counts: Sequence[int]) -> bool:
    """Whether what is no number is missing: marks that everybody knows, one other text, or next to nothing."""
    numbers = sum(count for cell, count in zip(cells, counts, strict=True) if cell is not None)
    others: Counter[str] = Counter()
    for text, cell, count in zip(texts, cells, counts, strict=True):
        if cell is None and plain(text) not in MISSING:
            others[plain(text)] += count
    lost = others.total()
    if not numbers or lost <= LOST * (numbers + lost):
        return bool(numbers)
    several = len({cell.digits for cell in cells if cell is not None}) > 1
    return len(others) == 1 and several and not any(sign.isdigit() for sign in next(iter(others)))


def plain(text: str) -> str:
    """A text without case and blanks around it, to compare marks by."""
    return text.strip().casefold()


def _odd_units(cells: Sequence[Cell | None], counts: Sequence[int]) -> set[str] | None:
    """Units that a column does not share, whose few cells are lost; None where units differ in earnest."""
    units: Counter[str] = Counter()
    for cell, count in zip(cells, counts, strict=True):
        if cell is not None:
            units[cell.unit] += count
    total, bare = units.total(), units.pop("", 0)
    if not units or set(units) <= set(_MAGNITUDES):
        return set()
    (usual, most), *_ = units.most_common(1)
    if bare > most and usual not in "%‰" and usual.isalpha() and not _is_currency(usual):
        usual, most = "", bare  # 12, 13, 14a: a letter behind few of them is no unit
    odd = set(units) - {usual}
    if total - most - (bare if usual else 0) > LOST * total:
        return None
    return odd


def _is_currency(unit: str) -> bool:
    return re.fullmatch(_CURRENCY, unit.upper()) is not None


def _how(cells: Sequence[Cell | None], counts: Sequence[int], mark: Decimal, *, scaled: bool) -> Iterable[str]:
    found = [(cell, count) for cell, count in zip(cells, counts, strict=True) if cell is not None]
    if mark == "," and any("," in cell.digits for cell, _ in found):
        yield "decimal comma"
    grouped = {sign for cell, _ in found for sign in _groupers(cell, mark)}
    if grouped:
        yield "thousands separated by " + " and ".join(sorted(_SPOKEN[sign] for sign in grouped))
    units = Counter[str]()
    for cell, count in found:
        units[cell.unit] += count
    bare = units.pop("", 0)
    if scaled:
        yield f"{', '.join(sorted(units))} multiplied out"
    elif units:
        yield f"{' '.join(units)} stripped" + (f" ({bare:,} cells without)" if bare else "")
    if bounded := sum(count for cell, count in found if cell.bounded):
        yield f"{bounded:,} cells such as <5 or 5+ read as the 5"


_SPOKEN = {".": "dots", ",": "commas", " ": "spaces", "'": "apostrophes"}


def _groupers(cell: Cell, mark: Decimal) -> set[str]:
    decimal = cell.decimal or mark
    return {sign for sign in cell.digits if not sign.isdecimal() and sign != decimal}


def _doubts(
    texts: Sequence[str], cells: Sequence[Cell | None], counts: Sequence[int], marks: Counter[str]
) -> Iterable[str]:
    if len(marks) > 1:
        yield f"decimal points in {marks['.']:,} cells and decimal commas in {marks[',']:,}, each read as written"
    units = {cell.unit for cell in cells if cell is not None}
    if "%" in units and "" in units:
        yield "some cells end in % and some do not; all are read as if they did"
    lost = [
        (text, count)
        for text, cell, count in zip(texts, cells, counts, strict=True)
        if cell is None and any(sign.isdigit() for sign in text)
    ]
    if lost:
        yield f"{sum(count for _, count in lost):,} cells such as {lost[0][0].strip()!r} are read as missing"
