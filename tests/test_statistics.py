import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from focalbench.statistics import (
    Floats,
    corrected_t_p,
    holm,
    indistinguishable_from_best,
    max_t,
    mean_interval,
    simultaneous_critical,
    smallest_detectable,
    standard_error,
)

numbers = st.integers(0, 10_000)
p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=8).map(np.array)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def differences(seed: int, seeds: int = 8, arms: int = 5, effect: float = 0.5) -> Floats:
    """Paired differences that share a comparator, hence correlated columns."""
    draw = np.random.default_rng(seed)
    return np.asarray(effect + draw.normal(size=(seeds, 1)) + draw.normal(size=(seeds, arms)))


def t_of(x: Floats, axis: int = -1) -> Floats:
    return np.asarray(np.abs(stats.ttest_1samp(x, 0, axis=axis).statistic))


def step_down(d: Floats, signs: Floats) -> Floats:
    """Westfall and Young's step-down p-values by their definition: t statistics, one loop per column."""
    observed, null = t_of(d, axis=0), np.array([t_of(s[:, None] * d, axis=0) for s in signs])
    adjusted, floor = np.empty(d.shape[1]), 0.0
    for column in np.argsort(-observed):
        weaker = observed <= observed[column]
        floor = max(floor, float((null[:, weaker].max(axis=1) >= observed[column] - 1e-9).mean()))
        adjusted[column] = floor
    return adjusted


def all_signs(seeds: int) -> Floats:
    return np.array(np.meshgrid(*[[1.0, -1.0]] * seeds)).reshape(seeds, -1).T


@given(numbers, st.floats(0.5, 0.99))
def test_interval_agrees_with_scipy(seed: int, level: float) -> None:
    values = differences(seed, arms=1)[:, 0]
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    interval = mean_interval(values, level=level)
    assert interval.estimate == pytest.approx(values.mean())
    assert (interval.low, interval.high) == pytest.approx(tuple(expected), rel=1e-9, abs=1e-12)


@given(numbers, st.floats(0.05, 2))
def test_ratio_widens_the_interval_by_its_formula(seed: int, ratio: float) -> None:
    values = differences(seed, arms=1)[:, 0]
    plain, corrected = mean_interval(values), mean_interval(values, ratio)
    widening = (corrected.high - corrected.low) / (plain.high - plain.low)
    assert widening == pytest.approx(np.sqrt(1 + len(values) * ratio))


def test_one_seed_has_a_mean_but_no_limits() -> None:
    interval = mean_interval(np.array([0.25]))
    assert interval.estimate == 0.25
    assert np.isnan([interval.low, interval.high]).all()


def test_interval_covers_as_often_as_it_says() -> None:
    samples = np.random.default_rng(1).normal(3, 2, size=(2000, 6))
    intervals = [mean_interval(sample) for sample in samples]
    covered = np.mean([interval.low <= 3 <= interval.high for interval in intervals])
    assert covered == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 2000))


@settings(max_examples=20)
@given(numbers, st.integers(6, 9))
def test_raw_p_agrees_with_scipy_on_one_column(seed: int, seeds: int) -> None:
    d = differences(seed, seeds, arms=1)
    oracle = stats.permutation_test(
        (d[:, 0],),
        t_of,
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
        alternative="greater",
    )
    assert max_t(d, rng())[0] == pytest.approx([oracle.pvalue], abs=1e-12)


@settings(max_examples=10)
@given(numbers)
def test_max_t_agrees_with_its_definition(seed: int) -> None:
    d = differences(seed, seeds=6)
    raw, adjusted = max_t(d, rng())
    assert adjusted == pytest.approx(step_down(d, all_signs(6)), abs=1e-12)
    assert raw == pytest.approx([step_down(d[:, [j]], all_signs(6))[0] for j in range(5)], abs=1e-12)


@given(numbers)
def test_max_t_is_monotone_and_never_below_raw(seed: int) -> None:
    d = differences(seed)
    raw, adjusted = max_t(d, rng())
    order = np.argsort(-t_of(d, axis=0))
    assert (np.diff(adjusted[order]) >= 0).all()
    assert (adjusted >= raw).all()


@given(numbers, st.floats(1e-6, 1e6))
def test_arm_order_sign_and_unit_do_not_matter(seed: int, unit: float) -> None:
    d = differences(seed)
    order = np.random.default_rng(seed).permutation(5)
    raw, adjusted = max_t(d, rng())
    for other in (d[:, order] * unit, -d[:, order], d[::-1, order]):
        assert np.allclose(max_t(other, rng())[0], raw[order], atol=1e-12)
        assert np.allclose(max_t(other, rng())[1], adjusted[order], atol=1e-12)
        assert np.isclose(simultaneous_critical(other, rng()), simultaneous_critical(d, rng()))


