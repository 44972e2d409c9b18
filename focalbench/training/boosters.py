"""Boosting libraries as reference models: three settings each, and trees one by one, for validation to choose among.

They see the columns as they were read, since they take categories and missing values as they are: a category is its
number, a missing one is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from focalbench.datasets.dataset import Floats, Targets

    Setting = Mapping[str, Any]

RATE, TREES = 0.2, 100  # as of scikit-learn's boosting
# of a feature: the usual 255 hold as many rows each, and rare positives share a few with many negatives, so that AUCPR
# was .29 instead of .45 on seeds 101 and 102 of the mixture, which no reported table uses
BINS = 1023
LEAST_WEIGHT = 0.01  # of a leaf of XGBoost's, in Hessians


class Coded(NamedTuple):
    """Rows as numbers, (rows, columns), NaN where one is missing, and which columns are categories."""

    values: NDArray[Any]
    categories: tuple[int, ...]


class Booster(Protocol):
    """A boosting library. settings: small, middling and usual trees."""

    settings: tuple[Setting, ...]

    def fit(self, setting: Setting, draw: int, rows: Coded, targets: Targets, weights: Floats | None) -> Any:
        """A model of TREES trees, on one thread."""

    def taken(self, rows: Coded) -> Any:
        """Rows in the form that the library scores."""

    def log_odds(self, model: Any, rows: Any, trees: int) -> Floats:
        """By the first so many trees, (rows,)."""

    def staged(self, model: Any, rows: Any, every: int) -> Iterator[Floats]:
        """The log odds of rows (rows,) by more and more trees, so many at a time."""


class _LightGBM:
    settings: tuple[Setting, ...] = (
        {"num_leaves": 4, "reg_lambda": 1.0, "min_child_samples": 5},
        {"num_leaves": 7, "reg_lambda": 10.0, "min_child_samples": 5},
        {"num_leaves": 31, "reg_lambda": 10.0},
    )

    def fit(self, setting: Setting, draw: int, rows: Coded, targets: Targets, weights: Floats | None) -> Any:
        from lightgbm import LGBMClassifier

        fixed = {"max_bin": BINS, "n_jobs": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}
        model = LGBMClassifier(n_estimators=TREES, learning_rate=RATE, random_state=draw, **fixed, **setting)
        model.fit(rows.values, targets, sample_weight=weights, categorical_feature=list(rows.categories))
        return model.booster_

    def taken(self, rows: Coded) -> Any:
        return rows.values

    def log_odds(self, model: Any, rows: Any, trees: int) -> Floats:
        return np.asarray(model.predict(rows, raw_score=True, num_iteration=trees), dtype=np.float64)

    def staged(self, model: Any, rows: Any, every: int) -> Iterator[Floats]:
        scores = np.zeros(len(rows))
        for trees in range(0, TREES, every):  # added up: from the first tree each time took most of a run
            scores = scores + model.predict(rows, raw_score=True, start_iteration=trees, num_iteration=every)
            yield scores


class _XGBoost:
    settings: tuple[Setting, ...] = (
        {"max_leaves": 4, "reg_lambda": 1.0},
        {"max_leaves": 7, "reg_lambda": 10.0},
        {"max_leaves": 31, "reg_lambda": 10.0},
    )

    def fit(self, setting: Setting, draw: int, rows: Coded, targets: Targets, weights: Floats | None) -> Any:
        from xgboost import XGBClassifier

        # by leaves, as the others; by its usual least weight of a leaf, 1, none would hold a handful of positives
        grown = {"grow_policy": "lossguide", "max_depth": 0, "min_child_weight": LEAST_WEIGHT}
        grown |= {"tree_method": "hist", "max_bin": BINS}
        taken = {"feature_types": _types(rows), "enable_categorical": True, "n_jobs": 1, "random_state": draw}
        model = XGBClassifier(n_estimators=TREES, learning_rate=RATE, **grown, **taken, **setting)
        model.fit(rows.values, targets, sample_weight=weights)
        return model.get_booster()

    def taken(self, rows: Coded) -> Any:
        from xgboost import DMatrix

        return DMatrix(rows.values, feature_types=_types(rows), enable_categorical=True, nthread=1)

    def log_odds(self, model: Any, rows: Any, trees: int) -> Floats:
        return np.asarray(model.predict(rows, output_margin=True, iteration_range=(0, trees)), dtype=np.float64)

    def staged(self, model: Any, rows: Any, every: int) -> Iterator[Floats]:
        return (self.log_odds(model, rows, trees) for trees in range(every, TREES + 1, every))


def _types(rows: Coded) -> list[str]:
    return ["c" if place in rows.categories else "q" for place in range(rows.values.shape[1])]


class _CatBoost:
    settings: tuple[Setting, ...] = (
        {"depth": 2, "l2_leaf_reg": 1.0},
        {"depth": 3, "l2_leaf_reg": 10.0},
        {"depth": 6, "l2_leaf_reg": 10.0},
    )

    def fit(self, setting: Setting, draw: int, rows: Coded, targets: Targets, weights: Floats | None) -> Any:
        from catboost import CatBoostClassifier, Pool

        quiet = {"border_count": BINS, "thread_count": 1, "verbose": False, "allow_writing_files": False}
        model = CatBoostClassifier(iterations=TREES, learning_rate=RATE, random_seed=draw, **quiet, **setting)
        return model.fit(Pool(_columns(rows), targets, cat_features=list(rows.categories), weight=weights))

    def taken(self, rows: Coded) -> Any:
        from catboost import Pool

        return Pool(_columns(rows), cat_features=list(rows.categories))

    def log_odds(self, model: Any, rows: Any, trees: int) -> Floats:
        found = model.predict(rows, prediction_type="RawFormulaVal", ntree_end=trees, thread_count=1)
        return np.asarray(found, dtype=np.float64)

    def staged(self, model: Any, rows: Any, every: int) -> Iterator[Floats]:
        found = model.staged_predict(rows, prediction_type="RawFormulaVal", eval_period=every, thread_count=1)
        return (np.asarray(scores, dtype=np.float64) for scores in found)


def _columns(rows: Coded) -> pd.DataFrame:
    """With categories as integers, -1 where one is missing: CatBoost takes no others."""
    import pandas as pd

    frame = pd.DataFrame(rows.values)
    whole = {place: frame[place].fillna(-1).astype(np.int64) for place in rows.categories}
    return pd.DataFrame({place: whole.get(place, frame[place]) for place in frame})


BOOSTERS: dict[str, Booster] = {"lightgbm": _LightGBM(), "xgboost": _XGBoost(), "catboost": _CatBoost()}
_EXTRAS = {"lightgbm": "boosting", "xgboost": "boosting", "catboost": "catboost"}


def check_installed(name: str) -> None:
    """Raise InputError where a reference's library is not installed."""
    if name in BOOSTERS and find_spec(name) is None:
        raise InputError(f"{name} is not installed: pip install 'focalbench[{_EXTRAS[name]}]'")


def coded(frame: pd.DataFrame) -> Coded:
    """The columns of a frame as numbers."""
    categories = tuple(place for place, name in enumerate(frame.columns) if frame[name].dtype == "category")
    wide = any(frame[name].dtype == np.float64 for name in frame.columns)
    values = np.empty(frame.shape, dtype=np.float64 if wide else np.float32)
    for place, name in enumerate(frame.columns):
        column = frame[name]
        values[:, place] = _codes(column) if place in categories else column.to_numpy()
    return Coded(values, categories)


def _codes(column: pd.Series[Any]) -> NDArray[Any]:
    codes = column.cat.codes.to_numpy(np.float64)
    return np.where(codes < 0, np.nan, codes)
