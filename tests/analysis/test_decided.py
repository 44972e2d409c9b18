"""What runs say of claims: numbers seed by seed, and verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from focalbench.analysis.claim_points import PartRuns
from focalbench.analysis.claim_rows import ClaimRow, ClaimVerdict
from focalbench.analysis.claims import chosen_runs, claim_rows, examine, point_rows
from focalbench.analysis.contrasts import all_of, deciding_half, over_data, slope_weights, verdict_on
from focalbench.analysis.evidence import Influences, no_influences
from focalbench.analysis.rows import Scope
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.statistics import shared_covariance
from focalbench.errors import InputError
from focalbench.plan.claims import Axis, Claim, Claims, Condition, Direction, Epochs, Measure, Pair
from focalbench.plan.experiment import Experiment
from focalbench.runs.arm import Arm
from focalbench.runs.metric import Metric
from tests.support.runs import BCE, FIVE, GAMMA, TABLE, changed, made_row, sums_of

ARMS = (Arm("bce"), Arm("focal", gamma=2.0), Arm("focal", gamma=5.0))
TWO = Pair(("gamma=2",), ("bce",))
ABOVE = Condition((TWO,), Direction.ABOVE)


def seeds(count: int = 10, key: int = 0, mean: float = 0.0) -> list[float]:
    return [float(value) for value in np.random.default_rng(key).normal(0.5 + mean, 0.02, count)]


def runs(tests: Mapping[str, Sequence[float]], **changes: object) -> list[RunRow]:
    """Runs of BCE, gamma 2 and gamma 5, with these tests by seed."""
    arms = {"bce": BCE, "gamma=2": GAMMA, "gamma=5": FIVE}
    return [
        made_row(arms[name], seed, test, **changes)  # type: ignore[arg-type]
        for name, values in tests.items()
        for seed, test in enumerate(values)
    ]


def decided(
    conditions: Sequence[Condition],
    parts: dict[str, list[RunRow]],
    influences: Influences = no_influences,
    *,
    tuned: bool = False,
) -> list[ClaimRow]:
    claim = Claim("C", "a sentence", "somebody", tuple(conditions))
    sizes = {name: int(name) if name.isdigit() else 512 for name in parts}
    claims = Claims(
        tuple((name, Experiment(arms=ARMS, batch_size=sizes[name], tuned=tuned)) for name in parts), (claim,)
    )
    return claim_rows(examine(claims, [PartRuns(name, rows) for name, rows in parts.items()], influences))


@given(
    st.lists(
        st.tuples(st.floats(-5, 5), st.floats(-1, 1)), min_size=2, max_size=8, unique_by=lambda at: round(at[0], 2)
    )
)
def test_a_slope_is_that_of_least_squares(points: list[tuple[float, float]]) -> None:
    x, y = np.array(points).T
    assert slope_weights(x.tolist()) @ y == pytest.approx(np.polyfit(x, y, 1)[0], abs=1e-8)


def test_a_slope_needs_two_places() -> None:
    with pytest.raises(ValueError, match="two different places"):
        slope_weights([1.0, 1.0])


@pytest.mark.parametrize(
    ("low", "high", "direction", "verdict"),
    [
        (0.011, 0.05, Direction.ABOVE, "supported"),
        (0.001, 0.05, Direction.ABOVE, "inconclusive"),
        (0.001, 0.009, Direction.ABOVE, "refuted"),  # there, and too small to matter
        (-0.2, 0.009, Direction.ABOVE, "refuted"),
        (-0.05, -0.011, Direction.BELOW, "supported"),
        (-0.009, 0.2, Direction.BELOW, "refuted"),
        (-0.009, 0.2, Direction.NOT_BELOW, "supported"),
        (-0.0049, -0.0011, Direction.NOT_BELOW, "supported"),
        (-0.02, 0.2, Direction.NOT_BELOW, "inconclusive"),
        (-0.2, -0.011, Direction.NOT_BELOW, "refuted"),
        (-0.009, 0.009, Direction.WITHIN, "supported"),
        (-0.011, 0.009, Direction.WITHIN, "inconclusive"),
        (0.011, 0.02, Direction.WITHIN, "refuted"),
        (-0.02, -0.011, Direction.WITHIN, "refuted"),
    ],
)
def test_what_an_interval_says(low: float, high: float, direction: Direction, verdict: str) -> None:
    assert verdict_on(low, high, direction, 0.01) == verdict


@given(st.floats(-0.1, 0.1), st.sampled_from(list(Direction)))
def test_an_interval_decides_from_the_half_width_that_is_told_on(mean: float, direction: Direction) -> None:
    half = deciding_half(mean, direction, 0.01)
    if half < 1e-6:
        return

    def verdict(width: float) -> ClaimVerdict:
        return verdict_on(mean - width, mean + width, direction, 0.01)

    assert verdict(half - 1e-9) is not ClaimVerdict.INCONCLUSIVE
    assert verdict(half + 1e-9) is ClaimVerdict.INCONCLUSIVE


@given(st.floats(-0.1, 0.1), st.floats(0, 0.1), st.floats(0, 1), st.sampled_from(list(Direction)))
def test_a_narrower_interval_about_the_same_mean_turns_no_verdict(
    mean: float, half: float, share: float, direction: Direction
) -> None:
    wide = verdict_on(mean - half, mean + half, direction, 0.01)
    if wide is not ClaimVerdict.INCONCLUSIVE:
        assert verdict_on(mean - share * half, mean + share * half, direction, 0.01) is wide


def test_conditions_must_all_hold_and_data_sets_agree() -> None:
    yes, no, open_ = ClaimVerdict.SUPPORTED, ClaimVerdict.REFUTED, ClaimVerdict.INCONCLUSIVE
    assert [all_of(each) for each in ([yes, yes], [yes, open_], [open_, no], [yes, no])] == [yes, open_, no, no]
    assert [over_data(each) for each in ([yes, yes], [yes, open_], [no, no], [yes, no])] == [
        *(yes, open_, no, ClaimVerdict.DEPENDS)
    ]


def test_a_difference_has_students_interval_at_the_claims_level() -> None:
    bce, two = seeds(), seeds(key=1, mean=0.03)
    row, *_ = decided([ABOVE, replace(ABOVE, direction=Direction.WITHIN)], {"all": runs({"bce": bce, "gamma=2": two})})
    difference = np.array(two) - np.array(bce)
    low, high = stats.t.interval(1 - 0.05 / 2, 9, difference.mean(), stats.sem(difference))
    assert row.number is not None
    assert (row.number.mean, row.number.low, row.number.high) == pytest.approx((difference.mean(), low, high))
    assert (row.margin, row.scope, row.seeds) == (0.01, Scope.DRAWS, 10)


def test_a_slope_is_taken_seed_by_seed_over_parts() -> None:
    tests = {str(size): {"bce": seeds(key=size), "gamma=2": seeds(key=size + 1)} for size in (128, 512, 2048)}
    parts = {name: runs(each, positives_per_batch=int(name) * 0.01) for name, each in tests.items()}
    row, whole = decided([replace(ABOVE, slope_on=Axis.PER_BATCH, margins=0.2)], parts)
    x = np.log2([128 * 0.01, 512 * 0.01, 2048 * 0.01])
    by_part = np.array([np.array(each["gamma=2"]) - np.array(each["bce"]) for each in tests.values()])
    slopes = np.polyfit(x, by_part, 1)[0]
    assert row.number is not None
    assert row.number.mean == pytest.approx(slopes.mean())
    assert (row.number.least, row.number.most) == pytest.approx((slopes.min(), slopes.max()))
    assert row.margin == pytest.approx(0.002)
    assert (whole.data, whole.verdict) == (None, row.verdict)


def test_a_slope_on_gamma_is_taken_over_arms() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1), "gamma=5": seeds(key=2)}
    pairs = tuple(Pair((name,)) for name in tests)
    row, _ = decided([Condition(pairs, Direction.ABOVE, slope_on=Axis.GAMMA)], {"all": runs(tests)})
    slopes = np.polyfit([0, 2, 5], np.array(list(tests.values())), 1)[0]
    assert row.number is not None
    assert row.number.mean == pytest.approx(slopes.mean())


def test_parts_are_added_by_their_weights() -> None:
    tests = {key: {"bce": seeds(key=key), "gamma=2": seeds(key=key + 1)} for key in (1, 5)}
    parts = {"random": runs(tests[1]), "quota": runs(tests[5])}
    condition = replace(ABOVE, parts=("random", "quota"), weights=(-1.0, 1.0))
    row, _ = decided([condition], parts)
    interaction = (np.array(tests[5]["gamma=2"]) - tests[5]["bce"]) - (np.array(tests[1]["gamma=2"]) - tests[1]["bce"])
    assert row.number is not None
    assert row.number.mean == pytest.approx(interaction.mean())


def test_data_sets_of_one_part_each_make_one_number_where_weights_say_so() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    parts = {"easy": runs(tests), "hard": runs(tests, dataset="xor")}
    row, _ = decided([replace(ABOVE, parts=("easy", "hard"), weights=(1.0, -1.0))], parts)
    assert row.data == "mixture at 0.01, xor at 0.01"
    assert row.number is not None
    assert row.number.mean == 0
    parts |= {"rare": runs(tests, dataset="dense"), "apart": runs(tests, dataset="gaussians")}
    row, _ = decided([replace(ABOVE, parts=tuple(parts), weights=(1.0, -1.0, 1.0, -1.0))], parts)
    assert row.data == "mixture at 0.01 and 3 others"


def test_only_seeds_that_all_parts_have_are_compared() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    fewer = runs({name: values[:8] for name, values in tests.items()}, positives_per_batch=5.12)
    parts = {"128": runs(tests, positives_per_batch=1.28), "512": fewer}
    row, _ = decided([replace(ABOVE, slope_on=Axis.PER_BATCH)], parts)
    assert row.seeds == 8


def test_validation_chooses_and_the_test_does_not() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    tempting = [changed(row, lr=0.001, run_id=f"{row.settings.run_id} other", val_average_precision=0.4,
                        test_average_precision=0.99) for row in runs(tests)]  # fmt: skip
    alone = decided([ABOVE], {"all": runs(tests)})
    assert decided([ABOVE], {"all": [*runs(tests), *tempting]})[0].number == alone[0].number
    better = [changed(row, val_average_precision=0.6) for row in tempting]
    assert decided([ABOVE], {"all": [*runs(tests), *better]})[0].number != alone[0].number


def test_a_side_with_fewer_arms_takes_other_first_weights_in_equal_numbers() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1), "gamma=5": seeds(key=2)}
    condition = Condition((Pair(("gamma=2", "gamma=5"), ("bce",)),), Direction.ABOVE)
    with pytest.raises(InputError, match="more candidates"):
        decided([condition], {"all": runs(tests)}, tuned=True)
    again = [changed(row, restart=1, run_id=f"{row.settings.run_id} again", val_average_precision=0.9,
                     test_average_precision=0.7) for row in runs({"bce": tests["bce"]})]  # fmt: skip
    row, _ = decided([condition], {"all": [*runs(tests), *again]}, tuned=True)
    assert row.number is not None
    assert row.number.mean == pytest.approx(np.mean(tests["gamma=2"]) - 0.7)


def test_tables_share_rows_in_every_seed() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    rows = runs(tests, **TABLE)
    influences = sums_of(rows, 0.01)
    row, _ = decided([ABOVE], {"all": rows}, influences)
    without, _ = decided([ABOVE], {"all": rows})
    sums = np.array([np.array(influences(f"gamma=2 {s}")[0]) - influences(f"bce {s}")[0] for s in range(10)])
    assert (row.scope, without.scope) == (Scope.TABLE, Scope.THIS_TABLE)
    difference = np.array(tests["gamma=2"]) - tests["bce"]
    variance = difference.var(ddof=1)
    error = np.sqrt(variance * (1 / 10 + 0.1 * 0.6) + shared_covariance(sums))
    assert row.number is not None
    assert row.number.high is not None
    assert row.number.high - row.number.mean == pytest.approx(stats.t.ppf(0.975, 9) * error)
    margin = max(0.1 * (np.mean(tests["bce"]) - 0.01), 0.0)
    assert row.margin == pytest.approx(min(margin, 1 - np.mean(tests["bce"])))


def test_calibration_is_compared_by_logarithms() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    rows = [
        changed(row, calibration_slope=slope) for row, slope in zip(runs(tests), [0.5] * 10 + [2.0] * 10, strict=True)
    ]
    condition = Condition((TWO,), Direction.ABOVE, Measure.RAW_SLOPE, margin=0.1)
    row, _ = decided([condition], {"all": rows})
    assert row.number is not None
    assert row.number.mean == pytest.approx(np.log(4))
    with pytest.raises(InputError, match="no run has log_raw_calibration_slope"):
        decided([condition], {"all": runs(tests)})


def test_a_seed_without_the_measure_is_left_out() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    slopes = [0.5] * 10 + [2.0] * 9 + [None]
    rows = [changed(row, calibration_slope=slope) for row, slope in zip(runs(tests), slopes, strict=True)]
    row, _ = decided([Condition((TWO,), Direction.ABOVE, Measure.RAW_SLOPE, margin=0.1)], {"all": rows})
    assert row.number is not None
    assert row.seeds == 9
    assert row.number.mean == pytest.approx(np.log(4))


def test_an_earlier_end_is_that_of_the_epochs_asked_for() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    rows = [changed(row, test_average_precision_half=0.3) if row.settings.arm == "bce" else row for row in runs(tests)]
    row, _ = decided([replace(ABOVE, epochs=Epochs.HALF)], {"all": rows})
    assert row.number is not None
    assert row.number.mean == pytest.approx(np.mean(tests["gamma=2"]) - 0.3)
    whole, _ = decided([ABOVE], {"all": rows})
    assert whole.budget_limited is True


def test_what_a_number_is_compared_with_moves_the_verdict_and_not_the_number() -> None:
    rows = runs({"bce": seeds(), "gamma=2": seeds(key=1)})
    condition = Condition((Pair(("gamma=2",)),), Direction.ABOVE, than=0.4, margin=0.05)
    row, _ = decided([condition], {"all": rows})
    assert row.number is not None
    assert row.number.mean == pytest.approx(0.5, abs=0.02)
    assert row.verdict is ClaimVerdict.SUPPORTED
    (below, _) = decided([replace(condition, than=0.6)], {"all": rows})
    assert below.verdict is ClaimVerdict.REFUTED


def test_the_seeds_that_would_decide_do_so_if_the_estimate_stays() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.05, 400)
    noise = (noise - noise.mean()) / noise.std(ddof=1) * 0.05

    def verdict(count: int) -> ClaimRow:
        sample = noise[:count] - noise[:count].mean()
        sample = sample / sample.std(ddof=1) * 0.05 + 0.02
        row, _ = decided([ABOVE], {"all": runs({"bce": [0.5] * count, "gamma=2": (0.5 + sample).tolist()})})
        return row

    first = verdict(10)
    assert first.verdict is ClaimVerdict.INCONCLUSIVE
    assert first.seeds_to_decide is not None
    assert verdict(first.seeds_to_decide).verdict is ClaimVerdict.SUPPORTED
    assert verdict(first.seeds_to_decide - 1).verdict is ClaimVerdict.INCONCLUSIVE


def test_few_seeds_decide_nothing() -> None:
    rows = runs({"bce": seeds(5), "gamma=2": seeds(5, key=1, mean=0.3)})
    row, whole = decided([ABOVE], {"all": rows})
    assert (row.verdict, whole.verdict) == (ClaimVerdict.TOO_FEW, ClaimVerdict.TOO_FEW)


def test_points_and_chosen_runs_are_those_of_the_number() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    claims = Claims((("all", Experiment(arms=ARMS)),), (Claim("C", "s", "w", (ABOVE,)),))
    examined = examine(claims, [PartRuns("all", runs(tests))], no_influences)
    (point,) = point_rows(examined)
    assert (point.arms, point.part, point.x, point.weight) == ("gamma=2 minus bce", "all", None, 1.0)
    assert point.value.mean == pytest.approx(np.mean(tests["gamma=2"]) - np.mean(tests["bce"]))
    assert sorted(chosen_runs(examined)) == sorted(row.settings.run_id for row in runs(tests))


def test_a_metric_that_is_better_where_it_is_lower_has_its_sign_turned() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    rows = [
        changed(row, metric="log_loss", test_metric=test, val_metric=0.5, test_metric_half=test, val_metric_half=0.5)
        for row, test in zip(runs(tests), [*tests["bce"], *tests["gamma=2"]], strict=True)
    ]
    claim = Claim("C", "s", "w", (replace(ABOVE, margin=0.01),))
    claims = Claims((("all", Experiment(arms=ARMS, metric=Metric.parse("log_loss"))),), (claim,))
    row, _ = claim_rows(examine(claims, [PartRuns("all", rows)], no_influences))
    assert row.number is not None
    assert row.number.mean == pytest.approx(np.mean(tests["bce"]) - np.mean(tests["gamma=2"]))


def test_half_of_a_cosine_schedule_is_no_shorter_training() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    row, _ = decided([ABOVE], {"all": runs(tests, optimizer="sgd cosine")})
    assert row.budget_limited is None


def test_an_end_of_the_learning_rates_that_most_seeds_choose_is_marked() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    other = [changed(row, lr=0.1, run_id=f"{row.settings.run_id} x", val_average_precision=0.4) for row in runs(tests)]
    assert decided([ABOVE], {"all": runs(tests)})[0].at_edge is False
    assert decided([ABOVE], {"all": [*runs(tests), *other]})[0].at_edge is True


def test_the_share_of_the_bayes_score_is_of_its_own_draw() -> None:
    tests = {"bce": seeds(), "gamma=2": seeds(key=1)}
    condition = Condition((TWO,), Direction.ABOVE, Measure.OF_BAYES, margin=0.01)
    row, _ = decided([condition], {"all": runs(tests)})
    assert row.number is not None
    assert row.number.mean == pytest.approx((np.mean(tests["gamma=2"]) - np.mean(tests["bce"])) / 0.7)
