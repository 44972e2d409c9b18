"""Dense detection: images of thousands of anchors, of which about ten hold an object.

Anchors lie in a row. Each object is one positive anchor with hard negatives on either side; all else is background.
An anchor's features are its kind's mean plus Gaussian noise that is correlated with its neighbours' (an AR(1) process
along the image), of unit variance, so that given the anchor's own features alone the Bayes score is exact:
log f1(x) - log f0(x) + log(positives / negatives), f0 the mixture of background and hard negatives.
"""

import numpy as np

from focalbench.base.randomness import generator
from focalbench.datasets.dataset import Counts, Dataset, Floats
from focalbench.datasets.synthetic.families import DenseKnobs, knobs_as
from focalbench.errors import InputError


def draw_dense(dataset: str, counts: Counts, split: str, seed: int, key: str) -> Dataset:
    """Draw a split's images: features (rows, dimension), targets, Bayes log odds, and the image of each row as group.

    For one seed and number of rows the objects at a low rate are among those at a higher one. The last image may be
    cut short. Raises InputError where the objects and their hard negatives do not fit in.
    """
    knob, slots = knobs_as(dataset, DenseKnobs), room(dataset, counts)
    anchors, hard = knob.anchors, knob.hard
    taken = generator(seed, f"{split}-objects", key).permutation(slots)[: counts.positives] * (hard + 1)
    means = np.zeros(counts.rows)
    for step in range(hard + 1):
        means[taken + step] = knob.hard_distance
    targets = np.zeros(counts.rows, dtype=np.int8)
    targets[taken + hard // 2] = 1
    means[targets == 1] = knob.distance
    features = _noise(counts.rows, anchors, knob.dimension, knob.correlation, seed, f"{split}-noise", key)
    features[:, 0] += means
    share = hard * counts.positives / counts.negatives
    logits = _bayes(features[:, 0].astype(np.float32).astype(np.float64), knob, share)
    prior = np.log(counts.positives) - np.log(counts.negatives)
    return Dataset(features.astype(np.float32), targets, logits + prior, groups=np.arange(counts.rows) // anchors)


def room(dataset: str, counts: Counts) -> int:
    """How many objects with their hard negatives would fit in. Raises InputError where the wanted ones do not."""
    hard = knobs_as(dataset, DenseKnobs).hard
    slots = counts.rows // (hard + 1)
    if counts.positives > slots:
        raise InputError(
            f"{counts.positives} objects with {hard} hard negatives each do not fit into {counts.rows} anchors; "
            "lower the positive rate or the knob hard"
        )
    return slots


def _noise(rows: int, anchors: int, dimension: int, correlation: float, seed: int, purpose: str, key: str) -> Floats:
    """Standard normal noise (rows, dimension), correlated along each image."""
    images = -(-rows // anchors)
    fresh = generator(seed, purpose, key).standard_normal((images, anchors, dimension))
    scale = np.sqrt(1 - correlation**2)
    for anchor in range(1, anchors):
        fresh[:, anchor] = correlation * fresh[:, anchor - 1] + scale * fresh[:, anchor]
    noise: Floats = fresh.reshape(-1, dimension)[:rows]
    return noise


def _bayes(first: Floats, knob: DenseKnobs, share: float) -> Floats:
    """Log likelihood ratio, which depends on the first feature alone. share: of the negatives that are hard."""

    def log_ratio(mean: float) -> Floats:  # to the background's density
        ratio: Floats = mean * first - mean**2 / 2
        return ratio

    with np.errstate(divide="ignore"):  # no hard negatives: log 0 is meant
        negative = np.logaddexp(np.log1p(-share), np.log(share) + log_ratio(knob.hard_distance))
    logits: Floats = log_ratio(knob.distance) - negative
    return logits
