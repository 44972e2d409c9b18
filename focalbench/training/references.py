"""Models beside the networks, shown under the table so that nobody leaves with a worse one than those.

On equal terms with an arm, which has three learning rates and the best of 20 epochs: three settings each, and boosting
the best of 20 numbers of trees, all chosen by validation. Somebody's own is what they made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from focalbench.base.randomness import generator
from focalbench.runs.reference import MODELS, is_own, label
from focalbench.runs.run import Run
from focalbench.training.boosters import BOOSTERS, Booster, coded

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from focalbench.datasets.dataset import Dataset, Features, Floats, Splits

    Value = Callable[[Floats, Dataset], float]  # of scores (rows,) on these rows

LOGISTIC, BOOSTING = MODELS["logistic"], MODELS["boosting"]
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
OWN_PROTOCOL = "best on validation of what its name holds"  # of somebody's own
_NAMES = {model: name for name, model in MODELS.items()}


def is_reference(run: Run) -> bool:
    """Whether a run is a reference model rather than an arm."""
    return run.training.model in _NAMES or is_own(run.training.model)


def sees_features(model: str) -> bool:
    """Whether a reference sees what a network sees, rather than the columns as they were read."""
    return model in (LOGISTIC, BOOSTING)


def reference_name(run: Run) -> str:
    """What people call the reference of a run."""
    return _NAMES.get(run.training.model, run.training.model)


def row_name(run: Run) -> str:
    """The label of a run's table row: its arm's name, or the reference model's."""
    if not is_reference(run):
        return run.arm.name
    return label(reference_name(run), weighted=run.arm.loss == "pos_weight")


class _Candidate(NamedTuple):
    """Scores of the validation rows, and what scores other rows. log_odds: whether scores are that."""

    validation: Floats
    score: Callable[[Dataset], Floats]
    log_odds: bool = True


class Fitted(NamedTuple):
    """Scores of the test and validation rows, and what validation reached by average precision and the metric.

    log_odds: whether scores are that; else they only rank.
    """

    test: Floats
    validation: Floats
    average_precision: float
    metric: float
    log_odds: bool


def reference_logits(run: Run, splits: Splits, output: int, value: Value) -> Fitted:
    """Fit every setting to one output of the training split, and choose on validation by a metric.

    Several outputs get a model each.
    """
    train, validation = splits.train.of_output(output), splits.validation.of_output(output)
    sign = -1 if run.training.metric.lower_is_better else 1
    best, reached = None, -np.inf
    for candidate in _candidates(run, train, validation, splits.test):
        if (found := sign * value(candidate.validation, validation)) > reached:
            best, reached = candidate, found
    assert best is not None
    precision = average_precision_of(best.validation, validation)
    return Fitted(best.score(splits.test), best.validation, precision, sign * reached, best.log_odds)


def _candidates(run: Run, train: Dataset, validation: Dataset, test: Dataset) -> Iterator[_Candidate]:
    model = run.training.model
    if model in BOOSTERS:
        return _boosted_by(BOOSTERS[model], run, train, validation)
    if is_own(model):
        return _own(run, train, validation, test)
    return (_logistic if model == LOGISTIC else _boosted)(run, train, validation)


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
        yield _Candidate(score(validation), score)


def _log_odds(model: Any, rows: Dataset) -> Floats:
    scores: Floats = model.decision_function(rows.features).astype(np.float64)
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


def _log_odds_of_trees(model: Any, edges: list[Features], trees: int, rows: Dataset) -> Floats:
    """Log odds by the first so many trees."""
    staged = model.staged_decision_function(_binned(edges, rows.features))
    scores: Floats = next(islice(staged, trees - 1, None)).ravel()
    return scores


def _boosted_by(library: Booster, run: Run, train: Dataset, validation: Dataset) -> Iterator[_Candidate]:
    """By the columns as they were read, which a library codes and bins itself."""
    draw = int(generator(run.seed, run.training.model, run.recipe.key).integers(2**31))
    rows, unseen, weights = coded(train.frame()), library.taken(coded(validation.frame())), _row_weights(run, train)
    for setting in library.settings:
        model = library.fit(setting, draw, rows, train.targets, weights)
        for looks, scores in enumerate(library.staged(model, unseen, LOOK), 1):
            yield _Candidate(scores, partial(_by_trees, library, model, looks * LOOK))


def _by_trees(library: Booster, model: Any, trees: int, rows: Dataset) -> Floats:
    return library.log_odds(model, library.taken(coded(rows.frame())), trees)


def _own(run: Run, train: Dataset, validation: Dataset, test: Dataset) -> Iterator[_Candidate]:
    """What somebody's own name holds, fitted in a process of its own."""
    from focalbench.training.own.fitting import fitting
    from focalbench.training.own.model import OwnRows

    targets, weights = train.targets.astype(np.int64), _row_weights(run, train)
    frames = [_wide(part.frame()) for part in (train, validation, test)]
    rows = OwnRows(frames[0], targets, weights, frames[1], frames[2], run.seed, run.recipe.key)
    with fitting(run.training.model, run.training.source, rows) as models:
        for place in range(models.count):
            found = models.scores(place)
            yield _Candidate(found.validation, partial(_already, found.test), found.log_odds)


def _wide(frame: pd.DataFrame) -> pd.DataFrame:
    """With numbers in double precision, as pandas reads them: else probabilities near 1 would be equal."""
    return frame.astype({name: np.float64 for name in frame.columns if frame[name].dtype == np.float32})


def _already(scores: Floats, _: Dataset) -> Floats:
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
    return balanced(train.targets, train.weights, train.prevalence)


def balanced(targets: NDArray[Any], weights: Floats | None, prevalence: float) -> Floats:
    """Weights (rows,) of mean 1 by which each class has half; scikit-learn's own count rows, whatever these weigh.

    targets: (rows,) of 0 and 1. weights: (rows,) that the rows have already, None for 1 each. prevalence: the share of
    the positives by these.
    """
    mass = 1.0 if weights is None else weights / weights.mean()
    return np.asarray(mass * np.where(targets == 1, 0.5 / prevalence, 0.5 / (1 - prevalence)))
