"""How many rows and positives each split holds: the rate asked for is the rate got, or it is refused."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from focalbench.datasets.dataset import Counts, Floats, SplitCounts
from focalbench.datasets.synthetic.dense import room
from focalbench.datasets.synthetic.families import family_of, is_synthetic, knobs
from focalbench.errors import InputError, TooFewPositivesError
from focalbench.runs.run import Recipe

MIN_POSITIVES = 20  # fewer in a split: refused
CHOICE_POSITIVES = 30  # fewer in validation: warned, the choice of epoch and learning rate costs
TABLE_TEST_POSITIVES = 100  # fewer in test: warned, the average precision is noisy
LEAST_TABLE_POSITIVES = 100  # a fifth of them validates
SYNTHETIC_TEST_POSITIVES = 200  # at least, of a test at the rate
WEIGHTED_TEST_POSITIVES = 2_000  # of one weighted to it: the spread of average precision is .78 of that with 200
TRAIN_TENTHS, VALIDATION_TENTHS = 6, 2  # at most this much of a real table
LEAST_SETS = 20  # of equal rows, that a split must have room for
EVEN = 0.5  # to where a table's rate can be raised

Sizes = Callable[[float], SplitCounts]


class Swaps(NamedTuple):
    """How many positives and how many negatives get the other label."""

    positives: int
    negatives: int


def positive_count(rate: float, rows: int) -> int:
    """Number of positives among rows at a rate: the one place where it is rounded.

    Args:
        rate: the positive rate.
        rows: the number of rows.

    Returns:
        round(rate * rows).

    >>> positive_count(0.0015, 40_000)
    60
    """
    return round(rate * rows)


def swap_count(noise: float, positives: float) -> int:
    """Return how many positives swap labels with as many negatives under a label noise in [0, 0.5)."""
    return round(noise * positives)


def label_swaps(noise: float, parts: Sequence[Counts], weighted_to: float | None) -> list[Swaps]:
    """Return how many labels of train, validation and test swap under a noise: as many of either class. Where the
    test's positives are weighted to a rate, as many negatives, of weight 1 each, as its swapped positives weigh.
    """
    counts = [swap_count(noise, part.positives) for part in parts]
    swaps = [Swaps(count, count) for count in counts]
    if weighted_to is not None:
        mass = weighted_to / (1 - weighted_to) * parts[-1].negatives
        swaps[-1] = Swaps(counts[-1], swap_count(noise, mass))
    return swaps


def weighted_rate(recipe: Recipe) -> float | None:
    """Return the rate that the test's positives are weighted to; None where there is nothing to weight: at the natural
    rate, with several classes, in dense images, and where synthetic rows at the rate hold 2,000 positives.
    """
    rate = recipe.positive_rate
    if recipe.test_prevalence == "thin" or rate is None or recipe.task != "binary":
        return None
    if not is_synthetic(recipe.dataset):
        return rate
    many = _synthetic_test(rate, recipe.rows).positives >= WEIGHTED_TEST_POSITIVES
    return None if many or family_of(recipe.dataset) == "dense" else rate


def largest_split(rate: float, positives: int, negatives: int) -> Counts:
    """Return the most rows n, round(rate n) of them positive, that so many positives and negatives allow."""

    def exceeds(rows: int) -> bool:
        wanted = positive_count(rate, rows)
        return wanted > positives or rows - wanted > negatives

    rows = bisect_left(range(1, positives + negatives + 1), True, key=exceeds)
    return Counts(rows, positive_count(rate, rows))


def synthetic_counts(recipe: Recipe) -> SplitCounts:
    """How many rows and positives each split of a synthetic recipe holds.

    Train and validation have recipe.rows rows each. The test has 200 positives or more. Where its positives are
    weighted to the rate, it has 2,000, and as many negatives as it would have without weights.

    Args:
        recipe: its dataset is a synthetic family.

    Returns:
        The counts of train, validation and test.

    Raises:
        InputError: for a rate, noise or number of rows that is not reachable; the message names the rates that are.
    """
    _check(recipe)
    if recipe.positive_rate is None:
        raise InputError("a synthetic data set has no natural positive rate; give one, such as `positive_rates=0.0015`")
    counts = _checked(
        recipe, recipe.positive_rate, lambda rate: _synthetic_sizes(rate, recipe), knobs(recipe.dataset).highest_rate
    )
    if family_of(recipe.dataset) == "dense":
        for part in counts.each:
            room(recipe.dataset, part)
    return counts


def synthetic_rates(recipe: Recipe) -> tuple[float, float] | None:
    """Return the lowest and highest rate of a synthetic recipe that can be had, or None where there is none."""
    return reachable_rates(recipe, lambda rate: _synthetic_sizes(rate, recipe), knobs(recipe.dataset).highest_rate)


def table_counts(recipe: Recipe, rows: int, positives: int) -> SplitCounts:
    """How many rows and positives each split of a table holds, thinned to the recipe's rate.

    Training takes recipe.rows, at most 60% of the table; validation as many, at most 20%; test the rest. Positives are
    thinned for a rate below the table's own, negatives for one above it, up to a half. A few rows may be left over to
    keep round(rate n) exact. A test whose positives are weighted to the rate is not thinned.

    Args:
        recipe: a positive_rate of None is the table's own.
        rows: of the whole table.
        positives: of the whole table.

    Returns:
        The counts of train, validation and test.

    Raises:
        InputError: for a rate, noise or number of rows that is not reachable, as synthetic_counts; or for a table with
            fewer than 100 positives.
    """
    rate = _table_rate(recipe, rows, positives)
    return _checked(recipe, rate, lambda r: _table_sizes(r, recipe, rows, positives), max(EVEN, positives / rows))


def table_rates(recipe: Recipe, rows: int, positives: int) -> tuple[float, float] | None:
    """Return the lowest and highest rate of a table that can be had, or None where there is none."""
    top = max(EVEN, positives / rows)
    return reachable_rates(recipe, lambda rate: _table_sizes(rate, recipe, rows, positives), top)


def pool_counts(recipe: Recipe, pools: SplitCounts) -> SplitCounts:
    """Return the counts of a table whose groups or sets have been dealt to the splits: pools says what each may take.

    Each is thinned to the recipe's rate (None: the whole table's); validation has at most as many rows as training.
    Raises InputError as table_counts does.
    """
    rows, positives = (sum(getattr(part, name) for part in pools.each) for name in ("rows", "positives"))
    rate = _table_rate(recipe, rows, positives)
    return _checked(recipe, rate, lambda r: _pool_sizes(r, recipe, pools), max(EVEN, positives / rows))


def fold_counts(recipe: Recipe, rows: int, positives: int) -> Counts:
    """Return how many rows and positives of a table take part where it is split into folds: as many as have the rate.

    Raises InputError for a rate, or noise, out of range.
    """
    _check(recipe)
    if recipe.positive_rate is None:
        return Counts(rows, positives)
    if recipe.positive_rate > (top := max(EVEN, positives / rows)):
        raise InputError(f"a positive rate of {recipe.positive_rate:g} is not reachable; choose one up to {top:.4g}")
    return largest_split(recipe.positive_rate, positives, rows - positives)


def _table_rate(recipe: Recipe, rows: int, positives: int) -> float:
    _check(recipe)
    if positives < LEAST_TABLE_POSITIVES:
        raise TooFewPositivesError(
            f"the table holds {positives} positives in {rows} rows (duplicates apart); at least "
            f"{LEAST_TABLE_POSITIVES} are needed, {MIN_POSITIVES} in each split: take more data"
        )
    return positives / rows if recipe.positive_rate is None else recipe.positive_rate


def positive_parts(recipe: Recipe, rows: int, positives: int) -> tuple[int, int, int]:
    """Return how a table's positives are dealt to the splits before thinning, at whatever rate up to its own."""
    rate = max(positives / rows, recipe.positive_rate or 0.0)
    train, validation = _leading_sizes(rate, recipe, positives, rows - positives)
    return train.positives, validation.positives, positives - train.positives - validation.positives


