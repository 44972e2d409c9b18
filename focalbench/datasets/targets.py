"""What a user's table is to predict: a column of two values, one of several classes, or several columns of 0 and 1."""

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalbench.arms import Task
from focalbench.datasets.dataset import Targets
from focalbench.datasets.prevalence import LEAST_TABLE_POSITIVES, MIN_POSITIVES
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

LEAST_CLASSES, MOST_CLASSES = 3, 100
LEAST_OF_A_CLASS = 10  # rows, so that each split can have some
_SHOWN = 8  # names or values listed in a message
_WHOLE_NUMBER = re.compile(r"[+-]?\d+(\.0*)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Outputs(NamedTuple):
    """labels: (rows, outputs) int8 of 0 and 1, one-hot for classes. names: of the outputs, none for a binary target."""

    labels: Targets
    names: tuple[str, ...] = ()

    @property
    def codes(self) -> NDArray[np.int64]:
        """A number for each combination of labels, (rows,)."""
        if self.labels.shape[1] == 1:
            return self.labels[:, 0].astype(np.int64)
        return np.unique(self.labels, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def read_outputs(frame: "pd.DataFrame", task: Task, columns: Sequence[str], positive: str | None) -> Outputs:
    """Return what a frame's columns (one, but for a multilabel task) are to predict. Raises InputError."""
    if task == "multilabel":
        return Outputs(np.stack([_zero_one(frame[name], name) for name in columns], axis=1), tuple(columns))
    (name,) = columns
    texts = _as_text(frame[name], name)
    if task == "multiclass":
        return _classes(texts, name)
    values = sorted(set(texts))
    wanted = _positive_value(name, values, positive)
    if len(values) < 2:
        raise InputError(f"the target {name!r} holds only the value {values[0]}; both classes are needed")
    return Outputs(np.asarray(texts == wanted).astype(np.int8)[:, None])


def rare_last(outputs: Outputs, task: Task, name: str, positive: str | None) -> Outputs:
    """The outputs with the rare one last: that of `positive`, or the rarest that can be split and measured.

    Raises InputError where there is none, and for classes of next to no rows.
    """
    if task == "binary":
        return outputs
    totals = outputs.labels.sum(axis=0, dtype=np.int64)
    few = [
        f"{other} ({rows} rows)" for other, rows in zip(outputs.names, totals, strict=True) if rows < LEAST_OF_A_CLASS
    ]
    if few and task == "multiclass":
        raise InputError(
            f"classes of {name!r} with fewer than {LEAST_OF_A_CLASS} rows, duplicates apart: {listed(few)}; merge or "
            "remove them"
        )
    usable = np.flatnonzero(totals >= LEAST_TABLE_POSITIVES)
    if not len(usable):
        raise InputError(
            f"no class or label has {LEAST_TABLE_POSITIVES} rows, the least that can be split; take more data"
        )
    rare = int(usable[totals[usable].argmin()])
    if positive is not None:
        rare = outputs.names.index(_positive_value(name, list(outputs.names), positive))
    order = [k for k in range(len(totals)) if k != rare] + [rare]
    return Outputs(outputs.labels[:, order], tuple(outputs.names[k] for k in order))


def measured_outputs(names: Sequence[str], counts: Sequence[NDArray[np.int64]], *, multilabel: bool) -> tuple[int, ...]:
    """The outputs of which validation and test hold enough rows; the others are trained on and left out of averages.

    counts: rows (outputs,) of each in training, validation and test. Raises InputError for a class without rows to
    train on, and for labels with too few anywhere.
    """
    train, validation, test = counts
    enough = np.minimum(validation, test) >= MIN_POSITIVES
    fine = enough & (train >= MIN_POSITIVES) if multilabel else train >= 1
    if not fine.all():
        refused = [name for name, good in zip(names, fine, strict=True) if not good]
        raise InputError(
            f"a split has too few rows of {listed(refused)}; ask for more --rows, take more data, or leave these out"
        )
    return tuple(np.flatnonzero(enough).tolist())


def _classes(texts: "pd.Series[str]", name: str) -> Outputs:
    """The classes, the most frequent first."""
    counts = texts.value_counts()
    if not LEAST_CLASSES <= len(counts) <= MOST_CLASSES:
        raise InputError(
            f"the target {name!r} holds {len(counts):,} different values; --task multiclass is for {LEAST_CLASSES} to "
            f"{MOST_CLASSES} classes"
        )
    names = tuple(sorted(counts.index, key=lambda value: (-counts[value], value)))
    return Outputs(np.stack([np.asarray(texts == value) for value in names], axis=1).astype(np.int8), names)


def _zero_one(column: "pd.Series[object]", name: str) -> Targets:
    texts = _as_text(column, name)
    values = sorted(set(texts))
    if values not in (["0", "1"], ["false", "true"]):
        raise InputError(
            f"the label {name!r} holds {listed(values)}; a label must hold both 0 and 1 (or false and true)"
        )
    return np.asarray(texts == values[1]).astype(np.int8)


def _as_text(column: "pd.Series[object]", name: str) -> "pd.Series[str]":
    """A target's values in one spelling. Raises InputError where some are missing."""
    texts = column.map({value: _text(value) for value in column.unique()})
    missing = np.asarray(column.isna() | column.isin([np.inf, -np.inf]) | (texts == ""))
    if missing.any():
        raise InputError(
            f"the target {name!r} is missing or infinite in {missing.sum()} rows, first in data row "
            f"{missing.argmax() + 1}; fill them in or remove these rows"
        )
    return texts


def _positive_value(name: str, values: list[str], positive: str | None) -> str:
    if positive is None:
        if not set(values) <= {"0", "1"} and not set(values) <= {"false", "true"}:
            raise InputError(f"the target {name!r} holds {listed(values)}; say which is positive: --positive VALUE")
        return values[-1]
    if _text(positive) not in values:
        raise InputError(f"the target {name!r} has no value {positive!r}; --positive takes one of {listed(values)}")
    return _text(positive)


def _text(value: object) -> str:
    """Return one spelling for 1, 1.0 and "1", and one for True and "true", in one line.

    >>> [_text(value) for value in (1, 1.0, "1.", "1e1", "1_0", "12345678901234567", " a  b ", True)]
    ['1', '1', '1', '10', '1_0', '12345678901234567', 'a b', 'true']
    """
    text = " ".join(str(value).split())
    if text.lower() in ("true", "false"):
        return text.lower()
    if len(text) <= sys.int_info.default_max_str_digits and _WHOLE_NUMBER.fullmatch(text):
        return str(int(text.partition(".")[0]))
    return repr(float(text)).removesuffix(".0") if _NUMBER.fullmatch(text) else text


def listed(names: Sequence[str]) -> str:
    """The first few of some names, and how many there are."""
    rest = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + rest
