"""What rows and classes weigh: as if they were repeated, and nothing where they weigh nothing."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_classification

from focalbench.estimators import FocalMLPClassifier

LOSSES: list[dict[str, Any]] = [{}, {"loss": "bce"}, {"loss": "pos_weight"}, {"alpha": 0.25}, {"loss": "poly1"}]
ROWS = 120


def data(classes: int = 2) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    X, y = make_classification(ROWS, 6, n_informative=4, n_classes=classes, flip_y=0.1, random_state=0)
    return X, y, np.random.default_rng(0).integers(0, 4, ROWS)


def model(**asked: Any) -> FocalMLPClassifier:
    return FocalMLPClassifier((8,), max_iter=40, learning_rate_init=0.01, random_state=0, **asked)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("loss", LOSSES[:3], ids=str)
def test_whole_weights_are_repeated_rows(loss: dict[str, Any], classes: int) -> None:
    X, y, weights = data(classes)
    weighted = model(**loss).fit(X, y, weights)
    repeated = model(**loss).fit(X.repeat(weights, axis=0), y.repeat(weights))
    plain = model(**loss).fit(X, y)
    for said in ("decision_function", "predict_proba"):
        of = getattr(repeated, said)(X)
        np.testing.assert_allclose(getattr(weighted, said)(X), of, rtol=1e-3, atol=1e-4)
        assert np.abs(getattr(plain, said)(X) - of).max() > 0.05


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_rows_that_weigh_nothing_are_not_there(loss: dict[str, Any]) -> None:
    X, y, weights = data()
    kept = weights > 0
    weighted, without = model(**loss).fit(X, y, weights), model(**loss).fit(X[kept], y[kept], weights[kept])
    assert np.array_equal(weighted.decision_function(X), without.decision_function(X))


def test_the_scale_of_weights_does_not_matter() -> None:
    X, y, weights = data()
    one, other = model().fit(X, y, weights), model().fit(X, y, weights * 8.0)
    assert np.array_equal(one.decision_function(X), other.decision_function(X))


@pytest.mark.parametrize("classes", [2, 3])
def test_class_weights_multiply_row_weights(classes: int) -> None:
    X, y, weights = data(classes)
    one = model(class_weight={1: 5.0}).fit(X, y, weights + 1)
    other = model().fit(X, y, (weights + 1) * np.where(y == 1, 5.0, 1.0))
    assert np.array_equal(one.decision_function(X), other.decision_function(X))


def test_balanced_classes_have_one_mass() -> None:
    X, y, weights = data()
    fitted = model(class_weight="balanced").fit(X[20:], y[20:], weights[20:])
    assert fitted.class_count_ == pytest.approx([fitted.class_count_.sum() / 2] * 2)
    shares = np.bincount(y[20:], weights[20:])
    assert shares[0] != shares[1]


def test_validation_rows_weigh_in_their_average_precision() -> None:
    X, y, weights = data()
    fitted = model().fit(X, y, X_val=X, y_val=y, sample_weight_val=weights)
    plain, kept = model().fit(X, y, X_val=X, y_val=y), weights > 0
    without = model().fit(X, y, X_val=X[kept], y_val=y[kept], sample_weight_val=weights[kept])
    assert fitted.validation_scores_ == without.validation_scores_ != plain.validation_scores_