def set_parts(recipe: Recipe, rows: int, positives: int, largest: int) -> tuple[Floats, Floats]:
    """Return how many positives and negatives of a table each split should get where equal rows go to one split.

    largest: rows of the largest set of equal ones. As table_counts has them; but where that set would be more than a
    twentieth of a split, which might then hold little else, 60%, 20% and 20%, to be thinned.
    """
    counts = table_counts(recipe, rows, positives)
    parts = positive_parts(recipe, rows, positives)
    _, smallest = _leading_sizes(positives / rows, recipe, positives, rows - positives)
    if largest * LEAST_SETS > smallest.rows:
        shares = np.array([TRAIN_TENTHS, VALIDATION_TENTHS, 10 - TRAIN_TENTHS - VALIDATION_TENTHS]) / 10
        return shares * positives, shares * (rows - positives)
    negatives = [counts.train.negatives, counts.validation.negatives]
    return np.array(parts, dtype=np.float64), np.array(
        [*negatives, rows - positives - sum(negatives)], dtype=np.float64
    )


def reachable_rates(recipe: Recipe, sizes: Sizes, top: float) -> tuple[float, float] | None:
    """Return the lowest and highest rate up to top that can be had, or None where there is none."""

    def positives_suffice(rate: float) -> bool:
        return rate <= top and all(map(_enough_positives, sizes(rate).each))

    def negatives_suffice(rate: float) -> bool:
        return _enough_negatives(sizes(rate), recipe.label_noise, rate)

    floor = 0.5 * top / recipe.rows  # no positive in training
    if not positives_suffice(top) or not negatives_suffice(floor):
        return None
    lowest = _tidy(_edge(positives_suffice, top, floor), math.ceil, positives_suffice)
    highest = top if negatives_suffice(top) else _edge(negatives_suffice, floor, top)
    highest = _tidy(highest, math.floor, lambda rate: negatives_suffice(rate) and rate >= lowest)
    return (lowest, highest) if lowest <= highest else None


