"""The columns of a file as features inside a Pipeline: read, filled, scaled and encoded as a sweep does.

What is learned from rows is scikit-learn's (medians, means, levels); how a column is read was decided when the table
was read, and stays so for new rows.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from focalbench.datasets.columns.column import Column, column_of_numbers, marks
from focalbench.datasets.columns.dates import parts_of, read_clock, read_dates
from focalbench.datasets.columns.numbers import Decimal, Numbers
from focalbench.datasets.columns.texts import is_text, numbers_of, texts_of
from focalbench.datasets.dataset import Floats
from focalbench.datasets.preprocessing import CLIP, MAX_CATEGORIES
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

ReadAs = Literal["number", "time of day", "date", "category"]
PLAIN = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
UNKNOWN = 0.05  # share of the cells of a column that new categories may be without a word
MARKS: dict[str, str] = {".": "points", ",": "commas"}
KINDS = {"number": "numbers", "time of day": "times of day", "date": "dates"}
Source = tuple[str, ReadAs, Sequence[str]]  # a column, how it is read, and the features that it becomes


class TableReader(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features from the columns of a file or frame, each read as it was read before.

    Cells may be numbers, dates, categories or texts of these, as in a CSV file; other columns are not looked at. A cell
    that is no number where numbers were read is missing, if most of its column are numbers.

    Args:
        columns: of each column its name, how it is read (number, time of day, date or category) and the features that
            it becomes: itself, or of a date those of its parts that are used, such as "when_year".
        decimal: "." or ",", where a cell could be read with either.
        day_first: whether 01/02/2023 is in February, where no cell of a column shows it.
        shown: of columns of text some cells of before that show how they are written, such as 31/12/2023 or 1.234,50: a
            few new rows may not show it.
        missing: of columns of text those cells that stand for a missing value, such as "-" or "n.a.".
        levels: of columns read as categories those that are known; where more than a few cells of such a column hold
            others, transform warns.
    """

    def __init__(
        self,
        columns: Sequence[Source],
        decimal: Literal[".", ","] = ".",
        day_first: bool = False,
        shown: Mapping[str, Sequence[str]] | None = None,
        missing: Mapping[str, Sequence[str]] | None = None,
        levels: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.columns = columns
        self.decimal = decimal
        self.day_first = day_first
        self.shown = shown
        self.missing = missing
        self.levels = levels

    def fit(self, X: "pd.DataFrame", y: object = None) -> Self:  # noqa: ARG002
        """Check that the columns are there; nothing is learned.

        Args:
            X: (row, column) frame.
            y: not looked at.

        Returns:
            The transformer.

        Raises:
            InputError: as transform does.
        """
        self._check(X)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: "pd.DataFrame") -> "pd.DataFrame":
        """Read the columns.

        Args:
            X: (row, column) frame.

        Returns:
            (row, feature): numbers as float64, categories as texts, NaN where a value is missing.

        Raises:
            InputError: where a column is not there, or is no longer what it was.
        """
        features, columns = self.read(X)
        for name, column in columns.items():
            for doubt in column.doubts:
                warnings.warn(f"column {name!r}: {doubt}", stacklevel=4)
        return features

    def read(self, X: "pd.DataFrame") -> tuple["pd.DataFrame", dict[str, Column]]:
        """Read the columns, and say of each how it was read.

        Args:
            X: (row, column) frame.

        Returns:
            (row, feature) as transform does; and by name of a column what was done to it, and what to look at.

        Raises:
            InputError: as transform does.
        """
        import pandas as pd

        self._check(X)
        columns = {name: self._read(X[name], read_as, features) for name, read_as, features in self.columns}
        found = {feature: values for column in columns.values() for feature, values in column.features.items()}
        return pd.DataFrame(found, index=X.index, columns=self.get_feature_names_out()), columns

    def get_feature_names_out(self, _: object = None) -> list[str]:
        """Names of the features.

        Returns:
            In the order of transform's columns.
        """
        return [feature for _, _, features in self.columns for feature in features]

    def _check(self, X: "pd.DataFrame") -> None:
        import pandas as pd

        if not isinstance(X, pd.DataFrame):
            raise InputError(f"the rows are a {type(X).__name__}; give a pandas DataFrame with the columns of the file")
        if lacking := [name for name, _, _ in self.columns if name not in X.columns]:
            raise InputError(f"the rows have no column {lacking[0]!r}, which the model was trained on")

    def _read(self, column: "pd.Series[Any]", read_as: ReadAs, features: Sequence[str]) -> Column:
        if read_as == "category":
            return self._category(column, features[0])
        known, masked = self._without_marks(column)
        read = self._dates(known, features) if read_as == "date" else self._number(known, read_as, features[0])
        return read._replace(how=(*read.how, *marks(masked)), kind=read_as)

    def _category(self, column: "pd.Series[Any]", feature: str) -> Column:
        texts = _texts(column)
        doubts = self._unknown_levels(str(column.name), texts)
        return Column({feature: texts}, "category", missing=int(texts.isna().sum()), doubts=doubts)

    def _without_marks(self, column: "pd.Series[Any]") -> "tuple[pd.Series[Any], list[str]]":
        """A column without the texts that stood for a missing value before, and those of them that it held."""
        known = (self.missing or {}).get(str(column.name), ())
        if not known or not is_text(column):
            return column, []
        texts = column.astype("str").str.split().str.join(" ")
        held = texts.isin(known).to_numpy()
        return column.mask(held), [str(text) for text in texts[held].unique()]

    def _number(self, column: "pd.Series[Any]", read_as: ReadAs, feature: str) -> Column:
        if not is_text(column):
            return _numbers(feature, column.to_numpy(np.float64, na_value=np.nan))
        if column.isna().all():
            return _numbers(feature, np.full(len(column), np.nan))
        if read_as == "number" and (plain := self._plain(column)) is not None:
            return _numbers(feature, plain)
        texts = texts_of(self._with_shown(column))
        clock = read_clock(texts.values, texts.counts) if read_as == "time of day" else None
        numbers = numbers_of(texts, self.decimal) if read_as == "number" else None
        found = clock.hours if clock is not None else None if numbers is None else numbers.values
        values = texts.spread(np.full(len(texts.values), np.nan) if found is None else found)[: len(column)]
        lost = self._lost(column, np.isnan(values), KINDS[read_as])
        how, doubts = ((clock.how,), ()) if clock is not None else self._said(column, numbers)
        read = _numbers(feature, values)
        return read._replace(how=(*how, *lost.how, *read.how), doubts=(*lost.doubts, *doubts))

    def _said(self, column: "pd.Series[Any]", read: Numbers | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What was done to a column's own cells to have numbers, and a doubt where their decimal mark is another."""
        now = None if read is None else numbers_of(texts_of(column), read.decimal or self.decimal)
        if now is None:
            return (), ()
        was = self._mark_before(column)
        if now.decimal in (None, was):
            return now.how, ()
        doubt = f"its numbers have decimal {MARKS[now.decimal]}, and had decimal {MARKS[was]} before; write them alike"
        return now.how, (doubt,)

    def _mark_before(self, column: "pd.Series[Any]") -> Decimal:
        import pandas as pd

        before = numbers_of(texts_of(pd.Series(self._shown(column), dtype="str")), self.decimal)
        return self.decimal if before is None or before.decimal is None else before.decimal

    def _plain(self, column: "pd.Series[Any]") -> Floats | None:
        """The numbers of a column that writes all of them as Python does, now and before; None of another."""
        if self.decimal != "." or not all(map(PLAIN.fullmatch, self._shown(column))):
            return None
        cells = column[column.notna()]
        if not cells.map(lambda text: PLAIN.fullmatch(text) is not None).all():
            return None
        values = np.full(len(column), np.nan)
        values[column.notna().to_numpy()] = cells.to_numpy(dtype=object).astype(np.float64)
        return values

    def _with_shown(self, column: "pd.Series[Any]") -> "pd.Series[Any]":
        """A column of text, and below it the cells that show how it is written."""
        import pandas as pd

        return pd.Series([*column.astype(object), *self._shown(column)], dtype="str", name=column.name)

    def _shown(self, column: "pd.Series[Any]") -> Sequence[str]:
        return (self.shown or {}).get(str(column.name), ())

    def _unknown_levels(self, name: str, texts: "pd.Series[Any]") -> tuple[str, ...]:
        """A doubt where more than a few cells hold categories that were not there before."""
        known = (self.levels or {}).get(name)
        if known is None or not texts.notna().any():
            return ()
        others = texts[texts.notna() & ~texts.isin(known)]
        if len(others) <= UNKNOWN * texts.notna().sum():
            return ()
        what = f"{len(others):,} of {texts.notna().sum():,} cells"
        remedy = "are they written as they were, with leading zeros?"
        return (f"{what} hold unknown categories, such as {others.iloc[0]!r}; {remedy}",)

    def _dates(self, column: "pd.Series[Any]", features: Sequence[str]) -> Column:
        """The parts of a column of dates; the hour of days is 0."""
        if column.isna().all():
            return Column({feature: np.full(len(column), np.nan) for feature in features}, "date", (), len(column))
        rows = self._with_shown(column.astype("str").where(column.notna()))
        texts = texts_of(rows)
        dates = read_dates(rows.where(texts.codes >= 0), day_first=self.day_first)
        gone = np.ones(len(column), dtype=np.bool_) if dates is None else dates.values.isna().to_numpy()[: len(column)]
        lost = self._lost(column, gone, KINDS["date"])
        assert dates is not None
        found = dates.values.iloc[: len(column)].rename(column.name)
        parts, missing = parts_of(found), np.where(found.isna(), np.nan, 0.0)
        values = {f: parts[f].to_numpy(np.float64, na_value=np.nan) if f in parts else missing for f in features}
        first = [f"the first {day:%d %B %Y}" for day in found.dropna().iloc[:1]]
        return Column(values, "date", (*first, *dates.how, *lost.how), int(found.isna().sum()), doubts=lost.doubts)

    def _lost(self, column: "pd.Series[Any]", gone: npt.NDArray[np.bool_], kind: str) -> "_Lost":
        """What is to be said of cells that hold something and are nothing, as none was that shows how a column is
        written. Raises InputError where they are most.
        """
        texts = column.astype("str").str.split().str.join(" ")
        held = column.notna().to_numpy() & (texts != "").to_numpy()
        lost = held & gone & ~texts.isin(self._shown(column)).to_numpy()
        if not lost.any():
            return _Lost((), ())
        such = f"such as {texts.iloc[int(lost.argmax())]!r}"
        if lost.sum() > held.sum() / 2:
            raise InputError(
                f"column {column.name!r} was read as {kind}, and most cells are none now, {such}; correct it"
            )
        if lost.sum() <= UNKNOWN * held.sum():
            return _Lost(tuple(marks([str(text) for text in texts[lost].unique()])), ())
        what = f"{lost.sum():,} of {held.sum():,} cells are no {kind}, {such}, and read as missing"
        return _Lost((), (f"{what}; correct them, or leave these cells empty",))


class _Lost(NamedTuple):
    """What is said of cells that are read as missing, and what a person should look at."""

    how: tuple[str, ...]
    doubts: tuple[str, ...]


def _numbers(feature: str, values: Floats) -> Column:
    """A column of numbers as they are; what it looks like was decided before."""
    return column_of_numbers(feature, values, ())._replace(doubts=())


def _texts(column: "pd.Series[Any]") -> Any:
    """Cells as texts, one spelling for 1 and 1.0; NaN where they are missing."""
    import pandas as pd

    if not is_text(column) and column.dtype.kind == "f":
        whole = column.dropna()
        if (whole % 1 == 0).all() and (whole.abs() < 2**53).all():
            column = column.astype("Int64")
    texts = texts_of(column)
    values = np.append(np.array(texts.values, dtype=object), np.nan)
    return pd.Series(values[texts.codes], index=column.index, dtype=object)


class Clip(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers within a limit: a heavy tail would swamp the first steps.

    Args:
        limit: the largest number, and without its sign the smallest.
    """

    def __init__(self, limit: float = CLIP) -> None:
        self.limit = limit

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:  # noqa: ARG002
        """Nothing is learned.

        Args:
            X: (row, feature).
            y: not looked at.

        Returns:
            The transformer.
        """
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Clip.

        Args:
            X: (row, feature).

        Returns:
            (row, feature), each number in [-limit, limit].
        """
        return np.clip(np.asarray(X, dtype=np.float64), -self.limit, self.limit)

    def get_feature_names_out(self, names: Sequence[str]) -> Sequence[str]:
        """Names of the features.

        Args:
            names: of those that come in.

        Returns:
            The same.
        """
        return names


def coded(numbers: Sequence[str], gaps: Sequence[str], categories: Sequence[str]) -> ColumnTransformer:
    """Numbers of a frame's features, as preprocess makes them for a sweep.

    Args:
        numbers: features that are numbers: the median for what is missing, standardised, clipped.
        gaps: those of them that may be missing: beside it whether they are.
        categories: features that are texts: a column for each of the most frequent levels.

    Returns:
        A transformer that is not fitted yet.
    """
    scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), Clip())
    levels = OneHotEncoder(
        max_categories=MAX_CATEGORIES, handle_unknown="infrequent_if_exist", dtype=np.float32, sparse_output=False
    )
    parts = [
        ("numbers", scaled, list(numbers)),
        ("gaps", MissingIndicator(features="all"), list(gaps)),
        ("categories", levels, list(categories)),
    ]
    return ColumnTransformer(parts)
