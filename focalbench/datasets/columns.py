"""From a frame as it was read to a table: which column is what, and every surprise handled with a note or refused."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from focalbench.arms import Task
from focalbench.datasets.dataset import Floats, Targets
from focalbench.datasets.outputs import rarest
from focalbench.datasets.table import Groups, Table, distinct_rows, row_numbers
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_LARGEST = float(np.finfo(np.float32).max)
_DECIMAL_COMMA = r"^(-?\d*),(\d+)$"
_THOUSANDS = r"-?\d{1,3}(,\d{3})+(\.\d+)?"
_WRITTEN_DATE = r"^\s*(\d{1,2})[/.-](\d{1,2})[/.-](\d{2,4})"
_MONTHS, _FULL_YEAR = 12, 1000
_LOST_NUMBERS = 0.05  # a column of text with at most this share of cells that are no numbers is one of numbers
_FEW_ROWS = 1000  # among fewer, whole numbers may well differ by chance
LEAST_CLASSES, MOST_CLASSES = 3, 100
LEAST_OF_A_CLASS = 10  # rows, so that each split can have some
_SHOWN = 8  # names or values listed in a message


@dataclass(frozen=True)
class Columns:
    """What a user says of a file's columns.

    target: the column to predict; positive: the value that counts as 1, compared as text ("1" matches 1.0), not needed
    for 0/1 or true/false; of a multiclass target the rare class, not needed where it is the rarest. task: binary,
    multiclass or multilabel; labels: of a multilabel one the columns of 0/1 to predict, without target. drop: columns
    to leave out. group: rows with the same value are never in two splits. time: the latest rows are the test. weight:
    what a row counts for, >= 0.
    """

    target: str | None
    positive: str | None = None
    drop: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    keep_duplicates: bool = False
    task: Task = "binary"
    labels: tuple[str, ...] = ()

    @property
    def predicted(self) -> tuple[str, ...]:
        """The columns to predict."""
        return self.labels if self.target is None else (self.target,)

    @property
    def special(self) -> dict[str, str]:
        """The columns that are no features, by the option that names them."""
        named = {"--group": self.group, "--time": self.time, "--weight": self.weight}
        return {option: name for option, name in named.items() if name is not None}


def make_table(source: str, frame: "pd.DataFrame", columns: Columns, sha256: str) -> Table:
    """Return the table of a frame. source: the file's name for messages. sha256: of its bytes.

    Columns that do not vary, have no name, or are text that never repeats are dropped, infinite numbers count as
    missing, and exact duplicates are removed unless kept; each with a note. Raises InputError for anything else.
    """
    _check_columns(source, frame, columns)
    targets, labels, names = _predicted(frame, columns)
    codes = targets if labels is None else np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
    groups, weights = _groups(frame, columns), _weights(frame, columns)
    if weights is not None and min(weights[targets == label].sum() for label in (0, 1)) <= 0:
        raise InputError(f"--weight {columns.weight} leaves one class of {columns.target} without any weight")
    features, notes = _features(frame.drop(columns=[*columns.predicted, *columns.drop, *columns.special.values()]))
    if not columns.keep_duplicates:
        kept, note = distinct_rows(features, codes)
        if weights is not None and note:  # what is left counts for its copies
            numbers = row_numbers(features, codes)
            weights = np.bincount(numbers, weights)[numbers].astype(np.float64)
        features, targets, notes = features[kept].reset_index(drop=True), targets[kept], notes + note
        labels = None if labels is None else labels[kept]
        groups = None if groups is None else groups[kept]
        weights = None if weights is None else weights[kept]
    categorical = tuple(name for name in features.columns if features[name].dtype == "category")
    return Table(
        features,
        targets,
        categorical,
        sha256,
        notes,
        groups,
        columns.time is not None,
        weights,
        columns.target or "",
        labels,
        names,
    )


def _check_columns(source: str, frame: "pd.DataFrame", columns: Columns) -> None:
    names = [str(name) for name in frame.columns]
    if not columns.predicted:
        raise InputError(f"{source} needs a target column: --target with one of {listed(names)}")
    for name in (*columns.predicted, *columns.drop, *columns.special.values()):
        if name not in names:
            hint = did_you_mean(name, names) or f"; it has {listed(names)}"
            raise InputError(f"{source} has no column {name!r}{hint}")
    if both := set(columns.predicted) & set(columns.drop):
        raise InputError(f"the target {min(both)!r} is among the columns to drop; leave it out of --drop")
    for option, name in columns.special.items():
        if name in columns.predicted or name in columns.drop:
            raise InputError(f"{option} {name} is the target or dropped as well; give each column one part to play")


def _groups(frame: "pd.DataFrame", columns: Columns) -> Groups | None:
    """Numbers of the groups, or of the times in their order. Raises InputError for missing or unreadable values."""
    import pandas as pd

    option, name = ("--time", columns.time) if columns.time else ("--group", columns.group)
    if name is None:
        return None
    values = frame[name]
    if columns.time and not pd.api.types.is_numeric_dtype(values):
        day_first = _day_first(name, values)
        values = pd.to_datetime(values, errors="coerce", format="mixed", dayfirst=day_first, utc=True)
    missing = np.asarray(values.isna())
    if missing.any():
        what = "no date, time or number" if columns.time else "missing"
        first = f"{missing.sum()} rows, first in data row {missing.argmax() + 1}"
        raise InputError(f"{option} {name} is {what} in {first}; fill them in or remove these rows")
    return np.asarray(pd.factorize(values, sort=columns.time is not None)[0], dtype=np.int64)


def _day_first(name: str, values: "pd.Series[object]") -> bool:
    """Whether dates such as 13/02/2023 begin with the day. Raises InputError where that cannot be told."""
    parts = values.dropna().astype(str).str.extract(_WRITTEN_DATE).dropna().astype(int)
    if parts.empty:
        return False
    first, second = parts.iloc[:, 0].max() > _MONTHS, parts.iloc[:, 1].max() > _MONTHS
    if first == second or parts.iloc[:, 2].max() < _FULL_YEAR:
        raise InputError(f"--time {name} may begin with the day or the month; write dates as 2023-01-31")
    return bool(first)


def _weights(frame: "pd.DataFrame", columns: Columns) -> Floats | None:
    import pandas as pd

    if columns.weight is None:
        return None
    weights = np.asarray(pd.to_numeric(frame[columns.weight], errors="coerce"), dtype=np.float64)
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        first = f"{bad.sum()} rows, first in data row {bad.argmax() + 1}"
        raise InputError(f"--weight {columns.weight} is no number of at least 0 in {first}; mend or remove these rows")
    return weights


def _predicted(frame: "pd.DataFrame", columns: Columns) -> tuple[Targets, Targets | None, tuple[str, ...]]:
    """Targets of the rare class, the labels, and their names; for a binary target the latter two are none."""
    if columns.task == "binary":
        return _binary(frame[columns.target], str(columns.target), columns.positive), None, ()
    if columns.task == "multilabel":
        labels = np.stack([_binary(frame[name], name, None) for name in columns.labels], axis=1)
        names = columns.labels
    else:
        labels, names = _classes(frame[columns.target], str(columns.target))
    rare = rarest(labels.sum(axis=0, dtype=np.float64))
    if columns.task == "multiclass" and columns.positive is not None:
        rare = names.index(_positive_value(str(columns.target), list(names), columns.positive))
    last = [k for k in range(len(names)) if k != rare] + [rare]
    return labels[:, rare].copy(), labels[:, last], tuple(names[k] for k in last)


def _classes(column: "pd.Series[object]", name: str) -> tuple[Targets, tuple[str, ...]]:
    """One-hot labels and the names of the classes, the most frequent first."""
    texts = _as_text(column, name)
    counts = texts.value_counts()
    if not LEAST_CLASSES <= len(counts) <= MOST_CLASSES:
        raise InputError(
            f"the target {name!r} holds {len(counts):,} different values; --task multiclass is for {LEAST_CLASSES} to "
            f"{MOST_CLASSES} classes"
        )
    names = tuple(sorted(counts.index, key=lambda value: (-counts[value], value)))
    few = [f"{value} ({counts[value]} rows)" for value in names if counts[value] < LEAST_OF_A_CLASS]
    if few:
        raise InputError(
            f"classes of {name!r} with fewer than {LEAST_OF_A_CLASS} rows: {listed(few)}; merge or remove them"
        )
    return np.stack([np.asarray(texts == value) for value in names], axis=1).astype(np.int8), names


def _binary(column: "pd.Series[object]", name: str, positive: str | None) -> Targets:
    labels = _as_text(column, name)
    values = sorted(set(labels))
    wanted = _positive_value(name, values, positive)
    if len(values) < 2:
        raise InputError(f"the target {name!r} holds only the value {values[0]}; both classes are needed")
    return np.asarray(labels == wanted).astype(np.int8)


def _as_text(column: "pd.Series[object]", name: str) -> "pd.Series[str]":
    """A target's values in one spelling. Raises InputError where some are missing."""
    missing = np.asarray(column.isna() | column.isin([np.inf, -np.inf]))
    if missing.any():
        raise InputError(
            f"the target {name!r} is missing or infinite in {missing.sum()} rows, first in data row "
            f"{missing.argmax() + 1}; fill them in or remove these rows"
        )
    return column.map({value: _text(value) for value in column.unique()})


