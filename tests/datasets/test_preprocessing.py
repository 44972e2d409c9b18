from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from focalbench.datasets import preprocessing
from focalbench.datasets.preprocessing import coded_width, preprocess
from focalbench.datasets.tables.table import Table
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.stacks import worker_bytes
from focalbench.runs.columns import Columns

TRAIN, VALIDATION, TEST = np.arange(0, 400), np.arange(400, 600), np.arange(600, 1000)
SPLITS = (TRAIN, VALIDATION, TEST)


def table(frame: pd.DataFrame) -> Table:
    categorical = tuple(name for name in frame if frame[name].dtype == "category")
    return Table(frame, np.zeros(len(frame), np.int8), categorical, "")


def numbers(count: int = 1000) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(50, 9, count)


def test_training_numbers_are_standardised() -> None:
    train, _, test = preprocess(table(pd.DataFrame({"x": numbers()})), SPLITS)
    assert train.shape == (400, 1)
    np.testing.assert_allclose([train.mean(), train.std()], [0, 1], atol=1e-6)
    expected = (numbers()[TEST] - numbers()[TRAIN].mean()) / numbers()[TRAIN].std()
    np.testing.assert_allclose(test[:, 0], expected, rtol=1e-5, atol=1e-6)
    assert train.dtype == np.float32
    assert train.flags.c_contiguous


def test_statistics_come_from_training_rows_only() -> None:
    frame = pd.DataFrame({"x": numbers(), "c": pd.Categorical.from_codes(np.arange(1000) % 50, range(50))})
    changed = frame.copy()
    changed.loc[400:, "x"] = changed.loc[400:, "x"] * 1000 + 7
    changed.loc[400:, "c"] = 3
    before, after = preprocess(table(frame), SPLITS), preprocess(table(changed), SPLITS)
    np.testing.assert_array_equal(before[0], after[0])
    assert not np.array_equal(before[2], after[2])


def test_missing_numbers_take_the_training_median_and_show() -> None:
    x = numbers()
    x[[0, 1, 700]] = np.nan
    train, _, test = preprocess(table(pd.DataFrame({"x": x})), SPLITS)
    assert train.shape == (400, 2)
    filled = np.where(np.isnan(x), np.nanmedian(x[TRAIN]), x)
    expected = (filled - filled[TRAIN].mean()) / filled[TRAIN].std()
    np.testing.assert_allclose(train[:, 0], expected[TRAIN], atol=1e-5)
    np.testing.assert_allclose(test[:, 0], expected[TEST], atol=1e-5)
    assert train[:3, 1].tolist() == [1, 1, 0]
    assert test[99:102, 1].tolist() == [0, 1, 0]


def test_the_width_is_schema() -> None:
    rare = np.arange(1000) % 3
    rare[999] = 3  # a level that training never sees
    gap = numbers()
    gap[998] = np.nan  # a gap that training never sees
    many = pd.Categorical.from_codes(np.where(np.arange(1000) < 400, 0, np.arange(1000) % 60), range(60))
    lone = np.where(np.arange(1000) < 400, np.nan, 1.0)  # nothing but gaps in training
    frame = pd.DataFrame({"r": pd.Categorical(rare), "g": gap, "m": many, "l": lone})
    for order in (SPLITS, SPLITS[::-1], (VALIDATION, TEST, TRAIN)):
        assert {part.shape[1] for part in preprocess(table(frame), order)} == {2 + 2 + 4 + 32}
    train, _, test = preprocess(table(frame), SPLITS)
    assert train[:, 7].sum() == 0
    assert test[399, 4:8].tolist() == [0, 0, 0, 1]
    assert (test[:, 8:].sum(axis=1) == 1).all()


def test_a_missing_category_is_a_level() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["a", None, "b", "a"] * 250)})
    train, _, _ = preprocess(table(frame), SPLITS)
    assert train[:4].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("value", [1e30, -1e30])
def test_extremes_are_clipped(value: float) -> None:
    x = numbers()
    x[999] = value
    flat = np.where(np.arange(1000) < 400, 1.0, 5000.0)  # constant in training
    _, _, test = preprocess(table(pd.DataFrame({"x": x, "f": flat})), SPLITS)
    assert test[399].tolist() == [np.sign(value) * 10, 10]


def test_chunks_join_up(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"x": numbers(), "c": pd.Categorical(np.arange(1000) % 5)})
    whole = preprocess(table(frame), SPLITS)
    monkeypatch.setattr("focalbench.datasets.preprocessing._CHUNK", 7)
    for before, after in zip(whole, preprocess(table(frame), SPLITS), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_large_table_is_fitted_in_groups_of_columns_to_the_same_features(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": rng.normal(i, 1 + i, 1000) for i in range(5)})
    frame.loc[::7, "x1"] = frame.loc[::5, "x3"] = np.nan
    frame["c"], frame["d"] = pd.Categorical(np.arange(1000) % 3), pd.Categorical(np.arange(1000) % 40)
    whole = preprocess(table(frame), SPLITS)
    monkeypatch.setattr(preprocessing, "_CELLS", 2 * len(TRAIN))
    monkeypatch.setattr(preprocessing, "_CHUNK", 33)
    for part, expected in zip(preprocess(table(frame), SPLITS), whole, strict=True):
        np.testing.assert_array_equal(part, expected)


def test_the_width_planned_with_is_the_width_got() -> None:
    rng = np.random.default_rng(0)
    many = pd.Categorical([f"v{i}" for i in rng.integers(0, 3000, 4000)])
    few = pd.Categorical(rng.choice(np.array(["a", "b", None], dtype=object), 4000), categories=["a", "b", "unused"])
    edge = [pd.Categorical(rng.integers(0, levels, 4000).astype(str)) for levels in (31, 32, 33)]
    gaps = np.where(rng.random(4000) < 0.1, np.nan, rng.random(4000))
    columns = {"x": rng.random(4000), "gaps": gaps, "many": many, "few": few}
    frame = pd.DataFrame(columns | dict(zip("pqr", edge, strict=True)))
    splits = (np.arange(2000), np.arange(2000, 3000), np.arange(3000, 4000))
    assert coded_width(table(frame)) == preprocess(table(frame), splits)[0].shape[1] == 1 + 2 + 32 + 3 + 31 + 32 + 32


def test_a_worker_is_not_thought_to_hold_a_column_for_every_level(tmp_path: Path) -> None:
    rows = [f"{i % 977},c{i % 9_001},{int(i % 10 == 0)}" for i in range(20_000)]
    (tmp_path / "m.csv").write_text("\n".join(["x,merchant,y", *rows, ""]))
    experiment = Experiment(
        datasets=(str(tmp_path / "m.csv"),), positive_rates=(None,), columns=Columns(target="y"), seeds=1
    )
    assert worker_bytes(make_plan(experiment).runs) < 1e9
