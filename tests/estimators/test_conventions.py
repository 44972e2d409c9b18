"""scikit-learn's own checks of estimators, each a test; none is expected to fail."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from focalbench.estimators import FocalLogisticClassifier, FocalMLPClassifier

FAST = (
    FocalMLPClassifier(hidden_layer_sizes=(8,), learning_rate_init=0.02, max_iter=30),
    FocalLogisticClassifier(learning_rate_init=0.1, max_iter=30),
)
# it compares to 1e-7, finer than float32 sums in another order agree after more than one small step;
# test_estimator_weights.py compares whole trainings, to 1e-3. (MLPClassifier is checked with lbfgs in float64 there.)
OF_CHECKS: dict[str, dict[str, object]] = {
    "check_sample_weight_equivalence_on_dense_data": {"max_iter": 1, "learning_rate_init": 1e-4}
}


def name_of(check: Callable[..., None]) -> str:
    return check.func.__name__ if isinstance(check, partial) else check.__name__


def cases() -> Iterator[Any]:
    for estimator in FAST:
        for checked, check in estimator_checks_generator(estimator):
            name = name_of(check)
            asked = clone(checked).set_params(**OF_CHECKS[name]) if name in OF_CHECKS else checked
            yield pytest.param(asked, check, id=f"{type(estimator).__name__}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(cases()))
def test_a_check_of_scikit_learn_passes(estimator: BaseEstimator, check: Callable[..., None]) -> None:
    check(estimator)
