"""From scores to what people act on: the value of a metric, the threshold that validation chooses, what it does."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from focalbench.losses.reference import Array
from focalbench.metrics import calibration, ranking, threshold
from focalbench.metrics.influence import BUCKETS, average_precision_influences, bucket_of
from focalbench.metrics.left_out import At, Rows, left_out_sums, precision_at, recall_at_fpr, recall_at_precision
from focalbench.metrics.threshold import ROUNDING
from focalbench.runs.metric import PER, Aim, Costs, Metric, MetricName, ThresholdAt
from focalbench.runs.result import Operating

Flagged = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Measurable:
    """One output on some rows. scores: (rows,), finite; recovered: (rows,) logits of probabilities, or None where the
    loss has no inverse; targets: (rows,) of 0 and 1; weights: (rows,) or None; flagged: (rows,), those above the
    threshold of least cost on validation, of a cost only.
    """

    scores: Tensor
    recovered: Array | None
    targets: Tensor
    weights: Tensor | None
    flagged: Flagged | None = None

    @property
    def mass(self) -> Array:
        """(rows,) float64 of mean 1."""
        if self.weights is None:
            return np.ones(len(self.targets))
        mass: Array = self.weights.double().cpu().numpy()
        return np.asarray(mass / mass.mean())

    @property
    def positive(self) -> Flagged:
        """(rows,)."""
        return np.asarray(self.targets.cpu().numpy() > 0)

    @property
    def logits(self) -> Tensor:
        """Of the probability that the loss recovers; where it has no inverse, or none of a score, the scores."""
        if self.recovered is None or not np.isfinite(self.recovered).all():
            return self.scores.double()
        return torch.from_numpy(self.recovered)


def value_on(metric: Metric, rows: Measurable, test_rows: int) -> float:
    """The value of a metric; a cost is that of the rows flagged, or the least one where none are said."""
    row, targets, weights = rows.scores[None].cpu(), rows.targets.cpu(), rows.weights
    weights = None if weights is None else weights.cpu()
    if metric.costs is not None:
        if rows.flagged is not None:
            return _cost(_rates(rows, rows.flagged), metric.costs)
        alarm, miss = metric.costs.false_positive, metric.costs.false_negative
        return PER * float(threshold.least_cost(row, targets, alarm, miss, weights))
    value = metric.value or 0.0
    if metric.name is MetricName.RECALL_AT_FPR:
        return float(threshold.recall_at_fpr(row, targets, value, weights))
    if metric.name is MetricName.RECALL_AT_PRECISION:
        return float(threshold.recall_at_precision(row, targets, value, weights))
    if metric.name is MetricName.PRECISION_AT:
        return float(threshold.precision_at_k(row, targets, metric.rows(len(targets), test_rows), weights))
    if metric.name is MetricName.NET_BENEFIT:
        return float(threshold.net_benefit(rows.logits[None], targets, value, weights))
    if metric.name is MetricName.LOG_LOSS:
        return float(calibration.log_loss(rows.logits[None], targets, weights))
    return float(ranking.average_precision(row, targets, weights))


def sums_of(metric: Metric, rows: Measurable, units: NDArray[np.int64]) -> Array:
    """What each bucket of test rows does to the value, (bucket,)."""
    positive, mass = rows.positive, rows.mass
    if metric.is_usual:
        influences = average_precision_influences(rows.scores.double().numpy(), positive, mass)
        return np.bincount(bucket_of(units), influences, minlength=BUCKETS).astype(np.float64)
    counted = mass > 0  # what weighs nothing moves nothing
    known = Rows.of(positive[counted], mass[counted], units[counted])
    at = _counting(metric, len(mass))
    if at is not None:
        return left_out_sums(at, rows.scores.double().numpy()[counted], known)
    share = float(mass[positive].sum() / mass.sum())
    on_positives, on_negatives = (each[counted] for each in _linear(metric, rows))
    gained = share * known.mean_sums(on_positives, known.positive)
    return gained + (1 - share) * known.mean_sums(on_negatives, ~known.positive)


def _counting(metric: Metric, rows: int) -> At | None:
    """A metric whose threshold the test rows decide themselves."""
    value = metric.value or 0.0
    if metric.name is MetricName.RECALL_AT_FPR:
        return recall_at_fpr(value)
    if metric.name is MetricName.RECALL_AT_PRECISION:
        return recall_at_precision(value)
    return precision_at(metric.rows(rows, rows)) if metric.name is MetricName.PRECISION_AT else None


def _linear(metric: Metric, rows: Measurable) -> tuple[Array, Array]:
    """What each row, (rows,), brings as a positive and as a negative to a metric that is a mean over rows."""
    if metric.costs is not None:
        assert rows.flagged is not None
        missed, alarms = ~rows.flagged, rows.flagged
        dear, cheap = PER * metric.costs.false_negative, PER * metric.costs.false_positive
        return dear * missed.astype(np.float64), cheap * alarms.astype(np.float64)
    logits = rows.logits.numpy()
    if metric.name is MetricName.LOG_LOSS:
        return np.logaddexp(0.0, -logits), np.logaddexp(0.0, logits)
    assert metric.value is not None
    odds = metric.value / (1 - metric.value)
    acted = (logits >= math.log(odds)).astype(np.float64)
    return acted, -odds * acted


# ---- thresholds


def choose_threshold(at: ThresholdAt, rows: Measurable, share: float | None) -> float:
    """The score from which rows are flagged, by those of validation; infinite where none is worth it.

    share: of the rows that a capacity lets be flagged.
    """
    if at.aim is Aim.CAPACITY:
        assert share is not None
        return _within(rows, share)
    positive, mass = torch.from_numpy(rows.positive), torch.from_numpy(rows.mass)
    row = rows.scores.cpu()
    own, reached, false = ranking.weighted_curve(row, positive, mass)
    scores = row[positive].sort().values
    if at.costs is not None:
        gain = at.costs.false_negative * reached - at.costs.false_positive * false
        best = int(gain.argmax())
        return float(scores[best]) if gain[best] > 0 else math.inf
    assert at.value is not None
    if at.aim is Aim.RECALL:
        enough = reached >= at.value * own.sum() * (1 - ROUNDING)
        return float(scores[enough].max())
    enough = reached >= at.value * (reached + false) * (1 - ROUNDING)
    return float(scores[enough].min()) if enough.any() else math.inf


def _within(rows: Measurable, share: float) -> float:
    """The lowest score that flags no more than a share of the rows."""
    scores, mass = rows.scores.double().cpu().numpy(), rows.mass
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.searchsorted(-ranked, -ranked, side="right") - 1  # of those that tie
    reached = mass[order].cumsum()[last]
    fitting = np.flatnonzero(reached <= share * mass.sum() * (1 + ROUNDING))
    return float(ranked[fitting[-1]]) if len(fitting) else math.inf


def flagged_by(scores: Tensor, threshold: float) -> Flagged:
    """The rows whose score reaches a threshold, (rows,)."""
    return np.asarray(scores.double().cpu().numpy() >= threshold)


@dataclass(frozen=True)
class Rates:
    """Shares by weight: of positives and of negatives that are flagged, and of rows that are positive."""

    recall: float
    false_positive_rate: float
    prevalence: float

    @property
    def alerts(self) -> float:
        """Share of the rows that are flagged."""
        return self.prevalence * self.recall + (1 - self.prevalence) * self.false_positive_rate


def _rates(rows: Measurable, flagged: Flagged) -> Rates:
    mass, positive = rows.mass, rows.positive
    recall, false_positive_rate = (
        float(mass[members & flagged].sum() / mass[members].sum()) for members in (positive, ~positive)
    )
    return Rates(recall, false_positive_rate, float(mass[positive].sum() / mass.sum()))


def _cost(rates: Rates, costs: Costs) -> float:
    alarms = (1 - rates.prevalence) * rates.false_positive_rate
    return PER * (costs.false_positive * alarms + costs.false_negative * rates.prevalence * (1 - rates.recall))


def operating(rows: Measurable, flagged: Flagged, threshold: float, costs: Costs | None) -> Operating:
    """What a threshold does on test rows."""
    rates = _rates(rows, flagged)
    return Operating(
        threshold=threshold if math.isfinite(threshold) else None,
        precision=rates.prevalence * rates.recall / rates.alerts if rates.alerts else None,
        recall=rates.recall,
        false_positive_rate=rates.false_positive_rate,
        alerts=PER * rates.alerts,
        cost=None if costs is None else _cost(rates, costs),
    )


def operating_sums(rows: Measurable, flagged: Flagged, units: NDArray[np.int64]) -> tuple[Array, Array]:
    """What each bucket of test rows does to recall, and to the false positive rate: (bucket,) each."""
    known = Rows.of(rows.positive, rows.mass, units)
    values = flagged.astype(np.float64)
    return known.mean_sums(values, known.positive), known.mean_sums(values, ~known.positive)
