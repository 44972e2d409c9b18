"""Columns that predict the target almost alone: often known only after the fact."""

from typing import TYPE_CHECKING

import numpy as np

from focalbench.datasets.dataset import Floats
from focalbench.datasets.tables.table import UNKNOWN, Table

if TYPE_CHECKING:
    import pandas as pd

SUSPICIOUS = 0.9  # of the way from chance to 1 in average precision, by a column alone
LEAVES, LEAST_ROWS = 8, 5  # of the tree that cuts a number's values
MOST_ROWS = 100_000  # looked at


def leak_warnings(table: Table) -> list[str]:
    """A warning for every column of a user's file that predicts the target almost alone."""
    return [
        f"the column {name} alone reaches an average precision of {precision:.2f}; if it is known only afterwards, "
        "`drop` it"
        for name, precision in (leaking_columns(table) if table.columns else ())
    ]


def leaking_columns(table: Table) -> list[tuple[str, float]]:
    """Names and average precisions of the source's columns that reach SUSPICIOUS alone, or one of their parts does.

    A column's score for a row is learnt from the other half of the rows: for a number by a tree of few leaves, for a
    category as the rate of positives with the same value; what is missing is a value of its own. So a column which
    never repeats scores nothing.
    """
    from sklearn.metrics import average_precision_score

    rows = np.random.default_rng(0).permutation(table.rows)  # in no order, and always the same
    rows = rows[table.classes[rows] != UNKNOWN][:MOST_ROWS]
    targets = table.targets[rows].astype(np.float64)
    origins = dict(table.derived)
    found: dict[str, float] = {}
    for name in table.frame.columns:
        scores = _learnt_from_the_other_half(table.frame[name].iloc[rows], targets)
        precision = float(average_precision_score(targets, scores))
        if precision >= 1 - (1 - SUSPICIOUS) * (1 - targets.mean()):
            column = origins.get(str(name), str(name))
            found[column] = max(precision, found.get(column, 0.0))
    return list(found.items())


def _learnt_from_the_other_half(column: "pd.Series[float]", targets: Floats) -> Floats:
    scores = np.empty(len(targets))
    first = np.arange(len(targets)) % 2 == 0
    for mine, other in ((first, ~first), (~first, first)):
        learn = _rates if column.dtype == "category" else _tree
        scores[mine] = learn(column[other], targets[other], column[mine])
    return scores


def _rates(seen: "pd.Series[float]", targets: Floats, asked: "pd.Series[float]") -> Floats:
    codes = seen.cat.codes + 1  # 0: missing
    rows = np.bincount(codes, minlength=len(seen.cat.categories) + 1)
    positives = np.bincount(codes, targets, minlength=len(rows))
    rates: Floats = ((positives + targets.mean()) / (rows + 1))[asked.cat.codes + 1]  # an unseen one: the overall rate
    return rates


def _tree(seen: "pd.Series[float]", targets: Floats, asked: "pd.Series[float]") -> Floats:
    from sklearn.tree import DecisionTreeClassifier

    if targets.min() == targets.max():
        return np.zeros(len(asked))
    tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=LEAST_ROWS, random_state=0)
    tree.fit(np.array(seen, dtype=np.float32)[:, None], targets)  # a copy: scikit-learn refuses what is read-only
    rates: Floats = tree.predict_proba(np.array(asked, dtype=np.float32)[:, None])[:, 1]
    return rates
