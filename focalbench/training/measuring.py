"""From what a trained run says of its test rows to all that is kept of the run."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from focalbench.datasets.dataset import Dataset, Known, Resampling, Splits
from focalbench.losses.reference import Array
from focalbench.metrics.hardness import hardest_negatives_share
from focalbench.metrics.influence import average_precision_influences, bucket_sums, rounded
from focalbench.metrics.ranking import average_precision
from focalbench.runs.metric import LOG_LOSS, Costs
from focalbench.runs.result import (
    ByMetric,
    Calibration,
    ClassOutcome,
    Curves,
    Early,
    Influences,
    Outcome,
    Sizes,
    SplitKind,
    Status,
)
from focalbench.runs.run import Training
from focalbench.training.acting import Flagged, Measurable, operating, operating_sums, sums_of, value_on
from focalbench.training.evaluation import BatchCounts, Measured, calibration_of, finite, macro, measure
from focalbench.training.recalibrating import Recalibrated


class Reached(NamedTuple):
    """What validation reached; None where no epoch was finite. metric: what chose, average precision or another."""

    average_precision: float | None
    metric: float | None


@dataclass(frozen=True)
class Fit:
    """What training itself left. val: what validation reached, average precision and the metric that chose, which may
    be another; epoch: the chosen one; early_val: val by smaller budgets, a quarter and a half of the epochs; curve:
    validation average precision by scored epoch. A reference has a val only.
    """

    status: Status
    val: Reached
    epoch: int | None = None
    early_val: tuple[Reached, ...] = ()
    curve: tuple[float | None, ...] = ()
    batches: BatchCounts | None = None


@dataclass(frozen=True)
class Said:
    """What a network says of test rows. scores: (output, sample), by which they rank; recovered: of each output,
    (sample,) float64, the logits behind the loss, or None where it has no inverse; flagged: (sample,), those above the
    threshold that costs least on validation, where the metric is a cost; gamma: of a focal loss of one output, 0 where
    it is a cross entropy, None of any other; recalibrated: by validation, of the one output, where that was asked for.
    """

    scores: Tensor
    recovered: Sequence[Array | None]
    flagged: Flagged | None = None
    gamma: float | None = None
    recalibrated: Recalibrated | None = None


@dataclass(frozen=True)
class Acted:
    """The test rows that a threshold flags, (sample,), and the threshold."""

    flagged: Flagged
    threshold: float


@dataclass(frozen=True)
class Prediction:
    """What a run says of test rows. early: what smaller budgets chose says, in the order of fit.early_val; acted: at
    the threshold asked for.
    """

    said: Said
    fit: Fit
    early: Sequence[Said] = ()
    acted: Acted | None = None


def pooled_predictions(of_folds: Sequence[Prediction]) -> Prediction:
    """One prediction of the test rows of all folds; means of what training left, its median epoch, any divergence."""
    if len(of_folds) == 1:
        return of_folds[0]
    early = [_pooled_said(parts) for parts in zip(*(fold.early for fold in of_folds), strict=True)]
    said = _pooled_said([fold.said for fold in of_folds])
    acted = [fold.acted for fold in of_folds if fold.acted is not None]
    return Prediction(
        said, _pooled_fit([fold.fit for fold in of_folds]), early, _pooled_acted(acted) if acted else None
    )


def _pooled_said(of_folds: Sequence[Said]) -> Said:
    outputs = range(len(of_folds[0].recovered))
    recovered = [_joined([fold.recovered[k] for fold in of_folds]) for k in outputs]
    flagged = [fold.flagged for fold in of_folds if fold.flagged is not None]
    scores = torch.cat([fold.scores for fold in of_folds], dim=1)
    again = _pooled_recalibrated([fold.recalibrated for fold in of_folds if fold.recalibrated is not None])
    return Said(scores, recovered, np.concatenate(flagged) if flagged else None, of_folds[0].gamma, again)


def _pooled_recalibrated(of_folds: Sequence[Recalibrated]) -> Recalibrated | None:
    if not of_folds:
        return None
    isotonic = np.concatenate([fold.isotonic for fold in of_folds])
    return Recalibrated(_joined([fold.platt for fold in of_folds]), isotonic)


def _pooled_acted(of_folds: Sequence[Acted]) -> Acted:
    """The mean threshold stands for all: each fold has a network of its own."""
    return Acted(np.concatenate([fold.flagged for fold in of_folds]), float(np.mean([f.threshold for f in of_folds])))


def _pooled_fit(fits: Sequence[Fit]) -> Fit:
    epochs = [fit.epoch for fit in fits if fit.epoch is not None]
    batches = [fit.batches for fit in fits if fit.batches is not None]
    curves = np.array([fit.curve for fit in fits], dtype=np.float64)
    return Fit(
        status=Status.DIVERGED if any(fit.status is Status.DIVERGED for fit in fits) else Status.OK,
        val=_mean_reached([fit.val for fit in fits]),
        epoch=int(np.median(epochs)) if epochs else None,
        early_val=tuple(_mean_reached(values) for values in zip(*(fit.early_val for fit in fits), strict=True)),
        curve=finite(curves.mean(axis=0).tolist()),
        batches=_mean_counts(batches) if batches else None,
    )


def _mean_reached(found: Sequence[Reached]) -> Reached:
    return Reached(_mean([each.average_precision for each in found]), _mean([each.metric for each in found]))


def _mean(values: Sequence[float | None]) -> float | None:
    """None where one is missing."""
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if len(numbers) == len(values) else None


def _mean_counts(batches: Sequence[BatchCounts]) -> BatchCounts:
    return BatchCounts(*np.mean([(each.positives, each.without) for each in batches], axis=0).tolist())


def _joined(parts: Sequence[Array | None]) -> Array | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def pooled_splits(folds: Sequence[Splits]) -> Splits:
    """The first fold's training and validation rows, beside the test rows of all folds."""
    if len(folds) == 1:
        return folds[0]
    tests = [fold.test for fold in folds]
    test = Dataset(
        np.concatenate([part.features for part in tests]),
        np.concatenate([part.targets for part in tests]),
        weights=_joined([part.weights for part in tests]),
    )
    noisy = [fold.noisy_test_targets for fold in folds]
    known_noisy = [each for each in noisy if each is not None]
    joined_noisy = np.concatenate(known_noisy) if known_noisy else None
    found = [fold.resampling for fold in folds if fold.resampling is not None]
    units = np.concatenate([each.units for each in found])
    resampling = Resampling(found[0].kind, units, np.mean([each.train_share for each in found], axis=0))
    numbers = np.concatenate([fold.test_numbers for fold in folds if fold.test_numbers is not None])
    return replace(folds[0], test=test, noisy_test_targets=joined_noisy, resampling=resampling, test_numbers=numbers)


