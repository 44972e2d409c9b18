"""What the weights of a table's rows leave of each split: few heavy rows are no more than few rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from focalbench.datasets.dataset import Floats, Targets
from focalbench.datasets.prevalence import CHOICE_POSITIVES, MIN_POSITIVES, TABLE_TEST_POSITIVES
from focalbench.errors import InputError

_SPLITS = ("training", "validation", "test")


class Weighed(NamedTuple):
    """Rows of a split whose weight is not lost beside the others', and how many positives of equal weight would tell as
    much (the squared sum of weights over the sum of squares; Kish 1965).
    """

    positives: int
    negatives: int
    worth: float


def weigh(weights: Floats, targets: Targets) -> Weighed:
    """Weigh the rows of a split. weights: (rows,) float64 >= 0. targets: (rows,) as Table.classes."""
    shares = weights / weights.max() if weights.any() else weights
    counts = (shares / max(shares.mean(), np.finfo(np.float64).tiny)).astype(np.float32) > 0  # as training has them
    positive = shares[targets == 1]
    worth = positive.sum() ** 2 / (positive**2).sum() if positive.any() else 0.0
    return Weighed(int(np.sum(counts & (targets == 1))), int(np.sum(counts & (targets == 0))), float(worth))


def check_weights(splits: Sequence[Weighed], seed: int) -> None:
    """Raise InputError where a split has too few rows that weigh."""
    for name, split in zip(_SPLITS, splits, strict=True):
        if split.positives < MIN_POSITIVES or split.negatives < 1:
            raise InputError(
                f"with seed {seed}, the weights leave {split.positives} positives and {split.negatives} negatives to "
                f"{name}; each split needs {MIN_POSITIVES} and 1: let more rows weigh something"
            )


def weight_warnings(by_seed: Sequence[Sequence[Weighed]]) -> list[str]:
    """A sentence for validation and test where few rows have most of the positives' weight, in some seed."""
    found = []
    for place, least in ((1, CHOICE_POSITIVES), (2, TABLE_TEST_POSITIVES)):
        split = min((splits[place] for splits in by_seed), key=lambda each: each.worth)
        if split.worth < least <= split.positives:
            found.append(
                f"{_SPLITS[place]} holds {split.positives} positives, but by their weights they are worth "
                f"{split.worth:.1f} of equal weight; below {least} its average precision is noisy"
            )
    return found
