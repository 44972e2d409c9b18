import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from focalbench.datasets.dataset import Counts, Dataset, SplitCounts, Splits
from focalbench.datasets.prevalence import Swaps, pool_counts, positive_parts, table_counts
from focalbench.datasets.splits import allot, assign_groups, thin, weighted_to_rate, with_label_noise
from focalbench.errors import InputError
from focalbench.runs.run import Recipe

TARGETS = (np.random.default_rng(0).random(12_000) < 0.2).astype(np.int8)
POSITIVES = int(TARGETS.sum())
Rows = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


def allotted(asked: int, rate: float | None, seed: int = 0) -> tuple[SplitCounts, Rows]:
    recipe = Recipe("file", asked, rate)
    counts = table_counts(recipe, len(TARGETS), POSITIVES)
    return counts, allot(TARGETS, counts, positive_parts(recipe, len(TARGETS), POSITIVES), seed, recipe.key)


@given(st.none() | st.floats(0.01, 0.19), st.integers(1000, 20_000), st.integers(0, 3))
def test_counts_are_exact_and_no_row_is_in_two_splits(rate: float | None, asked: int, seed: int) -> None:
    try:
        counts, rows = allotted(asked, rate, seed)
    except InputError:
        return
    for part, count in zip(rows, counts.each, strict=True):
        assert (len(part), TARGETS[part].sum()) == (count.rows, count.positives)
    together = np.concatenate(rows)
    assert len(np.unique(together)) == len(together)
    assert len(TARGETS) - POSITIVES - np.count_nonzero(TARGETS[together] == 0) <= 1 / (rate or 0.19)


@given(st.floats(0.02, 0.19), st.floats(0.02, 0.19), st.sampled_from([2000, 5000, 10**6]))
def test_positives_nest_over_rates(one: float, other: float, asked: int) -> None:
    (_, low), (_, high) = allotted(asked, min(one, other)), allotted(asked, max(one, other))
    for few, many in zip(low, high, strict=True):
        assert set(few[TARGETS[few] == 1]) <= set(many[TARGETS[many] == 1])


def test_a_rate_above_the_tables_own_thins_the_negatives() -> None:
    counts, rows = allotted(10**6, 0.4)
    assert all(part.positives == round(0.4 * part.rows) for part in counts.each)
    assert TARGETS[np.concatenate(rows)].sum() > POSITIVES - 10
    with pytest.raises(InputError, match=r"choose a rate from .* to 0\.5"):
        allotted(10**6, 0.6)


# ---- groups


DAYS = np.random.default_rng(1).integers(0, 90, len(TARGETS))


def grouped(asked: int, rate: float | None, seed: int, *, ordered: bool = False) -> tuple[SplitCounts, Rows, Rows]:
    recipe = Recipe("file", asked, rate)
    pools = assign_groups(DAYS, seed, recipe.key, ordered=ordered)
    train, validation, test = (Counts(len(pool), int(TARGETS[pool].sum())) for pool in pools)
    counts = pool_counts(recipe, SplitCounts(train, validation, test))
    return counts, pools, thin(TARGETS, counts, pools, seed, recipe.key)


@given(st.none() | st.floats(0.02, 0.5), st.integers(1100, 20_000), st.integers(0, 9), st.booleans())
def test_no_group_is_in_two_splits_and_the_rate_is_exact(
    rate: float | None, asked: int, seed: int, ordered: bool
) -> None:
    counts, pools, rows = grouped(asked, rate, seed, ordered=ordered)
    days = [set(DAYS[part]) for part in pools]
    assert not days[0] & days[1] | days[1] & days[2] | days[0] & days[2]
    assert sorted(np.concatenate(pools)) == list(range(len(TARGETS)))
    assert [len(part) / len(TARGETS) for part in pools] == pytest.approx([0.6, 0.2, 0.2], abs=0.02)
    for part, pool, count in zip(rows, pools, counts.each, strict=True):
        assert set(part) <= set(pool)
        assert np.all(np.diff(part) > 0)
        assert (len(part), TARGETS[part].sum()) == (count.rows, count.positives)
        assert count.positives == round((rate or POSITIVES / len(TARGETS)) * count.rows)
    assert counts.validation.rows <= counts.train.rows <= asked


def test_groups_are_dealt_by_the_seed_times_are_not() -> None:
    by_seed = [[set(DAYS[part]) for part in grouped(10**6, None, seed)[1]] for seed in (0, 1)]
    assert by_seed[0] != by_seed[1]
    for seed in (0, 1):
        first, then, last = (DAYS[part] for part in grouped(10**6, None, seed, ordered=True)[1])
        assert first.max() < then.min() <= then.max() < last.min()


@given(st.floats(0.02, 0.19), st.floats(0.02, 0.19))
def test_positives_of_groups_nest_over_rates(one: float, other: float) -> None:
    (_, _, low), (_, _, high) = grouped(10**6, min(one, other), 3), grouped(10**6, max(one, other), 3)
    for few, many in zip(low, high, strict=True):
        assert set(few[TARGETS[few] == 1]) <= set(many[TARGETS[many] == 1])


def test_a_group_that_is_nearly_everything_leaves_a_split_empty_and_is_refused() -> None:
    for ordered in (False, True):
        with pytest.raises(InputError, match="largest with 100% of the rows, cannot be dealt to three splits"):
            assign_groups(np.zeros(len(TARGETS), np.int64), 0, "k", ordered=ordered)


