"""`focalbench sweep`: which loss is best here, by how much against plain BCE, and is the difference real?"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from focalbench.cli.about import ABOUT
from focalbench.cli.columns import check_columns, column_options
from focalbench.cli.folders import folder_of
from focalbench.cli.job import (
    Finish,
    Job,
    make_backend,
    make_job,
    print_estimate,
    run_job,
    sweep_study,
)
from focalbench.cli.numbers import read_number, read_share
from focalbench.cli.options import (
    DATA,
    LOSS,
    OUTPUT,
    RUNNING,
    STATISTICS,
    TRAINING,
    BackendOption,
    BudgetOption,
    Device,
    DryRunOption,
    JsonOption,
    LevelOption,
    QuietOption,
    ReportOption,
    SchedulerOption,
    StoreOption,
    WorkersOption,
    data_names,
    flag,
    init_names,
    level,
    loss_names,
    reference_names,
    repeatable,
    resampling_names,
    setting,
)
from focalbench.errors import InputError
from focalbench.runs.catalogue import Task
from focalbench.runs.columns import NO_COLUMNS, Columns
from focalbench.runs.metric import Metric, ThresholdAt
from focalbench.runs.resampling import Resampling
from focalbench.runs.run import TestPrevalence

if TYPE_CHECKING:
    from focalbench.jobs.sweep import SweepResult
    from focalbench.plan.experiment import Experiment
    from focalbench.runs.arm_choice import ArmOptions
    from focalbench.runs.reference import Reference

logger = logging.getLogger(__name__)
QUICK_ROWS, QUICK_SEEDS, QUICK_STEPS, ENOUGH_POSITIVES = 8_000, 3, 780, 20
QUICK_LRS = (0.001, 0.003)
USUAL_DATA = "mixture"


@column_options
def sweep(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help=f"A CSV or Parquet file, or a name that focalbench datasets lists. Default: {USUAL_DATA}.",
            autocompletion=data_names,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="DATA as an option.", autocompletion=data_names, metavar="DATA", rich_help_panel=DATA),
    ] = None,
    task: Annotated[Task, setting("task", DATA, "TASK")] = "binary",
    columns: Columns = NO_COLUMNS,
    pos_rate: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{ABOUT['positive_rates']} Such as 0.0015, 0.15% or 15/10000; repeatable.",
            metavar="RATE",
            rich_help_panel=DATA,
        ),
    ] = None,
    test_prevalence: Annotated[TestPrevalence, setting("test_prevalence", DATA)] = "weight",
    label_noise: Annotated[str, setting("label_noise", DATA, "SHARE")] = "0",
    loss: Annotated[
        list[str] | None,
        typer.Option(
            help="A name, or name:key=value,... (focalbench losses lists them), rivals for all that are not in the "
            "default sweep, or your own as module:NAME; repeatable.",
            autocompletion=loss_names,
            metavar="LOSS",
            rich_help_panel=LOSS,
        ),
    ] = None,
    alpha: Annotated[
        list[str] | None,
        typer.Option(
            help="Weight of positives: none, balanced or a number in [0, 1]; repeatable.",
            metavar="ALPHA",
            rich_help_panel=LOSS,
        ),
    ] = None,
    gamma: Annotated[
        list[str] | None,
        typer.Option(help="Focusing exponent >= 0; repeatable.", metavar="GAMMA", rich_help_panel=LOSS),
    ] = None,
    init: Annotated[
        list[str] | None,
        typer.Option(
            help="Start of the last bias: own, prior, zero, learned; repeatable. Default: own; zero for three arms.",
            autocompletion=init_names,
            metavar="INIT",
            rich_help_panel=LOSS,
        ),
    ] = None,
    resampling: Annotated[
        list[str] | None,
        typer.Option(
            help="Also BCE on resampled training rows: undersample, oversample or smote, with a ratio of positives to "
            "negatives as in smote:0.1; repeatable.",
            autocompletion=resampling_names,
            metavar="METHOD",
            rich_help_panel=LOSS,
        ),
    ] = None,
    references: Annotated[
        bool,
        flag("--references/--no-references", "Also fit scikit-learn's logistic regression and boosting.", LOSS),
    ] = True,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="Another model in the table: lightgbm, xgboost, catboost, or your own scikit-learn estimator as "
            "module:NAME; repeatable.",
            autocompletion=reference_names,
            metavar="MODEL",
            rich_help_panel=LOSS,
        ),
    ] = None,
    model: Annotated[Literal["logistic", "mlp", "resnet"], setting("model", TRAINING, "MODEL")] = "mlp",
    hidden: Annotated[str | None, setting("hidden", TRAINING, "UNITS", default="32,32")] = None,
    rows: Annotated[int | None, setting("rows", TRAINING, default="40000")] = None,
    steps: Annotated[int | None, setting("steps", TRAINING, default="1560")] = None,
    epochs: Annotated[int | None, setting("epochs", TRAINING)] = None,
    batch_size: Annotated[int, setting("batch_size", TRAINING)] = 512,
    lr: Annotated[list[str] | None, repeatable("lrs", TRAINING, "LR", default="0.0003, 0.001, 0.003")] = None,
    sampler: Annotated[str, setting("sampler", TRAINING, "SAMPLER")] = "random",
    seeds: Annotated[int | None, setting("seeds", STATISTICS, default="10")] = None,
    first_seed: Annotated[int, setting("first_seed", STATISTICS)] = 0,
    tuned: Annotated[bool, flag("--tuned", ABOUT["tuned"], STATISTICS)] = False,
    metric: Annotated[list[str] | None, setting("metric", STATISTICS, "METRIC", default="average_precision")] = None,
    threshold_at: Annotated[list[str] | None, setting("threshold_at", STATISTICS, "AIM")] = None,
    recalibrate: Annotated[bool, flag("--recalibrate", ABOUT["recalibrate"], STATISTICS)] = False,
    margin: Annotated[str | None, setting("margin", STATISTICS, "NUMBER")] = None,
    quick: Annotated[
        bool,
        flag("--quick", "A smoke test: 3 seeds, 5 arms, 780 steps, 8,000 rows or what 20 positives need.", STATISTICS),
    ] = False,
    workers: WorkersOption = None,
    device: Annotated[Device, typer.Option(help="Where to train.", rich_help_panel=RUNNING)] = "auto",
    backend: BackendOption = None,
    scheduler: SchedulerOption = None,
    budget: BudgetOption = None,
    dry_run: DryRunOption = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder of the results. Default: results/ and the data's name.", rich_help_panel=OUTPUT
        ),
    ] = None,
    store: StoreOption = None,
    report: ReportOption = None,
    save_scores: Annotated[
        bool, flag("--save-scores", "Keep the test scores of every run in the table, as Parquet, in scores/.", OUTPUT)
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    log_level: LevelOption = "info",
) -> None:
    """Compare losses at an exact positive rate and say what the comparison supports."""
    from focalbench.cli.render import conclude
    from focalbench.jobs.arms import arm_options
    from focalbench.jobs.machine import resolve_device

    name = _data_name(data, dataset)
    check_columns(name, columns)
    if steps is not None and epochs is not None:
        raise InputError("--steps and --epochs are two ways to say how long to train; give one")
    lrs = tuple(dict.fromkeys(read_number("--lr", text) for text in lr or ()))
    settings: dict[str, Any] = {
        "task": task,
        "datasets": (name,),
        "columns": columns,
        "positive_rates": _rates(pos_rate or []),
        "test_prevalence": test_prevalence,
        "label_noise": read_share("--label-noise", label_noise),
        "lrs": lrs or (QUICK_LRS if quick else None),
        "seeds": QUICK_SEEDS if quick and seeds is None else seeds,
        "first_seed": first_seed,
        "rows": rows,
        "steps": QUICK_STEPS if quick and steps is None else steps,
        "epochs": epochs,
        "batch_size": batch_size,
        "sampler": sampler,
        "model": model,
        "hidden": _hidden(hidden, model),
        "references": _references(reference or [], usual=references),
        "tuned": tuned,
        "metric": Metric.parse(_only("--metric", metric) or "average_precision"),
        "threshold_at": None if not threshold_at else ThresholdAt.parse(_only("--threshold-at", threshold_at) or ""),
        "recalibrate": recalibrate,
        "margin": None if margin is None else read_share("--margin", margin),
        "smoke_test": quick,
    }
    gammas = [read_number("--gamma", text) for text in gamma or ()]
    resamplings = tuple(dict.fromkeys(Resampling.parse(text) for text in resampling or ()))
    options = replace(arm_options(loss or (), alpha or (), gammas, init or ()), resamplings=resamplings)
    chosen = _experiment(settings, options, quick=quick)
    experiment = replace(chosen, device=resolve_device(device))
    where = make_backend(backend, workers, scheduler, experiment.device)
    folder = out or folder_of(name)
    said = level(quiet=quiet, asked=log_level)
    job = make_job(folder, store, where, as_json=as_json, log_level=said, budget=budget, report=report)

    def sized() -> Experiment:
        return replace(experiment, rows=_quick_rows(experiment)) if quick and rows is None else experiment

    study = sweep_study(sized, job)
    if dry_run:
        print_estimate(study.plan, job)
        return
    result, ended = run_job(study, job, _with_scores(job) if save_scores else None)
    conclude(result, ended, folder, as_json=as_json)


def _with_scores(job: Job) -> Finish[SweepResult]:
    """Train what the table rests on once more, and keep its scores."""
    from focalbench.jobs.machine import fitting
    from focalbench.jobs.scores import check_scores, save_scores
    from focalbench.report.owned import SCORES
    from focalbench.report.scores import score_names

    def save(result: SweepResult) -> None:
        logger.info("training the runs of the table once more, for their scores")
        names = save_scores(job.folder, result.done.plan.runs, fitting(job.backend, result.done.plan))
        logger.info(f"{len(names)} files of scores in {job.folder / SCORES}")

    return Finish(save, lambda plan: score_names(plan.runs), lambda plan: check_scores(plan.runs, job.backend))


def _only(option: str, given: list[str] | None) -> str | None:
    """The one value of an option that would else keep the last of several. Raises InputError for more."""
    if given and len(given) > 1:
        raise InputError(f"{option} is one for a sweep, got {', '.join(given)}; sweep once for each")
    return given[0] if given else None


def _data_name(argument: str | None, option: str | None) -> str:
    if argument is not None and option is not None and argument != option:
        raise InputError(f"{argument!r} and --dataset {option!r} name two data sets; name one")
    named = option if argument is None else argument
    if named == "":  # as of a variable that is not set
        raise InputError("the name of the data is empty; name a file, or what focalbench datasets lists")
    return USUAL_DATA if named is None else named


def _experiment(settings: dict[str, Any], options: ArmOptions, *, quick: bool) -> Experiment:
    """The experiment of the options that were given; what is None keeps its default."""
    from focalbench.plan.experiment import Experiment
    from focalbench.runs.arm_choice import chosen_arms, quick_arms

    given = {name: value for name, value in settings.items() if value is not None}
    if options.given:
        return Experiment(arms=chosen_arms(options, settings["task"]), **given)
    return Experiment(arms=quick_arms(settings["task"]), **given) if quick else Experiment(**given)


def _references(names: list[str], *, usual: bool) -> tuple[Reference, ...]:
    """The usual two, unless they are not wanted, and those that are named."""
    from focalbench.jobs.arms import named_references
    from focalbench.runs.reference import USUAL

    return named_references([*(each.name for each in USUAL if usual), *names])


def _rates(asked: list[str]) -> tuple[float, ...]:
    """The rates asked for, each once; none: the usual one of the data."""
    rates = [read_share("--pos-rate", text) for text in asked]
    for rate, text in zip(rates, asked, strict=True):
        if not 0 < rate < 1:
            raise InputError(f"--pos-rate must lie between 0 and 1, got {text}; 0.0015 is 15 positives in 10,000")
    return tuple(dict.fromkeys(rates))


def _quick_rows(experiment: Experiment) -> int:
    """8,000 training rows, or as many as hold the least number of positives at the lowest rate."""
    from focalbench.plan.experiment import MOST
    from focalbench.plan.planning import natural_rate

    lowest = min(natural_rate(experiment) if rate is None else rate for rate in experiment.positive_rates)
    return max(QUICK_ROWS, math.ceil(min(ENOUGH_POSITIVES / lowest, MOST["rows"])))  # planning refuses too few


def _hidden(text: str | None, model: str) -> tuple[int, ...] | None:
    if text is None:
        return None
    if model != "mlp":
        raise InputError("--hidden is used by --model mlp only; leave it out")
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--hidden takes whole numbers separated by commas, such as 64,64; got {text!r}") from None