def warnings_for(recipe: Recipe, by_seed: Sequence[SplitCounts]) -> tuple[str, ...]:
    """Warnings for splits whose positives are enough to run on, yet too few to trust.

    Args:
        recipe: which rows a run sees, apart from the seed.
        by_seed: the counts of each seed.

    Returns:
        One sentence for each that holds in some seed: validation has fewer than 30 positives; the test of a table has
        fewer than 100; positives are the majority in training.
    """
    validation, test = (min(getattr(counts, split).positives for counts in by_seed) for split in ("validation", "test"))
    found = []
    if validation < CHOICE_POSITIVES:
        found.append(
            f"validation holds {validation} positives: below {CHOICE_POSITIVES} the choice "
            "of epoch and learning rate is unreliable; more positives would help"
        )
    if not is_synthetic(recipe.dataset) and test < TABLE_TEST_POSITIVES:
        found.append(
            f"test holds {test} positives: below {TABLE_TEST_POSITIVES} the average "
            "precision is noisy; more positives would help"
        )
    if any(counts.train.positives > counts.train.negatives for counts in by_seed):
        found.append("positives are the majority here; is `positive` the rare class?")
    return tuple(found)


def _check(recipe: Recipe) -> None:
    if recipe.positive_rate is not None and not 0 < recipe.positive_rate < 1:
        raise InputError(f"a positive rate lies between 0 and 1, both excluded; got {recipe.positive_rate}")
    if not 0 <= recipe.label_noise < 0.5:
        raise InputError(f"label noise lies between 0 and 0.5 (excluded); got {recipe.label_noise}")
    if recipe.test_prevalence not in ("thin", "weight"):
        raise InputError(f"unknown `test_prevalence` {recipe.test_prevalence!r}; choose thin or weight")
    if recipe.rows < 1:
        raise InputError(f"the number of training rows must be positive, got {recipe.rows}")


def _checked(recipe: Recipe, rate: float, sizes: Sizes, top: float) -> SplitCounts:
    if rate <= top and rate * recipe.rows > 1:  # else sizes may be astronomical
        counts = sizes(rate)
        if all(map(_enough_positives, counts.each)) and _enough_negatives(counts, recipe.label_noise, rate):
            return counts
    reachable = reachable_rates(recipe, sizes, top)
    if reachable is None:
        remedy = f"no rate gives that with at most {recipe.rows} training rows: ask for more rows or take more data"
    else:
        remedy = f"choose a rate from {reachable[0]} to {reachable[1]}, or another number of rows"
    kind = TooFewPositivesError if rate <= top else InputError
    raise kind(
        f"a positive rate of {rate:.6g} is not reachable: each split needs {MIN_POSITIVES} positives and enough "
        f"negatives, and thinning only takes rows away; {remedy}"
    )


