"""The plain version of the trainer: one run, autograd, torch.optim.Adam, a loop anyone can read."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from focalbench.losses.binary import focal_loss
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


def plain_train(
    train: Rows, validation: Rows, member: Member, orders: list[NDArray[np.int64]], batch_size: int
) -> Plain:
    model = plain_model(member)
    adam = torch.optim.Adam(model.parameters(), lr=member.lr)
    best, curve = (-1.0, 0, model), []
    for epoch, order in enumerate(orders, 1):
        for index in torch.split(torch.from_numpy(order), batch_size):
            logits, targets = model(train.features[index])[:, 0], train.targets[index]
            weights = torch.where(targets > 0, member.positive_weight, member.negative_weight)
            loss = (weights * focal_loss(logits, targets, gamma=member.gamma)).mean()
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()
        with torch.no_grad():
            value = average_precision_score(validation.targets, model(validation.features)[:, 0])
        curve.append(float(value))
        if value > best[0]:
            best = (value, epoch, copy.deepcopy(model))
    return Plain(curve, best[1], best[2])
