"""Compare the scores that any models gave to the same rows, without training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray

from focalbench.analysis.paired import LEAST_PARTS, Difference, Ends, Estimate, differences, limits_of, parts_of
from focalbench.analysis.rows import Verdict
from focalbench.analysis.statistics import Floats
from focalbench.analysis.verdicts import FLIP_SEED, usual_margin_of
from focalbench.base.rows import As
from focalbench.datasets.files.scores import ScoredRows
from focalbench.datasets.tables.targets import listed
from focalbench.errors import InputError
from focalbench.metrics.influence import BUCKETS, bucket_of
from focalbench.runs.metric import Aim, Metric, MetricName, ThresholdAt
from focalbench.training.acting import Measurable, choose_threshold, flagged_by, sums_of, value_on

NEAR = 1.2  # times chance: average precision is above it by chance, where positives are few
STEP = 0.05  # of the positives' weight, by which a metric's slope in the prevalence is found
LEAST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model by one metric. ends: of a 95% interval; delta: the model minus the baseline, None of the baseline itself,
    with limits that hold for all models at once, and those of each alone; None where parts are too few for limits.
    """

    metric: Annotated[Metric, As(write=str, read=Metric.parse)]
    model: str
    rows: int
    positives: int
    groups: int | None
    weighted: bool
    value: float
    ends: Annotated[Ends | None, As(columns=("low", "high"))]
    delta: float | None
    delta_ends: Annotated[Ends | None, As(columns=("delta_low", "delta_high"))]
    delta_alone: Annotated[Ends | None, As(columns=("delta_low_alone", "delta_high_alone"))]
    margin: float
    verdict: Verdict


def compare_scores(
    found: ScoredRows, metrics: Sequence[Metric], baseline: str | None = None, margin: float | None = None
) -> list[ModelRow]:
    """A row for each metric and model; the baseline, the first model unless another is named, comes first.

    Raises InputError for a baseline that is none of the models, more rows than there are, and scores that are no
    probabilities where a metric needs them.
    """
    names = list(found.scores)
    for metric in metrics:
        _check_margin(metric, margin)
    first = names[0] if baseline is None else baseline
    if first not in names:
        raise InputError(f"no model is called {first!r}; `baseline` takes one of {listed(names)}")
    order = [first, *(name for name in names if name != first)]
    return [row for metric in metrics for row in _rows(found, metric, order, margin)]


def _check_margin(metric: Metric, margin: float | None) -> None:
    if margin is not None and not LEAST < margin < (1 if metric.is_share else np.inf):
        below = " and below 1" if metric.is_share else ""
        raise InputError(f"`margin` is a difference in the metric, above 0{below}; got {margin:g}")


def at_chance(rows: Sequence[ModelRow], share: float) -> list[str]:
    """The models whose average precision is next to chance, share: as of rows in another order."""
    by = [row for row in rows if row.metric.is_usual and row.ends is not None]
    return [
        row.model
        for row in by
        if row.ends is not None and row.ends.low <= min(NEAR * share, share + (NEAR - 1) * (1 - share))
    ]


