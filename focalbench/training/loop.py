"""The one training loop: a stack of runs in lockstep. It takes tensors and knows no files.

All runs of a stack see the same rows in the same order and differ in loss, learning rate and initial weights.
Selection is on validation only, by average precision or another metric; the test split is scored once, with the
chosen parameters.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from focalbench.losses.reference import Array
from focalbench.metrics.ranking import average_precision
from focalbench.runs.metric import AVERAGE_PRECISION, Metric
from focalbench.runs.run import LrSchedule, scored_epochs
from focalbench.training.acting import Measurable, value_on
from focalbench.training.dropout import Dropout
from focalbench.training.models import Architecture, Layer, Network, Parameters
from focalbench.training.optimizers import Stepping, lr_share, make_optimizer
from focalbench.training.stack_loss import RunLoss, StackLoss, ranking_scores

GATHERED = 65_536  # rows put into order at a time, so that a large table is never copied whole


@dataclass(frozen=True)
class Rows:
    """A split on the training device: features (sample, feature) float32, targets (sample,) float32 of 0/1, or
    (sample, output) where there are several outputs.

    weights: (sample,) float32 of mean 1, what each row counts for, or None for 1 each. known: (sample, output) float32,
    1 where a label is known and 0 elsewhere, or None where all are.
    """

    features: Tensor
    targets: Tensor
    weights: Tensor | None = None
    known: Tensor | None = None

    @property
    def in_loss(self) -> Tensor | None:
        """What each row counts for in the loss, (sample,), or (output, sample) where labels are unknown; None for 1."""
        if self.known is None or self.weights is None:
            return self.weights if self.known is None else self.known.movedim(0, -1)
        return self.known.movedim(0, -1) * self.weights

    def take(self, index: Tensor) -> "Rows":
        """The rows of an index (sample,) int64, in its order."""
        weights, known = (None if each is None else each.index_select(0, index) for each in (self.weights, self.known))
        return Rows(self.features.index_select(0, index), self.targets.index_select(0, index), weights, known)

    def batches(self, size: int) -> Iterator["Rows"]:
        """Parts of so many rows, the last one perhaps shorter."""
        for start in range(0, len(self.targets), size):
            part = slice(start, start + size)
            weights, known = (None if each is None else each[part] for each in (self.weights, self.known))
            yield Rows(self.features[part], self.targets[part], weights, known)


@dataclass(frozen=True)
class Member:
    """What one run of a stack brings: initial layers, learning rate, and loss; recover: logits of probabilities from
    logits (sample,), or None where the loss has no inverse.
    """

    layers: list[Layer]
    lr: float
    loss: RunLoss
    recover: Callable[[Tensor], Array | None] = lambda _: None


@dataclass(frozen=True)
class Schedule:
    """What a stack shares: batch size, the row order of every epoch, (epoch, sample) int64, the outputs whose mean
    average precision validation chooses by, how often it is scored (0: after every epoch), the metric that chooses
    where it is another (of one output), how many rows the test has, how updates are made, and what they leave out.
    """

    batch_size: int
    orders: Sequence[NDArray[np.integer[Any]]]
    measured: tuple[int, ...] = (0,)
    evaluations: int = 0
    metric: Metric = AVERAGE_PRECISION
    test_rows: int = 0
    optimizer: str = "adam"
    lr_schedule: LrSchedule = "constant"
    weight_decay: float = 0.0
    dropout: Dropout | None = None


@dataclass(frozen=True)
class Choice:
    """What validation chose within a budget of epochs: for each run the epoch (1-based; 0 = never finite), its
    validation average precision and the metric that chose (NaN = never finite), and the stack's parameters at that
    epoch.
    """

    epochs: NDArray[np.int64]
    average_precision: NDArray[np.float64]
    metric: NDArray[np.float64]
    parameters: Parameters


@dataclass(frozen=True)
class Trained:
    """curves: (run, evaluation) validation average precision, NaN where not finite; choices: by budget in epochs."""

    curves: NDArray[np.float64]
    diverged: NDArray[np.bool_]
    choices: dict[int, Choice]


def train(
    architecture: Architecture, train: Rows, validation: Rows, members: Sequence[Member], schedule: Schedule
) -> Trained:
    """Train a stack and choose each run's epoch on validation, within a quarter, half and all of the epochs."""
    device = str(train.features.device)
    parameters = Parameters(architecture, len(members), device)
    parameters.load([member.layers for member in members])
    network = Network(architecture, parameters, schedule.batch_size)
    losses = [member.loss for member in members]
    loss = StackLoss(losses, len(schedule.orders), device)
    optimizer = make_optimizer(schedule.optimizer, parameters, [member.lr for member in members], schedule.weight_decay)
    steps = Steps(optimizer, schedule.lr_schedule, steps_of(schedule))
    selection = Selection(architecture, len(members), device, -1 if schedule.metric.lower_is_better else 1)
    choices: dict[int, Choice] = {}
    scored = scored_epochs(len(schedule.orders), schedule.evaluations)
    for epoch, order in enumerate(schedule.orders, 1):
        loss.start(epoch - 1)
        places = torch.from_numpy(order).to(device)
        train_epoch(network, loss, steps, train, places, schedule.batch_size, schedule.dropout)
        if epoch not in scored:
            continue
        scores = ranking_scores(losses, score(network, validation.features))
        precision = macro_average_precision(scores, validation, schedule.measured)
        metric = None if schedule.metric.is_usual else metric_values(schedule, members, scores, validation)
        selection.see(epoch, scores, precision, parameters, metric)
        if epoch in epoch_budgets(len(schedule.orders)):
            choices[epoch] = selection.choice(architecture)
    return Trained(np.stack(selection.curve, axis=1), selection.diverged, choices)


