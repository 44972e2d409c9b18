"""The rivals of the focal loss: identities, oracles, derivatives, extremes, company, refusals."""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from torch import Tensor

from focalbench.errors import InputError
from focalbench.losses import (
    asymmetric_loss,
    class_balanced_weights,
    cross_entropy,
    deferred_weights,
    dice_loss,
    focal_loss,
    focal_tversky_loss,
    hinge_loss,
    label_smoothed_cross_entropy,
    ldam_loss,
    logit_adjusted_loss,
    ohem_loss,
    poly1_loss,
    smooth_ap_loss,
    topk_loss,
    tversky_loss,
)
from focalbench.losses.binary import Weights

Loss = Callable[..., Tensor]
RUNS = 5


def per_run(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)


# every loss with hyperparameters that differ from run to run
ELEMENTWISE: dict[Loss, dict[str, Any]] = {
    hinge_loss: {},
    label_smoothed_cross_entropy: {"smoothing": per_run(0, 0.1, 0.3, 0.7, 1)},
    poly1_loss: {"epsilon": per_run(-0.5, 0, 0.5, 2, 10)},
    logit_adjusted_loss: {"prevalence": per_run(0.0015, 0.01, 0.1, 0.5, 0.9), "tau": per_run(0, 0.5, 1, 1.5, 2)},
    ldam_loss: {
        "positives": per_run(1, 5, 30, 100, 400),
        "negatives": per_run(999, 95, 30, 100, 80),
        "max_margin": per_run(2, 1, 0.5, 0.1, 0),
        "scale": per_run(1, 2, 5, 30, 0.5),
    },
    asymmetric_loss: {
        "gamma_positive": per_run(0, 0.5, 1, 2, 5),
        "gamma_negative": per_run(0, 0.5, 2, 0.5, 1),
        "margin": per_run(0.3, 0.05, 0, 1e-16, 0.9),
    },
}
BATCHWISE: dict[Loss, dict[str, Any]] = {
    ohem_loss: {"ratio": per_run(3, 1, 0.5, 2, 100)},
    topk_loss: {"share": per_run(0.1, 0.25, 0.5, 0.001, 1)},
    tversky_loss: {
        "alpha": per_run(0.3, 0.5, 1, 0, 2),
        "beta": per_run(0.7, 0.5, 0, 1, 0.1),
        "smooth": per_run(1, 0, 0.1, 10, 0.5),
    },
    focal_tversky_loss: {
        "alpha": per_run(0.3, 0.5, 1, 0, 2),
        "beta": per_run(0.7, 0.5, 0, 1, 0.1),
        "gamma": per_run(4 / 3, 1, 2, 3, 10),
        "smooth": per_run(1, 0, 0.1, 10, 0.5),
    },
    dice_loss: {"smooth": per_run(1, 0, 0.1, 10, 0.5)},
    smooth_ap_loss: {"tau": per_run(0.01, 0.1, 0.5, 1, 10)},
}
ALL = ELEMENTWISE | BATCHWISE
every = pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.__name__)
SEEDS = st.integers(0, 2**32 - 1)


def batch(seed: int, samples: int = 40, runs: int = RUNS, outputs: int = 2) -> tuple[Tensor, Tensor]:
    """Float64 logits (run, output, sample) and 0/1 targets (sample,), the first positive, the last negative."""
    rng = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(runs, outputs, samples, generator=rng, dtype=torch.float64)
    targets = (torch.rand(samples, generator=rng) < 0.2).double()
    targets[0], targets[-1] = 1, 0
    return logits, targets


def gradient(loss: Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    x = logits.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(x).sum(), x)
    return slope


def of_run(hyperparameters: dict[str, Any], run: int) -> dict[str, float]:
    return {name: float(value[run]) for name, value in hyperparameters.items()}


def with_slope(loss: Loss, logits: Tensor, targets: Tensor, **hyperparameters: Any) -> tuple[Tensor, Tensor]:
    return loss(logits, targets, **hyperparameters), gradient(lambda x: loss(x, targets, **hyperparameters), logits)


# ---- identities


