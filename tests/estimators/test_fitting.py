"""Fitting: the sweeps' trainer bit for bit, the pass that is kept, one pass at a time, and what is drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score

from focalbench.base.randomness import generator
from focalbench.estimators import FocalLogisticClassifier, FocalMLPClassifier
from focalbench.estimators.classifiers import KEY
from focalbench.runs.arm import Arm
from focalbench.training.arm_loss import run_loss, start_biases
from focalbench.training.loop import Member, Rows, Schedule, train
from focalbench.training.models import Architecture, draw_weights
from focalbench.training.rivals import ClassCounts
from focalbench.training.stack import one_thread

HIDDEN, ROWS, EPOCHS, BATCH = (9, 5), 300, 6, 64
SEED = int(np.random.RandomState(3).randint(np.iinfo(np.int32).max))
Orders = Sequence[NDArray[np.int64]]


def data(seed: int = 0, classes: int = 2) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    shares = [0.8, 0.2] if classes == 2 else None
    X, y = make_classification(
        ROWS, 7, n_informative=5, n_classes=classes, weights=shares, flip_y=0.1, random_state=seed
    )
    return X.astype(np.float32), y


def model(**asked: Any) -> FocalMLPClassifier:
    usual: dict[str, Any] = {
        "hidden_layer_sizes": HIDDEN,
        "max_iter": EPOCHS,
        "batch_size": BATCH,
        "learning_rate_init": 0.02,
    }
    return FocalMLPClassifier(random_state=3, **{**usual, **asked})


def rows(X: NDArray[np.float32], y: NDArray[np.int64], weights: NDArray[np.float64] | None = None) -> Rows:
    mass = None if weights is None else torch.from_numpy(weights / weights.mean()).float()
    return Rows(torch.from_numpy(X), torch.from_numpy(y).float(), mass)


def sweep(arm: Arm, train_rows: Rows, validation: Rows, orders: Orders, evaluations: int = 0, **how: Any) -> list[Any]:
    """The layers that a sweep's loop keeps for a stack of one run."""
    architecture = Architecture(7, HIDDEN)
    layers = draw_weights(architecture, generator(SEED, f"weights {HIDDEN} 0", KEY))
    mass = torch.ones(ROWS) if train_rows.weights is None else train_rows.weights
    share = float((mass.double() @ train_rows.targets.double()) / mass.double().sum())
    counts = [ClassCounts(share * ROWS, (1 - share) * ROWS)]
    layers[-1] = layers[-1][0], np.array(start_biases(arm, counts), dtype=np.float32)
    schedule = Schedule(BATCH, orders, evaluations=evaluations, **how)
    with one_thread():
        trained = train(architecture, train_rows, validation, [Member(layers, 0.02, run_loss(arm, counts))], schedule)
    parameters = trained.choices[len(orders)].parameters
    views = zip(parameters.weights, parameters.biases, architecture.layers, strict=True)
    return [(weight[0, :o, :i].numpy(), bias[0, :o, 0].numpy()) for weight, bias, (i, o) in views]


def random_orders() -> Orders:
    rng = generator(SEED, "batches", KEY)
    return [rng.permutation(ROWS) for _ in range(EPOCHS)]


def same_layers(fitted: FocalMLPClassifier, layers: list[Any]) -> bool:
    pairs = zip(fitted.coefs_, fitted.intercepts_, layers, strict=True)
    return all(
        np.array_equal(coef, weight.T) and np.array_equal(intercept, bias) for coef, intercept, (weight, bias) in pairs
    )


@pytest.mark.parametrize("how", [{}, {"optimizer": "sgd"}, {"lr_schedule": "cosine"}], ids=str)
def test_fit_is_the_sweeps_trainer_bit_for_bit(how: dict[str, Any]) -> None:
    (X, y), (X_val, y_val) = data(), data(1)
    last = sweep(Arm("focal", gamma=2.0), rows(X, y), rows(X_val, y_val), random_orders(), evaluations=1, **how)
    assert same_layers(model(**how).fit(X, y), last)


@pytest.mark.parametrize("loss", ["bce", "tversky", "ldam"])
def test_so_it_is_with_validation_rows(loss: str) -> None:
    (X, y), (X_val, y_val) = data(), data(1)
    best = sweep(Arm(loss), rows(X, y), rows(X_val, y_val), random_orders())
    assert same_layers(model(loss=loss, n_iter_no_change=EPOCHS).fit(X, y, X_val=X_val, y_val=y_val), best)


def test_so_it_is_with_row_weights() -> None:
    (X, y), (X_val, y_val) = data(), data(1)
    weights = np.random.default_rng(0).uniform(0.5, 2, ROWS)
    last = sweep(Arm("pos_weight"), rows(X, y, weights), rows(X_val, y_val), random_orders(), evaluations=1)
    assert same_layers(model(loss="pos_weight").fit(X, y, weights), last)


def test_partial_fit_is_the_sweeps_trainer_one_pass_at_a_time() -> None:
    X, y = data()
    going = model()
    for passes in range(EPOCHS):
        going.partial_fit(X, y, classes=[0, 1])
        assert going.n_iter_ == passes + 1
    orders = [np.arange(ROWS)] * EPOCHS
    assert same_layers(going, sweep(Arm("focal", gamma=2.0), rows(X, y), rows(X, y), orders, evaluations=1))


