"""Average precision of many runs against scikit-learn's."""

import numpy as np
import torch

from focalbench.bench.problem import SEED
from focalbench.bench.rows import OURS, Goal, Row, Scale, row
from focalbench.bench.timing import interleaved
from focalbench.bench.trainer import on_threads
from focalbench.metrics.ranking import average_precision

RUNS, SAMPLES, RATES = 48, 20_000, (0.0015, 0.05)


def ranking(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time average precision at rare and at less rare positives, and compare the values."""
    rows: list[Row] = []
    goals: list[Goal] = []
    for rate in RATES:
        found = _at(rate, scale)
        rows += found[0]
        goals += found[1]
    return rows, goals


def _at(rate: float, scale: Scale) -> tuple[list[Row], list[Goal]]:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(SEED)
    samples = SAMPLES // 10 if scale.tiny else SAMPLES
    targets = (np.arange(samples) < round(rate * samples)).astype(np.float32)
    scores = (rng.standard_normal((RUNS, samples)) + 2 * targets).astype(np.float32)
    on_torch, targets_on_torch = torch.from_numpy(scores), torch.from_numpy(targets)

    def ours() -> torch.Tensor:
        return average_precision(on_torch, targets_on_torch)

    def theirs() -> list[float]:
        return [average_precision_score(targets, run) for run in scores]

    mine, other = interleaved([on_threads(1, ours), theirs], scale.rounds)
    part = f"average precision: {RUNS} runs x {samples:,} scores, rate {rate:g} (ms)"
    gap = float(np.abs(ours().numpy() - theirs()).max())
    rows = [row(part, OURS, "1", mine, 1e3, mine), row(part, "scikit-learn", "1", other, 1e3, mine)]
    title = f"average precision at rate {rate:g}: "
    return rows, [
        Goal(title + "scikit-learn takes times ours", other.times(mine), 10),
        Goal(title + "largest difference", gap, 1e-9, at_most=True),
    ]
