"""What people have in memory becomes one table, its types kept, or one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from focalbench.api.given import Roles, take
from focalbench.datasets import Columns, read_table
from focalbench.errors import InputError

ROWS = 600
RNG = np.random.default_rng(0)
Y = pd.Series(np.arange(ROWS) % 10 == 0, name="is fraud")
FRAME = pd.DataFrame(
    {
        "amount": RNG.lognormal(size=ROWS),
        "short": RNG.normal(size=ROWS).astype(np.float32),
        "many": pd.array(RNG.integers(0, 9, ROWS), dtype="Int64"),
        "flag": RNG.random(ROWS) < 0.3,
        "code": pd.Categorical(RNG.integers(0, 5, ROWS).astype(str)),
        "kind of": pd.Categorical(RNG.integers(0, 5, ROWS)),
        "place": RNG.choice(["north", "south"], ROWS),
        "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 9000, ROWS), unit="h"),
    }
)
FRAME.loc[3, "many"] = pd.NA
FRAME.loc[5, "amount"] = np.nan
KINDS = dict.fromkeys(("amount", "short", "many", "flag"), "number")
KINDS |= {"code": "category", "kind of": "category", "place": "category", "when": "date"}


def read(folder: Path, X: object, y: object, roles: Roles | None = None, positive: object = None) -> Any:
    """The table that the engine reads of what was given."""
    found = take(X, y, roles or Roles(), positive)
    found.write(folder / "d.parquet")
    return read_table(str(folder / "d.parquet"), found.columns)


def test_a_frame_keeps_its_types(tmp_path: Path) -> None:
    table = read(tmp_path, FRAME, Y)
    assert {column.name: column.read_as for column in table.columns} == KINDS
    assert {column.name: column.missing for column in table.columns if column.missing} == {"amount": 1, "many": 1}
    assert np.array_equal(table.targets, Y)
    expected = FRAME["amount"].to_numpy(np.float32)
    spread = table.frame["amount"].to_numpy() - expected  # less its median
    assert np.nanmax(spread) - np.nanmin(spread) < 1e-6


def test_polars_is_read_as_pandas_is(tmp_path: Path) -> None:
    frame = pl.from_pandas(FRAME.astype({"kind of": "int64"})).with_columns(
        pl.col("code").cast(pl.Categorical), pl.col("place").cast(pl.Enum(["north", "south"]))
    )
    table = read(tmp_path, frame, pl.Series("is fraud", Y.to_numpy()))
    assert {column.name: column.read_as for column in table.columns} == KINDS | {"kind of": "number"}
    assert table.target == "is fraud"
    assert np.array_equal(table.targets, Y)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.longdouble, np.int8, np.uint64, bool, object])
def test_arrays_of_any_number_are_read(tmp_path: Path, dtype: Any) -> None:
    values = np.asarray(RNG.integers(0, 2, (ROWS, 3)), dtype=dtype)
    table = read(tmp_path, values, Y.to_numpy().astype(int))
    assert [(column.name, column.read_as) for column in table.columns] == [(f"x{k}", "number") for k in range(3)]
    assert np.array_equal(table.frame.to_numpy(), values.astype(np.float32))


def test_the_parts_of_columns_are_told_by_name_or_given_beside_x() -> None:
    days, weights = np.arange(ROWS), np.ones(ROWS)
    found = take(FRAME, Y, Roles(None, "when", weights)).columns
    assert (found.target, found.time, found.weight, found.group) == ("is fraud", "when", "sample_weight", None)
    assert found.category == ("code", "kind of")
    assert take(FRAME, Y, Roles(time=days)).columns.time == "time"
    assert take(FRAME, Y, Roles("code")).columns == Columns(target="is fraud", group="code", category=("kind of",))
    taken = FRAME.assign(y=1.0, y_=2.0)
    assert take(taken, Y.to_numpy(), Roles()).columns.target == "y__"


def test_one_column_of_targets_is_one_target() -> None:
    column = Y.to_numpy()[:, None]
    for y in (column, Y.to_frame(), column.tolist()):
        assert take(FRAME, y, Roles()).table.column("y").to_pylist() == Y.tolist()


def test_texts_that_a_frame_holds_are_known() -> None:
    assert take(FRAME, Y, Roles()).texts == ["place"]
    assert take(FRAME, Y, Roles("place")).texts == []


NUMBERS = FRAME[["amount", "short"]].to_numpy()
REFUSED = {
    "no rows": (NUMBERS[:0], Y[:0], "X has no rows or no columns"),
    "lengths": (NUMBERS, Y[:-1], "y has 599 rows where there are 600"),
    "one dimension": (NUMBERS[:, 0], Y, "X is of 1 dimension"),
    "three dimensions": (NUMBERS[:, :, None], Y, "X is of 3 dimension"),
    "nothing": (None, Y, "X is a NoneType"),
    "a dict": ({"a": [1]}, Y, "X is a dict"),
    "a lazy frame": (pl.from_pandas(FRAME).lazy(), Y, "X is a LazyFrame"),
    "texts": (NUMBERS.astype(str), Y, "X is an array of <U"),
    "objects": (FRAME.to_numpy(), Y, "X is an array of object"),
    "complex numbers": (NUMBERS + 1j, Y, "X is an array of complex128"),
    "a sparse matrix": (sparse.csr_matrix(NUMBERS), Y, "X is sparse"),
    "a sparse array": (sparse.csr_array(NUMBERS), Y, "X is sparse"),
    "a sparse frame": (FRAME[["short"]].astype(pd.SparseDtype("float32")), Y, "X is sparse"),
    "several types": (FRAME.assign(m=[1, "a"] * 300), Y, "the column 'm' holds values of several types"),
    "two names": (pd.concat([FRAME, FRAME[["code"]]], axis=1), Y, "X has more than one column named code"),
    "two targets": (NUMBERS, np.c_[Y, Y], "y has 2 dimension"),
    "the target": (FRAME.assign(**{"is fraud": Y}), Y, "X still holds the target 'is fraud'"),
    "another order": (FRAME, Y.sample(frac=1, random_state=0), "the same labels in another order"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_a_sentence(case: str) -> None:
    X, y, said = REFUSED[case]
    with pytest.raises(InputError, match=said) as refused:
        take(X, y, Roles())
    assert "\n" not in str(refused.value)


def test_labels_that_say_no_other_order_are_no_matter() -> None:
    shuffled = FRAME.sample(frac=1, random_state=0)
    for y in (Y.loc[shuffled.index], Y.loc[shuffled.index].reset_index(drop=True).rename(index=lambda k: k + 10_000)):
        assert take(shuffled, y, Roles()).table.column("is fraud").to_pylist() == y.tolist()


def test_a_part_that_x_has_not_is_refused() -> None:
    with pytest.raises(InputError, match="time: X has no column 'day'; it has amount"):
        take(FRAME, Y, Roles(time="day"))
    with pytest.raises(InputError, match="sample_weight has 2 rows where there are 600"):
        take(FRAME, Y, Roles(sample_weight=[1, 2]))
