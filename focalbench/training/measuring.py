"""From what a trained run says of its test rows to all that is kept of the run."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from focalbench.datasets.dataset import Dataset, Known, Resampling, Splits
from focalbench.losses.reference import Array
from focalbench.metrics.influence import average_precision_influences, bucket_sums
from focalbench.metrics.ranking import average_precision
from focalbench.runs.result import ClassOutcome, Curves, Early, Influences, Outcome, Sizes, SplitKind, Status
from focalbench.training.evaluation import BatchCounts, Measured, finite, macro, measure


@dataclass(frozen=True)
class Fit:
    """What training itself left. epoch: the chosen one; early_val: what validation reached by smaller budgets, a
    quarter and a half of the epochs; curve: validation average precision by scored epoch. A reference has none of them.
    """

    status: Status
    val_average_precision: float | None
    epoch: int | None = None
    early_val: tuple[float | None, ...] = ()
    curve: tuple[float | None, ...] = ()
    batches: BatchCounts | None = None


@dataclass(frozen=True)
class Prediction:
    """What a run says of test rows. scores: (output, sample), by which they rank; recovered: of each output,
    (sample,) float64, the logits behind the loss, or None where it has no inverse; early: the scores that smaller
    budgets chose, in the order of fit.early_val.
    """

    scores: Tensor
    recovered: Sequence[Array | None]
    fit: Fit
    early: Sequence[Tensor] = ()


def pooled_predictions(of_folds: Sequence[Prediction]) -> Prediction:
    """One prediction of the test rows of all folds; means of what training left, its median epoch, any divergence."""
    if len(of_folds) == 1:
        return of_folds[0]
    outputs = range(len(of_folds[0].recovered))
    recovered = [_joined([fold.recovered[k] for fold in of_folds]) for k in outputs]
    early = [torch.cat(list(parts), dim=1) for parts in zip(*(fold.early for fold in of_folds), strict=True)]
    scores = torch.cat([fold.scores for fold in of_folds], dim=1)
    return Prediction(scores, recovered, _pooled_fit([fold.fit for fold in of_folds]), early)


def _pooled_fit(fits: Sequence[Fit]) -> Fit:
    epochs = [fit.epoch for fit in fits if fit.epoch is not None]
    batches = [fit.batches for fit in fits if fit.batches is not None]
    curves = np.array([fit.curve for fit in fits], dtype=np.float64)
    return Fit(
        status=Status.DIVERGED if any(fit.status is Status.DIVERGED for fit in fits) else Status.OK,
        val_average_precision=_mean([fit.val_average_precision for fit in fits]),
        epoch=int(np.median(epochs)) if epochs else None,
        early_val=tuple(_mean(values) for values in zip(*(fit.early_val for fit in fits), strict=True)),
        curve=finite(curves.mean(axis=0).tolist()),
        batches=_mean_counts(batches) if batches else None,
    )


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
    return replace(folds[0], test=test, noisy_test_targets=joined_noisy, resampling=resampling)


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


def outcome_of(prediction: Prediction, splits: Splits, facts: Facts) -> tuple[Outcome, Curves, Influences]:
    """All that is kept of a run, from what it says of the test rows of splits."""
    scores, test, fit = prediction.scores, splits.test, prediction.fit
    outputs, weights = torch.from_numpy(np.ascontiguousarray(test.outputs.T)), weights_of(test)
    every = {
        k: _measure_known(test.where_known(k), scores[k], prediction.recovered[k], outputs[k], weights)
        for k in splits.measured
    }
    measured = macro(list(every.values())) if splits.names else every[0]

    def average(ranked: Tensor) -> float:
        found = [_known_precision(ranked[k], outputs[k], weights, test.where_known(k)) for k in splits.measured]
        return float(np.mean(found))

    early = list(map(Early, fit.early_val, map(average, prediction.early)))
    outcome = Outcome(
        epoch=fit.epoch,
        sizes=facts.sizes,
        test_prevalence=facts.test_prevalence,
        split=facts.split,
        train_share=facts.train_share,
        val_average_precision=fit.val_average_precision,
        test_average_precision=measured.average_precision,
        bayes_average_precision=facts.bayes_average_precision,
        status=fit.status,
        quarter=early[0] if early else None,
        half=early[1] if early else None,
        scores=replace(
            measured.scores,
            noisy_test_average_precision=_noisy_precision(scores, splits),
            positives_per_batch=None if fit.batches is None else fit.batches.positives,
            batches_without_positives=None if fit.batches is None else fit.batches.without,
        ),
        k=measured.k,
        classes=_classes(splits, {k: each.average_precision for k, each in every.items()}) if splits.names else None,
        data_sha256=facts.data_sha256,
    )
    return outcome, replace(measured.curves, validation=fit.curve), _influences(scores, splits)


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
