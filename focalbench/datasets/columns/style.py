"""How a file writes numbers, as all of its columns together show: its decimal mark, and whether dots part thousands."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from focalbench.datasets.columns.column import Column, Style, column_of_numbers, marks, read_typed
from focalbench.datasets.columns.numbers import Decimal, Numbers
from focalbench.datasets.columns.texts import Origin, Texts, as_written_in, is_text, numbers_of, texts_of

if TYPE_CHECKING:
    import pandas as pd

LEAST_THOUSAND = 1000.0


def read_style(frame: "pd.DataFrame", origin: Origin) -> Style:
    """A file's style, from all the cells of all of its columns."""
    texts = {str(name): texts_of(frame[name]) for name in frame.columns if is_text(frame[name])}
    found = {name: numbers_of(each, ".") for name, each in texts.items()}
    marks = [numbers.decimal for numbers in found.values() if numbers is not None]
    commas, points = marks.count(","), marks.count(".")
    typed = (_shows_point(frame[name]) for name in frame.columns if name not in texts)
    points += sum(typed) if commas else any(typed)
    usual: Decimal = "," if origin.separator == ";" else "."
    decimal: Decimal = usual if commas == points else "," if commas > points else "."
    if decimal == ",":
        again = [name for name, each in found.items() if each is not None and each.open and each.decimal is None]
        found |= {name: numbers_of(texts[name], decimal) for name in again}
    return Style(
        decimal,
        commas + points > 0 or usual == ".",
        points > commas,
        decimal == "," or usual == ",",
        {name: numbers for name, numbers in found.items() if numbers is not None},
    )


def with_thousands(frame: "pd.DataFrame", origin: Origin, style: Style, others: Sequence[str]) -> dict[str, Column]:
    """The columns that pandas took for numbers with decimals, but whose dots may separate thousands, as written."""
    if origin.texts is None:
        return {}
    names = [name for name in frame.columns if name not in others and _may_be_thousands(frame[name])]
    found: dict[str, Column] = {}
    for name, column in as_written_in(frame, origin, names).items():
        texts = texts_of(column)
        numbers = numbers_of(texts, style.decimal if style.shown else ".")
        if numbers is not None and numbers.open:
            found[str(name)] = (
                _against_points(frame[name], numbers)
                if style.points and numbers.decimal == ","
                else _of_dots(str(name), texts, numbers, style, origin.separator)
            )
    return found


def _against_points(column: "pd.Series[Any]", numbers: Numbers) -> Column:
    """A column whose dots seem to separate thousands, in a file whose other columns have decimal points."""
    doubt = (
        f"{numbers.open} is read with a decimal point, as the file's other columns show; whole numbers stand beside it"
    )
    read = read_typed(column)
    return read._replace(doubts=(*read.doubts, doubt))


def _of_dots(name: str, texts: Texts, numbers: Numbers, style: Style, separator: str) -> Column:
    """A column of texts such as 1.234, read as its cells, or else the file's other columns, show."""
    read = column_of_numbers(
        name, texts.spread(numbers.values), (*numbers.how, *marks(numbers.missing)), numbers.doubts
    )
    if numbers.decimal == ",":
        doubt = f"{numbers.open} is read as thousands, because whole numbers stand beside groups of three"
    elif style.decimal == "," and style.shown:
        doubt = f"{numbers.open} is read as thousands, because the file's other columns have decimal commas"
    else:
        open_to_both = f"{numbers.open} is read with a decimal point; no cell of the file shows which it has"
        return read._replace(doubts=(*read.doubts, *([open_to_both] if separator != "," and not style.shown else [])))
    return read._replace(doubts=(*read.doubts, doubt), change="number")


def _may_be_thousands(column: "pd.Series[Any]") -> bool:
    return column.dtype == "float64" and not _shows_point(column) and has_fractions(column)


def _shows_point(column: "pd.Series[Any]") -> bool:
    """Whether numbers hold digits behind the point that cannot be thousands: 0.5, or another number than three."""
    if column.dtype != "float64":
        return False
    values = np.abs(column.to_numpy())
    values = values[np.isfinite(values) & (values > 0)]
    small = values[values < LEAST_THOUSAND]
    rough = np.abs(small * 1000 - np.round(small * 1000)) > 1e-6 * np.maximum(small, 1)
    whole = np.all(values[values >= LEAST_THOUSAND] % 1 == 0)  # 1234.567 has dots for decimals
    return bool(np.any(rough | (small < 1))) or not whole


def has_fractions(column: "pd.Series[Any]") -> bool:
    """Whether some numbers are not whole."""
    values = column.to_numpy()
    return column.dtype.kind == "f" and bool((values[np.isfinite(values)] % 1 != 0).any())
