"""The texts of a column, and what a frame no longer tells of its file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.columns.numbers import Decimal, Numbers, read_numbers
from focalbench.datasets.dataset import Floats

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Origin:
    """What a frame's types no longer tell. separator: of the text file. kinds: of columns that CSV cannot hold, such as
    lists. texts: gives columns as they were written (all rows, or the first so many); None where there is no text.
    """

    separator: str = ","
    kinds: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    texts: "Callable[[Sequence[str], int | None], pd.DataFrame] | None" = None


class Texts(NamedTuple):
    """A column of text by its distinct values: each stripped, how often it is there, and the number of each row's (-1
    where it is missing). bare: whether they were without blanks around them from the start.
    """

    values: list[str]
    counts: list[int]
    codes: NDArray[np.intp]
    bare: bool

    def spread(self, values: Floats) -> Floats:
        """A value a row, from one for each distinct text."""
        found: Floats = np.append(values, np.nan)[self.codes]
        return found


def texts_of(column: "pd.Series[Any]") -> Texts:
    """The distinct texts of a column; cells of nothing but blanks are missing."""
    import pandas as pd

    raw_codes, raw = pd.factorize(column)
    written = [str(value) for value in raw]
    codes, found = pd.factorize(pd.Series([" ".join(value.split()) or None for value in written], dtype="str"))
    codes = np.append(codes, -1)[raw_codes]
    counts = np.bincount(codes[codes >= 0], minlength=len(found))
    values = [str(value) for value in found]
    return Texts(values, counts.tolist(), codes, bare=values == written)


def is_text(column: "pd.Series[Any]") -> bool:
    """Whether pandas has read neither numbers nor booleans."""
    import pandas as pd

    return not bool(pd.api.types.is_numeric_dtype(column))


def numbers_of(texts: Texts, decimal: Decimal) -> Numbers | None:
    """The numbers that texts are, None where they are none."""
    return read_numbers(texts.values, texts.counts, decimal) if texts.values else None


def as_written_in(frame: "pd.DataFrame", origin: Origin, names: list[str]) -> "dict[str, pd.Series[Any]]":
    """Columns as they were written, where there is a text: 007 is not 7."""
    if origin.texts is None or not names:
        return {}
    found = origin.texts(names, None)
    return {name: found[name].set_axis(frame.index) for name in names}
