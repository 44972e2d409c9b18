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
from focalbench.datasets.preprocessing import Coding, coding_of
from focalbench.runs.arm import Arm
from focalbench.runs.result import Curves, Influences, Outcome, Result, Status
from focalbench.runs.run import RESNET, Recipe, Run, Training
from focalbench.training.arm_loss import run_loss, start_biases
from focalbench.training.caller import Caller
from focalbench.training.dropout import Dropout
from focalbench.training.evaluation import batch_counts, finite, finite_or_none
from focalbench.training.learned_start import learned_biases
from focalbench.training.loop import Choice, Member, Rows, Schedule, Trained, epoch_budgets, score, train
from focalbench.training.measuring import (
    Fit,
    Prediction,
    Reached,
    facts_of,
    outcome_of,
    pooled_predictions,
    pooled_splits,
)
from focalbench.training.models import Architecture, Network, draw_weights, rounded_otherwise
from focalbench.training.references import is_reference, reference_logits
from focalbench.training.resampling import epochs_of, resample
from focalbench.training.rivals import ClassCounts
from focalbench.training.samplers import Order, orders, weighs_rows, weights_back
from focalbench.training.stack_loss import RunLoss, ranking_scores

_latest: dict[tuple[Recipe, int, Coding], list[Splits]] = {}  # the stacks of one seed follow one another


def run_stack(stack: tuple[Run, ...]) -> list[Result]:
    """Train and measure runs that share data and batches; or fit the one reference."""
    start = time.perf_counter()
    folds = _folds(stack[0])  # first: what is read may be tiny, such as weights
    with one_thread():
        measured = _measured(stack, folds)
    seconds = (time.perf_counter() - start) / len(stack)
    return [
        Result(run.run_id, outcome, curves, seconds, influences)
        for run, (outcome, curves, influences) in zip(stack, measured, strict=True)
    ]


def predict_stack(stack: tuple[Run, ...]) -> tuple[list[Prediction], Splits]:
    """Train runs that share data and batches, or fit the one reference: what each says of the test rows, and these."""
    folds = _folds(stack[0])
    with one_thread():
        which, predictions = _fitted(stack, folds)
        found = list(predictions)
    return [found[place] for place in which], pooled_splits(folds)


def _measured(stack: tuple[Run, ...], folds: Sequence[Splits]) -> list[tuple[Outcome, Curves, Influences]]:
    """Fit on each fold in turn, and measure on the test rows of all."""
    test, facts, asked = pooled_splits(folds), facts_of(folds), stack[0].training
    which, predictions = _fitted(stack, folds)
    found = [outcome_of(prediction, test, facts, asked) for prediction in predictions]
    return [found[place] for place in which]


def _fitted(stack: tuple[Run, ...], folds: Sequence[Splits]) -> tuple[list[int], Iterator[Prediction]]:
    """Predictions, one after the other, and which of them is each run's: runs that are equal are trained once."""
    test_rows = sum(splits.test.rows for splits in folds)
    if is_reference(stack[0]):
        return [0], iter([pooled_predictions([_fit_reference(stack[0], splits, test_rows) for splits in folds])])
    setups = [_set_up(stack[0], splits, test_rows) for splits in folds]
    members = [[_member(run, setup) for run in stack] for setup in setups]
    names = list(map(_apart_from_its_name, stack, zip(*members, strict=True)))
    different = list(dict.fromkeys(names))
    once = [names.index(name) for name in different]
    predicted = [
        _train([stack[i] for i in once], [of_fold[i] for i in once], setup)
        for of_fold, setup in zip(members, setups, strict=True)
    ]
    return [different.index(name) for name in names], map(pooled_predictions, zip(*predicted, strict=True))


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


def _folds(run: Run) -> list[Splits]:
    key = run.recipe, run.seed, coding_of(run.training.preprocessing)
    if key not in _latest:
        _latest.clear()  # before the next one is built, so that there are never two in memory
        _latest[key] = build_parts(*key)
    return _latest[key]


