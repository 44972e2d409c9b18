"""Metrics and thresholds as people write them: read, refused in one sentence, and part of what a run is."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.toml import from_mapping
from focalbench.runs.arm import Arm
from focalbench.runs.metric import HOURS, Metric, MetricName, ThresholdAt

SMALL: dict[str, Any] = {
    "datasets": ("gaussians",),
    "positive_rates": (0.05,),
    "rows": 400,
    "seeds": 1,
    "arms": (Arm("bce"),),
}

LOG_LOSS = Metric.parse("log_loss")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("average_precision", "average_precision"),
        (" log_loss ", "log_loss"),
        ("recall_at_fpr=1%", "recall_at_fpr=0.01"),
        ("precision_at=100", "precision_at=100"),
        ("precision_at=0.5%", "precision_at=0.005"),
        ("recall_at_precision=.9", "recall_at_precision=0.9"),
        ("net_benefit=0.05", "net_benefit=0.05"),
        ("cost=1:50", "cost=1:50"),
        ("cost=0.5:1e3", "cost=0.5:1000"),
    ],
)
def test_a_metric_is_read_and_written_alike(text: str, read: str) -> None:
    found = Metric.parse(text)
    assert str(found) == read
    assert Metric.parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("auc", "unknown `metric` 'auc'; choose one of average_precision, recall_at_fpr=F"),
        ("", "unknown `metric`"),
        ("average_precision=1", "is written average_precision, got"),
        ("recall_at_fpr", "is written recall_at_fpr=F"),
        *((f"recall_at_fpr={f}", "F of recall_at_fpr must lie between 0 and 1") for f in ("0", "1", "-0.1", "200%")),
        *((f"recall_at_fpr={f}", "takes a number") for f in ("", "nan", "inf", "low")),
        *((f"precision_at={k}", "K of precision_at is a number of rows") for k in ("0", "-3", "2.5", "100%")),
        *((f"cost={c}", "a cost is FP:FN") for c in ("", "1", "1:2:3", "a:b")),
        *((f"cost={c}", "must be above 0") for c in ("0:1", "1:0", "-1:5", "1:inf", "nan:1", "1e308:1e308")),
    ],
)
def test_a_metric_that_is_none_is_refused_in_one_sentence(text: str, why: str) -> None:
    with pytest.raises(InputError) as found:
        Metric.parse(text)
    assert why in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("cost=1:50", "cost=1:50"),
        ("capacity=50/day", "capacity=50/day"),
        ("capacity=1.5/hour", "capacity=1.5/hour"),
        ("capacity=2%", "capacity=0.02"),
        ("precision=0.8", "precision=0.8"),
        ("recall=100%", "recall=1"),
    ],
)
def test_a_threshold_is_read_and_written_alike(text: str, read: str) -> None:
    found = ThresholdAt.parse(text)
    assert str(found) == read
    assert ThresholdAt.parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("f1=0.5", "unknown `threshold_at` 'f1=0.5'; write cost=FP:FN, capacity=N/day"),
        ("capacity=50", "a share of the rows below 1, such as 1%, or alerts a unit of time"),
        ("capacity=100%", "a share of the rows below 1"),
        ("capacity=50/fortnight", "for each hour, day, week, month, year"),
        ("capacity=0/day", "a number above 0"),
        ("recall=0", "must lie between 0 and 1"),
        ("precision=1", "must lie between 0 and 1"),
        ("precision=0.5/day", "a capacity is a number"),
        ("recall=most", "takes a number"),
        ("cost=1:-1", "must be above 0"),
    ],
)
def test_a_threshold_that_is_none_is_refused_in_one_sentence(text: str, why: str) -> None:
    with pytest.raises(InputError) as found:
        ThresholdAt.parse(text)
    assert why in str(found.value)


@given(st.sampled_from(MetricName), st.floats(0.001, 0.9), st.floats(0.001, 0.9))
def test_without_skill_no_metric_is_better_than_knowing_all(name: MetricName, value: float, prevalence: float) -> None:
    text = {MetricName.COST: "cost=1:7", MetricName.AVERAGE_PRECISION: "average_precision"}
    metric = Metric.parse(text.get(name, "log_loss" if name is MetricName.LOG_LOSS else f"{name}={value}"))
    without = metric.without_skill(prevalence)
    best = 0.0 if metric.lower_is_better else prevalence if name is MetricName.NET_BENEFIT else 1.0
    assert math.isfinite(without)
    assert (without > best) if metric.lower_is_better else (0 <= without <= best)


def test_costs_of_no_skill_are_those_of_flagging_nothing_or_all() -> None:
    assert Metric.parse("cost=1:50").without_skill(0.001) == pytest.approx(50)  # 1 of 1,000 missed
    assert Metric.parse("cost=1:5000").without_skill(0.001) == pytest.approx(999)  # 999 of 1,000 flagged in vain


def test_a_file_says_them_as_texts() -> None:
    found = from_mapping({"metric": "cost=1:50", "threshold_at": "recall=0.5"}, None, "e.toml")
    assert (str(found.metric), str(found.threshold_at)) == ("cost=1:50", "recall=0.5")


def test_both_are_part_of_what_a_run_is_and_the_usual_ones_change_nothing() -> None:
    plain = make_plan(Experiment(**SMALL))
    same = make_plan(Experiment(**SMALL, metric=Metric.parse("average_precision")))
    ids = [run.run_id for run in plain.runs]
    assert [run.run_id for run in same.runs] == ids
    others: list[dict[str, Any]] = [
        {"metric": Metric.parse("log_loss")},
        {"threshold_at": ThresholdAt.parse("recall=0.5")},
    ]
    for other in others:
        assert not set(ids) & {run.run_id for run in make_plan(Experiment(**SMALL, **other)).runs}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"metric": Metric.parse("precision_at=10000000")}, "looks at more rows than the"),
        ({"threshold_at": ThresholdAt.parse("capacity=50/day")}, "needs `time`, a column of dates"),
        (
            {"metric": Metric.parse("log_loss"), "task": "multiclass", "datasets": ("rare-class",)},
            "are for `task=binary`",
        ),
        ({"margin": 1.5}, "above 0 and below 1; got 1.5"),
        ({"metric": Metric.parse("cost=1:50"), "margin": -2.0}, "a difference in cost, above 0; got"),
    ],
)
def test_what_cannot_be_measured_is_refused_when_planned(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError) as found:
        make_plan(Experiment(**(SMALL | {"arms": ()} | settings)))
    assert why in str(found.value)


def test_a_margin_of_a_cost_may_be_any_number_above_0() -> None:
    assert Experiment(**SMALL, metric=Metric.parse("cost=1:50"), margin=12.0).margin == 12.0


def test_units_of_time_are_in_hours() -> None:
    assert HOURS["day"] * 7 == HOURS["week"]
    assert HOURS["month"] * 12 == HOURS["year"]