@settings(max_examples=20)
@given(SEEDS)
def test_what_is_off_leaves_cross_entropy(seed: int) -> None:
    logits, targets = batch(seed)
    off: dict[Loss, dict[str, float]] = {
        label_smoothed_cross_entropy: {"smoothing": 0.0},
        poly1_loss: {"epsilon": 0.0},
        logit_adjusted_loss: {"tau": 0.0, "prevalence": 0.01},
        ldam_loss: {"positives": 3, "negatives": 300, "max_margin": 0.0, "scale": 1.0},
        asymmetric_loss: {"gamma_positive": 0.0, "gamma_negative": 0.0, "margin": 0.0},
    }
    for loss, hyperparameters in off.items():
        torch.testing.assert_close(
            with_slope(loss, logits, targets, **hyperparameters), with_slope(cross_entropy, logits, targets)
        )
    mean = cross_entropy(logits, targets).mean(-1)
    torch.testing.assert_close(topk_loss(logits, targets, share=1.0), mean)
    torch.testing.assert_close(ohem_loss(logits, targets, ratio=1e6), mean)


@given(SEEDS, st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 5.0]))
def test_asymmetric_with_one_gamma_and_no_margin_is_focal(seed: int, gamma: float) -> None:
    logits, targets = batch(seed)
    ours = with_slope(asymmetric_loss, logits, targets, gamma_positive=gamma, gamma_negative=gamma, margin=0.0)
    torch.testing.assert_close(ours, with_slope(focal_loss, logits, targets, gamma=gamma), rtol=1e-12, atol=1e-300)


@given(SEEDS, st.sampled_from([0.0, 1e-3, 1.0, 20.0]))
def test_dice_is_tversky_at_one_half(seed: int, smooth: float) -> None:
    logits, targets = batch(seed)
    tversky = tversky_loss(logits, targets, alpha=0.5, beta=0.5, smooth=smooth / 2)
    torch.testing.assert_close(dice_loss(logits, targets, smooth=smooth), tversky)


@given(SEEDS, st.sampled_from([0.0, 1e-3, 1.0, 20.0]))
def test_focal_tversky_is_tversky_at_gamma_1_and_a_power_of_it_elsewhere(seed: int, smooth: float) -> None:
    logits, targets = batch(seed)
    h = {"alpha": 0.2, "beta": 0.9, "smooth": smooth}
    tversky = with_slope(tversky_loss, logits, targets, **h)
    torch.testing.assert_close(with_slope(focal_tversky_loss, logits, targets, gamma=1.0, **h), tversky)
    for gamma in (4 / 3, 3.0):
        powered = with_slope(lambda x, y, g=gamma: tversky_loss(x, y, **h) ** (1 / g), logits, targets)
        torch.testing.assert_close(with_slope(focal_tversky_loss, logits, targets, gamma=gamma, **h), powered)


@given(SEEDS)
def test_smooth_ap_of_a_tiny_tau_is_average_precision(seed: int) -> None:
    logits, targets = batch(seed)
    loss = smooth_ap_loss(logits, targets, tau=1e-9)
    wanted = [[1 - average_precision_score(targets, scores) for scores in outputs] for outputs in logits.numpy()]
    np.testing.assert_allclose(loss, wanted, rtol=1e-12, atol=1e-14)


def test_logit_adjustment_moves_the_best_constant_to_even_odds() -> None:
    pi = 0.02
    targets = (torch.arange(1000) < 1000 * pi).double()
    slope = gradient(lambda x: logit_adjusted_loss(x, targets, prevalence=pi), torch.zeros(1, 1, 1000).double())
    assert float(slope.sum()) == pytest.approx(0, abs=1e-12)


# ---- class weights


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-9]))
def test_class_balanced_weights_are_the_effective_numbers(positives: int, negatives: int, beta: float) -> None:
    weights = class_balanced_weights(positives, negatives, beta)
    with mpmath.workdps(40):
        each = [(1 - mpmath.mpf(beta)) / (1 - mpmath.mpf(beta) ** n) for n in (positives, negatives)]
        mean = (positives * each[0] + negatives * each[1]) / (positives + negatives)
        assert weights == pytest.approx([float(weight / mean) for weight in each], rel=1e-12)
    assert (positives * weights.positive + negatives * weights.negative) / (positives + negatives) == pytest.approx(1)


