"""Logistic regression, MLPs and residual networks whose parameters carry a leading run axis: many models, one product a
layer.

Every size (features, hidden units, batch) is padded to a multiple of LANE with zeros, which changes no number and
lets each run's product take the same kernel path whatever stands beside it: runs are bit-identical in any stack.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LANE = 16


def padded(size: int) -> int:
    """The next multiple of LANE.

    >>> padded(10), padded(64), padded(65)
    (16, 64, 80)
    """
    return -(-size // LANE) * LANE


@dataclass(frozen=True)
class Architecture:
    """A ReLU network features -> hidden -> outputs; hidden () is logistic regression.

    residual: whether a hidden layer of as many units as the one below adds that one's units to its own, before its ReLU
    (He et al., 2016).
    """

    features: int
    hidden: tuple[int, ...] = ()
    outputs: int = 1
    residual: bool = False

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of every layer, without padding."""
        sizes = [self.features, *self.hidden, self.outputs]
        return list(pairwise(sizes))

    @property
    def padded_layers(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of every layer as stored: all but the network's outputs padded to LANE."""
        sizes = [padded(size) for size in (self.features, *self.hidden)] + [self.outputs]
        return list(pairwise(sizes))

    @property
    def adds_below(self) -> list[bool]:
        """Of every layer, whether it adds what it is given to what it makes of it.

        >>> Architecture(16, (16, 16, 8), residual=True).adds_below
        [False, True, False, False]
        """
        equal = [self.residual and below == units for below, units in pairwise(self.hidden)]
        return [False, *equal, False] if self.hidden else [False]

    @property
    def parameters(self) -> int:
        """Stored numbers per run, padding included."""
        return sum(outputs * (inputs + 1) for inputs, outputs in self.padded_layers)


Layer = tuple[NDArray[np.float32], NDArray[np.float32]]


def draw_weights(architecture: Architecture, rng: np.random.Generator) -> list[Layer]:
    """Draw one model's (weight, bias) per layer, each uniform in +-1/sqrt(inputs), as torch.nn.Linear does.

    weight: (outputs, inputs), bias: (outputs,), both float32 and without padding.
    """
    layers = []
    for inputs, outputs in architecture.layers:
        bound = 1 / np.sqrt(inputs)
        weight = rng.uniform(-bound, bound, (outputs, inputs)).astype(np.float32)
        layers.append((weight, rng.uniform(-bound, bound, outputs).astype(np.float32)))
    return layers


def rounded_otherwise(layers: Sequence[Layer], rng: np.random.Generator) -> list[Layer]:
    """The same layers, each number by chance the next float32 below, above, or itself."""
    return [(_next_to(weight, rng), _next_to(bias, rng)) for weight, bias in layers]


def _next_to(numbers: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    towards = rng.choice(np.array([-np.inf, np.inf], dtype=np.float32), numbers.shape)
    return np.where(rng.random(numbers.shape) < 1 / 3, numbers, np.nextafter(numbers, towards))


class Parameters:
    """The parameters of a stack in one flat buffer, layer after layer, so that the optimiser is a few flat passes.

    weights[i]: (run, outputs, inputs) and biases[i]: (run, outputs, 1) are views into `flat`.
    """

    def __init__(self, architecture: Architecture, runs: int, device: str) -> None:
        self.flat = torch.zeros(runs * architecture.parameters, device=device)
        self.weights: list[Tensor] = []
        self.biases: list[Tensor] = []
        start = 0
        for inputs, outputs in architecture.padded_layers:
            for columns, views in ((inputs, self.weights), (1, self.biases)):
                size = runs * outputs * columns
                views.append(self.flat[start : start + size].view(runs, outputs, columns))
                start += size

    @property
    def views(self) -> list[Tensor]:
        """All weights and biases in the order of `flat`, each with the run axis first."""
        return [view for pair in zip(self.weights, self.biases, strict=True) for view in pair]

    def load(self, runs: Sequence[list[Layer]]) -> None:
        """Copy unpadded layers, one list per run, into the buffer."""
        for run, layers in enumerate(runs):
            for weight, bias, (drawn, offset) in zip(self.weights, self.biases, layers, strict=True):
                outputs, inputs = drawn.shape
                weight[run, :outputs, :inputs] = torch.from_numpy(drawn)
                bias[run, :outputs, 0] = torch.from_numpy(offset)

    def copy_runs(self, source: "Parameters", which: Tensor) -> None:
        """Take over the parameters of the runs where the boolean mask `which` (run,) holds."""
        for mine, theirs in zip(self.views, source.views, strict=True):
            torch.where(which[:, None, None], theirs, mine, out=mine)


class Network:
    """Forward and hand-written backward of a stack into preallocated buffers: no graph, no fresh memory.

    Activations lie as (run, unit, sample); all runs of a stack see the same batch, whose rows are spread over the
    run axis without a copy. `width` is the padded batch size; what a short batch leaves free is zero.
    """

    def __init__(self, architecture: Architecture, parameters: Parameters, batch_size: int) -> None:
        self.parameters, self.adds_below = parameters, architecture.adds_below
        self.masks: Sequence[Tensor] = ()
        self.runs, self.width = len(parameters.biases[0]), padded(batch_size)
        self.gradient = Parameters(architecture, self.runs, str(parameters.flat.device))
        self.batch = parameters.flat.new_zeros(self.width, architecture.padded_layers[0][0])
        empty = parameters.flat.new_empty
        self.outputs = [empty(self.runs, bias.shape[1], self.width) for bias in parameters.biases]
        self.inputs = [self.batch.T.expand(self.runs, -1, -1), *self.outputs[:-1]]
        self.deltas = [torch.empty_like(output) for output in self.outputs[:-1]]
        for i, above in enumerate(self.outputs[1:-1]):
            if above.shape == self.deltas[i].shape:
                self.deltas[i] = above  # used up by the time this is filled: fewer buffers stay in cache

    def forward(self, features: Tensor, masks: Sequence[Tensor] = ()) -> Tensor:
        """Logits (run, output, width) of a batch (sample, feature), samples <= width; valid until the next call.

        masks: what the units of each hidden layer are multiplied by, (unit, width), the same for all runs; () for 1.
        """
        self.masks = masks
        self.batch[: len(features), : features.shape[1]] = features
        if len(features) < self.width:
            self.batch[len(features) :] = 0
        layers = zip(self.parameters.weights, self.parameters.biases, self.inputs, self.outputs, strict=True)
        for i, (weight, bias, below, out) in enumerate(layers):
            if i:
                below.clamp_min_(0)
            if i and masks:
                below.mul_(masks[i - 1])
            if i == 0 and out.shape[1] % LANE == 0:  # one product for all runs, of the same bits
                torch.addmm(bias.flatten(0, 1), weight.flatten(0, 1), self.batch.T, out=out.flatten(0, 1))
            else:
                torch.baddbmm(bias, weight, below, out=out)
            if self.adds_below[i]:
                out.add_(below)
        return self.outputs[-1]

    def backward(self, delta: Tensor) -> Tensor:
        """Fill and return the flat gradient, from d loss/d logits (run, output, width) of the last forward.

        Once, because it uses up the activations.
        """
        for i in reversed(range(len(self.inputs))):
            torch.sum(delta, 2, keepdim=True, out=self.gradient.biases[i])
            torch.bmm(delta, self.inputs[i].transpose(1, 2), out=self.gradient.weights[i])
            if i:
                delta = self._through(i, delta)
        return self.gradient.flat

    def _through(self, layer: int, delta: Tensor) -> Tensor:
        """Carry delta down through layer `layer`, and the mask and ReLU beneath it."""
        weight, out = self.parameters.weights[layer].transpose(1, 2), self.deltas[layer - 1]
        if delta.shape[1] == 1:
            torch.mul(weight, delta, out=out)  # an outer product: cheaper than a matrix product
        else:
            torch.bmm(weight, delta, out=out)
        if self.adds_below[layer]:
            out.add_(delta)
        if self.masks:
            out.mul_(self.masks[layer - 1])
        torch.ops.aten.threshold_backward.grad_input(out, self.inputs[layer], 0, grad_input=out)
        return out
