"""How good probabilities are as the scores give them, by the loss's inverse, and by a regression on validation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from focalbench.analysis.evidence import Evidence, Quantity, spread
from focalbench.analysis.rows import Recalibration, Spread
from focalbench.analysis.selection import Entry, prevalence
from focalbench.analysis.statistics import Floats
from focalbench.runs.metric import LOG_LOSS
from focalbench.runs.result import Calibration, Outcome

OfOutcome = Callable[[Outcome], Calibration | None]


@dataclass(frozen=True)
class Recalibrating:
    """One row. The sums of its four log losses stand after those of average precision and of another metric."""

    entry: Entry
    evidence: Evidence

    def row(self) -> Recalibration | None:
        """What is kept of it; None where nobody asked."""
        if all(trained.outcome.isotonic is None for trained in self.entry.chosen):
            return None
        return Recalibration(
            raw=self._skill(0, lambda outcome: outcome.scores.raw),
            inverse=self._skill(1, lambda outcome: outcome.scores.recovered),
            platt=self._skill(2, lambda outcome: outcome.platt),
            isotonic=self._skill(3, lambda outcome: outcome.isotonic),
        )

    def _skill(self, place: int, of: OfOutcome) -> Spread | None:
        """Of one kind of probabilities; None where a seed has none."""
        found = [of(trained.outcome) for trained in self.entry.chosen]
        values = np.array([np.nan if each is None else each.log_loss_skill for each in found], dtype=np.float64)
        if not np.isfinite(values).all():
            return None
        kept = self.evidence.kept_sums(self.entry)
        if kept is None:
            return spread(self.evidence.sample_of(Quantity(values, None)))
        first = 1 if self.entry.metric.is_usual else 2
        return spread(self.evidence.sample_of(Quantity(values, -kept[:, first + place] / self._entropy[:, None])))

    @property
    def _entropy(self) -> Floats:
        """The log loss of the bare prevalence, by seed."""
        return np.array([LOG_LOSS.without_skill(share) for share in prevalence(self.entry)])