def test_class_balanced_weights_reach_from_none_to_balanced() -> None:
    assert class_balanced_weights(15, 9985, 0.0) == Weights(1.0, 1.0)
    nearly = class_balanced_weights(15, 9985, math.nextafter(1.0, 0.0))
    assert 15 * nearly.positive == pytest.approx(9985 * nearly.negative)


def test_deferred_weights_begin_at_their_epoch() -> None:
    weights = Weights(9.0, 0.5)
    found = [deferred_weights(epoch, 25, weights, start=0.28) for epoch in range(25)]
    assert found == [Weights(1.0, 1.0)] * 7 + [weights] * 18
    assert [deferred_weights(epoch, 10, weights) == weights for epoch in (0, 7, 8, 9)] == [False, False, True, True]
    assert deferred_weights(0, 1, weights, start=0.0) == weights
    assert deferred_weights(9, 10, weights, start=1.0) == Weights(1.0, 1.0)


# ---- oracles: 40 digits for what is elementwise, plain loops for what takes the batch


def exact(loss: Loss, x: float, y: float, h: dict[str, float]) -> Any:
    """The formulas as the papers write them."""
    sign = 1 if y else -1
    p = 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
    p_t = p if y else 1 - p
    if loss is hinge_loss:
        return max(mpmath.mpf(0), 1 - sign * mpmath.mpf(x))
    if loss is label_smoothed_cross_entropy:
        t = y * (1 - mpmath.mpf(h["smoothing"])) + mpmath.mpf(h["smoothing"]) / 2
        return -t * mpmath.log(p) - (1 - t) * mpmath.log(1 - p)
    if loss is poly1_loss:
        return -mpmath.log(p_t) + h["epsilon"] * (1 - p_t)
    if loss is logit_adjusted_loss:
        pi = mpmath.mpf(h["prevalence"])
        return mpmath.log(1 + mpmath.exp(-sign * (x + h["tau"] * mpmath.log(pi / (1 - pi)))))
    if loss is ldam_loss:
        roots = [mpmath.root(mpmath.mpf(h[name]), -4) for name in ("negatives", "positives")]
        margin = h["max_margin"] * roots[int(y)] / max(roots)
        return mpmath.log(1 + mpmath.exp(-h["scale"] * (sign * mpmath.mpf(x) - margin)))
    if y:
        return -((1 - p) ** mpmath.mpf(h["gamma_positive"])) * mpmath.log(p)
    shifted = max(p - mpmath.mpf(h["margin"]), mpmath.mpf(0))
    return -(shifted ** mpmath.mpf(h["gamma_negative"]) if shifted else 0) * mpmath.log(1 - shifted)


@pytest.mark.parametrize("loss", ELEMENTWISE, ids=lambda loss: loss.__name__)
def test_elementwise_losses_and_gradients_to_40_digits(loss: Loss) -> None:
    xs = [-300.0, -30.0, -8.0, -2.0, -1.1, -0.3, 0.0, 0.4, 1.9, 2.5, 9.0, 40.0, 300.0]
    logits = torch.tensor(xs, dtype=torch.float64).expand(RUNS, 1, -1)
    for y in (0.0, 1.0):
        values, slopes = with_slope(loss, logits, torch.full((len(xs),), y), **ELEMENTWISE[loss])
        with mpmath.workdps(400):
            for run in range(RUNS):
                h = of_run(ELEMENTWISE[loss], run)
                wanted = [float(exact(loss, x, y, h)) for x in xs]
                np.testing.assert_allclose(values[run, 0], wanted, rtol=2e-13, atol=1e-300)
                wanted = [float(mpmath.diff(lambda x, y=y, h=h: exact(loss, x, y, h), x)) for x in xs]
                np.testing.assert_allclose(slopes[run, 0], wanted, rtol=2e-12, atol=1e-200)


