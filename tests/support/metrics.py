"""Every metric, called alike: scores (run, sample), targets (sample,), weights (sample,) or None."""

from collections.abc import Callable

import torch
from torch import Tensor

from focalbench.metrics import (
    average_precision,
    brier,
    calibration_line,
    expected_calibration_error,
    expected_observed,
    least_cost,
    log_loss,
    log_loss_skill,
    mcc_at_prevalence,
    mcc_at_threshold,
    mean_by_bin,
    net_benefit,
    net_benefit_curve,
    precision_at_k,
    precision_recall_grid,
    r_precision,
    recall_at_fpr,
    recall_at_precision,
    reliability_grid,
    roc_auc,
)

Metric = Callable[[Tensor, Tensor, Tensor | None], Tensor]
METRICS: dict[str, Metric] = {
    "average_precision": average_precision,
    "precision_recall_grid": lambda x, y, w: precision_recall_grid(x, y, 7, w),
    "precision_at_k": lambda x, y, w: precision_at_k(x, y, 0.3 * len(y), w),  # the same share of rows that repeat
    "r_precision": r_precision,
    "mcc_at_threshold": lambda x, y, w: mcc_at_threshold(x, y, 0.3, w),
    "mcc_at_prevalence": mcc_at_prevalence,
    "recall_at_fpr": lambda x, y, w: recall_at_fpr(x, y, 0.3, w),
    "recall_at_precision": lambda x, y, w: recall_at_precision(x, y, 0.6, w),
    "least_cost": lambda x, y, w: least_cost(x, y, 1.0, 3.0, w),
    "net_benefit": lambda x, y, w: net_benefit(x, y, 0.3, w),
    "net_benefit_curve": net_benefit_curve,
    "roc_auc": roc_auc,
    "log_loss": log_loss,
    "log_loss_skill": log_loss_skill,
    "brier": brier,
    "expected_observed": expected_observed,
    "calibration_line": lambda x, y, w: torch.stack(calibration_line(x, y, w), dim=1),
    "expected_calibration_error": lambda x, y, w: expected_calibration_error(x, y, 1, w),
    "mean_by_bin": lambda x, y, w: mean_by_bin(x, 2 * x, y, 1, w),
    "reliability_grid": lambda x, y, w: reliability_grid(x, y, 1, w),  # more bins would be cut at other positives
}
