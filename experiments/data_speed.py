"""How long the data take: ten seeds of the default synthetic data, and the census table, read anew.

python experiments/data_speed.py    (half a minute; medians; the machine should be quiet)
"""

import time
from collections.abc import Callable
from statistics import median

from focalbench.arms import Recipe
from focalbench.datasets.build import build_splits
from focalbench.datasets.tables import real_table
from focalbench.platforms import machine


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
    for name in ("census-income", "flights-late", "shuttle"):
        print(f"{name}, read and deduplicated: {seconds(lambda name=name: real_table(name), 3):.2f} s")


if __name__ == "__main__":
    main()