def test_random_flips_approach_the_exact_p_and_never_reach_zero() -> None:
    d = differences(2, seeds=14)
    raw, adjusted = max_t(d, rng(), flips=20_000)
    exact = [step_down_raw(d[:, j]) for j in range(5)]
    assert raw == pytest.approx(exact, abs=0.015)
    assert (adjusted >= raw).all()
    sure = max_t(100 + d, rng(), flips=99)
    assert sure[0] == pytest.approx([0.01] * 5)
    assert max_t(d, rng(), flips=99)[0] * 100 == pytest.approx(np.rint(max_t(d, rng(), flips=99)[0] * 100))


def step_down_raw(column: Floats) -> float:
    sums = np.abs(all_signs(len(column)) @ column)  # |t| rises with |sum|, as the sum of squares stays
    return float((sums >= np.abs(column.sum()) * (1 - 1e-12)).mean())


def test_zero_columns_have_p_one_and_constant_ones_the_least_possible() -> None:
    d = differences(4, seeds=8, arms=2, effect=0)
    d = np.column_stack([np.zeros(8), d, np.full(8, 0.1), np.full(8, -1e-9)])
    raw, adjusted = max_t(d, rng())
    assert (raw[0], adjusted[0]) == (1, 1)
    assert raw[3:] == pytest.approx([2 / 256] * 2)
    assert adjusted[3:] == pytest.approx([2 / 256] * 2)
    assert np.isfinite(simultaneous_critical(d, rng()))
    p = corrected_t_p(d, 0.5)
    assert p[0] == 1
    assert (p[3:] < 1e-12).all()


@given(numbers, st.integers(6, 12))
def test_all_columns_zero(seed: int, seeds: int) -> None:
    assert max_t(np.zeros((seeds, 3)), np.random.default_rng(seed))[1].tolist() == [1, 1, 1]


@given(numbers)
def test_corrected_t_agrees_with_scipy(seed: int) -> None:
    d = differences(seed)
    assert corrected_t_p(d, 0.0) == pytest.approx(stats.ttest_1samp(d, 0).pvalue, rel=1e-8)
    t = d.mean(axis=0) / standard_error(d, 0.3)
    assert corrected_t_p(d, 0.3) == pytest.approx(2 * stats.t.sf(np.abs(t), 7), rel=1e-8)


@given(p_lists)
def test_holm_rejects_what_the_step_down_procedure_rejects(p: Floats) -> None:
    adjusted = holm(p)
    for level in (*adjusted[adjusted < 1], 0.01, 0.05, 0.5):
        rejected, left = set(), sorted(range(len(p)), key=lambda j: p[j])
        while left and p[left[0]] * len(left) <= level:
            rejected.add(left.pop(0))
        assert set(np.flatnonzero(adjusted <= level)) == rejected


def test_holm_example_and_bad_p_values() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    for bad in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="p-values"):
            holm(np.array([0.5, bad]))


@given(numbers, st.floats(0.01, 2))
def test_the_best_arm_stays_and_the_set_ignores_order_and_shift(seed: int, ratio: float) -> None:
    values = differences(seed) + np.arange(5)
    order = np.random.default_rng(seed).permutation(5)
    for given_ratio in (None, ratio):
        mask = indistinguishable_from_best(values, rng(), given_ratio)
        assert mask[values.mean(axis=0).argmax()]
        shifted = values[:, order] + np.random.default_rng(seed).integers(-4, 5, size=(8, 1))
        assert (indistinguishable_from_best(shifted, rng(), given_ratio) == mask[order]).all()


def test_set_of_the_best_in_clear_cases() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, size=(10, 4))
    values = noise + np.array([0.5, 0.5, 0.1, 0.0])
    assert indistinguishable_from_best(values, rng()).tolist() == [True, True, False, False]
    assert indistinguishable_from_best(values, rng(), ratio=0.25).tolist() == [True, True, False, False]
    assert indistinguishable_from_best(values[:, :1], rng()).tolist() == [True]
    same = values[:, [0, 0, 0]] - np.array([0, 0, 0.125])
    assert indistinguishable_from_best(same, rng()).tolist() == [True, True, False]
    assert indistinguishable_from_best(same, rng(), ratio=0.25).tolist() == [True, True, False]


def test_re_splits_tell_fewer_arms_apart() -> None:
    values = differences(5, seeds=10, effect=0) + np.linspace(0, 4, 5)
    sizes = [indistinguishable_from_best(values, rng(), ratio).sum() for ratio in (0.0, 0.5, 5.0)]
    assert sizes[0] < sizes[1] < sizes[2] == 5


