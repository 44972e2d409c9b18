"""What a focal loss costs: seconds and peak memory of forward and backward, as multiples of BCE's."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.profiler import ProfilerActivity, profile

from focalbench.audit.peers import Loss, Step

SPEED_LOGITS, SPEED_RATE, ROUNDS, THREADS = 1_000_000, 0.01, 31, 1


@dataclass(frozen=True)
class Cost:
    """Seconds and peak bytes of a forward and backward; a peer's are multiples of BCE's. None: not measured."""

    time: float
    memory: float | None


def measure(losses: Sequence[Loss]) -> tuple[Cost, list[Cost]]:
    """Forward and backward of the mean over a million float32 logits: BCE's cost, and multiples of it.

    Times: medians over ROUNDS interleaved rounds of the ratio to a BCEWithLogitsLoss step taken just before, on one
    torch thread, because OpenMP's threads spin while another process is busy. XLA's threads are its own.
    Memory: peak_bytes; None for losses whose arrays are not torch's.
    """
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(SPEED_LOGITS, generator=rng)
    targets = (torch.rand(SPEED_LOGITS, generator=rng) < SPEED_RATE).float()
    bce, steps = _bce_step(logits, targets), [loss.step(logits, targets) for loss in losses]
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        for step in (bce, *steps):
            step()  # compiles and warms up
        rounds = [[(seconds(bce), seconds(step)) for step in steps] for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    pairs = list(zip(*rounds, strict=True))  # (loss, round)
    unit = peak_bytes(bce)
    times = [median(own / base for base, own in column) for column in pairs]
    memory = [peak_bytes(step) / unit if loss.in_torch else None for loss, step in zip(losses, steps, strict=True)]
    baseline = Cost(median(base for column in pairs for base, _ in column), unit)
    return baseline, [Cost(*cost) for cost in zip(times, memory, strict=True)]


def seconds(step: Step) -> float:
    """How long a step takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def peak_bytes(step: Step) -> float:
    """The most that torch held at any moment of a step beyond what it held before.

    From the profiler's record of every allocation and release on the CPU, so what lives only inside an operation
    counts too. The logits and targets exist before and do not count; the gradient does.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler writes to stderr
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    records = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    sizes: list[int] = [event.nbytes() for event in sorted(records, key=lambda event: event.start_ns())]
    return max(accumulate(sizes, initial=0))


def _bce_step(logits: Tensor, targets: Tensor) -> Step:
    x = logits.clone().requires_grad_()
    return lambda: torch.autograd.grad(binary_cross_entropy_with_logits(x, targets), x)