def plain(loss: Loss, x: list[float], y: list[float], h: dict[str, float]) -> float:
    ce = [math.log1p(math.exp(-v if t else v)) for v, t in zip(x, y, strict=True)]
    p = [1 / (1 + math.exp(-v)) for v in x]
    if loss is topk_loss:
        count = max(1, round(h["share"] * len(ce)))
        return sum(sorted(ce)[-count:]) / count
    if loss is ohem_loss:
        hard = [v for v, t in zip(ce, y, strict=True) if t]
        easy = sorted((v for v, t in zip(ce, y, strict=True) if not t), reverse=True)
        kept = hard + easy[: max(1, round(h["ratio"] * max(1, len(hard))))]
        return sum(kept) / len(kept)
    if loss is smooth_ap_loss:
        return plain_smooth_ap(x, y, h["tau"])
    tp = sum(v for v, t in zip(p, y, strict=True) if t)
    fp, fn = sum(p) - tp, sum(y) - tp
    if loss is dice_loss:
        return 1 - (2 * tp + h["smooth"]) / (sum(p) + sum(y) + h["smooth"])
    tversky = 1 - (tp + h["smooth"]) / (tp + h["alpha"] * fp + h["beta"] * fn + h["smooth"])
    return math.pow(max(tversky, 0.0), 1 / h.get("gamma", 1.0))  # a rounding below 0 has no root


def plain_smooth_ap(x: list[float], y: list[float], tau: float) -> float:
    precisions = []
    for i in range(len(x)):
        if y[i]:
            g = [1 / (1 + math.exp(min(700, (x[i] - x[j]) / tau))) if j != i else 0.0 for j in range(len(x))]
            true = 1 + sum(v for v, t in zip(g, y, strict=True) if t)
            precisions.append(true / (1 + sum(g)))
    return 1 - sum(precisions) / len(precisions) if precisions else 0.0


