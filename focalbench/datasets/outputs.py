"""How many rows of each class or label the splits of a table hold, and which are enough to be measured."""

import numpy as np

from focalbench.datasets.dataset import Counts, Floats, SplitCounts
from focalbench.datasets.prevalence import LEAST_TABLE_POSITIVES, MIN_POSITIVES
from focalbench.datasets.table import Table
from focalbench.errors import InputError


def measured_outputs(table: Table, counts: SplitCounts) -> tuple[int, ...]:
    """The classes of a table, the rare one last, of which enough rows are expected to validate and to test.

    The others are trained on and left out of averages. Labels are all measured or refused. Raises InputError for a
    class without rows to train on and for labels with too few.
    """
    assert table.labels is not None
    train, validation, test = (_expected(table, part) for part in counts.each)
    least = MIN_POSITIVES if table.multilabel else 1
    enough = np.minimum(validation, test) >= MIN_POSITIVES
    refused = [name for name, rows in zip(table.names, train, strict=True) if rows < least]
    if table.multilabel:
        refused += [name for name, fine in zip(table.names, enough, strict=True) if not fine]
    if refused:
        raise InputError(
            f"too few rows of {', '.join(dict.fromkeys(refused))} for the splits: ask for more --rows, take more data, "
            "or leave these out"
        )
    return tuple(np.flatnonzero(enough).tolist())


def rarest(totals: Floats) -> int:
    """The rarest output that can be split: classes may be rarer, but then they are not measured."""
    usable = np.flatnonzero(totals >= LEAST_TABLE_POSITIVES)
    if not len(usable):
        raise InputError(
            f"no class or label has {LEAST_TABLE_POSITIVES} rows, the least that can be split; take more data"
        )
    return int(usable[totals[usable].argmin()])


def _expected(table: Table, part: Counts) -> Floats:
    """Rows of each output in a split: the rare one's are exact, the others have their share of what is left."""
    assert table.labels is not None
    totals = table.labels[:, :-1].sum(axis=0, dtype=np.float64)
    shares = totals / table.rows * part.rows if table.multilabel else totals / totals.sum() * part.negatives
    return np.append(shares, part.positives)
