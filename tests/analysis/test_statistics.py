import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from focalbench.analysis.statistics import (
    Floats,
    Sample,
    max_t,
    mean_interval,
    shared_covariance,
    simultaneous_critical,
    t_quantile,
)

numbers = st.integers(0, 10_000)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def differences(seed: int, seeds: int = 8, arms: int = 5, effect: float = 0.5) -> Floats:
    """Paired differences that share a comparator, hence correlated columns."""
    draw = np.random.default_rng(seed)
    return np.asarray(effect + draw.normal(size=(seeds, 1)) + draw.normal(size=(seeds, arms)))


def t_of(x: Floats, axis: int = -1) -> Floats:
    return np.asarray(np.abs(stats.ttest_1samp(x, 0, axis=axis).statistic))


def plain_errors(d: Floats) -> Floats:
    """The standard error of every column's mean, as fresh draws have it."""
    return np.array([Sample(column).standard_error for column in d.T])


def plain_max_t(d: Floats, flips: int = 10_000) -> tuple[Floats, Floats]:
    return max_t(d, plain_errors(d), rng(), flips)


def step_down(d: Floats, signs: Floats, observed: Floats | None = None) -> Floats:
    """Westfall and Young's step-down p-values by their definition: t statistics of every flip, a loop over columns.

    observed: |t|, unless it is that of the values.
    """
    observed = t_of(d, axis=0) if observed is None else observed
    null = t_of(signs[:, :, None] * d, axis=1)
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
    interval = mean_interval(Sample(values), level)
    assert interval.estimate == pytest.approx(values.mean())
    assert (interval.low, interval.high) == pytest.approx(tuple(expected), rel=1e-9, abs=1e-12)


def test_one_seed_has_a_mean_but_no_limits() -> None:
    interval = mean_interval(Sample(np.array([0.25])))
    assert interval.estimate == 0.25
    assert np.isnan([interval.low, interval.high]).all()


def test_interval_covers_as_often_as_it_says() -> None:
    samples = np.random.default_rng(1).normal(3, 2, size=(2000, 6))
    intervals = [mean_interval(Sample(sample)) for sample in samples]
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
    assert plain_max_t(d)[0] == pytest.approx([oracle.pvalue], abs=1e-12)


@settings(max_examples=10)
@given(numbers)
def test_max_t_agrees_with_its_definition(seed: int) -> None:
    d = differences(seed, seeds=6)
    raw, adjusted = plain_max_t(d)
    assert adjusted == pytest.approx(step_down(d, all_signs(6)), abs=1e-12)
    assert raw == pytest.approx([step_down(d[:, [j]], all_signs(6))[0] for j in range(5)], abs=1e-12)


@given(numbers)
def test_max_t_is_monotone_and_never_below_raw(seed: int) -> None:
    d = differences(seed)
    raw, adjusted = plain_max_t(d)
    order = np.argsort(-t_of(d, axis=0))
    assert (np.diff(adjusted[order]) >= 0).all()
    assert (adjusted >= raw).all()


@given(numbers, st.floats(1e-6, 1e6))
def test_arm_order_sign_and_unit_do_not_matter(seed: int, unit: float) -> None:
    d = differences(seed)
    order = np.random.default_rng(seed).permutation(5)
    raw, adjusted = plain_max_t(d)
    for other in (d[:, order] * unit, -d[:, order], d[::-1, order]):
        assert np.allclose(plain_max_t(other)[0], raw[order], atol=1e-12)
        assert np.allclose(plain_max_t(other)[1], adjusted[order], atol=1e-12)
        assert np.isclose(simultaneous_critical(other, rng()), simultaneous_critical(d, rng()))


