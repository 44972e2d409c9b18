"""Which rows go where: seeded, stratified, nested over rates; and label noise that keeps every count."""

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.dataset import Counts, Dataset, Floats, SplitCounts, Targets
from focalbench.randomness import generator

Rows = NDArray[np.intp]


def allot(
    targets: Targets, counts: SplitCounts, parts: tuple[int, int, int], seed: int, key: str
) -> tuple[Rows, Rows, Rows]:
    """Return the rows of train, validation and test, each in the table's order.

    targets: (rows,) of the whole table. counts: how many rows and positives each split gets. parts: how the
    table's positives are dealt to the splits, whatever the rate (prevalence.positive_parts); a split takes
    the first ones of its part, so that its positives at a low rate are among those at a higher one.
    """
    positives = generator(seed, "split-positives", key).permutation(np.flatnonzero(targets == 1))
    negatives = generator(seed, "split-negatives", key).permutation(np.flatnonzero(targets == 0))
    first_positive = np.cumsum([0, *parts[:2]])
    first_negative = np.cumsum([0, counts.train.negatives, counts.validation.negatives])

    def rows(part: Counts, i: np.intp, j: np.intp) -> Rows:
        return np.sort(np.concatenate([positives[i : i + part.positives], negatives[j : j + part.negatives]]))

    train, validation, test = map(rows, counts.each, first_positive, first_negative)
    return train, validation, test


def with_label_noise(dataset: Dataset, swaps: int, rng: np.random.Generator) -> Dataset:
    """Swap the labels of so many random positives and as many random negatives: the prevalence stays.

    The Bayes log odds become those of the observed label: with P the clean probability of a positive,
    P (1 - swaps/positives) + (1 - P) swaps/negatives.
    """
    targets = dataset.targets.copy()
    for label in (1, 0):
        targets[rng.choice(np.flatnonzero(dataset.targets == label), swaps, replace=False)] = 1 - label
    logits = dataset.bayes_logits
    if logits is not None and swaps > 0:
        negatives = dataset.rows - dataset.positives
        logits = _observed_logits(logits, swaps / dataset.positives, swaps / negatives)
    return Dataset(dataset.features, targets, logits)


def _observed_logits(logits: Floats, flipped_positives: float, flipped_negatives: float) -> Floats:
    with np.errstate(divide="ignore"):  # every negative flipped: log 0 is meant
        kept = np.log1p([-flipped_positives, -flipped_negatives])
    positive = np.logaddexp(logits + kept[0], np.log(flipped_negatives))
    negative = np.logaddexp(logits + np.log(flipped_positives), kept[1])
    return np.asarray(positive - negative)
