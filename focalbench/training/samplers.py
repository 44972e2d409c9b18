"""Which rows form a batch: the order of the rows in every epoch, drawn from the run's own generator.

Every arm of a seed sees the same batches. An epoch is an array of row numbers, cut into batches from the front; rows
may come more than once. Where a sampler moves the rate of positives, starts, class weights and the inverse to
probabilities follow what was drawn (stack.py).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalbench.base.randomness import generator
from focalbench.datasets.dataset import Dataset
from focalbench.errors import InputError

Order = NDArray[np.integer[Any]]
SAMPLERS = ("random", "stratified", "balanced", "quota:K", "weighted-quota:K", "hard", "groups")
WEIGHTED = "weighted-"  # before a sampler whose rows are weighted back to the rate
MOST_POSITIVE = 0.9  # share of a batch: beyond it an epoch, which sees all negatives, would be huge
HARD_SHARE = 0.1  # of the negatives, those that look most like positives: the hard pool
HARD_BATCH = 0.5  # of a batch's negatives, those that come from it


def orders(sampler: str, train: Dataset, batch_size: int, epochs: int, seed: int, key: str) -> list[Order]:
    """The rows of every epoch, (row drawn,) each, for a sampler's name; see check_sampler."""
    drawn = _orders(sampler.removeprefix(WEIGHTED), train, batch_size, seed, key)
    return [next(drawn).astype(np.int32) for _ in range(epochs)]  # half the memory, for many epochs of a large table


def _orders(sampler: str, train: Dataset, batch_size: int, seed: int, key: str) -> Iterator[Order]:
    rng = generator(seed, "batches" if sampler == "random" else f"batches {sampler}", key)
    negatives = np.flatnonzero(train.targets == 0)
    hard = hard_negatives(train) if sampler == "hard" else negatives
    positives = endless(np.flatnonzero(train.targets == 1), rng)
    while True:
        if sampler == "random":
            yield rng.permutation(train.rows)
        elif sampler == "stratified":
            yield stratified(train.targets, rng)
        elif sampler == "groups":
            yield _whole_groups(train, rng)
        elif sampler == "hard":
            yield _hard_epoch(train.targets, hard, batch_size, rng)
        else:
            yield _quota_epoch(positives, rng.permutation(negatives), _quota(sampler, batch_size), batch_size)


def check_sampler(sampler: str, batch_size: int) -> str:
    """The one name of a sampler. Raises InputError unless it is one of these, and its quota fits into a batch.

    random: every row once an epoch. stratified: the same, positives spread evenly, so that every batch is as near the
    global rate as can be. balanced: half of every batch are positives. quota:K: K positives in every batch, at most
    nine in ten, all negatives once an epoch, positives as often as that takes. weighted-quota:K: the same batches, but
    rows of a class that comes too often count for less in the loss, so that its mean is that of random batches. hard:
    every row once, about half of each batch's negatives from the tenth that a logistic regression scores highest, for
    as long as these last. groups: whole groups (images) one after the other, in random order; whole ones a batch where
    the batch size is a multiple of theirs.
    """
    name, _, count = sampler.removeprefix(WEIGHTED).partition(":")
    if sampler in SAMPLERS and name not in ("quota", "balanced"):
        return sampler
    if sampler != "balanced" and not (name == "quota" and count.isascii() and count.isdigit()):
        named = ", ".join(SAMPLERS[:-1])
        raise InputError(f"unknown sampler {sampler!r}; choose {named} or {SAMPLERS[-1]}")
    quota, most = _quota(sampler, batch_size), int(MOST_POSITIVE * batch_size)
    if not 1 <= quota <= most:
        raise InputError(f"the sampler {sampler} needs 1 to {most} positives in a batch of {batch_size}, not {quota}")
    if weighs_rows(sampler):
        return f"{WEIGHTED}quota:{quota}"
    return "balanced" if quota == batch_size // 2 else f"quota:{quota}"


def weighs_rows(sampler: str) -> bool:
    """Whether rows count in the loss for as much as the sampler draws their class too seldom."""
    return sampler.startswith(WEIGHTED)


