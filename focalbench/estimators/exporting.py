"""A network for other libraries: a torch module."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from focalbench.training.models import Layer


def module_of(layers: Sequence[Layer]) -> nn.Sequential:
    """Linear and ReLU modules from (row, feature) to logits (row, output)."""
    modules: list[nn.Module] = []
    for weight, bias in layers:
        modules += [_linear(weight, bias), nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def _linear(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weight))
        linear.bias.copy_(torch.from_numpy(bias))
    return linear
