"""From what a trained run says of its test rows to all that is kept of the run."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from focalbench.datasets.dataset import Dataset, Known, Resampling, Splits
from focalbench.losses.reference import Array
from focalbench.metrics.influence import average_precision_influences, bucket_sums
from focalbench.metrics.ranking import average_precision
from focalbench.runs.result import Number
from focalbench.training.evaluation import Curves, Values, finite_or_none, macro, measure

EARLY = ("quarter", "half")  # of the epochs: what a smaller budget would have chosen
Influences = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Measured:
    """What is measured of one run: see runs.result.Result."""

    values: Values
    curves: Curves
    influences: Influences = ()


@dataclass(frozen=True)
class Prediction:
    """What a run says of test rows. scores: (output, sample), by which they rank; recovered: of each output,
    (sample,) float64, the logits behind the loss, or None where it has no way back; early: the scores that smaller
    budgets chose, in the order of EARLY, none of a reference. values, curves: what training itself left.
    """

    scores: Tensor
    recovered: Sequence[Array | None]
    early: Sequence[Tensor] = ()
    values: Values = field(default_factory=dict)
    curves: Curves = field(default_factory=dict)


def pooled_predictions(of_folds: Sequence[Prediction]) -> Prediction:
    """One prediction of the test rows of all folds; means of what training left, its median epoch, any divergence."""
    if len(of_folds) == 1:
        return of_folds[0]
    outputs = range(len(of_folds[0].recovered))
    recovered = [_joined([fold.recovered[k] for fold in of_folds]) for k in outputs]
    early = [torch.cat(list(parts), dim=1) for parts in zip(*(fold.early for fold in of_folds), strict=True)]
    values = {name: _pooled(name, [fold.values[name] for fold in of_folds]) for name in of_folds[0].values}
    every = [np.array(fold.curves.get("validation", []), dtype=np.float64) for fold in of_folds]
    curves: Curves = (
        {"validation": [finite_or_none(value) for value in np.mean(every, axis=0)]} if len(every[0]) else {}
    )
    return Prediction(torch.cat([fold.scores for fold in of_folds], dim=1), recovered, early, values, curves)


def _joined(parts: Sequence[Array | None]) -> Array | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def _pooled(name: str, values: Sequence[Number]) -> Number:
    if name == "status":
        return "diverged" if "diverged" in values else "ok"
    numbers = [value for value in values if isinstance(value, (int, float))]
    if len(numbers) < len(values):
        return None
    return int(np.median(numbers)) if name == "epoch" else float(np.mean(numbers))


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


def measured_run(prediction: Prediction, splits: Splits) -> Measured:
    """All that is kept of a run, from what it says of the test rows of splits."""
    scores, test = prediction.scores, splits.test
    outputs, weights = torch.from_numpy(np.ascontiguousarray(test.outputs.T)), weights_of(test)
    every = {
        k: _measure_known(test.where_known(k), scores[k], prediction.recovered[k], outputs[k], weights)
        for k in splits.measured
    }
    values, curves = macro(list(every.values())) if splits.names else every[0]
    if splits.names:
        values["classes"] = _by_class(splits, {k: found["test_average_precision"] for k, (found, _) in every.items()})
    if splits.noisy_test_targets is not None:
        observed = average_precision(scores, torch.from_numpy(splits.noisy_test_targets), weights)
        values["noisy_test_average_precision"] = float(observed)
    for name, early in zip(EARLY, prediction.early, strict=False):
        of_output = [_known_precision(early[k], outputs[k], weights, test.where_known(k)) for k in splits.measured]
        values[f"test_average_precision_{name}"] = float(np.mean(of_output))
    return Measured(values | prediction.values, curves | prediction.curves, _influences(scores, splits))


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
) -> tuple[Values, Curves]:
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


def data_values(folds: Sequence[Splits]) -> Values:
    """What the rows of a run's splits are; of several folds, the first one's training and validation rows."""
    splits = pooled_splits(folds)
    values: Values = {"data_sha256": _hash([fold.sha256 for fold in folds])}
    for name, part in _named(splits):
        values |= {f"{name}_rows": part.rows, f"{name}_positives": part.positives}
    ceilings = _ceilings(splits)
    values["bayes_average_precision"] = float(np.mean(ceilings)) if ceilings else None
    if splits.names:
        shares = splits.test.shares()[list(splits.measured)]
        values["test_prevalence"] = float(shares.mean())  # of those measured: what chance reaches
    elif splits.test.weights is not None:
        values["test_prevalence"] = float(f"{splits.test.prevalence:.12g}")  # a rate asked for without its rounding
    if splits.resampling is not None:
        values["split"] = splits.resampling.kind
        values["train_share"] = float(splits.resampling.train_share[list(splits.measured)].mean())
    return values


def _hash(hashes: Sequence[str]) -> str:
    """One hash for several; a single one is itself."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _named(splits: Splits) -> tuple[tuple[str, Dataset], ...]:
    return ("train", splits.train), ("val", splits.validation), ("test", splits.test)


def _ceilings(splits: Splits) -> list[float]:
    """The Bayes score's average precision of each output that is measured; none where nobody knows it."""
    bayes = splits.test.bayes_logits
    if bayes is None:
        return []
    logits, weights = torch.from_numpy(bayes.reshape(splits.test.rows, -1).T), weights_of(splits.test)
    outputs = torch.from_numpy(splits.test.outputs.T)
    return [float(average_precision(logits[k : k + 1], outputs[k], weights)) for k in splits.measured]


def _by_class(splits: Splits, precisions: dict[int, Number]) -> str:
    """What each class holds and reaches, as JSON; no average precision where it was not measured."""
    bayes = dict(zip(splits.measured, _ceilings(splits), strict=False))
    counts = {f"{name}_positives": part.outputs.sum(axis=0, dtype=np.int64).tolist() for name, part in _named(splits)}
    if splits.test.weights is not None or splits.test.known is not None:  # else counts tell it
        counts["test_prevalence"] = splits.test.shares().tolist()
    return json.dumps(
        [
            {"name": name}
            | {split: held[k] for split, held in counts.items()}
            | {"bayes_average_precision": bayes.get(k), "test_average_precision": precisions.get(k)}
            for k, name in enumerate(splits.names)
        ]
    )