@pytest.mark.parametrize("loss", BATCHWISE, ids=lambda loss: loss.__name__)
@settings(max_examples=20)
@given(seed=SEEDS)
def test_batch_losses_against_plain_loops(loss: Loss, seed: int) -> None:
    logits, targets = batch(seed)
    own = torch.stack([targets, targets.flip(0)]).expand(RUNS, -1, -1)  # another label for each output
    own = own * (torch.arange(40) > torch.arange(0, 40, 40 // RUNS).reshape(-1, 1, 1))  # and other counts for each run
    for y in (targets.expand(logits.shape), own):
        found = loss(logits, y, **BATCHWISE[loss])
        assert found.shape == logits.shape[:2]
        wanted = [
            [plain(loss, logits[run, k].tolist(), y[run, k].tolist(), of_run(BATCHWISE[loss], run)) for k in range(2)]
            for run in range(RUNS)
        ]
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13)


def exact_focal_tversky(x: list[Any], y: list[int], h: dict[str, float]) -> Any:
    """As the paper writes it: (1 - TI)^(1 / gamma)."""
    p = [1 / (1 + mpmath.exp(-mpmath.mpf(v))) for v in x]
    tp = sum(v for v, t in zip(p, y, strict=True) if t)
    errors = sum(h["beta"] * (1 - v) if t else h["alpha"] * v for v, t in zip(p, y, strict=True))
    return (1 - (tp + h["smooth"]) / (tp + errors + h["smooth"])) ** (1 / mpmath.mpf(h["gamma"]))


@pytest.mark.parametrize("scale", [1, 20, 100, 300, 800])  # 1 - TI is beneath float32 at 100, beneath float64 at 800
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
def test_focal_tversky_is_right_where_no_error_is_left(scale: int, dtype: torch.dtype, rtol: float) -> None:
    signs, y = [1.0, -1.0, 1.125, -1.25, -2.0], [1, 0, 1, 0, 0]
    xs = [sign * scale for sign in signs]
    logits = torch.tensor([[xs]], dtype=dtype)
    for gamma in (1.0, 4 / 3, 3.0, 10.0):
        h = {"alpha": 0.3, "beta": 0.7, "smooth": 1.0, "gamma": gamma}
        value, slope = with_slope(focal_tversky_loss, logits, torch.tensor(y), **h)
        with mpmath.workdps(2000):
            wanted = float(exact_focal_tversky(xs, y, h))
            slopes = [
                float(mpmath.diff(lambda v, i=i, h=h: exact_focal_tversky([*xs[:i], v, *xs[i + 1 :]], y, h), xs[i]))
                for i in range(len(xs))
            ]
        tiny = float(torch.finfo(dtype).tiny)
        np.testing.assert_allclose(value, [[wanted]], rtol=rtol * scale, atol=tiny)
        np.testing.assert_allclose(slope[0, 0], slopes, rtol=rtol * scale, atol=tiny)
        assert float(slope.abs().sum()) <= 2 / gamma * float(value) * (1 + rtol)


def test_focal_tversky_without_errors_that_count_is_0_without_gradient() -> None:
    logits, targets = batch(0)
    for h, y in (
        ({"alpha": 0.0, "beta": 0.0}, targets),
        ({"alpha": 0.0, "beta": 0.0, "smooth": 0.0}, torch.zeros_like(targets)),
        ({"alpha": 0.0, "smooth": 0.0}, torch.zeros_like(targets)),
        ({"beta": 0.0}, torch.ones_like(targets)),
    ):
        value, slope = with_slope(focal_tversky_loss, logits, y, gamma=3.0, **h)
        assert not value.any()
        assert not slope.any()


# ---- batches that lack something


@pytest.mark.parametrize("loss", BATCHWISE, ids=lambda loss: loss.__name__)
def test_a_batch_of_one_class_or_of_nothing_is_defined(loss: Loss) -> None:
    logits, targets = batch(0)
    for y in (torch.zeros_like(targets), torch.ones_like(targets)):
        for scale in (1.0, 1e4):  # and where every probability underflows
            for sign in (1, -1):
                extreme = scale * sign * logits.abs()
                value, slope = with_slope(loss, extreme, y, **BATCHWISE[loss])
                assert bool(value.isfinite().all())
                assert bool(slope.isfinite().all())
    nothing, slope = with_slope(loss, logits[..., :0], targets[:0], **BATCHWISE[loss])
    assert nothing.shape == (RUNS, 2)
    assert nothing.tolist() == torch.zeros(RUNS, 2).tolist()
    assert slope.shape == (RUNS, 2, 0)


def test_without_positives() -> None:
    logits, targets = batch(1)
    none = torch.zeros_like(targets)
    value, slope = with_slope(smooth_ap_loss, logits, none)
    assert not value.any()
    assert not slope.any()
    ce = cross_entropy(logits, none)
    torch.testing.assert_close(ohem_loss(logits, none, ratio=3.0), ce.topk(3).values.mean(-1))
    assert gradient(lambda x: ohem_loss(x, none, ratio=3.0), logits).count_nonzero(-1).tolist() == [[3, 3]] * RUNS
    some = torch.stack([none, targets])  # one output with, one without
    value, slope = with_slope(smooth_ap_loss, logits, some)
    assert not value[:, 0].any()
    assert not slope[:, 0].any()
    torch.testing.assert_close(value[:, 1], smooth_ap_loss(logits[:, 1:], targets)[:, 0])


def test_ties_do_not_matter_for_the_value_of_the_hardest() -> None:
    logits = torch.tensor([2.0, 1.0, 1.0, 1.0, -1.0, 0.0], dtype=torch.float64)
    targets = torch.tensor([0, 0, 0, 0, 1, 1])  # the cross entropy at 1 is there four times
    ce = cross_entropy(logits, targets)
    for order in (torch.arange(6), torch.tensor([3, 1, 5, 4, 0, 2])):
        found = topk_loss(logits[order], targets[order], share=0.5)
        torch.testing.assert_close(found, (ce[0] + 2 * ce[1]) / 3)
        found = ohem_loss(logits[order], targets[order], ratio=1.0)
        torch.testing.assert_close(found, (ce[4] + ce[5] + ce[0] + ce[1]) / 4)


def test_small_errors_do_not_cancel_in_single_precision() -> None:
    logits, targets = torch.tensor([[[20.0, -20.0, 21.0]]]), torch.tensor([1, 0, 1])
    q, q1 = math.exp(-20), math.exp(-21)
    found = dice_loss(logits, targets, smooth=0.0)
    assert float(found) == pytest.approx((2 * q + q1) / 4, rel=1e-5)
    assert float(smooth_ap_loss(logits, targets, tau=2.0)) == pytest.approx(  # ranks 1.62 and 1.38 within the positives
        (math.exp(-20) / (1 + 1 / (1 + math.exp(-0.5))) + math.exp(-20.5) / (1 + 1 / (1 + math.exp(0.5)))) / 2, rel=1e-5
    )


def test_asymmetric_is_not_negative_at_the_edge_of_its_margin() -> None:
    margin = torch.linspace(0.01, 0.99, 5000, dtype=torch.float64).reshape(-1, 1, 1)
    logits = torch.logit(margin) + torch.arange(-50, 50) * torch.finfo(torch.float64).eps  # where p passes the margin
    loss = asymmetric_loss(logits, torch.zeros(100), gamma_negative=0.0, margin=margin)
    assert bool((loss >= 0).all())


# ---- derivatives, extremes, NaN


@every
def test_gradients_are_those_of_the_values(loss: Loss) -> None:
    logits, targets = batch(2, samples=12, outputs=1)
    hyperparameters = dict(ALL[loss])
    if loss is smooth_ap_loss:
        hyperparameters["tau"] = per_run(0.5, 1, 2, 5, 10)  # smooth enough for a difference quotient
    assert torch.autograd.gradcheck(lambda x: loss(x, targets, **hyperparameters), logits.requires_grad_())


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_to_the_extremes(loss: Loss, dtype: torch.dtype) -> None:
    sizes = [0.0, 1e-30, 1e-3, 1.0, 16.0, 17.0, 20.0, 60.0, 88.0, 89.0, 100.0, 104.0, 700.0, 745.0, 1e3, 1e4]
    row = torch.tensor([sign * size for size in sizes for sign in (1, -1)], dtype=dtype)
    logits = row.expand(RUNS, 1, -1)
    hyperparameters = {name: value.to(dtype) for name, value in ALL[loss].items()}
    alternating = torch.arange(len(row)) // 2 % 2
    for targets in (torch.ones_like(row), torch.zeros_like(row), alternating, 1 - alternating):
        value, slope = with_slope(loss, logits, targets, **hyperparameters)
        assert value.dtype == dtype
        assert bool(value.isfinite().all())
        assert bool(slope.isfinite().all())
        assert bool((value >= 0).all())


@pytest.mark.parametrize("loss", ELEMENTWISE, ids=lambda loss: loss.__name__)
def test_the_hardest_are_pulled_in_full(loss: Loss) -> None:
    """A clipped probability would leave them without gradient."""
    fixed = {"scale": 1.0} if loss is ldam_loss else {}
    if loss is asymmetric_loss:
        fixed = {"margin": 0.0}  # with a margin the gradient of the hardest negatives does vanish, as the paper has it
    smooth = 0.05 if loss is label_smoothed_cross_entropy else 0.0
    needed = {name: 10.0 for name in ("positives", "negatives") if loss is ldam_loss}
    needed |= {"prevalence": 0.1} if loss is logit_adjusted_loss else {}
    logits = torch.tensor([[[-1e4, 1e4]]])
    slope = gradient(lambda x: loss(x, torch.tensor([1, 0]), **fixed, **needed), logits)
    torch.testing.assert_close(slope, torch.tensor([[[smooth - 1, 1 - smooth]]]))


@every
@pytest.mark.parametrize("place", [0, 1, -1])
def test_nan_propagates_and_only_in_its_run(loss: Loss, place: int) -> None:
    logits, targets = batch(3)
    logits[1, 0, place] = math.nan
    found = loss(logits, targets, **ALL[loss])
    spoilt = found.isnan()
    assert bool(spoilt[1, 0, place] if loss in ELEMENTWISE else spoilt[1, 0])
    assert int(spoilt.sum()) == 1
    if loss in BATCHWISE:
        assert bool(loss(logits, torch.zeros_like(targets), **ALL[loss])[1, 0].isnan())


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(loss: Loss, dtype: torch.dtype) -> None:
    logits, targets = batch(4, samples=300)
    half = loss(logits.to(dtype), targets, **ALL[loss])
    assert half.dtype == dtype
    wide = loss(logits.to(dtype).float(), targets, **ALL[loss])
    torch.testing.assert_close(half.float(), wide, rtol=torch.finfo(dtype).eps, atol=1e-7)


# ---- company and order


@every
@settings(max_examples=5)
@given(seed=SEEDS)
def test_a_run_is_the_same_alone_and_in_company(loss: Loss, seed: int) -> None:
    logits, targets = batch(seed)
    together = with_slope(loss, logits, targets, **ALL[loss])
    for run in range(RUNS):
        alone = with_slope(loss, logits[run : run + 1], targets, **of_run(ALL[loss], run))
        for ours, theirs in zip(together, alone, strict=True):
            torch.testing.assert_close(ours[run : run + 1], theirs, rtol=1e-12, atol=1e-14)


@every
@pytest.mark.parametrize("samples", [5, 513])  # 5: all in the scalar tail of a vector loop when alone
def test_a_run_keeps_its_bits(loss: Loss, samples: int) -> None:
    rng = torch.Generator().manual_seed(0)
    logits, targets = 4 * torch.randn(41, 1, samples, generator=rng), torch.rand(samples, generator=rng) < 0.05
    targets[0] = True
    mix = torch.rand(41, 1, 1, generator=rng)  # many different values, within the ranges of the two they lie between
    hyperparameters = {
        name: (mix * value[0] + (1 - mix) * value[1]).float().clamp(min=1e-3) for name, value in ALL[loss].items()
    }
    together = with_slope(loss, logits, targets, **hyperparameters)
    shared = of_run(ALL[loss], 0)  # a number takes other loops than a value per run
    stack = with_slope(loss, logits, targets, **shared)
    for run in range(41):
        own = {name: value[run : run + 1] for name, value in hyperparameters.items()}
        for found, h in ((together, own), (stack, shared)):
            alone = with_slope(loss, logits[run : run + 1], targets, **h)
            assert all(torch.equal(ours[run : run + 1], theirs) for ours, theirs in zip(found, alone, strict=True))


@every
@settings(max_examples=20)
@given(seed=SEEDS)
def test_the_order_of_the_samples_does_not_matter(loss: Loss, seed: int) -> None:
    logits, targets = batch(seed)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
    value, slope = with_slope(loss, logits, targets, **ALL[loss])
    other, turned = with_slope(loss, logits[..., order], targets[order], **ALL[loss])
    torch.testing.assert_close(other, value[..., order] if loss in ELEMENTWISE else value, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(turned, slope[..., order], rtol=1e-11, atol=1e-13)


@every
def test_targets_of_any_dtype_and_shape(loss: Loss) -> None:
    logits, targets = batch(5)
    wanted = loss(logits, targets, **ALL[loss])
    for other in (targets.bool(), targets.long(), targets.float(), targets.expand(2, -1), targets.expand(RUNS, 2, -1)):
        torch.testing.assert_close(loss(logits, other, **ALL[loss]), wanted)


# ---- refusals

X, Y = torch.zeros(4, 1, 6), torch.tensor([1, 0, 0, 0, 0, 1])
COUNTS = {"positives": 2, "negatives": 4}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: class_balanced_weights(0, 5, 0.9), r"positives must lie in \[1, inf\), got 0"),
        (lambda: class_balanced_weights(5, 0, 0.9), "negatives must lie in"),
        (lambda: class_balanced_weights(1, 5, 1.0), r"beta must lie in \[0, 1\), got 1.0"),
        (lambda: class_balanced_weights(1, 5, -0.1), "beta must lie in"),
        (lambda: deferred_weights(5, 5, Weights(1, 1)), r"epoch must lie in \[0, 5\), got 5"),
        (lambda: deferred_weights(-1, 5, Weights(1, 1)), "epoch must lie in"),
        (lambda: deferred_weights(0, 5, Weights(1, 1), start=1.1), r"start must lie in \[0, 1\]"),
        (lambda: label_smoothed_cross_entropy(X, Y, smoothing=1.1), "smoothing must lie in"),
        (lambda: label_smoothed_cross_entropy(X, Y, smoothing=-0.1), "smoothing must lie in"),
        (lambda: poly1_loss(X, Y, epsilon=-1.1), r"epsilon must lie in \[-1, inf\)"),
        (lambda: poly1_loss(X, Y, epsilon=math.inf), "epsilon must lie in"),
        (lambda: logit_adjusted_loss(X, Y, prevalence=0.0), r"prevalence must lie in \(0, 1\)"),
        (lambda: logit_adjusted_loss(X, Y, prevalence=1.0), "prevalence must lie in"),
        (lambda: logit_adjusted_loss(X, Y, prevalence=0.1, tau=-1), "tau must lie in"),
        (lambda: ldam_loss(X, Y, positives=0, negatives=4), "positives must lie in"),
        (lambda: ldam_loss(X, Y, **COUNTS, max_margin=-1), "max_margin must lie in"),
        (lambda: ldam_loss(X, Y, **COUNTS, scale=0), r"scale must lie in \(0, inf\)"),
        (lambda: asymmetric_loss(X, Y, gamma_positive=-1), "gamma_positive must lie in"),
        (lambda: asymmetric_loss(X, Y, gamma_negative=math.nan), "gamma_negative must lie in"),
        (lambda: asymmetric_loss(X, Y, margin=1.0), r"margin must lie in \[0, 1\)"),
        (lambda: ohem_loss(X, Y, ratio=0), "ratio must lie in"),
        (lambda: topk_loss(X, Y, share=0.0), r"share must lie in \(0, 1\]"),
        (lambda: topk_loss(X, Y, share=1.1), "share must lie in"),
        (lambda: tversky_loss(X, Y, alpha=-1), "alpha must lie in"),
        (lambda: tversky_loss(X, Y, beta=-1), "beta must lie in"),
        (lambda: tversky_loss(X, Y, smooth=-1), "smooth must lie in"),
        (lambda: focal_tversky_loss(X, Y, alpha=-1), "alpha must lie in"),
        (lambda: focal_tversky_loss(X, Y, beta=math.inf), "beta must lie in"),
        (lambda: focal_tversky_loss(X, Y, gamma=0.99), r"gamma must lie in \[1, inf\), got 0.99"),
        (lambda: focal_tversky_loss(X, Y, gamma=math.nan), "gamma must lie in"),
        (lambda: focal_tversky_loss(X, Y, smooth=-1), "smooth must lie in"),
        (lambda: focal_tversky_loss(X, Y, gamma=torch.ones(3, 1, 1)), "gamma must be"),
        (lambda: dice_loss(X, Y, smooth=-1), "smooth must lie in"),
        (lambda: smooth_ap_loss(X, Y, tau=0.0), r"tau must lie in \(0, inf\)"),
        (lambda: topk_loss(X, Y, share=torch.tensor([0.5, 0.5, 0.5, 2.0]).reshape(4, 1, 1)), "share must lie in"),
        (lambda: topk_loss(X, Y, share=torch.full((6,), 0.5)), r"share must be .* got \(6,\) with logits \(4, 1, 6\)"),
        (lambda: poly1_loss(X, Y, epsilon=torch.ones(4, 1)), r"epsilon must be .* of shape \(run, 1, 1\)"),
        (lambda: poly1_loss(X, Y, epsilon=torch.ones(3, 1, 1)), "epsilon must be"),
        (lambda: poly1_loss(X[0, 0], Y, epsilon=torch.ones(1, 1, 1)), "epsilon must be"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make()


@every
def test_logits_and_targets_are_checked(loss: Loss) -> None:
    h = of_run(ALL[loss], 0)
    for logits, targets, says in (
        (X.long(), Y, "logits must be floating"),
        (X, Y[:5], r"targets must have .* \(5,\), the logits \(4, 1, 6\)"),
        (X, Y + 1, "targets must be 0 or 1"),
        (X, torch.full((6,), 0.5), "targets must be 0 or 1"),
        (X, torch.full((6,), math.nan), "targets must be 0 or 1"),
        (X, Y.float().requires_grad_(), "targets take no gradient"),
    ):
        with pytest.raises(InputError, match=says):
            loss(logits, targets, **h)
    if loss in BATCHWISE:
        with pytest.raises(InputError, match="logits must have a last axis of samples"):
            loss(torch.tensor(0.0), torch.tensor(1.0), **h)