@dataclass(frozen=True)
class Facts:
    """What the rows of a run's splits are; of several folds, the first one's training and validation rows: see
    runs.result.Outcome.
    """

    sizes: Sizes
    test_prevalence: float | None
    split: SplitKind | None
    train_share: float | None
    bayes_average_precision: float | None
    data_sha256: str


def facts_of(folds: Sequence[Splits]) -> Facts:
    """What is kept of the data themselves."""
    splits = pooled_splits(folds)
    resampling, ceilings = splits.resampling, _ceilings(splits)
    parts = (splits.train, splits.validation, splits.test)
    return Facts(
        sizes=Sizes(*(count for part in parts for count in (part.rows, part.positives))),
        test_prevalence=_test_prevalence(splits),
        split=None if resampling is None else resampling.kind,
        train_share=None if resampling is None else float(resampling.train_share[list(splits.measured)].mean()),
        bayes_average_precision=float(np.mean(ceilings)) if ceilings else None,
        data_sha256=_hash([fold.sha256 for fold in folds]),
    )


def _test_prevalence(splits: Splits) -> float | None:
    if splits.names:
        return float(splits.test.shares()[list(splits.measured)].mean())  # of those measured: what chance reaches
    if splits.test.weights is not None:
        return float(f"{splits.test.prevalence:.12g}")  # a rate asked for without its rounding
    return None


