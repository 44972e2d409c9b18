"""How good a run is: inputs (run, sample), one float64 value per run."""

from focalbench.metrics.calibration import (
    brier,
    calibration_line,
    expected_calibration_error,
    expected_observed,
    log_loss,
    log_loss_skill,
    reliability_grid,
)
from focalbench.metrics.ranking import average_precision, precision_recall_grid, roc_auc
from focalbench.metrics.threshold import mcc_at_prevalence, mcc_at_threshold, precision_at_k, r_precision, recall_at_fpr

__all__ = [
    "average_precision",
    "brier",
    "calibration_line",
    "expected_calibration_error",
    "expected_observed",
    "log_loss",
    "log_loss_skill",
    "mcc_at_prevalence",
    "mcc_at_threshold",
    "precision_at_k",
    "precision_recall_grid",
    "r_precision",
    "recall_at_fpr",
    "reliability_grid",
    "roc_auc",
]
