"""scikit-learn's obvious models, shown under the table so that nobody leaves with a worse one than those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from focalbench.arms import Arm, Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from focalbench.datasets.dataset import Dataset

LOGISTIC, BOOSTING = "sklearn-logistic", "sklearn-hist-gradient-boosting"
REFERENCES = tuple((model, arm) for model in (LOGISTIC, BOOSTING) for arm in (Arm("bce"), Arm("pos_weight")))
_NAMES = {LOGISTIC: "logistic", BOOSTING: "boosting"}


def is_reference(run: Run) -> bool:
    """Whether a run is one of scikit-learn's models rather than an arm."""
    return run.training.model in _NAMES


def row_name(run: Run) -> str:
    """The label of a run's table row: its arm's name, or the reference model's."""
    if not is_reference(run):
        return run.arm.name
    return _NAMES[run.training.model] + (", class-weighted" if run.arm.loss == "pos_weight" else "")


def reference_logits(run: Run, train: Dataset, test: Dataset) -> NDArray[np.float64]:
    """Fit on the training split with scikit-learn's defaults and return test log odds, (rows,) float64."""
    model = _model(run)
    model.fit(train.features, train.targets)
    logits: NDArray[np.float64] = model.decision_function(test.features).astype(np.float64)
    return logits


def _model(run: Run) -> Any:
    weighting = "balanced" if run.arm.loss == "pos_weight" else None
    if run.training.model == LOGISTIC:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(class_weight=weighting, max_iter=1000)
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(class_weight=weighting, random_state=run.seed)
