"""The model that a comparison advises, fitted once more on the training and validation rows, as one Pipeline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline

from focalbench.datasets.build import split_rows
from focalbench.datasets.capacity import flagged_share
from focalbench.datasets.columns.dates import read_dates
from focalbench.datasets.columns.numbers import read_numbers
from focalbench.datasets.columns.texts import is_text, numbers_of, texts_of
from focalbench.datasets.files.file import read_as_written, read_exact
from focalbench.errors import InputError
from focalbench.estimators import FocalMLPClassifier, TableReader
from focalbench.estimators.table import PLAIN, Source, coded
from focalbench.metrics.ranking import average_precision
from focalbench.runs.metric import Aim, ThresholdAt
from focalbench.runs.reference import LIBRARIES, WEIGHTED, is_own, name_in
from focalbench.runs.run import RESNET
from focalbench.training.acting import Measurable, choose_threshold
from focalbench.training.references import MOST_TREES, PENALTIES, TREES, balanced

if TYPE_CHECKING:
    import pandas as pd

    from focalbench.datasets.columns.column import Style
    from focalbench.datasets.dataset import Floats
    from focalbench.datasets.splits import Rows
    from focalbench.datasets.tables.table import Table
    from focalbench.report.snippets import Trained
    from focalbench.runs.run import Recipe

HALF = 0.5
TREE_COUNTS = (25, 50, MOST_TREES)
LOOKED_AT, FEW = 2_000, 50  # different cells, for those that show how a column is written


@dataclass(frozen=True)
class Refitted:
    """A fitted model, and what it does on rows that it was not fitted on: those of the first seed's test. They had a
    part in choosing what is advised: other seeds train and validate on them, and the verdicts rest on all tests.

    model: read, prepare and model; its predict_proba takes a frame with the file's columns, its predict uses the
    threshold, of probabilities. test_rows, positives: counts. precision: None where nothing is flagged.
    """

    model: Pipeline
    threshold: float
    test_rows: int
    positives: int
    average_precision: float
    flagged: int
    precision: float | None
    recall: float


@dataclass(frozen=True, eq=False)
class _Rows:
    """A table with exact numbers, and its splits."""

    table: Table
    splits: tuple[Rows, Rows, Rows]

    def features(self, rows: Rows) -> pd.DataFrame:
        """Of some rows, categories as texts."""
        frame = self.table.frame.iloc[rows]
        texts = {name: frame[name].astype(object) for name in self.table.categorical}
        return frame.assign(**texts)

    def targets(self, rows: Rows) -> NDArray[np.int64]:
        """Of some rows, 0 and 1."""
        return self.table.targets[rows].astype(np.int64)

    def weights(self, rows: Rows) -> Floats | None:
        """What some rows count for."""
        return None if self.table.weights is None else self.table.weights[rows]

    def weights_of_fit(self, rows: Rows, *, class_weighted: bool) -> Floats | None:
        """What they count for in a fit, of mean 1; class_weighted: so that each class has half."""
        weights, targets = self.weights(rows), self.targets(rows)
        if class_weighted:
            return balanced(targets, weights, float(np.average(targets, weights=weights)))
        return None if weights is None else weights / weights.mean()


def refit(recipe: Recipe, seed: int, name: str, trained: Trained | None, at: ThresholdAt | None) -> Refitted:
    """Fit what is advised, on a file's rows at their natural rate.

    name: of the row that is advised: an arm's, trained so, or a reference's. at: where a threshold is put by the
    validation rows, before these are trained on as well; None for a probability of one half. Raises InputError for data
    that are no file, and for a rate that was asked for.
    """
    if recipe.path is None or recipe.task != "binary":
        raise InputError("a model is kept of a file with a binary target; name one")
    if recipe.positive_rate is not None:
        raise InputError("a model is kept at the file's own rate; leave `positive_rates` out")
    table, style = read_exact(recipe.path, recipe.columns)
    rows = _Rows(table, split_rows(recipe, seed))
    train, validation, test = rows.splits
    weighted = name.endswith(WEIGHTED)
    candidates = [_fitted(each, rows, train, class_weighted=weighted) for each in _candidates(name, trained, seed)]
    best = max(candidates, key=lambda model: _reached(model, rows, validation))
    share = None if at is None or at.aim is not Aim.CAPACITY else flagged_share(recipe, at)
    threshold = HALF if at is None else _threshold(at, share, best, rows, validation)
    both = np.concatenate([train, validation])
    found = _fitted(best["model"], rows, both, class_weighted=weighted)
    model = FixedThresholdClassifier(
        FrozenEstimator(found["model"]), threshold=threshold, pos_label=1, response_method="predict_proba"
    ).fit(found["prepare"].transform(rows.features(both)), rows.targets(both))
    whole = Pipeline([("read", _reader(recipe.path, table, style)), ("prepare", found["prepare"]), ("model", model)])
    return _judged(whole, threshold, rows, test)


def _candidates(name: str, trained: Trained | None, seed: int) -> list[Any]:
    """The models among which validation chooses: of a loss one, whose settings the comparison chose."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    if (other := name_in(name)) in LIBRARIES or is_own(other):
        raise InputError(f"no model of {other} is kept; its code is among the advice, to fit it yourself")
    if name.startswith("logistic"):
        return [LogisticRegression(C=each, max_iter=1000) for each in PENALTIES]
    if name.startswith("boosting"):
        return [
            HistGradientBoostingClassifier(max_iter=trees, early_stopping=False, random_state=seed, **tree)
            for tree in TREES
            for trees in TREE_COUNTS
        ]
    if trained is None:
        raise InputError(f"no model of `model={RESNET}` is kept; compare with mlp")
    arm = trained.arm
    if arm.resampling is not None:
        raise InputError(f"no model of {arm.name} is kept, its rows being resampled; its code is among the advice")
    network = FocalMLPClassifier(
        trained.hidden,
        loss=arm.loss,
        alpha=arm.alpha,
        gamma=arm.gamma,
        loss_params=dict(arm.params) or None,
        init=arm.init,
        learning_rate_init=trained.lr,
        max_iter=trained.epochs,
        batch_size=trained.batch_size,
        random_state=seed,
    )
    return [network]


