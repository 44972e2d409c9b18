"""Other ways to train the same models, each written as its own users would, with no needless work.

All train by binary cross-entropy, the cheapest loss there is, with the same rows, order, batches, float32 and optimiser
(Adam with its defaults); initial weights are each library's own, and move no time.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from focalbench.bench.problem import FEATURES, LR, Problem, drawn
from focalbench.bench.timing import Work
from focalbench.training.loop import Rows
from focalbench.training.optimizers import BETA1, BETA2, EPSILON

State = tuple[Any, ...]


@dataclass(frozen=True)
class Peer:
    """A way to train. module: what has to be installed. together: many runs at once; else one. own_threads: it brings
    its own thread pool, which torch's setting does not reach.
    """

    name: str
    module: str
    make: Callable[[Problem], Work]
    together: bool = False
    own_threads: bool = False

    @property
    def lacks(self) -> str:
        """What this machine would need for it, or nothing."""
        if find_spec(self.module) is None:
            return f"{self.module} is not installed"
        no_compiler = self.make is compiled and not any(map(shutil.which, ("g++", "clang++", "cl")))
        return "no C++ compiler" if no_compiler else ""


def sequential(problem: Problem) -> nn.Sequential:
    """One model, as anyone would write it."""
    layers: list[nn.Module] = []
    for inputs, outputs in problem.architecture.layers:
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).to(problem.device)


def plain_loop(problem: Problem) -> Work:
    """nn.Sequential, autograd, torch.optim.Adam, and batches by index."""
    return _loop(problem, bce, fused=False)


def fused_loop(problem: Problem) -> Work:
    """The same with Adam's fused kernel."""
    return _loop(problem, bce, fused=True)


def focal_loop(problem: Problem) -> Work:
    """The plain loop with the focal loss of imbalanced-losses."""
    from imbalanced_losses import SigmoidFocalLoss

    return _loop(problem, SigmoidFocalLoss(alpha=-1, gamma=2.0), fused=False)


def _loop(problem: Problem, loss_of: Callable[[Tensor, Tensor], Tensor], *, fused: bool) -> Work:
    rows, order = drawn(problem)
    model = sequential(problem)
    adam = torch.optim.Adam(model.parameters(), lr=LR, fused=fused)

    def epoch() -> None:
        for index in torch.split(order, problem.batch_size):
            loss = loss_of(model(rows.features[index])[:, 0], rows.targets[index])
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()

    return epoch


def loader_loop(problem: Problem) -> Work:
    """The plain loop over a DataLoader, in this process."""
    rows, order = drawn(problem)
    model = sequential(problem)
    adam = torch.optim.Adam(model.parameters(), lr=LR)
    data = torch.utils.data.TensorDataset(rows.features, rows.targets)
    loader = torch.utils.data.DataLoader(data, problem.batch_size, sampler=order.tolist())

    def epoch() -> None:
        for features, targets in loader:
            adam.zero_grad()
            torch.autograd.backward(bce(model(features)[:, 0], targets))
            adam.step()

    return epoch


def skorch_net(problem: Problem) -> Work:
    """skorch's NeuralNet without callbacks."""
    from skorch import NeuralNet

    rows, order = drawn(problem)
    net = NeuralNet(
        nn.Sequential(sequential(problem), nn.Flatten(0)),
        nn.BCEWithLogitsLoss,
        optimizer=torch.optim.Adam,
        lr=LR,
        batch_size=problem.batch_size,
        max_epochs=1,
        train_split=None,
        callbacks="disable",
        verbose=0,
        iterator_train__sampler=order.tolist(),
        device=problem.device,
    ).initialize()
    return lambda: net.partial_fit(rows.features, rows.targets)


def sklearn_mlp(problem: Problem) -> Work:
    """scikit-learn's MLPClassifier, one epoch a call."""
    from sklearn.neural_network import MLPClassifier

    rows, order = drawn(problem)
    model = MLPClassifier(
        problem.hidden, alpha=0.0, batch_size=problem.batch_size, learning_rate_init=LR, shuffle=False, random_state=0
    )
    features, targets = rows.features[order].numpy(), rows.targets[order].numpy().astype(np.int64)
    return lambda: model.partial_fit(features, targets, classes=[0, 1])


def vmapped(problem: Problem) -> Work:
    """torch.func: gradients by vmap over the stacked parameters of all runs, torch.optim.Adam on these."""
    rows, order = drawn(problem)
    base = sequential(problem)
    params, _ = torch.func.stack_module_state([sequential(problem) for _ in range(problem.runs)])
    adam = torch.optim.Adam(params.values(), lr=LR)

    def loss(weights: dict[str, Tensor], features: Tensor, targets: Tensor) -> Tensor:
        return bce(torch.func.functional_call(base, weights, (features,))[:, 0], targets)

    gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(0, None, None))

    def epoch() -> None:
        for index in torch.split(order, problem.batch_size):
            found = gradients({name: value.detach() for name, value in params.items()}, *_taken(rows, index))
            for name, value in params.items():
                value.grad = found[name]
            adam.step()

    return epoch


def _taken(rows: Rows, index: Tensor) -> tuple[Tensor, Tensor]:
    part = rows.take(index)
    return part.features, part.targets


