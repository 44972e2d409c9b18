"""The rivals as arms: their loss, where the last bias starts, and back to probabilities."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from focalbench import losses
from focalbench.losses.binary import Hyperparameter, Weights
from focalbench.losses.inverse import LARGEST_CONSTANT
from focalbench.losses.reference import Array
from focalbench.runs.catalogue import RIVALS

Formula = Callable[..., Tensor]
FLAT = 1e-6  # differences of a loss that are none, in float32 too
ROUNDING = 1e-12  # of a flat bottom's values in float64
FEW = 4096  # rows, or thereabouts, that stand for the training rows when a constant is sought


class ClassCounts(NamedTuple):
    """Training rows of each class, by weight where rows have one."""

    positives: float
    negatives: float

    @property
    def prevalence(self) -> float:
        """Share of positives, in (0, 1)."""
        return self.positives / (self.positives + self.negatives)


class Rival(NamedTuple):
    """A rival's name (a key of RIVALS), its hyperparameters, and the rows of each class that it is trained on."""

    name: str
    params: tuple[tuple[str, float], ...]
    counts: ClassCounts


def rival_loss(rival: Rival, h: Mapping[str, Hyperparameter], logits: Tensor, targets: Tensor) -> Tensor:
    """The loss of logits (run, output, sample), unreduced like them, or (run, output) for one of whole batches.

    h: the hyperparameters, which are not read from `rival`, as numbers or one value per run, (run, 1, 1). Weights that
    begin late are not applied.
    """
    row = RIVALS[rival.name]
    needed = {name: getattr(rival.counts, name) for name in row.needs}
    formula: Formula = getattr(losses, row.function)
    return formula(logits, targets, **{each.name: h[each.name] for each in row.parameters}, **needed)


def scheduled_weights(rival: Rival, epoch: int, epochs: int) -> Weights:
    """What a positive and a negative weigh in an epoch, counted from 0, for a rival with a schedule."""
    h = dict(rival.params)
    weights = losses.class_balanced_weights(rival.counts.positives, rival.counts.negatives, h["beta"])
    return losses.deferred_weights(epoch, epochs, weights, h["start"])


# ---- where the last bias starts


@cache
def rival_constant(rival: Rival) -> float:
    """The logit that, given to every row, minimises a rival's loss; see constant_of."""
    row, h, counts = RIVALS[rival.name], dict(rival.params), rival.counts
    if row.kind == "order":
        return 0.0  # to find that out would take gigabytes
    if row.kind == "batch":
        targets, share = few_rows(counts), torch.ones(1, dtype=torch.float64)
    else:
        targets = torch.tensor([1.0, 0.0], dtype=torch.float64)
        share = torch.tensor([counts.prevalence, 1 - counts.prevalence], dtype=torch.float64)
        if row.schedule:  # as in the first epoch
            share *= torch.tensor(scheduled_weights(rival, 0, 1), dtype=torch.float64)

    def loss(constants: Tensor) -> Tensor:
        logits = constants.view(-1, 1, 1).expand(-1, 1, len(targets))
        return (rival_loss(rival, h, logits, targets).view(len(constants), -1) * share).sum(1)

    return constant_of(loss)


def few_rows(counts: ClassCounts) -> Tensor:
    """Targets (sample,) float64 of few rows that hold both classes nearly as the training rows do."""
    positives = max(1, round(FEW * counts.prevalence))
    targets = torch.zeros(max(positives + 1, round(positives / counts.prevalence)), dtype=torch.float64)
    targets[:positives] = 1
    return targets


def constant_of(loss: Callable[[Tensor], Tensor], points: int = 241) -> float:
    """The constant within +-30 that minimises loss(constants (point,)) -> (point,), by a grid and then bisection.

    0 where none is better than both ends of the grid, where no gradient is left to start with: soft Dice is best with
    everything called positive, and to a ranking loss, which sees only order, all are equal.
    """
    grid = torch.linspace(-LARGEST_CONSTANT, LARGEST_CONSTANT, points, dtype=torch.float64)
    values = loss(grid).detach().nan_to_num(nan=torch.inf)
    least = values.min()
    if not bool(least + FLAT * max(1.0, abs(float(least))) < values[[0, -1]].min()):
        return 0.0
    lowest = (values <= least + ROUNDING).nonzero()[:, 0]  # several where the bottom is flat: the middle one
    best = int(lowest[len(lowest) // 2])
    low, high = float(grid[best - 1]), float(grid[best + 1])
    for _ in range(60):
        middle = (low + high) / 2
        at = torch.tensor([middle], dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(loss(at).sum(), at)
        if float(slope) == 0:
            return middle
        low, high = (low, middle) if float(slope) > 0 else (middle, high)
    return (low + high) / 2


# ---- back to probabilities


def rival_recovered(rival: Rival, logits: Tensor) -> Array | None:
    """Logit of the class probability at which logits (sample,) minimise a rival's loss; None where there is none.

    With A and B the sizes of the gradient for a positive and a negative it is log B - log A (inverse.py); infinite
    for scores that no class probability gives, such as those beyond label smoothing's ends.
    """
    if not RIVALS[rival.name].invertible:
        return None
    x = logits.double().view(1, 1, -1).detach().requires_grad_()
    size = []
    for sign, target in ((-1, 1.0), (1, 0.0)):
        loss = rival_loss(rival, dict(rival.params), x, torch.full((x.shape[-1],), target, dtype=x.dtype))
        size.append(sign * torch.autograd.grad(loss.sum(), x)[0].flatten())
    recovered: Array = (size[1].clamp(min=0).log() - size[0].clamp(min=0).log()).numpy()
    return recovered
