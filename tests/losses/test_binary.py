"""The binary losses against 50 digits, the published oracle table, autograd, and their identities."""

import math
from typing import NamedTuple

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from focalbench.errors import InputError
from focalbench.losses import binary, reference

MAGNITUDES = (
    0.0,
    0.001,
    0.5,
    1.0,
    2.0,
    5.0,
    8.0,
    14.0,
    15.0,
    16.0,
    17.0,
    20.0,
    30.0,
    33.0,
    35.0,
    40.0,
    88.0,
    90.0,
    104.0,
    750.0,
    1e4,
)
LOGITS = tuple(sorted({sign * x for x in MAGNITUDES for sign in (-1, 1)}))
GAMMAS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
DTYPES = (torch.float32, torch.float64)
ALPHA = 0.25

ORACLE = [  # x_t, gamma, FL, dFL/dx at y=1 without alpha, computed at 40 digits
    (-8, 0.5, 7.99899383712846, -1.00083824879249),
    (-8, 2, 7.99497047904369, -1.00435651573646),
    (-8, 5, 7.98692983289869, -1.01138167516622),
    (-2, 0.5, 1.99613874065939, -0.945607801122792),
    (-2, 2, 1.65007817942141, -1.07671373044848),
    (-2, 5, 1.12754041340676, -1.13896422960249),
    (0, 0.5, 0.490129071734274, -0.476085658526842),
    (0, 2, 0.173286795139986, -0.298286795139986),
    (0, 5, 0.0216608493924983, -0.0697771234812457),
    (2, 0.5, 0.0438228809912044, -0.0604552668096537),
    (2, 2, 0.00180356283524038, -0.00487094019539277),
    (2, 5, 3.05486471142012e-6, -1.63225191788733e-5),
    (8, 0.5, 6.14215186212323e-6, -9.21116796418483e-6),
    (8, 2, 3.77197034293127e-11, -1.13127486665718e-10),
    (20, 0.5, 9.35762294955268e-14, -1.40364344050415e-13),
    (20, 2, 8.75651071757524e-27, -2.62695321076044e-26),
    (40, 0.5, 8.75651076269652e-27, -1.31347661440448e-26),
]


class Case(NamedTuple):
    """One point of the grid with its loss, gradient, and the logs of their sizes, at 50 digits."""

    logit: float
    target: int
    gamma: float
    loss: tuple[float, float]
    gradient: tuple[float, float]


def exact(logit: float, target: int, gamma: float) -> Case:
    """The alpha-weighted focal loss and the paper's eq. 10, at 50 digits beyond the cancellation."""
    with mpmath.workdps(60):
        x_t = mpmath.mpf(logit) * (2 * target - 1)
        weight = mpmath.mpf(ALPHA if target else 1 - ALPHA)
        p, q, log_p = 1 / (1 + mpmath.exp(-x_t)), 1 / (1 + mpmath.exp(x_t)), -mpmath.log1p(mpmath.exp(-x_t))
        loss = weight * q**gamma * -log_p
        paper = q**gamma * (gamma * p * log_p - q)
        gradient = (2 * target - 1) * weight * paper
        return Case(logit, target, gamma, *((float(v), float(mpmath.log(abs(v)))) for v in (loss, gradient)))


def grid(dtype: torch.dtype) -> list[Case]:
    """Every case, its logit and gamma rounded to the dtype, so that only the arithmetic is judged."""
    gammas = torch.tensor(GAMMAS, dtype=dtype).tolist()
    logits = torch.tensor(LOGITS, dtype=dtype).tolist()
    return [exact(x, y, gamma) for x in logits for y in (0, 1) for gamma in gammas]


def assert_exact(got: Tensor, wanted: list[tuple[float, float]]) -> None:
    """Relative error within 8 + |log value| eps, or absolute error within 4 smallest normals."""
    limits = torch.finfo(got.dtype)
    values, logs = torch.tensor(wanted, dtype=torch.float64).T
    allowed = torch.maximum((8 + logs.abs()) * limits.eps * values.abs(), torch.tensor(4 * limits.tiny))
    assert bool(((got.double() - values).abs() <= allowed).all())


def test_reference_is_exact() -> None:
    cases = grid(torch.float64)
    loss = [reference.focal_loss(c.logit, c.target, alpha=ALPHA, gamma=c.gamma) for c in cases]
    gradient = [reference.focal_gradient(c.logit, c.target, alpha=ALPHA, gamma=c.gamma) for c in cases]
    assert_exact(torch.tensor(np.array(loss)), [c.loss for c in cases])
    assert_exact(torch.tensor(np.array(gradient)), [c.gradient for c in cases])


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_loss_gradient_and_autograd_are_exact(dtype: torch.dtype) -> None:
    cases = grid(dtype)
    logits = torch.tensor([c.logit for c in cases], dtype=dtype, requires_grad=True)
    targets = torch.tensor([c.target for c in cases], dtype=dtype)
    gamma = torch.tensor([c.gamma for c in cases], dtype=dtype)
    loss = binary.focal_loss(logits, targets, alpha=ALPHA, gamma=gamma)
    (automatic,) = torch.autograd.grad(loss.sum(), logits)
    closed = binary.focal_gradient(logits.detach(), targets, gamma, torch.where(targets == 1, ALPHA, 1 - ALPHA))
    assert_exact(loss.detach(), [c.loss for c in cases])
    assert_exact(closed, [c.gradient for c in cases])
    assert_exact(automatic, [c.gradient for c in cases])