def _fitted(model: Any, rows: _Rows, which: Rows, *, class_weighted: bool) -> Pipeline:
    """Prepare and model, fitted on some rows."""
    from sklearn.base import clone

    frame = rows.features(which)
    numbers = [name for name in frame.columns if name not in rows.table.categorical]
    gaps = [name for name in numbers if rows.table.frame[name].isna().any()]
    prepare = coded(numbers, gaps, rows.table.categorical)
    prepared = prepare.fit_transform(frame)
    weights = rows.weights_of_fit(which, class_weighted=class_weighted)
    found = clone(model).fit(prepared, rows.targets(which), sample_weight=weights)
    return Pipeline([("prepare", prepare), ("model", found)])


def _probabilities(model: Pipeline, rows: _Rows, which: Rows) -> Floats:
    found: Floats = model.predict_proba(rows.features(which))[:, 1]
    return found


def _reached(model: Pipeline, rows: _Rows, which: Rows) -> float:
    """Average precision on some rows."""
    weights = rows.weights(which)
    scores, targets = torch.from_numpy(_probabilities(model, rows, which)), torch.from_numpy(rows.targets(which))
    return float(average_precision(scores[None], targets, None if weights is None else torch.from_numpy(weights)))


def _threshold(at: ThresholdAt, share: float | None, model: Pipeline, rows: _Rows, which: Rows) -> float:
    weights = rows.weights(which)
    found = choose_threshold(
        at,
        Measurable(
            torch.from_numpy(_probabilities(model, rows, which)),
            None,
            torch.from_numpy(rows.targets(which)),
            None if weights is None else torch.from_numpy(weights),
        ),
        share,
    )
    return min(found, 1.0)  # infinite where nothing is worth a flag


def _reader(path: str, table: Table, style: Style) -> TableReader:
    """How the table's columns were read, for new rows."""
    sources = dict(table.derived)
    features: dict[str, list[str]] = {column.name: [] for column in table.columns}
    for feature in table.frame.columns:
        features[sources.get(feature, feature)].append(feature)
    columns: list[Source] = [
        (column.name, column.read_as, features[column.name])
        for column in table.columns
        if column.read_as != "dropped" and features[column.name]
    ]
    written = read_as_written(path, [name for name, _, _ in columns]).frame
    marks = {name: _marks(written[name], read_as, style) for name, read_as, _ in columns if is_text(written[name])}
    kinds = {name: read_as for name, read_as, _ in columns}
    shown = {name: _showing(written[name], kinds[name], marks[name]) for name in marks}
    levels = {name: [str(level) for level in table.frame[name].cat.categories] for name in table.categorical}
    return TableReader(columns, style.decimal, style.day_first, shown, marks, levels)


def _marks(column: pd.Series[Any], read_as: str, style: Style) -> list[str]:
    """The cells of a column of text that were read as missing."""
    texts = texts_of(column)
    if read_as == "number" and (numbers := numbers_of(texts, style.decimal)) is not None:
        return list(numbers.missing)
    if read_as == "date" and (dates := read_dates(column, day_first=style.day_first)) is not None:
        return list(dates.missing)
    return []


def _showing(column: pd.Series[Any], read_as: str, marks: Sequence[str]) -> list[str]:
    """Cells that show how a column is written: all where they are few, else some of each shape, and those that by
    themselves show in which order days and months stand, or what marks decimals.
    """
    texts = [str(text) for text in column.dropna().unique()[:LOOKED_AT] if " ".join(str(text).split()) not in marks]
    if read_as == "category":
        return []
    if read_as == "number" and all(map(PLAIN.fullmatch, texts)):
        return texts[:1]
    if len(texts) <= FEW:
        return texts
    shapes: dict[str, list[str]] = {}
    for text in texts:
        shapes.setdefault(re.sub(r"\d+", "9", text), []).append(text)
    of_each = [text for alike in shapes.values() for text in alike[: max(2, FEW // len(shapes))]][:FEW]
    shows = _shows_order if read_as == "date" else _shows_mark
    return list(dict.fromkeys([*of_each, *islice(filter(shows, texts), 3)]))


def _shows_order(text: str) -> bool:
    import pandas as pd

    one = pd.Series([text], dtype="str")
    found = [read_dates(one, day_first=first) for first in (True, False)]
    return all(each is not None for each in found) and len({str(each.values.iloc[0]) for each in found if each}) == 1


def _shows_mark(text: str) -> bool:
    found = read_numbers([text], [1])
    return found is not None and found.decimal is not None


def _judged(model: Pipeline, threshold: float, rows: _Rows, test: Rows) -> Refitted:
    """What the model does on the test rows."""
    known = Pipeline(model.steps[1:])
    targets, weights = rows.targets(test), rows.weights(test)
    mass = np.ones(len(test)) if weights is None else weights
    flagged = _probabilities(known, rows, test) >= threshold
    hit, all_flagged, positives = (float(mass @ part) for part in (flagged * targets, flagged, targets))
    return Refitted(
        model,
        threshold,
        len(test),
        int(targets.sum()),
        _reached(known, rows, test),
        int(flagged.sum()),
        hit / all_flagged if all_flagged else None,
        hit / positives,
    )
