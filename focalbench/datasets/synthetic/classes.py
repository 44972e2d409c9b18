"""Synthetic families of several classes (one of which is rare) or of several independent labels.

Classes: each is two Gaussian clusters, on either side of the origin on an axis of its own, so a linear score per class
cannot find it. The exact log odds of class k at a row x are log p_k - log(1 - p_k), p_k proportional to n_k f_k(x).
Labels: each has dimensions of its own, drawn as the family mixture is, so it depends on these alone, and its Bayes
score is that mixture's.
"""

import numpy as np

from focalbench.base.randomness import generator
from focalbench.datasets.dataset import Counts, Dataset, Floats
from focalbench.datasets.synthetic.families import ClassKnobs, LabelKnobs, MixtureKnobs, knobs, knobs_as, task_of
from focalbench.datasets.synthetic.mixtures import Cluster, Mixture, draw_from, draw_rows, log_density, of_knobs


def output_names(dataset: str) -> tuple[str, ...]:
    """What a family's classes or labels are called; none for a binary one."""
    kind = {"multiclass": "class", "multilabel": "label"}.get(task_of(dataset))
    return tuple(f"{kind} {i}" for i in range(1, knobs(dataset).outputs + 1)) if kind else ()


def output_counts(dataset: str, counts: Counts) -> list[int]:
    """How many of the rows each class or label has; the last one has exactly counts.positives.

    Of the family rare-class all others have equally many, of long-tail each the same factor more than the next (Cui et
    al. 2019, section 5.1); rounded so that they add up. Labels go from the knob `most` to the rarest by equal factors.
    """
    outputs, rare = knobs(dataset).outputs, counts.positives / counts.rows
    family = dataset.partition(":")[0]
    if family == "labels":
        rates = np.geomspace(max(knobs_as(dataset, LabelKnobs).most, rare), rare, outputs)
        return [*(round(rate * counts.rows) for rate in rates[:-1]), counts.positives]
    shares = np.ones(outputs - 1) if family == "rare-class" else _tail(rare, outputs)[:-1]
    ends = np.round(np.cumsum(shares) / shares.sum() * counts.negatives).astype(int)
    return [*np.diff(ends, prepend=0).tolist(), counts.positives]


def draw_classes(dataset: str, counts: Counts, split: str, seed: int, key: str) -> Dataset:
    """Draw a split of rare-class or long-tail: features (rows, dimension), labels one-hot, Bayes log odds.

    For one seed the first rows of a class are the same whatever the counts; targets are those of the rare class.
    """
    sizes, densities = output_counts(dataset, counts), _densities(dataset)
    parts = [
        draw_rows(density, density.positive, size, seed, f"{split}-class-{i}", key)
        for i, (density, size) in enumerate(zip(densities, sizes, strict=True))
    ]
    order = generator(seed, f"{split}-order", key).permutation(counts.rows)
    features = np.concatenate(parts)[order]
    which = np.repeat(np.arange(len(sizes)), sizes)[order]
    labels = (which[:, None] == np.arange(len(sizes))).astype(np.int8)
    points = np.ascontiguousarray(features.T, dtype=np.float64)
    joint = np.stack([log_density(density, density.positive, points) for density in densities], axis=1) + np.log(sizes)
    others = [np.logaddexp.reduce(np.delete(joint, k, axis=1), axis=1) for k in range(len(sizes))]
    return Dataset(features, labels[:, -1].copy(), joint - np.stack(others, axis=1), labels=labels)


def draw_labels(dataset: str, counts: Counts, split: str, seed: int, key: str) -> Dataset:
    """Draw a split of the family labels: features side by side, labels (rows, labels), Bayes log odds of each."""
    knob = knobs_as(dataset, LabelKnobs)
    block = of_knobs(MixtureKnobs(knob.clusters, knob.distance, knob.scale, knob.hard, dimension=knob.clusters))
    parts = [
        draw_from(block, Counts(counts.rows, size), f"{split}-label-{i}", seed, key)
        for i, size in enumerate(output_counts(dataset, counts))
    ]
    logits = np.stack([part.bayes_logits for part in parts if part.bayes_logits is not None], axis=1)
    labels = np.stack([part.targets for part in parts], axis=1)
    features = np.concatenate([part.features for part in parts], axis=1)
    return Dataset(features, parts[-1].targets, logits, labels=labels)


def _tail(rare: float, classes: int) -> Floats:
    """Shares that fall by one factor from class to class, add up to 1 and end at the rare one's."""
    low, high = 0.0, np.log(1 / rare)
    for _ in range(100):  # of the factor's logarithm
        middle = (low + high) / 2
        low, high = (middle, high) if rare * np.exp(middle * np.arange(classes)).sum() < 1 else (low, middle)
    shares: Floats = rare * np.exp(low * np.arange(classes)[::-1])
    return shares


def _densities(dataset: str) -> list[Mixture]:
    knob = knobs_as(dataset, ClassKnobs)

    def clusters(axis: int) -> tuple[Cluster, ...]:
        sides = (knob.distance, -knob.distance)
        return tuple(Cluster(0.5, (0.0,) * axis + (side,), knob.scale) for side in sides)

    return [Mixture(clusters(axis), (), knob.dimension) for axis in range(knob.classes)]
