"""Optimisers over one flat buffer of parameters, with a learning rate per run."""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from focalbench.runs.run import LrSchedule
from focalbench.training.models import Parameters

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's defaults (Kingma and Ba, 2015, Algorithm 1)
MOMENTUM = 0.9


class Stepping(Protocol):
    """What makes updates of all parameters."""

    def step(self, gradient: Tensor, share: float = 1.0) -> None:
        """One update, in place, with this share of the learning rates. gradient: flat, as the parameters."""


class Adam:
    """Adam."""

    def __init__(self, parameters: Parameters, lrs: Sequence[float]) -> None:
        self.parameters = parameters.flat
        self.first, self.second, self.scratch = (torch.zeros_like(parameters.flat) for _ in range(3))
        self.lr = _spread(parameters, lrs)
        self.steps = 0

    def step(self, gradient: Tensor, share: float = 1.0) -> None:
        """One update, in place: lr m^ / (sqrt(v^) + eps), both corrections gathered into one factor."""
        self.steps += 1
        root = (1 - BETA2**self.steps) ** 0.5
        self.first.lerp_(gradient, 1 - BETA1)
        self.second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        torch.sqrt(self.second, out=self.scratch)
        self.scratch.add_(EPSILON * root)
        torch.div(self.lr, self.scratch, out=self.scratch)
        self.parameters.addcmul_(self.first, self.scratch, value=-share * root / (1 - BETA1**self.steps))


class Momentum:
    """Stochastic gradient descent with momentum .9, as torch.optim.SGD has it: v = .9 v + g, then - lr v."""

    def __init__(self, parameters: Parameters, lrs: Sequence[float]) -> None:
        self.parameters = parameters.flat
        self.velocity = torch.zeros_like(parameters.flat)
        self.lr = _spread(parameters, lrs)

    def step(self, gradient: Tensor, share: float = 1.0) -> None:
        """One update, in place."""
        self.velocity.mul_(MOMENTUM).add_(gradient)
        self.parameters.addcmul_(self.velocity, self.lr, value=-share)


class Decayed:
    """An optimiser before whose updates weights shrink by lr x decay of themselves, apart from the gradient (Loshchilov
    and Hutter, 2019, Algorithm 2). Biases do not: the last one would leave the arm's own start.
    """

    def __init__(self, optimizer: Stepping, parameters: Parameters, lrs: Sequence[float], decay: float) -> None:
        self.optimizer, self.parameters = optimizer, parameters.flat
        self.decay = _spread(parameters, [decay * lr for lr in lrs], biases=0.0)

    def step(self, gradient: Tensor, share: float = 1.0) -> None:
        """One update, in place."""
        self.parameters.addcmul_(self.parameters, self.decay, value=-share)
        self.optimizer.step(gradient, share)


def make_optimizer(name: str, parameters: Parameters, lrs: Sequence[float], weight_decay: float = 0.0) -> Stepping:
    """The optimiser of a stack: adam, or sgd."""
    plain = Momentum(parameters, lrs) if name == "sgd" else Adam(parameters, lrs)
    return Decayed(plain, parameters, lrs, weight_decay) if weight_decay else plain


def lr_share(schedule: LrSchedule, step: int, steps: int) -> float:
    """Of the learning rate, at a step counted from 0: all of it, or half a cosine down to 0 after the last step
    (Loshchilov and Hutter, 2017, equation 5, without restarts).

    >>> [lr_share("cosine", step, 4) for step in (0, 2)]
    [1.0, 0.5]
    """
    return 1.0 if schedule == "constant" else round((1 + math.cos(math.pi * step / steps)) / 2, 12)


def _spread(parameters: Parameters, rates: Sequence[float], biases: float = 1.0) -> Tensor:
    """The rate of each parameter, (parameter,), from that of each run; biases: what share of it biases have."""
    rate = torch.tensor(rates, dtype=torch.float32, device=parameters.flat.device).view(-1, 1, 1)
    shares = (1.0, biases) * len(parameters.weights)
    return torch.cat([(rate * k).expand_as(view).flatten() for k, view in zip(shares, parameters.views, strict=True)])
