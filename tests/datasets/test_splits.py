import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focalbench.arms import Recipe
from focalbench.datasets.dataset import Dataset, SplitCounts, Splits
from focalbench.datasets.prevalence import positive_parts, table_counts
from focalbench.datasets.splits import allot, with_label_noise
from focalbench.errors import InputError

TARGETS = (np.random.default_rng(0).random(12_000) < 0.2).astype(np.int8)
POSITIVES = int(TARGETS.sum())
Rows = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


def allotted(asked: int, rate: float | None, seed: int = 0) -> tuple[SplitCounts, Rows]:
    recipe = Recipe("file", asked, rate)
    counts = table_counts(recipe, len(TARGETS), POSITIVES)
    return counts, allot(TARGETS, counts, positive_parts(recipe, len(TARGETS), POSITIVES), seed, recipe.key)


@settings(deadline=None)
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


@settings(deadline=None)
@given(st.floats(0.02, 0.19), st.floats(0.02, 0.19), st.sampled_from([2000, 5000, 10**6]))
def test_positives_nest_over_rates(one: float, other: float, asked: int) -> None:
    (_, low), (_, high) = allotted(asked, min(one, other)), allotted(asked, max(one, other))
    for few, many in zip(low, high, strict=True):
        assert set(few[TARGETS[few] == 1]) <= set(many[TARGETS[many] == 1])


def test_the_natural_rate_uses_the_table_up() -> None:
    _, rows = allotted(10**6, None)
    assert sum(map(len, rows)) > len(TARGETS) - 10


def test_seeds_differ() -> None:
    (_, (a, _, _)), (_, (b, _, _)) = allotted(5000, 0.1, 0), allotted(5000, 0.1, 1)
    for label in (0, 1):
        assert not np.array_equal(a[TARGETS[a] == label], b[TARGETS[b] == label])


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_label_noise_keeps_the_count(swaps: int, seed: int) -> None:
    targets = (np.arange(200) < 40).astype(np.int8)
    clean = Dataset(np.zeros((200, 1), np.float32), targets, np.linspace(-9, 9, 200))
    noisy = with_label_noise(clean, swaps, np.random.default_rng(seed))
    assert noisy.positives == clean.positives == 40
    assert np.count_nonzero(noisy.targets != clean.targets) == 2 * swaps
    probability = 1 / (1 + np.exp(-np.linspace(-9, 9, 200)))
    observed = probability * (1 - swaps / 40) + (1 - probability) * swaps / 160
    assert noisy.bayes_logits is not None
    np.testing.assert_allclose(1 / (1 + np.exp(-noisy.bayes_logits)), observed, rtol=1e-9)


def test_no_noise_is_no_change() -> None:
    clean = Dataset(np.zeros((4, 1), np.float32), np.array([0, 1, 0, 1], np.int8), np.arange(4.0))
    same = with_label_noise(clean, 0, np.random.default_rng(0))
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