def realmlp(problem: Problem) -> Work:
    """pytabkit's RealMLP without all that makes it more than a ReLU network, vectorised over the runs, by Adam."""
    from pytabkit.models.realmlp.model import RealMLPConfig
    from pytabkit.models.realmlp.model_vmap import VectorizedRealMLP

    rows, order = drawn(problem)
    plain = {"use_parametric_act": False, "add_front_scale": False, "num_emb_type": "none", "act": "relu"}
    config = RealMLPConfig(hidden_sizes=list(problem.hidden), p_drop=0.0, **plain)
    models = VectorizedRealMLP(FEATURES, [], 1, problem.runs, config, is_classification=True).to(problem.device)
    adam = torch.optim.Adam(models.parameters(), lr=LR)

    def epoch() -> None:
        for index in torch.split(order, problem.batch_size):
            features, targets = _taken(rows, index)
            no_categories = targets.new_empty(problem.runs, len(targets), 0, dtype=torch.int64)
            logits = models(features.expand(problem.runs, -1, -1), no_categories)[:, :, 0]
            loss = bce(logits, targets.expand_as(logits), reduction="sum") / len(targets)
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()

    return epoch


def compiled(problem: Problem) -> Work:
    """torch.compile of the whole step of all runs: forward, gradient and Adam."""
    rows, order = drawn(problem)
    shapes = [shape for i, o in problem.architecture.layers for shape in ((problem.runs, o, i), (problem.runs, o, 1))]
    params = [0.1 * torch.randn(shape, device=problem.device) for shape in shapes]
    moments = [torch.zeros_like(value) for value in params], [torch.zeros_like(value) for value in params]

    def loss(weights: list[Tensor], features: Tensor, targets: Tensor) -> Tensor:
        above = features.T.expand(problem.runs, -1, -1)
        for i in range(0, len(weights), 2):
            above = torch.baddbmm(weights[i + 1], weights[i], above.relu() if i else above)
        logits = above[:, 0]
        return bce(logits, targets.expand_as(logits), reduction="sum") / len(targets)

    @torch.compile
    def step(features: Tensor, targets: Tensor, first_correction: Tensor, second_correction: Tensor) -> None:
        gradients = torch.func.grad(loss)(params, features, targets)
        for value, gradient, first, second in zip(params, gradients, *moments, strict=True):
            first.lerp_(gradient, 1 - BETA1)
            second.lerp_(gradient * gradient, 1 - BETA2)
            value.sub_(LR * (first / first_correction) / ((second / second_correction).sqrt() + EPSILON))

    steps = 0

    def epoch() -> None:
        nonlocal steps
        for index in torch.split(order, problem.batch_size):
            steps += 1
            corrections = (torch.tensor(1 - beta**steps, device=problem.device) for beta in (BETA1, BETA2))
            step(*_taken(rows, index), *corrections)

    return epoch


def in_jax(problem: Problem) -> Work:
    """jax.jit of a vmapped ensemble, with Adam; an epoch is one compiled scan and the short last batch."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_platforms", "cpu")
    rows, order = drawn(problem)
    x, y, ordered = (jnp.asarray(value.cpu().numpy()) for value in (rows.features, rows.targets, order))
    keys = jax.random.split(jax.random.key(0), problem.runs)

    def start(key: Any) -> list[Any]:
        return [(0.1 * jax.random.normal(key, sizes), jnp.zeros(sizes[1])) for sizes in problem.architecture.layers]

    def loss(params: list[tuple[Any, Any]], features: Any, targets: Any) -> Any:
        above = features
        for i, (weight, bias) in enumerate(params):
            above = (jax.nn.relu(above) if i else above) @ weight + bias
        logits = above[:, 0]
        return jnp.mean(jnp.logaddexp(0, logits) - targets * logits)

    gradients = jax.vmap(jax.grad(loss), in_axes=(0, None, None))

    def step(state: State, index: Any) -> tuple[State, None]:
        params, first, second, steps = state
        steps = steps + 1
        found = gradients(params, x[index], y[index])
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, found)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, found)

        def moved(p: Any, m: Any, v: Any) -> Any:
            return p - LR * (m / (1 - BETA1**steps)) / (jnp.sqrt(v / (1 - BETA2**steps)) + EPSILON)

        return (jax.tree.map(moved, params, first, second), first, second, steps), None

    whole = problem.rows // problem.batch_size * problem.batch_size
    batches, rest = ordered[:whole].reshape(-1, problem.batch_size), ordered[whole:]

    def epoch(state: State) -> State:
        state, _ = jax.lax.scan(step, state, batches)
        return step(state, rest)[0] if len(rest) else state

    run = jax.jit(epoch, donate_argnums=0)
    params = jax.vmap(start)(keys)
    state = (params, *(jax.tree.map(jnp.zeros_like, params) for _ in range(2)), jnp.zeros(()))

    def work() -> None:
        nonlocal state
        state = jax.block_until_ready(run(state))

    return work


PLAIN = Peer("plain PyTorch loop", "torch", plain_loop)
PEERS = (
    PLAIN,
    Peer("plain loop, fused Adam", "torch", fused_loop),
    Peer("plain loop, focal loss of imbalanced-losses", "imbalanced_losses", focal_loop),
    Peer("DataLoader loop", "torch", loader_loop),
    Peer("skorch NeuralNet", "skorch", skorch_net),
    Peer("scikit-learn MLPClassifier", "sklearn", sklearn_mlp, own_threads=True),
    Peer("torch.func.vmap ensemble", "torch", vmapped, together=True),
    Peer("pytabkit RealMLP, vectorised", "pytabkit", realmlp, together=True),
    Peer("torch.compile of the ensemble's step", "torch", compiled, together=True),
    Peer("jax.jit of a vmapped ensemble", "jax", in_jax, together=True, own_threads=True),
)
