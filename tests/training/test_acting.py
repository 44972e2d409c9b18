"""Metrics at thresholds, from a run's scores to what is kept: against scikit-learn, and by definition."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import confusion_matrix, log_loss, precision_score, recall_score

from focalbench.datasets import build_splits, resolve
from focalbench.datasets.build import build_parts
from focalbench.datasets.capacity import flagged_share
from focalbench.metrics.influence import BUCKETS, Floats, Integers, bucket_of
from focalbench.runs.arm import Arm
from focalbench.runs.columns import Columns
from focalbench.runs.metric import Metric, ThresholdAt
from focalbench.runs.result import Result
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.acting import (
    Measurable,
    choose_threshold,
    flagged_by,
    operating,
    operating_sums,
    sums_of,
    value_on,
)
from focalbench.training.references import BOOSTING, LOGISTIC
from focalbench.training.stack import run_stack

METRICS = (
    "recall_at_fpr=0.05",
    "precision_at=60",
    "precision_at=2%",
    "recall_at_precision=0.5",
    "net_benefit=0.1",
    "cost=1:20",
    "log_loss",
    "average_precision",
)
AIMS = ("cost=1:20", "capacity=3%", "precision=0.5", "recall=0.6")


def example(seed: int, n: int = 2000, positives: int = 120, weights: bool = False) -> Measurable:
    rng = np.random.default_rng(seed)
    positive = rng.permutation(np.arange(n) < positives)
    scores = torch.from_numpy(rng.normal(size=n) + 2 * positive - 2)
    mass = torch.from_numpy(rng.choice([0.5, 1.0, 2.0], n)) if weights else None
    return Measurable(scores, scores.numpy() * 0.9 - 0.3, torch.from_numpy(positive.astype(np.int8)), mass)


def with_flags(rows: Measurable, threshold: float = 0.0) -> Measurable:
    return replace(rows, flagged=flagged_by(rows.scores, threshold))


@pytest.mark.parametrize("weights", [False, True])
def test_values_are_scikit_learns(weights: bool) -> None:
    rows = with_flags(example(0, weights=weights))
    assert rows.recovered is not None
    assert rows.flagged is not None
    mass, positive = rows.mass, rows.positive
    probability = 1 / (1 + np.exp(-rows.recovered))
    found = value_on(Metric.parse("log_loss"), rows, 2000)
    assert found == pytest.approx(log_loss(positive, probability, sample_weight=mass), rel=1e-9)
    (_, alarms), (misses, _) = confusion_matrix(positive, rows.flagged, sample_weight=mass)
    assert value_on(Metric.parse("cost=1:20"), rows, 2000) == pytest.approx(1000 * (alarms + 20 * misses) / mass.sum())
    (_, alarms), (_, hits) = confusion_matrix(positive, probability >= 0.1, sample_weight=mass)
    benefit = (hits - alarms * 0.1 / 0.9) / mass.sum()
    assert value_on(Metric.parse("net_benefit=0.1"), rows, 2000) == pytest.approx(benefit)


def test_without_an_inverse_probabilities_are_those_of_the_scores() -> None:
    rows = example(1)
    raw = replace(rows, recovered=rows.scores.numpy())
    for gone in (None, np.full(2000, np.nan)):
        found = value_on(Metric.parse("log_loss"), replace(rows, recovered=gone), 2000)
        assert found == value_on(Metric.parse("log_loss"), raw, 2000)


def test_a_number_of_test_rows_is_the_same_share_of_validation() -> None:
    rows, count = example(2), Metric.parse("precision_at=60")
    share = value_on(Metric.parse("precision_at=3%"), rows, 2000)
    assert value_on(count, rows, 2000) == pytest.approx(share)
    assert value_on(count, rows, 4000) == pytest.approx(value_on(Metric.parse("precision_at=1.5%"), rows, 2000))


# ---- thresholds


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_threshold_does_on_its_rows_what_it_was_chosen_for(seed: int, weights: bool) -> None:
    rows = example(seed, weights=weights)
    by_aim = {}
    for text in AIMS:
        at = ThresholdAt.parse(text)
        threshold = choose_threshold(at, rows, at.value)
        by_aim[text] = operating(rows, flagged_by(rows.scores, threshold), threshold, at.costs)
        nearby = [
            operating(rows, flagged_by(rows.scores, float(other)), float(other), at.costs) for other in rows.scores
        ]
        if at.costs is not None:
            assert by_aim[text].cost == pytest.approx(min(each.cost or 0.0 for each in nearby))
    assert by_aim["capacity=3%"].alerts <= 30 + 1e-9
    assert by_aim["capacity=3%"].alerts > 25
    assert 0.6 <= by_aim["recall=0.6"].recall < 0.65
    assert (by_aim["precision=0.5"].precision or 0.0) >= 0.5 - 1e-9
    assert by_aim["precision=0.5"].recall == pytest.approx(value_on(Metric.parse("recall_at_precision=0.5"), rows, 1))


def test_where_nothing_is_worth_it_nothing_is_flagged() -> None:
    rows = example(0)
    upside_down = replace(rows, scores=-rows.scores.abs() * (2.0 * rows.targets - 1))
    for text in ("precision=0.99", "cost=1000:1"):
        at = ThresholdAt.parse(text)
        threshold = choose_threshold(at, upside_down, None)
        found = operating(upside_down, flagged_by(upside_down.scores, threshold), threshold, at.costs)
        assert (found.threshold, found.precision, found.recall, found.alerts) == (None, None, 0.0, 0.0)
    tied = replace(rows, scores=torch.zeros(2000))
    assert choose_threshold(ThresholdAt.parse("capacity=3%"), tied, 0.03) == np.inf


@pytest.mark.parametrize("weights", [False, True])
def test_rates_are_scikit_learns(weights: bool) -> None:
    rows = example(4, weights=weights)
    flagged = flagged_by(rows.scores, 0.1)
    found = operating(rows, flagged, 0.1, Metric.parse("cost=2:30").costs)
    asked = {"sample_weight": rows.mass}
    assert found.precision == pytest.approx(precision_score(rows.positive, flagged, **asked))
    assert found.recall == pytest.approx(recall_score(rows.positive, flagged, **asked))
    assert found.false_positive_rate == pytest.approx(1 - recall_score(~rows.positive, ~flagged, **asked))
    assert found.alerts == pytest.approx(1000 * np.average(flagged, weights=rows.mass))
    assert found.cost == pytest.approx(value_on(Metric.parse("cost=2:30"), replace(rows, flagged=flagged), 2000))


# ---- what buckets of rows do


def without_bucket(rows: Measurable, bucket: Integers, which: int, own: bool) -> tuple[Measurable, float]:
    """The rows without those of one class in a bucket, for which the others stand in; and the share that is left."""
    members = rows.positive if own else ~rows.positive
    mass, gone = rows.mass.copy(), members & (bucket == which)
    left = 1 - mass[gone].sum() / mass[members].sum()
    mass[members] /= left
    keep = ~gone
    kept = Measurable(
        rows.scores[keep],
        None if rows.recovered is None else rows.recovered[keep],
        rows.targets[keep],
        torch.from_numpy(mass[keep]),
        None if rows.flagged is None else rows.flagged[keep],
    )
    return kept, left


@pytest.mark.parametrize("text", METRICS[:-1])
def test_the_sums_are_what_is_lost_without_each_bucket(text: str) -> None:
    metric, rows = Metric.parse(text), with_flags(example(3, 1500, 100))
    if text == "precision_at=2%":
        metric = Metric.parse("precision_at=30")  # as many rows, whatever is left out
    units = np.random.default_rng(0).integers(0, 10**9, 1500)
    found, bucket = sums_of(metric, rows, units), bucket_of(units)
    whole, expected = value_on(metric, rows, 1500), np.zeros(BUCKETS)
    for own in (True, False):
        parts = np.zeros(BUCKETS)
        members = rows.positive if own else ~rows.positive
        share = np.bincount(bucket[members], minlength=BUCKETS) / members.sum()
        for which in np.flatnonzero(share).tolist():
            kept, left = without_bucket(rows, bucket, which, own)
            parts[which] = left * (whole - value_on(metric, kept, 1500))
        expected += parts - share * parts.sum()
    assert np.abs(expected).max() > 1e-5
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_sums_of_rates_are_those_of_recall_and_of_the_false_positive_rate() -> None:
    rows, units = example(6), np.random.default_rng(1).integers(0, 10**9, 2000)
    flagged = flagged_by(rows.scores, 0.2)
    of_recall, of_rate = operating_sums(rows, flagged, units)
    costs = Metric.parse("cost=3:40")
    of_cost = sums_of(costs, replace(rows, flagged=flagged), units)
    share = rows.positive.mean()
    assert of_cost == pytest.approx(1000 * (3 * (1 - share) * of_rate - 40 * share * of_recall), abs=1e-9)


# ---- whole runs

RECIPE = Recipe("gaussians", rows=1500, positive_rate=0.05)
TRAINING = Training(hidden=(8,), epochs=4, batch_size=128)
ARMS = (Arm("bce"), Arm("focal", gamma=2.0), Arm("pos_weight"))


def results(training: Training, recipe: Recipe = RECIPE) -> list[Result]:
    return run_stack(tuple(Run(recipe, training, arm, 0.01, 0) for arm in ARMS))


def test_validation_chooses_by_the_metric_and_nothing_else_moves() -> None:
    plain = results(TRAINING)
    chosen = {}
    for text in METRICS[:-1]:
        found = results(replace(TRAINING, metric=Metric.parse(text)))
        for result, before in zip(found, plain, strict=True):
            by = result.outcome.by_metric
            assert by is not None
            assert by.val is not None
            assert result.curves.validation == before.curves.validation
            if result.outcome.epoch == before.outcome.epoch:
                assert result.outcome.test_average_precision == before.outcome.test_average_precision
        chosen[text] = [result.outcome.epoch for result in found]
    assert len({tuple(epochs) for epochs in chosen.values()}) > 1  # metrics do not agree on the epoch
    assert all(result.outcome.by_metric is None for result in plain)


@pytest.mark.parametrize("text", ["log_loss", "cost=1:20"])
def test_a_lower_loss_or_cost_is_chosen(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from focalbench.training import loop

    seen: list[Floats] = []
    plain = loop.metric_values

    def watched(*asked: object) -> Floats:
        seen.append(plain(*asked))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(loop, "metric_values", watched)
    found = results(replace(TRAINING, metric=Metric.parse(text)))
    values = np.array(seen)  # (epoch, run)
    assert [result.outcome.epoch for result in found] == (values.argmin(axis=0) + 1).tolist()
    reached = [result.outcome.by_metric.val for result in found if result.outcome.by_metric]
    assert reached == values.min(axis=0).tolist()


@pytest.mark.parametrize("model", [LOGISTIC, BOOSTING])
@pytest.mark.parametrize("text", ["log_loss", "recall_at_fpr=0.05"])
def test_references_are_chosen_by_it_too(model: str, text: str) -> None:
    asked = Training(
        model=model, hidden=(), epochs=0, metric=Metric.parse(text), threshold_at=ThresholdAt.parse("recall=0.5")
    )
    (result,) = run_stack((Run(RECIPE, asked, Arm("bce"), 0.0, 0),))
    by = result.outcome.by_metric
    assert by is not None
    assert by.val is not None
    assert result.outcome.operating is not None
    assert 0.2 < result.outcome.operating.recall < 0.8


@pytest.mark.parametrize("aim", AIMS)
def test_the_threshold_comes_from_validation(aim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other test rows leave the threshold as it is."""
    from focalbench.training import stack

    training = replace(TRAINING, threshold_at=ThresholdAt.parse(aim))
    (plain, *_) = results(training)
    splits = build_splits(RECIPE, 0)
    half = replace(
        splits,
        test=replace(
            splits.test,
            features=splits.test.features[::2],
            targets=splits.test.targets[::2],
            bayes_logits=None,
            weights=None,
        ),
    )
    monkeypatch.setattr(stack, "_folds", lambda *_: [half])
    (other, *_) = results(training)
    assert plain.outcome.operating is not None
    assert other.outcome.operating is not None
    assert plain.outcome.operating.threshold == other.outcome.operating.threshold
    assert plain.outcome.operating != other.outcome.operating


