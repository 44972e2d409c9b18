"""The rows of table.csv and classes.csv: typed, and flattened only when they are written."""

import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from focalbench.analysis.records import Record, read_csv, to_csv
from focalbench.errors import InputError
from focalbench.runs.result import Number

Row = TypeVar("Row", "ArmRow", "ClassRow")


class _Columns:
    """Marks a field whose values have other columns than its name."""

    def __init__(self, *names: str) -> None:
        self.names = names


class _Prefix:
    """Marks a field whose columns all begin alike."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix


class Kind(StrEnum):
    """What a row of a table stands for. tuned: the best arm of a family, chosen on validation."""

    ARM = "arm"
    TUNED = "tuned"
    REFERENCE = "reference"


class Verdict(StrEnum):
    """What a comparison with the baseline supports."""

    BASELINE = "baseline"
    BETTER = "better"
    WORSE = "worse"
    WITHIN = "within margin"
    UNDECIDED = "undecided"
    TOO_FEW = "too few seeds"
    SMOKE_TEST = "smoke test"


class Scope(StrEnum):
    """What the intervals of a table speak of: what would be seen on ...

    DRAWS: another draw from the same generator. TABLE: another table of the same kind. FOLDS: the same, of a table with
    few positives. TRAINED: other rows of later times, for models trained on these rows. GROUPS: these groups, too few
    to speak of others. THIS_TABLE: other splits of these very rows.
    """

    DRAWS = "draws"
    TABLE = "table"
    FOLDS = "folds"
    TRAINED = "trained"
    GROUPS = "groups"
    THIS_TABLE = "this table"


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean over the seeds: between the limits of a 95% interval, if there are seeds enough for one, and between the
    lowest and the highest seed.
    """

    mean: float
    low: float | None
    high: float | None
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows and positives of the three splits."""

    train_rows: int
    train_positives: int
    val_rows: int
    val_positives: int
    test_rows: int
    test_positives: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How good probabilities are; None where a number is not defined in some seed."""

    brier: float | None
    log_loss: float | None
    log_loss_skill: float | None
    expected_observed: float | None
    calibration_slope: float | None
    calibration_intercept: float | None
    ece: float | None


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over the seeds of what else is measured on the test rows."""

    roc_auc: float | None
    r_precision: float | None
    recall_at_fpr: float | None
    raw: Calibration
    recovered: Annotated[Calibration, _Prefix("recovered_")]
    noisy_test_average_precision: float | None
    positives_per_batch: float | None
    batches_without_positives: float | None


AveragePrecision = Annotated[Spread, _Columns("average_precision", "ap_low", "ap_high", "ap_min", "ap_max")]
Delta = Annotated[Spread, _Columns("delta", "delta_low", "delta_high", "delta_min", "delta_max")]
OwnStart = Annotated[
    Spread, _Columns("delta_vs_own_start", "own_start_low", "own_start_high", "own_start_min", "own_start_max")
]


@dataclass(frozen=True, slots=True)
class ArmRow:
    """A row of table.csv. delta: average precision minus the baseline's, on the same seeds.

    Its low and high are simultaneous over all rows of one start, from 6 seeds on; the pointwise ones and the raw
    p-value stand beside them. seeds_to_decide: how many an undecided row needs if the estimate stays, 0 where no
    number would do. lr_edge: the end of the grid of learning rates (lrs) that more than half of the seeds chose.
    """

    dataset: str
    positive_rate: float | None
    label_noise: float
    scope: Scope
    kind: Kind
    arm: str
    family: str
    loss: str | None
    alpha: str | None
    gamma: float | None
    init: str | None
    n_seeds: int
    failed_seeds: int
    older_seeds: int
    candidates: int
    diverged: int
    prevalence: float
    test_prevalence: float | None
    bayes_average_precision: float | None
    n_classes: int | None
    unmeasured: str | None
    sizes: Sizes
    average_precision: AveragePrecision
    delta: Delta | None
    delta_low_pointwise: float | None
    delta_high_pointwise: float | None
    p_value: float | None
    p_adjusted: float | None
    margin: float
    verdict: Verdict | None
    seeds_to_decide: int | None
    budget_limited: bool | None
    lrs: str | None
    lr_edge: float | None
    own_start: OwnStart | None
    average_precision_quarter: float | None
    average_precision_half: float | None
    scores: Scores

    @property
    def cell(self) -> tuple[str, float | None, float]:
        """What the rows of one table share: data set, rate and label noise."""
        return self.dataset, self.positive_rate, self.label_noise

    @property
    def name(self) -> str:
        """The arm's name, its start apart."""
        return self.arm.removesuffix(f" ({self.init} start)") if self.kind is Kind.ARM else self.arm


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A row of classes.csv: one arm on one class. average_precision: None where the class was not measured."""

    dataset: str
    positive_rate: float | None
    kind: Kind
    arm: str
    init: str | None
    name: Annotated[str, _Columns("class")]
    n_seeds: int
    train_positives: float
    val_positives: float
    test_positives: float
    prevalence: float
    bayes_average_precision: float | None
    average_precision: AveragePrecision | None
    delta: Delta | None


# ---- to columns, and back


@dataclass(frozen=True)
class _Column:
    """One column of a row. path: attributes that lead to its value; kind: of the value."""

    name: str
    path: tuple[str, ...]
    kind: type


@dataclass(frozen=True)
class _Field:
    """A field of a row: its type, None apart, and how its columns are called."""

    name: str
    kind: type
    optional: bool
    columns: tuple[str, ...]
    prefix: str


def _fields_of(row: type) -> tuple[_Field, ...]:
    hints = get_type_hints(row, include_extras=True)
    return tuple(_field(each.name, hints[each.name]) for each in fields(row))


def _field(name: str, hint: Any) -> _Field:
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kinds = [each for each in options if each is not type(None)]
    kind, *extras = get_args(kinds[0]) if get_origin(kinds[0]) is Annotated else (kinds[0],)
    named = next((extra.names for extra in extras if isinstance(extra, _Columns)), ())
    prefix = next((extra.prefix for extra in extras if isinstance(extra, _Prefix)), "")
    return _Field(name, kind, len(kinds) < len(options), named, prefix)


def _columns_of(row: type) -> tuple[_Column, ...]:
    found: list[_Column] = []
    for each in _fields(row):
        if not is_dataclass(each.kind):
            found.append(_Column((each.columns or (each.name,))[0], (each.name,), each.kind))
            continue
        inner = _columns(each.kind)
        names = each.columns or [each.prefix + column.name for column in inner]
        found += [
            _Column(name, (each.name, *column.path), column.kind) for name, column in zip(names, inner, strict=True)
        ]
    return tuple(found)


# once a kind of row
_fields: Callable[[type], tuple[_Field, ...]] = lru_cache(_fields_of)
_columns: Callable[[type], tuple[_Column, ...]] = lru_cache(_columns_of)


def columns(row: type) -> tuple[str, ...]:
    """The columns of a kind of row."""
    return tuple(column.name for column in _columns(row))


def texts(row: type) -> tuple[str, ...]:
    """Those that are no numbers."""
    return tuple(column.name for column in _columns(row) if issubclass(column.kind, (str, bool)))


def flatten(row: ArmRow | ClassRow) -> Record:
    """A row by column; a bool as true or false."""
    return {column.name: _plain(_at(row, column.path)) for column in _columns(type(row))}


def _at(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = None if value is None else getattr(value, name)
    return value


def _plain(value: Any) -> Number:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, StrEnum) else cast(Number, value)


def rows_of(row: type[Row], records: Iterable[Record]) -> list[Row]:
    """Rows from what they were flattened to. Raises InputError for a value of another kind."""
    return [cast(Row, _built(row, _columns(row), record, 0)) for record in records]


def _built(row: type, found: Sequence[_Column], record: Record, depth: int) -> object:
    """A row, or what nests in one at some depth, from its columns."""
    values: dict[str, object] = {}
    for each in _fields(row):
        own = [column for column in found if column.path[depth] == each.name]
        if not is_dataclass(each.kind):
            value = record[own[0].name]
            values[each.name] = None if value is None and each.optional else _value(own[0], value)
        elif each.optional and all(record[column.name] is None for column in own):
            values[each.name] = None
        else:
            values[each.name] = _built(each.kind, own, record, depth + 1)
    return row(**values)


def _value(column: _Column, value: Number) -> object:
    if column.kind is float and isinstance(value, int):
        return float(value)
    if column.kind is bool and value in ("true", "false"):
        return value == "true"
    if issubclass(column.kind, StrEnum) and value in list(column.kind):
        return column.kind(str(value))
    if type(value) is not column.kind:
        raise InputError(f"{value!r} is no {column.name} of this version; run the experiment again")
    return value


def read_rows(path: Path, row: type[Row]) -> list[Row]:
    """The rows of a file that to_csv wrote. Raises InputError for any other file."""
    records = read_csv(path, columns(row), texts(row))
    try:
        return rows_of(row, records)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def rows_text(row: type, rows: Iterable[ArmRow | ClassRow]) -> str:
    """Rows as CSV text; the columns alone where there are none."""
    return to_csv(columns(row), [flatten(each) for each in rows])
