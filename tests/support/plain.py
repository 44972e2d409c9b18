"""The plain version of the trainer: one run, autograd, torch.optim.Adam, a loop anyone can read."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import Tensor

from focalbench.losses.binary import focal_loss
from focalbench.training.loop import Member, Rows
from focalbench.training.own.custom import Custom
from focalbench.training.rivals import rival_loss
from focalbench.training.stack_loss import RunLoss, SoftmaxFocal, WeightedFocal


@dataclass(frozen=True)
class Plain:
    """validation average precision by epoch, the chosen epoch (1-based), and the chosen model."""

    curve: list[float]
    epoch: int
    model: torch.nn.Sequential


def plain_model(member: Member) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for weight, bias in member.layers:
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data = torch.from_numpy(weight).clone()
        linear.bias.data = torch.from_numpy(bias).clone()
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def plain_loss(loss: RunLoss, logits: Tensor, targets: Tensor, share: float) -> Tensor:
    """The mean loss of one batch (sample, output); share: of the epochs, this one included, that have begun."""
    if isinstance(loss, WeightedFocal):
        weights = torch.where(targets > 0, torch.tensor(loss.positive), torch.tensor(loss.negative))
        mean: Tensor = (weights * focal_loss(logits, targets, gamma=loss.gamma)).sum(1).mean()
        return mean
    if isinstance(loss, SoftmaxFocal):
        own, log_p = torch.tensor(loss.weights)[targets.argmax(1)], (logits.log_softmax(1) * targets).sum(1)
        return (own * (1 - log_p.exp()) ** loss.gamma * -log_p).mean()
    logits, targets = logits[:, 0], targets[:, 0]
    assert not isinstance(loss, Custom), "which is somebody's own, and has no plain version"
    h = dict(loss.params)
    values = rival_loss(loss, h, logits[None, None], targets)
    if loss.name == "ldam" and share > h["start"]:
        beta, (positives, negatives) = h["beta"], loss.counts
        effective = [(1 - beta**count) / (1 - beta) for count in loss.counts]
        mean = (positives / effective[0] + negatives / effective[1]) / (positives + negatives)
        values = values * torch.where(targets > 0, 1 / effective[0] / mean, 1 / effective[1] / mean)
    return values.mean()


def plain_scores(logits: Tensor, loss: RunLoss) -> Tensor:
    """What ranks rows for each output, (sample, output)."""
    return logits.double().softmax(1) if isinstance(loss, SoftmaxFocal) else logits


def plain_train(
    train: Rows, validation: Rows, member: Member, orders: Sequence[NDArray[np.integer[Any]]], batch_size: int
) -> Plain:
    model = plain_model(member)
    adam = torch.optim.Adam(model.parameters(), lr=member.lr)
    best, curve = (-1.0, 0, model), []
    for epoch, order in enumerate(orders, 1):
        for index in torch.split(torch.from_numpy(order), batch_size):
            logits = model(train.features[index])
            loss = plain_loss(member.loss, logits, train.targets[index].view(logits.shape), epoch / len(orders))
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()
        with torch.no_grad():
            scores = plain_scores(model(validation.features), member.loss)
            value = average_precision_score(validation.targets.view(scores.shape), scores)  # the mean over outputs
        curve.append(float(value))
        if value > best[0]:
            best = (value, epoch, copy.deepcopy(model))
    return Plain(curve, best[1], best[2])
