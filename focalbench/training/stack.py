"""One stack from recipe to results: rebuild the data, train (or fit a reference), measure. Any worker can do it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from focalbench.base.randomness import generator
from focalbench.datasets.build import build_parts
from focalbench.datasets.dataset import Dataset, Floats, Splits, Targets
from focalbench.losses.inverse import log_odds
from focalbench.losses.multiclass import leads
from focalbench.runs.arm import Arm
from focalbench.runs.catalogue import SOFTMAX
from focalbench.runs.result import Curves, Influences, Outcome, Result, Status
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.arm_loss import recovered_outputs, run_loss, start_biases
from focalbench.training.evaluation import batch_counts, finite, finite_or_none
from focalbench.training.loop import Choice, Member, Rows, Schedule, Trained, epoch_budgets, score, train
from focalbench.training.measuring import (
    Fit,
    Prediction,
    facts_of,
    outcome_of,
    pooled_predictions,
    pooled_splits,
)
from focalbench.training.models import Architecture, Network, draw_weights
from focalbench.training.references import is_reference, reference_logits
from focalbench.training.rivals import ClassCounts
from focalbench.training.samplers import Order, orders
from focalbench.training.stack_loss import RunLoss, ranking_scores

_latest: dict[tuple[Recipe, int], list[Splits]] = {}  # the stacks of one seed follow one another


def run_stack(stack: tuple[Run, ...]) -> list[Result]:
    """Train and measure runs that share data and batches; or fit the one reference."""
    start = time.perf_counter()
    folds = _folds(stack[0].recipe, stack[0].seed)  # first: what is read may be tiny, such as weights
    with one_thread():
        measured = _measured(stack, folds)
    seconds = (time.perf_counter() - start) / len(stack)
    return [
        Result(run.run_id, outcome, curves, seconds, influences)
        for run, (outcome, curves, influences) in zip(stack, measured, strict=True)
    ]


def _measured(stack: tuple[Run, ...], folds: Sequence[Splits]) -> list[tuple[Outcome, Curves, Influences]]:
    """Fit on each fold in turn, and measure on the test rows of all."""
    test, facts = pooled_splits(folds), facts_of(folds)
    if is_reference(stack[0]):
        fitted = [_fit_reference(stack[0], splits) for splits in folds]
        return [outcome_of(pooled_predictions(fitted), test, facts)]
    setups = [_set_up(stack[0], splits) for splits in folds]
    members = [[_member(run, setup) for run in stack] for setup in setups]
    names = list(map(_apart_from_its_name, stack, zip(*members, strict=True)))
    once = [names.index(name) for name in dict.fromkeys(names)]
    predicted = [
        _train([stack[i] for i in once], [of_fold[i] for i in once], setup)
        for of_fold, setup in zip(members, setups, strict=True)
    ]
    found = [outcome_of(pooled_predictions(of_run), test, facts) for of_run in zip(*predicted, strict=True)]
    by_name = dict(zip(dict.fromkeys(names), found, strict=True))
    return [by_name[name] for name in names]


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


def _folds(recipe: Recipe, seed: int) -> list[Splits]:
    if (recipe, seed) not in _latest:
        _latest.clear()  # before the next one is built, so that there are never two in memory
        _latest[recipe, seed] = build_parts(recipe, seed)
    return _latest[recipe, seed]


def _fit_reference(run: Run, splits: Splits) -> Prediction:
    from threadpoolctl import threadpool_limits  # scikit-learn's own dependency; one thread, as for a stack

    measured = splits.measured
    with threadpool_limits(1):
        fitted = [reference_logits(run, splits, output) for output in measured]
    logits = torch.zeros(splits.train.outputs.shape[1], splits.test.rows, dtype=torch.float64)
    logits[list(measured)] = torch.from_numpy(np.stack([scores for scores, _ in fitted]))
    counts = drawn_counts(splits.train, [np.arange(splits.train.rows)])
    validation = float(np.mean([precision for _, precision in fitted]))
    return _prediction(run, logits, splits, counts, Fit(Status.OK, validation))


@dataclass(frozen=True, eq=False)
class Setup:
    """What the runs of a stack share on one fold. drawn: the order of rows of each epoch; counts: what it draws."""

    splits: Splits
    training: Training
    architecture: Architecture
    drawn: Sequence[Order]
    counts: tuple[ClassCounts, ...]


def _set_up(run: Run, splits: Splits) -> Setup:
    training, outputs = run.training, splits.train.outputs.shape[1]
    architecture = Architecture(splits.train.features.shape[1], training.hidden, outputs)
    drawn = orders(training.sampler, splits.train, training.batch_size, training.epochs, run.seed, run.recipe.key)
    return Setup(splits, training, architecture, drawn, drawn_counts(splits.train, drawn))


def _member(run: Run, setup: Setup) -> Member:
    purpose = f"weights {run.training.hidden} {run.restart}"
    layers = draw_weights(setup.architecture, generator(run.seed, purpose, run.recipe.key))
    weight, bias = layers[-1]
    layers[-1] = weight, np.array(start_biases(run.arm, setup.counts), dtype=bias.dtype)
    return Member(layers, run.lr, run_loss(run.arm, setup.counts))


def _apart_from_its_name(run: Run, of_folds: Sequence[Member]) -> tuple[Arm, bytes, float, int]:
    """What tells a run from others of its stack, but for what its start is called: equal ones are trained once."""
    starts = b"".join(member.layers[-1][1].tobytes() for member in of_folds)
    return replace(run.arm, init="own"), starts, run.lr, run.restart


def _train(runs: Sequence[Run], members: Sequence[Member], setup: Setup) -> Iterator[Prediction]:
    """Train runs on one fold; what each says of its test rows, one after the other."""
    splits, training = setup.splits, setup.training
    rows, validation = _rows(splits.train, training.device), _rows(splits.validation, training.device)
    schedule = Schedule(training.batch_size, setup.drawn, splits.measured, training.evaluations)
    trained = train(setup.architecture, rows, validation, members, schedule)
    yield from _predictions(runs, [member.loss for member in members], trained, setup)


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


def _predictions(
    runs: Sequence[Run], losses: Sequence[RunLoss], trained: Trained, setup: Setup
) -> Iterator[Prediction]:
    """Score the test split with what validation chose, once for each budget of epochs that chose differently."""
    training = setup.training
    *early, whole = (trained.choices[epochs] for epochs in epoch_budgets(training.epochs))
    test = _rows(setup.splits.test, training.device)

    def chosen(choice: Choice) -> Tensor:
        return _test_logits(setup.architecture, choice, test, training.batch_size).cpu()

    logits = chosen(whole)
    sooner = [chosen(choice) if np.any(choice.epochs != whole.epochs) else logits for choice in early]
    ranked = [ranking_scores(losses, each) for each in sooner]
    batches = batch_counts(setup.splits.train.targets, setup.drawn, training.batch_size)
    for i, run in enumerate(runs):
        fit = Fit(
            status=Status.DIVERGED if trained.diverged[i] else Status.OK,
            val_average_precision=finite_or_none(whole.average_precision[i]),
            epoch=int(whole.epochs[i]),
            early_val=tuple(finite_or_none(choice.average_precision[i]) for choice in early),
            curve=finite(trained.curves[i]),
            batches=batches,
        )
        predicted = _prediction(run, logits[i] if whole.epochs[i] else None, setup.splits, setup.counts, fit)
        yield replace(predicted, early=[each[i] for each in ranked])


def _test_logits(architecture: Architecture, choice: Choice, test: Rows, batch_size: int) -> Tensor:
    """Test logits (run, output, sample); a run without a finite epoch scores every row 0, AP at chance."""
    network = Network(architecture, choice.parameters, batch_size)
    return score(network, test.features).nan_to_num(0, 0, 0)


def _prediction(run: Run, logits: Tensor | None, splits: Splits, counts: Sequence[ClassCounts], fit: Fit) -> Prediction:
    """What a run's test logits (output, sample) say; None is the arm's best constant, where no epoch was finite.

    counts: what training drew; where a sampler moved the rate, recovered probabilities are moved back.
    """
    if logits is None:
        constants = torch.tensor(start_biases(replace(run.arm, init="own"), counts), dtype=torch.float32)
        logits = constants[:, None].expand(splits.test.outputs.T.shape)
    recovered = recovered_outputs(run.arm, counts, logits)
    if not splits.names:  # with several outputs no sampler moves a rate
        shift = log_odds(splits.train.prevalence) - log_odds(counts[0].prevalence)
        recovered = [None if back is None else back + shift for back in recovered]
    return Prediction(leads(logits[None])[0] if run.arm.loss in SOFTMAX else logits, recovered, fit)