@pytest.mark.parametrize(("x_t", "gamma", "loss", "gradient"), ORACLE)
def test_published_oracle(x_t: float, gamma: float, loss: float, gradient: float) -> None:
    for target, sign in ((1, 1), (0, -1)):
        assert reference.focal_loss(sign * x_t, target, gamma=gamma) == pytest.approx(loss, rel=2e-14)
        got = reference.focal_gradient(sign * x_t, target, gamma=gamma)
        assert got == pytest.approx(sign * gradient, rel=2e-14)


@pytest.mark.parametrize(
    ("x", "gamma", "beta", "loss"),
    [(-2, 2, 1, 1.52429367578687), (-2, 4, 0, 2.00008385159322), (0, 2, 1, 0.156630843759111)],
)
def test_focal_star_oracle(x: float, gamma: float, beta: float, loss: float) -> None:
    assert reference.focal_star(x, 1, gamma=gamma, beta=beta) == pytest.approx(loss, rel=1e-14)
    assert reference.focal_star(-x, 0, gamma=gamma, beta=beta) == pytest.approx(loss, rel=1e-14)


@pytest.mark.parametrize(("gamma", "beta"), [(2.0, 1.0), (4.0, 0.0)])
def test_focal_star_gradient_is_its_derivative(gamma: float, beta: float) -> None:
    assert reference.focal_star_gradient(-2, 1, gamma=2, beta=1) == pytest.approx(-0.952574126822433, rel=1e-14)
    x, h = np.linspace(-6, 6, 49), 1e-5
    for target in (0, 1):
        above, below = (reference.focal_star(x + d, target, gamma=gamma, beta=beta) for d in (h, -h))
        got = reference.focal_star_gradient(x, target, gamma=gamma, beta=beta)
        np.testing.assert_allclose(got, (above - below) / (2 * h), atol=1e-9)


@pytest.mark.parametrize(
    ("gamma", "size", "at"),
    [
        (0.5, 1.0089531, 0.017662929),
        (1, 1.0453334, 0.043202184),
        (2, 1.1289832, 0.057846379),
        (5, 1.3146054, 0.050236009),
    ],
)
def test_largest_gradient(gamma: float, size: float, at: float) -> None:
    logit = math.log(at / (1 - at))
    here, *around = (float(-reference.focal_gradient(logit + d, 1, gamma=gamma)) for d in (0, -0.01, 0.01))
    assert here == pytest.approx(size, abs=5e-8)
    assert max(around) < here


logits = st.floats(-1e4, 1e4)
targets = st.integers(0, 1)
gammas = st.floats(0, 8)
alphas = st.floats(0, 1)


def one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


@given(logits, targets, gammas, alphas)
def test_torch_agrees_with_reference(logit: float, target: int, gamma: float, alpha: float) -> None:
    got = binary.focal_loss(one(logit), one(target), alpha=alpha, gamma=gamma)
    wanted = reference.focal_loss(logit, target, alpha=alpha, gamma=gamma)
    assert float(got) == pytest.approx(float(wanted), rel=2e-13, abs=1e-300)


@given(logits, targets)
def test_gamma_0_is_bce_with_logits(logit: float, target: int) -> None:
    x, y = one(logit), one(target)
    bce = binary_cross_entropy_with_logits(x, y)
    for got in (binary.focal_loss(x, y, gamma=0.0), binary.cross_entropy(x, y)):
        torch.testing.assert_close(got.sum(), bce, rtol=1e-12, atol=1e-11)  # torch's own cancels
    gradient = binary.focal_gradient(x, y, 0.0, 1.0)
    torch.testing.assert_close(gradient, torch.sigmoid(x * (1 - 2 * y)) * (1 - 2 * y), rtol=1e-14, atol=1e-300)


@given(logits, targets, st.floats(1e-3, 1e4))
def test_pos_weight_is_a_scaled_alpha(logit: float, target: int, weight: float) -> None:
    x, y = one(logit), one(target)
    weighted = binary_cross_entropy_with_logits(x, y, pos_weight=one(weight))
    alpha = (1 + weight) * binary.focal_loss(x, y, alpha=weight / (1 + weight), gamma=0.0)
    torch.testing.assert_close(alpha.sum(), weighted, rtol=1e-11, atol=1e-10)


@given(logits, targets, gammas)
def test_focal_never_exceeds_cross_entropy(logit: float, target: int, gamma: float) -> None:
    assert reference.focal_loss(logit, target, gamma=gamma) <= reference.cross_entropy(logit, target)


