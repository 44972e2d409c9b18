"""What is measured on a run's test scores: one dictionary of numbers and one of curves, for arms and references."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from focalbench.losses.reference import Array
from focalbench.metrics import calibration, ranking, threshold
from focalbench.runs.result import Number

GRID_POINTS = 200
RELIABILITY_BINS = 10
FALSE_POSITIVE_RATE = 0.01

Values = dict[str, Number]
Curves = dict[str, list[float | None]]


def measure(
    logits: Tensor, back: Array | None, targets: Tensor, weights: Tensor | None = None
) -> tuple[Values, Curves]:
    """Measure one output of one run: finite test logits (sample,) against targets (sample,) of 0/1.

    Calibration is given raw and after the inverse of the loss ("recovered_"), of the logits `back` (sample,), which is
    None where a loss has no inverse, and missing where it has none for a score. weights: (sample,) of the rows, or
    None; with them "k", the number of rows that R-precision looks at, is missing.
    """
    row = logits[None]
    values: Values = {
        "test_average_precision": float(ranking.average_precision(row, targets, weights)),
        "roc_auc": float(ranking.roc_auc(row, targets, weights)),
        **_counted(row, targets, weights),
    }
    calibrated = _calibration(row, targets, weights)
    values |= calibrated
    if back is not None and np.isfinite(back).all():
        moved = not np.array_equal(back, logits.double().numpy())  # by BCE's way back nothing is
        recovered = _calibration(torch.from_numpy(back)[None], targets, weights) if moved else calibrated
        values |= {f"recovered_{name}": value for name, value in recovered.items()}
    reliability = calibration.reliability_grid(row, targets, RELIABILITY_BINS, weights)[0]
    curves: Curves = {
        "precision": _finite(ranking.precision_recall_grid(row, targets, GRID_POINTS, weights)[0].tolist()),
        "reliability_expected": _finite(reliability[:, 0].tolist()),
        "reliability_observed": _finite(reliability[:, 1].tolist()),
    }
    return values, curves


def macro(measured: Sequence[tuple[Values, Curves]]) -> tuple[Values, Curves]:
    """The mean over outputs of everything measured; missing where it is missing for one of them."""
    every = [values for values, _ in measured]
    means: Values = {name: _mean([values.get(name) for values in every]) for name in every[0]}
    means.pop("k", None)
    points = zip(*(curves["precision"] for _, curves in measured), strict=True)
    return means, {"precision": [_mean(point) for point in points]}


def _mean(values: Sequence[Number]) -> float | None:
    numbers = [value for value in values if isinstance(value, (int, float))]
    return float(np.mean(numbers)) if len(numbers) == len(values) else None


def _counted(row: Tensor, targets: Tensor, weights: Tensor | None) -> Values:
    return {
        "r_precision": float(threshold.r_precision(row, targets, weights)),
        **({"k": int(targets.sum())} if weights is None else {}),
        "recall_at_fpr": float(threshold.recall_at_fpr(row, targets, FALSE_POSITIVE_RATE, weights)),
    }


def _calibration(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Values:
    numbers = calibration.summary(logits, targets, weights)[0].tolist()
    return {name: finite_or_none(value) for name, value in zip(calibration.SUMMARY, numbers, strict=True)}


def finite_or_none(value: float) -> float | None:
    """NaN and infinities have no place in a table: they become empty cells."""
    return float(value) if np.isfinite(value) else None


def _finite(values: list[float]) -> list[float | None]:
    return [finite_or_none(value) for value in values]


def batch_accounting(targets: NDArray[np.int8], orders: Sequence[NDArray[np.integer[Any]]], batch_size: int) -> Values:
    """Positives per batch (mean) and the share of batches without any, over all epochs."""
    counts = [
        int(targets[order[start : start + batch_size]].sum())
        for order in orders
        for start in range(0, len(order), batch_size)
    ]
    return {
        "positives_per_batch": float(np.mean(counts)),
        "batches_without_positives": float(np.mean([count == 0 for count in counts])),
    }
