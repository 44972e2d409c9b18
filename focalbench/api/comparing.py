"""`focalbench.compare`: which loss is best on these rows, asked from Python."""

from __future__ import annotations

import re
import time as clocks
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Literal

from focalbench.api.comparison import DATA, Comparison
from focalbench.api.messages import as_parameters, told, warned
from focalbench.base.amounts import clock, counted, read_seconds
from focalbench.errors import InputError
from focalbench.runs.arm import Arm

if TYPE_CHECKING:
    from focalbench.api.given import Given
    from focalbench.execution.pools import Backend
    from focalbench.jobs.sweep import SweepResult
    from focalbench.jobs.trainer import Done
    from focalbench.plan.experiment import Experiment
    from focalbench.plan.planning import Plan
    from focalbench.runs.reference import Reference


def compare(
    X: Any,
    y: Any,
    *,
    losses: Sequence[str | Arm] = (),
    resampling: Sequence[str] = (),
    task: Literal["binary", "multiclass"] = "binary",
    positive: object = None,
    positive_rate: float | None = None,
    groups: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    metric: str = "average_precision",
    threshold_at: str | None = None,
    recalibrate: bool = False,
    margin: float | None = None,
    seeds: int = 10,
    first_seed: int = 0,
    budget: str | float | None = "2m",
    rows: int = 40_000,
    steps: int = 1560,
    model: Literal["mlp", "resnet"] = "mlp",
    hidden: Sequence[int] = (32, 32),
    lrs: Sequence[float] = (3e-4, 1e-3, 3e-3),
    references: bool | Sequence[str] = True,
    name: str = "data",
    n_jobs: int | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    progress: bool = True,
) -> Comparison:
    """Compare losses on the rows of a table, on the same splits, batches and first weights.

    The engine of `focalbench sweep`. Ctrl-C, or a budget that is spent, leaves the table of the seeds that are done.
    What is to be looked at in the data is warned of.

    Args:
        X: (rows, features): a pandas or polars DataFrame, whose types and categories are kept, or a NumPy array of
            numbers. Missing values are fine.
        y: (rows,): 0 and 1, or any two values with `positive`; classes with task="multiclass".
        losses: names of `focalbench losses`, also as "tversky:beta=0.9" or your own as "module:NAME", and arms such as
            Arm("focal", gamma=2.0); (): those of the default sweep, with a budget only as many as leave time for a
            verdict, each from its own start. The baseline, BCE or CE, is always there.
        resampling: of the training rows, each as one more arm with BCE: "undersample", "oversample" or "smote", with a
            ratio of positives to negatives as in "smote:0.1".
        task: binary or multiclass.
        positive: the value of y that counts as 1; not needed for 0/1 and true/false.
        positive_rate: in (0, 1), to thin the positives to; None: that of the rows.
        groups: (rows,), or the name of a column of X: rows of one group are never in two splits.
        time: (rows,), or the name of a column of X: the latest rows are the test.
        sample_weight: (rows,) >= 0, or the name of a column of X: what a row counts for.
        metric: what validation chooses by and verdicts rest on, such as "recall_at_fpr=0.01" or "cost=1:50".
        threshold_at: where a threshold is put on validation, such as "recall=0.9"; None for none.
        recalibrate: whether probabilities by Platt and by isotonic regression on validation are measured, beside those
            of the loss's inverse.
        margin: the difference in the metric that matters; None for the usual one.
        seeds: draws of the split, batches and first weights, at most.
        first_seed: the first of them, at least 0.
        budget: how long it may take, such as "90s" or seconds; None: as long as all seeds take.
        rows: training rows at most.
        steps: optimiser steps of each run.
        model: mlp, or resnet: a stronger network for tables, which takes several times as long.
        hidden: units of the MLP's layers; (): logistic regression.
        lrs: learning rates, of which validation chooses, for each loss alike.
        references: models that stand under the table: True for scikit-learn's logistic regression and boosting, False
            for none, or a list of "logistic", "boosting", "lightgbm", "xgboost", "catboost", and your own
            scikit-learn estimator as "module:NAME".
        name: what the data are called in the table.
        n_jobs: processes; None or -1: one a core.
        device: where networks are trained.
        progress: whether a notebook or a terminal shows how far it is.

    Returns:
        The comparison: its table, what it supports, and its figures.

    Raises:
        InputError: a ValueError that says in one sentence what is wrong with the input, and the remedy.
        MachineError: where the disk is full or fails.
        KeyboardInterrupt: at Ctrl-C before one seed is done.

    Example:
        >>> import focalbench
        >>> from sklearn.datasets import make_classification
        >>> X, y = make_classification(6000, weights=[0.9], random_state=0)
        >>> found = focalbench.compare(X, y, losses=["pos_weight"], seeds=2, steps=50, n_jobs=1, progress=False)
        >>> found.conclusions[0]
        'No verdict: 2 seeds support not even intervals; a verdict takes at least 6.'
    """
    from focalbench.api.given import Roles, take

    begin = clocks.monotonic()
    with as_parameters(), _new_folder() as folder:
        seconds = None if budget is None else read_seconds("`budget`", str(budget))
        given = take(X, y, Roles(groups, time, sample_weight), positive)
        place = _written(given, folder, name)

        from focalbench.jobs.machine import resolve_device
        from focalbench.plan.experiment import Experiment
        from focalbench.runs.metric import Metric, ThresholdAt

        experiment = Experiment(
            task=task,
            datasets=(place.name,),
            places=((place.name, str(place)),),
            columns=given.columns,
            positive_rates=(positive_rate,),
            arms=_arms(losses, resampling, task),
            metric=Metric.parse(metric),
            threshold_at=None if threshold_at is None else ThresholdAt.parse(threshold_at),
            recalibrate=recalibrate,
            margin=margin,
            seeds=seeds,
            first_seed=first_seed,
            rows=rows,
            steps=steps,
            model=model if model != "mlp" or len(hidden) else "logistic",
            hidden=tuple(hidden),
            lrs=tuple(lrs),
            references=_references(references),
            device=resolve_device(device),
        )
        training = _Training(folder, _backend(n_jobs), seconds, begin, progress)
        usual = not (losses or resampling) and task == "binary"
        result, notes = training.run(experiment, given.texts, fewer=usual)
    return Comparison(folder, (*notes, *_ending(result.done, seconds)), True)


