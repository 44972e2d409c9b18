"""A last bias that is learnt before training: nothing near it is better."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from focalbench.errors import InputError
from focalbench.losses.binary import focal_loss
from focalbench.runs.arm import Arm
from focalbench.training.arm_loss import run_loss, start_bias
from focalbench.training.learned_start import learned_biases
from focalbench.training.loop import Rows
from focalbench.training.models import Architecture, Layer, draw_weights
from focalbench.training.rivals import ClassCounts

ROWS, POSITIVES = 4000, 40
ARMS = [Arm("bce"), Arm("pos_weight"), Arm("focal", gamma=2.0), Arm("focal", alpha=0.25, gamma=5.0)]
COUNTS = ClassCounts(POSITIVES, ROWS - POSITIVES)


def rows(scale: float = 1.0) -> Rows:
    rng = np.random.default_rng(0)
    features = torch.from_numpy(scale * rng.standard_normal((ROWS, 5)).astype(np.float32))
    return Rows(features, (torch.arange(ROWS) < POSITIVES).float())


def layers() -> list[Layer]:
    return draw_weights(Architecture(5, (8,)), np.random.default_rng(1))


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_it_is_the_best_bias_of_the_untrained_network(arm: Arm) -> None:
    drawn, part = layers(), rows()
    loss = run_loss(arm, [COUNTS])
    (found,) = learned_biases(Architecture(5, (8,)), drawn, loss, part)
    hidden = torch.relu(part.features @ torch.from_numpy(drawn[0][0]).T + torch.from_numpy(drawn[0][1]))
    logits = (hidden @ torch.from_numpy(drawn[1][0]).T)[:, 0].double()
    positive, negative = loss.positive[0], loss.negative[0]  # type: ignore[union-attr]
    weights = torch.where(part.targets > 0, positive, negative).double()

    def mean_loss(bias: float) -> float:
        return float((weights * focal_loss(logits + bias, part.targets.double(), gamma=arm.gamma)).mean())

    best = minimize_scalar(mean_loss, bounds=(-12, 12), method="bounded", options={"xatol": 1e-7})
    assert found == pytest.approx(best.x, abs=2e-3)


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_where_the_network_says_nothing_it_is_the_arms_own_constant(arm: Arm) -> None:
    drawn = layers()
    drawn[-1] = np.zeros_like(drawn[-1][0]), drawn[-1][1]
    (found,) = learned_biases(Architecture(5, (8,)), drawn, run_loss(arm, [COUNTS]), rows())
    assert found == pytest.approx(start_bias(arm, COUNTS), abs=1e-4)


def test_it_is_for_losses_of_single_rows() -> None:
    with pytest.raises(InputError, match="dice takes no start learned; choose one of own, prior, zero"):
        Arm("dice", init="learned")
