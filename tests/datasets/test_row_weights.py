"""Weights of rows: looked at in every seed's splits before anything is trained."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from focalbench.datasets import build
from focalbench.datasets.build import build_splits, load_table, resolve
from focalbench.datasets.tables.weights import weigh
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.arm import Arm
from focalbench.runs.columns import Columns
from focalbench.runs.result import Status
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.stack import run_stack

RNG = np.random.default_rng(0)
X, Y = RNG.random((2000, 2)).round(6), (np.arange(2000) % 4 == 0).astype(int)


def plan_of(folder: Path, weights: object, **options: object) -> tuple[str, ...]:
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": Y, "w": weights})
    frame.to_csv(folder / "w.csv", index=False)
    experiment = Experiment(
        datasets=(str(folder / "w.csv"),),
        positive_rates=(None,),
        columns=Columns(target="y", weight="w"),
        seeds=4,
        **options,  # type: ignore[arg-type]
    )
    return make_plan(experiment).warnings


def on(rows: slice | list[int] | NDArray[np.intp]) -> NDArray[np.float64]:
    """1 for these rows and 0 for the others."""
    weights = np.zeros(2000)
    weights[rows] = 1
    return weights


@pytest.mark.parametrize(
    "weights",
    [
        on([0, 1]),  # one of each class
        on(slice(60)),  # a dozen positives, spread over the splits
        on(Y == 1) + on(slice(1, 3)),  # negatives in one or two splits only
        np.where(np.arange(2000) < 100, 1.0, 1e-60),  # lost beside the others in float32
    ],
)
def test_weights_on_few_rows_are_refused_when_planned(tmp_path: Path, weights: object) -> None:
    with pytest.raises(InputError, match=r"with seed \d, the weights leave \d+ positives and \d+ negatives to"):
        plan_of(tmp_path, weights)


def test_every_seed_is_looked_at(tmp_path: Path) -> None:
    """Rows with weight just suffice for seed 0 and not for others: found by looking for such weights."""
    for seed in range(40):
        weights = np.where(np.random.default_rng(seed).random(2000) < 0.22, 1.0, 0.0)
        frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": Y, "w": weights})
        frame.to_csv(tmp_path / "w.csv", index=False)
        recipe = resolve(Recipe(str(tmp_path / "w.csv"), 40_000, columns=Columns(target="y", weight="w")))
        held = [positives_that_weigh(recipe, seed) for seed in range(4)]
        if held[0] >= 20 > min(held):
            with pytest.raises(InputError, match=r"with seed [123]"):
                plan_of(tmp_path, weights)
            return
    raise AssertionError("no such weights; draw others")


def positives_that_weigh(recipe: Recipe, seed: int) -> int:
    splits = build_splits(recipe, seed)
    parts = (splits.train, splits.validation, splits.test)
    return min(int(np.sum(part.targets * (np.asarray(part.weights) > 0))) for part in parts)


@pytest.mark.parametrize("unit", [5e-324, 1e-310, 1e308])
def test_only_proportions_count(tmp_path: Path, unit: float) -> None:
    """Equal weights, however small or large, are no weights; in a worker, which knows no such small numbers, too."""
    found = []
    for each in (unit, 1.0):
        warnings = plan_of(tmp_path, np.full(2000, each))
        recipe = resolve(Recipe(str(tmp_path / "w.csv"), 900, columns=Columns(target="y", weight="w")))
        np.testing.assert_array_equal(load_table(recipe).weights, 1.0)
        build._table.cache_clear()
        run = Run(recipe, Training(hidden=(4,), epochs=2), Arm("bce"), 0.01, 0)
        outcome = run_stack((run,))[0].outcome
        assert outcome.status is Status.OK
        assert np.isfinite(outcome.scores.raw.log_loss or np.nan)
        found.append(warnings)
    assert found[0] == found[1]


def test_a_few_heavy_rows_are_warned_of(tmp_path: Path) -> None:
    assert not plan_of(tmp_path, 1 + Y)
    heavy = np.where(np.arange(2000) % 100 == 0, 1000.0, 1.0)
    (validation, test) = plan_of(tmp_path, heavy)[-2:]
    assert "validation holds 100 positives, but by their weights they are worth" in validation
    assert "test holds 100 positives, but by their weights they are worth" in test


def test_worth_is_the_number_of_equal_weights_that_tell_as_much() -> None:
    targets = np.array([1] * 10 + [0] * 5, dtype=np.int8)
    assert list(weigh(np.full(15, 3.0), targets)) == pytest.approx([10, 5, 10])
    assert list(weigh(np.array([1.0, *[0.0] * 9, *[1.0] * 5]), targets)) == pytest.approx([1, 5, 1])
    assert weigh(np.zeros(15), targets) == (0, 0, 0.0)
