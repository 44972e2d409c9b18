"""The losses of a stack of runs: those of one formula share one expression, every other gets its slice."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from focalbench.losses.binary import Hyperparameter, focal_gradient
from focalbench.losses.multiclass import leads, softmax_focal_gradient
from focalbench.runs.catalogue import RIVALS, sees_batches
from focalbench.training.own.custom import Custom
from focalbench.training.rivals import Rival, rival_loss, scheduled_weights


class WeightedFocal(NamedTuple):
    """The focal loss of one run: gamma, and what a positive and a negative of each output weigh."""

    gamma: float
    positive: tuple[float, ...]
    negative: tuple[float, ...]


class SoftmaxFocal(NamedTuple):
    """The softmax focal loss of one run: gamma, and what each class weighs."""

    gamma: float
    weights: tuple[float, ...]


RunLoss = WeightedFocal | SoftmaxFocal | Rival | Custom


def ranking_scores(losses: Sequence[RunLoss], logits: Tensor) -> Tensor:
    """What ranks rows for each output, (run, output, sample): its logit, or its log odds where it has a softmax."""
    softmax = [run for run, loss in enumerate(losses) if isinstance(loss, SoftmaxFocal)]
    if not softmax:
        return logits
    scores = logits.clone()
    scores[softmax] = leads(logits[softmax])
    return scores


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
        """Begin an epoch, counted from 0: deferred weights depend on it."""
        for _, part in self.parts:
            if isinstance(part, _RivalPart):
                part.start(epoch)

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """D mean loss/d logits, (run, output, width), 0 beyond the batch's targets (sample,), sample <= width.

        With several outputs targets are (output, sample), and the loss is the sum over the outputs. weights: (sample,)
        or (output, sample), what each row counts for in the mean, None for 1 each; for elementwise losses only.
        """
        if len(self.parts) == 1:
            return self.parts[0][1].gradient(logits, targets, weights)
        gradient = torch.empty_like(logits)
        for runs, part in self.parts:
            gradient[runs] = part.gradient(logits[runs], targets, weights)
        return gradient


_Part: TypeAlias = "_FocalPart | _SoftmaxPart | _RivalPart | _CustomPart"


def _part(losses: Sequence[RunLoss], epochs: int, device: str) -> _Part:
    focal = [loss for loss in losses if isinstance(loss, WeightedFocal)]
    softmax = [loss for loss in losses if isinstance(loss, SoftmaxFocal)]
    rivals = [loss for loss in losses if isinstance(loss, Rival)]
    own = [loss for loss in losses if isinstance(loss, Custom)]
    if focal:
        return _FocalPart(focal, device)
    if softmax:
        return _SoftmaxPart(softmax, device)
    return _RivalPart(rivals, epochs, device) if rivals else _CustomPart(own, device)


def _column(values: Sequence[Hyperparameter] | Sequence[tuple[float, ...]], device: str) -> Tensor:
    """One number a run, (run, 1, 1), or one for each of its outputs, (run, output, 1)."""
    return torch.tensor(values, dtype=torch.float32, device=device).view(len(values), -1, 1)


class _FocalPart:
    """Focal loss with per-run gamma and class weights, in closed form."""

    def __init__(self, losses: Sequence[WeightedFocal], device: str) -> None:
        gammas = [loss.gamma for loss in losses]
        self.gamma = _column(gammas, device) if any(gammas) else 0.0  # 0 takes the cheaper expression, same bits
        self.positive = _column([loss.positive for loss in losses], device)
        self.negative = _column([loss.negative for loss in losses], device)

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        padded, scale = _padded(logits, targets, weights)
        positive = padded * scale
        own = torch.addcmul(self.negative * (scale - positive), self.positive, positive)  # one of the two is 0
        return focal_gradient(logits, padded, self.gamma, own)


class _SoftmaxPart:
    """Softmax focal loss with per-run gamma and class weights, in closed form."""

    def __init__(self, losses: Sequence[SoftmaxFocal], device: str) -> None:
        gammas = [loss.gamma for loss in losses]
        self.gamma = _column(gammas, device) if any(gammas) else 0.0
        self.weights = _column([loss.weights for loss in losses], device)

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        padded, scale = _padded(logits, targets, weights)
        own = torch.where(padded > 0, self.weights, 0).amax(1, keepdim=True)  # of the row's class
        return softmax_focal_gradient(logits, padded, self.gamma, own * scale)


def _padded(logits: Tensor, targets: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """Targets over the whole width of a batch, and each row's share of the mean: what only fills up weighs nothing."""
    count, width = targets.shape[-1], logits.shape[-1]
    if count == width and weights is None:
        return targets.contiguous(), targets.new_full((), 1 / count)  # layouts move bits
    padded = targets.new_zeros(*targets.shape[:-1], width)
    scale = targets.new_zeros(width) if weights is None else weights.new_zeros(*weights.shape[:-1], width)
    padded[..., :count], scale[..., :count] = targets, 1 / count if weights is None else weights / count
    return padded, scale


class _RivalPart:
    """One rival with per-run hyperparameters, by autograd from the logits only."""

    def __init__(self, rivals: Sequence[Rival], epochs: int, device: str) -> None:
        self.rivals, self.epochs, self.device = rivals, epochs, device
        runs = [dict(rival.params) for rival in rivals]
        self.hyperparameters = {name: _column([run[name] for run in runs], device) for name in runs[0]}
        self.positive = self.negative = torch.ones(1, device=device)  # what a positive and a negative weigh

    def start(self, epoch: int) -> None:
        if RIVALS[self.rivals[0].name].schedule:
            weights = [scheduled_weights(rival, epoch, self.epochs) for rival in self.rivals]
            self.positive = _column([weight.positive for weight in weights], self.device)
            self.negative = _column([weight.negative for weight in weights], self.device)

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        gradient, count = torch.zeros_like(logits), len(targets)
        with torch.enable_grad():
            x = logits[..., :count].detach().clone().requires_grad_()
            loss = rival_loss(self.rivals[0], self.hyperparameters, x, targets)
            if not sees_batches(self.rivals[0].name):
                scale = torch.where(targets > 0, self.positive, self.negative) / count
                loss = loss * (scale if weights is None else scale * weights)
            gradient[..., :count] = torch.autograd.grad(loss.sum(), x)[0]
        return gradient


class _CustomPart:
    """Losses of one's own, each run with its copy.

    One run at a time, because torch.func.vmap rounds otherwise than the loss by itself, so that a run's numbers would
    depend on its company.
    """

    def __init__(self, losses: Sequence[Custom], device: str) -> None:
        self.losses = [loss.to(device) for loss in losses]

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        assert weights is None, "refused when planning"
        gradient, count = torch.zeros_like(logits), len(targets)
        for loss, row in zip(self.losses, logits[:, 0, :count], strict=True):
            loss.ask(row, targets)
        for run, loss in enumerate(self.losses):  # all have begun
            gradient[run, 0, :count] = loss.gradient()
        return gradient
