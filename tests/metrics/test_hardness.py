"""The share of the negatives' loss that the hardest carry, against a plain sum over rows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from focalbench.losses.binary import focal_loss
from focalbench.metrics.hardness import hardest_negatives_share


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
