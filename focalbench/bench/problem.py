"""What is timed: an epoch of one model, or of many, on rows drawn once; every trainer gets them in one order."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from focalbench.training.loop import Rows
from focalbench.training.models import Architecture

FEATURES, LR, SEED = 10, 1e-3, 0


@dataclass(frozen=True)
class Problem:
    """Hidden units, rows of an epoch and of a batch, runs to train, share of positives, and the device."""

    hidden: tuple[int, ...]
    batch_size: int
    rows: int = 45_000
    runs: int = 48
    positive_rate: float = 0.0015
    device: str = "cpu"

    @property
    def architecture(self) -> Architecture:
        """The network of every run."""
        return Architecture(FEATURES, self.hidden)

    @property
    def title(self) -> str:
        """As tables name it.

        >>> Problem((64, 64), 512).title, Problem((), 256).title
        ('MLP 10-64-64-1, batch 512', 'logistic regression 10-1, batch 256')
        """
        kind = "MLP" if self.hidden else "logistic regression"
        where = "" if self.device == "cpu" else f" on {self.device}"
        return f"{kind} {'-'.join(map(str, (FEATURES, *self.hidden, 1)))}, batch {self.batch_size}{where}"

    @property
    def flops(self) -> int:
        """Multiplications and additions in the matrix products of one run's epoch, forward and backward.

        The gradient by the features, which nobody needs, is not counted, nor is what pads a layer.
        """
        sizes = [inputs * outputs for inputs, outputs in self.architecture.layers]
        return 2 * self.rows * (3 * sum(sizes) - sizes[0])


@lru_cache(maxsize=8)
def drawn(problem: Problem) -> tuple[Rows, Tensor]:
    """The rows on the problem's device, and their order in an epoch, (row,) int64."""
    rng = np.random.default_rng(SEED)
    features = rng.standard_normal((problem.rows, FEATURES)).astype(np.float32)
    targets = np.zeros(problem.rows, dtype=np.float32)
    targets[: max(1, round(problem.positive_rate * problem.rows))] = 1
    order = torch.from_numpy(rng.permutation(problem.rows))
    rows = Rows(torch.from_numpy(features).to(problem.device), torch.from_numpy(targets).to(problem.device))
    return rows, order.to(problem.device)