def test_random_flips_approach_the_exact_p_and_never_reach_zero() -> None:
    d = differences(2, seeds=14)
    raw, adjusted = plain_max_t(d, flips=20_000)
    exact = [step_down_raw(d[:, j]) for j in range(5)]
    assert raw == pytest.approx(exact, abs=0.015)
    assert (adjusted >= raw).all()
    sure = plain_max_t(100 + d, flips=99)
    assert sure[0] == pytest.approx([0.01] * 5)
    assert plain_max_t(d, flips=99)[0] * 100 == pytest.approx(np.rint(plain_max_t(d, flips=99)[0] * 100))


def step_down_raw(column: Floats) -> float:
    sums = np.abs(all_signs(len(column)) @ column)  # |t| rises with |sum|, as the sum of squares stays
    return float((sums >= np.abs(column.sum()) * (1 - 1e-12)).mean())


def test_zero_columns_have_p_one_and_constant_ones_the_least_possible() -> None:
    d = differences(4, seeds=8, arms=2, effect=0)
    d = np.column_stack([np.zeros(8), d, np.full(8, 0.1), np.full(8, -1e-9)])
    raw, adjusted = plain_max_t(d)
    assert (raw[0], adjusted[0]) == (1, 1)
    assert raw[3:] == pytest.approx([2 / 256] * 2)
    assert adjusted[3:] == pytest.approx([2 / 256] * 2)
    assert np.isfinite(simultaneous_critical(d, rng()))


@pytest.mark.parametrize("seeds", range(6, 13))
def test_all_columns_zero(seeds: int) -> None:
    assert plain_max_t(np.zeros((seeds, 3)))[1].tolist() == [1, 1, 1]


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
    largest = t_of(all_signs(seeds)[:, :, None] * residuals, axis=1).max(axis=1)
    critical = simultaneous_critical(d, rng(), level)
    assert (largest > critical * (1 + 1e-9)).mean() <= 1 - level + 1e-12 < (largest >= critical * (1 - 1e-9)).mean()


def test_simultaneous_intervals_cover_whatever_the_true_differences() -> None:
    for effect in (0.0, 3.0):  # flips of the values themselves cover .90 at 3
        covered = 0
        for seed in range(400):
            d = differences(seed, seeds=10, arms=8, effect=effect)
            margin = simultaneous_critical(d, rng()) * plain_errors(d)
            covered += bool((np.abs(d.mean(axis=0) - effect) <= margin).all())
        assert covered / 400 == pytest.approx(0.95, abs=0.033)


def test_family_wise_error_of_max_t() -> None:
    alarms = [plain_max_t(differences(seed, effect=0))[1].min() <= 0.05 for seed in range(600)]
    assert np.mean(alarms) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 600))


def test_family_wise_error_with_random_flips_and_some_true_effects() -> None:
    alarms = []
    for seed in range(500):
        d = differences(seed, seeds=20, arms=15, effect=0) + np.r_[np.zeros(10), np.ones(5)]
        alarms.append(plain_max_t(d, flips=1000)[1][:10].min() <= 0.05)
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)


# ---- what seeds of one table share


@given(numbers, st.integers(2, 7))
def test_what_seeds_share_is_the_mean_product_of_two_seeds_influences(seed: int, seeds: int) -> None:
    sums = np.random.default_rng(seed).normal(0.1, 1, (seeds, 9))
    products = [(sums[i] * sums[j]).sum() for i in range(seeds) for j in range(seeds) if i != j]
    assert shared_covariance(sums) == pytest.approx(max(0.0, np.mean(products)), abs=1e-12)


def test_what_seeds_share_is_never_negative() -> None:
    assert shared_covariance(np.array([[1.0, 0.0], [-1.0, 0.0]])) == 0
    assert shared_covariance(np.array([[1.0, 2.0], [1.0, 2.0]])) == 5