def test_folds_flag_each_by_a_threshold_of_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 3)), columns=list("abc")).assign(
        y=(np.arange(400) % 10 == 0).astype(int)
    )
    frame["a"] += 2 * frame["y"]
    frame.to_csv(tmp_path / "few.csv", index=False)
    recipe = resolve(Recipe("few.csv", 400, columns=Columns("y"), path=str(tmp_path / "few.csv"), folds=5))
    asked = replace(TRAINING, metric=Metric.parse("cost=1:9"), threshold_at=ThresholdAt.parse("recall=0.7"))
    found = results(asked, recipe)
    test = np.concatenate([part.test.targets for part in build_parts(recipe, 0)])
    for result in found:
        outcome = result.outcome
        assert (outcome.sizes.test_rows, outcome.sizes.test_positives) == (len(test), int(test.sum()))
        assert outcome.operating is not None
        assert 0.4 < outcome.operating.recall < 0.95
        assert outcome.operating.cost is not None
        assert outcome.by_metric is not None
        assert 0 < outcome.by_metric.test < 1000
        assert len(result.influences) == 4  # average precision, cost, recall, false positive rate
        assert all(abs(sum(sums)) < 1e-1 for sums in result.influences)


def test_a_capacity_is_a_share_of_the_days_rows(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=30).repeat(100)
    frame = pd.DataFrame({"day": days.date, "x": np.arange(3000) % 7, "y": (np.arange(3000) % 10 == 0).astype(int)})
    frame.to_csv(tmp_path / "d.csv", index=False)
    recipe = resolve(Recipe("d.csv", 400, columns=Columns("y", time="day"), path=str(tmp_path / "d.csv")))
    shares = [flagged_share(recipe, ThresholdAt.parse(f"capacity={text}")) for text in ("5/day", "35/week", "5%")]
    assert shares == pytest.approx([0.05] * 3)
