"""A column of texts that a person would call numbers: one reading, taken from all of its cells.

It has one decimal mark, one unit, and texts that stand for a missing value. Nothing is guessed from a single cell: what
a column leaves open is asked of the file, and what stays open is said.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from focalbench.datasets.columns.cells import Cell, is_currency, parse
from focalbench.datasets.dataset import Floats

Decimal = Literal[".", ","]
MISSING = frozenset(  # texts for a missing value, case and blanks apart; one other repeated text may be one as well
    (
        *("", "-", "--", "---", ".", "..", "...", "…", "?", "??", "\\n", ".a", ".b", ".c", ".z"),
        *("na", "n/a", "n.a.", "n.a", "<na>", "nan", "null", "(null)", "none", "nil", "void", "blank", "(blank)"),
        *("#n/a", "#na", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#error!"),
        *("unknown", "unk", "missing", "not available", "not applicable", "not done", "not recorded"),
        *("n.d.", "nd", "n/d", "n. d.", "s/d", "s.d.", "k.a.", "k. a.", "k.a", "o.a."),
    )
)
LOST = 0.05  # of the cells: at most so many that are no numbers leave a column of numbers
MANY = 10  # different numbers: beside fewer, a word is a level of its own rather than a missing value
FAR = 30.0  # times: cells without the unit that are so much larger or smaller have another
_FLAGS = frozenset(("h", "l", "hh", "ll", "*", "**", "!", "!!"))  # of a laboratory, behind a number
_APART = {"<": -1.0, "<=": -0.5, ">=": 0.5, "+": 0.5, ">": 1.0}  # steps that a bound lies beside its number
_NOT_A_NUMBER = ("nan", "+nan", "-nan")
_SPOKEN = {".": "dots", ",": "commas", " ": "spaces", "'": "apostrophes"}


class Entry(NamedTuple):
    """A distinct text of a column, the number in it (None: none), and how often it is there."""

    text: str
    cell: Cell | None
    times: int


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
    entries = [Entry(text, parse(text), count) for text, count in zip(texts, counts, strict=True)]
    if not _is_numeric(entries):
        return None
    known = _of_one_unit(entries)
    if known is None:
        return None
    marks = _marks(known)
    shown = _shown(known, marks)
    mark = shown or decimal
    values, apart = _values(known, mark)
    return Numbers(
        values,
        shown,
        next((each.text for each in known if each.cell is not None and each.cell.decimal == ""), ""),
        tuple(_how(known, mark, apart=apart)),
        tuple(each.text.strip() for each in known if each.cell is None),
        tuple(_doubts(known, entries, marks)),
    )


def plain(text: str) -> str:
    """A text without case and blanks around it, to compare marks by."""
    return text.strip().casefold()


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
    if either.any() and not shown.any():
        return None  # what the whole numbers beside them show is looked at elsewhere
    return Numbers(values, "." if shown.any() else None, "", (), tuple(lost), ())


def _is_numeric(entries: Sequence[Entry]) -> bool:
    """Whether what is no number is missing: marks that everybody knows, one word among many numbers, or very few."""
    numbers = sum(each.times for each in entries if each.cell is not None)
    others: Counter[str] = Counter()
    for each in entries:
        if each.cell is None and plain(each.text) not in MISSING:
            others[plain(each.text)] += each.times
    lost = others.total()
    if not numbers or lost <= LOST * (numbers + lost):
        return bool(numbers)
    several = len({each.cell.digits for each in entries if each.cell is not None}) >= MANY
    return len(others) == 1 and several and not any(map(str.isdigit, next(iter(others))))


# ---- units


def _of_one_unit(entries: Sequence[Entry]) -> list[Entry] | None:
    """The entries without the few cells of other units; None where units differ in earnest."""
    units: Counter[str] = Counter()
    for each in entries:
        if each.cell is not None:
            units[each.cell.unit] += each.times
    flags = {unit for unit in units if unit in _FLAGS} if units[""] > units.total() / 2 else set()
    total, bare = units.total(), units.pop("", 0) + sum(units.pop(flag) for flag in flags)
    if not units:
        return list(entries)
    (usual, most), *_ = units.most_common(1)
    if bare > most and usual.isalpha() and not is_currency(usual):
        usual, most = "", bare  # 12, 13, 14a: a letter behind few of them is no unit
    odd = set(units) - {usual}
    others = total - most - (bare if usual else 0)
    scaled = len({each.cell.scale for each in entries if each.cell is not None}) > 1
    if others > LOST * total or (scaled and usual and not is_currency(usual)) or _far_apart(entries, usual):
        return None
    return [each._replace(cell=None) if each.cell is not None and each.cell.unit in odd else each for each in entries]


def _far_apart(entries: Sequence[Entry], unit: str) -> bool:
    """Whether cells without a unit are of another size than those with it, as 1.5 million beside 900,000."""
    if not unit or unit == "%":
        return False
    groups: dict[bool, list[float]] = {True: [], False: []}
    for each in entries:
        if each.cell is not None and each.cell.unit in ("", unit):
            groups[each.cell.unit == unit].append(abs(each.cell.value(".")))
    if not all(groups.values()):
        return False
    with_unit, without = (float(np.median(values)) for values in (groups[True], groups[False]))
    return max(with_unit, without) > FAR * min(with_unit, without) > 0


# ---- the decimal mark, and values


def _marks(entries: Sequence[Entry]) -> Counter[str]:
    """How many cells show each decimal mark; "" counts those that leave it open."""
    marks: Counter[str] = Counter()
    for each in entries:
        if each.cell is not None and each.cell.decimal is not None:
            marks[each.cell.decimal] += each.times
    return marks


def _shown(entries: Sequence[Entry], marks: Counter[str]) -> Decimal | None:
    """The mark that a column shows by itself: most of its cells', unless they are next to none beside open ones; or,
    where whole numbers below 1,000 stand beside groups of three that end in 0, the one that parts no thousands.
    """
    points, commas = marks["."], marks[","]
    if points + commas > LOST * marks[""]:
        return "," if commas > points else "."
    cells = [each.cell for each in entries if each.cell is not None]
    either = [cell for cell in cells if cell.decimal == ""]
    signs = {sign for cell in either for sign in cell.digits if sign in ".,"}
    small = any(cell.decimal is None and cell.digits.isdecimal() and len(cell.digits) <= 3 for cell in cells)
    if not points + commas and len(signs) == 1 and small and any(cell.digits.endswith("0") for cell in either):
        return "." if signs == {","} else ","
    return None


def _values(entries: Sequence[Entry], mark: Decimal) -> tuple[Floats, bool]:
    """A number for each entry; and whether bounds had to be kept apart from the numbers that they name."""
    values = np.array([np.nan if each.cell is None else each.cell.value(mark) for each in entries])
    bounds = [each.cell.bound if each.cell is not None else "" for each in entries]
    pairs = {(value, bound) for value, bound in zip(values.tolist(), bounds, strict=True)}
    shared = {value for value, times in Counter(value for value, _ in pairs).items() if times > 1}
    if not shared:
        return values, False
    distinct = np.unique(values[np.isfinite(values)])
    step = float(np.diff(distinct).min()) / 2 if len(distinct) > 1 else 0.5
    beside = [_APART.get(bound, 0.0) if value in shared else 0.0 for value, bound in zip(values, bounds, strict=True)]
    return values + step * np.array(beside), True


# ---- what is said


def _how(entries: Sequence[Entry], mark: Decimal, *, apart: bool) -> Iterable[str]:
    found = [(each.cell, each.times) for each in entries if each.cell is not None]
    if mark == "," and any("," in cell.digits for cell, _ in found):
        yield "decimal comma"
    if separators := {sign for cell, _ in found for sign in cell.separators(mark)}:
        yield "thousands separated by " + " and ".join(sorted(_SPOKEN[sign] for sign in separators))
    if any(cell.scale > 1 for cell, _ in found):
        yield "k, M and the like multiplied out"
    units: Counter[str] = Counter()
    for cell, count in found:
        units[cell.unit] += count
    bare = units.pop("", 0)
    if units:
        yield f"{', '.join(units)} stripped" + (f" ({bare:,} cells without)" if bare else "")
    if odd := sum(count for cell, count in found if cell.odd_minus):
        yield f"{odd:,} cells in brackets, or with a minus behind them, are negative"
    if bounded := sum(count for cell, count in found if cell.bound):
        yield f"{bounded:,} cells such as <5 or 5+ read as " + ("beside the 5" if apart else "the 5")


def _doubts(known: Sequence[Entry], entries: Sequence[Entry], marks: Counter[str]) -> Iterable[str]:
    if marks["."] and marks[","]:
        yield f"decimal points in {marks['.']:,} cells and decimal commas in {marks[',']:,}, each read as written"
    elif 0 < marks["."] + marks[","] <= LOST * marks[""]:
        yield f"{marks['.'] + marks[',']:,} cells show another decimal mark than the rest may have"
    units = {each.cell.unit for each in known if each.cell is not None}
    if "" in units and (plain_units := units - _FLAGS - {""}):
        yield f"some cells end in {', '.join(sorted(plain_units))} and some do not; all are read as if they did"
    lost = [
        (before.text, before.times)
        for now, before in zip(known, entries, strict=True)
        if now.cell is None and any(map(str.isdigit, before.text))
    ]
    if lost:
        yield f"{sum(count for _, count in lost):,} cells such as {lost[0][0].strip()!r} are read as missing"
