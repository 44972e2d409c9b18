"""How fast the focal loss is: mean, forward and backward, as a multiple of torch's BCEWithLogitsLoss in the same round.

python experiments/loss_speed.py    (about a minute; interleaved rounds, medians, one thread; compiles where it can)
"""

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from focalbench.base.provenance import machine
from focalbench.losses import SigmoidFocalLoss

SIZE, ROUNDS = 1_000_000, 31
Loss = Callable[[Tensor, Tensor], Tensor]


def published(logits: Tensor, targets: Tensor) -> Tensor:
    """The formula as libraries publish it, which cancels at easy samples: what most code runs."""
    p = torch.sigmoid(logits)
    ce = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    return ((0.25 * targets + 0.75 * (1 - targets)) * (1 - p_t) ** 2 * ce).mean()


def seconds(loss: Loss, logits: Tensor, targets: Tensor) -> float:
    """Wall-clock seconds of one forward and backward."""
    x = logits.detach().requires_grad_()
    start = time.perf_counter()
    loss(x, targets).backward()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(SIZE, generator=rng)
    hard = (torch.rand(SIZE, generator=rng) < 0.1).float()
    ours, base = SigmoidFocalLoss(), nn.BCEWithLogitsLoss()
    contenders: dict[str, tuple[Loss, Tensor]] = {
        "ours, gamma 2": (ours, hard),
        "ours, gamma 1.5": (SigmoidFocalLoss(gamma=1.5), hard),
        "ours, soft targets": (ours, 0.9 * hard + 0.05),
        "published formula": (published, hard),
        "ours, compiled": (torch.compile(ours), hard),
        "BCE, compiled": (torch.compile(base), hard),
    }
    ratios: dict[str, list[float]] = {name: [] for name in contenders}
    for loss, targets in contenders.values():
        seconds(loss, logits, targets)  # compiles, and warms up
    for _ in range(ROUNDS):
        plain = seconds(base, logits, hard)
        for name, (loss, targets) in contenders.items():
            ratios[name].append(seconds(loss, logits, targets) / plain)
    print(f"{machine()['processor']}, torch {torch.__version__}, one thread, {SIZE:,} float32 logits")
    for name, values in ratios.items():
        print(f"{name:20s} {median(values):5.2f} times BCE's time ({min(values):.2f} .. {max(values):.2f})")


if __name__ == "__main__":
    main()
