"""One stack from recipe to results: rebuild the data, train (or fit a reference), measure. Any worker can do it."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from focalbench.arms import SOFTMAX, Arm, Recipe, Run
from focalbench.datasets.build import build_splits
from focalbench.datasets.dataset import Dataset, Floats, Known, Splits, Targets
from focalbench.evaluation import Curves, Values, batch_accounting, finite_or_none, macro, measure
from focalbench.losses.arm_loss import recovered_outputs, run_loss, start_biases
from focalbench.losses.inverse import log_odds
from focalbench.losses.multiclass import leads
from focalbench.losses.reference import Array
from focalbench.losses.rivals import ClassCounts
from focalbench.losses.stack_loss import RunLoss, ranking_scores
from focalbench.metrics.ranking import average_precision
from focalbench.models import Architecture, Network, draw_weights
from focalbench.randomness import generator
from focalbench.references import is_reference, reference_logits
from focalbench.samplers import Order, orders
from focalbench.store import Number, Result
from focalbench.training import (
    Choice,
    Member,
    Rows,
    Schedule,
    Trained,
    epoch_budgets,
    macro_average_precision,
    score,
    train,
)

EARLY = ("quarter", "half")  # of the epochs: what a smaller budget would have chosen
Measured = tuple[Values, Curves]

_latest: dict[tuple[Recipe, int], Splits] = {}  # the stacks of one seed follow one another


def run_stack(stack: tuple[Run, ...]) -> list[Result]:
    """Train and measure runs that share data and batches; or fit the one reference."""
    start = time.perf_counter()
    splits = _splits(stack[0].recipe, stack[0].seed)  # first: what is read may be tiny, such as weights
    with one_thread():
        measured = _fit_reference(stack[0], splits) if is_reference(stack[0]) else _train(stack, splits)
        common = _data_values(splits)
    seconds = (time.perf_counter() - start) / len(stack)
    return [
        Result(run.run_id, common | values, curves, seconds)
        for run, (values, curves) in zip(stack, measured, strict=True)
    ]


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread, and no denormals: gamma 5 makes denormal gradients, which cost twice the time and move nothing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def _splits(recipe: Recipe, seed: int) -> Splits:
    if (recipe, seed) not in _latest:
        _latest.clear()  # before the next one is built, so that there are never two in memory
        _latest[recipe, seed] = build_splits(recipe, seed)
    return _latest[recipe, seed]


def _data_values(splits: Splits) -> Values:
    values: Values = {"data_sha256": splits.sha256}
    for name, part in _named(splits):
        values |= {f"{name}_rows": part.rows, f"{name}_positives": part.positives}
    ceilings = _ceilings(splits)
    values["bayes_average_precision"] = float(np.mean(ceilings)) if ceilings else None
    if splits.names:
        shares = splits.test.shares()[list(splits.measured)]
        values["test_prevalence"] = float(shares.mean())  # of those measured: what chance reaches
    elif splits.test.weights is not None:
        values["test_prevalence"] = splits.test.prevalence
    return values


def _named(splits: Splits) -> tuple[tuple[str, Dataset], ...]:
    return ("train", splits.train), ("val", splits.validation), ("test", splits.test)


def _ceilings(splits: Splits) -> list[float]:
    """The Bayes score's average precision of each output that is measured; none where nobody knows it."""
    bayes = splits.test.bayes_logits
    if bayes is None:
        return []
    logits = torch.from_numpy(bayes.reshape(splits.test.rows, -1).T)
    outputs = torch.from_numpy(splits.test.outputs.T)
    return [float(average_precision(logits[k : k + 1], outputs[k])) for k in splits.measured]


def _fit_reference(run: Run, splits: Splits) -> list[Measured]:
    from threadpoolctl import threadpool_limits  # scikit-learn's own dependency; one thread, as for a stack

    measured = splits.measured
    with threadpool_limits(1):
        fitted = [reference_logits(run, splits, output) for output in measured]
    logits = torch.zeros(splits.train.outputs.shape[1], splits.test.rows, dtype=torch.float64)
    logits[list(measured)] = torch.from_numpy(np.stack([scores for scores, _ in fitted]))
    counts = drawn_counts(splits.train, [np.arange(splits.train.rows)])
    values, curves = _measure(run, logits, splits, counts)
    validation = float(np.mean([precision for _, precision in fitted]))
    return [(values | {"status": "ok", "val_average_precision": validation}, curves)]


def _train(stack: tuple[Run, ...], splits: Splits) -> list[Measured]:
    training, key = stack[0].training, stack[0].recipe.key
    outputs = splits.train.outputs.shape[1]
    architecture = Architecture(splits.train.features.shape[1], training.hidden, outputs)
    drawn = orders(training.sampler, splits.train, training.batch_size, training.epochs, stack[0].seed, key)
    counts = drawn_counts(splits.train, drawn)
    every = [_member(run, architecture, counts) for run in stack]
    names = [_apart_from_its_name(run, member) for run, member in zip(stack, every, strict=True)]
    once = dict(zip(names, zip(stack, every, strict=True), strict=True))
    runs, members = zip(*once.values(), strict=True)
    rows, validation = _rows(splits.train, training.device), _rows(splits.validation, training.device)
    schedule = Schedule(training.batch_size, drawn, splits.measured)
    trained = train(architecture, rows, validation, members, schedule)
    batches = batch_accounting(splits.train.targets, drawn, training.batch_size)
    losses = [member.loss for member in members]
    measured = _measure_choices(runs, architecture, trained, losses, splits, counts)
    found = {name: (values | batches, curves) for name, (values, curves) in zip(once, measured, strict=True)}
    return [found[name] for name in names]


