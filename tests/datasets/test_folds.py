"""Tables with too few positives for three splits: five folds, every row tested once, nothing shared between them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from focalbench.datasets.build import build_parts, resolve, split_counts, with_folds
from focalbench.datasets.dataset import Counts
from focalbench.datasets.folds import FOLDS, fold_splits
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.arm import Arm
from focalbench.runs.columns import COLUMN_KEYS, Columns
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training import measuring
from focalbench.training.measuring import Prediction
from focalbench.training.stack import run_stack

TRAINING = Training(hidden=(4,), epochs=3, batch_size=64)


def table(path: Path, rows: int, positives: int, seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(rows) < positives).astype(int)
    x = rng.normal(size=(rows, 3)) + y[:, None]
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).round(6).assign(y=y, g=np.arange(rows) % 40)
    frame.to_csv(path, index=False)
    return str(path)


def folded(path: str, **options: Any) -> Recipe:
    recipe = Recipe(path, rows=40_000, positive_rate=None, columns=Columns(target="y", drop=("g",)))
    columns = {key: options.pop(key) for key in COLUMN_KEYS if key in options}
    recipe = replace(recipe, columns=replace(recipe.columns, **columns))
    return with_folds(resolve(replace(recipe, **options)), [0])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.integers(25, 120), st.integers(150, 400), st.integers(1, 3))
def test_every_row_is_tested_once_and_units_stay_together(seed: int, positives: int, rows: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(rows) < positives).astype(np.int8)
    units = np.arange(rows) // size
    folds = fold_splits(targets, units, Counts(rows, positives), seed, "k")
    assert len(folds) == FOLDS
    assert np.sort(np.concatenate([test for _, _, test in folds])).tolist() == list(range(rows))
    for train, validation, test in folds:
        parts = [set(units[part].tolist()) for part in (train, validation, test)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
        assert len(train) + len(validation) + len(test) == rows
    held = [int(targets[test].sum()) for _, _, test in folds]
    assert max(held) - min(held) <= size
    sizes = [len(test) for _, _, test in folds]
    assert max(sizes) - min(sizes) <= 2 * size


def test_a_rate_below_the_tables_own_keeps_exactly_that_share_of_positives(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", 1200, 90)
    recipe = folded(path, positive_rate=0.03)
    parts = build_parts(recipe, 0)
    rows, positives = (sum(getattr(part.test, name) for part in parts) for name in ("rows", "positives"))
    assert recipe.folds == FOLDS
    assert positives == round(0.03 * rows) > 25
    assert rows - positives == 1110  # no negative is lost


def test_folds_are_planned_only_where_three_splits_have_too_few_positives(tmp_path: Path) -> None:
    many = table(tmp_path / "many.csv", 900, 100)
    assert folded(many).folds == 0
    few = folded(table(tmp_path / "few.csv", 900, 99))
    assert few.folds == FOLDS
    assert split_counts(few, 0).test == Counts(900, 99)
    plan = make_plan(
        Experiment(datasets=(table(tmp_path / "u.csv", 300, 30),), columns=Columns(target="y", drop=("g",)), seeds=2)
    )
    assert any("30 positives are too few for three splits: 5 folds instead" in text for text in plan.warnings)
    # 180 training rows are one batch: the budget of 1,560 steps is as many epochs, and validation is scored 40 times
    training = plan.runs[0].training
    assert (training.epochs, training.evaluations) == (1560, 40)


@pytest.mark.parametrize(
    ("positives", "options", "why"),
    [
        (24, {}, "24 positives in 600 rows at this rate; at least 25"),
        (60, {"positive_rate": 0.02}, "11 positives"),
        (60, {"time": "g", "drop": ()}, "cannot be split by time"),
        (60, {"positive_rate": 0.7}, "is not reachable"),
    ],
)
def test_what_folds_cannot_do_is_refused(tmp_path: Path, positives: int, options: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        folded(table(tmp_path / "t.csv", 600, positives), **options)


def test_a_larger_training_set_comes_before_folds(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", 4000, 400)
    with pytest.raises(InputError, match="another number of rows"):
        folded(path, rows=100)


def test_groups_stay_in_one_fold(tmp_path: Path) -> None:
    recipe = folded(table(tmp_path / "t.csv", 800, 60), group="g", drop=())
    frame = pd.read_csv(tmp_path / "t.csv")
    parts = build_parts(recipe, 3)
    tested = [set(np.unique(part.resampling.units).tolist()) for part in parts if part.resampling is not None]
    assert sorted(group for groups in tested for group in groups) == sorted(frame.g.unique())


def test_average_precision_is_that_of_all_folds_scores_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = folded(table(tmp_path / "t.csv", 400, 40))
    seen: list[tuple[Prediction, list[Prediction]]] = []
    plain = measuring.pooled_predictions

    def noted(of_folds: list[Prediction]) -> Prediction:
        seen.append((plain(of_folds), of_folds))
        return seen[-1][0]

    monkeypatch.setattr("focalbench.training.stack.pooled_predictions", noted)
    runs = tuple(Run(recipe, TRAINING, arm, 0.01, 0) for arm in (Arm("bce"), Arm("focal", gamma=2.0)))
    results, parts = run_stack(runs), build_parts(recipe, 0)
    targets = np.concatenate([part.test.targets for part in parts])
    assert len(targets) == 400
    for result, (_, of_folds) in zip(results, seen, strict=True):
        scores = np.concatenate([fold.said.scores[0].numpy() for fold in of_folds])
        assert result.outcome.test_average_precision == pytest.approx(average_precision_score(targets, scores))
        chosen = [fold.fit.val.average_precision for fold in of_folds]
        assert result.outcome.val_average_precision == pytest.approx(np.mean(np.array(chosen, dtype=np.float64)))
        assert (result.outcome.sizes.test_rows, result.outcome.sizes.test_positives) == (400, 40)
        assert result.outcome.split == "folds"
        assert result.outcome.train_share == pytest.approx(0.6)
        assert abs(sum(result.influences[0])) < 1e-3  # centred within each class
    alone = run_stack(runs[1:])
    assert alone[0].outcome == results[1].outcome  # the same run in any company
    assert alone[0].influences == results[1].influences
