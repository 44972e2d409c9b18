"""Metrics of probabilities, from logits: losses, skill, calibration line, reliability; all in float64.

Each takes weights (sample,) >= 0 of the samples, None for 1 each: sums and means are then weighted ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from focalbench.errors import InputError
from focalbench.metrics.ranking import checked_weights, per_run

__all__ = [
    "brier",
    "calibration_line",
    "expected_calibration_error",
    "expected_observed",
    "log_loss",
    "log_loss_skill",
    "mean_by_bin",
    "reliability_grid",
]

BINS = 15  # of the expected calibration error
MAX_PASSES = 100  # a line that takes longer is reported as NaN; 6 to 10 are usual
SMALL_DECREMENT = 1e-11  # squared Newton decrement: the last step then lands within rounding of the best line
COARSE, FEW_PASSES = 1024, 5  # bins of the logits on which a line is found first; passes over all that it then needs
SUMMARY = (
    *("log_loss", "log_loss_skill", "brier", "expected_observed"),
    *("calibration_slope", "calibration_intercept", "ece"),
)


def summary(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """The numbers that SUMMARY names, each to the bit as its own function has it, in less than half the time.

    Args:
        logits: (run, sample), finite.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0, which weight the sums and means; None: 1 each.

    Returns:
        (run, number) float64, in the order of SUMMARY.

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.
    """

    def numbers(forecast: _Forecast) -> Tensor:
        return torch.stack(
            [
                *(forecast.log_loss, forecast.skill, forecast.brier, forecast.expected_observed),
                *(*forecast.line, forecast.calibration_error(BINS)),
            ]
        )

    return _per_run(numbers, logits, targets, weights)


def log_loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of each run, mean(-log p_t), in nats, exact at any finite logit.

    Args:
        logits: (run, sample), finite.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0, which weight the sums and means; None: 1 each.

    Returns:
        (run,) float64 >= 0.

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.
    """
    return _per_run(lambda forecast: forecast.log_loss, logits, targets, weights)