def _rows(found: ScoredRows, metric: Metric, order: Sequence[str], margin: float | None) -> list[ModelRow]:
    rows = len(found.targets)
    if metric.name is MetricName.PRECISION_AT and not 1 <= metric.rows(rows, rows) <= rows:
        raise InputError(f"`metric={metric}` must look at 1 to {rows:,} rows, as many as there are; ask for others")
    estimates = [_estimate(found, metric, name) for name in order]
    reached = estimates[0].value
    wanted = margin or usual_margin_of(metric, synthetic=False, baseline=reached, prevalence=found.prevalence)
    parts, rng = parts_of(estimates), np.random.default_rng(FLIP_SEED)
    enough = parts >= LEAST_PARTS and _parts_of_a_class(found) >= LEAST_PARTS
    sign = -1 if metric.lower_is_better else 1
    deltas = differences(estimates[0], estimates[1:], parts, wanted, sign=sign, rng=rng) if enough else []
    by_name = dict(zip(order[1:], deltas, strict=False))
    made = []
    for name, estimate in zip(order, estimates, strict=True):
        delta = by_name.get(name)
        row = ModelRow(
            metric=metric,
            model=name,
            rows=rows,
            positives=int(found.targets.sum()),
            groups=found.groups,
            weighted=found.weights is not None,
            value=estimate.value,
            ends=_inside(metric, limits_of(estimate, parts)) if enough else None,
            delta=None if name == order[0] else estimate.value - estimates[0].value,
            delta_ends=None if delta is None else delta.ends,
            delta_alone=None if delta is None else delta.alone,
            margin=wanted,
            verdict=_verdict(delta, is_baseline=name == order[0]),
        )
        made.append(row)
    return made


def _parts_of_a_class(found: ScoredRows) -> int:
    """In how many parts the rarer class has rows."""
    parts = bucket_of(found.units)
    return min(len(np.unique(parts[found.targets == label])) for label in (0, 1))


def _verdict(delta: Difference | None, *, is_baseline: bool) -> Verdict:
    if is_baseline:
        return Verdict.BASELINE
    return Verdict.TOO_FEW if delta is None else delta.verdict


def _inside(metric: Metric, ends: Ends) -> Ends:
    """The limits of what may lie between 0 and 1 only."""
    return Ends(max(ends.low, 0.0), min(ends.high, 1.0)) if metric.is_share else ends


def _estimate(found: ScoredRows, metric: Metric, name: str) -> Estimate:
    rows = _measurable(found, metric, name)
    if metric.costs is not None:
        threshold = choose_threshold(ThresholdAt(Aim.COST, costs=metric.costs), rows, None)
        rows = replace(rows, flagged=flagged_by(rows.scores, threshold))
    value = value_on(metric, rows, len(found.targets))
    return Estimate(value, sums_of(metric, rows, found.units) + _of_prevalence(metric, rows, found.units))


def _of_prevalence(metric: Metric, rows: Measurable, units: NDArray[np.int64]) -> Floats:
    """What each part does by its share of positives, (part,): other rows have another prevalence."""
    up, down = (value_on(metric, _reweighted(rows, 1 + step), len(units)) for step in (STEP, -STEP))
    slope = (up - down) / (np.log1p(STEP) - np.log1p(-STEP))
    positive, mass, parts = rows.positive, rows.mass, bucket_of(units)
    shares = [
        np.bincount(parts[members], mass[members], minlength=BUCKETS) / mass[members].sum()
        for members in (positive, ~positive)
    ]
    return np.asarray(slope * (shares[0] - shares[1]))


def _reweighted(rows: Measurable, factor: float) -> Measurable:
    """The rows with positives that weigh so many times as much."""
    return replace(rows, weights=torch.from_numpy(np.where(rows.positive, factor, 1.0) * rows.mass))


def _measurable(found: ScoredRows, metric: Metric, name: str) -> Measurable:
    scores = found.scores[name]
    logits = _logits(metric, name, scores) if metric.is_of_probabilities else None
    weights = None if found.weights is None else torch.from_numpy(found.weights)
    return Measurable(torch.from_numpy(scores), logits, torch.from_numpy(found.targets), weights)


def _logits(metric: Metric, name: str, scores: Floats) -> Floats:
    """Of probabilities; 0 and 1 are brought next to them, as scikit-learn does for the log loss."""
    low, high = float(scores.min()), float(scores.max())
    if low < 0 or high > 1:
        raise InputError(
            f"`metric={metric}` needs probabilities, and the scores of {name} run from {low:.4g} to {high:.4g}; give "
            "probabilities, or choose a metric of their order"
        )
    inside = np.clip(scores, LEAST, 1 - LEAST)
    return np.asarray(np.log(inside) - np.log1p(-inside))
