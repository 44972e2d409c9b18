"""What the logits of a run say: by which they rank, what they recover, and what a threshold flags."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from focalbench.datasets.capacity import flagged_share
from focalbench.datasets.dataset import Dataset, Splits
from focalbench.losses.inverse import log_odds
from focalbench.losses.multiclass import leads
from focalbench.losses.reference import Array
from focalbench.runs.catalogue import SIGMOID, SOFTMAX
from focalbench.runs.metric import Aim, Metric, ThresholdAt
from focalbench.runs.run import Run
from focalbench.training.acting import Flagged, Measurable, choose_threshold, flagged_by, value_on
from focalbench.training.arm_loss import recovered_outputs, start_biases
from focalbench.training.measuring import Acted, Said, weights_of
from focalbench.training.recalibrating import Recalibrated, recalibrated
from focalbench.training.references import is_reference
from focalbench.training.rivals import ClassCounts


@dataclass(frozen=True, eq=False)
class Caller:
    """What the logits of a run say on one fold. counts: what training drew; where a sampler moved the rate, recovered
    probabilities are moved back. test_rows: of all folds.
    """

    run: Run
    splits: Splits
    counts: Sequence[ClassCounts]
    test_rows: int

    @property
    def constants(self) -> tuple[Tensor, Tensor]:
        """The arm's best constant as the logits of test and validation, for a run of which no epoch was finite."""
        found = torch.tensor(start_biases(replace(self.run.arm, init="own"), self.counts), dtype=torch.float32)
        rows = self.splits.test.rows, self.splits.validation.rows
        test, validation = (found[:, None].expand(-1, count) for count in rows)
        return test, validation

    def recovered(self, logits: Tensor) -> Array | None:
        """Of the first output, (sample,)."""
        return self._recovered(logits[None])[0]

    def said(self, test: Tensor, validation: Tensor | None) -> Said:
        """From logits (output, sample)."""
        ranked = leads(test[None])[0] if self.run.arm.loss in SOFTMAX else test
        arm = self.run.arm
        gamma = arm.gamma if arm.loss in SIGMOID and len(test) == 1 and not is_reference(self.run) else None
        again = self._recalibrated(test, validation)
        return Said(ranked, self._recovered(test), self._least_cost(test, validation), gamma, again)

    def sooner(self, ranked: Tensor, test: Tensor, validation: Tensor | None) -> Said:
        """As said, of a smaller budget, with no more than the metric asks for."""
        back = self._recovered(test) if self._metric.is_of_probabilities else [None] * len(test)
        return Said(ranked, back, self._least_cost(test, validation))

    def acted(self, test: Tensor, validation: Tensor | None) -> Acted | None:
        """What the threshold asked for flags."""
        at = self.run.training.threshold_at
        if at is None or validation is None:
            return None
        share = flagged_share(self.run.recipe, at) if at.aim is Aim.CAPACITY else None
        threshold = choose_threshold(at, self._rows(validation[0], self.splits.validation), share)
        return Acted(flagged_by(test[0], threshold), threshold)

    def value(self, scores: Tensor, rows: Dataset) -> float:
        """The metric that chooses, of scores (sample,) of one output."""
        return value_on(self._metric, self._rows(scores, rows), self.test_rows)

    @property
    def _metric(self) -> Metric:
        return self.run.training.metric

    def _least_cost(self, test: Tensor, validation: Tensor | None) -> Flagged | None:
        if self._metric.costs is None or validation is None:
            return None
        at = ThresholdAt(Aim.COST, costs=self._metric.costs)
        return flagged_by(test[0], choose_threshold(at, self._rows(validation[0], self.splits.validation), None))

    def _recalibrated(self, test: Tensor, validation: Tensor | None) -> Recalibrated | None:
        if validation is None or not self.run.training.recalibrate:
            return None
        part = self.splits.validation
        return recalibrated(validation[0], torch.from_numpy(part.targets), weights_of(part), test[0])

    def _rows(self, scores: Tensor, part: Dataset) -> Measurable:
        back = self.recovered(scores) if self._metric.is_of_probabilities else None
        return Measurable(scores, back, torch.from_numpy(part.targets), weights_of(part))

    def _recovered(self, logits: Tensor) -> Sequence[Array | None]:
        found = recovered_outputs(self.run.arm, self.counts, logits)
        if self.splits.names:  # with several outputs no sampler moves a rate
            return found
        shift = log_odds(self.splits.train.prevalence) - log_odds(self.counts[0].prevalence)
        return [None if back is None else back + shift for back in found]
