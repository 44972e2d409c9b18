from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn import metrics as sklearn_metrics
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from focalbench.errors import InputError
from focalbench.losses.reference import Array
from focalbench.metrics import (
    brier,
    calibration_line,
    expected_calibration_error,
    expected_observed,
    log_loss,
    log_loss_skill,
    reliability_grid,
)
from focalbench.metrics.calibration import SUMMARY, summary


def sample(seed: int, rows: int = 600, slope: float = 1.0, intercept: float = -2.0) -> tuple[Tensor, Tensor]:
    """Logits whose targets were drawn at slope x logit + intercept."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(1, rows))
    targets = rng.random(rows) < expit(slope * logits[0] + intercept)
    targets[np.argmin(logits)], targets[np.argmax(logits)] = True, False  # no cut separates the classes
    return torch.from_numpy(logits), torch.from_numpy(targets)


seeds = st.integers(0, 10_000)


@given(seeds)
def test_losses_agree_with_scikit_learn(seed: int) -> None:
    logits, targets = sample(seed)
    p, y = expit(logits[0].numpy()), targets.numpy()
    constant = sklearn_metrics.log_loss(y, np.full(len(y), y.mean()))
    assert log_loss(logits, targets).item() == pytest.approx(sklearn_metrics.log_loss(y, p), rel=1e-12)
    assert brier(logits, targets).item() == pytest.approx(sklearn_metrics.brier_score_loss(y, p), rel=1e-12)
    assert log_loss_skill(logits, targets).item() == pytest.approx(1 - sklearn_metrics.log_loss(y, p) / constant)
    assert expected_observed(logits, targets).item() == pytest.approx(p.sum() / y.sum(), rel=1e-12)


@given(st.floats(-800, 800), st.floats(-800, 800))
def test_log_loss_is_exact_at_any_logit(positive: float, negative: float) -> None:
    logits = torch.tensor([[positive, negative]], dtype=torch.float64)
    with mpmath.workdps(400):
        exact = (mpmath.log1p(mpmath.exp(-mpmath.mpf(positive))) + mpmath.log1p(mpmath.exp(mpmath.mpf(negative)))) / 2
    assert log_loss(logits, torch.tensor([1, 0])).item() == pytest.approx(float(exact), rel=4e-16, abs=1e-320)


def test_float32_logits_lose_nothing_but_their_own_rounding() -> None:
    logits, targets = sample(3)
    assert torch.equal(log_loss(logits.float(), targets), log_loss(logits.float().double(), targets))


def test_predicting_the_prevalence_has_no_skill_and_no_calibration_error() -> None:
    targets = torch.arange(200) < 30
    logits = torch.full((1, 200), 0.15, dtype=torch.float64).logit()
    assert log_loss_skill(logits, targets).item() == pytest.approx(0, abs=1e-14)
    assert expected_calibration_error(logits, targets).item() == pytest.approx(0, abs=1e-14)
    assert expected_observed(logits, targets).item() == pytest.approx(1)
    assert all(line.isnan().all() for line in calibration_line(logits, targets))


def line_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    """Autograd's gradient of the summed log loss at the fitted line."""
    fitted = torch.stack(calibration_line(logits, targets)).requires_grad_()
    p = fitted[0, :, None] * logits + fitted[1, :, None]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(p, targets.expand_as(p).double(), reduction="sum")
    return torch.autograd.grad(loss, fitted)[0]


@given(seeds, st.floats(-3, 3), st.floats(-4, 4), st.floats(0.01, 100), st.floats(-50, 50))
def test_line_is_stationary_and_equivariant(
    seed: int, slope: float, intercept: float, scale: float, shift: float
) -> None:
    logits, targets = sample(seed, slope=slope, intercept=intercept)
    assert line_gradient(logits, targets).abs().max() < 1e-6
    a, b = (value.item() for value in calibration_line(logits, targets))
    c, d = (value.item() for value in calibration_line(logits * scale + shift, targets))
    assert c * scale == pytest.approx(a, rel=1e-6, abs=1e-8)
    assert d + c * shift == pytest.approx(b, rel=1e-6, abs=1e-6)


def test_line_agrees_with_scikit_learn() -> None:
    logits, targets = sample(5, slope=0.4, intercept=-1.0)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logits.T.numpy(), targets.numpy())
    slope, intercept = calibration_line(logits, targets)
    assert slope.item() == pytest.approx(model.coef_[0, 0], rel=1e-6)
    assert intercept.item() == pytest.approx(model.intercept_[0], rel=1e-6)


def plain_line(x: Tensor, y: Tensor, weights: Tensor) -> list[float]:
    """Slope and intercept by Newton's method over all rows from the best constant, until nothing moves."""
    design = np.stack([np.ones(len(x)), (x.numpy() - x.numpy().mean()) / x.numpy().std()])
    w, t = weights.numpy(), y.numpy().astype(float)
    theta = np.array([logit(np.average(t, weights=w)), 0.0])

    def loss(at: Array) -> float:
        return float(w @ (np.logaddexp(0, at @ design) - t * (at @ design)))

    for _ in range(200):
        p = expit(theta @ design)
        step = np.linalg.solve(design * (w * p * (1 - p)) @ design.T, design @ (w * (p - t)))
        while loss(theta - step) > loss(theta) * (1 + 1e-14):
            step = step / 2
        theta = theta - step
    slope = theta[1] / x.numpy().std()
    return [slope, theta[0] - slope * x.numpy().mean()]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("freedom", [2.0, 5.0, 1e6])  # heavy tails leave most rows in few of the coarse bins
