"""Words for intervals, the seeds that an undecided difference takes, and what the last epochs still moved."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from focalbench.analysis.rows import Verdict
from focalbench.analysis.statistics import Floats, Sample, mean_interval, t_quantile
from focalbench.analysis.verdicts import MOST_SEEDS, findings, moves_late, seeds_to_decide, usual_margin, verdict_of

numbers = st.integers(0, 10_000)
CRITICAL = 2.5


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.002, 0.3, Verdict.BETTER),
        (0.001, 0.005, Verdict.BETTER),  # and within the margin: beyond 0 comes first
        (-0.2, -0.1, Verdict.WORSE),
        (-0.005, -0.001, Verdict.WORSE),
        (-0.005, 0.009, Verdict.WITHIN),
        (0.0, 0.0, Verdict.WITHIN),
        (0.0, 0.3, Verdict.UNDECIDED),  # an end on 0 is not beyond it
        (-0.3, 0.0, Verdict.UNDECIDED),
        (-0.005, 0.01, Verdict.UNDECIDED),  # an end on the margin is not inside
        (-0.01, 0.005, Verdict.UNDECIDED),
        (-0.1, 0.1, Verdict.UNDECIDED),
    ],
)
def test_an_interval_has_one_word(low: float, high: float, verdict: Verdict) -> None:
    assert verdict_of(low, high, 0.01) is verdict
    turned = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}.get(verdict, verdict)
    assert verdict_of(-high, -low, 0.01) is turned


def test_the_words_are_what_tables_print() -> None:
    words = ["baseline", "better", "worse", "within margin", "undecided", "too few seeds", "smoke test"]
    assert list(map(str, Verdict)) == words


@settings(max_examples=60)
@given(numbers, st.integers(6, 20), st.integers(1, 6))
def test_an_interval_for_a_family_is_never_narrower_than_for_one_comparison(seed: int, seeds: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    samples = [Sample(values) for values in rng.standard_t(3, (count, seeds))]  # wide tails: flips of one are narrow
    for sample, found in zip(samples, findings(samples, 0.01), strict=True):
        alone = mean_interval(sample)
        assert found.low is not None
        assert found.high is not None
        assert found.low <= alone.low
        assert found.high >= alone.high


def half_width(sample: Sample, seeds: int) -> float:
    """Half of an interval with so many seeds, the spread as it is, from the formula of METHOD 3."""
    s2 = float(np.var(sample.values, ddof=1))
    error = np.sqrt(s2 / seeds + sample.shared + 0.1 * sample.train_share * s2)
    return float(CRITICAL * t_quantile(seeds, 0.975) / t_quantile(sample.seeds, 0.975) * error)


def sample_of(seed: int, mean: float, shared: float = 0.0, share: float = 0.0) -> Sample:
    values = np.random.default_rng(seed).normal(0, 0.01, 10)
    return Sample(values - values.mean() + mean, shared, share)


@settings(max_examples=60)
@given(numbers, st.floats(-0.02, 0.02), st.floats(0.001, 0.05), st.floats(0, 1e-5), st.floats(0, 1))
def test_so_many_seeds_decide_and_one_fewer_do_not(
    seed: int, mean: float, margin: float, shared: float, share: float
) -> None:
    sample = sample_of(seed, mean, shared, share)
    wanted = max(abs(mean), margin - abs(mean))
    assume(half_width(sample, 10) > wanted * 1.0001)  # else it is decided
    needed = seeds_to_decide(sample, CRITICAL, margin)
    if needed:
        assert 10 < needed <= MOST_SEEDS
        assert half_width(sample, needed) < wanted * (1 + 1e-9)
        assert needed == 11 or half_width(sample, needed - 1) >= wanted * (1 - 1e-9)
    else:
        assert half_width(sample, MOST_SEEDS) >= wanted * (1 - 1e-9)


@pytest.mark.parametrize(
    ("shared", "share", "decides"),
    [(0.0, 0.0, True), (4e-6, 0.0, True), (6e-5, 0.0, False), (0.0, 0.05, True), (0.0, 1.0, False)],
)
def test_no_number_of_seeds_decides_where_what_they_share_is_too_wide(
    shared: float, share: float, decides: bool
) -> None:
    """The floor: CRITICAL x sqrt(C + 0.1 f s2), which seeds do not lower, against the .005 that are wanted."""
    sample = sample_of(0, 0.005, shared, share)
    s2, scale = sample.values.var(ddof=1), t_quantile(MOST_SEEDS, 0.975) / t_quantile(10, 0.975)
    assert (CRITICAL * scale * np.sqrt(shared + 0.1 * share * s2) < 0.005) == decides
    assert (seeds_to_decide(sample, CRITICAL, 0.01) > 0) == decides


def test_an_estimate_halfway_to_the_margin_takes_the_most_seeds() -> None:
    needed = [seeds_to_decide(sample_of(0, mean), CRITICAL, 0.004) for mean in (0.0, 0.001, 0.002, 0.0026, 0.0032)]
    assert needed[2] == max(needed)
    assert needed[0] < needed[1] < needed[2] > needed[3] > needed[4]


# ---- a family


def samples(means: list[float], seeds: int, seed: int = 0) -> list[Sample]:
    rng = np.random.default_rng(seed)
    return [Sample(np.asarray(rng.normal(mean, 0.01, seeds)), 1e-6, 0.5) for mean in means]


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_fewer_than_six_seeds_find_nothing(seeds: int) -> None:
    for found in findings(samples([0.5, 0.0], seeds), 0.01):
        assert found.verdict is Verdict.TOO_FEW
        assert [found.low, found.high, found.p_value, found.p_adjusted, found.seeds_to_decide] == [None] * 5


def test_no_family_has_no_findings() -> None:
    assert findings([], 0.01) == []


def test_a_familys_findings_agree_with_their_intervals() -> None:
    family = samples([0.1, -0.1, 0.0, 0.004], 10)
    found = findings(family, 0.02)
    assert [each.verdict for each in found][:3] == [Verdict.BETTER, Verdict.WORSE, Verdict.WITHIN]
    factors = []
    for each, sample in zip(found, family, strict=True):
        assert each.low is not None
        assert each.high is not None
        assert (each.low + each.high) / 2 == pytest.approx(sample.mean)
        factors.append((each.high - each.low) / 2 / sample.standard_error)
        assert each.verdict is verdict_of(each.low, each.high, 0.02)
        assert (each.seeds_to_decide is None) == (each.verdict is not Verdict.UNDECIDED)
        assert each.p_adjusted is not None
        assert each.p_value is not None
        assert each.p_value <= each.p_adjusted
    assert factors == pytest.approx([factors[0]] * 4)  # one critical value for all: they hold at once
    assert factors[0] > t_quantile(10, 0.975)
    narrow = findings(family, 0.005)
    assert narrow[2].verdict is Verdict.UNDECIDED
    assert narrow[2].seeds_to_decide == seeds_to_decide(family[2], factors[0], 0.005)


def test_findings_are_the_same_every_time_and_alone_of_their_order() -> None:
    family = samples([0.02, 0.0, -0.01], 14)  # 14 seeds: random flips
    assert findings(family, 0.01) == findings(family, 0.01)
    assert findings(family[::-1], 0.01)[::-1] == findings(family, 0.01)


# ---- margins, and what moves late


@pytest.mark.parametrize(
    ("synthetic", "baseline", "chance", "margin"),
    [
        (True, 0.9, 0.01, 0.01),
        (True, 0.011, 0.01, 0.01),
        (False, 0.35, 0.05, 0.03),
        (False, 0.0117, 0.0015, 0.00102),
        (False, 0.05, 0.05, 1e-6),  # a baseline at chance, or below
        (False, 0.04, 0.05, 1e-6),
    ],
)
def test_the_usual_margin(synthetic: bool, baseline: float, chance: float, margin: float) -> None:
    assert usual_margin(synthetic=synthetic, baseline=baseline, chance=chance) == pytest.approx(margin, rel=1e-9)


def change(mean: float, spread: float) -> tuple[Sample, Sample]:
    """A difference halfway and at the end, which has moved by so much; by how much in each seed spreads."""
    values: Floats = np.array([1.0, -1.0] * 5)
    halfway = np.random.default_rng(0).normal(0, 1, 10)  # of which only the change counts
    return Sample(halfway), Sample(halfway + mean + spread * values)


@pytest.mark.parametrize(
    ("mean", "spread", "moves"),
    [
        (0.011, 0.0, True),
        (-0.011, 0.0, True),
        (0.009, 0.0, False),
        (0.011, 0.01, True),  # standard error .0033
        (0.011, 0.02, False),  # .0067: two of them are more
        (0.05, 0.07, True),
        (0.05, 0.08, False),
    ],
)
def test_what_moved_by_more_than_the_margin_and_two_standard_errors(mean: float, spread: float, moves: bool) -> None:
    assert moves_late(*change(mean, spread), 0.01) == moves


def test_one_seed_shows_no_movement() -> None:
    assert not moves_late(Sample(np.zeros(1)), Sample(np.ones(1)), 0.01)
