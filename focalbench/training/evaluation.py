"""What is measured on one output's test scores, for arms and references."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from focalbench.losses.reference import Array
from focalbench.metrics import calibration, ranking, threshold
from focalbench.runs.result import NO_CALIBRATION, Calibration, Curves, Scores, mean_of

GRID_POINTS = 200
RELIABILITY_BINS = 10
FALSE_POSITIVE_RATE = 0.01


@dataclass(frozen=True)
class Measured:
    """What is measured of test rows. k: the number of rows that R-precision looks at, None where rows are weighted."""

    average_precision: float
    k: int | None
    scores: Scores
    curves: Curves


def measure(logits: Tensor, back: Array | None, targets: Tensor, weights: Tensor | None = None) -> Measured:
    """Measure one output of one run: finite test logits (sample,) against targets (sample,) of 0/1.

    Calibration is given raw and after the inverse of the loss ("recovered"), of the logits `back` (sample,), which is
    None where a loss has no inverse, and missing where it has none for a score. weights: (sample,) of the rows, or
    None.
    """
    row = logits[None]
    raw = calibration_of(row, targets, weights)
    scores = Scores(
        roc_auc=float(ranking.roc_auc(row, targets, weights)),
        r_precision=float(threshold.r_precision(row, targets, weights)),
        recall_at_fpr=float(threshold.recall_at_fpr(row, targets, FALSE_POSITIVE_RATE, weights)),
        mcc_at_prevalence=float(threshold.mcc_at_prevalence(row, targets, weights)),
        raw=raw,
        recovered=_recovered(logits, raw, back, targets, weights),
    )
    reliability = calibration.reliability_grid(row, targets, RELIABILITY_BINS, weights)[0]
    curves = Curves(
        precision=finite(ranking.precision_recall_grid(row, targets, GRID_POINTS, weights)[0].tolist()),
        reliability_expected=finite(reliability[:, 0].tolist()),
        reliability_observed=finite(reliability[:, 1].tolist()),
        net_benefit=tuple(threshold.net_benefit_curve(_probable(logits, back), targets, weights)[0].tolist()),
    )
    k = int(targets.sum()) if weights is None else None
    return Measured(float(ranking.average_precision(row, targets, weights)), k, scores, curves)


def macro(measured: Sequence[Measured]) -> Measured:
    """The mean over outputs of everything measured; missing where it is missing for one of them."""
    points = zip(*(each.curves.precision for each in measured), strict=True)
    precision = tuple(None if None in point else float(np.mean(point)) for point in points)
    average_precision = float(np.mean([each.average_precision for each in measured]))
    return Measured(average_precision, None, mean_of([each.scores for each in measured]), Curves(precision=precision))


def _probable(logits: Tensor, back: Array | None) -> Tensor:
    """(1, sample): logits of the probabilities that the loss's inverse gives, else of the scores themselves."""
    return logits[None] if back is None or not np.isfinite(back).all() else torch.from_numpy(back)[None]


def _recovered(
    logits: Tensor, raw: Calibration, back: Array | None, targets: Tensor, weights: Tensor | None
) -> Calibration:
    if back is None or not np.isfinite(back).all():
        return NO_CALIBRATION
    if np.array_equal(back, logits.double().numpy()):  # the inverse of BCE moves nothing
        return raw
    return calibration_of(torch.from_numpy(back)[None], targets, weights)


def calibration_of(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Calibration:
    """How good the probabilities of logits (1, sample) are."""
    numbers = calibration.summary(logits, targets, weights)[0].tolist()
    return Calibration(**dict(zip(calibration.SUMMARY, finite(numbers), strict=True)))


def finite_or_none(value: float) -> float | None:
    """NaN and infinities have no place in a table: they become empty cells."""
    return float(value) if np.isfinite(value) else None


def finite(values: Sequence[float]) -> tuple[float | None, ...]:
    """Each of them, as finite_or_none."""
    return tuple(map(finite_or_none, values))


@dataclass(frozen=True)
class BatchCounts:
    """Positives per batch (mean) and the share of batches without any, over all epochs."""

    positives: float
    without: float


def batch_counts(targets: NDArray[np.int8], orders: Sequence[NDArray[np.integer[Any]]], batch_size: int) -> BatchCounts:
    """Of the batches that orders of rows make. targets: (rows,)."""
    counts = [
        int(targets[order[start : start + batch_size]].sum())
        for order in orders
        for start in range(0, len(order), batch_size)
    ]
    return BatchCounts(float(np.mean(counts)), float(np.mean([count == 0 for count in counts])))
