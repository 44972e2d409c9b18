"""Which array goes where: a whole run against a plain loop, references without leaks, a re-split table's numbers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss

from focalbench.analysis.comparison import compare
from focalbench.analysis.rows import ArmRow, Scope, Verdict
from focalbench.analysis.statistics import max_t, simultaneous_critical
from focalbench.analysis.verdicts import FLIP_SEED
from focalbench.base.randomness import generator
from focalbench.datasets.build import build_splits
from focalbench.datasets.dataset import Dataset
from focalbench.losses.reference import focal_gradient, focal_loss
from focalbench.runs.arm import Arm
from focalbench.runs.run import Recipe, Run, TestPrevalence, Training
from focalbench.training import stack as stack_module
from focalbench.training.arm_loss import recovered
from focalbench.training.evaluation import measure
from focalbench.training.loop import Member, Rows, train
from focalbench.training.models import Architecture, Layer, draw_weights
from focalbench.training.references import LOGISTIC, PENALTIES
from focalbench.training.rivals import ClassCounts
from focalbench.training.samplers import orders as drawn_orders
from focalbench.training.stack import run_stack
from focalbench.training.stack_loss import WeightedFocal
from tests.support.plain import Plain, plain_train
from tests.support.runs import BCE, FIVE, GAMMA, TABLE, by_arm, changed, ends, made_row, sums_of

# label noise, so that clean and noisy test targets differ
RECIPE = Recipe("gaussians", rows=600, positive_rate=0.05, label_noise=0.2)
TRAINING = Training(hidden=(8,), epochs=3, batch_size=64)
RUNS = (
    Run(RECIPE, TRAINING, Arm("bce"), 0.03, 7),
    Run(RECIPE, TRAINING, Arm("focal", gamma=2.0), 0.03, 7),
    Run(RECIPE, TRAINING, Arm("pos_weight"), 0.03, 7),  # the one with class weights
)


def rows_of(part: Dataset) -> Rows:
    return Rows(torch.from_numpy(part.features), torch.from_numpy(part.targets).float())


def plain_member(run: Run, rate: float) -> Member:
    """A run's start by other means than the package's: balanced weights by hand, the constant by minimisation."""
    positive, negative = (0.5 / rate, 0.5 / (1 - rate)) if run.arm.loss == "pos_weight" else (1.0, 1.0)

    def expected_loss(x: float) -> float:
        ones, zeros = focal_loss(x, 1, gamma=run.arm.gamma), focal_loss(x, 0, gamma=run.arm.gamma)
        return float(rate * positive * ones + (1 - rate) * negative * zeros)

    layers = draw_weights(Architecture(10, (8,)), generator(run.seed, "weights (8,) 0", run.recipe.key))
    layers[-1] = layers[-1][0], np.array([minimize_scalar(expected_loss).x], dtype=np.float32)
    return Member(layers, run.lr, WeightedFocal(run.arm.gamma, (positive,), (negative,)))


@pytest.mark.parametrize("test_prevalence", ["thin", "weight"])
def test_a_whole_run_is_the_plain_loop_on_the_same_draws(test_prevalence: TestPrevalence) -> None:
    recipe = replace(RECIPE, test_prevalence=test_prevalence)
    splits = build_splits(recipe, 7)
    train_rows, validation = rows_of(splits.train), rows_of(splits.validation)
    orders = drawn_orders("random", splits.train, 64, 3, 7, RECIPE.key)
    truth, noisy, weights = splits.test.targets, splits.noisy_test_targets, splits.test.weights
    assert (weights is None) == (test_prevalence == "thin")

    def precision(targets: NDArray[np.int8] | None, scores: NDArray[np.floating[Any]] | None) -> float:
        return float(average_precision_score(targets, scores, sample_weight=weights))

    def plain(run: Run, epochs: int) -> tuple[Plain, NDArray[np.float32]]:
        found = plain_train(train_rows, validation, plain_member(run, 30 / 600), orders[:epochs], 64)
        with torch.no_grad():
            return found, found.model(torch.from_numpy(splits.test.features))[:, 0].numpy()

    results = run_stack(tuple(replace(run, recipe=recipe) for run in RUNS))
    assert [result.outcome.epoch for result in results] == [2, 3, 2]  # else the last epoch's parameters would do
    for run, result in zip(RUNS, results, strict=True):
        outcome, (expected, logits) = result.outcome, plain(run, 3)
        assert result.curves.validation == pytest.approx(expected.curve, abs=1e-4)
        assert outcome.epoch == expected.epoch
        assert outcome.val_average_precision == pytest.approx(max(expected.curve), abs=1e-4)
        assert outcome.test_average_precision == pytest.approx(precision(truth, logits), abs=1e-4)
        assert outcome.scores.noisy_test_average_precision == pytest.approx(precision(noisy, logits), abs=1e-4)
        assert outcome.bayes_average_precision == pytest.approx(precision(truth, splits.test.bayes_logits))
        for early, epochs in ((outcome.quarter, 1), (outcome.half, 2)):  # as if training had stopped there
            stopped, logits = plain(run, epochs)
            assert early is not None
            assert early.val_average_precision == pytest.approx(max(stopped.curve), abs=1e-4)
            assert early.test_average_precision == pytest.approx(precision(truth, logits), abs=1e-4)


# ---- batch orders and initial weights


def start_of(run: Run) -> tuple[list[Layer], list[NDArray[np.integer[Any]]]]:
    """The initial layers and the batch orders that a run hands to the training loop."""
    with mock.patch.object(stack_module, "train", wraps=train) as spy:
        run_stack((run,))
    *_, (member,), schedule = spy.call_args.args
    return member.layers, schedule.orders


def test_every_epoch_and_every_seed_shuffles_anew() -> None:
    fifty = Dataset(np.zeros((50, 1), np.float32), np.zeros(50, np.int8))
    orders = [order for seed in (0, 1) for order in drawn_orders("random", fifty, 10, 3, seed, "key")]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in (*orders, np.arange(50))}) == 7


def test_arms_rates_and_noise_of_a_seed_share_weights_and_batch_orders() -> None:
    base = RUNS[0]
    layers, orders = start_of(base)
    for other in (
        *RUNS[1:],
        replace(base, arm=Arm("bce", init="zero")),
        replace(base, lr=0.001),
        replace(base, recipe=replace(RECIPE, positive_rate=0.1)),
        replace(base, recipe=replace(RECIPE, label_noise=0.0)),
    ):
        same_layers, same_orders = start_of(other)
        pairs = [*zip(layers, same_layers, strict=True)]
        assert all(np.array_equal(mine[0], theirs[0]) for mine, theirs in pairs)
        assert all(np.array_equal(mine[1], theirs[1]) for mine, theirs in pairs[:-1])  # the last bias is the arm's own
        assert np.array_equal(orders, same_orders)


def test_another_seed_has_other_weights_and_batch_orders() -> None:
    (layers, orders), (other_layers, other_orders) = start_of(RUNS[0]), start_of(replace(RUNS[0], seed=8))
    assert not any(np.isin(mine[0], theirs[0]).any() for mine, theirs in zip(layers, other_layers, strict=True))
    assert not any(np.array_equal(mine, theirs) for mine, theirs in zip(orders, other_orders, strict=True))


# ---- references and measures


def test_a_reference_is_fitted_on_training_rows_and_chosen_on_validation() -> None:
    run = Run(RECIPE, Training(model=LOGISTIC, hidden=(), epochs=0), Arm("bce"), 0.0, 13)
    splits = build_splits(RECIPE, 13)
    fitted = [LogisticRegression(C=c).fit(splits.train.features, splits.train.targets) for c in PENALTIES]

    def precisions(part: Dataset, targets: NDArray[np.int8] | None) -> list[float]:
        return [average_precision_score(targets, model.decision_function(part.features)) for model in fitted]

    validation, test = (precisions(part, part.targets) for part in (splits.validation, splits.test))
    noisy = precisions(splits.test, splits.noisy_test_targets)
    best = int(np.argmax(validation))
    for elsewhere in (test, noisy, precisions(splits.train, splits.train.targets)):
        assert np.argmax(elsewhere) != best  # at this seed every other choice would show
    (result,) = run_stack((run,))
    outcome = result.outcome
    found = outcome.val_average_precision, outcome.test_average_precision, outcome.scores.noisy_test_average_precision
    assert found == pytest.approx((validation[best], test[best], noisy[best]))


def some_logits(rows: int = 400) -> tuple[NDArray[np.float64], NDArray[np.integer[Any]]]:
    rng = np.random.default_rng(0)
    return rng.normal(0, 2, rows), (rng.random(rows) < 0.3).astype(np.int64)


@pytest.mark.parametrize(
    ("arm", "alpha"),
    [
        (Arm("bce"), None),
        (Arm("focal", gamma=2.0), None),
        (Arm("focal", 0.75, 2.0), 0.75),
        (Arm("alpha", 0.75), 0.75),
        (Arm("focal", "balanced", 1.0), 0.9),  # the training rate is .1, not the .3 of the rows measured
        (Arm("pos_weight"), 0.9),
    ],
)
def test_calibration_is_measured_raw_and_where_the_arms_own_gradients_balance(arm: Arm, alpha: float | None) -> None:
    logits, targets = some_logits()
    back = recovered(arm, ClassCounts(1, 9), torch.from_numpy(logits))
    scores = measure(torch.from_numpy(logits), back, torch.from_numpy(targets)).scores
    pull_up, pull_down = (abs(focal_gradient(logits, y, alpha=alpha, gamma=arm.gamma)) for y in (1, 0))
    assert scores.recovered.log_loss == pytest.approx(log_loss(targets, pull_down / (pull_up + pull_down)))
    assert scores.raw.log_loss == pytest.approx(log_loss(targets, 1 / (1 + np.exp(-logits))))


def test_the_reliability_curve_is_that_of_the_raw_probabilities() -> None:
    logits, targets = some_logits()
    curves = measure(torch.from_numpy(logits), None, torch.from_numpy(targets)).curves
    ranked = np.sort(logits[targets == 1])
    top = logits >= ranked[9 * len(ranked) // 10]  # the last bin starts at its lowest positive
    assert curves.reliability_expected[-1] == pytest.approx((1 / (1 + np.exp(-logits[top]))).mean())
    assert curves.reliability_observed[-1] == pytest.approx(targets[top].mean())


# ---- a real table, split anew for every seed

ARMS = (BCE, GAMMA, FIVE, {**GAMMA, "arm": "gamma=3", "gamma": 3.0})
GAINS = (0.0, 0.05, 0.015, 0.015)
SEEDS, SHARE = 8, 0.6  # of the table's positives train


def table_values() -> NDArray[np.float64]:
    """Test average precision, (arm, seed)."""
    rng = np.random.default_rng(36)
    return 0.4 + np.array(GAINS)[:, None] + rng.normal(0, 0.01, (len(ARMS), SEEDS))


RUNS_OF_TABLE = [
    made_row(arm, seed, float(value), **TABLE)
    for arm, of in zip(ARMS, table_values(), strict=True)
    for seed, value in enumerate(of)
]
SUMS = sums_of(RUNS_OF_TABLE, 0.0005)


def table_rows() -> dict[str, ArmRow]:
    return by_arm(compare(RUNS_OF_TABLE, SUMS))


def sums_of_arm(arm: Mapping[str, object]) -> NDArray[np.float64]:
    """The influence sums of an arm's chosen runs, (seed, bucket)."""
    return np.array([SUMS(f"{arm['arm']} {seed}")[0] for seed in range(SEEDS)])


