"""`focalbench sweep`: which loss is best here, by how much against plain BCE, and is the difference real?"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focalbench.cli.job import (
    BackendOption,
    DryRunOption,
    JsonOption,
    LevelOption,
    SchedulerOption,
    StoreOption,
    WorkersOption,
    foresee,
    make_backend,
    make_job,
    resolve_device,
    run_job,
)
from focalbench.cli.messages import printable
from focalbench.errors import InputError

if TYPE_CHECKING:
    from focalbench.arms import Arm
    from focalbench.choices import ArmOptions
    from focalbench.experiment import Experiment

QUICK_ROWS, QUICK_SEEDS, ENOUGH_POSITIVES = 8_000, 3, 20
QUICK_LRS = (0.001, 0.003, 0.01)
DEFAULT_RATE = 0.0015


def sweep(
    dataset: Annotated[
        str, typer.Option(help="A name that focalbench datasets lists, or the path of a CSV file.")
    ] = "mixture",
    task: Annotated[str, typer.Option(help="binary, multiclass or multilabel.")] = "binary",
    pos_rate: Annotated[
        list[float] | None,
        typer.Option(
            help="Exact positive rate, of the rarest class where there are several; repeatable. Default: 0.0015, or a "
            "table's natural rate."
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(help="CSV: the column to predict.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="CSV, multilabel: a column of 0 and 1 to predict; repeatable.")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="CSV: the target value that counts as positive, or names the rare class.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="CSV: a column to leave out; repeatable.")] = None,
    keep_duplicates: Annotated[
        bool,
        typer.Option("--keep-duplicates", help="CSV: keep exact duplicate rows (they leak across splits)."),
    ] = False,
    group: Annotated[
        str | None, typer.Option(help="CSV: the column whose rows belong together, such as a patient or a day.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="CSV: the column to split by: the latest rows are the test.")] = None,
    weight: Annotated[str | None, typer.Option(help="CSV: the column that says what a row counts for.")] = None,
    test_prevalence: Annotated[
        str, typer.Option(help="How a table's test comes to --pos-rate: thin its positives, or weight them.")
    ] = "thin",
    label_noise: Annotated[
        float, typer.Option(help="Share of positives whose label is swapped with a negative's, in [0, 0.5).")
    ] = 0.0,
    loss: Annotated[
        list[str] | None,
        typer.Option(
            help="bce, pos_weight, alpha, focal; multiclass also ce, weighted_ce, softmax_focal; rivals for all the "
            "others, or one of them as name or name:key=value,... (see: focalbench losses); your own as module:NAME; "
            "repeatable."
        ),
    ] = None,
    alpha: Annotated[list[str] | None, typer.Option(help="none, balanced or a number in [0, 1]; repeatable.")] = None,
    gamma: Annotated[list[float] | None, typer.Option(help="Focusing exponent >= 0; repeatable.")] = None,
    init: Annotated[
        list[str] | None, typer.Option(help="Start of the last bias: own, prior or zero; repeatable.")
    ] = None,
    lr: Annotated[
        list[float] | None,
        typer.Option(help="Adam's learning rate; repeatable. Default: 0.0003, 0.001, 0.003, 0.01."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds. Default: 10.")] = None,
    first_seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    rows: Annotated[int | None, typer.Option(help="Training rows. Default: 40000.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training rows.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Rows a step.")] = 512,
    sampler: Annotated[
        str, typer.Option(help="random, stratified, balanced, quota:K (positives a batch), hard (negatives) or groups.")
    ] = "random",
    model: Annotated[str, typer.Option(help="logistic or mlp.")] = "mlp",
    hidden: Annotated[str | None, typer.Option(help="Units of the MLP's hidden layers. Default: 64,64.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: WorkersOption = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="3 seeds, 5 arms, 8,000 rows or what 20 positives need: no claims."),
    ] = False,
    references: Annotated[bool, typer.Option(help="Also fit scikit-learn's reference models.")] = True,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results/sweep"),
    store: StoreOption = None,
    backend: BackendOption = None,
    scheduler: SchedulerOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    log_level: LevelOption = "info",
) -> None:
    """Compare losses at an exact positive rate and say what the comparison supports."""
    from focalbench.choices import ArmOptions
    from focalbench.cli.render import conclude

    rates = _rates(dataset, pos_rate)
    table_options = {
        "target": target,
        "labels": tuple(label or ()),
        "positive": positive,
        "drop": tuple(drop or ()),
        "keep_duplicates": keep_duplicates,
        "group": group,
        "time": time,
        "weight": weight,
    }
    _check_table_options(dataset, table_options)
    settings: dict[str, Any] = {
        "task": task,
        "datasets": (dataset,),
        "positive_rates": rates,
        "test_prevalence": test_prevalence,
        "label_noise": label_noise,
        "lrs": tuple(dict.fromkeys(lr)) if lr else QUICK_LRS if quick else None,
        "seeds": QUICK_SEEDS if quick and seeds is None else seeds,
        "first_seed": first_seed,
        "rows": rows,
        "epochs": epochs,
        "batch_size": batch_size,
        "sampler": sampler,
        "model": model,
        "hidden": _hidden(hidden, model),
        "references": references,
        "claims": not quick,
    }
    named, custom = _split_losses(loss or [])
    options = ArmOptions(named, tuple(alpha or ()), tuple(gamma or ()), tuple(init or ()), custom)
    checked = _experiment(settings | table_options, options, quick=quick)
    if quick and rows is None:
        checked = replace(checked, rows=_quick_rows(checked))
    experiment = replace(checked, device=resolve_device(device))
    where = make_backend(backend, workers, scheduler, experiment.device)
    job = make_job(out, store, where, as_json=as_json, log_level=log_level)
    if dry_run:
        foresee(experiment, job)
        return
    conclude(run_job(experiment, job), out, as_json=as_json)


def _experiment(settings: dict[str, Any], options: ArmOptions, *, quick: bool) -> Experiment:
    """The experiment of the options that were given; what is None keeps its default."""
    from focalbench.choices import chosen_arms, quick_arms
    from focalbench.experiment import Experiment

    given = {name: value for name, value in settings.items() if value is not None}
    if options.given:
        return Experiment(arms=chosen_arms(options, settings["task"]), **given)
    return Experiment(arms=quick_arms(settings["task"]), **given) if quick else Experiment(**given)


def _split_losses(losses: list[str]) -> tuple[tuple[str, ...], tuple[Arm, ...]]:
    """The losses named from this package, and the arms of those given as module:NAME, which are imported here."""
    from focalbench.arms import Arm, is_custom

    own = [text for text in losses if is_custom(text)]
    if not own:
        return tuple(losses), ()
    from focalbench.losses.custom import make_custom, source_hash

    for text in own:
        make_custom(text)  # refused now, or not at all
    return tuple(text for text in losses if text not in own), tuple(Arm(text, source=source_hash(text)) for text in own)


def _rates(dataset: str, asked: list[float] | None) -> tuple[float | None, ...]:
    from focalbench.datasets.families import is_synthetic

    for rate in asked or ():
        if not 0 < rate < 1:
            raise InputError(f"--pos-rate must lie between 0 and 1, got {rate}; 0.0015 is 15 positives in 10,000")
    return tuple(dict.fromkeys(asked)) if asked else ((DEFAULT_RATE,) if is_synthetic(dataset) else (None,))


def _check_table_options(dataset: str, options: dict[str, Any]) -> None:
    """An option that the data set does not use is an error, and a file needs its target."""
    from focalbench.datasets.families import is_synthetic
    from focalbench.datasets.fetched import is_fetched
    from focalbench.datasets.files import exists
    from focalbench.datasets.tables import REAL_TABLES

    given = ["--" + {"labels": "label"}.get(name, name).replace("_", "-") for name, value in options.items() if value]
    if is_synthetic(dataset) or dataset in REAL_TABLES:
        if given:
            raise InputError(f"{', '.join(given)}: used with a CSV file only, and --dataset is {dataset}")
    elif is_fetched(dataset):
        if not dataset.startswith("sklearn"):
            typer.echo(printable(f"{dataset}: from its library's cache, or the network"), err=True)
    elif not (options["target"] or options["labels"]) and exists(
        dataset
    ):  # what is no file is told apart where it is resolved
        wanted = "--target, the name of the column to predict"
        raise InputError(f"--dataset {dataset} needs {wanted} (with --task multilabel: --label for each)")


def _quick_rows(experiment: Experiment) -> int:
    """8,000 training rows, or as many as hold the least number of positives at the lowest rate."""
    from focalbench.experiment import MOST
    from focalbench.plan import natural_rate

    lowest = min(natural_rate(experiment) if rate is None else rate for rate in experiment.positive_rates)
    return max(QUICK_ROWS, math.ceil(min(ENOUGH_POSITIVES / lowest, MOST["rows"])))  # planning refuses too few


def _hidden(text: str | None, model: str) -> tuple[int, ...] | None:
    if text is None:
        return None
    if model == "logistic":
        raise InputError("--hidden is used by --model mlp only; leave it out")
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--hidden takes whole numbers separated by commas, such as 64,64; got {text!r}") from None
