"""A start that is learnt: the last bias that minimises the loss of the untrained network, all else as it was drawn.

It is a control for the arm's own constant, which is the same for a network that says nothing yet.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from focalbench.losses.inverse import LARGEST_CONSTANT
from focalbench.training.loop import Rows
from focalbench.training.models import Architecture, Layer
from focalbench.training.stack_loss import RunLoss, StackLoss

HALVINGS = 40  # of [-30, 30]: finer than float32


def learned_biases(architecture: Architecture, layers: Sequence[Layer], loss: RunLoss, rows: Rows) -> tuple[float, ...]:
    """The biases of the last layer, one an output, at which the mean loss of the training rows is least.

    By bisection on the loss's derivative. layers: as drawn; loss: elementwise, of each output by itself.
    """
    without_bias = _last_products(architecture, layers, rows.features)
    of_loss = StackLoss([loss], 1, "cpu")
    targets = rows.targets.movedim(0, -1)
    low = without_bias.new_full((len(without_bias), 1), -LARGEST_CONSTANT)
    high = -low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slope = of_loss.gradient((without_bias + middle)[None], targets, rows.in_loss)[0].sum(dim=1, keepdim=True)
        low, high = torch.where(slope < 0, middle, low), torch.where(slope < 0, high, middle)
    return tuple(((low + high) / 2).flatten().tolist())


def _last_products(architecture: Architecture, layers: Sequence[Layer], features: Tensor) -> Tensor:
    """What the last layer says without its bias, (output, row)."""
    found = features
    for (weight, bias), adds in zip(layers[:-1], architecture.adds_below, strict=False):
        made = found @ torch.from_numpy(weight).T + torch.from_numpy(bias)
        found = (made + found if adds else made).clamp_min(0)
    return torch.from_numpy(layers[-1][0]) @ found.T
