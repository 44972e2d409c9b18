"""Fine features: the bins of numbers against the paper's formula, and many levels of a category."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from focalbench.datasets.build import build_splits, resolve, width
from focalbench.datasets.piecewise import PiecewiseLinear
from focalbench.datasets.preprocessing import FINE, coded_width, preprocess
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.stacks import worker_bytes
from focalbench.runs.run import Recipe
from tests.datasets.test_preprocessing import SPLITS, TEST, TRAIN, numbers, table


def by_formula(x: float, edges: NDArray[np.float64]) -> list[float]:
    """Gorishniy et al., 2022, equation 1, within the outer edges."""
    found = []
    for low, high in pairwise(edges):
        found.append(0.0 if x < low else 1.0 if x >= high else (x - low) / (high - low))
    return found


def test_bins_are_the_papers_formula_at_quantiles_of_the_training_rows() -> None:
    x = numbers()
    train, _, test = preprocess(table(pd.DataFrame({"x": x})), SPLITS, FINE)
    edges = np.quantile(x[TRAIN], np.linspace(0, 1, FINE.bins + 1))
    for found, rows in ((train, TRAIN), (test, TEST)):
        assert found.shape[1] == 1 + FINE.bins
        expected = np.array([by_formula(each, edges) for each in x[rows]])
        np.testing.assert_allclose(found[:, 1:], expected, atol=1e-6)
    np.testing.assert_array_equal(train[:, 0], preprocess(table(pd.DataFrame({"x": x})), SPLITS)[0][:, 0])


def test_edges_come_from_training_rows_only() -> None:
    frame = pd.DataFrame({"x": numbers()})
    changed = frame.copy()
    changed.loc[400:, "x"] = changed.loc[400:, "x"] * 1000 + 7
    before, after = (preprocess(table(each), SPLITS, FINE) for each in (frame, changed))
    np.testing.assert_array_equal(before[0], after[0])
    assert after[2][:, 1:].min() == 1  # beyond the last edge


def test_a_missing_number_is_in_the_bins_of_the_training_median() -> None:
    x = numbers()
    x[[0, 700]] = np.nan
    filled = np.where(np.isnan(x), np.nanmedian(x[TRAIN]), x)
    train, _, test = preprocess(table(pd.DataFrame({"x": x})), SPLITS, FINE)
    whole = preprocess(table(pd.DataFrame({"x": filled})), SPLITS, FINE)
    np.testing.assert_array_equal(train[:, : 1 + FINE.bins], whole[0])
    assert test[100, -1] == 1  # the column of its gap comes after the bins


def test_quantiles_that_coincide_leave_features_that_are_0() -> None:
    x = np.r_[np.zeros(90), np.arange(10)].astype(float)[:, None]
    found = PiecewiseLinear([4]).fit(x).transform(np.array([[0.0], [4.5], [9.0], [20.0], [-1.0]]))
    assert found.tolist() == [[0, 0, 0, 0], [0.5, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_a_column_that_does_not_vary_in_training_says_nothing() -> None:
    assert PiecewiseLinear([3]).fit(np.ones((5, 1))).transform(np.array([[0.0], [7.0]])).tolist() == [[0] * 3] * 2


def test_levels_beyond_32_stand_for_themselves_and_rare_ones_beyond_1000_together() -> None:
    codes = np.r_[np.arange(400) % 50, np.arange(600) % 50]
    frame = pd.DataFrame({"c": pd.Categorical.from_codes(codes, range(50))})
    assert preprocess(table(frame), SPLITS)[0].shape[1] == 32
    fine = preprocess(table(frame), SPLITS, FINE)
    assert [part.shape[1] for part in fine] == [50] * 3
    np.testing.assert_array_equal(fine[2].argmax(axis=1), codes[TEST])
    many = pd.DataFrame({"c": pd.Categorical.from_codes(np.arange(1500), range(1500))})
    rows = np.arange(0, 500), np.arange(500, 900), np.arange(900, 1500)
    assert [part.shape[1] for part in preprocess(table(many), rows, FINE)] == [1000] * 3
    assert coded_width(table(many), FINE) == 1000


def test_the_width_is_known_before_anything_is_coded() -> None:
    frame = pd.DataFrame(
        {
            "x": numbers(),
            "flag": np.arange(1000) % 2,
            "few": np.where(np.arange(1000) < 3, np.nan, np.arange(1000) % 5),
            "c": pd.Categorical.from_codes(np.arange(1000) % 70, range(70)),
        }
    )
    made = preprocess(table(frame), SPLITS, FINE)
    assert {part.shape[1] for part in made} == {coded_width(table(frame), FINE)} == {3 + 16 + 1 + 4 + 1 + 70}


@pytest.mark.parametrize("dataset", ["mixture", "rare-class", "dense"])
def test_synthetic_numbers_have_bins_beside_them(dataset: str) -> None:
    recipe = resolve(Recipe(dataset, 3000, 0.05, task="multiclass" if dataset == "rare-class" else "binary"))
    plain, fine = build_splits(recipe, 0), build_splits(recipe, 0, FINE)
    assert fine.train.features.shape[1] == width(recipe, FINE)
    known = plain.train.features.shape[1]
    np.testing.assert_array_equal(fine.test.features[:, :known], plain.test.features)
    assert fine.test.features.flags.c_contiguous
    edges = np.quantile(plain.train.features[:, 0].astype(float), np.linspace(0, 1, FINE.bins + 1))
    expected = np.array([by_formula(each, edges) for each in plain.test.features[:50, 0]])
    np.testing.assert_allclose(fine.test.features[:50, known : known + FINE.bins], expected, atol=1e-5)


def test_a_worker_of_fine_features_is_foreseen_to_hold_them() -> None:
    experiment = Experiment(datasets=("mixture",), rows=100_000, seeds=1, references=False)
    usual, fine = (worker_bytes(make_plan(replace(experiment, model=model)).runs) for model in ("mlp", "resnet"))
    recipe = make_plan(experiment).runs[0].recipe
    assert fine - usual > 4 * 100_000 * (width(recipe, FINE) - width(recipe))
