"""How version 0.1.0 read a column of text as numbers. A run's identity is that of its data as read, so a stored run is
taken again only where a file still means the same; this is what tells.
"""

from collections.abc import Sequence

import numpy as np

from focalbench.datasets.dataset import Floats

_DECIMAL_COMMA = r"^(-?\d*),(\d+)$"
_THOUSANDS = r"-?\d{1,3}(,\d{3})+(\.\d+)?"
_LOST = 0.05


def read_as_before(texts: Sequence[str], counts: Sequence[int]) -> Floats | None:
    """The numbers that distinct texts were, each there so many times; None where they were no numbers."""
    import pandas as pd

    column = pd.Series(texts, dtype="str")
    has_comma = column.str.contains(",", regex=False)
    if has_comma.any() and column[has_comma].str.fullmatch(_THOUSANDS).all():
        column = column.str.replace(",", "", regex=False)
    elif has_comma.any():
        column = column.str.replace(_DECIMAL_COMMA, r"\1.\2", regex=True)
    numbers = np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64)
    lost = int(np.asarray(counts)[np.isnan(numbers)].sum())
    return numbers if lost <= _LOST * sum(counts) else None