def test_partial_fit_goes_on_after_fit_and_forgets_the_optimiser() -> None:
    X, y = data()
    one, other = model().fit(X, y), model().fit(X, y)
    before = one.decision_function(X)
    one.partial_fit(X, y)
    other.partial_fit(X[: ROWS // 2], y[: ROWS // 2])
    assert not np.array_equal(one.decision_function(X), before)
    assert 0 < np.abs(one.decision_function(X) - other.decision_function(X)).max() < 5
    assert one.n_iter_ == EPOCHS + 1


def test_partial_fit_takes_a_part_without_a_class_after_the_first() -> None:
    X, y = data()
    going = model().partial_fit(X, y, classes=[0, 1])
    count = going.class_count_
    going.partial_fit(X[y == 0], y[y == 0])
    assert np.array_equal(going.class_count_, count)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_pass_that_is_best_on_validation_is_kept(classes: int) -> None:
    (X, y), (X_val, y_val) = data(classes=classes), data(1, classes)
    fitted = model(max_iter=60, n_iter_no_change=4, learning_rate_init=0.05).fit(X, y, X_val=X_val, y_val=y_val)
    scores = fitted.validation_scores_
    assert scores is not None
    assert fitted.best_validation_score_ == max(scores) == scores[fitted.best_iter_ - 1]
    assert fitted.n_iter_ == len(scores) == fitted.best_iter_ + 4 < 60
    logits = fitted.decision_function(X_val)
    each = [average_precision_score(y_val, logits)]
    if classes == 3:
        each = [average_precision_score(y_val == k, softmax(logits, axis=1)[:, k]) for k in range(3)]
    assert np.mean(each) == pytest.approx(max(scores), abs=1e-4)


def test_early_stopping_keeps_a_share_apart() -> None:
    X, y = data()
    asked = model(early_stopping=True, validation_fraction=0.2, max_iter=50, n_iter_no_change=3)
    fitted = clone(asked).fit(X, y)
    assert fitted.class_count_.sum() == pytest.approx(0.8 * ROWS)
    assert fitted.class_count_[1] / fitted.class_count_.sum() == pytest.approx(y.mean(), abs=0.01)  # stratified
    assert fitted.best_iter_ == fitted.n_iter_ - 3
    given = clone(asked).fit(X, y, X_val=X, y_val=y)
    assert given.class_count_.sum() == ROWS  # rows that are given stand in for the share


def test_without_validation_every_pass_is_made_and_the_last_kept() -> None:
    fitted = model().fit(*data())
    assert fitted.n_iter_ == fitted.best_iter_ == EPOCHS
    assert (fitted.validation_scores_, fitted.best_validation_score_) == (None, None)


@pytest.mark.parametrize("state", [7, None])
def test_the_same_random_state_gives_the_same_numbers(state: int | None) -> None:
    X, y = data()
    one, other = (model().set_params(random_state=state).fit(X, y).decision_function(X) for _ in range(2))
    assert np.array_equal(one, other) == (state is not None)


def test_a_random_state_that_is_handed_over_is_used_up() -> None:
    X, y = data()
    shared = np.random.RandomState(7)
    one, other = (model().set_params(random_state=shared).fit(X, y).decision_function(X) for _ in range(2))
    assert not np.array_equal(one, other)
    assert np.array_equal(one, model().set_params(random_state=np.random.RandomState(7)).fit(X, y).decision_function(X))


def test_a_row_scores_the_same_in_any_company() -> None:
    X, y = data()
    fitted = model().fit(X, y)
    whole = fitted.decision_function(X)
    assert np.array_equal(np.concatenate([fitted.decision_function(X[i : i + 7]) for i in range(0, ROWS, 7)]), whole)


def test_no_hidden_layers_are_logistic_regression() -> None:
    X, y = data()
    terms: dict[str, Any] = {"max_iter": 5, "random_state": 0}
    one, other = FocalLogisticClassifier(**terms).fit(X, y), FocalMLPClassifier((), **terms).fit(X, y)
    assert [each.shape for each in one.coefs_] == [(7, 1)]
    assert np.array_equal(one.coefs_[0], other.coefs_[0])


@pytest.mark.parametrize("init", ["own", "prior", "zero", "learned"])
def test_the_last_bias_starts_where_it_is_asked_to(init: str) -> None:
    X, y = data()
    fitted = model(init=init, learning_rate_init=1e-12, max_iter=1).fit(X, y)
    wanted = {"prior": np.log(y.mean() / (1 - y.mean())), "zero": 0.0}
    if init in wanted:
        assert fitted.intercepts_[-1] == pytest.approx(wanted[init], abs=1e-5)
    elif init == "own":
        assert fitted.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.1)
        assert wanted["prior"] < fitted.intercepts_[-1] < 0
    else:
        assert fitted.intercepts_[-1] != pytest.approx(
            model(max_iter=1, learning_rate_init=1e-12).fit(X, y).intercepts_[-1]
        )
