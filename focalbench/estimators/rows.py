"""From checked tables and labels to the trainer's rows: class numbers, what a row weighs, how many rows a class has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from focalbench.errors import InputError
from focalbench.training.loop import Rows
from focalbench.training.rivals import ClassCounts

Features = NDArray[np.float32]
Labels = NDArray[Any]
Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """Rows that weigh something. features: (row, feature); codes: (row,), the place of its class among `classes`, which
    are sorted; weights: (row,) > 0, or None for 1 each.
    """

    features: Features
    codes: NDArray[np.int64]
    classes: Labels
    weights: Weights | None = None

    @property
    def outputs(self) -> int:
        """Of the network: 1 for two classes, else one a class."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    @property
    def class_count(self) -> Weights:
        """Rows of each class, (class,), by weight; they add up to the number of rows."""
        mass = np.bincount(self.codes, self.weights, len(self.classes))
        return np.asarray(mass * (len(self.codes) / mass.sum()), dtype=np.float64)

    @property
    def rows(self) -> Rows:
        """What the trainer takes: 0/1 targets, (row,) or (row, class), and weights of mean 1."""
        hot = self.codes[:, None] == np.arange(len(self.classes))
        targets = hot[:, 1] if self.outputs == 1 else hot
        weights = None if self.weights is None else torch.from_numpy(self.weights / self.weights.mean()).float()
        return Rows(tensor_of(self.features), torch.from_numpy(targets).float(), weights)

    def take(self, index: NDArray[np.integer[Any]]) -> "Labelled":
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[index]
        return Labelled(self.features[index], self.codes[index], self.classes, weights)

    def need_all_classes(self, whose: str) -> "Labelled":
        """The same. Raises InputError where a class has no row of any weight, or there is only one class."""
        if len(self.classes) < 2:
            raise InputError(f"{whose} holds one class only; give rows of at least two classes")
        if absent := [str(self.classes[code]) for code in np.flatnonzero(self.class_count == 0)]:
            raise InputError(f"{whose} holds no row of the class {absent[0]} that weighs anything; give rows of it")
        return self


def labelled(features: Features, y: Labels, classes: Labels, weights: Weights | None) -> Labelled:
    """Rows with the numbers of their classes; those that weigh 0 are left out. Raises InputError for another class."""
    if weights is not None and not weights.all():
        kept = weights > 0
        return labelled(features[kept], y[kept], classes, weights[kept])
    codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    if (other := classes[codes] != y).any():
        raise InputError(f"y has a class that was not there at first: {y[other][0]}")
    return Labelled(features, codes, classes, weights)


def present(y: Labels, weights: Weights | None) -> Labels:
    """The classes (class,), sorted, of the rows (row,) that weigh something."""
    return np.asarray(np.unique(y if weights is None else y[weights > 0]))


def class_weighted(rows: Labelled, class_weight: str | Mapping[Any, float] | None) -> Labelled:
    """The rows, their weights times those of their classes: "balanced" or by label, 1 where a label is not named.

    Raises InputError for another word, a label that is not there, and weights that are not finite and > 0.
    """
    if class_weight is None:
        return rows
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise InputError(f"class_weight must be None, 'balanced' or a dict, got {class_weight!r}")
        each = len(rows.codes) / len(rows.classes) / rows.class_count
    else:
        each = np.array([class_weight.get(label, 1.0) for label in rows.classes.tolist()], dtype=np.float64)
        if absent := class_weight.keys() - set(rows.classes.tolist()):
            raise InputError(f"class_weight names a class that y does not have: {next(iter(absent))!r}")
    if not (np.isfinite(each).all() and (each > 0).all()):
        raise InputError(f"class_weight must be finite numbers > 0, got {class_weight}; leave rows out with weight 0")
    own = each[rows.codes]
    return Labelled(rows.features, rows.codes, rows.classes, own if rows.weights is None else rows.weights * own)


def counts_of(class_count: Weights) -> tuple[ClassCounts, ...]:
    """Of each output, from the rows of each class."""
    count = [float(each) for each in class_count]
    if len(count) == 2:
        return (ClassCounts(count[1], count[0]),)
    return tuple(ClassCounts(each, sum(count) - each) for each in count)


def tensor_of(features: Features) -> torch.Tensor:
    """Without a copy where that can be."""
    return torch.from_numpy(features if features.flags.writeable else features.copy())
