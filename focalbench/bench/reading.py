"""How long data take: synthetic splits, and real tables read anew and from the cache."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from focalbench.bench.rows import Goal, Row, Scale, row
from focalbench.bench.timing import Timing, interleaved, seconds
from focalbench.datasets.build import build_splits
from focalbench.datasets.tables.real import REAL_TABLES, real_table
from focalbench.errors import InputError
from focalbench.runs.run import Recipe

PART = "data (s)"
RECIPE, TINY_RECIPE, SEEDS = Recipe("mixture", 40_000, 0.0015), Recipe("mixture", 2_000, 0.02), 10
CACHE = "FOCALBENCH_CACHE"


def reading(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time the splits of ten seeds, and each real table that is installed, the first time and from the cache."""
    recipe = TINY_RECIPE if scale.tiny else RECIPE
    (drawn,) = interleaved([lambda: [build_splits(recipe, seed) for seed in range(SEEDS)]], scale.rounds)
    name = f"{recipe.dataset} at {recipe.positive_rate}, {recipe.rows:,} rows, {SEEDS} seeds"
    rows = [row(PART, name, "1", drawn, 1.0, None)]
    with _empty_cache():
        for table in () if scale.tiny else REAL_TABLES:
            try:
                first = seconds(partial(real_table, table))
            except InputError:  # its files are not here
                continue
            (again,) = interleaved([partial(real_table, table)], scale.rounds)
            rows += [row(PART, f"{table}, the first time", "1", Timing((first,)), 1.0, None)]
            rows += [row(PART, f"{table}, from the cache", "1", again, 1.0, None)]
    return rows, []


@contextmanager
def _empty_cache() -> Iterator[None]:
    before = os.environ.get(CACHE)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[CACHE] = folder
        try:
            yield
        finally:
            del os.environ[CACHE]
            if before is not None:
                os.environ[CACHE] = before
