"""How long the data take: ten seeds of the default synthetic data, and the real tables, read anew and from the cache.

python experiments/data_speed.py    (half a minute; medians; the machine should be quiet)
"""

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from focalbench.base.provenance import machine
from focalbench.datasets.build import build_splits
from focalbench.datasets.tables.installed import REAL_TABLES, real_table
from focalbench.runs.run import Recipe


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Median wall-clock seconds of some calls."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return median(taken)


def main() -> None:
    """Measure and print."""
    recipe = Recipe("mixture", 40_000, 0.0015)
    print(machine())
    ten = seconds(lambda: [build_splits(recipe, seed) for seed in range(10)], 3)
    print(f"mixture at 0.0015, 40,000 rows, 10 seeds: {ten:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FOCALBENCH_CACHE"] = folder
        for name in REAL_TABLES:
            read = partial(real_table, name)
            print(f"{name}: {seconds(read, 1):.2f} s the first time, {seconds(read, 3):.2f} s from the cache")


if __name__ == "__main__":
    main()