def epoch_budgets(epochs: int) -> tuple[int, int, int]:
    """A quarter, half and all of the epochs, rounded up.

    >>> epoch_budgets(20)
    (5, 10, 20)
    """
    return -(-epochs // 4), -(-epochs // 2), epochs


def steps_of(schedule: Schedule) -> int:
    """How many updates all epochs make."""
    return sum(-(-len(order) // schedule.batch_size) for order in schedule.orders)


class Steps:
    """An optimiser that goes down its schedule of learning rates. total: updates in all."""

    def __init__(self, optimizer: Stepping, schedule: LrSchedule = "constant", total: int = 1) -> None:
        self.optimizer, self.schedule, self.total, self.made = optimizer, schedule, total, 0

    def step(self, gradient: Tensor) -> None:
        """One update."""
        self.optimizer.step(gradient, lr_share(self.schedule, self.made, self.total))
        self.made += 1


def train_epoch(
    network: Network,
    loss: StackLoss,
    steps: Steps,
    rows: Rows,
    order: Tensor,
    batch_size: int,
    dropout: Dropout | None = None,
) -> None:
    """One pass over rows in an order (sample,): a gather for many batches is cheaper than one a batch."""
    for part in torch.split(order, batch_size * max(1, GATHERED // batch_size)):
        for batch in rows.take(part).batches(batch_size):
            train_step(network, loss, steps, batch, dropout)


def train_step(network: Network, loss: StackLoss, steps: Steps, batch: Rows, dropout: Dropout | None = None) -> None:
    """One step of every run on one batch."""
    masks = () if dropout is None else dropout.draw(len(batch.targets))
    delta = loss.gradient(network.forward(batch.features, masks), batch.targets.movedim(0, -1), batch.in_loss)
    steps.step(network.backward(delta))


def score(network: Network, features: Tensor) -> Tensor:
    """Logits (run, output, sample) of all rows."""
    logits = features.new_empty(network.runs, network.outputs[-1].shape[1], len(features))
    for part, into in zip(torch.split(features, network.width), torch.split(logits, network.width, dim=2), strict=True):
        into.copy_(network.forward(part)[:, :, : len(part)])
    return logits


def macro_average_precision(scores: Tensor, rows: Rows, measured: Sequence[int]) -> Tensor:
    """Mean over some outputs of the average precision of scores (run, output, sample), each on the rows where it is
    known: (run,); what is not finite is 0.

    One output after the other, so that a run's bits do not depend on its company.
    """
    targets = rows.targets.view(len(rows.targets), -1)
    total = scores.new_zeros(len(scores), dtype=torch.float64)
    for output in measured:
        each, wanted, weights = scores[:, output].nan_to_num(0, 0, 0), targets[:, output], rows.weights
        if rows.known is not None:
            seen = rows.known[:, output] > 0
            each, wanted, weights = each[:, seen], wanted[seen], None if weights is None else weights[seen]
        total += average_precision(each, wanted, weights)
    return total / len(measured)


def metric_values(schedule: Schedule, members: Sequence[Member], scores: Tensor, rows: Rows) -> NDArray[np.float64]:
    """The metric that chooses, of scores (run, 1, sample): (run,); what is not finite is 0."""
    finite = scores[:, 0].nan_to_num(0, 0, 0)
    recovered = [
        member.recover(row) if schedule.metric.is_of_probabilities else None
        for member, row in zip(members, finite, strict=True)
    ]
    found = [
        value_on(schedule.metric, Measurable(row, back, rows.targets, rows.weights), schedule.test_rows)
        for row, back in zip(finite, recovered, strict=True)
    ]
    return np.array(found, dtype=np.float64)


class Selection:
    """Keeps, per run, the best validation metric so far, average precision beside it, its epoch and its parameters.

    sign: 1, or -1 where a lower metric is better.
    """

    def __init__(self, architecture: Architecture, runs: int, device: str, sign: int = 1) -> None:
        self.best = Parameters(architecture, runs, device)
        self.epochs = np.zeros(runs, dtype=np.int64)
        self.sign = sign
        self.average_precision, self.metric = np.zeros(runs), np.full(runs, -sign * np.inf)
        self.diverged = np.zeros(runs, dtype=np.bool_)
        self.curve: list[NDArray[np.float64]] = []

    def see(
        self,
        epoch: int,
        scores: Tensor,
        precisions: Tensor,
        parameters: Parameters,
        metric: NDArray[np.float64] | None = None,
    ) -> None:
        """Take in the validation scores (run, output, sample) after an epoch, their average precision (run,), and the
        metric that chooses where it is another.

        Scores that are not finite count as none; ties go to the earlier epoch.
        """
        precision = precisions.cpu().numpy()
        precision[~scores.isfinite().flatten(1).all(dim=1).cpu().numpy()] = np.nan
        self.diverged |= np.isnan(precision)
        value = precision if metric is None else np.where(np.isnan(precision), np.nan, metric)
        better = self.sign * value > self.sign * self.metric  # False for NaN
        self.epochs[better], self.metric[better], self.average_precision[better] = (
            epoch,
            value[better],
            precision[better],
        )
        self.best.copy_runs(parameters, torch.from_numpy(better).to(scores.device))
        self.curve.append(precision)

    def choice(self, architecture: Architecture) -> Choice:
        """What would be chosen if training stopped here."""
        runs = len(self.epochs)
        kept = Parameters(architecture, runs, str(self.best.flat.device))
        kept.flat.copy_(self.best.flat)
        precision, metric = (np.where(self.epochs > 0, v, np.nan) for v in (self.average_precision, self.metric))
        return Choice(self.epochs.copy(), precision, metric, kept)