def test_critical_value_of_one_column_is_near_student_t() -> None:
    critical = [simultaneous_critical(differences(s, seeds=12, arms=1), rng()) for s in range(50)]
    assert np.mean(critical) == pytest.approx(stats.t.ppf(0.975, 11), rel=0.03)
    copies = np.repeat(differences(3, seeds=12, arms=1), 4, axis=1)
    assert simultaneous_critical(copies, rng()) == pytest.approx(critical[3])


@settings(max_examples=20)
@given(numbers, st.integers(6, 8), st.sampled_from([0.8, 0.9, 0.95]))
def test_critical_value_is_the_quantile_of_flipped_residuals(seed: int, seeds: int, level: float) -> None:
    d = differences(seed, seeds)
    residuals = d - d.mean(axis=0)
    largest = np.array([t_of(s[:, None] * residuals, axis=0).max() for s in all_signs(seeds)])
    critical = simultaneous_critical(d, rng(), level)
    assert (largest > critical * (1 + 1e-9)).mean() <= 1 - level + 1e-12 < (largest >= critical * (1 - 1e-9)).mean()


def test_simultaneous_intervals_cover_whatever_the_true_differences() -> None:
    for effect in (0.0, 3.0):  # flips of the values themselves cover .90 at 3
        covered = 0
        for seed in range(400):
            d = differences(seed, seeds=10, arms=8, effect=effect)
            margin = simultaneous_critical(d, rng()) * standard_error(d)
            covered += bool((np.abs(d.mean(axis=0) - effect) <= margin).all())
        assert covered / 400 == pytest.approx(0.95, abs=0.033)


def test_family_wise_error_of_max_t() -> None:
    alarms = [max_t(differences(seed, effect=0), rng())[1].min() <= 0.05 for seed in range(600)]
    assert np.mean(alarms) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 600))


def test_family_wise_error_with_random_flips_and_some_true_effects() -> None:
    alarms = []
    for seed in range(500):
        d = differences(seed, seeds=20, arms=15, effect=0) + np.r_[np.zeros(10), np.ones(5)]
        alarms.append(max_t(d, rng(), flips=1000)[1][:10].min() <= 0.05)
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)


def test_best_arms_leave_the_set_in_at_most_one_of_twenty() -> None:
    dropped = []
    for seed in range(400):
        values = differences(seed, seeds=10, arms=6, effect=0) + np.array([1, 1, 1, 1, 0, 0])
        dropped.append(not indistinguishable_from_best(values, rng())[:4].all())
    assert np.mean(dropped) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_smallest_detectable_is_found_with_its_power() -> None:
    critical, n, sd = float(stats.t.ppf(0.975, 19)), 20, 0.015
    noise = np.random.default_rng(6).normal(0, sd, size=(n, 20_000))
    effect = smallest_detectable(noise, critical)
    assert effect == pytest.approx(sd / np.sqrt(n) * (critical + stats.t.ppf(0.8, 19)), rel=0.02)
    found = (noise + effect).mean(axis=0) > critical * standard_error(noise)
    assert found.mean() == pytest.approx(0.8, abs=0.02)
    assert smallest_detectable(noise, critical, ratio=0.5) == pytest.approx(effect * np.sqrt(1 + n * 0.5))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_values_are_refused(bad: float) -> None:
    d = differences(0)
    d[2, 1] = bad
    for call in (
        lambda: max_t(d, rng()),
        lambda: simultaneous_critical(d, rng()),
        lambda: indistinguishable_from_best(d, rng(), 0.5),
        lambda: corrected_t_p(d, 0.5),
        lambda: smallest_detectable(d, 2.0),
        lambda: mean_interval(d[:, 1]),
    ):
        with pytest.raises(ValueError, match="finite"):
            call()


def test_too_few_seeds_are_refused() -> None:
    five = differences(0, seeds=5)
    for call in (max_t, simultaneous_critical, indistinguishable_from_best):
        with pytest.raises(ValueError, match="5 seeds are too few; at least 6"):
            call(five, rng())
    for values in (five[:1], five[:0]):
        with pytest.raises(ValueError, match="at least 2"):
            corrected_t_p(values, 0.5)


@given(arrays(np.float64, (7, 3), elements=st.floats(-1e300, 1e300)))
def test_no_finite_values_break_the_tests(d: Floats) -> None:
    raw, adjusted = max_t(d / 1e3, rng())
    assert ((raw >= 2 / 128 - 1e-12) & (raw <= 1)).all()
    assert ((adjusted >= raw - 1e-12) & (adjusted <= 1)).all()
