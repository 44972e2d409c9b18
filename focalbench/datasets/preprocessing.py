"""Tables to float32 features: statistics from the training rows, the list of columns from the whole table.

Numbers: median for what is missing, standardised, clipped; beside them a 0/1 column where the table has
missing ones. Categories: one-hot, rare ones together. The categories and the columns with gaps are schema,
taken from the whole table, so every split and every seed has the same width.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from focalbench.datasets.dataset import Features
from focalbench.datasets.splits import Rows
from focalbench.datasets.table import Table

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 32
# a heavy tail, or a column that is constant in training, would otherwise swamp the first steps
CLIP = 10.0
_CHUNK = 16_384


def preprocess(table: Table, splits: tuple[Rows, Rows, Rows]) -> tuple[Features, Features, Features]:
    """Return the features of train, validation and test, each (rows, width) float32, C-contiguous.

    splits: the rows of each. Everything is fitted on the first. Standardised values are clipped to +-10.
    """
    coded = _coded(table)
    encoder = _encoder(coded, table.categorical).fit(coded.iloc[splits[0]])
    train, validation, test = (_transform(encoder, coded, rows) for rows in splits)
    return train, validation, test


def _coded(table: Table) -> "pd.DataFrame":
    """Replace each category by its code, so that level 0 is a missing value."""
    import pandas as pd

    codes = {name: table.frame[name].cat.codes.astype("int32") + 1 for name in table.categorical}
    columns = {name: codes.get(name, table.frame[name]) for name in table.frame.columns}
    return pd.DataFrame(columns, index=table.frame.index)


def _encoder(coded: "pd.DataFrame", categorical: tuple[str, ...]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import MissingIndicator, SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numeric = [name for name in coded.columns if name not in categorical]
    scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    one_hot = OneHotEncoder(
        categories=[np.unique(coded[name]) for name in categorical],
        max_categories=MAX_CATEGORIES,
        handle_unknown="infrequent_if_exist",
        dtype=np.float32,
    )
    gaps = [name for name in numeric if coded[name].isna().any()]
    columns = [("numeric", scaled, numeric), ("gaps", MissingIndicator(features="all"), gaps)]
    return ColumnTransformer([*columns, ("categories", one_hot, list(categorical))], sparse_threshold=0)


def _transform(encoder: Any, coded: "pd.DataFrame", rows: Rows) -> Features:
    width = encoder.transform(coded.iloc[rows[:1]]).shape[1]
    features = np.empty((len(rows), width), dtype=np.float32)
    for start in range(0, len(rows), _CHUNK):  # no float64 copy of the whole split
        part = slice(start, start + _CHUNK)
        np.clip(encoder.transform(coded.iloc[rows[part]]), -CLIP, CLIP, out=features[part])
    return features
