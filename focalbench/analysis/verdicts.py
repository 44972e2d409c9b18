"""From paired differences to words: better, worse, within the margin, or undecided (METHOD 3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from focalbench.analysis.rows import Verdict
from focalbench.analysis.statistics import LEAST_SEEDS, Floats, Sample, max_t, simultaneous_critical, t_quantile
from focalbench.runs.metric import Metric

LEVEL = 0.05
MOST_SEEDS = 10_000  # looked at for the number that would decide
FLIP_SEED = 20_170_807  # a table is recomputed exactly, so its random flips are fixed
SYNTHETIC_MARGIN, TABLE_SHARE = 0.01, 0.1  # the usual margins: absolute, and of the baseline's distance from chance
LEAST_MARGIN = 1e-6  # of a table whose baseline is at chance


@dataclass(frozen=True)
class Finding:
    """What is found of one difference. verdict: None where it is not tested; low, high: simultaneous over its family,
    None below 6 seeds.

    seeds_to_decide: of an undecided one; 0 where no number of seeds decides.
    """

    verdict: Verdict | None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    seeds_to_decide: int | None = None

    def times(self, sign: int) -> "Finding":
        """The same, or with the limits of a difference whose sign is turned."""
        if sign == 1 or self.low is None or self.high is None:
            return self
        return replace(self, low=-self.high, high=-self.low)


def usual_margin(*, synthetic: bool, baseline: float, chance: float) -> float:
    """The difference in average precision that matters unless another is asked for: .01 on synthetic data, a tenth of
    the baseline's average precision above chance on tables; near 1 no more than what the baseline lacks to it, or .01.

    >>> [usual_margin(synthetic=False, baseline=reached, chance=0.05) for reached in (0.35, 0.95, 0.999)]
    [0.03, 0.05, 0.01]
    """
    tenth, lacking = TABLE_SHARE * (baseline - chance), max(SYNTHETIC_MARGIN, 1 - baseline)
    return SYNTHETIC_MARGIN if synthetic else max(LEAST_MARGIN, round(min(tenth, lacking), 12))


def usual_margin_of(metric: Metric, *, synthetic: bool, baseline: float, prevalence: float) -> float:
    """The difference in a metric that matters unless another is asked for: as average precision's where it lies
    between 0 and 1, else a tenth of what the baseline gains on no skill at all, at least a hundredth of the latter; of
    costs and losses, at most a tenth of what is left.

    >>> cost = Metric.parse("cost=1:100")
    >>> [usual_margin_of(cost, synthetic=True, baseline=paid, prevalence=0.001) for paid in (99.0, 60.0, 20.0)]
    [1.0, 4.0, 2.0]
    """
    without = metric.without_skill(prevalence)
    if metric.is_share:
        return usual_margin(synthetic=synthetic, baseline=baseline, chance=without)
    gained = max(TABLE_SHARE * abs(baseline - without), abs(without) / 100)
    left = TABLE_SHARE * baseline if metric.lower_is_better else gained
    return max(LEAST_MARGIN, round(min(gained, left), 12))


def findings(samples: Sequence[Sample], margin: float) -> list[Finding]:
    """Test one family of differences to the same baseline; below 6 seeds no interval is simultaneous, nor is a test.

    No interval is narrower than Student's for one comparison alone, as that by flips may be in a family of one.
    """
    if not samples:
        return []
    if samples[0].seeds < LEAST_SEEDS:
        return [Finding(Verdict.TOO_FEW) for _ in samples]
    values = np.stack([sample.values for sample in samples], axis=1)
    errors = np.array([sample.standard_error for sample in samples])
    raw, adjusted = max_t(values, errors, _rng())
    critical = _critical(values)
    return [
        _finding(sample, critical, margin, float(p), float(corrected))
        for sample, p, corrected in zip(samples, raw, adjusted, strict=True)
    ]


def limits(samples: Sequence[Sample]) -> list[tuple[float, float] | None]:
    """The simultaneous limits of one family of differences; None below 6 seeds."""
    if not samples or samples[0].seeds < LEAST_SEEDS:
        return [None for _ in samples]
    critical = _critical(np.stack([sample.values for sample in samples], axis=1))
    halves = [critical * sample.standard_error for sample in samples]
    return [(sample.mean - half, sample.mean + half) for sample, half in zip(samples, halves, strict=True)]


def _critical(values: Floats) -> float:
    """Of differences (seed, arm)."""
    alone = t_quantile(len(values), 1 - LEVEL / 2)
    return max(alone, simultaneous_critical(values, _rng(), 1 - LEVEL))


def _rng() -> np.random.Generator:
    return np.random.default_rng(FLIP_SEED)


def _finding(sample: Sample, critical: float, margin: float, p_value: float, p_adjusted: float) -> Finding:
    half = critical * sample.standard_error
    low, high = sample.mean - half, sample.mean + half
    verdict = verdict_of(low, high, margin)
    needed = seeds_to_decide(sample, critical, margin) if verdict is Verdict.UNDECIDED else None
    return Finding(verdict, low, high, p_value, p_adjusted, needed)


def verdict_of(low: float, high: float, margin: float) -> Verdict:
    """The word for an interval of a difference; beyond 0 comes before within the margin, where both hold.

    >>> [str(verdict_of(low, high, 0.01)) for low, high in ((0.002, 0.3), (-0.2, -0.1), (-0.005, 0.009), (-0.1, 0.1))]
    ['better', 'worse', 'within margin', 'undecided']
    """
    if low > 0:
        return Verdict.BETTER
    if high < 0:
        return Verdict.WORSE
    return Verdict.WITHIN if -margin < low and high < margin else Verdict.UNDECIDED


def seeds_to_decide(sample: Sample, critical: float, margin: float) -> int:
    """With how many seeds the interval would leave 0, or lie within the margin, if mean and spread stay; 0: with none.

    What seeds of one table share does not fall with their number.
    """
    return seeds_until(sample, critical, max(abs(sample.mean), margin - abs(sample.mean)))


def seeds_until(sample: Sample, critical: float, wanted: float, level: float = LEVEL) -> int:
    """With how many seeds an interval would reach no further than `wanted` to each side, if its spread stays; 0: with
    none. critical: of this sample's own interval, which holds its truth but for `level`.
    """

    def half(seeds: int) -> float:
        scale = t_quantile(seeds, 1 - level / 2) / t_quantile(sample.seeds, 1 - level / 2)
        return critical * scale * sample.standard_error_of(seeds)

    low, high = sample.seeds, MOST_SEEDS
    if half(high) >= wanted:
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if half(middle) < wanted else (middle, high)
    return high


def moves_late(halfway: Sample, whole: Sample, margin: float) -> bool:
    """Whether a difference moved by more than the margin, beyond two standard errors, from half to all of the epochs.

    The seeds are the same, so the change of each is what spreads.
    """
    change = Sample(whole.values - halfway.values)
    if change.seeds < 2:
        return False
    return abs(change.mean) > max(margin, 2 * change.standard_error)
