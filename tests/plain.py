"""The plain version of the trainer: one run, autograd, torch.optim.Adam, a loop anyone can read."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import Tensor

from focalbench.losses.binary import focal_loss
from focalbench.losses.custom import Custom
from focalbench.losses.rivals import rival_loss
from focalbench.losses.stack_loss import RunLoss, WeightedFocal
from focalbench.training import Member, Rows


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
    """The mean loss of one batch (sample,); share: of the epochs, this one included, that have begun."""
    if isinstance(loss, WeightedFocal):
        weights = torch.where(targets > 0, loss.positive, loss.negative)
        return (weights * focal_loss(logits, targets, gamma=loss.gamma)).mean()
    if isinstance(loss, Custom):
        return loss(logits, targets)
    h = dict(loss.params)
    values = rival_loss(loss, h, logits[None, None], targets)
    if loss.name == "ldam" and share > h["start"]:
        beta, (positives, negatives) = h["beta"], loss.counts
        effective = [(1 - beta**count) / (1 - beta) for count in loss.counts]
        mean = (positives / effective[0] + negatives / effective[1]) / (positives + negatives)
        values = values * torch.where(targets > 0, 1 / effective[0] / mean, 1 / effective[1] / mean)
    return values.mean()


def plain_train(
    train: Rows, validation: Rows, member: Member, orders: list[NDArray[np.int64]], batch_size: int
) -> Plain:
    model = plain_model(member)
    adam = torch.optim.Adam(model.parameters(), lr=member.lr)
    best, curve = (-1.0, 0, model), []
    for epoch, order in enumerate(orders, 1):
        for index in torch.split(torch.from_numpy(order), batch_size):
            logits, targets = model(train.features[index])[:, 0], train.targets[index]
            loss = plain_loss(member.loss, logits, targets, epoch / len(orders))
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()
        with torch.no_grad():
            value = average_precision_score(validation.targets, model(validation.features)[:, 0])
        curve.append(float(value))
        if value > best[0]:
            best = (value, epoch, copy.deepcopy(model))
    return Plain(curve, best[1], best[2])
