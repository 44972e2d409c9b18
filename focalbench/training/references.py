"""scikit-learn's obvious models, shown under the table so that nobody leaves with a worse one than those.

On equal terms with an arm, which has three learning rates and the best of 20 epochs: three settings each, and boosting
the best of 20 numbers of trees, all chosen by validation average precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from focalbench.base.randomness import generator
from focalbench.runs.arm import Arm
from focalbench.runs.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from focalbench.datasets.dataset import Dataset, Features, Floats, Splits

    Value = Callable[[Floats, Dataset], float]  # of scores (rows,) on these rows

LOGISTIC, BOOSTING = "sklearn-logistic", "sklearn-hist-gradient-boosting"
REFERENCES = tuple((model, arm) for model in (LOGISTIC, BOOSTING) for arm in (Arm("bce"), Arm("pos_weight")))
PENALTIES = (0.01, 0.1, 1.0)  # of logistic regression, C
# of boosting: small, middling and usual trees; its own defaults end in ruin here, with no penalty on leaves that hold a
# handful of positives, and a tenth of the training rows, six positives at 0.0015, to stop on. Chosen on seeds 0 to 2,
# 101 and 102 of the mixture and one each of flights and census, which no reported table uses
TREES: tuple[dict[str, Any], ...] = (
    {"l2_regularization": 1.0, "max_leaf_nodes": 4, "min_samples_leaf": 5, "learning_rate": 0.2},
    {"l2_regularization": 10.0, "max_leaf_nodes": 7, "min_samples_leaf": 5, "learning_rate": 0.2},
    {"l2_regularization": 10.0, "learning_rate": 0.2},
)
MOST_TREES, LOOK = 100, 5  # trees grown, and after how many validation is looked at
BINS = 255  # of a feature for boosting, as many as it takes
SETTINGS = len(TREES)
PROTOCOL = f"best of {SETTINGS} settings and of boosting's trees on validation"  # part of a run's identity
_NAMES = {LOGISTIC: "logistic", BOOSTING: "boosting"}


def is_reference(run: Run) -> bool:
    """Whether a run is one of scikit-learn's models rather than an arm."""
    return run.training.model in _NAMES


def row_name(run: Run) -> str:
    """The label of a run's table row: its arm's name, or the reference model's."""
    if not is_reference(run):
        return run.arm.name
    return _NAMES[run.training.model] + (", class-weighted" if run.arm.loss == "pos_weight" else "")


class _Candidate(NamedTuple):
    """Scores of the validation rows, and what scores other rows."""

    validation: Floats
    score: Callable[[Features], Floats]


class Fitted(NamedTuple):
    """Log odds of the test and validation rows, and what validation reached by average precision and the metric."""

    test: Floats
    validation: Floats
    average_precision: float
    metric: float


def reference_logits(run: Run, splits: Splits, output: int, value: Value) -> Fitted:
    """Fit every setting to one output of the training split, and choose on validation by a metric.

    Several outputs get a model each.
    """
    train, validation = splits.train.of_output(output), splits.validation.of_output(output)
    fit = _logistic if run.training.model == LOGISTIC else _boosted
    sign = -1 if run.training.metric.lower_is_better else 1
    best, reached = None, -np.inf
    for candidate in fit(run, train, validation):
        if (found := sign * value(candidate.validation, validation)) > reached:
            best, reached = candidate, found
    assert best is not None
    precision = average_precision_of(best.validation, validation)
    return Fitted(best.score(splits.test.features), best.validation, precision, sign * reached)


def average_precision_of(scores: Floats, rows: Dataset) -> float:
    """Of scores (rows,), higher is more positive."""
    import torch

    from focalbench.metrics.ranking import average_precision

    weights = None if rows.weights is None else torch.from_numpy(rows.weights)
    return float(average_precision(torch.from_numpy(scores)[None], torch.from_numpy(rows.targets), weights))


def _logistic(run: Run, train: Dataset, validation: Dataset) -> Iterator[_Candidate]:
    from sklearn.linear_model import LogisticRegression

    for penalty in PENALTIES:
        model = LogisticRegression(C=penalty, max_iter=1000)
        model.fit(train.features, train.targets, sample_weight=_row_weights(run, train))
        score = partial(_log_odds, model)
        yield _Candidate(score(validation.features), score)


def _log_odds(model: Any, features: Features) -> Floats:
    scores: Floats = model.decision_function(features).astype(np.float64)
    return scores


def _boosted(run: Run, train: Dataset, validation: Dataset) -> Iterator[_Candidate]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    draw = int(generator(run.seed, "boosting", run.recipe.key).integers(2**31))
    edges = _edges(train)
    binned, unseen = _binned(edges, train.features), _binned(edges, validation.features)
    for setting in TREES:
        model = HistGradientBoostingClassifier(
            max_iter=MOST_TREES, max_bins=BINS, early_stopping=False, random_state=draw, **setting
        )
        model.fit(binned, train.targets, sample_weight=_row_weights(run, train))
        for trees, scores in enumerate(model.staged_decision_function(unseen), 1):
            if trees % LOOK == 0:
                yield _Candidate(scores.ravel(), partial(_log_odds_of_trees, model, edges, trees))


def _log_odds_of_trees(model: Any, edges: list[Features], trees: int, features: Features) -> Floats:
    """Log odds by the first so many trees."""
    scores: Floats = next(islice(model.staged_decision_function(_binned(edges, features)), trees - 1, None)).ravel()
    return scores


def _edges(train: Dataset) -> list[Features]:
    """Where the bins of each feature begin: every value has one, or every bin weighs the same, each class in all half.

    scikit-learn would bin by the weights of the fit, and so squeeze rare positives into a few bins where rows are not
    weighted; and it takes five times as long over bins as over the trees where they are.
    """
    weights = _balanced(train)
    return [_edges_of(column, weights) for column in train.features.T]


def _edges_of(column: Features, weights: Floats) -> Features:
    values = np.unique(column)
    if len(values) <= BINS:
        return values[1:]
    order = np.argsort(column)
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, np.arange(1, BINS) / BINS * reached[-1])
    return np.unique(column[order[places]])


def _binned(edges: list[Features], features: Features) -> NDArray[np.uint8]:
    columns = zip(edges, features.T, strict=True)
    return np.stack([np.searchsorted(edge, column, side="right").astype(np.uint8) for edge, column in columns], axis=1)


def _row_weights(run: Run, train: Dataset) -> Floats | None:
    """What rows weigh in a fit, of mean 1; None for 1 each."""
    if run.arm.loss == "pos_weight":
        return _balanced(train)
    return None if train.weights is None else train.weights / train.weights.mean()


def _balanced(train: Dataset) -> Floats:
    """Weights of mean 1 by which each class has half; scikit-learn's own count rows, whatever these weigh."""
    weights = 1.0 if train.weights is None else train.weights / train.weights.mean()
    return np.asarray(weights * np.where(train.targets == 1, 0.5 / train.prevalence, 0.5 / (1 - train.prevalence)))
