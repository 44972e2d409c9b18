"""The share of the negatives' loss that the hardest carry, against a plain sum over rows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from focalbench.losses.binary import focal_loss
from focalbench.metrics.hardness import cumulative_loss, hardest_negatives_share


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 2.0, 5.0]), st.sampled_from([0.01, 0.1, 1.0]), st.booleans())
def test_it_is_the_sum_of_the_largest_losses(seed: int, gamma: float, share: float, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(-2, 3, (2, 300)))
    targets = torch.from_numpy((rng.random(300) < 0.1).astype(np.int8))
    weights = torch.from_numpy(rng.uniform(0.5, 2, 300)) if weighted else None
    found = hardest_negatives_share(logits, targets, gamma, weights, share)
    for run, value in zip(logits, found.tolist(), strict=True):
        negative = targets == 0
        losses = focal_loss(run[negative], torch.zeros(int(negative.sum()), dtype=torch.float64), gamma=gamma)
        counted = losses if weights is None else losses * weights[negative]
        largest = run[negative].argsort(descending=True)[: int(np.ceil(share * len(losses)))]
        assert value == pytest.approx(float(counted[largest].sum() / counted.sum()), rel=1e-9)


def test_gamma_gathers_the_loss_in_fewer_rows() -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(-3, 2, (1, 5000)))
    shares = [float(hardest_negatives_share(logits, torch.zeros(5000), gamma)) for gamma in (0.0, 1.0, 2.0, 5.0)]
    assert shares == sorted(shares)


def test_very_sure_scores_keep_a_share() -> None:
    logits = torch.tensor([[-700.0, -690.0, -680.0]])
    assert float(hardest_negatives_share(logits, torch.zeros(3), gamma=0.0, share=0.3)) == pytest.approx(1, abs=1e-4)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 2.0, 5.0]), st.booleans())
def test_the_loss_adds_up_from_the_easiest_row(seed: int, gamma: float, positive: bool) -> None:
    logits = torch.from_numpy(np.random.default_rng(seed).normal(0, 3, 100))
    found = cumulative_loss(logits, gamma, positive=positive, points=11)
    losses = focal_loss(logits, torch.full_like(logits, float(positive)), gamma=gamma).sort().values
    expected = [float(losses[: 10 * k].sum() / losses.sum()) for k in range(11)]
    assert found.tolist() == pytest.approx(expected, rel=1e-9)


def test_what_the_hardest_carry_is_what_the_others_leave() -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(-3, 2, 1000))
    left = 1 - cumulative_loss(logits, 2.0, positive=False)[99]
    assert float(hardest_negatives_share(logits[None], torch.zeros(1000), 2.0)) == pytest.approx(float(left))