@pytest.mark.parametrize("seed", range(3))
def test_line_is_that_of_a_plain_newton(seed: int, freedom: float, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    targets = torch.from_numpy(rng.random(4000) < 0.03)
    logits = torch.from_numpy(rng.standard_t(freedom, 4000))[None] * (seed + 1) + 2 * targets - 4
    weights = torch.from_numpy(rng.exponential(size=4000)) if weighted else torch.ones(4000, dtype=torch.float64)
    found = [value.item() for value in calibration_line(logits, targets, weights if weighted else None)]
    assert found == pytest.approx(plain_line(logits[0], targets, weights), rel=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
@given(seeds, st.booleans())
def test_the_summary_is_each_function_to_the_bit(weighted: bool, seed: int, zeros: bool) -> None:
    logits, targets = sample(seed)
    weights = torch.from_numpy(np.random.default_rng(seed).exponential(size=600)) if weighted else None
    if weights is not None and zeros:
        weights[::7] = 0
    slope, intercept = calibration_line(logits, targets, weights)
    each = {
        "log_loss": log_loss(logits, targets, weights),
        "log_loss_skill": log_loss_skill(logits, targets, weights),
        "brier": brier(logits, targets, weights),
        "expected_observed": expected_observed(logits, targets, weights),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
        "ece": expected_calibration_error(logits, targets, weights=weights),
    }
    assert tuple(each) == SUMMARY
    torch.testing.assert_close(summary(logits, targets, weights)[0], torch.cat(list(each.values())), rtol=0, atol=0)


def test_line_recovers_the_slope_that_drew_the_targets() -> None:
    logits, targets = sample(11, rows=100_000, slope=0.5, intercept=-3.0)
    slope, intercept = calibration_line(logits, targets)
    assert slope.item() == pytest.approx(0.5, abs=0.1)
    assert intercept.item() == pytest.approx(-3, abs=0.1)


def test_line_survives_far_outliers_and_thin_overlap() -> None:
    x = torch.cat([torch.linspace(-1, 0.001, 500), torch.linspace(0, 1, 500), torch.tensor([1e4, -1e4])])
    logits, targets = (
        x[None].double(),
        torch.cat([torch.zeros(500), torch.ones(500), torch.tensor([1.0, 0.0])]),
    )
    assert torch.isfinite(torch.cat(calibration_line(logits, targets))).all()
    assert line_gradient(logits, targets).abs().max() < 1e-3


def test_line_is_found_where_undamped_newton_diverges() -> None:
    logits = torch.tensor(
        [[60.6, 0.8, 74.7, 0.2, 0.5, 0.9, 9.5, 9.1, 0.0, 0.5, 0.8, 0.0, 0.3, 22.9, 0.0, 1.1]]
    ).double()
    targets = torch.arange(16) == 0
    assert line_gradient(logits, targets).abs().max() < 1e-6


@pytest.mark.parametrize("touching", [0.0, 1.0])
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_only_a_separable_run_gives_nan(touching: float, direction: float) -> None:
    logits, targets = sample(7)
    separated = direction * torch.where(targets, 1.0, -1.0).double() * (1 - touching * (torch.arange(600) % 5 == 0))
    slope, intercept = calibration_line(torch.cat([logits, separated[None], logits]), targets)
    assert slope.isnan().tolist() == intercept.isnan().tolist() == [False, True, False]


@settings(max_examples=30)
@given(seeds, st.integers(1, 20))
def test_bins_match_a_plain_loop(seed: int, bins: int) -> None:
    logits, targets = sample(seed)
    x, y = logits[0].numpy(), targets.numpy()
    parts = np.array_split(np.sort(x[y]), bins) if y.sum() % bins == 0 else None
    grid, error = reliability_grid(logits, targets, bins)[0].numpy(), 0.0
    starts = [np.sort(x[y])[b * y.sum() // bins] for b in range(1, bins)]
    assert parts is None or starts == [part[0] for part in parts[1:]]
    for b, (low, high) in enumerate(zip([-np.inf, *starts], [*starts, np.inf], strict=True)):
        inside = (x >= low) & (x < high)
        assert grid[b] == pytest.approx([expit(x[inside]).mean(), y[inside].mean()], rel=1e-12)
        assert abs(y[inside].sum() - y.sum() / bins) < 1
        error += inside.mean() * abs(expit(x[inside]).mean() - y[inside].mean())
    assert expected_calibration_error(logits, targets, bins).item() == pytest.approx(error, rel=1e-9)


def test_fewer_positives_than_bins_leave_empty_bins() -> None:
    logits, targets = torch.linspace(-3, 3, 9)[None], torch.arange(9) == 6
    grid = reliability_grid(logits, targets, 4)[0]
    assert grid[:, 1].isnan().tolist() == [False, True, True, False]
    assert grid[[0, 3], 1].tolist() == pytest.approx([0, 1 / 3])
    assert torch.isfinite(expected_calibration_error(logits, targets)).all()


@pytest.mark.parametrize("metric", [expected_calibration_error, reliability_grid])
def test_no_bins_are_refused(metric: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    with pytest.raises(InputError, match="bins must be at least 1"):
        metric(torch.zeros(1, 2), torch.tensor([0, 1]), 0)
