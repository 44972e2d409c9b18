"""The inverse of the focal loss against a numerical minimiser of the expected loss."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from focalbench.errors import InputError
from focalbench.losses import reference
from focalbench.losses.inverse import best_constant, focal_to_probability, recovered_logits

ALPHAS = (None, 0.01, 0.25, 0.5, 0.9, 0.999)
GAMMAS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
ETAS = (0.0015, 0.03, 0.5, 0.8, 0.999)


def expected_loss(logit: float, eta: float, alpha: float | None, gamma: float) -> float:
    positive, negative = (reference.focal_loss(logit, y, alpha=alpha, gamma=gamma) for y in (1, 0))
    return float(eta * positive + (1 - eta) * negative)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("gamma", GAMMAS)
def test_inverse_of_the_numerical_minimiser_is_the_probability(alpha: float | None, gamma: float) -> None:
    for eta in ETAS:
        found = minimize_scalar(
            expected_loss, bracket=(-1, 1), args=(eta, alpha, gamma), method="brent", options={"xtol": 1e-9}
        )
        probability = float(focal_to_probability(found.x, alpha, gamma))
        assert math.isclose(probability, eta, abs_tol=1e-6)
        assert best_constant(eta, alpha, gamma) == pytest.approx(found.x, abs=1e-4)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_best_constant_has_no_expected_gradient(alpha: float | None, gamma: float) -> None:
    for eta in ETAS:
        x = best_constant(eta, alpha, gamma)
        pull, push = (float(reference.focal_gradient(x, y, alpha=alpha, gamma=gamma)) for y in (1, 0))
        assert eta * pull + (1 - eta) * push == pytest.approx(0, abs=1e-12 * (eta * -pull + (1 - eta) * push))


logits = st.floats(-1e4, 1e4)
gammas = st.floats(0, 8)
alphas = st.none() | st.floats(1e-6, 1 - 1e-6)


@given(logits)
def test_cross_entropy_needs_no_inverse(logit: float) -> None:
    assert recovered_logits(logit, None, 0.0) == logit


@given(logits, st.floats(1e-3, 10), alphas, gammas)
def test_recovered_logits_are_finite_and_increase(logit: float, step: float, alpha: float | None, gamma: float) -> None:
    low, high = recovered_logits([logit, logit + step], alpha, gamma)
    assert np.isfinite([low, high]).all()
    assert low < high


@given(logits, alphas, gammas)
def test_swapping_the_classes_mirrors_the_inverse(logit: float, alpha: float | None, gamma: float) -> None:
    mirrored = recovered_logits(-logit, None if alpha is None else 1 - alpha, gamma)
    np.testing.assert_allclose(recovered_logits(logit, alpha, gamma), -mirrored, rtol=1e-12, atol=1e-8)


@given(st.floats(-30, 30), st.floats(1e-3, 1e4))
def test_pos_weight_is_undone_by_its_log(logit: float, weight: float) -> None:
    recovered = recovered_logits(logit, weight / (1 + weight), 0.0)
    np.testing.assert_allclose(recovered, logit - math.log(weight), atol=1e-9)


def test_far_out_the_slope_is_gamma_plus_1() -> None:
    x = np.array([-1e4, 1e4])
    shift = math.log1p(5.0)
    np.testing.assert_allclose(recovered_logits(x, None, 5.0), 6 * x - np.sign(x) * shift, rtol=1e-15)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_balanced_classes_have_their_best_constant_at_0(gamma: float) -> None:
    assert best_constant(0.0015, 0.9985, gamma) == pytest.approx(0, abs=1e-12)


def test_a_loss_that_ignores_a_class_is_clipped() -> None:
    assert best_constant(0.0015, 0.0, 2.0) == -30
    assert best_constant(0.0015, 1.0, 2.0) == 30
    np.testing.assert_array_equal(recovered_logits([0.0, 3.0], 0.0, 2.0), np.inf)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1, math.nan])
def test_a_best_constant_needs_both_classes(prevalence: float) -> None:
    with pytest.raises(InputError):
        best_constant(prevalence, None, 2.0)


def test_senseless_hyperparameters_are_refused() -> None:
    with pytest.raises(InputError):
        recovered_logits(0.0, None, -1.0)
    with pytest.raises(InputError):
        recovered_logits(0.0, 1.5, 1.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_a_tensor_gives_a_tensor(alpha: float | None, dtype: torch.dtype) -> None:
    logits = torch.tensor([-math.inf, -1e4, -40.0, -3.0, -0.5, 0.0, 2.0, 36.0, 38.0, 1e4, math.inf], dtype=dtype)
    logits.requires_grad_()
    eps = torch.finfo(dtype).eps
    for convert in (recovered_logits, focal_to_probability):
        found = convert(logits, alpha, 2.0)
        wanted = torch.from_numpy(convert(logits.detach().double().numpy(), alpha, 2.0))
        assert (found.dtype, found.shape) == (dtype, logits.shape)
        torch.testing.assert_close(found.detach().double(), wanted.to(dtype).double(), rtol=8 * eps, atol=8 * eps)
    probability = focal_to_probability(logits, alpha, 2.0)
    assert probability[[0, -1]].tolist() == [0.0, 1.0]
    (slope,) = torch.autograd.grad(probability.sum(), logits)
    assert bool(slope.isfinite().all())


def test_the_way_back_can_be_differentiated() -> None:
    logits = torch.linspace(-20, 20, 21, dtype=torch.float64).requires_grad_()
    for gamma in (0.0, 0.5, 5.0):
        assert torch.autograd.gradcheck(lambda x, gamma=gamma: recovered_logits(x, 0.25, gamma), logits)
        assert torch.autograd.gradcheck(lambda x, gamma=gamma: focal_to_probability(x, 0.25, gamma), logits)
    assert focal_to_probability(torch.tensor([0, 1]), None, 0.0).tolist() == pytest.approx(
        [0.5, 1 / (1 + math.exp(-1))]
    )


def test_infinite_logits_are_certain() -> None:
    np.testing.assert_array_equal(focal_to_probability([-np.inf, np.inf], 0.25, 2.0), [0, 1])
