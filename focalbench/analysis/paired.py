"""Models compared on one set of rows: intervals from what parts of the rows do to each metric.

The rows, or groups of rows, are dealt at random to 256 parts; each part's influence on a metric (metrics/influence.py,
left_out.py, and what its share of positives does) varies as if parts were drawn independently, so the squared sums of
the parts' influences are its variance (a jackknife that deletes groups; Shao & Wu 1989). Simultaneous limits flip the
signs of the parts' influences on all differences at once, a multiplier bootstrap (Chernozhukov, Chetverikov & Kato
2013).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focalbench.analysis.rows import Verdict
from focalbench.analysis.statistics import Floats, t_quantile
from focalbench.analysis.verdicts import LEVEL, verdict_of

FLIPS = 10_000
LEAST_PARTS = 10  # with fewer that hold rows of a class there is no interval


@dataclass(frozen=True, eq=False)
class Estimate:
    """A metric of one model. sums: (part,), what each part does to it."""

    value: float
    sums: Floats


@dataclass(frozen=True, slots=True)
class Ends:
    """The limits of a 95% interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A model minus the baseline, between limits: of its own, and of all differences at once."""

    ends: Ends
    alone: Ends
    verdict: Verdict


def parts_of(estimates: Sequence[Estimate]) -> int:
    """How many parts hold rows that move any of the models."""
    return int(np.count_nonzero(np.any([each.sums != 0 for each in estimates], axis=0)))


def limits_of(found: Estimate, parts: int) -> Ends:
    """The 95% interval of one metric."""
    half = t_quantile(parts, 1 - LEVEL / 2) * _error(found.sums, parts)
    return Ends(found.value - half, found.value + half)


def differences(
    baseline: Estimate, others: Sequence[Estimate], parts: int, margin: float, *, sign: int, rng: np.random.Generator
) -> list[Difference]:
    """Each of the others minus the baseline. sign: -1 where less is better."""
    sums = np.stack([each.sums - baseline.sums for each in others])
    errors = np.array([_error(each, parts) for each in sums])
    alone = t_quantile(parts, 1 - LEVEL / 2)
    critical = max(alone, _critical(sums, errors, parts, rng))
    found = []
    for each, error in zip(others, errors.tolist(), strict=True):
        value = each.value - baseline.value
        low, high = value - critical * error, value + critical * error
        least, most = (low, high) if sign > 0 else (-high, -low)
        verdict = verdict_of(least, most, margin)
        found.append(Difference(Ends(low, high), Ends(value - alone * error, value + alone * error), verdict))
    return found


def _error(sums: Floats, parts: int) -> float:
    return float(np.sqrt(np.square(sums).sum() * parts / max(parts - 1, 1)))


def _critical(sums: Floats, errors: Floats, parts: int, rng: np.random.Generator) -> float:
    """The quantile of the largest |t| under flips."""
    signs = rng.choice(np.array([-1.0, 1.0]), size=(FLIPS, sums.shape[1]))
    sizes = np.abs(signs @ sums.T)
    largest = np.divide(sizes, errors, out=np.zeros_like(sizes), where=errors > 0).max(axis=1)
    return float(np.quantile(largest, 1 - LEVEL, method="inverted_cdf") * np.sqrt(parts / max(parts - 1, 1)))