def _apart_from_its_name(run: Run, member: Member) -> tuple[Arm, bytes, float, int]:
    """What tells a run from others of its stack, but for what its start is called: equal ones are trained once."""
    start = member.layers[-1][1]
    return replace(run.arm, init="own"), start.tobytes(), run.lr, run.restart


def _rows(part: Dataset, device: str) -> Rows:
    targets = torch.from_numpy(part.targets if part.labels is None else part.labels).to(device, torch.float32)
    weights = None if part.weights is None else torch.from_numpy(part.weights / part.weights.mean()).float().to(device)
    known = None if part.known is None else torch.from_numpy(part.known).to(device, torch.float32)
    return Rows(torch.from_numpy(part.features).to(device), targets, weights, known)


def drawn_counts(train: Dataset, drawn: Sequence[Order]) -> tuple[ClassCounts, ...]:
    """Positives and negatives of each output that an epoch draws on average: what a loss is minimised on."""
    if train.known is None:
        return tuple(_drawn_of(targets, train.weights, drawn) for targets in train.outputs.T)
    return tuple(
        _drawn_of(targets, train.weights, [order[known[order]] for order in drawn])
        for targets, known in zip(train.outputs.T, train.known.T, strict=True)
    )


def _drawn_of(targets: Targets, weights: Floats | None, drawn: Sequence[Order]) -> ClassCounts:
    """Those of targets (rows,), by weight where rows have one."""
    positives = sum(int(np.count_nonzero(targets[order])) for order in drawn)
    rows = sum(map(len, drawn))
    if weights is not None:
        mass = sum(float(weights[order].sum()) for order in drawn)
        share = sum(float(weights[order] @ targets[order]) for order in drawn) / mass
        return ClassCounts(share * rows / len(drawn), (1 - share) * rows / len(drawn))
    return ClassCounts(positives / len(drawn), (rows - positives) / len(drawn))


def _member(run: Run, architecture: Architecture, counts: Sequence[ClassCounts]) -> Member:
    purpose = f"weights {run.training.hidden} {run.restart}"
    layers = draw_weights(architecture, generator(run.seed, purpose, run.recipe.key))
    weight, bias = layers[-1]
    layers[-1] = weight, np.array(start_biases(run.arm, counts), dtype=bias.dtype)
    return Member(layers, run.lr, run_loss(run.arm, counts))


def _measure_choices(
    stack: tuple[Run, ...],
    architecture: Architecture,
    trained: Trained,
    losses: Sequence[RunLoss],
    splits: Splits,
    counts: Sequence[ClassCounts],
) -> list[Measured]:
    """Score the test split with what validation chose, once for each budget of epochs that chose differently."""
    training = stack[0].training
    *early, whole = (trained.choices[epochs] for epochs in epoch_budgets(training.epochs))
    test = _rows(splits.test, training.device)

    def average(logits: Tensor) -> Tensor:
        return macro_average_precision(ranking_scores(losses, logits), test, splits.measured)

    def chosen(choice: Choice) -> Tensor:
        return _test_logits(architecture, choice, test, training.batch_size)

    logits = chosen(whole)
    precisions = [average(chosen(choice) if np.any(choice.epochs != whole.epochs) else logits) for choice in early]
    measured = []
    for i, run in enumerate(stack):
        values, curves = _measure(run, logits[i].cpu() if whole.epochs[i] else None, splits, counts)
        values["status"] = "diverged" if trained.diverged[i] else "ok"
        values["epoch"] = int(whole.epochs[i])
        values["val_average_precision"] = finite_or_none(whole.average_precision[i])
        for name, choice, precision in zip(EARLY, early, precisions, strict=True):
            values[f"val_average_precision_{name}"] = finite_or_none(choice.average_precision[i])
            values[f"test_average_precision_{name}"] = float(precision[i])
        curves["validation"] = [finite_or_none(value) for value in trained.curves[i]]
        measured.append((values, curves))
    return measured


def _test_logits(architecture: Architecture, choice: Choice, test: Rows, batch_size: int) -> Tensor:
    """Test logits (run, output, sample); a run without a finite epoch scores every row 0, AP at chance."""
    network = Network(architecture, choice.parameters, batch_size)
    return score(network, test.features).nan_to_num(0, 0, 0)


def _measure(run: Run, logits: Tensor | None, splits: Splits, counts: Sequence[ClassCounts]) -> Measured:
    """Measure one run's test logits (output, sample); None is the arm's best constant, where no epoch was finite.

    counts: what training drew; where a sampler moved the rate, the way back to probabilities moves it back.
    """
    outputs = torch.from_numpy(np.ascontiguousarray(splits.test.outputs.T))
    if logits is None:
        constants = torch.tensor(start_biases(replace(run.arm, init="own"), counts), dtype=torch.float32)
        logits = constants[:, None].expand(outputs.shape)
    recovered = recovered_outputs(run.arm, counts, logits)
    if not splits.names:  # with several outputs no sampler moves a rate
        shift = log_odds(splits.train.prevalence) - log_odds(counts[0].prevalence)
        recovered = [None if back is None else back + shift for back in recovered]
    scores = leads(logits[None])[0] if run.arm.loss in SOFTMAX else logits
    weights = None if splits.test.weights is None else torch.from_numpy(splits.test.weights)
    every = {
        k: _measure_known(splits.test.where_known(k), scores[k], recovered[k], outputs[k], weights)
        for k in splits.measured
    }
    values, curves = macro(list(every.values())) if splits.names else every[0]
    if splits.names:
        values["classes"] = _by_class(splits, {k: found["test_average_precision"] for k, (found, _) in every.items()})
    if splits.noisy_test_targets is not None:
        observed = average_precision(scores, torch.from_numpy(splits.noisy_test_targets))
        values["noisy_test_average_precision"] = float(observed)
    return values, curves


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
