"""scikit-learn's obvious models, shown under the table so that nobody leaves with a worse one than those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from focalbench.arms import Arm, Run
from focalbench.randomness import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from focalbench.datasets.dataset import Dataset, Splits

LOGISTIC, BOOSTING = "sklearn-logistic", "sklearn-hist-gradient-boosting"
REFERENCES = tuple((model, arm) for model in (LOGISTIC, BOOSTING) for arm in (Arm("bce"), Arm("pos_weight")))
PENALTIES = (0.01, 1.0)  # of logistic regression, C
# of boosting; its own defaults end in ruin here: no penalty on leaves that hold a handful of positives, and a tenth
# of the training rows, six positives at 0.0015, to stop on
TREES: tuple[dict[str, Any], ...] = (
    {"l2_regularization": 10.0},
    {"l2_regularization": 1.0, "max_leaf_nodes": 7, "min_samples_leaf": 5},
)
SETTINGS = len(TREES)
_NAMES = {LOGISTIC: "logistic", BOOSTING: "boosting"}


def is_reference(run: Run) -> bool:
    """Whether a run is one of scikit-learn's models rather than an arm."""
    return run.training.model in _NAMES


def row_name(run: Run) -> str:
    """The label of a run's table row: its arm's name, or the reference model's."""
    if not is_reference(run):
        return run.arm.name
    return _NAMES[run.training.model] + (", class-weighted" if run.arm.loss == "pos_weight" else "")


def reference_logits(run: Run, splits: Splits, output: int) -> tuple[NDArray[np.float64], float]:
    """Fit every setting to one output of the training split, choose on validation, and return test log odds (rows,).

    The second value is the chosen setting's validation average precision. Several outputs get a model each.
    """
    from sklearn.metrics import average_precision_score

    train, validation = splits.train.of_output(output), splits.validation.of_output(output)
    weights = _row_weights(run, train)
    fitted = [model.fit(train.features, train.targets, sample_weight=weights) for model in _models(run, train)]
    scores = [
        float(average_precision_score(validation.targets, scores, sample_weight=validation.weights))
        for scores in (model.decision_function(validation.features) for model in fitted)
    ]
    best = int(np.argmax(scores))
    logits: NDArray[np.float64] = fitted[best].decision_function(splits.test.features).astype(np.float64)
    return logits, scores[best]


def _row_weights(run: Run, train: Dataset) -> NDArray[np.float64] | None:
    """Weights of mean 1, the class weights in them: scikit-learn's own count rows, whatever these weigh."""
    if train.weights is None:
        return None
    weights: NDArray[np.float64] = train.weights / train.weights.mean()
    if run.arm.loss == "pos_weight":
        weights = weights * np.where(train.targets == 1, 0.5 / train.prevalence, 0.5 / (1 - train.prevalence))
    return weights


def _models(run: Run, train: Dataset) -> list[Any]:
    weighting = "balanced" if run.arm.loss == "pos_weight" and train.weights is None else None
    if run.training.model == LOGISTIC:
        from sklearn.linear_model import LogisticRegression

        return [LogisticRegression(C=c, class_weight=weighting, max_iter=1000) for c in PENALTIES]
    from sklearn.ensemble import HistGradientBoostingClassifier

    draw = int(generator(run.seed, "boosting", run.recipe.key).integers(2**31))
    common = {"class_weight": weighting, "random_state": draw, "early_stopping": False}
    return [HistGradientBoostingClassifier(**common, **setting) for setting in TREES]