def log_loss_skill(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Skill of each run, 1 - LL / LL(prevalence), where LL is the log loss.

    1 is perfect, 0 is as good as predicting the targets' prevalence, and below 0 is worse.

    Args:
        logits: (run, sample), finite.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0, which weight the sums and means; None: 1 each.

    Returns:
        (run,) float64 <= 1.

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.
    """
    return _per_run(lambda forecast: forecast.skill, logits, targets, weights)


def brier(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean squared error of each run's probabilities, mean((p - y)^2).

    Args:
        logits: (run, sample), finite.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0, which weight the sums and means; None: 1 each.

    Returns:
        (run,) float64 in [0, 1].

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.
    """
    return _per_run(lambda forecast: forecast.brier, logits, targets, weights)


def expected_observed(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Each run's sum of probabilities over the number of positives, sum(p) / sum(y).

    1 is calibrated in the large.

    Args:
        logits: (run, sample), finite.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0, which weight the sums and means; None: 1 each.

    Returns:
        (run,) float64 >= 0.

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.
    """
    return _per_run(lambda forecast: forecast.expected_observed, logits, targets, weights)


def calibration_line(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Slope and intercept of the logistic regression of the targets on the logit.

    Calibrated probabilities give (1, 0). A slope below 1 means over-confidence.

    Args:
        logits: (run, sample), finite.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0, which weight the sums and means; None: 1 each.

    Returns:
        Slope and intercept, each (run,) float64. Both are NaN for a run whose logits separate the classes, constant
        logits included, because no finite line exists; and for a run whose fit does not converge.

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.

    References:
        Cox, Two Further Applications of a Model for Binary Regression, Biometrika 1958.
    """
    slope, intercept = _per_run(lambda forecast: forecast.line, logits, targets, weights).unbind(1)
    return slope, intercept


def platt_line(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Slope and intercept of Platt's line: the logistic regression of smoothed targets on the score.

    A positive's target is (n+ + 1) / (n+ + 2) and a negative's 1 / (n- + 2), of n+ positives and n- negatives, so that
    a finite line exists where the scores separate the classes.

    Args:
        logits: (run, sample), finite scores; any will do.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0, which weight the sums and counts, taken to a mean of 1; None: 1 each.

    Returns:
        Slope and intercept, each (run,) float64. Both are NaN for constant scores, and for a fit that does not
        converge.

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.

    References:
        Platt, Probabilistic Outputs for Support Vector Machines, 1999, section 2.2.
    """
    slope, intercept = _per_run(lambda forecast: forecast.smooth_line, logits, targets, weights).unbind(1)
    return slope, intercept


def expected_calibration_error(
    logits: Tensor, targets: Tensor, bins: int = BINS, weights: Tensor | None = None
) -> Tensor:
    """Mean absolute gap between probability and observed rate, over bins weighted by their samples.

    Bins hold nearly equal numbers of positives, as those of reliability_grid. Predicting the prevalence scores 0, so do
    not use it as the main metric.

    Args:
        logits: (run, sample), finite.
        targets: (sample,), 0 or 1.
        bins: >= 1.
        weights: (sample,), >= 0, which weight the sums and means; None: 1 each.

    Returns:
        (run,) float64 in [0, 1].

    Raises:
        InputError: for bins < 1, wrong shapes or weights, other targets, or a class missing or without weight.
    """
    return _per_run(lambda forecast: forecast.calibration_error(bins), logits, targets, weights)


def reliability_grid(logits: Tensor, targets: Tensor, bins: int = 10, weights: Tensor | None = None) -> Tensor:
    """Mean probability and observed rate in bins with nearly equal numbers of positives.

    A bin starts at the logit of its lowest positive; the first reaches down to the lowest sample. Tied logits share a
    bin. So ties, or fewer positives than bins, leave empty bins, which are NaN.

    Args:
        logits: (run, sample), finite.
        targets: (sample,), 0 or 1.
        bins: >= 1.
        weights: (sample,), >= 0, which weight the sums and means; None: 1 each.

    Returns:
        (run, bins, 2) float64 in [0, 1], NaN for empty bins; bins by ascending logit.

    Raises:
        InputError: for bins < 1, wrong shapes or weights, other targets, or a class missing or without weight.
    """
    return _per_run(lambda forecast: forecast.reliability(bins), logits, targets, weights)


def mean_by_bin(
    logits: Tensor, others: Tensor, targets: Tensor, bins: int = 10, weights: Tensor | None = None
) -> Tensor:
    """Mean of other probabilities of the same samples in the bins of reliability_grid.

    Args:
        logits: (run, sample), finite, which the bins are made of.
        others: (run, sample), finite: logits of the other probabilities.
        targets: (sample,), 0 or 1.
        bins: >= 1.
        weights: (sample,), >= 0, which weight the means; None: 1 each.

    Returns:
        (run, bins) float64 in [0, 1], NaN for empty bins.

    Raises:
        InputError: for bins < 1, wrong shapes or weights, other targets, or a class missing or without weight.
    """
    every = iter(others.double().sigmoid())
    return _per_run(lambda forecast: forecast.mean_by_bin(next(every), bins), logits, targets, weights)


def _per_run(
    metric: "Callable[[_Forecast], Tensor]", logits: Tensor, targets: Tensor, weights: Tensor | None
) -> Tensor:
    mass = None if weights is None else checked_weights(weights, targets)
    return per_run(lambda row, positive: metric(_Forecast(row.double(), positive, mass)), logits, targets)


@dataclass(frozen=True, eq=False)
class _Forecast:
    """One run's logits (sample,) float64, which rows are positive, what each weighs (None: 1 each), and its metrics,
    which share what they have in common.
    """

    row: Tensor
    positive: Tensor
    mass: Tensor | None

    @cached_property
    def probability(self) -> Tensor:
        return self.row.sigmoid()

    @cached_property
    def wrong_way(self) -> Tensor:
        """The logit of the wrong class, u = x (1 - 2y), whose sigmoid is 1 - p_t without cancellation."""
        return torch.where(self.positive, -self.row, self.row)

    @cached_property
    def log_loss(self) -> Tensor:
        return _mean(_softplus(self.wrong_way), self.mass)

    @property
    def skill(self) -> Tensor:
        constant = _mean(self.positive.double(), self.mass).logit()
        losses = torch.where(self.positive, _softplus(-constant), _softplus(constant))
        return 1 - self.log_loss / _mean(losses, self.mass)

    @property
    def brier(self) -> Tensor:
        return _mean(self.wrong_way.sigmoid().square_(), self.mass)

    @property
    def expected_observed(self) -> Tensor:
        if self.mass is None:
            return self.probability.sum() / self.positive.sum()
        return (self.mass * self.probability).sum() / self.mass[self.positive].sum()

    @property
    def line(self) -> Tensor:
        return _line(self.row, self.positive, self.mass)

    @property
    def smooth_line(self) -> Tensor:
        mass = torch.ones_like(self.row) if self.mass is None else self.mass / self.mass.mean()
        positives, negatives = mass[self.positive].sum(), mass[~self.positive].sum()
        smooth = torch.where(self.positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))
        centre, scale = self.row.mean(), self.row.std()
        if not scale > 0:
            return self.row.new_full((2,), torch.nan)
        level, tilt = _newton((self.row - centre) / scale, smooth, mass)
        slope = tilt / scale
        return torch.stack([slope, level - slope * centre])

    def calibration_error(self, bins: int) -> Tensor:
        expected, observed, _ = self._bin_sums(bins)
        return (expected - observed).abs().sum() / (len(self.row) if self.mass is None else self.mass.sum())

    def reliability(self, bins: int) -> Tensor:
        expected, observed, inside = self._bin_sums(bins)
        samples = torch.bincount(inside, self.mass, minlength=bins)
        return torch.stack([expected / samples, observed / samples], dim=1)

    def mean_by_bin(self, values: Tensor, bins: int) -> Tensor:
        inside = self._bins(bins)
        sums = torch.bincount(inside, values if self.mass is None else self.mass * values, minlength=bins)
        return sums / torch.bincount(inside, self.mass, minlength=bins)

    def _bins(self, bins: int) -> Tensor:
        """Each row's bin, of equally many positives."""
        if bins < 1:
            raise InputError(f"bins must be at least 1, got {bins}")
        ranked = self.row[self.positive].sort().values
        edges = ranked[torch.arange(1, bins, device=self.row.device) * len(ranked) // bins]
        return torch.searchsorted(edges, self.row, right=True)

    def _bin_sums(self, bins: int) -> tuple[Tensor, Tensor, Tensor]:
        """Per bin of equally many positives, the sum of probabilities and the positives; and each row's bin."""
        inside = self._bins(bins)
        expected = self.probability if self.mass is None else self.mass * self.probability
        observed = None if self.mass is None else self.mass[self.positive]
        return (
            torch.bincount(inside, expected, minlength=bins),
            torch.bincount(inside[self.positive], observed, minlength=bins).double(),
            inside,
        )


def _mean(values: Tensor, mass: Tensor | None) -> Tensor:
    return values.mean() if mass is None else (mass * values).sum() / mass.sum()


def _softplus(u: Tensor) -> Tensor:
    """Return log(1 + exp(u)), exact at every u, which torch's own softplus is not beyond 20."""
    return u.abs().neg_().exp_().log1p_().add_(u.clamp(min=0))


def _line(row: Tensor, positive: Tensor, mass: Tensor | None) -> Tensor:
    """Return (slope, intercept), fitted on standardised logits: Newton's system is then well conditioned."""
    if mass is not None and not mass.all():  # what has no weight separates nothing
        row, positive, mass = row[mass > 0], positive[mass > 0], mass[mass > 0]
    if _separable(row, positive):
        return row.new_full((2,), torch.nan)
    centre, scale = row.mean(), row.std()
    standard = (row - centre) / scale
    level, tilt = _polished(_coarse(standard, positive, mass), standard, positive.double(), mass)
    slope = tilt / scale
    return torch.stack([slope, level - slope * centre])


def _separable(row: Tensor, positive: Tensor) -> bool:
    """Tell whether one cut splits the classes, ties at the cut allowed: then no finite fit exists."""
    positives = row[positive].aminmax()
    least = row.masked_fill(positive, torch.inf).min()  # of the negatives
    greatest = row.masked_fill(positive, -torch.inf).max()
    return bool((positives.min >= greatest) | (positives.max <= least))


def _coarse(row: Tensor, positive: Tensor, mass: Tensor | None) -> Tensor:
    """The line of logits that are moved to the middle of one of COARSE bins: near enough to start from."""
    low, high = row.aminmax()
    width = (high - low) / COARSE
    inside = ((row - low) / width).long().clamp_(0, COARSE - 1)
    every = torch.bincount(inside, mass, minlength=COARSE).double()
    positives = torch.bincount(inside[positive], None if mass is None else mass[positive], minlength=COARSE)
    filled = torch.nonzero(every)[:, 0]
    return _newton(low + (filled.double() + 0.5) * width, positives[filled] / every[filled], every[filled])


def _polished(theta: Tensor, row: Tensor, targets: Tensor, mass: Tensor | None) -> Tensor:
    """The line as _newton has it, by the few steps that are left from a theta nearby."""
    for _ in range(FEW_PASSES):
        step, decrement = _step(theta, row, targets, mass)
        theta = theta - step
        if decrement < SMALL_DECREMENT:
            return theta
    return _newton(row, targets, mass)


def _newton(row: Tensor, targets: Tensor, mass: Tensor | None) -> Tensor:
    """Return the (level, tilt) of the logistic regression of targets in [0, 1] on row, or NaN."""
    best, best_loss = torch.stack([_mean(targets, mass).logit(), row.new_zeros(())]), row.new_tensor(torch.inf)
    theta, step = best, torch.zeros_like(best)
    for _ in range(MAX_PASSES):
        loss = _summed_loss(theta, row, targets, mass)
        if loss <= best_loss:
            best, best_loss = theta, loss
            step, decrement = _step(theta, row, targets, mass)
            if decrement < SMALL_DECREMENT:
                return best - step
        else:  # too far: a convex loss falls along a shorter step
            step = step / 2
        theta = best - step
    return torch.full_like(best, torch.nan)


def _summed_loss(theta: Tensor, row: Tensor, targets: Tensor, mass: Tensor | None) -> Tensor:
    logits = theta[0] + theta[1] * row
    losses = _softplus(logits) - targets * logits
    return losses.sum() if mass is None else mass @ losses


def _step(theta: Tensor, row: Tensor, targets: Tensor, mass: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return Newton's step from theta, to be subtracted, and its squared decrement."""
    p = torch.addcmul(theta[0], theta[1], row).sigmoid_()
    slopes, bends = p - targets, p * (1 - p)
    if mass is not None:
        slopes, bends = slopes.mul_(mass), bends.mul_(mass)
    bent = bends * row
    gradient = torch.stack([slopes.sum(), slopes @ row])
    hessian = torch.stack([bends.sum(), bent.sum(), bent.sum(), bent @ row]).view(2, 2)
    step: Tensor = torch.linalg.solve_ex(hessian, gradient).result
    return step, gradient @ step
