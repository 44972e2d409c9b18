"""Which rows go where: seeded, stratified, nested over rates; and label noise that keeps every count."""

from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from focalbench.base.randomness import generator
from focalbench.datasets.dataset import Counts, Dataset, Floats, SplitCounts, Targets
from focalbench.datasets.prevalence import Swaps
from focalbench.datasets.tables.table import UNKNOWN, Groups, are_few
from focalbench.errors import InputError

Rows = NDArray[np.intp]
DEALT = (0.6, 0.2, 0.2)  # of a table's rows, where groups cannot be split: training, validation, test


def allot(
    targets: Targets,
    counts: SplitCounts,
    parts: tuple[int, int, int],
    seed: int,
    key: str,
    labels: Targets | None = None,
) -> tuple[Rows, Rows, Rows]:
    """Return the rows of train, validation and test, each in the table's order.

    targets: (rows,) of the whole table. counts: how many rows and positives each split gets. parts: how the
    table's positives are dealt to the splits, whatever the rate (prevalence.positive_parts); a split takes
    the first ones of its part, so that its positives at a low rate are among those at a higher one. labels: (rows,
    outputs) of the whole table or None; rows with the same ones, such as those of a class, are spread evenly over the
    negatives of all splits.
    """
    positives = generator(seed, "split-positives", key).permutation(np.flatnonzero(targets == 1))
    negatives = generator(seed, "split-negatives", key).permutation(np.flatnonzero(targets == 0))
    if labels is not None:
        negatives = negatives[evenly(labels[negatives], generator(seed, "split-classes", key))]
    first_positive = np.cumsum([0, *parts[:2]])
    first_negative = np.cumsum([0, counts.train.negatives, counts.validation.negatives])

    def rows(part: Counts, i: np.intp, j: np.intp) -> Rows:
        return np.sort(np.concatenate([positives[i : i + part.positives], negatives[j : j + part.negatives]]))

    train, validation, test = map(rows, counts.each, first_positive, first_negative)
    return train, validation, test