def _positive_value(name: str, values: list[str], positive: str | None) -> str:
    if positive is None:
        if not set(values) <= {"0", "1"} and not set(values) <= {"false", "true"}:
            raise InputError(f"the target {name!r} holds {listed(values)}; say which is positive: --positive VALUE")
        return values[-1]
    if _text(positive) not in values:
        raise InputError(f"the target {name!r} has no value {positive!r}; --positive takes one of {listed(values)}")
    return _text(positive)


def _text(value: object) -> str:
    """Return one spelling for 1, 1.0 and "1", and one for True and "true"."""
    text = str(value).strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        return repr(float(text)).removesuffix(".0")
    except ValueError:
        return text


def _features(frame: "pd.DataFrame") -> tuple["pd.DataFrame", tuple[str, ...]]:
    """Return numeric columns as float64 and the others as categories, without the useless ones; and notes."""
    import pandas as pd

    frame, mended = _with_numbers(frame)
    numeric: dict[str, Floats] = {}
    infinite = []
    for name in frame.select_dtypes(["number", "bool"]).columns:  # one by one: a large table is not copied whole
        values = frame[name].to_numpy(np.float64)
        if (too_large := np.abs(values) > _LARGEST).any():
            infinite.append(name)
            values = np.where(too_large, np.nan, values)
        numeric[name] = values
    typed = pd.DataFrame({name: numeric.get(name, frame[name]) for name in frame.columns}, index=frame.index)
    unnamed = [name for name in typed.columns if name.startswith("Unnamed: ")]  # an exported row index
    constant = [name for name in typed.columns if typed[name].nunique(dropna=False) < 2]
    texts = [name for name in typed.columns if name not in numeric]
    distinct = typed.drop(columns=unnamed).drop_duplicates() if texts else typed
    identifiers = [name for name in texts if name in distinct and distinct[name].is_unique]
    numbered = [name for name in numeric if _counts_rows(typed[name])]
    kept = typed.drop(columns={*unnamed, *constant, *identifiers})
    if kept.columns.empty:
        raise InputError("no feature column varies; name a file with at least one usable feature")
    notes = mended + [
        f"{what}: {listed(names)}"
        for what, names in (
            ("infinite values, or beyond 3e38, treated as missing", infinite),
            ("dropped columns without a name", unnamed),
            ("dropped columns that do not vary", constant),
            ("dropped text columns that never repeat", identifiers),
            ("whole numbers that never repeat, identifiers perhaps (then --drop them, or copies stay)", numbered),
        )
        if names
    ]
    return kept.astype({name: "category" for name in kept.columns if name in texts}), tuple(notes)