def outcome_of(
    prediction: Prediction, splits: Splits, facts: Facts, asked: Training
) -> tuple[Outcome, Curves, Influences]:
    """All that is kept of a run, from what it says of the test rows of splits. asked: for the metric and threshold."""
    said, test, fit = prediction.said, splits.test, prediction.fit
    outputs, weights = torch.from_numpy(np.ascontiguousarray(test.outputs.T)), weights_of(test)
    every = {
        k: _measure_known(test.where_known(k), said.scores[k], said.recovered[k], outputs[k], weights)
        for k in splits.measured
    }
    measured = macro(list(every.values())) if splits.names else every[0]

    def average(ranked: Tensor) -> float:
        found = [_known_precision(ranked[k], outputs[k], weights, test.where_known(k)) for k in splits.measured]
        return float(np.mean(found))

    early = [
        Early(val.average_precision, average(each.scores))
        for val, each in zip(fit.early_val, prediction.early, strict=True)
    ]
    rows = [
        Measurable(each.scores[0], each.recovered[0], outputs[0], weights, each.flagged)
        for each in (said, *prediction.early)
    ]
    by_metric = _by_metric(asked, fit, rows, test.rows)
    acted, costs, again = prediction.acted, _costs(asked), said.recalibrated
    outcome = Outcome(
        epoch=fit.epoch,
        sizes=facts.sizes,
        test_prevalence=facts.test_prevalence,
        split=facts.split,
        train_share=facts.train_share,
        val_average_precision=fit.val.average_precision,
        test_average_precision=measured.average_precision,
        bayes_average_precision=facts.bayes_average_precision,
        status=fit.status,
        quarter=early[0] if early else None,
        half=early[1] if early else None,
        by_metric=by_metric[0],
        by_metric_quarter=by_metric[1] if early else None,
        by_metric_half=by_metric[2] if early else None,
        operating=None if acted is None else operating(rows[0], acted.flagged, acted.threshold, costs),
        platt=None if again is None else _calibration(again.platt, outputs[0], weights),
        isotonic=None if again is None else _calibration(again.isotonic, outputs[0], weights),
        scores=replace(
            measured.scores,
            noisy_test_average_precision=_noisy_precision(said.scores, splits),
            positives_per_batch=None if fit.batches is None else fit.batches.positives,
            batches_without_positives=None if fit.batches is None else fit.batches.without,
            hardest_negatives_share=_hardest(said, outputs[0], weights),
        ),
        k=measured.k,
        classes=_classes(splits, {k: each.average_precision for k, each in every.items()}) if splits.names else None,
        data_sha256=facts.data_sha256,
    )
    sums = _influences(said.scores, splits) + _more_influences(rows[0], prediction, splits, asked)
    return outcome, replace(measured.curves, validation=fit.curve), sums


def _calibration(logits: Array | None, targets: Tensor, weights: Tensor | None) -> Calibration | None:
    return None if logits is None else calibration_of(torch.from_numpy(logits)[None], targets, weights)


def _hardest(said: Said, targets: Tensor, weights: Tensor | None) -> float | None:
    return None if said.gamma is None else float(hardest_negatives_share(said.scores, targets, said.gamma, weights))


def _by_metric(asked: Training, fit: Fit, rows: Sequence[Measurable], test_rows: int) -> list[ByMetric | None]:
    """Of all epochs and of smaller budgets, on their test rows; None for average precision."""
    reached = zip((fit.val, *fit.early_val), rows, strict=True)
    if asked.metric.is_usual:
        return [None for _ in reached]
    return [ByMetric(val.metric, value_on(asked.metric, each, test_rows)) for val, each in reached]


def _costs(asked: Training) -> Costs | None:
    """What errors cost, if anybody said so."""
    at = asked.threshold_at
    return asked.metric.costs if at is None or at.costs is None else at.costs


