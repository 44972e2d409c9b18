"""What cannot be done is refused in one sentence that says why."""

from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from focalbench.errors import InputError
from focalbench.estimators import FocalLogisticClassifier, FocalMLPClassifier

X = np.random.default_rng(0).standard_normal((60, 3))
y = (np.arange(60) % 3 == 0).astype(int)
THREE = np.arange(60) % 3


def model(**asked: Any) -> FocalMLPClassifier:
    return FocalMLPClassifier(**{"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0, **asked})


PARAMETERS: list[tuple[dict[str, Any], str]] = [
    ({"loss": "focle"}, "unknown loss 'focle'; did you mean focal"),
    ({"loss": "mine:LOSS"}, "unknown loss 'mine:LOSS'; choose one of bce, pos_weight"),
    ({"loss": "ce"}, "ce is a loss of three classes and more; with two choose bce"),
    ({"loss": "tversky", "loss_params": {"delta": 1}}, "tversky has no hyperparameter 'delta'; it has alpha, beta"),
    ({"loss": "tversky", "loss_params": {"beta": "much"}}, r"loss_params\['beta'\] must be a number, got 'much'"),
    ({"loss": "tversky", "loss_params": {"beta": -1.0}}, "beta of tversky must lie in"),
    ({"loss_params": {"beta": 1}}, "focal has no hyperparameter 'beta'"),
    ({"loss": "bce", "alpha": 0.25}, "bce takes neither alpha nor gamma"),
    ({"loss": "alpha"}, "the loss alpha needs an alpha"),
    ({"alpha": 1.5}, r"alpha must lie in \[0, 1\]"),
    ({"alpha": "much"}, "alpha must be a number, got 'much'"),
    ({"gamma": -1.0}, "gamma must be a finite number >= 0"),
    ({"gamma": None}, "gamma must be a number, got None"),
    ({"init": "best"}, "unknown `init` 'best'"),
    ({"loss": "dice", "init": "learned"}, "dice takes no start learned"),
    ({"class_weight": "equal"}, "class_weight must be None, 'balanced' or a dict"),
    ({"class_weight": {7: 2.0}}, "class_weight names a class that y does not have: 7"),
    ({"class_weight": {1: 0.0}}, "class_weight must be finite numbers > 0"),
    ({"optimizer": "lbfgs"}, "unknown optimizer 'lbfgs'; choose one of adam, sgd"),
    ({"lr_schedule": "linear"}, "unknown lr_schedule 'linear'; choose one of constant, cosine"),
    ({"learning_rate_init": 0.0}, "learning_rate_init must be a finite number > 0"),
    ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
    ({"batch_size": "all"}, "batch_size must be a whole number of at least 1, got 'all'"),
    ({"max_iter": 2.5}, "max_iter must be a whole number"),
    ({"n_iter_no_change": 0}, "n_iter_no_change must be a whole number"),
    ({"validation_fraction": 1.0}, r"validation_fraction must lie in \(0, 1\)"),
    ({"hidden_layer_sizes": (4, 0)}, "hidden_layer_sizes must be a whole number of at least 1, got 0"),
    ({"random_state": "luck"}, "cannot be used to seed"),
]


@pytest.mark.parametrize(("asked", "said"), PARAMETERS, ids=lambda value: str(value)[:60])
def test_parameters_outside_their_ranges(asked: dict[str, Any], said: str) -> None:
    estimator = model(**asked)  # nothing is refused before fit
    with pytest.raises(ValueError, match=said) as refused:
        estimator.fit(X, y)
    assert "\n" not in str(refused.value)
    assert not hasattr(estimator, "coefs_")


@pytest.mark.parametrize("asked", [{"loss": "tversky"}, {"alpha": 0.25}, {"init": "learned"}], ids=str)
def test_what_several_classes_do_not_have(asked: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"loss of two classes; with 3|weights classes|takes no start"):
        model(**asked).fit(X, THREE)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((X[:50], y), "inconsistent numbers of samples"),
        ((X, y, np.ones(50)), "sample_weight.shape"),
        ((X, y, -np.ones(60)), "Negative values"),
        ((X, y, np.zeros(60)), "at least one non-zero"),
        ((np.where(X > 2, np.nan, X), y), "contains NaN"),
        ((np.where(X > 2, np.inf, X), y), "contains infinity"),
        ((np.where(X > 2, 1e300, X), y), "too large for dtype"),
        ((np.full((60, 3), "many"), y), "could not convert string to float"),
        ((X, np.ones(60)), "y holds one class only"),
        ((X, y, 1 - y), "y holds one class only"),
        ((X, X[:, 0]), "Unknown label type"),
        ((X[:, 0], y), "Expected 2D array"),
    ],
    ids=range(12),
)
def test_rows_that_cannot_be_learnt_from(rows: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model().fit(*rows)


@pytest.mark.parametrize("loss", ["ohem", "topk", "dice", "tversky", "focal_tversky", "smooth_ap"])
def test_losses_of_whole_batches_take_no_weights(loss: str) -> None:
    for asked in ({}, {"class_weight": "balanced"}):
        with pytest.raises(InputError, match=f"^{loss} has one value for a whole batch and takes no row weights"):
            model(loss=loss, **asked).fit(X, y, None if asked else np.ones(60))
    model(loss=loss).fit(X, y)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"X_val": X}, "need both X_val and y_val"),
        ({"y_val": y}, "need both X_val and y_val"),
        ({"sample_weight_val": np.ones(60)}, "need both X_val and y_val"),
        ({"X_val": X, "y_val": y[:9]}, "inconsistent numbers of samples"),
        ({"X_val": X, "y_val": np.zeros(60)}, "y_val holds no row of the class 1"),
        ({"X_val": X, "y_val": y, "sample_weight_val": 1 - y}, "y_val holds no row of the class 1"),
        ({"X_val": X, "y_val": THREE}, "has a class that was not there at first: 2"),
        ({"X_val": X[:, :2], "y_val": y}, "has 2 features"),
    ],
    ids=range(8),
)
def test_validation_rows_that_do_not_fit(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model().fit(X, y, **given)


def test_too_few_rows_for_a_share_of_them() -> None:
    with pytest.raises(ValueError, match="least populated class"):
        model(early_stopping=True).fit(X[:10], [1, *[0] * 9])


def test_training_that_diverges() -> None:
    for given in ({}, {"X_val": X, "y_val": y}):
        with pytest.raises(InputError, match="training diverged"):
            model(optimizer="sgd", learning_rate_init=1e30, max_iter=5).fit(X, y, **given)


@pytest.mark.parametrize(
    ("asked", "given", "said"),
    [
        ({}, {}, "first call of partial_fit needs all labels"),
        ({"loss": "ldam"}, {"classes": [0, 1]}, "ldam changes with the share of the passes"),
        ({"lr_schedule": "cosine"}, {"classes": [0, 1]}, "cosine needs to know the last pass"),
        ({"class_weight": "balanced"}, {"classes": [0, 1]}, "'balanced' needs all rows"),
        ({}, {"classes": [0, 1, 2]}, "the first y holds no row of the class 2"),
        ({}, {"classes": [1, 2]}, "has a class that was not there at first: 0"),
        ({"loss": "dice"}, {"classes": [0, 1], "sample_weight": np.ones(60)}, "dice has one value for a whole batch"),
    ],
    ids=range(7),
)
def test_one_pass_that_cannot_be_made(asked: dict[str, Any], given: dict[str, Any], said: str) -> None:
    estimator = model(**asked)
    with pytest.raises(InputError, match=said):
        estimator.partial_fit(X, y, **given)
    assert not hasattr(estimator, "coefs_")


def test_later_passes_keep_to_the_first_ones_classes() -> None:
    going = model().partial_fit(X, y, classes=[0, 1])
    with pytest.raises(InputError, match="classes are other ones than at first"):
        going.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(InputError, match="has a class that was not there at first: 2"):
        going.partial_fit(X, THREE)


@pytest.mark.parametrize("said", ["predict", "predict_proba", "predict_log_proba", "decision_function", "to_onnx"])
def test_what_is_not_fitted_says_nothing(said: str) -> None:
    with pytest.raises(NotFittedError):
        getattr(FocalLogisticClassifier(), said)(X)