def _counts_rows(column: "pd.Series[float]") -> bool:
    return bool(len(column) > _FEW_ROWS and column.is_unique and (column % 1 == 0).all())


def _with_numbers(frame: "pd.DataFrame") -> tuple["pd.DataFrame", list[str]]:
    """Turn text columns that are nearly all numbers, decimal commas included, into numbers; and say so."""
    import pandas as pd

    read: dict[str, pd.Series[float]] = {}
    notes = []
    for name in frame.columns.difference(frame.select_dtypes(["number", "bool"]).columns, sort=False):
        text = frame[name].dropna().astype(str).str.strip()
        plain, commas = _without_commas(text)
        numbers = pd.to_numeric(plain, errors="coerce")
        lost = int(numbers.isna().sum())
        if len(numbers) and lost <= _LOST_NUMBERS * len(numbers):
            read[name] = numbers.reindex(frame.index)
            notes.append(
                f"column {name} read as numbers{commas}" + (f", {lost} cells that are none as missing" if lost else "")
            )
    columns = {name: read.get(name, frame[name]) for name in frame.columns}
    return pd.DataFrame(columns, index=frame.index), notes


def _without_commas(text: "pd.Series[str]") -> tuple["pd.Series[str]", str]:
    """Numbers as Python writes them: commas part thousands where all could, else they are decimal ones; and a note."""
    has_comma = text.str.contains(",", regex=False)
    if not has_comma.any():
        return text, ""
    if text[has_comma].str.fullmatch(_THOUSANDS).all():
        return text.str.replace(",", "", regex=False), " (commas part thousands)"
    return text.str.replace(_DECIMAL_COMMA, r"\1.\2", regex=True), " (commas are decimal)"


def did_you_mean(name: str, names: list[str]) -> str:
    """A hint at the names that are nearly this one, or nothing."""
    close = get_close_matches(name, names, n=3)
    return f"; did you mean {listed(close)}?" if close else ""


def listed(names: list[str]) -> str:
    """The first few of some names, and how many there are."""
    rest = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + rest
