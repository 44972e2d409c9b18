"""Probabilities are those of the data where the loss has an inverse, and sigmoids where it has none."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from focalbench.estimators import FocalLogisticClassifier, FocalMLPClassifier
from focalbench.runs.catalogue import RIVALS, SIGMOID

SATURATED: dict[str, Any] = {
    "learning_rate_init": 0.3,
    "lr_schedule": "cosine",
    "max_iter": 300,
    "batch_size": 600,
    "random_state": 0,
}
BINARY: list[dict[str, Any]] = [
    *({"loss": name} for name in SIGMOID if name not in ("alpha", "focal")),
    {"loss": "alpha", "alpha": 0.9},
    *({"alpha": alpha, "gamma": gamma} for alpha in (None, 0.25, "balanced") for gamma in (1.0, 2.0)),
    *({"loss": name} for name, loss in RIVALS.items() if loss.invertible),
]
SEVERAL: list[dict[str, Any]] = [{"loss": "bce"}, {"loss": "pos_weight"}, {}, {"alpha": "balanced", "gamma": 1.0}]


def groups(shares: list[list[float]], each: int = 200) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Groups of rows with known shares of the classes; a logit for each group is a logistic regression."""
    y = np.concatenate([np.repeat(np.arange(len(of)), np.round(np.multiply(of, each)).astype(int)) for of in shares])
    return np.eye(len(shares))[np.repeat(np.arange(len(shares)), each)], y


@pytest.mark.parametrize("loss", BINARY, ids=str)
def test_the_probabilities_of_two_classes_are_the_shares(loss: dict[str, Any]) -> None:
    shares = [[0.9, 0.1], [0.6, 0.4], [0.25, 0.75]]
    X, y = groups(shares)
    fitted = FocalLogisticClassifier(**SATURATED, **loss).fit(X, y)
    np.testing.assert_allclose(fitted.predict_proba(np.eye(3)), shares, atol=2e-3)
    assert fitted.calibrated_by_inverse_


@pytest.mark.parametrize("loss", SEVERAL, ids=str)
def test_so_are_those_of_several_classes(loss: dict[str, Any]) -> None:
    shares = [[0.7, 0.2, 0.1], [0.2, 0.2, 0.6], [0.05, 0.9, 0.05]]
    X, y = groups(shares)
    fitted = FocalLogisticClassifier(**SATURATED, **loss).fit(X, y)
    np.testing.assert_allclose(fitted.predict_proba(np.eye(3)), shares, atol=2e-3)


def test_they_are_right_on_average_where_the_sigmoid_is_not() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 3))
    y = (rng.random(4000) < expit(X @ [1.0, -1.0, 0.5] - 3)).astype(int)
    weights = rng.uniform(0.5, 2, 4000)
    fitted = FocalLogisticClassifier(**SATURATED | {"max_iter": 150}).fit(X, y, weights)
    rate = np.average(y, weights=weights)
    assert np.average(fitted.predict_proba(X)[:, 1], weights=weights) == pytest.approx(rate, rel=0.05)
    assert np.average(expit(fitted.decision_function(X)), weights=weights) > 2 * rate


@pytest.mark.parametrize("loss", [name for name, loss in RIVALS.items() if not loss.invertible])
def test_without_an_inverse_they_are_sigmoids(loss: str) -> None:
    X, y = groups([[0.9, 0.1], [0.4, 0.6]])
    fitted = FocalMLPClassifier((4,), loss=loss, max_iter=3, random_state=0).fit(X, y)
    assert not fitted.calibrated_by_inverse_
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], expit(fitted.decision_function(X).astype(float)))


@pytest.mark.parametrize("loss", [*BINARY, {"loss": "hinge"}], ids=str)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_they_are_probabilities_at_any_logit(loss: dict[str, Any], scale: float) -> None:
    X, y = groups([[0.9, 0.1], [0.4, 0.6]])
    fitted = FocalLogisticClassifier(**loss, max_iter=1, random_state=0).fit(X, y)
    fitted.coefs_[0] *= scale
    for rows in (X, -X):
        said = fitted.predict_proba(rows)
        assert ((said >= 0) & (said <= 1)).all()
        np.testing.assert_allclose(said.sum(axis=1), 1)
        assert np.array_equal(fitted.classes_[(said[:, 1] > 0.5).astype(int)], fitted.predict(rows))
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(np.exp(fitted.predict_log_proba(rows)), said)


def test_parameters_set_since_do_not_change_what_was_fitted() -> None:
    X, y = groups([[0.9, 0.1], [0.4, 0.6]])
    fitted = FocalLogisticClassifier(max_iter=3, random_state=0).fit(X, y)
    before = fitted.predict_proba(X)
    assert np.array_equal(fitted.set_params(gamma=5.0, loss="bce").predict_proba(X), before)
