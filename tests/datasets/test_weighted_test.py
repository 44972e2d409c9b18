"""A test whose positives are weighted to the rate: how many there are, what they weigh, and what is left as it was."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score

from focalbench.datasets.build import _pools, _split_rows, build_splits, load_table, resolve, split_counts
from focalbench.datasets.dataset import Counts, Dataset, Splits
from focalbench.datasets.prevalence import positive_parts, synthetic_counts, table_counts, weighted_rate
from focalbench.datasets.synthetic.mixtures import log_likelihood_ratio, mixture
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.toml import from_mapping
from focalbench.runs.arm import Arm
from focalbench.runs.columns import Columns
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.stack import run_stack

THIN = Recipe("mixture", 1500, 0.02)  # 200 positives in 9,988 test rows
WEIGHT = replace(THIN, test_prevalence="weight")


def rows_of(part: Dataset, label: int) -> set[bytes]:
    return {row.tobytes() for row in part.features[part.targets == label]}


def parts_of(splits: Splits) -> tuple[Dataset, ...]:
    return splits.train, splits.validation, splits.test


# ---- synthetic data


@settings(max_examples=40)
@given(st.floats(0.0005, 0.9), st.integers(1, 100_000), st.sampled_from([0.0, 0.1, 0.45]))
@example(0.0015, 40_000, 0.1)
@example(0.05, 40_000, 0.0)  # 2,000 positives by themselves
@example(0.6, 1000, 0.45)  # of 400 negatives fewer than 45% of 2,000
def test_a_synthetic_test_has_2000_positives_beside_the_negatives_it_had(rate: float, rows: int, noise: float) -> None:
    recipe = Recipe("mixture", rows, rate, noise)
    try:
        thin = synthetic_counts(recipe)
    except InputError:
        with pytest.raises(InputError):
            synthetic_counts(replace(recipe, test_prevalence="weight"))
        return
    weighted = synthetic_counts(replace(recipe, test_prevalence="weight"))
    assert weighted.each[:2] == thin.each[:2]
    assert (weighted.test.positives, weighted.test.negatives) == (max(thin.test.positives, 2000), thin.test.negatives)
    assert weighted.weighted == (thin.test.positives < 2000)
    assert weighted.weighted or weighted == thin


def test_at_the_usual_rate_a_hundredth_more_rows_are_drawn() -> None:
    thin, weighted = (
        synthetic_counts(Recipe("mixture", 40_000, 0.0015, test_prevalence=how)).test for how in ("thin", "weight")
    )
    assert (thin, weighted) == (Counts(133_000, 200), Counts(134_800, 2000))


@pytest.mark.parametrize("family", ["mixture", "gaussians", "xor", "mixture:tails=3"])
def test_more_positives_join_the_rows_that_are_drawn_anyway(family: str) -> None:
    thin, weighted = (build_splits(replace(recipe, dataset=family), 3) for recipe in (THIN, WEIGHT))
    for mine, theirs in zip(parts_of(thin)[:2], parts_of(weighted)[:2], strict=True):
        np.testing.assert_array_equal(mine.features, theirs.features)
        np.testing.assert_array_equal(mine.targets, theirs.targets)
        assert mine.weights is theirs.weights is None
    assert rows_of(thin.test, 0) == rows_of(weighted.test, 0)
    assert rows_of(thin.test, 1) < rows_of(weighted.test, 1)
    assert weighted.test.weights is not None
    np.testing.assert_array_equal(weighted.test.weights[weighted.test.targets == 0], 1)
    assert weighted.test.prevalence == pytest.approx(0.02, rel=1e-12)


def test_the_bayes_log_odds_are_those_of_the_weighted_rows() -> None:
    test = build_splits(WEIGHT, 0).test
    assert test.bayes_logits is not None
    assert test.weights is not None
    ratio = log_likelihood_ratio(mixture("mixture"), test.features)
    np.testing.assert_allclose(test.bayes_logits, ratio + logit(0.02), rtol=1e-12, atol=1e-12)
    expected, found = test.weights @ expit(test.bayes_logits), test.weights @ test.targets
    assert expected == pytest.approx(found, rel=0.1)  # with the odds of the rows drawn, four times as many


def test_the_ceiling_estimates_that_at_the_rate_with_less_spread() -> None:
    recipe = Recipe("gaussians", 1500, 0.02)
    found: dict[str, list[float]] = {"thin": [], "weight": []}
    for how, seed in ((how, seed) for how in found for seed in range(12)):
        test = build_splits(replace(recipe, test_prevalence=how), seed).test  # type: ignore[arg-type]
        found[how].append(average_precision_score(test.targets, test.bayes_logits, sample_weight=test.weights))
    thin, weighted = found["thin"], found["weight"]
    error = math.hypot(np.std(thin, ddof=1), np.std(weighted, ddof=1)) / math.sqrt(12)
    assert abs(np.mean(weighted) - np.mean(thin)) < 4 * error
    assert np.std(weighted) < np.std(thin)


def test_a_run_says_the_rate_and_reports_every_metric() -> None:
    outcome = run_stack((Run(WEIGHT, Training(hidden=(4,), epochs=1), Arm("bce"), 0.01, 0),))[0].outcome
    test = build_splits(WEIGHT, 0).test
    ceiling = average_precision_score(test.targets, test.bayes_logits, sample_weight=test.weights)
    assert outcome.bayes_average_precision == pytest.approx(ceiling)
    assert outcome.test_prevalence == 0.02
    assert None not in (outcome.scores.r_precision, outcome.scores.recall_at_fpr, outcome.scores.mcc_at_prevalence)
    assert outcome.k is None


# ---- label noise


@settings(max_examples=30, deadline=None)
@given(st.floats(0.02, 0.3), st.sampled_from([0.013, 0.2, 0.49]), st.integers(0, 5))
def test_swapped_labels_keep_the_weighted_rate(rate: float, noise: float, seed: int) -> None:
    splits = build_splits(Recipe("gaussians", 1100, rate, noise, test_prevalence="weight"), seed)
    for part in parts_of(splits)[:2]:
        assert part.positives == round(rate * 1100)  # by rows
    test, noisy = splits.test, splits.noisy_test_targets
    assert test.weights is not None
    assert noisy is not None
    heavier = 0.5 * max(1.0, *test.weights)  # half of the heaviest row: both numbers of rows are rounded
    assert test.weights @ test.targets == pytest.approx(rate * test.weights.sum())  # the labels of the test are clean
    assert abs(test.weights @ noisy - test.weights @ test.targets) <= 2 * heavier
    swapped = noisy != test.targets
    assert np.count_nonzero(swapped & (test.targets == 1)) == round(noise * test.positives)
    assert np.count_nonzero(swapped & (test.targets == 0)) > 0


def test_average_precision_on_noisy_labels_is_weighted() -> None:
    """A run that diverges scores every row alike: what it reaches is the share of the labels, by weight."""
    runs = [Run(replace(WEIGHT, label_noise=noise), Training(hidden=(4,), epochs=1), Arm("bce"), 1e30, 0)
            for noise in (0.0, 0.2)]  # fmt: skip
    clean, noisy = (run_stack((run,))[0].outcome for run in runs)
    assert clean.status == noisy.status == "diverged"
    assert clean.scores.noisy_test_average_precision is None
    assert noisy.test_average_precision == pytest.approx(0.02)
    assert noisy.scores.noisy_test_average_precision == pytest.approx(0.02, abs=1e-4)


# ---- tables


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """600 positives in 6,000 rows; 60 groups, 100 days, and many rows that are equal in x and z, none in u as well."""
    rng = np.random.default_rng(5)
    y = rng.permutation(np.arange(6000) < 600).astype(int)
    x, z, u = rng.normal(y, 1).round(1), rng.integers(0, 50, 6000), rng.permutation(6000)
    columns = (x, z, u, np.arange(6000) // 100, np.arange(6000) // 60, y)
    path = tmp_path_factory.mktemp("weighted") / "d.csv"
    np.savetxt(path, np.column_stack(columns), "%g", ",", header="x,z,u,g,t,y", comments="")
    return str(path)


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {"drop": ("g", "t")},
    "equal rows": {"drop": ("g", "t", "u")},
    "groups": {"group": "g", "drop": ("t", "u")},
    "time": {"time": "t", "drop": ("g", "u")},
}


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_table_keeps_every_row_that_is_left_for_the_test(file: str, options: dict[str, Any], rate: float) -> None:
    thin = resolve(Recipe(file, 1000, rate, columns=Columns(target="y", **options)))
    weight = replace(thin, test_prevalence="weight")
    few, all_rows = (_split_rows(load_table(recipe), recipe, 1) for recipe in (thin, weight))
    for mine, theirs in zip(few[:2], all_rows[:2], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert set(few[2]) <= set(all_rows[2])
    splits = build_splits(weight, 1)
    counts = split_counts(weight, 1)
    assert [(part.rows, part.positives) for part in counts.each] == [
        (part.rows, part.positives) for part in parts_of(splits)
    ]
    assert splits.test.prevalence == pytest.approx(rate)
    table = load_table(weight)
    if (pools := _pools(table, weight, 1)) is not None:  # all that no other split may take
        np.testing.assert_array_equal(all_rows[2], pools[2])
        return
    parts = positive_parts(weight, table.rows, table.positives)
    negatives = table.rows - table.positives - counts.train.negatives - counts.validation.negatives
    assert (counts.test.positives, counts.test.negatives) == (parts[2], negatives)


def test_noise_and_weights_go_together_on_a_table(file: str) -> None:
    recipe = resolve(
        Recipe(file, 1000, 0.03, 0.2, columns=Columns(target="y", **OPTIONS["groups"]), test_prevalence="weight")
    )
    splits = build_splits(recipe, 0)
    test, noisy = splits.test, splits.noisy_test_targets
    assert test.weights is not None
    assert noisy is not None
    assert test.weights @ noisy == pytest.approx(test.weights @ test.targets, abs=1)
    assert np.count_nonzero(noisy[test.targets == 1] == 0) == round(0.2 * test.positives)
    swapped = np.count_nonzero(noisy[test.targets == 0] == 1)
    assert swapped == round(0.2 * test.weights[test.targets == 1].sum()) < round(0.2 * test.positives)


@given(st.floats(0.02, 0.6), st.integers(100, 3000), st.integers(300, 20_000), st.sampled_from([0.0, 0.3, 0.49]))
def test_a_rate_can_be_had_with_weights_where_it_can_without(
    rate: float, positives: int, negatives: int, noise: float
) -> None:
    """But for a thinned test of fewer than 20 positives or too few negatives to swap with."""
    recipe = Recipe("file", 2000, rate, noise)
    try:
        thin = table_counts(recipe, positives + negatives, positives)
    except InputError:
        return
    weighted = table_counts(replace(recipe, test_prevalence="weight"), positives + negatives, positives)
    assert weighted.each[:2] == thin.each[:2]
    assert weighted.test.positives >= thin.test.positives
    assert weighted.test.negatives >= thin.test.negatives


# ---- where there is nothing to weight

NOTHING: dict[str, dict[str, Any]] = {
    "natural rate": {"datasets": ["d.csv"], "target": "y", "positive_rates": ["natural"], "drop": ["g", "t", "u"]},
    "classes": {"task": "multiclass", "datasets": ["rare-class"], "positive_rates": [0.02]},
    "labels": {"task": "multilabel", "datasets": ["labels"], "positive_rates": [0.02]},
    "dense": {"datasets": ["dense"], "positive_rates": [0.004]},
    "2,000 positives": {"datasets": ["mixture"], "positive_rates": [0.4]},
}
SMALL = {"rows": 6000, "seeds": 1, "lrs": [0.01], "epochs": 1, "hidden": [4], "references": False}


@pytest.mark.parametrize("name", NOTHING)
def test_where_there_is_nothing_to_weight_runs_are_those_of_thin(
    name: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(file).parent)
    usual, thin, weight = (
        make_plan(from_mapping(SMALL | NOTHING[name] | how, None, "here"))
        for how in ({}, {"test_prevalence": "thin"}, {"test_prevalence": "weight"})
    )
    assert usual == thin == weight
    assert {run.recipe.test_prevalence for run in usual.runs} == {"thin"}
    raw = replace(usual.runs[0].recipe, test_prevalence="weight")
    assert weighted_rate(raw) is None
    assert build_splits(raw, 0).sha256 == build_splits(usual.runs[0].recipe, 0).sha256


@pytest.mark.parametrize("data", [{}, {"datasets": ["d.csv"], "target": "y", "drop": ["g", "t", "u"]}])
def test_elsewhere_weights_are_the_default_and_runs_of_their_own(
    data: dict[str, Any], file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(file).parent)
    assert Experiment().test_prevalence == "weight"
    usual, thin = (
        make_plan(from_mapping(SMALL | {"positive_rates": [0.05]} | data | how, None, "here")).runs
        for how in ({}, {"test_prevalence": "thin"})
    )
    assert {run.recipe.test_prevalence for run in usual} == {"weight"}
    assert not {run.run_id for run in usual} & {run.run_id for run in thin}
