"""Tables to float32 features: statistics from the training rows, the list of columns from the whole table.

Numbers: median for what is missing, standardised, clipped; beside them a 0/1 column where the table has
missing ones, and, where features are fine, how far they are through each of their bins. Categories: one-hot,
rare ones together; of all levels, they are what a network's first layer embeds. The categories and the columns
with gaps are schema, taken from the whole table, so every split and every seed has the same width.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from focalbench.datasets.dataset import Dataset, Features
from focalbench.datasets.splits import Rows
from focalbench.datasets.tables.table import Table
from focalbench.runs.run import PIECEWISE

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 32  # of the usual features
# a heavy tail, or a column that is constant in training, would otherwise swamp the first steps
CLIP = 10.0
_CHUNK = 16_384  # rows transformed at a time
_CELLS = 1_000_000  # of the training rows fitted at a time: a large table is never copied whole


@dataclass(frozen=True)
class Coding:
    """How fine features are: levels of a category, the rarest together beyond them, and bins of a number at most, 0 for
    none.
    """

    levels: int
    bins: int

    def bins_of(self, distinct: int) -> int:
        """Bins of a number with so many values."""
        return max(0, min(self.bins, distinct - 1))


USUAL, FINE = Coding(MAX_CATEGORIES, 0), Coding(1000, 16)


def coding_of(preprocessing: str) -> Coding:
    """How fine features are by the name that a training has for it."""
    return FINE if preprocessing == PIECEWISE else USUAL


def preprocess(
    table: Table, splits: tuple[Rows, Rows, Rows], coding: Coding = USUAL
) -> tuple[Features, Features, Features]:
    """Features of train, validation and test from a table.

    All statistics are fitted on the training rows. Standardised values are clipped to +-10.

    Args:
        table: the whole table; the list of columns (categories, and columns with missing values) is taken from it.
        splits: the rows of train, validation and test.
        coding: how fine features are.

    Returns:
        The features of train, validation and test, each (rows, width) float32, C-contiguous.
    """
    coded = _coded(table)
    most = max(1, _CELLS // len(splits[0]))
    fitted = [
        (columns, encoder.fit(coded[columns].iloc[splits[0]]))
        for encoder, columns in _parts(coded, table.categorical, most, coding)
    ]
    train, validation, test = (_transform(fitted, coded, rows) for rows in splits)
    return train, validation, test


def with_bins(parts: Sequence[Dataset], coding: Coding) -> list[Dataset]:
    """Synthetic train, validation and test, whose numbers are features already, with those of bins beside them."""
    if not coding.bins:
        return list(parts)
    from focalbench.datasets.piecewise import PiecewiseLinear

    encoder = PiecewiseLinear([coding.bins] * parts[0].features.shape[1]).fit(parts[0].features)
    return [replace(part, features=np.hstack([part.features, encoder.transform(part.features)])) for part in parts]


def coded_width(table: Table, coding: Coding = USUAL) -> int:
    """How many features preprocess makes of a table."""
    return _ends(table, coding)[-1]


def levels_of(table: Table, coding: Coding = USUAL) -> tuple[tuple[int, int], ...]:
    """The features that are the levels of one category, or tell what is missing, as (first, after the last)."""
    return tuple(pairwise(_ends(table, coding)))


def _ends(table: Table, coding: Coding) -> list[int]:
    """Where the numbers' features end, then those of each gap and category."""
    numeric = [name for name in table.frame.columns if name not in table.categorical]
    gaps = sum(bool(table.frame[name].isna().any()) for name in numeric)
    levels = (int(table.frame[name].nunique(dropna=False)) for name in table.categorical)
    bins = sum(coding.bins_of(table.frame[name].nunique()) for name in numeric) if coding.bins else 0
    sizes = [len(numeric) + bins, *[1] * gaps, *(min(each, coding.levels) for each in levels)]
    return [int(end) for end in np.cumsum(sizes)]


def _coded(table: Table) -> "pd.DataFrame":
    """Replace each category by its code, so that level 0 is a missing value."""
    import pandas as pd

    codes = {name: table.frame[name].cat.codes.astype("int32") + 1 for name in table.categorical}
    columns = {name: codes.get(name, table.frame[name]) for name in table.frame.columns}
    return pd.DataFrame(columns, index=table.frame.index, copy=False)


def _parts(
    coded: "pd.DataFrame", categorical: tuple[str, ...], most: int, coding: Coding
) -> Iterator[tuple[Any, list[str]]]:
    """Encoders and the columns of each, at most so many: numbers, then their bins, their gaps, then categories."""
    from sklearn.impute import MissingIndicator, SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numeric = [name for name in coded.columns if name not in categorical]
    gaps = [name for name in numeric if coded[name].isna().any()]
    for columns in _groups(numeric, most):
        yield make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()), columns
    if coding.bins:
        yield from _bins(coded, numeric, most, coding)
    for columns in _groups(gaps, most):
        yield MissingIndicator(features="all"), columns
    for columns in _groups(list(categorical), most):
        one_hot = OneHotEncoder(
            categories=[np.unique(coded[name]) for name in columns],
            max_categories=coding.levels,
            handle_unknown="infrequent_if_exist",
            dtype=np.float32,
            sparse_output=False,
        )
        yield one_hot, columns


def _bins(coded: "pd.DataFrame", numeric: list[str], most: int, coding: Coding) -> Iterator[tuple[Any, list[str]]]:
    """Encoders of numbers as bins; how many bins a column has is schema, where they lie is of the training rows."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    from focalbench.datasets.piecewise import PiecewiseLinear

    bins = {name: coding.bins_of(coded[name].nunique()) for name in numeric}
    for columns in _groups([name for name in numeric if bins[name]], most):
        encoder = PiecewiseLinear([bins[name] for name in columns])
        yield make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), encoder), columns


def _groups(columns: list[str], most: int) -> list[list[str]]:
    return [columns[i : i + most] for i in range(0, len(columns), most)]


def _transform(fitted: list[tuple[list[str], Any]], coded: "pd.DataFrame", rows: Rows) -> Features:
    widths = [encoder.transform(coded[columns].iloc[rows[:1]]).shape[1] for columns, encoder in fitted]
    ends = np.cumsum([0, *widths])
    features = np.empty((len(rows), ends[-1]), dtype=np.float32)
    for (columns, encoder), left, right in zip(fitted, ends[:-1], ends[1:], strict=True):
        part = coded[columns]
        for start in range(0, len(rows), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            np.clip(encoder.transform(part.iloc[rows[chunk]]), -CLIP, CLIP, out=features[chunk, left:right])
    return features
