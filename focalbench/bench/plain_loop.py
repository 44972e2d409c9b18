"""The runs of a plan by a plain loop: one after the other, autograd, torch's Adam, scikit-learn's metrics."""

import copy
from collections.abc import Sequence

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
)
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from focalbench.base.randomness import generator
from focalbench.datasets.dataset import Dataset, Splits
from focalbench.losses.binary import focal_loss
from focalbench.runs.run import Run
from focalbench.training.arm_loss import run_loss, start_biases
from focalbench.training.models import Architecture, draw_weights
from focalbench.training.stack import drawn_counts, trained_rows
from focalbench.training.stack_loss import RunLoss, WeightedFocal


def train_plainly(run: Run, splits: Splits) -> float:
    """Train one run as its recipe says and measure what a table would want; its test average precision."""
    training = run.training
    train, drawn = trained_rows(run, splits.train)
    counts = drawn_counts(train, drawn)
    loss = run_loss(run.arm, counts)
    model = _model(run, splits, start_biases(run.arm, counts))
    adam = torch.optim.Adam(model.parameters(), lr=run.lr)
    features, targets = _tensors(train)
    best, best_state = -1.0, model.state_dict()
    for order in drawn:
        for index in torch.split(torch.from_numpy(order), training.batch_size):
            value = _mean_loss(loss, model(features[index])[:, 0], targets[index])
            adam.zero_grad()
            torch.autograd.backward(value)
            adam.step()
        precision = float(average_precision_score(splits.validation.targets, _logits(model, splits.validation)))
        if precision > best:
            best, best_state = precision, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return _measured(_logits(model, splits.test), splits.test)


def _model(run: Run, splits: Splits, biases: Sequence[float]) -> nn.Sequential:
    """The network with the very weights that the lockstep run starts from."""
    architecture = Architecture(splits.train.features.shape[1], run.training.hidden)
    rng = generator(run.seed, f"weights {run.training.hidden} {run.restart}", run.recipe.key)
    layers: list[nn.Module] = []
    for weight, bias in draw_weights(architecture, rng):
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(bias))
        layers += [linear, nn.ReLU()]
    with torch.no_grad():
        linear.bias.copy_(torch.tensor(biases))
    return nn.Sequential(*layers[:-1])


def _tensors(part: Dataset) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(part.features), torch.from_numpy(part.targets).float()


def _mean_loss(loss: RunLoss, logits: Tensor, targets: Tensor) -> Tensor:
    assert isinstance(loss, WeightedFocal), "the default arms only"
    values = focal_loss(logits, targets, gamma=loss.gamma) if loss.gamma else bce(logits, targets, reduction="none")
    if loss.positive != (1.0,) or loss.negative != (1.0,):
        values = values * torch.where(targets > 0, loss.positive[0], loss.negative[0])
    return values.mean()


def _logits(model: nn.Module, part: Dataset) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model(torch.from_numpy(part.features))[:, 0].double()
    return logits


def _measured(logits: Tensor, test: Dataset) -> float:
    probabilities, weights = logits.sigmoid().numpy(), test.weights
    roc_auc_score(test.targets, logits, sample_weight=weights)
    precision_recall_curve(test.targets, logits, sample_weight=weights)
    brier_score_loss(test.targets, probabilities, sample_weight=weights)
    log_loss(test.targets, probabilities, sample_weight=weights)
    LogisticRegression(C=float("inf")).fit(logits[:, None], test.targets, sample_weight=weights)
    return float(average_precision_score(test.targets, logits, sample_weight=weights))
