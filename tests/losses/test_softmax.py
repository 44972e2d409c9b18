"""The softmax focal loss in a stack: its closed-form gradient, where it starts, and the way back to probabilities."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from focalbench.errors import InputError
from focalbench.losses.binary import focal_gradient
from focalbench.losses.inverse import softmax_best_constants, softmax_recovered_logits
from focalbench.losses.multiclass import leads, softmax_focal_gradient, softmax_focal_loss
from focalbench.runs.arm import Arm
from focalbench.training.arm_loss import recovered_outputs, run_loss, softmax_weights, start_biases
from focalbench.training.rivals import ClassCounts
from focalbench.training.stack_loss import RunLoss, SoftmaxFocal, StackLoss, WeightedFocal, ranking_scores

GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)
COUNTS = [ClassCounts(900, 100), ClassCounts(80, 920), ClassCounts(20, 980)]
SIZES = st.tuples(st.integers(1, 4), st.integers(2, 6), st.integers(1, 9), st.integers(0, 2**32 - 1))


def drawn(runs: int, classes: int, samples: int, seed: int, scale: float = 4.0) -> tuple[Tensor, Tensor]:
    """Logits (run, class, sample) and one-hot targets (class, sample), float64."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(scale * rng.standard_normal((runs, classes, samples)))
    return logits, torch.nn.functional.one_hot(torch.from_numpy(rng.integers(0, classes, samples)), classes).T.double()


@given(SIZES, st.sampled_from(GAMMAS))
def test_the_gradient_is_that_of_the_loss(sizes: tuple[int, int, int, int], gamma: float) -> None:
    logits, targets = drawn(*sizes)
    x = logits.requires_grad_()
    indices = targets.argmax(0).expand(len(x), -1)
    loss = softmax_focal_loss(x, indices, gamma=gamma)
    (expected,) = torch.autograd.grad(loss.sum(), x)
    found = softmax_focal_gradient(x.detach(), targets, gamma, torch.ones(targets.shape[1]))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_the_gradient_of_cross_entropy_is_torchs_and_adds_up_to_nothing() -> None:
    logits, targets = drawn(3, 5, 40, 0)
    found = softmax_focal_gradient(logits, targets, 0.0, torch.ones(40))
    torch.testing.assert_close(found, logits.softmax(1) - targets)
    torch.testing.assert_close(found.sum(1), torch.zeros(3, 40, dtype=torch.float64))


@pytest.mark.parametrize("gamma", GAMMAS)
def test_two_classes_are_the_binary_loss_at_the_difference(gamma: float) -> None:
    logits, targets = drawn(2, 2, 50, 1)
    found = softmax_focal_gradient(logits, targets, gamma, torch.ones(50))
    binary = focal_gradient(logits[:, 1:] - logits[:, :1], targets[1:], gamma, 1.0)
    torch.testing.assert_close(found, torch.cat([-binary, binary], dim=1))


@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_gradient_is_finite_at_extreme_logits(gamma: float) -> None:
    logits, targets = drawn(2, 4, 60, 2, scale=1e4)
    found = softmax_focal_gradient(logits.float(), targets.float(), gamma, torch.ones(60))
    assert bool(found.isfinite().all())


def test_scores_are_log_odds_and_rank_rows_as_probabilities_do() -> None:
    logits, _ = drawn(2, 4, 30, 3)
    torch.testing.assert_close(leads(logits), logits.softmax(1).logit())
    losses: list[RunLoss] = [SoftmaxFocal(2.0, (1.0,) * 4), WeightedFocal(0.0, (1.0,) * 4, (1.0,) * 4)]
    scores = ranking_scores(losses, logits)
    assert torch.equal(scores[0], leads(logits[:1])[0])
    assert torch.equal(scores[1], logits[1])


