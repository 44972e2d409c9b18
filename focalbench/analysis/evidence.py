"""What the seeds of a cell say of a quantity: its values, and what re-splits of one table share (METHOD 3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from focalbench.analysis.rows import Scope, Spread
from focalbench.analysis.run_rows import Source
from focalbench.analysis.selection import Entry, Trained
from focalbench.analysis.statistics import INTERVAL_SEEDS, Floats, Sample, mean_interval, shared_covariance
from focalbench.runs.result import SplitKind

Influences = Callable[[str], Sequence[Sequence[float]]]  # of a run_id: sums by output and bucket; empty where none
SCOPES = {
    SplitKind.ROWS: Scope.TABLE,
    SplitKind.GROUPS: Scope.TABLE,
    SplitKind.FOLDS: Scope.FOLDS,
    SplitKind.TIME: Scope.TRAINED,
    SplitKind.EACH_GROUP: Scope.GROUPS,
}


def no_influences(_: str) -> Sequence[Sequence[float]]:
    """Of fresh draws, and of runs of before they were kept."""
    return ()


@dataclass(frozen=True, eq=False)
class Quantity:
    """A number by seed, (seed,), and what the buckets of test rows do to it, (seed, bucket), None of fresh draws."""

    values: Floats
    sums: Floats | None

    def times(self, sign: int) -> "Quantity":
        """The same, or with its sign turned."""
        return Quantity(sign * self.values, None if self.sums is None else sign * self.sums)

    def minus(self, other: "Quantity") -> "Quantity":
        """The difference, seed by seed."""
        sums = None if self.sums is None or other.sums is None else self.sums - other.sums
        return Quantity(self.values - other.values, sums)


@dataclass(frozen=True)
class Evidence:
    """The chosen runs of a cell and, of a table, the influences of their test rows."""

    entries: Sequence[Entry]
    influences: Influences

    @property
    def first(self) -> Trained:
        """A run of the cell."""
        return self.entries[0].chosen[0]

    @property
    def is_synthetic(self) -> bool:
        """Whether every seed draws its own rows."""
        return self.first.settings.source is Source.SYNTHETIC

    @cached_property
    def scope(self) -> Scope:
        """What intervals speak of."""
        if self.is_synthetic:
            return Scope.DRAWS
        split = self.first.outcome.split
        return Scope.THIS_TABLE if self.older_seeds or split is None else SCOPES[split]

    @cached_property
    def older_seeds(self) -> int:
        """How many seeds have a run of a table without influences, made before these were kept."""
        if self.is_synthetic:
            return 0
        lacking = ([not self.influences(run_id) for run_id in entry.run_ids] for entry in self.entries)
        return int(np.any(list(lacking), axis=0).sum())

    @property
    def train_share(self) -> float:
        """The mean share of the table's positives that train."""
        if self.scope not in (Scope.TABLE, Scope.FOLDS, Scope.GROUPS):
            return 0.0
        return float(self.entries[0].by_seed(lambda outcome: outcome.train_share).mean())

    @cached_property
    def _sums(self) -> dict[str, Floats]:
        """The influence sums of every entry, (seed, output, bucket)."""
        shared = self.scope not in (Scope.DRAWS, Scope.THIS_TABLE)
        return {e.name: np.array(list(map(self.influences, e.run_ids))) for e in self.entries} if shared else {}

    def mean(self, entry: Entry) -> Sample:
        """A row's average precision."""
        return self.sample(entry.test, self._mean_sums(entry))

    def score(self, entry: Entry) -> Quantity:
        """A row's metric."""
        if entry.metric.is_usual:
            return Quantity(entry.test, self._mean_sums(entry))
        kept = self.kept_sums(entry)
        return Quantity(entry.score, None if kept is None else kept[:, 1])  # after average precision's

    def difference(self, entry: Entry, other: Entry) -> Sample:
        """A row's metric minus another's, on the same seeds."""
        return self.sample_of(self.score(entry).minus(self.score(other)))

    def sample_of(self, found: Quantity) -> Sample:
        """A quantity with what its seeds share."""
        return self.sample(found.values, found.sums)

    def kept_sums(self, entry: Entry) -> Floats | None:
        """All sums that a row's runs keep, (seed, quantity, bucket), in the order of Result.influences."""
        return self._sums.get(entry.name)

    def of_output(self, values: Floats, place: int, entry: Entry, other: Entry | None = None) -> Sample:
        """A row's average precision on one of the measured outputs, or what other's is subtracted from it."""
        if entry.name not in self._sums:
            return self.sample(values, None)
        sums = self._sums[entry.name][:, place]
        return self.sample(values, sums if other is None else sums - self._sums[other.name][:, place])

    def _mean_sums(self, entry: Entry) -> Floats | None:
        """Of average precision, the mean over the outputs, (seed, bucket)."""
        return self._sums[entry.name][:, : self._outputs].mean(axis=1) if entry.name in self._sums else None

    @property
    def _outputs(self) -> int | None:
        """How many of the sums are of average precision: all, or that of the one target."""
        asked = self.first.settings
        more = asked.metric is not None or asked.threshold_at is not None
        return 1 if more or self.first.outcome.isotonic is not None else None

    def sample(self, values: Floats, sums: Floats | None) -> Sample:
        """Values by seed, with what their seeds share."""
        if sums is None or len(values) < 2:
            return Sample(values)
        return Sample(values, shared_covariance(sums), self.train_share)


def spread(sample: Sample, limits: tuple[float, float] | None = None) -> Spread:
    """A mean and how it spreads; between its pointwise limits unless others are given; none of few seeds."""
    values, low, high = sample.values, None, None
    if limits is not None:
        low, high = limits
    elif sample.seeds >= INTERVAL_SEEDS:
        interval = mean_interval(sample)
        low, high = interval.low, interval.high
    return Spread(sample.mean, low, high, float(values.min()), float(values.max()))