@contextmanager
def _new_folder() -> Iterator[Path]:
    """A folder that is gone again where nothing comes of it."""
    folder = Path(mkdtemp(prefix="focalbench-"))
    try:
        yield folder
    except BaseException:
        rmtree(folder, ignore_errors=True)
        raise


def _written(given: Given, folder: Path, name: str) -> Path:
    """The file of the rows."""
    (folder / DATA).mkdir()
    path = folder / DATA / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name) or DATA}.parquet"
    given.write(path)
    return path


def _arms(losses: Sequence[str | Arm], resampling: Sequence[str], task: str) -> tuple[Arm, ...]:
    """The baseline, what was named, and what is resampled; () for the default sweep."""
    from focalbench.jobs.arms import arm_options
    from focalbench.runs.arm_choice import baseline_of, chosen_arms, own_arms, plain_arm, with_baselines
    from focalbench.runs.resampling import Resampling

    losses = (losses,) if isinstance(losses, str | Arm) else losses
    methods = (resampling,) if isinstance(resampling, str) else resampling
    baseline = baseline_of(task)
    resampled = [replace(baseline, resampling=Resampling.parse(text)) for text in methods]
    if not losses:
        return (*own_arms(task), *dict.fromkeys(resampled)) if resampled else ()
    named = [loss for loss in losses if isinstance(loss, str)]
    arms = [*(plain_arm(loss) for loss in losses if isinstance(loss, Arm)), *resampled]
    found = (*chosen_arms(arm_options(named), task), *arms) if named else with_baselines(arms, baseline)
    return tuple(dict.fromkeys(found))


def _references(asked: bool | Sequence[str]) -> bool | tuple[Reference, ...]:
    from focalbench.jobs.arms import named_references

    if isinstance(asked, bool):
        return asked
    names = (asked,) if isinstance(asked, str) else asked
    if not all(isinstance(name, str) for name in names):
        raise InputError("references are names; put a model of your own into a file and name it as module:NAME")
    return named_references(names)


def _backend(n_jobs: int | None) -> Backend:
    from focalbench.base.processors import cores
    from focalbench.execution.pools import Backend

    workers = cores() if n_jobs in (None, -1) else n_jobs
    if not isinstance(workers, int) or workers < 1:
        raise InputError(f"n_jobs is a number of processes, or -1 for one a core; got {n_jobs!r}")
    return Backend("serial" if workers == 1 else "loky", workers)


class _Training:
    """Where, how long, and whether it is shown. begin: of the call, by time.monotonic()."""

    def __init__(self, folder: Path, backend: Backend, seconds: float | None, begin: float, shown: bool) -> None:
        self.folder, self.backend, self.seconds, self.begin, self.shown = folder, backend, seconds, begin, shown

    def run(self, experiment: Experiment, texts: Sequence[str], *, fewer: bool) -> tuple[SweepResult, tuple[str, ...]]:
        """Train, and write the results folder; what is said of the data, too. texts: the features that are text; fewer:
        whether the losses are those that the time is enough for.
        """
        from focalbench.api.watching import watching
        from focalbench.jobs.affordable import affordable
        from focalbench.jobs.budget import Budget
        from focalbench.jobs.forecast import forecast_within
        from focalbench.jobs.machine import fitting
        from focalbench.jobs.sweep import run_experiment
        from focalbench.jobs.trainer import Execution
        from focalbench.plan.planning import make_plan

        with watching(wanted=self.shown, seconds=self.seconds) as watch:
            notes: tuple[str, ...] = ()
            if fewer and self.seconds is not None:
                experiment, notes = affordable(experiment, self.backend, self.seconds)
            plan = make_plan(experiment)
            warned([*plan.warnings, *_read_as_numbers(texts, plan)], 4)
            backend = fitting(self.backend, plan)
            found = forecast_within(plan, (), backend, self.seconds)
            budget = None if self.seconds is None else Budget(self.seconds, self.begin)
            how = Execution(backend, watch, budget, None if found is None else found.shares)
            return run_experiment(experiment, plan, self.folder, how), tuple(map(told, (*notes, *plan.notes)))


def _read_as_numbers(texts: Sequence[str], plan: Plan) -> list[str]:
    """A warning of features that are text in a frame, and numbers here."""
    from focalbench.datasets.tables.targets import listed

    found = [column.name for _, column in plan.columns if column.name in texts and column.read_as == "number"]
    remedy = "where they are codes, give them with astype('category')"
    return [f"{listed(found)}: texts of numbers, read as numbers; {remedy}"] if found else []


def _ending(done: Done, seconds: float | None) -> list[str]:
    """What a reader of the table should know of how training ended."""
    if done.failed:
        lost = counted(len(done.failed), "run")
        warned([f"{lost} failed, and their seeds are left out: no memory? Fewer n_jobs leave more"], 4)
    ending = done.ending
    if ending.stopped is None:
        return []
    why = f"to stay within {clock(seconds)}" if ending.stopped == "by budget" and seconds is not None else "by hand"
    return [f"stopped {why} after {ending.seeds} of {ending.planned} seeds"]
