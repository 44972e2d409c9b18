"""How right a focal loss is: every case of a grid against 50 digits, and what its alpha weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from focalbench.audit.peers import ALPHA, GAMMA, Loss

MAGNITUDES = (
    *(0.0, 0.001, 0.5, 1.0, 2.0, 5.0, 8.0, 14.0, 15.0, 16.0, 17.0, 20.0, 30.0, 33.0, 35.0, 40.0),
    *(88.0, 90.0, 104.0, 750.0, 1e4),  # where float32's and float64's exp leave their ranges, and beyond
)
LOGITS = tuple(sorted({sign * magnitude for magnitude in MAGNITUDES for sign in (-1, 1)}))
GAMMAS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
CASES = len(LOGITS) * 2 * len(GAMMAS)
TOLERANCE = 64  # eps
SMALLEST = 4  # normal numbers
DIGITS = 60  # 50 and some to spare


@dataclass(frozen=True)
class Count:
    """What a loss got wrong of CASES cases in one dtype; each case counts once."""

    non_finite: int
    wrong: int


class Exact(NamedTuple):
    """A number as near as float64 comes, and the size of its logarithm."""

    value: float
    log_size: float


def judge(loss: Loss, dtype: torch.dtype) -> tuple[Count, torch.dtype]:
    """Count the cases of the grid that a loss gets wrong in a dtype; also the dtype of the values it returns."""
    logits = torch.tensor(LOGITS, dtype=dtype).repeat(2)
    targets = torch.tensor([0, 1], dtype=dtype).repeat_interleave(len(LOGITS))
    non_finite = wrong = 0
    for gamma in GAMMAS:
        values, slopes = loss.evaluate(logits, targets, None, gamma)
        got = torch.stack([values.double(), slopes.double()], dim=1)  # (case, 2)
        wanted = [exact(x, int(y), gamma) for x, y in zip(logits.tolist(), targets.tolist(), strict=True)]
        finite = got.isfinite().all(dim=1)
        non_finite += int((~finite).sum())
        wrong += int((finite & is_wrong(got, wanted, dtype).any(dim=1)).sum())
    return Count(non_finite, wrong), values.dtype


def is_wrong(got: Tensor, wanted: Sequence[tuple[Exact, Exact]], dtype: torch.dtype) -> Tensor:
    """Where numbers are off by more than (64 + |log value|) eps, and by more than 4 of the smallest normal number.

    |log value| eps is the price of an exponential, whose argument is rounded. got: (case, 2), float64. wanted: a
    pair for each case. dtype: whose eps and smallest normal number. Returns a mask (case, 2).
    """
    values, logs = torch.tensor(wanted, dtype=torch.float64).unbind(dim=2)
    limits = torch.finfo(dtype)
    allowed = ((TOLERANCE + logs) * limits.eps * values.abs()).clamp(min=SMALLEST * limits.tiny)
    return ~((got - values).abs() <= allowed)


@cache
def exact(logit: float, target: int, gamma: float) -> tuple[Exact, Exact]:
    """The focal loss and its derivative by the logit, at more than 50 digits (the paper's eq. 5 and 10).

    logit: any finite; target: 0 or 1; gamma >= 0.

    >>> [round(number.value, 12) for number in exact(2.0, 1, 2.0)]
    [0.001803562835, -0.004870940195]
    """
    import mpmath

    sign = 2 * target - 1
    with mpmath.workdps(DIGITS):
        x_t = sign * mpmath.mpf(logit)
        p, q, log_p = 1 / (1 + mpmath.exp(-x_t)), 1 / (1 + mpmath.exp(x_t)), -mpmath.log1p(mpmath.exp(-x_t))
        focus = q ** mpmath.mpf(gamma)
        value, slope = -focus * log_p, sign * focus * (gamma * p * log_p - q)
        first, second = (Exact(float(number), abs(float(mpmath.log(abs(number))))) for number in (value, slope))
    return first, second


def alpha_convention(loss: Loss) -> str:
    """What alpha weights: the "positives", the negatives ("reversed"), nothing ("no alpha"), or "other"."""
    logits, targets = torch.zeros(2), torch.tensor([1.0, 0.0])
    (on, _), (off, _) = (loss.evaluate(logits, targets, alpha, GAMMA) for alpha in (ALPHA, None))
    known = {"positives": (ALPHA, 1 - ALPHA), "reversed": (1 - ALPHA, ALPHA), "no alpha": (1.0, 1.0)}
    matching = [name for name, weights in known.items() if torch.allclose(on / off, torch.tensor(weights), rtol=1e-3)]
    return matching[0] if matching else "other"