@given(numbers, st.floats(0, 1), st.floats(0, 1), st.integers(2, 40))
def test_a_standard_error_is_its_formula_and_only_the_spread_of_seeds_falls(
    seed: int, shared: float, train_share: float, more: int
) -> None:
    values = differences(seed, seeds=5, arms=1)[:, 0]
    sample, s2 = Sample(values, shared, train_share), values.var(ddof=1)
    assert sample.standard_error == pytest.approx(np.sqrt(s2 / 5 + shared + 0.1 * train_share * s2))
    assert sample.standard_error_of(more) == pytest.approx(np.sqrt(s2 / more + shared + 0.1 * train_share * s2))
    interval = mean_interval(sample)
    assert interval.high - sample.mean == pytest.approx(stats.t.ppf(0.975, 4) * sample.standard_error)


@given(numbers, arrays(np.float64, 5, elements=st.floats(1, 4)))
def test_larger_errors_only_raise_p_values(seed: int, factors: Floats) -> None:
    d = differences(seed)
    errors = plain_errors(d)
    for before, after in zip(max_t(d, errors, rng()), max_t(d, errors * factors, rng()), strict=True):
        assert (after >= before - 1e-12).all()


@settings(max_examples=20)
@given(numbers, arrays(np.float64, 5, elements=st.floats(0.25, 4)))
def test_max_t_takes_the_errors_it_is_given(seed: int, factors: Floats) -> None:
    d = differences(seed, seeds=6)
    expected = step_down(d, all_signs(6), t_of(d, axis=0) / factors)
    assert max_t(d, plain_errors(d) * factors, rng())[1] == pytest.approx(expected, abs=1e-12)


def test_a_difference_that_its_error_explains_has_a_large_p_value() -> None:
    d = differences(1)
    raw, adjusted = max_t(d, plain_errors(d) * np.array([1, 1, 1, 1, 1e9]), rng())
    assert raw[4] == adjusted[4] == 1
    assert max(raw[:4]) < 1


@given(numbers)
def test_more_differences_at_once_make_no_interval_narrower(seed: int) -> None:
    d = differences(seed)
    critical = [simultaneous_critical(d[:, :arms], rng()) for arms in (1, 2, 5)]
    assert (np.diff(critical) >= -1e-9).all()


@pytest.mark.parametrize(("seeds", "probability"), [(2, 0.975), (6, 0.9), (30, 0.5)])
def test_quantiles_are_students(seeds: int, probability: float) -> None:
    assert t_quantile(seeds, probability) == pytest.approx(stats.t.ppf(probability, seeds - 1), abs=1e-12)


# ---- what is refused


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_values_are_refused(bad: float) -> None:
    d = differences(0)
    d[2, 1] = bad
    for call in (
        lambda: simultaneous_critical(d, rng()),
        lambda: max_t(d, np.ones(5), rng()),
        lambda: Sample(d[:, 1]).standard_error,
        lambda: mean_interval(Sample(d[:, 1])),
    ):
        with pytest.raises(ValueError, match="finite"):
            call()


def test_too_few_seeds_are_refused() -> None:
    five = differences(0, seeds=5)
    for call in (lambda: max_t(five, np.ones(5), rng()), lambda: simultaneous_critical(five, rng())):
        with pytest.raises(ValueError, match="5 seeds are too few; at least 6"):
            call()
    for values in (five[:1], five[:0]):
        with pytest.raises(ValueError, match="at least 2"):
            shared_covariance(values)
        with pytest.raises(ValueError, match="at least 2"):
            _ = Sample(values[:, 0]).standard_error
    with pytest.raises(ValueError, match="at least 1"):
        mean_interval(Sample(five[:0, 0]))


DIFFERENCES = st.floats(-1, 1).map(lambda value: round(value, 17))  # of average precisions: 0, or not below 1e-17


@given(arrays(np.float64, (7, 3), elements=DIFFERENCES))
def test_no_differences_break_the_tests(d: Floats) -> None:
    raw, adjusted = plain_max_t(d)
    assert ((raw >= 2 / 128 - 1e-12) & (raw <= 1)).all()
    assert ((adjusted >= raw - 1e-12) & (adjusted <= 1)).all()