def test_a_run_has_the_same_gradient_and_scores_in_any_company() -> None:
    logits, targets = (part.float() for part in drawn(5, 3, 48, 4))
    losses: list[RunLoss] = [
        SoftmaxFocal(0.0, (1.0, 1.0, 1.0)),
        SoftmaxFocal(2.0, (0.5, 2.0, 9.0)),
        WeightedFocal(2.0, (1.0, 2.0, 3.0), (0.9, 0.8, 0.7)),
        SoftmaxFocal(0.0, (0.5, 2.0, 9.0)),
        WeightedFocal(0.0, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
    ]
    together = StackLoss(losses, 1, "cpu").gradient(logits, targets[:, :41])
    assert torch.equal(together[..., 41:], torch.zeros(5, 3, 7))
    scores = ranking_scores(losses, logits)
    for run, loss in enumerate(losses):
        alone = StackLoss([loss], 1, "cpu").gradient(logits[run : run + 1], targets[:, :41])
        assert torch.equal(alone[0], together[run])
        assert torch.equal(ranking_scores([loss], logits[run : run + 1])[0], scores[run])


def test_a_row_weighs_what_its_class_weighs() -> None:
    logits, targets = (part.float() for part in drawn(1, 3, 16, 8))
    weighted = StackLoss([SoftmaxFocal(2.0, (0.5, 1.0, 3.0))], 1, "cpu").gradient(logits, targets)
    plain = StackLoss([SoftmaxFocal(2.0, (1.0, 1.0, 1.0))], 1, "cpu").gradient(logits, targets)
    torch.testing.assert_close(weighted, plain * (torch.tensor([0.5, 1.0, 3.0]) @ targets))


def test_a_rows_weight_multiplies_its_loss() -> None:
    logits, targets = (part.float() for part in drawn(2, 3, 16, 5))
    losses = [SoftmaxFocal(2.0, (0.5, 1.0, 3.0)), SoftmaxFocal(0.0, (1.0, 1.0, 1.0))]
    weights = torch.rand(16, generator=torch.Generator().manual_seed(0))
    stack = StackLoss(losses, 1, "cpu")
    weighted = stack.gradient(logits, targets, weights)
    torch.testing.assert_close(weighted, stack.gradient(logits, targets) * weights)


# ---- start


def test_class_weights_have_mean_one_over_the_rows_and_give_each_class_the_same_mass() -> None:
    shares = np.array([each.prevalence for each in COUNTS])
    for arm in (Arm("weighted_ce"), Arm("softmax_focal", "balanced", 2.0)):
        weights = np.array(softmax_weights(arm, COUNTS))
        assert weights @ shares == pytest.approx(1)
        assert weights * shares == pytest.approx([1 / 3] * 3)
    assert softmax_weights(Arm("softmax_focal", gamma=2.0), COUNTS) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_own_start_minimises_the_arms_own_loss(gamma: float) -> None:
    arm = Arm("softmax_focal", gamma=gamma)
    shares = torch.tensor([each.prevalence for each in COUNTS], dtype=torch.float64)

    def expected_loss(constants: Tensor) -> Tensor:
        loss = softmax_focal_loss(constants.expand(3, 3), torch.arange(3), gamma=gamma)
        return (shares * loss).sum()

    start = torch.tensor(start_biases(arm, COUNTS), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(expected_loss(start), start)
    assert slope.abs().max() < 1e-9
    assert float(start.detach().sum()) == pytest.approx(0, abs=1e-9)
    best = minimize(lambda x: float(expected_loss(torch.from_numpy(x))), np.zeros(3), tol=1e-12)
    assert float(expected_loss(start.detach())) <= best.fun + 1e-9


def test_cross_entropy_starts_at_log_shares_and_balanced_losses_at_zero() -> None:
    logs = np.log([0.9, 0.08, 0.02])
    assert start_biases(Arm("ce"), COUNTS) == pytest.approx(logs - logs.mean())
    assert start_biases(Arm("softmax_focal", gamma=5.0, init="prior"), COUNTS) == pytest.approx(logs - logs.mean())
    for arm in (Arm("weighted_ce"), Arm("softmax_focal", "balanced", 2.0), Arm("ce", init="zero")):
        assert start_biases(arm, COUNTS) == (0.0, 0.0, 0.0)


def test_a_class_without_rows_has_no_start() -> None:
    with pytest.raises(InputError, match="every class needs rows"):
        softmax_best_constants([0.5, 0.5, 0.0], 2.0)


# ---- the way back


@settings(max_examples=30)
@given(st.sampled_from(GAMMAS), st.integers(0, 2**32 - 1))
def test_the_way_back_undoes_what_the_loss_makes_of_probabilities(gamma: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    eta, weights = rng.dirichlet([0.5, 1, 2]) * 0.97 + 0.01, rng.uniform(0.2, 5, 3)
    at_the_minimum = softmax_best_constants(eta * weights, gamma)
    back = softmax_recovered_logits(at_the_minimum[None], weights, gamma)[0]
    assert back == pytest.approx(np.log(eta) - np.log1p(-eta), abs=1e-6)


def test_cross_entropy_needs_no_way_back_and_balanced_weights_are_undone() -> None:
    logits = drawn(1, 3, 20, 6)[0][0]
    odds = leads(logits[None])[0].numpy()
    assert np.array(recovered_outputs(Arm("ce"), COUNTS, logits)) == pytest.approx(odds)
    shares = np.array([each.prevalence for each in COUNTS])[:, None]
    weighted = np.exp(logits.numpy()) * shares  # the weights are as 1 / share
    truth = weighted / weighted.sum(axis=0)
    found = np.array(recovered_outputs(Arm("weighted_ce"), COUNTS, logits))
    assert found == pytest.approx(np.log(truth) - np.log1p(-truth))


def test_an_arm_of_a_sigmoid_has_the_weights_of_each_output() -> None:
    loss = run_loss(Arm("pos_weight"), COUNTS)
    assert isinstance(loss, WeightedFocal)
    for k, counts in enumerate(COUNTS):
        alone = run_loss(Arm("pos_weight"), [counts])
        assert isinstance(alone, WeightedFocal)
        assert (loss.positive[k], loss.negative[k]) == (alone.positive[0], alone.negative[0])
    assert start_biases(Arm("bce"), COUNTS) == pytest.approx([np.log(c.positives / c.negatives) for c in COUNTS])
