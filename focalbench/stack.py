"""One stack from recipe to results: rebuild the data, train (or fit a reference), measure. Any worker can do it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from focalbench.arms import Recipe, Run
from focalbench.datasets.build import build_splits
from focalbench.datasets.dataset import Dataset, Splits
from focalbench.evaluation import Curves, Values, batch_accounting, finite_or_none, measure
from focalbench.losses.arm_loss import run_loss, start_bias
from focalbench.losses.inverse import log_odds
from focalbench.losses.rivals import ClassCounts
from focalbench.metrics.ranking import average_precision
from focalbench.models import Architecture, Network, draw_weights
from focalbench.randomness import generator
from focalbench.references import is_reference, reference_logits
from focalbench.samplers import Order, orders
from focalbench.store import Result
from focalbench.training import Choice, Member, Rows, Schedule, Trained, epoch_budgets, score, train

EARLY = ("quarter", "half")  # of the epochs: what a smaller budget would have chosen
Measured = tuple[Values, Curves]

_latest: dict[tuple[Recipe, int], Splits] = {}  # the stacks of one seed follow one another


def run_stack(stack: tuple[Run, ...]) -> list[Result]:
    """Train and measure runs that share data and batches; or fit the one reference."""
    start = time.perf_counter()
    with _one_thread():
        splits = _splits(stack[0].recipe, stack[0].seed)
        measured = _fit_reference(stack[0], splits) if is_reference(stack[0]) else _train(stack, splits)
        common = _data_values(splits)
    seconds = (time.perf_counter() - start) / len(stack)
    return [
        Result(run.run_id, common | values, curves, seconds)
        for run, (values, curves) in zip(stack, measured, strict=True)
    ]


@contextmanager
def _one_thread() -> Iterator[None]:
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
    for name, part in (("train", splits.train), ("val", splits.validation), ("test", splits.test)):
        values |= {f"{name}_rows": part.rows, f"{name}_positives": part.positives}
    bayes, targets = splits.test.bayes_logits, torch.from_numpy(splits.test.targets)
    ceiling = None if bayes is None else float(average_precision(torch.from_numpy(bayes)[None], targets))
    if splits.test.weights is not None:
        values["test_prevalence"] = splits.test.prevalence
    return values | {"bayes_average_precision": ceiling}


def _fit_reference(run: Run, splits: Splits) -> list[Measured]:
    from threadpoolctl import threadpool_limits  # scikit-learn's own dependency; one thread, as for a stack

    with threadpool_limits(1):
        logits, validation = reference_logits(run, splits)
    counts = drawn_counts(splits.train, [np.arange(splits.train.rows)])
    values, curves = _measure(run, torch.from_numpy(logits), splits, counts, chosen=True)
    return [(values | {"status": "ok", "val_average_precision": validation}, curves)]


def _train(stack: tuple[Run, ...], splits: Splits) -> list[Measured]:
    training, key = stack[0].training, stack[0].recipe.key
    architecture = Architecture(splits.train.features.shape[1], training.hidden)
    drawn = orders(training.sampler, splits.train, training.batch_size, training.epochs, stack[0].seed, key)
    counts = drawn_counts(splits.train, drawn)
    members = [_member(run, architecture, counts) for run in stack]
    rows, validation = _rows(splits.train, training.device), _rows(splits.validation, training.device)
    trained = train(architecture, rows, validation, members, Schedule(training.batch_size, drawn))
    batches = batch_accounting(splits.train.targets, drawn, training.batch_size)
    measured = _measure_choices(stack, architecture, trained, splits, counts)
    return [(values | batches, curves) for values, curves in measured]


def _rows(part: Dataset, device: str) -> Rows:
    targets = torch.from_numpy(part.targets).to(device, torch.float32)
    weights = None if part.weights is None else torch.from_numpy(part.weights / part.weights.mean()).float().to(device)
    return Rows(torch.from_numpy(part.features).to(device), targets, weights)


def drawn_counts(train: Dataset, drawn: list[Order]) -> ClassCounts:
    """Rows of each class that an epoch draws on average, by weight where they have one: what a loss is minimised on."""
    targets = sum(int(np.count_nonzero(train.targets[order])) for order in drawn)
    rows = sum(map(len, drawn))
    if train.weights is not None:
        mass = sum(float(train.weights[order].sum()) for order in drawn)
        targets_mass = sum(float(train.weights[order] @ train.targets[order]) for order in drawn)
        return ClassCounts(targets_mass / mass * rows / len(drawn), (1 - targets_mass / mass) * rows / len(drawn))
    return ClassCounts(targets / len(drawn), (rows - targets) / len(drawn))


def _member(run: Run, architecture: Architecture, counts: ClassCounts) -> Member:
    purpose = f"weights {run.training.hidden} {run.restart}"
    layers = draw_weights(architecture, generator(run.seed, purpose, run.recipe.key))
    weight, bias = layers[-1]
    layers[-1] = weight, np.full_like(bias, start_bias(run.arm, counts))
    return Member(layers, run.lr, run_loss(run.arm, counts))


def _measure_choices(
    stack: tuple[Run, ...], architecture: Architecture, trained: Trained, splits: Splits, counts: ClassCounts
) -> list[Measured]:
    """Score the test split with what validation chose, once for each budget of epochs that chose differently."""
    training = stack[0].training
    *early, whole = (trained.choices[epochs] for epochs in epoch_budgets(training.epochs))
    test = _rows(splits.test, training.device)
    logits = _test_logits(architecture, whole, test, training.batch_size)
    precisions = [
        _test_precision(architecture, choice, test, training.batch_size)
        if np.any(choice.epochs != whole.epochs)
        else average_precision(logits, test.targets, test.weights)
        for choice in early
    ]
    measured = []
    for i, run in enumerate(stack):
        values, curves = _measure(run, logits[i].cpu(), splits, counts, chosen=bool(whole.epochs[i]))
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
    """Test logits (run, sample); a run without a finite epoch scores every row 0: AP equal to the prevalence."""
    network = Network(architecture, choice.parameters, batch_size)
    return score(network, test.features).nan_to_num(0, 0, 0)


def _test_precision(architecture: Architecture, choice: Choice, test: Rows, batch_size: int) -> Tensor:
    return average_precision(_test_logits(architecture, choice, test, batch_size), test.targets, test.weights)


def _measure(run: Run, logits: Tensor, splits: Splits, counts: ClassCounts, *, chosen: bool) -> Measured:
    """Measure one run's test logits (sample,); without a chosen epoch the arm's best constant stands in for them.

    counts: what training drew; where a sampler moved the rate, the way back to probabilities moves it back.
    """
    targets = torch.from_numpy(splits.test.targets)
    if not chosen:
        logits = torch.full_like(logits, start_bias(replace(run.arm, init="own"), counts))
    weights = None if splits.test.weights is None else torch.from_numpy(splits.test.weights)
    shift = log_odds(splits.train.prevalence) - log_odds(counts.prevalence)
    values, curves = measure(run.arm, counts, logits, targets, weights, shift)
    noisy = splits.noisy_test_targets
    if noisy is not None:
        observed = average_precision(logits[None], torch.from_numpy(noisy))
        values["noisy_test_average_precision"] = float(observed)
    return values, curves
