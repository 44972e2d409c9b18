"""What a threshold that was chosen on validation does, by seed: precision, recall, alerts and cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from focalbench.analysis.evidence import Evidence, Quantity, spread
from focalbench.analysis.rows import OperatingRow, Spread
from focalbench.analysis.selection import Entry, baseline_of, prevalence
from focalbench.analysis.statistics import Floats
from focalbench.analysis.verdicts import limits
from focalbench.runs.metric import PER, Aim, Costs, ThresholdAt
from focalbench.runs.result import Operating, Outcome

OfOperating = Callable[[Operating], float | None]
OfSums = Callable[[Floats, Floats], Floats]  # of those of recall and of the false positive rate, (seed, bucket) each


@dataclass(frozen=True)
class Acting:
    """One row at its thresholds. The sums of its rates are the last two that a run keeps."""

    entry: Entry
    evidence: Evidence

    @property
    def precision(self) -> Quantity | None:
        """Share of positives among the rows flagged; None where a seed flags none."""
        flagged = self.alerts.values / PER
        if not flagged.all():
            return None
        value = self._prevalence * self.recall.values / flagged

        def sums(recall: Floats, false_positive_rate: Floats) -> Floats:
            pi, p, share = (each[:, None] for each in (self._prevalence, value, flagged))
            return np.asarray(((1 - p) * pi * recall - p * (1 - pi) * false_positive_rate) / share)

        return self._quantity(value, sums)

    @cached_property
    def recall(self) -> Quantity:
        """Share of the positives that are flagged."""
        return self._quantity(self._by_seed(lambda found: found.recall), lambda recall, _: recall)

    @cached_property
    def alerts(self) -> Quantity:
        """Rows flagged of a 1,000."""
        return self._weighted(self._by_seed(lambda found: found.alerts), PER, PER)

    def cost(self, costs: Costs) -> Quantity:
        """Of a 1,000 rows."""
        values = self._by_seed(lambda found: found.cost)
        return self._weighted(values, -PER * costs.false_negative, PER * costs.false_positive)

    def left_open(self, at: ThresholdAt) -> Quantity:
        """What the aim leaves open: the cost it makes least, the alerts that a recall takes, else the recall."""
        if at.costs is not None:
            return self.cost(at.costs)
        return self.alerts if at.aim is Aim.RECALL else self.recall

    def row(self, at: ThresholdAt, costs: Costs | None, delta: Spread | None) -> OperatingRow:
        """What is kept of it. costs: of errors, if anybody said so; delta: as deltas has it."""
        precision = self.precision
        return OperatingRow(
            at=at,
            precision=None if precision is None else spread(self.evidence.sample_of(precision)),
            recall=spread(self.evidence.sample_of(self.recall)),
            alerts=spread(self.evidence.sample_of(self.alerts)),
            cost=None if costs is None else spread(self.evidence.sample_of(self.cost(costs))),
            delta=delta,
        )

    @cached_property
    def _prevalence(self) -> Floats:
        return prevalence(self.entry)

    def _by_seed(self, value: OfOperating) -> Floats:
        def of_run(outcome: Outcome) -> float | None:
            return None if outcome.operating is None else value(outcome.operating)

        return self.entry.by_seed(of_run)

    def _weighted(self, values: Floats, of_recall: float, of_false_positive_rate: float) -> Quantity:
        """A number that is linear in both rates, each times the share of its class."""
        pi = self._prevalence[:, None]
        return self._quantity(values, lambda r, f: of_recall * pi * r + of_false_positive_rate * (1 - pi) * f)

    def _quantity(self, values: Floats, sums: OfSums) -> Quantity:
        kept = self.evidence.kept_sums(self.entry)
        return Quantity(values, None if kept is None else sums(kept[:, -2], kept[:, -1]))


def deltas(family: Sequence[Entry], evidence: Evidence, at: ThresholdAt) -> dict[str, Spread]:
    """By name, what the rows of one start differ by from their baseline in what the aim leaves open; the limits hold
    for all at once.
    """
    baseline = baseline_of(family[0], evidence.entries)
    others = [entry for entry in family if entry is not baseline]
    theirs = Acting(baseline, evidence).left_open(at)
    samples = [evidence.sample_of(Acting(entry, evidence).left_open(at).minus(theirs)) for entry in others]
    return {e.name: spread(s, ends) for e, s, ends in zip(others, samples, limits(samples), strict=True)}