def _fit_reference(run: Run, splits: Splits, test_rows: int) -> Prediction:
    from threadpoolctl import threadpool_limits  # scikit-learn's own dependency; one thread, as for a stack

    counts = drawn_counts(splits.train, [np.arange(splits.train.rows)])
    caller = Caller(run, splits, counts, test_rows)

    def value(scores: Floats, rows: Dataset) -> float:
        return caller.value(torch.from_numpy(scores), rows)

    measured = splits.measured
    with threadpool_limits(1):
        fitted = [reference_logits(run, splits, output, value) for output in measured]
    test = torch.zeros(splits.train.outputs.shape[1], splits.test.rows, dtype=torch.float64)
    test[list(measured)] = torch.from_numpy(np.stack([each.test for each in fitted]))
    validation = None if splits.names else torch.from_numpy(fitted[0].validation)[None]
    reached = np.mean([(each.average_precision, each.metric) for each in fitted], axis=0)
    fit = Fit(Status.OK, Reached(*reached.tolist()))
    said = caller.said(test, validation)
    ranks_only = {output for output, each in zip(measured, fitted, strict=True) if not each.log_odds}
    back = [None if output in ranks_only else each for output, each in enumerate(said.recovered)]
    return Prediction(replace(said, recovered=back), fit, acted=caller.acted(test, validation))


@dataclass(frozen=True, eq=False)
class Setup:
    """What the runs of a stack share on one fold. train: the rows that are trained on; drawn: their order in each
    epoch; counts: what it draws; test_rows: of all folds.
    """

    splits: Splits
    train: Dataset
    training: Training
    architecture: Architecture
    drawn: Sequence[Order]
    counts: tuple[ClassCounts, ...]
    test_rows: int

    def caller(self, run: Run) -> Caller:
        """Of one of the runs."""
        return Caller(run, self.splits, self.counts, self.test_rows)


def _set_up(run: Run, splits: Splits, test_rows: int) -> Setup:
    training, outputs = run.training, splits.train.outputs.shape[1]
    architecture = Architecture(splits.train.features.shape[1], training.hidden, outputs, training.model == RESNET)
    train, drawn = trained_rows(run, splits.train)
    return Setup(splits, train, training, architecture, drawn, drawn_counts(train, drawn), test_rows)


def trained_rows(run: Run, train: Dataset) -> tuple[Dataset, list[Order]]:
    """What a run trains on: its rows, weighted back or resampled where that was asked for, and their order by epoch."""
    training, key = run.training, run.recipe.key
    if (how := run.arm.resampling) is not None:
        rng = generator(run.seed, f"resampling {how}", key)
        found = resample(train, how, rng)
        return found.train, epochs_of(found.rows, train.rows, training.epochs, rng)
    drawn = orders(training.sampler, train, training.batch_size, training.epochs, run.seed, key)
    if not weighs_rows(training.sampler):
        return train, drawn
    own = 1.0 if train.weights is None else train.weights
    return replace(train, weights=weights_back(train.targets, drawn) * own), drawn


def _member(run: Run, setup: Setup) -> Member:
    purpose = f"weights {run.training.hidden} {run.restart}"
    layers = draw_weights(setup.architecture, generator(run.seed, purpose, run.recipe.key))
    if run.rounding:
        layers = rounded_otherwise(layers, generator(run.seed, f"rounding {run.rounding}", run.recipe.key))
    weight, bias = layers[-1]
    loss, starts = run_loss(run.arm, setup.counts), start_biases(run.arm, setup.counts)
    if run.arm.init == "learned":
        starts = learned_biases(setup.architecture, layers, loss, _rows(setup.train, "cpu"))
    layers[-1] = weight, np.array(starts, dtype=bias.dtype)
    return Member(layers, run.lr, loss, setup.caller(run).recovered)


