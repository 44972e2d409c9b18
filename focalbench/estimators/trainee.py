"""One network under the trainer of the sweeps, as a stack of one run: passes, the pass that is kept, and its state."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from focalbench.errors import InputError
from focalbench.runs.run import LrSchedule
from focalbench.training.loop import Rows, Selection, Steps, macro_average_precision, score, train_epoch
from focalbench.training.models import Architecture, Layer, Network, Parameters
from focalbench.training.optimizers import Adam, Momentum, Stepping, make_optimizer
from focalbench.training.stack_loss import RunLoss, StackLoss, ranking_scores

WIDTH = 512  # rows scored at a time, always: a row's bits do not depend on how many others are asked for
Order = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Terms:
    """How a network is trained: learning rate, rows of a batch, passes over all rows (epochs), how updates are made."""

    lr: float
    batch_size: int
    epochs: int
    optimizer: str = "adam"
    lr_schedule: LrSchedule = "constant"


class Trainee:
    """A network, its loss and its optimiser, on the CPU. layers: where it starts; steps: updates in all."""

    def __init__(self, layers: Sequence[Layer], loss: RunLoss, terms: Terms, steps: int) -> None:
        self.architecture, self.terms, self.run_loss = architecture_of(layers), terms, loss
        self.parameters = Parameters(self.architecture, 1, "cpu")
        self.parameters.load([list(layers)])
        self.network = Network(self.architecture, self.parameters, terms.batch_size)
        self.loss = StackLoss([loss], terms.epochs, "cpu")
        self.optimizer = make_optimizer(terms.optimizer, self.parameters, [terms.lr])
        self.steps = Steps(self.optimizer, terms.lr_schedule, steps)

    def epoch(self, number: int, rows: Rows, order: Order) -> None:
        """One pass over the rows in this order; passes are counted from 0."""
        self.loss.start(number)
        train_epoch(self.network, self.loss, self.steps, rows, torch.from_numpy(order), self.terms.batch_size)

    def scores(self, features: Tensor) -> Tensor:
        """What ranks rows for each output, (1, output, row)."""
        return ranking_scores([self.run_loss], score(self.network, features))


@dataclass(frozen=True)
class Fitted:
    """What training leaves: the layers that are kept, and the passes made. With validation rows also the pass that is
    kept, counted from 1, and the average precision after each pass; else None.
    """

    layers: list[Layer]
    epochs: int
    best: int | None = None
    validation: list[float] | None = None


def train_all(trainee: Trainee, rows: Rows, orders: Iterable[Order]) -> Fitted:
    """Every pass; the last one is kept. Raises InputError where training diverges."""
    for number, order in enumerate(orders, 1):
        trainee.epoch(number - 1, rows, order)
    return Fitted(layers_of(trainee.architecture, trainee.parameters), number)


def train_until_best(trainee: Trainee, rows: Rows, orders: Iterable[Order], validation: Rows, patience: int) -> Fitted:
    """Passes until so many have brought no better average precision on validation; the best one is kept.

    With several classes it is the mean over them, each against the rest. Raises InputError where training diverges
    before the first pass ends.
    """
    selection = Selection(trainee.architecture, 1, "cpu")
    measured = range(validation.targets.view(len(validation.targets), -1).shape[1])
    for number, order in enumerate(orders, 1):
        trainee.epoch(number - 1, rows, order)
        scores = trainee.scores(validation.features)
        precision = macro_average_precision(scores, validation, measured)
        selection.see(number, scores, precision, trainee.parameters)
        if number - selection.epochs[0] >= patience:
            break
    kept = layers_of(trainee.architecture, selection.best) if selection.epochs[0] else []
    if not kept:
        raise _diverged()
    return Fitted(kept, number, int(selection.epochs[0]), [float(each[0]) for each in selection.curve])


def logits_of(layers: Sequence[Layer], features: Tensor) -> Tensor:
    """Logits (output, row) of rows (row, feature) float32."""
    architecture = architecture_of(layers)
    parameters = Parameters(architecture, 1, "cpu")
    parameters.load([list(layers)])
    return score(Network(architecture, parameters, WIDTH), features)[0]


def architecture_of(layers: Sequence[Layer]) -> Architecture:
    """The sizes of layers."""
    sizes = [len(bias) for _, bias in layers]
    return Architecture(layers[0][0].shape[1], tuple(sizes[:-1]), sizes[-1])


def layers_of(architecture: Architecture, parameters: Parameters) -> list[Layer]:
    """Copies of the layers of a stack of one run, without padding. Raises InputError unless they are finite."""
    views = zip(architecture.layers, parameters.weights, parameters.biases, strict=True)
    layers = [
        (weight[0, :outputs, :inputs].numpy().copy(), bias[0, :outputs, 0].numpy().copy())
        for (inputs, outputs), weight, bias in views
    ]
    if not all(np.isfinite(part).all() for layer in layers for part in layer):
        raise _diverged()
    return layers


def _diverged() -> InputError:
    return InputError("training diverged: weights are not finite; scale the features, or lower learning_rate_init")


def moments(optimizer: Stepping) -> list[NDArray[np.float32]]:
    """Copies of what an optimiser remembers of the updates before."""
    return [each.numpy().copy() for each in _remembered(optimizer)]


def resume(trainee: Trainee, remembered: Sequence[NDArray[np.float32]], made: int) -> None:
    """Give an optimiser its memory back, after so many updates."""
    for mine, theirs in zip(_remembered(trainee.optimizer), remembered, strict=True):
        mine.copy_(torch.tensor(theirs))
    trainee.steps.made = made
    if isinstance(trainee.optimizer, Adam):
        trainee.optimizer.steps = made


def _remembered(optimizer: Stepping) -> list[Tensor]:
    if isinstance(optimizer, Adam):
        return [optimizer.first, optimizer.second]
    return [optimizer.velocity] if isinstance(optimizer, Momentum) else []
