"""Dropout: hidden units that a step leaves out, the same ones for all runs of a stack, drawn from the seed alone."""

import numpy as np
import torch
from torch import Tensor

from focalbench.training.models import Architecture, padded


class Dropout:
    """Masks of 0 and 1 / (1 - rate), drawn anew for every row of every batch (Srivastava et al., 2014).

    Runs of a seed see the same masks whatever stack they are in, because all steps draw from one generator, which knows
    neither arm nor learning rate; on the CPU, so that a GPU sees them, too.
    """

    def __init__(
        self, architecture: Architecture, batch_size: int, rate: float, rng: np.random.Generator, device: str = "cpu"
    ) -> None:
        self.hidden, self.rate, self.rng = architecture.hidden, rate, rng
        self.masks = [torch.zeros(padded(units), padded(batch_size), device=device) for units in self.hidden]

    def draw(self, rows: int) -> list[Tensor]:
        """Of each hidden layer (unit, width), for a batch of so many rows; valid until the next call."""
        for units, mask in zip(self.hidden, self.masks, strict=True):
            stays = self.rng.random((units, rows), dtype=np.float32) >= self.rate
            mask[:units, :rows] = torch.from_numpy(stays) / (1 - self.rate)
        return self.masks
