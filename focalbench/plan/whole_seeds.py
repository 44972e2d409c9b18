"""Which seeds are whole: all of their runs are done. A sweep finishes its seeds one after another, so that what it has
at any time is a smaller sweep.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import Plan, seeds_of
from focalbench.runs.run import Run


@dataclass(frozen=True)
class Whole:
    """The first so many seeds of some data sets, of which every run is done: safe, or failed."""

    datasets: tuple[str, ...] = ()
    seeds: int = 0


class Tally:
    """Counts down the runs that are left of each seed of each data set."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._left = Counter((run.recipe.dataset, run.seed) for run in runs)
        self._seeds: dict[str, list[int]] = {}
        for dataset, seed in self._left:
            self._seeds.setdefault(dataset, []).append(seed)
        self._whole = dict.fromkeys(self._seeds, 0)
        self._latest = ""

    def see(self, runs: Iterable[Run]) -> None:
        """Take in runs that are done."""
        for run in runs:
            self._latest = run.recipe.dataset
            self._left[run.recipe.dataset, run.seed] -= 1
        for dataset, seeds in self._seeds.items():
            while self._whole[dataset] < len(seeds) and not self._left[dataset, seeds[self._whole[dataset]]]:
                self._whole[dataset] += 1

    @property
    def latest(self) -> Whole:
        """The whole seeds of the data set that runs were done of last."""
        return Whole((self._latest,), self._whole.get(self._latest, 0))

    @property
    def count(self) -> int:
        """The whole seeds of all data sets together."""
        return sum(self._whole.values())

    @property
    def datasets(self) -> tuple[str, ...]:
        """All data sets."""
        return tuple(self._seeds)

    @property
    def planned(self) -> int:
        """The seeds of a data set."""
        return max(map(len, self._seeds.values()), default=0)

    @property
    def largest(self) -> Whole:
        """The largest table that can be made: as many seeds of each of its data sets."""
        best = Whole()
        for seeds in sorted({*self._whole.values()} - {0}, reverse=True):
            datasets = tuple(dataset for dataset, whole in self._whole.items() if whole >= seeds)
            if seeds * len(datasets) > best.seeds * len(best.datasets):
                best = Whole(datasets, seeds)
        return best


def part_of(plan: Plan, whole: Whole) -> Plan:
    """The plan of these seeds alone."""
    seeds = {*sorted({run.seed for run in plan.runs})[: whole.seeds]}
    runs = tuple(run for run in plan.runs if run.seed in seeds and run.recipe.dataset in whole.datasets)
    return replace(plan, runs=runs, columns=tuple(read for read in plan.columns if read[0] in whole.datasets))


def shortened(experiment: Experiment, plan: Plan, whole: Whole) -> Experiment:
    """The experiment whose plan is part_of its plan."""
    planned = dict.fromkeys(run.recipe.dataset for run in plan.runs)  # in order, under the names that recipes have
    kept = [name for name, dataset in zip(experiment.datasets, planned, strict=True) if dataset in whole.datasets]
    return replace(experiment.only(kept), seeds=min(whole.seeds, len(seeds_of(experiment))))