@given(st.integers(0, 200))
def test_groups_of_very_unequal_sizes_still_fill_every_split(seed: int) -> None:
    sizes = np.array([4000, 2500, 1500, 1000, *[10] * 300])
    pools = assign_groups(np.repeat(np.arange(len(sizes)), sizes), seed, "k", ordered=False)
    assert [len(pool) / sizes.sum() for pool in pools] == pytest.approx([0.6, 0.2, 0.2], abs=0.25)
    assert min(len(pool) for pool in pools) > 0.02 * sizes.sum()


@pytest.mark.parametrize("groups", [3, 4, 5])
def test_few_groups_are_left_out_one_by_one(groups: int) -> None:
    """Over the seeds each is tested on as often, with every other one to validate on; whatever their sizes."""
    members = np.repeat(np.arange(groups) * 7, [10**k for k in range(groups)])
    seen = []
    for seed in range(groups * (groups - 1)):
        train, validation, test = (
            set(members[pool].tolist()) for pool in assign_groups(members, seed, "k", ordered=False)
        )
        assert (len(train), len(validation), len(test)) == (groups - 2, 1, 1)
        assert train | validation | test == set(members.tolist())
        seen.append((*validation, *test))
        assert seed != groups - 1 or {last for _, last in seen} == set(members.tolist())
    assert len(set(seen)) == groups * (groups - 1)


@pytest.mark.parametrize("groups", [6, 20])
def test_a_giant_group_leaves_no_split_empty_at_any_seed(groups: int) -> None:
    members = np.repeat(np.arange(groups), [5000, *[10] * (groups - 1)])
    for seed in range(60):
        assert min(map(len, assign_groups(members, seed, "k", ordered=False))) >= 10


def test_two_groups_are_refused() -> None:
    with pytest.raises(InputError, match=r"2 groups, .* cannot be dealt to three splits .* leave it out"):
        assign_groups(np.repeat([0, 1], 50), 0, "k", ordered=False)


def test_the_natural_rate_uses_the_table_up() -> None:
    _, rows = allotted(10**6, None)
    assert sum(map(len, rows)) > len(TARGETS) - 10


def test_seeds_differ() -> None:
    (_, (a, _, _)), (_, (b, _, _)) = allotted(5000, 0.1, 0), allotted(5000, 0.1, 1)
    for label in (0, 1):
        assert not np.array_equal(a[TARGETS[a] == label], b[TARGETS[b] == label])


@given(st.floats(0.001, 0.19), st.booleans())
def test_weighting_to_a_rate_keeps_every_row(rate: float, has_weights: bool) -> None:
    own = np.linspace(0.5, 2, 200) if has_weights else None
    whole = Dataset(np.zeros((200, 1), np.float32), (np.arange(200) < 40).astype(np.int8), None, own)
    weighted = weighted_to_rate(whole, rate)
    assert weighted.rows == 200
    assert has_weights or weighted.prevalence == pytest.approx(rate)
    assert weighted.weights is not None
    factor = rate / (1 - rate) * 160 / 40  # by rows, as thinning would
    np.testing.assert_allclose(weighted.weights[:40], factor * (np.ones(40) if own is None else own[:40]))
    assert weighted.weights is not None
    negatives = np.ones(160) if own is None else own[40:]
    np.testing.assert_allclose(weighted.weights[40:], negatives)
    assert splits_of(weighted).sha256 != splits_of(whole).sha256


def splits_of(test: Dataset) -> Splits:
    plain = Dataset(np.zeros((2, 1), np.float32), np.zeros(2, np.int8))
    return Splits(plain, plain, test)


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_label_noise_keeps_the_count(swaps: int, seed: int) -> None:
    targets = (np.arange(200) < 40).astype(np.int8)
    clean = Dataset(np.zeros((200, 1), np.float32), targets, np.linspace(-9, 9, 200))
    noisy = with_label_noise(clean, Swaps(swaps, swaps), np.random.default_rng(seed))
    assert noisy.positives == clean.positives == 40
    assert np.count_nonzero(noisy.targets != clean.targets) == 2 * swaps
    probability = 1 / (1 + np.exp(-np.linspace(-9, 9, 200)))
    observed = probability * (1 - swaps / 40) + (1 - probability) * swaps / 160
    assert noisy.bayes_logits is not None
    np.testing.assert_allclose(1 / (1 + np.exp(-noisy.bayes_logits)), observed, rtol=1e-9)


def test_no_noise_is_no_change() -> None:
    clean = Dataset(np.zeros((4, 1), np.float32), np.array([0, 1, 0, 1], np.int8), np.arange(4.0))
    same = with_label_noise(clean, Swaps(0, 0), np.random.default_rng(0))
    np.testing.assert_array_equal(same.targets, clean.targets)
    assert same.bayes_logits is clean.bayes_logits


@pytest.mark.parametrize("change", ["features", "targets", "bayes", "noisy"])
def test_the_hash_sees_every_array(change: str) -> None:
    def splits(changed: str) -> Splits:
        features = np.full((2, 1), float(changed == "features"), np.float32)
        targets = np.array([0, changed == "targets"], np.int8)
        part = Dataset(features, targets, np.zeros(2) if changed == "bayes" else None)
        plain = Dataset(np.zeros((2, 1), np.float32), np.zeros(2, np.int8))
        return Splits(plain, plain, part, np.zeros(2, np.int8) if changed == "noisy" else None)

    assert splits(change).sha256 != splits("none").sha256 == splits("none").sha256