def error_of(values: NDArray[np.float64], sums: NDArray[np.float64]) -> float:
    """The standard error for another table of the same kind, METHOD 3: sqrt(s2 / n + C + 0.1 f s2)."""
    pairs = [float(sums[i] @ sums[j]) for i in range(SEEDS) for j in range(SEEDS) if i != j]
    return float(np.sqrt(values.var(ddof=1) * (1 / SEEDS + 0.1 * SHARE) + max(0.0, float(np.mean(pairs)))))


def test_what_re_splits_share_is_in_every_interval_and_p_value_of_a_table() -> None:
    rows, values = table_rows(), table_values()
    sums = [sums_of_arm(arm) for arm in ARMS]
    for arm, of, its in zip(ARMS, values, sums, strict=True):
        half = stats.t.ppf(0.975, SEEDS - 1) * error_of(of, its)
        assert ends(rows[str(arm["arm"])].average_precision) == pytest.approx((of.mean() - half, of.mean() + half))
    differences = (values[1:] - values[0]).T
    errors = np.array([error_of(d, its - sums[0]) for d, its in zip(differences.T, sums[1:], strict=True)])
    raw, adjusted = max_t(differences, errors, np.random.default_rng(FLIP_SEED))
    critical = simultaneous_critical(differences, np.random.default_rng(FLIP_SEED))
    found = [rows[str(arm["arm"])] for arm in ARMS[1:]]
    assert [row.p_value for row in found] == pytest.approx(raw)
    assert [row.p_adjusted for row in found] == pytest.approx(adjusted)
    for row, mean, error in zip(found, differences.mean(axis=0), errors, strict=True):
        assert ends(row.delta) == pytest.approx((mean - critical * error, mean + critical * error))
    assert {row.scope for row in rows.values()} == {Scope.TABLE}


