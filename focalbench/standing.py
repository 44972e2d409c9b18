"""Who leads while a sweep is going on, by validation: the test split is for the end."""

from collections.abc import Sequence

import numpy as np

from focalbench.arms import Run
from focalbench.references import is_reference
from focalbench.store import Result

Cell = tuple[str, float | None]


class Standing:
    """Every arm's best validation average precision for each seed that was seen."""

    def __init__(self) -> None:
        self._best: dict[Cell, dict[str, dict[int, float]]] = {}
        self._latest: Cell | None = None

    def see(self, stack: Sequence[Run], results: Sequence[Result]) -> None:
        """Take in finished runs; references are no arms."""
        for run, result in zip(stack, results, strict=True):
            value = result.values.get("val_average_precision")
            if is_reference(run) or not isinstance(value, (int, float)):
                continue
            self._latest = run.recipe.dataset, run.recipe.positive_rate
            seeds = self._best.setdefault(self._latest, {}).setdefault(run.arm.name, {})
            seeds[run.seed] = max(value, seeds.get(run.seed, -np.inf))

    def leader(self) -> tuple[str, float, int] | None:
        """The arm that leads the cell of the latest run, its mean, and over how many seeds; None before there is one.

        Of the arms seen on most seeds, because an arm with one easy seed leads no race.
        """
        if self._latest is None:
            return None
        arms = self._best[self._latest]
        most = max(map(len, arms.values()))
        means = {name: float(np.mean(list(seeds.values()))) for name, seeds in arms.items() if len(seeds) == most}
        name = max(means, key=lambda each: means[each])
        return name, means[name], most
