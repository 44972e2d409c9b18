"""The reference models: what they are fitted with, how their number of trees is chosen, and how features are binned."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score

from focalbench.datasets.build import build_splits
from focalbench.datasets.dataset import Dataset, Floats, Known, Splits
from focalbench.runs.arm import Arm
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training import references
from focalbench.training.references import (
    BINS,
    BOOSTING,
    LOGISTIC,
    PENALTIES,
    SETTINGS,
    TREES,
    average_precision_of,
    reference_logits,
)

RECIPE = Recipe("mixture", 3000, 0.02)


def run_of(model: str, loss: str) -> Run:
    return Run(RECIPE, Training(model=model, hidden=(), epochs=0), Arm(loss), 0.0, 0)


def weighted(splits: Splits) -> Splits:
    rng = np.random.default_rng(0)
    train, validation, test = (
        replace(part, weights=rng.integers(0, 4, part.rows).astype(np.float64))
        for part in (splits.train, splits.validation, splits.test)
    )
    return replace(splits, train=train, validation=validation, test=test)


def test_every_reference_has_as_many_settings() -> None:
    assert SETTINGS == len(TREES) == len(PENALTIES) == len({str(setting) for setting in TREES})


@pytest.mark.parametrize(("loss", "weights"), [("bce", False), ("pos_weight", True)])
def test_boosting_is_the_setting_and_number_of_trees_of_the_highest_validation_precision(
    loss: str, weights: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "MOST_TREES", 20)
    splits = build_splits(RECIPE, 1)
    splits = weighted(splits) if weights else splits
    train, validation = splits.train, splits.validation
    edges = references._edges(train)
    mass = np.ones(train.rows) if train.weights is None else train.weights
    if loss == "pos_weight":
        mass = mass * np.where(train.targets == 1, mass[train.targets == 0].sum() / mass[train.targets == 1].sum(), 1.0)
    found = []
    for setting in TREES:
        for trees in range(5, 21, 5):  # each grown by itself
            model = HistGradientBoostingClassifier(max_iter=trees, early_stopping=False, random_state=0, **setting)
            model.fit(references._binned(edges, train.features), train.targets, sample_weight=mass / mass.mean())
            scores, test = (
                model.decision_function(references._binned(edges, part.features)) for part in (validation, splits.test)
            )
            precision = average_precision_score(validation.targets, scores, sample_weight=validation.weights)
            found.append((precision, trees, test))
    precision, trees, test = max(found, key=lambda candidate: candidate[0])
    fitted = reference_logits(run_of(BOOSTING, loss), splits, 0, average_precision_of)
    assert fitted.average_precision == pytest.approx(precision, rel=1e-9)
    assert trees < 20 or weights  # a choice of settings alone would show
    np.testing.assert_allclose(fitted.test, test, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("model", [LOGISTIC, BOOSTING])
def test_a_rows_weight_is_the_row_so_many_times(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "MOST_TREES", 10)
    monkeypatch.setattr(references, "TREES", TREES[1:2])
    monkeypatch.setattr(references, "PENALTIES", (1e6,))  # none to speak of: it would count all rows
    splits = weighted(build_splits(RECIPE, 0))
    assert splits.train.weights is not None
    copies = np.repeat(np.arange(splits.train.rows), splits.train.weights.astype(int))
    train = splits.train
    repeated = replace(splits, train=Dataset(train.features[copies], train.targets[copies]))
    one, other = (
        reference_logits(run_of(model, "pos_weight"), each, 0, average_precision_of).test for each in (splits, repeated)
    )
    assert np.corrcoef(one, other)[0, 1] > (0.9999 if model == LOGISTIC else 0.97)  # leaves count rows, not weights


def binned(column: Floats, targets: Known) -> Dataset:
    features = column[:, None].astype(np.float32)
    return Dataset(features, targets.astype(np.int8))


def test_bins_part_the_rare_class_as_finely_as_the_other() -> None:
    rng = np.random.default_rng(0)
    targets = np.arange(40_000) < 60
    train = binned(rng.normal(3.0 * targets, 1.0), targets)
    edges = references._edges(train)
    codes = references._binned(edges, train.features)[:, 0]
    assert len(np.unique(codes)) <= BINS
    assert np.bincount(codes[targets]).max() <= 2  # of the 60 positives; by rows alone 39 share one
    assert np.bincount(codes[~targets]).max() <= 40_000 * 2 / BINS + 1
    assert np.array_equal(np.sort(codes), codes[np.argsort(train.features[:, 0])])  # in the order of the values


def test_values_few_enough_keep_a_bin_each_and_others_fall_between() -> None:
    values = np.repeat(np.array([-1.0, 0.0, 0.5, 7.0]), 5)
    train = binned(values, np.arange(20) % 5 == 0)
    edges = references._edges(train)
    assert references._binned(edges, train.features)[::5, 0].tolist() == [0, 1, 2, 3]
    assert references._binned(edges, np.array([[-9.0], [0.2], [99.0]], dtype=np.float32))[:, 0].tolist() == [0, 1, 3]
    assert references._binned([np.empty(0, dtype=np.float32)], train.features)[:, 0].tolist() == [0] * 20
