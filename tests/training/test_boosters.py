"""Boosting libraries as references: their own fit, on the columns as they were read, chosen on validation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.machinery import ModuleSpec
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from focalbench.datasets.build import build_splits
from focalbench.datasets.dataset import AsRead, Dataset, Floats, Splits, Targets
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.arm import Arm
from focalbench.runs.reference import Reference
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training import boosters
from focalbench.training.boosters import BOOSTERS, coded
from focalbench.training.references import average_precision_of, reference_logits
from focalbench.training.stack import run_stack

RECIPE = Recipe("mixture", 3000, 0.02)
NAMES = sorted(BOOSTERS)


def run_of(model: str, loss: str = "bce") -> Run:
    return Run(RECIPE, Training(model=model, hidden=(), epochs=0), Arm(loss), 0.0, 0)


def lightgbm(trees: int, rows: pd.DataFrame, targets: Targets, weights: Floats | None) -> Callable[[pd.DataFrame], Any]:
    from lightgbm import LGBMClassifier

    grown = {"num_leaves": 7, "reg_lambda": 10.0, "min_child_samples": 5}
    model = LGBMClassifier(n_estimators=trees, learning_rate=0.2, max_bin=1023, n_jobs=1, **grown)
    model.set_params(verbosity=-1, deterministic=True, force_row_wise=True).fit(rows, targets, sample_weight=weights)
    return lambda unseen: model.predict(unseen, raw_score=True)


def xgboost(trees: int, rows: pd.DataFrame, targets: Targets, weights: Floats | None) -> Callable[[pd.DataFrame], Any]:
    from xgboost import XGBClassifier

    grown = {"max_leaves": 7, "reg_lambda": 10.0, "max_depth": 0, "grow_policy": "lossguide", "tree_method": "hist"}
    model = XGBClassifier(n_estimators=trees, learning_rate=0.2, max_bin=1023, min_child_weight=0.01, n_jobs=1, **grown)
    model.set_params(enable_categorical=True).fit(rows, targets, sample_weight=weights)
    return lambda unseen: model.predict(unseen, output_margin=True)


def catboost(trees: int, rows: pd.DataFrame, targets: Targets, weights: Floats | None) -> Callable[[pd.DataFrame], Any]:
    from catboost import CatBoostClassifier

    grown = {"depth": 3, "l2_leaf_reg": 10.0, "border_count": 1023, "random_seed": SEED}
    model = CatBoostClassifier(iterations=trees, learning_rate=0.2, thread_count=1, allow_writing_files=False, **grown)
    model.fit(rows, targets, sample_weight=weights, verbose=False)
    return lambda unseen: model.predict(unseen, prediction_type="RawFormulaVal")


SEED = 5
LIBRARIES = {"lightgbm": lightgbm, "xgboost": xgboost, "catboost": catboost}


def with_categories(splits: Splits) -> Splits:
    """Names that say something of the target, some of them missing, beside numbers of which some are."""
    rng = np.random.default_rng(0)

    def changed(part: Dataset) -> Dataset:
        frame = part.frame()
        noise = rng.random(part.rows)
        names = np.where(noise < 0.3, "c", np.where((noise < 0.4) == (part.targets == 1), "a", "b"))
        missing = pd.Series(names).mask(noise > 0.95)
        frame["name, {of} it"] = pd.Categorical(missing, categories=["a", "b", "c", "never"])
        frame.loc[noise < 0.1, "x0"] = np.nan
        return replace(part, as_read=AsRead(frame, np.arange(part.rows)))

    return replace(
        splits, train=changed(splits.train), validation=changed(splits.validation), test=changed(splits.test)
    )


def weighted(splits: Splits) -> Splits:
    rng = np.random.default_rng(1)
    train, validation, test = (
        replace(part, weights=rng.integers(1, 4, part.rows).astype(np.float64))
        for part in (splits.train, splits.validation, splits.test)
    )
    return replace(splits, train=train, validation=validation, test=test)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("loss", "weighs"), [("bce", False), ("bce", True), ("pos_weight", True)])
def test_it_is_the_librarys_own_fit_with_the_trees_of_the_highest_validation_precision(
    name: str, loss: str, weighs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(name)
    library = BOOSTERS[name]
    monkeypatch.setattr(library, "settings", library.settings[1:2])
    monkeypatch.setattr(boosters, "TREES", 20)
    monkeypatch.setattr("focalbench.training.references.generator", lambda *_: np.random.default_rng(0))
    monkeypatch.setattr(sys.modules[__name__], "SEED", int(np.random.default_rng(0).integers(2**31)))
    splits = build_splits(RECIPE, 1)
    if name != "catboost":  # which draws an order of rows for categories that depends on how they are spelled
        splits = with_categories(splits)
    splits = weighted(splits) if weighs else splits
    train, validation = splits.train, splits.validation
    mass = train.weights
    if loss == "pos_weight":
        assert mass is not None
        mass = mass * np.where(train.targets == 1, mass[train.targets == 0].sum() / mass[train.targets == 1].sum(), 1.0)
    mass = None if mass is None else mass / mass.mean()
    plain = {"name, {of} it": "name"}  # as LightGBM's own check of names would have it
    found = []
    for trees in range(5, 21, 5):  # each grown by itself
        score = LIBRARIES[name](trees, train.frame().rename(columns=plain), train.targets, mass)
        scores, test = (score(part.frame().rename(columns=plain)) for part in (validation, splits.test))
        found.append((average_precision_score(validation.targets, scores, sample_weight=validation.weights), test))
    precision, test = max(found, key=lambda each: each[0])
    fitted = reference_logits(run_of(name, loss), splits, 0, average_precision_of)
    assert fitted.average_precision == pytest.approx(precision, rel=1e-6)
    assert fitted.log_odds
    np.testing.assert_allclose(fitted.test, test, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_categories_reach_a_library(name: str) -> None:
    pytest.importorskip(name)
    splits = with_categories(build_splits(RECIPE, 0))

    def only(part: Dataset, columns: slice) -> Dataset:
        return replace(part, as_read=AsRead(part.frame().iloc[:, columns], np.arange(part.rows)))

    some, every = (
        reference_logits(
            run_of(name),
            replace(
                splits,
                train=only(splits.train, columns),
                validation=only(splits.validation, columns),
                test=only(splits.test, columns),
            ),
            0,
            average_precision_of,
        ).average_precision
        for columns in (slice(-2, -1), slice(-2, None))
    )
    assert every > 1.2 * some


def test_numbers_of_a_frame() -> None:
    frame = pd.DataFrame({"a": [0.1, np.nan], "b": pd.Categorical(["y", None], categories=["x", "y"])})
    found = coded(frame)
    assert found.categories == (1,)
    np.testing.assert_array_equal(found.values, [[0.1, 1.0], [np.nan, np.nan]])
    assert found.values.dtype == np.float64
    assert coded(frame[["b"]].assign(a=np.float32(1))).values.dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_every_library_has_as_many_settings_and_trees_as_scikit_learns(name: str) -> None:
    from focalbench.training.references import MOST_TREES, SETTINGS
    from focalbench.training.references import TREES as SKLEARN

    assert len({str(setting) for setting in BOOSTERS[name].settings}) == SETTINGS
    assert boosters.TREES == MOST_TREES
    assert SKLEARN[0]["learning_rate"] == boosters.RATE


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_the_same_every_time_and_no_other_seeds(name: str) -> None:
    pytest.importorskip(name)
    run = run_of(name)
    one, again, other = (run_stack((each,))[0].outcome for each in (run, run, replace(run, seed=1)))
    assert one == again
    assert one.test_average_precision != other.test_average_precision
    assert one.scores.recovered.log_loss is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_library_that_is_not_there_is_refused_before_anything_runs(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(library: str) -> ModuleSpec | None:
        assert library == name
        return None

    monkeypatch.setattr(boosters, "find_spec", absent)
    with pytest.raises(InputError, match=rf"^{name} is not installed: pip install 'focalbench\[\w+\]'$"):
        make_plan(Experiment(references=(Reference(name),)))
