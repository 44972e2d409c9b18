"""Every sampler: which rows an epoch holds, how many positives a batch, the same for every arm of a seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalbench.datasets.build import build_splits
from focalbench.datasets.dataset import Dataset
from focalbench.errors import InputError
from focalbench.runs.arm import Arm
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.samplers import Order, check_sampler, hard_negatives, orders, weighs_rows, weights_back
from focalbench.training.stack import drawn_counts, run_stack

EVERY = ("random", "stratified", "balanced", "quota:3", "hard")


def rows_with(positives: int, negatives: int, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(positives + negatives) < positives).astype(np.int8)
    features = rng.standard_normal((len(targets), 2)).astype(np.float32)
    features[:, 0] += 2 * targets
    return Dataset(features, targets)


def batches(order: Order, size: int) -> list[Order]:
    return [order[start : start + size] for start in range(0, len(order), size)]


@given(st.sampled_from(["random", "stratified", "hard"]), st.integers(1, 60), st.integers(2, 400), st.integers(1, 64))
def test_these_draw_every_row_once_an_epoch(sampler: str, positives: int, negatives: int, size: int) -> None:
    train = rows_with(positives, negatives)
    drawn = orders(sampler, train, size, 2, 0, "k")
    assert all(sorted(order) == list(range(train.rows)) for order in drawn)
    assert drawn_counts(train, drawn) == ((positives, negatives),)


@given(st.integers(1, 60), st.integers(60, 400), st.integers(2, 64))
def test_stratified_batches_differ_by_one_positive_at_most(positives: int, negatives: int, size: int) -> None:
    train = rows_with(positives, negatives)
    for order in orders("stratified", train, size, 2, 0, "k"):
        counts = [int(train.targets[batch].sum()) for batch in batches(order, size) if len(batch) == size]
        expected = size * positives / train.rows
        assert all(abs(count - expected) < 1 + 1e-9 for count in counts)


@given(st.sampled_from(["balanced", "quota:3", "quota:1"]), st.integers(1, 60), st.integers(2, 400), st.integers(8, 64))
def test_quota_batches_hold_their_positives_and_an_epoch_all_negatives(
    sampler: str, positives: int, negatives: int, size: int
) -> None:
    train = rows_with(positives, negatives)
    quota = size // 2 if sampler == "balanced" else int(sampler[-1])
    drawn = orders(sampler, train, size, 3, 0, "k")
    for order in drawn:
        *full, last = batches(order, size)
        assert all(train.targets[batch].sum() == quota for batch in full)
        assert 1 <= train.targets[last].sum() <= quota
        assert sorted(order[train.targets[order] == 0]) == np.flatnonzero(train.targets == 0).tolist()
    times = np.bincount(np.concatenate(drawn), minlength=train.rows)[train.targets == 1]
    assert times.max() - times.min() <= 1  # none twice more than another


def test_hard_batches_are_half_from_the_pool_while_it_lasts() -> None:
    train = rows_with(20, 2000)
    pool = hard_negatives(train)
    assert len(pool) == 200
    assert train.features[pool, 0].mean() > train.features[train.targets == 0, 0].mean() + 1
    (order,) = orders("hard", train, 100, 1, 0, "k")
    negatives = [row for row in order if train.targets[row] == 0]
    from_pool = [np.isin(negatives[start : start + 100], pool).sum() for start in range(0, 2000, 100)]
    assert from_pool == [50] * 4 + [0] * 16


@pytest.mark.parametrize("sampler", EVERY)
def test_the_draw_hangs_on_the_seed_alone(sampler: str) -> None:
    train = rows_with(30, 300)
    first, again, other = (np.concatenate(orders(sampler, train, 32, 2, seed, "k")) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    one, two = orders(sampler, train, 32, 2, 0, "k")
    assert not np.array_equal(one, two)


@pytest.mark.parametrize(
    "sampler", ["quota", "quota:", "quota:0", "quota:64", "quota:-1", "quota:x", "nope", "quota:K"]
)
def test_unknown_samplers_are_refused(sampler: str) -> None:
    with pytest.raises(InputError, match="sampler"):
        check_sampler(sampler, 64)


def test_one_sampler_has_one_name() -> None:
    names = {name: check_sampler(name, 64) for name in ("quota:08", "quota:32", "balanced", "random", "groups")}
    assert names == {"quota:08": "quota:8", "quota:32": "balanced", "balanced": "balanced"} | {
        name: name for name in ("random", "groups")
    }
    with pytest.raises(InputError, match="needs 1 to 0 positives"):
        check_sampler("balanced", 1)


@pytest.mark.parametrize("sampler", [*EVERY, "weighted-quota:3"])
def test_probabilities_are_recovered_whatever_rate_the_sampler_trains_at(sampler: str) -> None:
    recipe = Recipe("gaussians", rows=3000, positive_rate=0.02)
    training = Training(hidden=(8,), epochs=6, batch_size=128, sampler=sampler)
    arms = (Arm("bce"), Arm("pos_weight"), Arm("focal", gamma=2.0))
    results = run_stack(tuple(Run(recipe, training, arm, 0.01, 0) for arm in arms))
    ratios = [float(result.outcome.scores.recovered.expected_observed or 0) for result in results]
    assert ratios == pytest.approx(
        [1] * 3, abs=0.5
    )  # a small model; balanced batches, taken at their word, expect 25 times too many
    splits = build_splits(recipe, 0)
    drawn = orders(sampler, splits.train, 128, 6, 0, recipe.key)
    positives = [splits.train.targets[batch].sum() for order in drawn for batch in batches(order, 128)]
    assert results[0].outcome.scores.positives_per_batch == pytest.approx(np.mean(positives))
    assert results[0].outcome.scores.batches_without_positives == pytest.approx(np.mean(np.array(positives) == 0))


def test_weighted_quota_batches_are_the_same_and_their_mean_is_that_of_all_rows() -> None:
    train = rows_with(30, 970)
    plain, weighted = (orders(name, train, 64, 3, 0, "key") for name in ("quota:8", "weighted-quota:8"))
    assert all(np.array_equal(one, other) for one, other in zip(plain, weighted, strict=True))
    weights = weights_back(train.targets, weighted)
    drawn = np.concatenate(weighted)
    assert np.average(train.targets[drawn], weights=weights[drawn]) == pytest.approx(0.03)
    assert weights[drawn].mean() == pytest.approx(1)
    assert check_sampler("weighted-quota:08", 64) == "weighted-quota:8"
    assert weighs_rows("weighted-quota:8")
    assert not weighs_rows("quota:8")


def test_probabilities_of_rows_weighted_back_are_not_moved_again() -> None:
    recipe = Recipe("gaussians", rows=3000, positive_rate=0.02)
    training = Training(hidden=(8,), epochs=6, batch_size=128, sampler="weighted-quota:16")
    [result] = run_stack((Run(recipe, training, Arm("bce"), 0.01, 0),))
    scores = result.outcome.scores
    assert scores.recovered.log_loss == pytest.approx(scores.raw.log_loss, rel=1e-6)
    assert scores.raw.expected_observed == pytest.approx(1, abs=0.3)