def keeps_rate(sampler: str) -> bool:
    """Whether an epoch of a sampler is every row once."""
    return sampler in ("random", "stratified", "hard", "groups")


def weights_back(targets: NDArray[np.int8], drawn: Sequence[Order]) -> NDArray[np.float64]:
    """What each row counts for, (row,), so that the rows drawn have the rate of all rows. targets: (row,) of 0/1."""
    share = float(np.mean([targets[order].mean() for order in drawn]))
    rate = float(targets.mean())
    return np.where(targets == 1, rate / share, (1 - rate) / (1 - share))


def _whole_groups(train: Dataset, rng: np.random.Generator) -> Order:
    """Groups in random order, those cut short last, so that the others keep to their batches."""
    if train.groups is None:
        raise InputError("the sampler groups needs rows that come in groups, such as those of the data set dense")
    sizes = np.bincount(train.groups)
    places = rng.permutation(len(sizes)) + len(sizes) * (sizes < sizes.max())
    return np.argsort(places[train.groups], kind="stable")


def _quota(sampler: str, batch_size: int) -> int:
    return batch_size // 2 if sampler == "balanced" else int(sampler.partition(":")[2])


def stratified(targets: NDArray[np.int8], rng: np.random.Generator) -> Order:
    """All rows, positives a constant distance apart (with a random first one), so no batch has two more than another.

    targets: (row,) of 0/1. Returns (row,).
    """
    positives, negatives = (rng.permutation(np.flatnonzero(targets == label)) for label in (1, 0))
    order = np.empty(len(targets), dtype=np.int64)
    places = ((np.arange(len(positives)) + rng.random()) * len(targets) / max(len(positives), 1)).astype(np.int64)
    taken = np.zeros(len(targets), dtype=np.bool_)
    taken[places] = True
    order[taken], order[~taken] = positives, negatives
    return order


def endless(rows: Order, rng: np.random.Generator) -> Iterator[int]:
    """The rows in one random order after the other, so that none comes twice before all have come once more."""
    while True:
        yield from rng.permutation(rows).tolist()


def _quota_epoch(positives: Iterator[int], negatives: Order, quota: int, batch_size: int) -> Order:
    """Batches of `quota` positives and batch_size - quota negatives, until all negatives have come."""
    parts = []
    for start in range(0, len(negatives), batch_size - quota):
        some = negatives[start : start + batch_size - quota]
        wanted = quota if len(some) == batch_size - quota else max(1, round(quota * len(some) / (batch_size - quota)))
        parts += [np.array([next(positives) for _ in range(wanted)], dtype=np.int64), some]
    return np.concatenate(parts)


def hard_negatives(train: Dataset) -> Order:
    """Rows of the negatives that a logistic regression scores highest: the hard pool, the same for every arm."""
    from sklearn.linear_model import LogisticRegression

    scores = LogisticRegression(max_iter=1000).fit(train.features, train.targets).decision_function(train.features)
    negatives = np.flatnonzero(train.targets == 0)
    count = max(1, round(HARD_SHARE * len(negatives)))
    return negatives[np.argsort(-scores[negatives], kind="stable")[:count]]


def _hard_epoch(targets: NDArray[np.int8], hard: Order, batch_size: int, rng: np.random.Generator) -> Order:
    """All rows once: half of each batch hard negatives while these last, then the easy rest; positives anywhere."""
    easy = rng.permutation(np.setdiff1d(np.flatnonzero(targets == 0), hard, assume_unique=True))
    pool = rng.permutation(hard)
    share = max(1, round(HARD_BATCH * batch_size))
    parts: list[Order] = []
    while len(pool) or len(easy):
        from_pool, pool = pool[:share], pool[share:]
        rest = batch_size - len(from_pool)
        parts += [from_pool, easy[:rest]]
        easy = easy[rest:]
    negatives = np.concatenate(parts)
    positives = rng.permutation(np.flatnonzero(targets == 1))
    places = np.sort(rng.integers(0, len(negatives) + 1, len(positives)))
    return np.insert(negatives, places, positives)