def evenly(labels: Targets, rng: np.random.Generator) -> Rows:
    """An order of rows, (rows,), in which any stretch holds nearly the whole's share of each kind of labels.

    labels: (rows, outputs). Rows of a kind keep their order, a constant distance apart after a random first one.
    """
    _, kinds, sizes = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    kinds = kinds.reshape(-1)
    rank = np.empty(len(kinds), dtype=np.intp)
    by_kind = np.argsort(kinds, kind="stable")
    rank[by_kind] = np.arange(len(kinds)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.argsort((rank + rng.random(len(sizes))[kinds]) / sizes[kinds], kind="stable")


def assign_groups(groups: Groups, seed: int, key: str, *, ordered: bool) -> tuple[Rows, Rows, Rows]:
    """Return the rows that train, validation and test may take, whole groups each: 60%, 20% and 20% of the rows.

    groups: (rows,) of the whole table. In an order drawn from the seed, each goes to the split that lacks most rows;
    the largest first, where a split would else be left empty. Of a few groups (are_few) one is tested on and one
    validated on, in turn from seed to seed. Ordered groups are times, and the first train, the next validate, the
    latest test, whatever the seed. Raises InputError where a split is left without any group.
    """
    names, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if ordered:
        before = np.cumsum(sizes) - sizes  # rows of earlier times
        place = np.searchsorted(np.cumsum(DEALT)[:2] * len(groups), before, side="right")
    elif are_few(names):
        place = _left_out(len(names), seed)
    else:
        order = generator(seed, "split-groups", key).permutation(len(names))
        place = _most_lacking(sizes, order)
        if len(np.unique(place)) < len(DEALT):
            place = _most_lacking(sizes, order[np.argsort(-sizes[order], kind="stable")])
    if len(np.unique(place)) < len(DEALT):
        kind, most = ("time" if ordered else "group"), sizes.max() / len(groups)
        raise InputError(
            f"{len(names)} {kind}s, the largest with {most:.0%} of the rows, cannot be dealt to three splits "
            f"(seed {seed}); use a finer column, or leave it out"
        )
    train, validation, test = (np.flatnonzero(place[members] == split) for split in range(3))
    return train, validation, test


def _left_out(groups: int, seed: int) -> Rows:
    """A split for each of a few groups: over the seeds, each is tested on as often, with every other to validate on."""
    place = np.zeros(groups, dtype=np.intp)
    test, step = seed % groups, seed // groups % (groups - 1)
    place[test], place[(test + 1 + step) % groups] = 2, 1
    return place


def _most_lacking(sizes: Rows, order: Rows) -> Rows:
    """A split for each group: in that order, the one that lacks most rows."""
    place, lacking = np.empty(len(sizes), dtype=np.intp), np.array(DEALT) * sizes.sum()
    for group in order:
        place[group] = lacking.argmax()
        lacking[place[group]] -= sizes[group]
    return place


def assign_equal_rows(
    targets: Targets, sets: Groups, wanted: tuple[Floats, Floats], seed: int, key: str, labels: Targets | None = None
) -> tuple[Rows, Rows, Rows]:
    """Return the rows that train, validation and test may take, rows of one set never in two of them.

    targets, sets: (rows,) of the whole table, targets as Table.classes. wanted: how many positives, and how many
    negatives, each split should get, all in all as many as there are. Sets with positives are dealt by these alone, so
    that the positives of a split do not depend on its negatives, nor on the rate; then the others. The largest go
    first, and single rows last, which fill the splits exactly where that can be. labels: as those of allot, to spread
    single rows evenly.
    """
    _, first, members = np.unique(sets, return_index=True, return_inverse=True)
    place = np.full(len(first), -1, dtype=np.intp)
    unknown = (wanted[0] + wanted[1]) / (wanted[0] + wanted[1]).sum() * np.count_nonzero(targets == UNKNOWN)
    kinds = ((1, "positives", wanted[0]), (0, "negatives", wanted[1]), (UNKNOWN, "unknown", unknown))
    for label, name, numbers in kinds:
        held = np.bincount(members, targets == label)
        lacking = numbers - [held[place == split].sum() for split in range(len(DEALT))]
        rng = generator(seed, f"split-equal-{name}", key)
        left = rng.permutation(np.flatnonzero((place < 0) & (held > 0)))
        several, single = left[held[left] > 1], left[held[left] == 1]
        several = several[np.argsort(-held[several], kind="stable")]
        place[several] = _placed(held[several], lacking, numbers, rng)
        if labels is not None and label == 0:
            single = single[evenly(labels[first[single]], rng)]
        place[single] = _filled(len(single), lacking)
    train, validation, test = (np.flatnonzero(place[members] == split) for split in range(3))
    return train, validation, test


def _placed(sizes: Floats, lacking: Floats, wanted: Floats, rng: np.random.Generator) -> list[int]:
    """A split for each set: drawn among those that lack as much, by what they lack; else the one that lacks the largest
    part of what it wanted.

    lacking: (splits,) what each lacks, brought up to date.
    """
    places, left, whole = [], lacking.tolist(), np.maximum(wanted, 1.0).tolist()
    for size, drawn in zip(sizes.tolist(), rng.random(len(sizes)).tolist(), strict=True):  # may be many: plain numbers
        ends = list(accumulate(lack if lack >= size else 0.0 for lack in left))
        if ends[-1]:
            place = bisect_right(ends, drawn * ends[-1], hi=len(ends) - 1)
        else:
            place = max(range(len(left)), key=lambda split: left[split] / whole[split])
        left[place] -= size
        places.append(place)
    lacking[:] = left
    return places


def _filled(rows: int, lacking: Floats) -> Rows:
    """A split for each of so many rows, (rows,): each gets what it lacks, or the same share of it."""
    ends = np.cumsum(np.maximum(lacking, 0.0))
    shares = np.rint(ends / max(ends[-1], 1.0) * rows)
    return np.searchsorted(shares, np.arange(rows), side="right").clip(max=len(ends) - 1)


def with_unknown(
    splits: tuple[Rows, Rows, Rows], targets: Targets, pools: tuple[Rows, Rows, Rows] | None, seed: int, key: str
) -> tuple[Rows, Rows, Rows]:
    """The rows of train, validation and test with those whose target is not known, the same share of these.

    targets: as Table.classes. pools: what each split may take, None for any row.
    """
    unknown = generator(seed, "split-unknown", key).permutation(np.flatnonzero(targets == UNKNOWN))
    if pools is None:
        ends = np.cumsum([len(part) for part in splits]) / np.count_nonzero(targets != UNKNOWN)
        cuts = np.rint(ends * len(unknown)).astype(np.intp)
        parts = np.split(unknown, cuts)[: len(splits)]
    else:
        pooled = [unknown[np.isin(unknown, pool)] for pool in pools]
        whole = [np.count_nonzero(targets[pool] != UNKNOWN) for pool in pools]
        parts = [
            some[: round(len(some) * len(part) / rows)] for some, part, rows in zip(pooled, splits, whole, strict=True)
        ]
    train, validation, test = (np.sort(np.concatenate(both)) for both in zip(splits, parts, strict=True))
    return train, validation, test


def thin(
    targets: Targets, counts: SplitCounts, pools: tuple[Rows, Rows, Rows], seed: int, key: str
) -> tuple[Rows, Rows, Rows]:
    """Return the rows of train, validation and test, each in the table's order, out of their pools.

    A split takes its pool's first positives and negatives in an order drawn from the seed, so that those at a low rate
    are among those at a higher one.
    """
    order = generator(seed, "split-thinning", key).random(len(targets))

    def rows(part: Counts, pool: Rows) -> Rows:
        ranked = pool[np.argsort(order[pool], kind="stable")]
        first = [
            ranked[targets[ranked] == label][:count] for label, count in ((1, part.positives), (0, part.negatives))
        ]
        return np.sort(np.concatenate(first))

    train, validation, test = map(rows, counts.each, pools)
    return train, validation, test


def weighted_to_rate(dataset: Dataset, rate: float) -> Dataset:
    """Weight the positives as if so many had been left out that a share `rate` of the rows were positive.

    A positive weighs rate / (1 - rate) x negatives / positives, counted in rows, a negative 1 (each times a weight of
    its own): every positive is kept, and weighted metrics estimate those at the rate. The Bayes log odds become those
    at the rate.
    """
    own = np.ones(dataset.rows) if dataset.weights is None else dataset.weights
    positive = dataset.targets == 1
    factor = rate / (1 - rate) * np.count_nonzero(~positive) / np.count_nonzero(positive)
    bayes = None if dataset.bayes_logits is None else dataset.bayes_logits + np.log(factor)
    return replace(dataset, weights=np.where(positive, factor * own, own), bayes_logits=bayes)


def with_label_noise(dataset: Dataset, swaps: Swaps, rng: np.random.Generator) -> Dataset:
    """Swap the labels of so many random positives and so many random negatives, as many but where positives are
    weighted to a rate: the prevalence stays. A row keeps its weight.

    The Bayes log odds become those of the observed label: with P the clean probability of a positive,
    P (1 - swapped positives / positives) + (1 - P) swapped negatives / negatives.
    """
    targets = dataset.targets.copy()
    for label, count in ((1, swaps.positives), (0, swaps.negatives)):
        targets[rng.choice(np.flatnonzero(dataset.targets == label), count, replace=False)] = 1 - label
    logits = dataset.bayes_logits
    if logits is not None and any(swaps):
        negatives = dataset.rows - dataset.positives
        logits = _observed_logits(logits, swaps.positives / dataset.positives, swaps.negatives / negatives)
    return replace(dataset, targets=targets, bayes_logits=logits)


def _observed_logits(logits: Floats, flipped_positives: float, flipped_negatives: float) -> Floats:
    with np.errstate(divide="ignore"):  # every negative flipped, or none: log 0 is meant
        kept = np.log1p([-flipped_positives, -flipped_negatives])
        flipped = np.log([flipped_positives, flipped_negatives])
    positive = np.logaddexp(logits + kept[0], flipped[1])
    negative = np.logaddexp(logits + flipped[0], kept[1])
    return np.asarray(positive - negative)