def _noisy_precision(scores: Tensor, splits: Splits) -> float | None:
    noisy = splits.noisy_test_targets
    if noisy is None:
        return None
    return float(average_precision(scores, torch.from_numpy(noisy), weights_of(splits.test)))


def _known_precision(scores: Tensor, targets: Tensor, weights: Tensor | None, known: Known) -> float:
    rows = torch.from_numpy(known)
    return float(average_precision(scores[None, rows], targets[rows], None if weights is None else weights[rows]))


def weights_of(part: Dataset) -> Tensor | None:
    """What each row counts for, (rows,); None for 1 each."""
    return None if part.weights is None else torch.from_numpy(part.weights)


def _influences(scores: Tensor, splits: Splits) -> Influences:
    """The sums of what each test row of a table does to the average precision of each output that is measured."""
    if splits.resampling is None:
        return ()
    return tuple(_sums_of(scores[k].numpy(), splits, splits.resampling, k) for k in splits.measured)


def _more_influences(rows: Measurable, prediction: Prediction, splits: Splits, asked: Training) -> Influences:
    """The sums of another metric, of log losses where probabilities are recalibrated, and of recall and false positive
    rate at a threshold.
    """
    if splits.resampling is None:
        return ()
    units = splits.resampling.units
    found = [] if asked.metric.is_usual else [sums_of(asked.metric, rows, units)]
    if (again := prediction.said.recalibrated) is not None:
        every = (None, prediction.said.recovered[0], again.platt, again.isotonic)  # in the order of Recalibration
        found += [sums_of(LOG_LOSS, replace(rows, recovered=logits), units) for logits in every]
    if (acted := prediction.acted) is not None:
        found += operating_sums(rows, acted.flagged, units)
    return tuple(map(rounded, found))


def _sums_of(scores: Array, splits: Splits, resampling: Resampling, output: int) -> tuple[float, ...]:
    known, weights = splits.test.where_known(output), splits.test.weights
    positive, own = splits.test.outputs[known, output] > 0, None if weights is None else weights[known]
    influences = average_precision_influences(scores[known].astype(np.float64), positive, own)
    return bucket_sums(influences, resampling.units[known])


def _measure_known(
    known: Known, scores: Tensor, back: Array | None, targets: Tensor, weights: Tensor | None
) -> Measured:
    """Measure an output on the rows where it is known."""
    if known.all():
        return measure(scores, back, targets, weights)
    rows = torch.from_numpy(known)
    return measure(
        scores[rows],
        None if back is None else back[known],
        targets[rows],
        None if weights is None else weights[rows],
    )


# ---- of the data


def _hash(hashes: Sequence[str]) -> str:
    """One hash for several; a single one is itself."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _ceilings(splits: Splits) -> list[float]:
    """The Bayes score's average precision of each output that is measured; none where nobody knows it."""
    bayes = splits.test.bayes_logits
    if bayes is None:
        return []
    logits, weights = torch.from_numpy(bayes.reshape(splits.test.rows, -1).T), weights_of(splits.test)
    outputs = torch.from_numpy(splits.test.outputs.T)
    return [float(average_precision(logits[k : k + 1], outputs[k], weights)) for k in splits.measured]


def _classes(splits: Splits, precisions: dict[int, float]) -> tuple[ClassOutcome, ...]:
    """What each class holds and reaches; no average precision where it was not measured."""
    bayes = dict(zip(splits.measured, _ceilings(splits), strict=False))
    parts = (splits.train, splits.validation, splits.test)
    counts = np.array([part.outputs.sum(axis=0, dtype=np.int64) for part in parts]).T.tolist()
    weighted = splits.test.weights is not None or splits.test.known is not None  # else counts tell it
    shares = splits.test.shares().tolist() if weighted else [None] * len(counts)
    return tuple(
        ClassOutcome(name, train, val, test, share, bayes.get(k), precisions.get(k))
        for k, (name, (train, val, test), share) in enumerate(zip(splits.names, counts, shares, strict=True))
    )