@given(logits, targets, gammas, alphas)
def test_swapping_the_classes(logit: float, target: int, gamma: float, alpha: float) -> None:
    here = reference.focal_gradient(logit, target, alpha=alpha, gamma=gamma)
    there = reference.focal_gradient(-logit, 1 - target, alpha=1 - alpha, gamma=gamma)
    np.testing.assert_allclose(here, -there, rtol=1e-12, atol=1e-15)


def batch(samples: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(0, 8, (7, 1, samples)), dtype=dtype)
    targets = torch.tensor(rng.random((7, 1, samples)) < 0.3).to(dtype)
    weights = torch.tensor(rng.random((7, 1, samples)), dtype=dtype)
    gamma = torch.tensor([0, 0.1, 0.5, 1, 2, 5, 0], dtype=dtype).reshape(7, 1, 1)
    return logits, targets, gamma, weights


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("samples", [1, 5, 17, 64, 512])
def test_a_run_has_the_same_bits_in_any_company(samples: int, dtype: torch.dtype) -> None:
    arguments = batch(samples, dtype)
    gamma = arguments[2]
    together = binary.focal_gradient(*arguments)  # what the trainer uses
    reverse = binary.focal_gradient(*(value.flip(0) for value in arguments)).flip(0)
    assert torch.equal(together, reverse)
    for i in range(7):
        x, y, g, w = (value[i : i + 1].clone() for value in arguments)
        assert torch.equal(together[i : i + 1], binary.focal_gradient(x, y, g, w))
        assert torch.equal(together[i : i + 1], binary.focal_gradient(x, y, gamma.flatten().tolist()[i], w))


def test_layout_does_not_move_a_bit() -> None:
    logits, targets, gamma, weights = batch(512, torch.float32)
    strided = logits.transpose(0, 2).contiguous().transpose(0, 2)
    assert not strided.is_contiguous()
    wanted = binary.focal_gradient(logits, targets, gamma, weights)
    assert torch.equal(binary.focal_gradient(strided, targets, gamma, weights), wanted)


def test_hyperparameters_broadcast_over_runs() -> None:
    logits, targets, gamma, _ = batch(64, torch.float64)
    alpha = torch.linspace(0, 1, 7, dtype=torch.float64).reshape(7, 1, 1)
    together = binary.focal_loss(logits, targets, alpha=alpha, gamma=gamma)
    for i in range(7):
        wanted = reference.focal_loss(
            logits[i].numpy(), targets[i].numpy(), alpha=float(alpha[i]), gamma=float(gamma[i])
        )
        np.testing.assert_allclose(together[i].numpy(), wanted, rtol=1e-13)


def test_inputs_are_left_alone() -> None:
    arguments = batch(5, torch.float32)
    before = [value.clone() for value in arguments]
    binary.focal_gradient(*arguments)
    binary.focal_loss(*arguments[:2], gamma=arguments[2])
    assert all(torch.equal(value, old) for value, old in zip(arguments, before, strict=True))


def test_second_derivatives_are_finite() -> None:
    x = torch.tensor(LOGITS, dtype=torch.float32, requires_grad=True)
    for target in (0.0, 1.0):
        (first,) = torch.autograd.grad(
            binary.focal_loss(x, torch.tensor(target), gamma=0.5).sum(), x, create_graph=True
        )
        (second,) = torch.autograd.grad(first.sum(), x)
        assert bool(second.isfinite().all())


@pytest.mark.parametrize(
    ("alpha", "gamma", "target"),
    [
        (None, -1.0, 1),
        (None, math.nan, 1),
        (None, math.inf, 1),
        (1.5, 2.0, 1),
        (-0.1, 2.0, 0),
        (math.nan, 2.0, 0),
        (None, 2.0, 2),
        (None, 2.0, -0.5),
        (None, 2.0, math.nan),
    ],
)
def test_senseless_hyperparameters_are_refused(alpha: float | None, gamma: float, target: float) -> None:
    with pytest.raises(InputError):
        reference.focal_loss(0.0, target, alpha=alpha, gamma=gamma)
    with pytest.raises(InputError):
        binary.focal_loss(one(0.0), one(target), alpha=alpha, gamma=gamma)


@pytest.mark.parametrize(("gamma", "beta"), [(0.0, 1.0), (-1.0, 0.0), (math.nan, 0.0), (2.0, math.inf)])
def test_senseless_focal_star_is_refused(gamma: float, beta: float) -> None:
    with pytest.raises(InputError):
        reference.focal_star(0.0, 1, gamma=gamma, beta=beta)


@given(st.floats(-40, 40), st.sampled_from([0.0, 0.5, 2.0, 5.0]), st.sampled_from([0.0, 1.0]))
def test_the_closed_gradient_can_be_differentiated(logit: float, gamma: float, target: float) -> None:
    x, y = torch.tensor([logit], dtype=torch.float64, requires_grad=True), torch.tensor([target], dtype=torch.float64)
    (slope,) = torch.autograd.grad(binary.focal_gradient(x, y, torch.tensor([gamma]), 1.0).sum(), x)
    wanted = binary.focal_hessian(x.detach(), y, torch.tensor([gamma]), 1.0)
    if logit != 0:  # where |x| has no derivative
        torch.testing.assert_close(slope, wanted, rtol=1e-6, atol=1e-12)