def _enough_positives(part: Counts) -> bool:
    return part.positives >= MIN_POSITIVES


def _enough_negatives(counts: SplitCounts, noise: float, rate: float) -> bool:
    if not all(part.negatives for part in counts.each):
        return False
    swaps = label_swaps(noise, counts.each, rate if counts.weighted else None)
    return all(part.negatives >= swap.negatives for part, swap in zip(counts.each, swaps, strict=True))


def _synthetic_sizes(rate: float, recipe: Recipe) -> SplitCounts:
    part = Counts(recipe.rows, positive_count(rate, recipe.rows))
    test = _synthetic_test(rate, recipe.rows)
    if weighted_rate(replace(recipe, positive_rate=rate)) is None:
        return SplitCounts(part, part, test)
    weighted = Counts(test.negatives + WEIGHTED_TEST_POSITIVES, WEIGHTED_TEST_POSITIVES)
    return SplitCounts(part, part, weighted, weighted=True)


def _synthetic_test(rate: float, rows: int) -> Counts:
    """At the rate, with as many rows as training or what 200 positives need."""
    bound = range(1, int(min(SYNTHETIC_TEST_POSITIVES / rate, 1e15)) + 2)
    enough = 1 + bisect_left(bound, SYNTHETIC_TEST_POSITIVES, key=lambda n: positive_count(rate, n))
    test = max(rows, enough)
    return Counts(test, positive_count(rate, test))


def _table_sizes(rate: float, recipe: Recipe, rows: int, positives: int) -> SplitCounts:
    train, validation = _leading_sizes(rate, recipe, positives, rows - positives)
    left = positive_parts(recipe, rows, positives)[2]
    test = _test(rate, recipe, left, rows - positives - train.negatives - validation.negatives)
    return SplitCounts(train, validation, test, weighted_rate(recipe) is not None)


def _test(rate: float, recipe: Recipe, positives: int, negatives: int) -> Counts:
    """What the test takes of the rows left for it: all where they are weighted, else what has the rate."""
    if weighted_rate(recipe) is not None:
        return Counts(positives + negatives, positives)
    return largest_split(rate, positives, negatives)


def _pool_sizes(rate: float, recipe: Recipe, pools: SplitCounts) -> SplitCounts:
    def at_most(rows: int, pool: Counts) -> Counts:
        most = largest_split(rate, pool.positives, pool.negatives)
        return most if most.rows <= rows else Counts(rows, positive_count(rate, rows))

    train = at_most(recipe.rows, pools.train)
    validation = at_most(train.rows, pools.validation)
    test = _test(rate, recipe, pools.test.positives, pools.test.negatives)
    return SplitCounts(train, validation, test, weighted_rate(recipe) is not None)


def _leading_sizes(rate: float, recipe: Recipe, positives: int, negatives: int) -> tuple[Counts, Counts]:
    # both classes are capped, so that the counts of positives never fall as the rate rises: the splits nest
    def at_most(rows: int, tenths: int) -> Counts:
        most = largest_split(rate, positives * tenths // 10, negatives * tenths // 10)
        return most if most.rows <= rows else Counts(rows, positive_count(rate, rows))

    train = at_most(recipe.rows, TRAIN_TENTHS)
    return train, at_most(train.rows, VALIDATION_TENTHS)


def _edge(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return the last rate at which holds is true, on the way from inside (true) to outside (false)."""
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside


def _tidy(rate: float, rounding: Callable[[float], int], holds: Callable[[float], bool]) -> float:
    """Return the rate rounded to four digits where it still holds there."""
    scale = 10.0 ** (3 - math.floor(math.log10(rate)))
    short = rounding(rate * scale) / scale
    return short if holds(short) else rate
