"""Training rows resampled before training, as imbalanced-learn does it: some negatives left out, positives repeated, or
positives made between neighbouring ones.

Every run takes as many steps, whatever its rows: an epoch is as many rows as were there before. What is drawn has more
positives than the data, so starts and class weights follow the rows drawn, and probabilities are moved back
(caller.py).
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.dataset import Dataset, Features
from focalbench.errors import InputError
from focalbench.runs.resampling import Method, Resampling
from focalbench.training.samplers import Order, endless

NEIGHBOURS = 5  # of a positive, between which and itself others are made; imbalanced-learn's own
HALF = 0.5
_SEEDS = 2**31


class Resampled(NamedTuple):
    """train: the rows, after which those that were made. rows: (row drawn,), which of them make up the training set."""

    train: Dataset
    rows: Order


def check_installed(how: Resampling) -> None:
    """Raise InputError where the library of a method is not installed."""
    if how.method is Method.SMOTE and find_spec("imblearn") is None:
        raise InputError("smote takes imbalanced-learn, which is not installed: pip install 'focalbench[resampling]'")


def resample(train: Dataset, how: Resampling, rng: np.random.Generator) -> Resampled:
    """The training set of a resampling; all rows where there are positives enough already."""
    positives, negatives = (np.flatnonzero(train.targets == target) for target in (1, 0))
    kept, more = int(len(positives) / how.ratio), int(how.ratio * len(negatives)) - len(positives)
    if more <= 0 or kept >= len(negatives):
        return Resampled(train, np.arange(train.rows))
    if how.method is Method.UNDERSAMPLE:
        return Resampled(train, np.concatenate([positives, rng.choice(negatives, kept, replace=False)]))
    if how.method is Method.OVERSAMPLE:
        return Resampled(train, np.concatenate([np.arange(train.rows), rng.choice(positives, more)]))
    made = _smote(train, how.ratio, int(rng.integers(_SEEDS)))
    features = np.concatenate([train.features, made])
    targets = np.concatenate([train.targets, np.ones(len(made), dtype=np.int8)])
    larger = replace(train, features=features, targets=targets, bayes_logits=None, groups=None, as_read=None)
    return Resampled(larger, np.arange(larger.rows))


def epochs_of(rows: Order, size: int, epochs: int, rng: np.random.Generator) -> list[Order]:
    """So many epochs of `size` rows each, from one random order of `rows` after the other."""
    drawn = endless(rows, rng)
    return [np.fromiter(islice(drawn, size), dtype=np.int32, count=size) for _ in range(epochs)]


# ---- SMOTE


def _smote(train: Dataset, ratio: float, seed: int) -> Features:
    """The features of the positives that are made, (row, feature).

    Categories take the level that most neighbours have (SMOTENC, and SMOTEN where there are no numbers).
    """
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    coded, numbers = _coded(train.features, train.levels)
    common = {"sampling_strategy": ratio, "random_state": seed, "k_neighbors": min(NEIGHBOURS, train.positives - 1)}
    if not train.levels:
        sampler = SMOTE(**common)
    elif not numbers:
        sampler = SMOTEN(**common)
    else:
        sampler = SMOTENC(categorical_features=list(range(numbers, coded.shape[1])), **common)
    found, _ = sampler.fit_resample(coded, train.targets)
    return _decoded(found[train.rows :], train)


Levels = Sequence[tuple[int, int]]


def _coded(features: Features, levels: Levels) -> tuple[NDArray[np.float64], int]:
    """Numbers, then the level of each category as a number; and how many numbers."""
    numbers = _numbers(features.shape[1], levels)
    codes = [_code(features[:, first:last]) for first, last in levels]
    return np.column_stack([features[:, numbers].astype(np.float64), *codes]), len(numbers)


def _code(columns: Features) -> NDArray[np.intp]:
    """Which of its columns is 1, or of a single one whether it is."""
    return (columns[:, 0] > HALF).astype(np.intp) if columns.shape[1] == 1 else columns.argmax(axis=1)


def _decoded(coded: NDArray[np.float64], train: Dataset) -> Features:
    numbers = _numbers(train.features.shape[1], train.levels)
    features = np.zeros((len(coded), train.features.shape[1]), dtype=np.float32)
    features[:, numbers] = coded[:, : len(numbers)]
    for (first, last), code in zip(train.levels, coded[:, len(numbers) :].T.astype(np.intp), strict=True):
        if last - first == 1:
            features[:, first] = code
        else:
            features[np.arange(len(coded)), first + code] = 1
    return features


def _numbers(width: int, levels: Levels) -> list[int]:
    """The features that are no levels."""
    taken = {place for first, last in levels for place in range(first, last)}
    return [place for place in range(width) if place not in taken]
