"""How fast the trainer is: the lockstep stack against the plain PyTorch loop, and against the machine's matmul peak.

python experiments/speed.py    (about a minute; interleaved rounds, medians, one thread; the machine should be quiet)
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
import torch

from focalbench.losses.binary import focal_loss
from focalbench.losses.stack_loss import StackLoss, WeightedFocal
from focalbench.metrics.ranking import average_precision
from focalbench.models import Architecture, Network, Parameters, draw_weights
from focalbench.platforms import machine
from focalbench.training import Adam, Member, Rows, score, train_epoch

ROWS, BATCH, RUNS, ROUNDS = 45_000, 512, 48, 5
ARCHITECTURE = Architecture(10, (64, 64))


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def plain_epoch(rows: Rows, order: torch.Tensor) -> None:
    """One run, one epoch, as anyone would write it: nn.Sequential, autograd, torch.optim.Adam."""
    layers = [torch.nn.Linear(*sizes) for sizes in ((10, 64), (64, 64), (64, 1))]
    model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    for index in torch.split(order, BATCH):
        loss = focal_loss(model(rows.features[index])[:, 0], rows.targets[index], gamma=2.0).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()


def lockstep(rng: np.random.Generator) -> tuple[Network, StackLoss, Adam]:
    """A stack of RUNS runs, a third of them without gamma."""
    gammas = [0.0] * (RUNS // 3) + [2.0] * (RUNS - RUNS // 3)
    members = [Member(draw_weights(ARCHITECTURE, rng), 1e-3, WeightedFocal(gamma, (1.0,), (1.0,))) for gamma in gammas]
    parameters = Parameters(ARCHITECTURE, RUNS, "cpu")
    parameters.load([member.layers for member in members])
    network = Network(ARCHITECTURE, parameters, BATCH)
    loss = StackLoss([member.loss for member in members], 1, "cpu")
    return network, loss, Adam(parameters, [member.lr for member in members])


def flops_per_run_epoch() -> int:
    """Multiplications and additions of the products of one run's epoch; the unused input gradient is not counted."""
    sizes = [inputs * outputs for inputs, outputs in ARCHITECTURE.layers]
    return 2 * ROWS * (3 * sum(sizes) - sizes[0])


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.standard_normal((ROWS, 10)).astype(np.float32))
    rows = Rows(features, torch.from_numpy((rng.random(ROWS) < 0.0015).astype(np.float32)))
    order = torch.from_numpy(rng.permutation(ROWS))
    network, loss, adam = lockstep(rng)

    def lockstep_epoch() -> None:
        train_epoch(network, loss, adam, rows, order, BATCH)

    square, into = torch.randn(1024, 1024), torch.empty(1024, 1024)
    times: dict[str, list[float]] = {name: [] for name in ("plain", "lockstep", "score", "AP", "peak")}
    for _ in range(ROUNDS):
        times["plain"].append(seconds(lambda: plain_epoch(rows, order)))
        times["lockstep"].append(seconds(lockstep_epoch) / RUNS)
        times["score"].append(seconds(lambda: score(network, rows.features)) / RUNS)
        scores = score(network, rows.features)[:, 0]
        times["AP"].append(seconds(partial(average_precision, scores, rows.targets)) / RUNS)
        times["peak"] += [seconds(lambda: torch.mm(square, square, out=into)) for _ in range(20)]
    middle = {name: median(values) for name, values in times.items()}
    peak = 2 * 1024**3 / middle["peak"]
    print(f"{machine()['processor']}, {machine()['torch_cpu_capability']}, torch {torch.__version__}, one thread")
    for name in ("plain", "lockstep", "score", "AP"):
        spread = f"{min(times[name]):.4f} .. {max(times[name]):.4f}"
        print(f"{name:9s} {middle[name]:.4f} s per run-epoch of {ROWS:,} rows ({spread})")
    ratio = median(plain / ours for plain, ours in zip(times["plain"], times["lockstep"], strict=True))
    print(f"lockstep is {ratio:.1f} times faster than the plain loop (median of paired rounds)")
    share = flops_per_run_epoch() / middle["lockstep"] / peak
    print(f"matmul peak {peak / 1e9:.0f} GFLOP/s, of which the lockstep trainer reaches {share:.2f}")


if __name__ == "__main__":
    main()
