"""The losses of a stack of runs: those of one formula share one expression, every other gets its slice."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from focalbench.arms import OF_A_BATCH
from focalbench.losses.binary import Hyperparameter, Weights, focal_gradient
from focalbench.losses.comparators import class_balanced_weights, deferred_weights
from focalbench.losses.custom import Custom
from focalbench.losses.rivals import Rival, rival_loss


class WeightedFocal(NamedTuple):
    """The focal loss of one run: gamma, and what a positive and a negative weigh."""

    gamma: float
    positive: float
    negative: float


RunLoss = WeightedFocal | Rival | Custom


class StackLoss:
    """The loss of every run of a stack: its gradient, batch by batch. Call `start` before each epoch."""

    def __init__(self, losses: Sequence[RunLoss], epochs: int, device: str) -> None:
        groups: dict[object, list[int]] = {}  # by rival, or by kind
        for run, loss in enumerate(losses):
            groups.setdefault(loss.name if isinstance(loss, Rival) else type(loss), []).append(run)
        self.parts = [
            (torch.tensor(runs, device=device), _part([losses[run] for run in runs], epochs, device))
            for runs in groups.values()
        ]

    def start(self, epoch: int) -> None:
        """Begin an epoch, counted from 0: deferred weights hang on it."""
        for _, part in self.parts:
            if isinstance(part, _RivalPart):
                part.start(epoch)

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """D mean loss/d logits, (run, output, width), 0 beyond the batch's targets (sample,), sample <= width.

        weights: (sample,), what each row counts for in the mean, None for 1 each; for elementwise losses only.
        """
        if len(self.parts) == 1:
            return self.parts[0][1].gradient(logits, targets, weights)
        gradient = torch.empty_like(logits)
        for runs, part in self.parts:
            gradient[runs] = part.gradient(logits[runs], targets, weights)
        return gradient


def _part(losses: Sequence[RunLoss], epochs: int, device: str) -> "_FocalPart | _RivalPart | _CustomPart":
    focal = [loss for loss in losses if isinstance(loss, WeightedFocal)]
    rivals = [loss for loss in losses if isinstance(loss, Rival)]
    own = [loss for loss in losses if isinstance(loss, Custom)]
    if focal:
        return _FocalPart(focal, device)
    return _RivalPart(rivals, epochs, device) if rivals else _CustomPart(own, device)


def _column(values: Sequence[Hyperparameter], device: str) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)


class _FocalPart:
    """Focal loss with per-run gamma and class weights, in closed form."""

    def __init__(self, losses: Sequence[WeightedFocal], device: str) -> None:
        gammas = [loss.gamma for loss in losses]
        self.gamma = _column(gammas, device) if any(gammas) else 0.0  # 0 takes the cheaper expression, same bits
        self.positive = _column([loss.positive for loss in losses], device)
        self.negative = _column([loss.negative for loss in losses], device)

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        count = len(targets)
        padded, scale = targets.new_zeros(2, logits.shape[-1])  # rows that only fill up weigh nothing
        padded[:count], scale[:count] = targets, 1 / count if weights is None else weights / count
        return focal_gradient(logits, padded, self.gamma, torch.where(padded > 0, self.positive, self.negative) * scale)


class _RivalPart:
    """One rival with per-run hyperparameters, by autograd from the logits only."""

    def __init__(self, rivals: Sequence[Rival], epochs: int, device: str) -> None:
        self.rivals, self.epochs, self.device = rivals, epochs, device
        runs = [dict(rival.params) for rival in rivals]
        self.hyperparameters = {name: _column([run[name] for run in runs], device) for name in runs[0]}
        self.positive = self.negative = torch.ones(1, device=device)  # what a positive and a negative weigh

    def start(self, epoch: int) -> None:
        if self.rivals[0].name == "ldam":
            weights = [_deferred(rival, epoch, self.epochs) for rival in self.rivals]
            self.positive = _column([weight.positive for weight in weights], self.device)
            self.negative = _column([weight.negative for weight in weights], self.device)

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        gradient, count = torch.zeros_like(logits), len(targets)
        with torch.enable_grad():
            x = logits[..., :count].detach().clone().requires_grad_()
            loss = rival_loss(self.rivals[0], self.hyperparameters, x, targets)
            if self.rivals[0].name not in OF_A_BATCH:
                scale = torch.where(targets > 0, self.positive, self.negative) / count
                loss = loss * (scale if weights is None else scale * weights)
            gradient[..., :count] = torch.autograd.grad(loss.sum(), x)[0]
        return gradient


def _deferred(rival: Rival, epoch: int, epochs: int) -> Weights:
    h = dict(rival.params)
    return deferred_weights(epoch, epochs, class_balanced_weights(*rival.counts, h["beta"]), h["start"])


class _CustomPart:
    """Losses of one's own, each run with its copy."""

    def __init__(self, losses: Sequence[Custom], device: str) -> None:
        self.losses = [loss.to(device) for loss in losses]

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        assert weights is None, "refused when planning"
        gradient = torch.zeros_like(logits)
        for run, loss in enumerate(self.losses):
            gradient[run, 0, : len(targets)] = loss.gradient(logits[run, 0, : len(targets)], targets)
        return gradient
