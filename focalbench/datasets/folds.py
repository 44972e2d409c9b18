"""Tables with too few positives for three splits: five folds, each of which is tested on once."""

import numpy as np
from numpy.typing import NDArray

from focalbench.base.randomness import generator
from focalbench.datasets.dataset import Counts, Targets
from focalbench.datasets.splits import Rows
from focalbench.datasets.tables.table import Groups
from focalbench.errors import InputError

FOLDS = 5
LEAST_POSITIVES = 25  # of a table: five in a fold
LEAST_OF_A_FOLD = 2  # positives, where groups keep folds from being alike


def fold_splits(targets: Targets, units: Groups, kept: Counts, seed: int, key: str) -> list[tuple[Rows, Rows, Rows]]:
    """Return the rows that train, validate and test, in the table's order, for each fold in turn.

    targets: (rows,) of 0 and 1. units: (rows,), rows of one unit are never in two folds. kept: how many rows and
    positives of the table take part, the first ones in an order drawn from the seed. Folds hold as many positives, and
    as many rows, as units allow. A fold is tested on, the next one validates, the other three train. Raises InputError
    where a fold has too few positives, or no negative.
    """
    part = _kept(targets, kept, seed, key)
    fold = np.full(len(targets), -1)
    fold[part] = _assigned(targets[part], units[part], seed, key)
    for k in range(FOLDS):
        held = targets[fold == k]
        if held.sum() < LEAST_OF_A_FOLD or held.all():
            raise InputError(
                f"fold {k + 1} of {FOLDS} holds {int(held.sum())} positives of {len(held)} rows (seed {seed}), because "
                "rows of a group stay together; use a finer group, or more data"
            )
    return [_rows_of(fold, k) for k in range(FOLDS)]


def _rows_of(fold: NDArray[np.int64], tested: int) -> tuple[Rows, Rows, Rows]:
    validated = (tested + 1) % FOLDS
    train = np.flatnonzero((fold >= 0) & (fold != tested) & (fold != validated))
    return train, np.flatnonzero(fold == validated), np.flatnonzero(fold == tested)


def _kept(targets: Targets, kept: Counts, seed: int, key: str) -> Rows:
    """The rows that take part, in the table's order."""
    chosen = []
    for label, count, name in ((1, kept.positives, "positives"), (0, kept.negatives, "negatives")):
        of_label = np.flatnonzero(targets == label)
        chosen.append(generator(seed, f"fold-{name}", key).permutation(of_label)[:count])
    return np.sort(np.concatenate(chosen))


def _assigned(targets: Targets, units: Groups, seed: int, key: str) -> NDArray[np.int64]:
    """A fold for each row: units with positives first, the largest first, each to the fold that has fewest."""
    _, members, rows = np.unique(units, return_inverse=True, return_counts=True)
    positives = np.bincount(members, targets, minlength=len(rows)).astype(np.int64)
    order = generator(seed, "fold-units", key).permutation(len(rows))
    fold = np.empty(len(rows), dtype=np.int64)
    held, taken = [0] * FOLDS, [0] * FOLDS
    for unit in order[np.lexsort((-rows[order], -positives[order]))].tolist():
        least = taken if positives[unit] == 0 else list(zip(held, taken, strict=True))
        fold[unit] = k = least.index(min(least))  # type: ignore[arg-type]
        held[k] += int(positives[unit])
        taken[k] += int(rows[unit])
    return fold[members]
