"""Other probabilities in the bins of the scores."""

import numpy as np
import pytest
import torch

from focalbench.errors import InputError
from focalbench.metrics.calibration import mean_by_bin, reliability_grid


@pytest.mark.parametrize("weighted", [False, True])
def test_the_same_probabilities_have_the_means_of_the_grid(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(2, 300)))
    targets = torch.from_numpy((rng.random(300) < 0.2).astype(np.int8))
    weights = torch.from_numpy(rng.random(300)) if weighted else None
    expected = reliability_grid(logits, targets, 5, weights)[..., 0]
    torch.testing.assert_close(mean_by_bin(logits, logits, targets, 5, weights), expected)


def test_bins_are_those_of_the_scores() -> None:
    """The upper half of the positives, and the rows above the first of them, by hand."""
    logits = torch.tensor([[0.0, 1.0, 2.0, 3.0]], dtype=torch.float64)
    others = torch.tensor([[0.2, 0.4, 0.9, 0.1]], dtype=torch.float64)
    targets = torch.tensor([0, 1, 0, 1])
    found = mean_by_bin(logits, others.logit(), targets, 2)
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.1]], dtype=torch.float64))


def test_no_bins_are_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        mean_by_bin(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([0, 1]), 0)
