"""What a user's table is to predict: a column of two values, one of several classes, or several columns of labels."""

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalbench.base.text import setting
from focalbench.datasets.dataset import Known, Targets
from focalbench.datasets.prevalence import LEAST_TABLE_POSITIVES, MIN_POSITIVES
from focalbench.datasets.tables.table import TargetReading
from focalbench.errors import InputError
from focalbench.runs.catalogue import Task

if TYPE_CHECKING:
    import pandas as pd

LEAST_CLASSES, MOST_CLASSES = 3, 100
LEAST_OF_A_CLASS = 10  # rows, so that each split can have some
# a negative and a positive that need no further word, in any case; beyond these a person has to say
PAIRS = (
    *(("0", "1"), ("-1", "1"), ("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"), ("nein", "ja")),
    *(("non", "oui"), ("no", "si"), ("no", "sí"), ("negative", "positive"), ("neg", "pos")),
)
_NEGATIVES, _POSITIVES = (frozenset(side) for side in zip(*PAIRS, strict=True))
_UNKNOWN = frozenset(("unknown", "unk", "missing", "other"))  # values that nobody looks for
# texts that stand for a missing value, in any case, unless they are named as a class or are one of two
MARKS = frozenset(
    ("na", "n/a", "<na>", "#n/a", "#n/a n/a", "#na", "nan", "-nan", "null", "none", "?")  # and what old tools print:
) | {"-1.#ind", "-1.#qnan", "1.#ind", "1.#qnan"}
_SHOWN = 8  # names or values listed in a message
_PUNCTUATION = re.compile(r"""[\s.,;:!?'"`()\[\]_/\\*#]|(?<=\w)-(?=\w)""")  # > and + are none: >50K is not 50K
_WHOLE_NUMBER = re.compile(r"[+-]?\d+(\.0*)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Outputs(NamedTuple):
    """What a table predicts.

    labels: (rows, outputs) int8 of 0 and 1, one-hot for classes. names: of the outputs, none for a binary target.
    known: (rows, outputs) where a label is known, None where all are. readings: how each column was read. warnings:
    what a reader should look at. changes: as of Table.
    """

    labels: Targets
    names: tuple[str, ...] = ()
    known: Known | None = None
    readings: tuple[TargetReading, ...] = ()
    warnings: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def codes(self) -> NDArray[np.int64]:
        """A number for each combination of labels, (rows,)."""
        if self.labels.shape[1] == 1:
            return self.labels[:, 0].astype(np.int64)
        held = self.labels if self.known is None else np.where(self.known, self.labels, -1)
        return np.unique(held, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)

    def held(self, label: int) -> NDArray[np.bool_]:
        """Where an output is known to be 1, or 0: (rows, outputs)."""
        found = np.asarray(self.labels == label)
        return found if self.known is None else found & self.known

    def rows(self, kept: NDArray[np.bool_]) -> "Outputs":
        """The outputs of some rows."""
        return self._replace(labels=self.labels[kept], known=None if self.known is None else self.known[kept])

    def ordered(self, order: Sequence[int]) -> "Outputs":
        """The outputs in another order."""
        known = None if self.known is None else self.known[:, order]
        return self._replace(labels=self.labels[:, order], names=tuple(self.names[k] for k in order), known=known)


def read_outputs(frame: "pd.DataFrame", task: Task, columns: Sequence[str], positive: str | None) -> Outputs:
    """Return what a frame's columns (one, but for a multilabel task) are to predict. Raises InputError."""
    if task == "multilabel":
        return _labels([_Values(frame[name], name, positive) for name in columns], positive)
    (name,) = columns
    values = _Values(frame[name], name, positive)
    values.check_complete()
    return _classes(values, positive) if task == "multiclass" else _two_values(values, positive)


def rare_last(outputs: Outputs, task: Task, name: str, positive: str | None) -> Outputs:
    """The outputs with the rare one last: that of `positive`, or the rarest that can be split and measured.

    Raises InputError where there is none, and for classes of next to no rows.
    """
    if task == "binary":
        return outputs
    totals = outputs.labels.sum(axis=0, dtype=np.int64)
    few = [
        f"{other} ({rows_of(rows)})"
        for other, rows in zip(outputs.names, totals, strict=True)
        if rows < LEAST_OF_A_CLASS
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
    rates = totals / (totals + outputs.held(0).sum(axis=0, dtype=np.int64))
    rare = int(usable[rates[usable].argmin()])
    if positive is not None and task == "multiclass":
        rare = outputs.names.index(_text(positive))
    return outputs.ordered([k for k in range(len(totals)) if k != rare] + [rare])


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
            f"a split has too few rows of {listed(refused)}; ask for more `rows`, take more data, or leave these out"
        )
    return tuple(np.flatnonzero(enough).tolist())


class _Values:
    """A column's cells as text, one spelling for each value.

    name: of the column. texts: (rows,). missing: (rows,) where there is no value. counts: rows of each value, the most
    frequent first. wanted: the value that is asked for, if any.
    """

    def __init__(self, column: "pd.Series[object]", name: str, positive: str | None) -> None:
        self.name, self.wanted = name, None if positive is None else _text(positive)
        texts = column.map({value: _text(value) for value in column.unique()})
        empty = np.asarray(column.isna() | column.isin([np.inf, -np.inf]) | (texts == ""))
        marks = {str(value) for value in texts[~empty].unique() if str(value).casefold() in MARKS}
        others = set(texts[~empty].unique()) - marks
        self.marks = marks - {self.wanted} - (marks if len(marks) == len(others) == 1 else set())
        self.missing = empty | np.asarray(texts.isin(self.marks))
        self.written = texts  # as in the file
        self.texts = _one_spelling(texts, texts[~self.missing].value_counts())
        found = self.texts[~self.missing].value_counts()
        self.counts = {str(value): int(found[value]) for value in sorted(found.index, key=lambda v: (-found[v], v))}

    def check_complete(self) -> None:
        """Raise InputError where values are missing."""
        if not self.missing.any():
            return
        where = f"{rows_of(int(self.missing.sum()))}, first in data row {self.missing.argmax() + 1}"
        remedy = "fill them in or remove these rows"
        if len(self.counts) == 1:
            remedy += f"; {self._with_blanks()}"
        elif self.marks:
            mark = min(self.marks)
            remedy += f"; where {mark!r} is a class, name it with `positive` or write it as another word"
        raise InputError(f"the target {self.name!r} is missing or infinite in {where}; {remedy}")

    def positive(self) -> str:
        """The value that counts as 1: the one asked for, or that of a known pair. Raises InputError."""
        if not self.counts:
            raise InputError(f"the target {self.name!r} holds no value at all; leave it out")
        if self.wanted is not None:
            alike = [value for value in self.counts if value.casefold() == self.wanted.casefold()]
            if self.wanted in self.counts or (_pair(self.counts) and alike):
                return self.wanted if self.wanted in self.counts else alike[0]
            names = listed(list(self.counts))
            raise InputError(f"the target {self.name!r} has no value {self.wanted!r}; `positive` takes one of {names}")
        if pair := _pair(self.counts):
            return next((value for value in self.counts if value.casefold() == pair[1]), next(iter(self.counts)))
        held = listed([f"{value} ({rows_of(count)})" for value, count in self.counts.items()])
        remedies = (f"say which is positive{self._suggestion()}", *self._strays())
        raise InputError(f"the target {self.name!r} holds {held}; {'; '.join(remedies)}")

    def check_both(self) -> None:
        """Raise InputError where there is one value only."""
        if len(self.counts) > 1:
            return
        remedy = self._with_blanks() if self.missing.any() else "both classes are needed"
        raise InputError(f"the target {self.name!r} holds only the value {next(iter(self.counts))}; {remedy}")

    def _with_blanks(self) -> str:
        """What to do where only the positives are marked."""
        (value,) = self.counts
        named = "" if _pair((value, "0")) else f" and give {setting('positive', value)}"
        return f"where an empty cell means that it is not {value}, write 0 into it{named}"

    def _suggestion(self) -> str:
        """The option with the rarest value that may well be positive, where there is one."""
        rows, few = sum(self.counts.values()), self._few()
        frequent = [value for value, count in self.counts.items() if count > few]
        positive = [value for value in frequent if value.casefold() in _POSITIVES]
        others = [value for value in frequent if value.casefold() not in _NEGATIVES | _UNKNOWN]
        if not positive and len(frequent) < 2:
            return " with `positive`"
        rare = (positive or others or frequent)[-1]
        such = "" if len(self.counts) == 2 else "such as "
        share = f"{100 * self.counts[rare] / rows:.2g}%"
        return f", {such}{setting('positive', rare)} ({rows_of(self.counts[rare])}, {share})"

    def _few(self) -> int:
        """At most so many rows are no class: those of a footer, or of a header that is there again."""
        return max(1, min(LEAST_TABLE_POSITIVES, sum(self.counts.values()) // 20) - 1)

    def _strays(self) -> Iterator[str]:
        """Where a value that is there once may be no value at all."""
        if len(self.counts) > 2 and list(self.counts.values()).count(1) == 1:
            value = list(self.counts)[-1]
            row = int(np.argmax(self.texts == value)) + 1
            yield f"{value!r} is in data row {row:,} only: where it is a footer or a second header, remove that row"

    def reading(self, positive: str) -> TargetReading:
        """What is told of it."""
        written = {str(text) for text in self.written[~self.missing].unique()}
        others = tuple(sorted(written - set(self.counts)))
        unknown = int(self.missing.sum())
        return TargetReading(self.name, tuple(self.counts), tuple(self.counts.values()), positive, unknown, others)


def _pair(values: Iterable[str]) -> tuple[str, str] | None:
    """The known pair that values are of, whatever their case."""
    folded = {value.casefold() for value in values}
    return next((pair for pair in PAIRS if folded <= set(pair)), None)


def _one_spelling(texts: "pd.Series[str]", counts: "pd.Series[int]") -> "pd.Series[str]":
    """The same, each value of a known pair spelled as it is most often."""
    if not _pair(counts.index):
        return texts
    usual = {value.casefold(): value for value in reversed(list(counts.index))}
    return texts.map({value: usual[value.casefold()] for value in counts.index})


def _two_values(values: _Values, positive: str | None) -> Outputs:
    wanted = values.positive()
    values.check_both()
    labels = np.asarray(values.texts == wanted)
    before = labels if positive is None else np.asarray(values.written == values.wanted)
    return Outputs(
        labels.astype(np.int8)[:, None],
        readings=(values.reading(wanted),),
        warnings=tuple(_near(values, wanted)),
        changes=() if np.array_equal(labels, before) else (f"spellings of {wanted} are one value",),
    )


def _near(values: _Values, positive: str) -> Iterator[str]:
    """A warning for every other value that may be the positive one, written otherwise."""
    named = f"the positive {positive!r} ({rows_of(values.counts[positive])})"
    for value, count in values.counts.items():
        if value != positive and (doubt := _likeness(value, positive, named)):
            yield (
                f"the target {values.name!r} is {value!r} in {rows_of(count)}, which counts as negative and {doubt}; "
                "where both mean the same, write them alike in the file"
            )


def _likeness(value: str, other: str, named: str) -> str:
    """In what way a value may be another, of that name; "" for none."""
    both = {bare(value), bare(other)}
    if len(both) == 1:
        return f"differs from {named} only in case, blanks or punctuation"
    return f"may mean the same as {named}" if both <= _POSITIVES or both <= _NEGATIVES else ""


def bare(value: str) -> str:
    """A value without case, blanks, punctuation and what cannot be seen; numbers, and values of nothing else, as they
    are.

    >>> bare("V."), bare(" v"), bare("1.5"), bare("?")
    ('v', 'v', '1.5', '?')
    """
    seen = "".join(sign for sign in unicodedata.normalize("NFKC", value) if unicodedata.category(sign) != "Cf")
    bare = _PUNCTUATION.sub("", seen.casefold())
    return value if _NUMBER.fullmatch(value) or not bare else bare


def _classes(values: _Values, positive: str | None) -> Outputs:
    """The classes, the most frequent first."""
    names = tuple(values.counts)
    if not LEAST_CLASSES <= len(names) <= MOST_CLASSES:
        raise InputError(
            f"the target {values.name!r} holds {len(names):,} different values; `task=multiclass` is for "
            f"{LEAST_CLASSES} to {MOST_CLASSES} classes"
        )
    rare = values.positive() if positive is not None else ""
    labels = np.stack([np.asarray(values.texts == value) for value in names], axis=1).astype(np.int8)
    return Outputs(labels, names, readings=(values.reading(rare),), warnings=tuple(_alike(values)))


def _alike(values: _Values) -> Iterator[str]:
    """A warning for every class that may be another, written otherwise."""
    first: dict[str, str] = {}
    for value, count in values.counts.items():
        other = first.setdefault(bare(value), value)
        if other != value:
            yield (
                f"the classes {other!r} ({rows_of(values.counts[other])}) and {value!r} ({rows_of(count)}) of "
                f"{values.name!r} differ only in case, blanks or punctuation; where both mean the same, write them "
                "alike in the file"
            )


def _labels(columns: Sequence[_Values], positive: str | None) -> Outputs:
    """A label for each column; cells without a value are unknown."""
    read = [_two_values(values, positive) for values in columns]
    known = np.stack([~values.missing for values in columns], axis=1)
    return Outputs(
        np.concatenate([each.labels for each in read], axis=1) * known.astype(np.int8),
        tuple(values.name for values in columns),
        None if known.all() else known,
        tuple(reading for each in read for reading in each.readings),
        tuple(text for each in read for text in each.warnings),
        tuple(text for each in read for text in each.changes),
    )


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


def rows_of(count: int) -> str:
    """So many rows, in words.

    >>> rows_of(1), rows_of(1234)
    ('1 row', '1,234 rows')
    """
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def listed(names: Sequence[str]) -> str:
    """The first few of some names, and how many there are."""
    rest = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + rest