def test_a_table_decides_less_than_as_many_fresh_draws() -> None:
    fresh = by_arm(compare([changed(row, source="synthetic") for row in RUNS_OF_TABLE]))
    verdicts = [[rows[str(arm["arm"])].verdict for arm in ARMS[1:]] for rows in (fresh, table_rows())]
    assert verdicts == [[Verdict.BETTER] * 3, [Verdict.BETTER, Verdict.UNDECIDED, Verdict.UNDECIDED]]


def test_a_smaller_budget_chooses_on_its_own_validation_value() -> None:
    names = [f"{part}_average_precision_{budget}" for budget in ("quarter", "half") for part in ("val", "test")]
    candidates = ((0.9, 0.1, 0.8, 0.2, 0.9), (0.5, 0.9, 0.3, 0.5, 0.4), (0.4, 0.5, 0.2, 0.9, 0.1))
    rows = [
        made_row(BCE, seed, 0.6 - val / 10, val, lr=lr, source="table", **dict(zip(names, budgets, strict=True)))
        for seed in range(6)
        for lr, (val, *budgets) in enumerate(candidates, 1)
    ]
    (row,) = compare(rows)
    found = [row.average_precision_quarter, row.average_precision_half, row.average_precision.mean]
    assert found == pytest.approx([0.3, 0.1, 0.51])  # three budgets, three candidates
