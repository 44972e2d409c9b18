"""Metrics of probabilities, from logits: losses, skill, calibration line, reliability; all in float64.

Each takes weights (sample,) >= 0 of the samples, None for 1 each: sums and means are then weighted ones.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from focalbench.errors import InputError
from focalbench.metrics.ranking import checked_weights, per_run

MAX_PASSES = 100  # a line that takes longer is reported as NaN; 6 to 10 are usual
SMALL_DECREMENT = 1e-9  # squared Newton decrement: the last step then lands far below a thousandth of an SE


def log_loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy of each run in nats, exact at any finite logit.

    logits: (run, sample), finite. targets: (sample,) of 0/1. Returns (run,) float64 >= 0.
    Raises InputError where shapes disagree, targets are not 0/1 or one class is missing.
    """
    return _per_run(_log_loss, logits, targets, weights)


def log_loss_skill(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return 1 - LL / LL(prevalence): 1 is perfect, 0 as good as the targets' prevalence, below 0 worse.

    logits: (run, sample), finite. targets: (sample,) of 0/1. Returns (run,) float64 <= 1.
    Raises InputError as log_loss.
    """
    prevalence = _mean(targets.double(), None if weights is None else weights.double())
    constant = torch.logit(prevalence).expand(1, len(targets))
    return 1 - log_loss(logits, targets, weights) / log_loss(constant, targets, weights)


def brier(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean squared error of each run's probabilities.

    logits: (run, sample), finite. targets: (sample,) of 0/1. Returns (run,) float64 in [0, 1].
    Raises InputError as log_loss.
    """

    def score(row: Tensor, positive: Tensor, mass: Tensor | None) -> Tensor:
        return _mean(_wrong_way(row, positive).sigmoid().square(), mass)

    return _per_run(score, logits, targets, weights)


def expected_observed(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return each run's sum of probabilities over the number of positives; 1 is calibrated in the large.

    logits: (run, sample), finite. targets: (sample,) of 0/1. Returns (run,) float64 >= 0.
    Raises InputError as log_loss.
    """

    def ratio(row: Tensor, positive: Tensor, mass: Tensor | None) -> Tensor:
        if mass is None:
            return row.sigmoid().sum() / positive.sum()
        return (mass * row.sigmoid()).sum() / mass[positive].sum()

    return _per_run(ratio, logits, targets, weights)


def calibration_line(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the slope and intercept of the logistic regression of the targets on the logit (Cox 1958).

    Calibrated probabilities give (1, 0); a slope below 1 means over-confidence. logits: (run, sample),
    finite. targets: (sample,) of 0/1. Returns two (run,) float64, both NaN for a run whose logits separate
    the classes (no finite line exists; constant logits included) or whose fit does not converge. Raises
    InputError as log_loss.
    """
    slope, intercept = _per_run(_line, logits, targets, weights).unbind(1)
    return slope, intercept


def expected_calibration_error(
    logits: Tensor, targets: Tensor, bins: int = 15, weights: Tensor | None = None
) -> Tensor:
    """Return the mean absolute gap of probability and observed rate, over bins weighted by their samples.

    Bins hold nearly equal numbers of positives, as those of reliability_grid. Predicting the prevalence
    scores 0, so it is no headline. logits: (run, sample), finite. targets: (sample,) of 0/1. Returns (run,)
    float64 in [0, 1]. Raises InputError as log_loss, and for bins < 1.
    """

    def error(row: Tensor, positive: Tensor, mass: Tensor | None) -> Tensor:
        _, expected, observed = _bin_sums(row, positive, bins, mass)
        return (expected - observed).abs().sum() / (len(row) if mass is None else mass.sum())

    return _per_run(error, logits, targets, weights)


def reliability_grid(logits: Tensor, targets: Tensor, bins: int = 10, weights: Tensor | None = None) -> Tensor:
    """Return the mean probability and the observed rate in bins with nearly equal numbers of positives.

    A bin starts at the logit of its lowest positive; the first reaches down to the lowest sample. Tied logits
    share a bin, so that ties, or fewer positives than bins, leave empty bins: NaN. logits: (run, sample),
    finite. targets: (sample,) of 0/1. Returns (run, bins, 2) float64 in [0, 1], bins by ascending logit.
    Raises InputError as log_loss, and for bins < 1.
    """

    def grid(row: Tensor, positive: Tensor, mass: Tensor | None) -> Tensor:
        samples, expected, observed = _bin_sums(row, positive, bins, mass)
        return torch.stack([expected / samples, observed / samples], dim=1)

    return _per_run(grid, logits, targets, weights)


def _per_run(
    metric: Callable[[Tensor, Tensor, Tensor | None], Tensor], logits: Tensor, targets: Tensor, weights: Tensor | None
) -> Tensor:
    mass = None if weights is None else checked_weights(weights, targets)
    return per_run(lambda row, positive: metric(row.double(), positive, mass), logits, targets)


def _mean(values: Tensor, mass: Tensor | None) -> Tensor:
    return values.mean() if mass is None else (mass * values).sum() / mass.sum()


def _wrong_way(row: Tensor, positive: Tensor) -> Tensor:
    """Return u = x (1 - 2y), the logit of the wrong class, whose sigmoid is 1 - p_t without cancellation."""
    return torch.where(positive, -row, row)


def _softplus(u: Tensor) -> Tensor:
    """Return log(1 + exp(u)), exact at every u, which torch's own softplus is not beyond 20."""
    return u.clamp(min=0) + u.abs().neg().exp().log1p()


def _log_loss(row: Tensor, positive: Tensor, mass: Tensor | None) -> Tensor:
    return _mean(_softplus(_wrong_way(row, positive)), mass)


def _line(row: Tensor, positive: Tensor, mass: Tensor | None) -> Tensor:
    """Return (slope, intercept), fitted on standardised logits: Newton's system is then well conditioned."""
    if mass is not None:  # what has no weight separates nothing
        row, positive, mass = row[mass > 0], positive[mass > 0], mass[mass > 0]
    if _separable(row, positive):
        return row.new_full((2,), torch.nan)
    centre, scale = row.mean(), row.std()
    design = torch.stack([torch.ones_like(row), (row - centre) / scale])
    level, tilt = _newton(design, positive.double(), mass)
    slope = tilt / scale
    return torch.stack([slope, level - slope * centre])


def _separable(row: Tensor, positive: Tensor) -> bool:
    """Tell whether one cut splits the classes, ties at the cut allowed: then no finite fit exists."""
    positives, negatives = row[positive].aminmax(), row[~positive].aminmax()
    return bool((positives.min >= negatives.max) | (positives.max <= negatives.min))


def _newton(design: Tensor, targets: Tensor, mass: Tensor | None) -> Tensor:
    """Return the (feature,) logistic coefficients for a (feature, sample) design, first row ones, or NaN."""
    best, best_loss = torch.zeros_like(design[:, 0]), design.new_tensor(torch.inf)
    best[0] = _mean(targets, mass).logit()
    theta = best
    step: Tensor = torch.zeros_like(best)
    for _ in range(MAX_PASSES):
        loss, gradient, hessian = _derivatives(theta, design, targets, mass)
        if loss <= best_loss:
            best, best_loss = theta, loss
            step = torch.linalg.solve_ex(hessian, gradient).result
            if gradient @ step < SMALL_DECREMENT:
                return best - step
        else:  # too far: a convex loss falls along a shorter step
            step = step / 2
        theta = best - step
    return torch.full_like(best, torch.nan)


def _derivatives(theta: Tensor, design: Tensor, targets: Tensor, mass: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return the summed log loss at theta, its gradient and its Hessian."""
    logits = theta @ design
    p = logits.sigmoid()
    losses, slopes, bends = _softplus(logits) - targets * logits, p - targets, p * (1 - p)
    if mass is not None:
        losses, slopes, bends = mass * losses, mass * slopes, mass * bends
    gradient: Tensor = design @ slopes
    return losses.sum(), gradient, (design * bends) @ design.T


def _bin_sums(row: Tensor, positive: Tensor, bins: int, mass: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return, per bin of equally many positives, the samples, the sum of probabilities and the positives."""
    if bins < 1:
        raise InputError(f"bins must be at least 1, got {bins}")
    ranked = row[positive].sort().values
    edges = ranked[torch.arange(1, bins, device=row.device) * len(ranked) // bins]
    inside = torch.searchsorted(edges, row, right=True)
    sums = (torch.ones_like(row), row.sigmoid(), positive.double())
    weighted = sums if mass is None else tuple(mass * values for values in sums)
    samples, expected, observed = (torch.bincount(inside, values, minlength=bins) for values in weighted)
    return samples, expected, observed
