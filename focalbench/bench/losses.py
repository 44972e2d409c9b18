"""The focal loss against torch's BCEWithLogitsLoss: forward and backward of a mean."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from focalbench.bench.problem import SEED
from focalbench.bench.rows import OURS, Goal, Row, Scale, row
from focalbench.bench.timing import Work, interleaved
from focalbench.bench.trainer import on_threads
from focalbench.losses import SigmoidFocalLoss

SIZE, TINY_SIZE, RATE, SMOOTHING = 1_000_000, 10_000, 0.1, 0.1
BCE = "BCEWithLogitsLoss"
Loss = Callable[[Tensor, Tensor], Tensor]


def losses(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time focal losses, torch's BCE and the formula that libraries publish, compiled ones where all is not tiny."""
    rng = torch.Generator().manual_seed(SEED)
    size = TINY_SIZE if scale.tiny else SIZE
    logits = 3 * torch.randn(size, generator=rng)
    hard = (torch.rand(size, generator=rng) < RATE).float()
    soft = hard * (1 - SMOOTHING) + SMOOTHING / 2
    works = {
        OURS: _step(SigmoidFocalLoss(), logits, hard),
        f"{OURS}, gamma 1.5": _step(SigmoidFocalLoss(gamma=1.5), logits, hard),
        f"{OURS}, soft targets": _step(SigmoidFocalLoss(), logits, soft),
        BCE: _step(nn.BCEWithLogitsLoss(), logits, hard),
        "published formula": _step(published, logits, hard),
    }
    if not scale.tiny:  # compiling takes a minute
        works[f"{OURS}, compiled"] = _step(torch.compile(SigmoidFocalLoss()), logits, hard)
        works[f"{BCE}, compiled"] = _step(torch.compile(nn.BCEWithLogitsLoss()), logits, hard)
    part = f"losses: mean of {size:,} float32 logits, forward and backward (ms)"
    timings = interleaved([on_threads(1, work) for work in works.values()], scale.rounds)
    rows = [row(part, name, "1", timing, 1e3, timings[0]) for name, timing in zip(works, timings, strict=True)]
    return rows, []


def published(logits: Tensor, targets: Tensor) -> Tensor:
    """The formula as libraries publish it, which cancels at easy samples: what most code runs."""
    p = torch.sigmoid(logits)
    ce = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    return ((0.25 * targets + 0.75 * (1 - targets)) * (1 - p_t) ** 2 * ce).mean()


def _step(loss: Loss, logits: Tensor, targets: Tensor) -> Work:
    def step() -> None:
        loss(logits.detach().requires_grad_(), targets).backward()  # type: ignore[no-untyped-call]

    return step