def _apart_from_its_name(run: Run, of_folds: Sequence[Member]) -> tuple[Arm, bytes, float, int, int]:
    """What tells a run from others of its stack, but for what its start is called: equal ones are trained once."""
    starts = b"".join(member.layers[-1][1].tobytes() for member in of_folds)
    return replace(run.arm, init="own"), starts, run.lr, run.restart, run.rounding


def _train(runs: Sequence[Run], members: Sequence[Member], setup: Setup) -> Iterator[Prediction]:
    """Train runs on one fold; what each says of its test rows, one after the other."""
    splits, training = setup.splits, setup.training
    rows, validation = _rows(setup.train, training.device), _rows(splits.validation, training.device)
    evaluated = splits.measured, training.evaluations, training.metric, setup.test_rows
    updates = training.optimizer, training.lr_schedule, training.weight_decay, _dropout(runs[0], setup)
    schedule = Schedule(training.batch_size, setup.drawn, *evaluated, *updates)
    trained = train(setup.architecture, rows, validation, members, schedule)
    yield from _predictions(runs, [member.loss for member in members], trained, setup)


def _dropout(run: Run, setup: Setup) -> Dropout | None:
    training = run.training
    if not training.dropout:
        return None
    rng = generator(run.seed, f"dropout {training.hidden}", run.recipe.key)
    return Dropout(setup.architecture, training.batch_size, training.dropout, rng, training.device)


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
    training, splits = setup.training, setup.splits
    *early, whole = (trained.choices[epochs] for epochs in epoch_budgets(training.epochs))
    test, validation = _rows(splits.test, training.device), _rows(splits.validation, training.device)

    def chosen(choice: Choice) -> _Scored:
        found = _logits(setup.architecture, choice, test, training.batch_size)
        acts = training.threshold_at is not None or training.metric.costs is not None or training.recalibrate
        seen = _logits(setup.architecture, choice, validation, training.batch_size) if acts else None
        return _Scored(choice, ranking_scores(losses, found), found, seen)

    last = chosen(whole)
    sooner = [chosen(choice) if np.any(choice.epochs != whole.epochs) else last for choice in early]
    batches = batch_counts(setup.train.targets, setup.drawn, training.batch_size)
    for i, run in enumerate(runs):
        fit = Fit(
            status=Status.DIVERGED if trained.diverged[i] else Status.OK,
            val=_reached(whole, i),
            epoch=int(whole.epochs[i]),
            early_val=tuple(_reached(choice, i) for choice in early),
            curve=finite(trained.curves[i]),
            batches=batches,
        )
        caller, found = setup.caller(run), last.of(i)
        if not whole.epochs[i]:
            found = caller.constants
        early_said = [caller.sooner(each.ranked[i], *each.of(i)) for each in sooner]
        yield Prediction(caller.said(*found), fit, early_said, caller.acted(*found))


def _reached(choice: Choice, run: int) -> Reached:
    return Reached(finite_or_none(choice.average_precision[run]), finite_or_none(choice.metric[run]))


@dataclass(frozen=True, eq=False)
class _Scored:
    """What a choice says of the test rows, (run, output, sample): by which they rank, and logits; and the logits of the
    validation rows where a threshold is chosen on them.
    """

    choice: Choice
    ranked: Tensor
    test: Tensor
    validation: Tensor | None

    def of(self, run: int) -> tuple[Tensor, Tensor | None]:
        """The logits (output, sample) of one run."""
        return self.test[run], None if self.validation is None else self.validation[run]


def _logits(architecture: Architecture, choice: Choice, rows: Rows, batch_size: int) -> Tensor:
    """Logits (run, output, sample); a run without a finite epoch scores every row 0, AP at chance."""
    network = Network(architecture, choice.parameters, batch_size)
    return score(network, rows.features).nan_to_num(0, 0, 0).cpu()
