"""From an experiment to its runs. Listing is separate from running."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from focalbench.datasets.build import (
    load_table,
    measured,
    names_of,
    resolve,
    split_counts,
    weighed,
    with_folds,
)
from focalbench.datasets.capacity import flagged_share
from focalbench.datasets.prevalence import warnings_for, weighted_rate
from focalbench.datasets.synthetic.families import family_of, is_synthetic
from focalbench.datasets.tables.leaks import leak_warnings
from focalbench.datasets.tables.reading import table_sentences
from focalbench.datasets.tables.table import ColumnReading
from focalbench.datasets.tables.targets import listed
from focalbench.datasets.tables.weights import check_weights, weight_warnings
from focalbench.errors import InputError
from focalbench.plan.experiment import LEAST_EPOCHS, Experiment
from focalbench.runs.arm import Arm
from focalbench.runs.metric import Aim, MetricName
from focalbench.runs.reference import Reference, is_own
from focalbench.runs.run import RESNET, STRONG, Recipe, Run, Training
from focalbench.training.boosters import check_installed
from focalbench.training.references import OWN_PROTOCOL, PROTOCOL, sees_features
from focalbench.training.resampling import check_installed as check_resampling

EVALUATIONS = 40  # of validation at most
AS_READ = "none"  # the preprocessing of columns as they were read


@dataclass(frozen=True)
class Plan:
    """The runs in the order of runs.csv, what was done to a real table, what a reader should be warned of, and how each
    column of a file was read, with the file's name.
    """

    runs: tuple[Run, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    columns: tuple[tuple[str, ColumnReading], ...] = ()


def make_plan(experiment: Experiment) -> Plan:
    """Expand an experiment. Raises InputError for what is known to be impossible, before anything runs."""
    for reference in experiment.models:
        check_installed(reference.name)
    for arm in experiment.arms:
        if arm.resampling is not None:
            check_resampling(arm.resampling)
    runs: list[Run] = []
    notes: list[str] = []
    warnings: list[str] = []
    columns: list[tuple[str, ColumnReading]] = []
    same: dict[Recipe, str] = {}
    for dataset, rate in experiment.cells:
        recipe = with_folds(resolve(_recipe(experiment, dataset, rate)), seeds_of(experiment))
        rows = replace(recipe, dataset="", path=None) if recipe.sha256 else recipe
        if same.setdefault(rows, recipe.dataset) != recipe.dataset:
            raise InputError(f"{same[rows]} and {recipe.dataset} are the same table; leave one out")
        label = f"{recipe.dataset} at {'its natural rate' if rate is None else f'rate {rate:g}'}"
        seeds = seeds_of(experiment) if _split_by_group(recipe) else seeds_of(experiment)[:1]  # else all are alike
        counts = [split_counts(recipe, seed) for seed in seeds]
        warnings += [f"{label}: {text}" for text in (*_folds(recipe), *warnings_for(recipe, counts))]
        warnings += [f"{label}: {text}" for text in _unmeasured(recipe, seeds_of(experiment))]
        warnings += [f"{label}: {text}" for text in _weight_warnings(recipe, seeds_of(experiment))]
        warnings += [f"{label}: {text}" for text in _unweighted(experiment, recipe)]
        if not is_synthetic(recipe.dataset):
            table = load_table(recipe)
            notes += [f"{recipe.dataset}: {text}" for text in table_sentences(table)]
            warnings += [f"{recipe.dataset}: {text}" for text in (*table.warnings, *leak_warnings(table))]
            columns += [(recipe.dataset, column) for column in table.columns]
        if experiment.sampler == "groups" and not (_has_groups(recipe) or family_of(recipe.dataset) == "dense"):
            raise InputError(f"`sampler=groups`: {recipe.dataset} has no groups; use dense or a table with `group`")
        _check_acting(experiment, recipe, min(each.test.rows for each in counts))
        runs += _runs(experiment, recipe, min(each.train.rows for each in counts))
    return Plan(tuple(runs), tuple(dict.fromkeys(notes)), tuple(dict.fromkeys(warnings)), tuple(dict.fromkeys(columns)))


def joint(plans: Sequence[Plan]) -> Plan:
    """Several plans as one, what they share once."""
    return Plan(
        runs=tuple(dict.fromkeys(run for plan in plans for run in plan.runs)),
        notes=tuple(dict.fromkeys(note for plan in plans for note in plan.notes)),
        warnings=tuple(dict.fromkeys(warning for plan in plans for warning in plan.warnings)),
        columns=tuple(dict.fromkeys(column for plan in plans for column in plan.columns)),
    )


def _check_acting(experiment: Experiment, recipe: Recipe, test_rows: int) -> None:
    """Raise InputError for more rows than a test has, and for a capacity that nothing says the share of."""
    metric, at = experiment.metric, experiment.threshold_at
    if metric.name is MetricName.PRECISION_AT and metric.rows(test_rows, test_rows) > test_rows:
        raise InputError(
            f"`metric={metric}` looks at more rows than the {test_rows:,} of {recipe.dataset}'s test; ask for fewer, "
            "or for a share, such as precision_at=1%"
        )
    if at is not None and at.aim is Aim.CAPACITY:
        flagged_share(recipe, at)


def _folds(recipe: Recipe) -> list[str]:
    """What is done with too few positives for three splits."""
    if not recipe.folds:
        return []
    kept = split_counts(recipe, 0).test.positives
    what = f"{recipe.folds} folds instead, each tested on once a seed; their intervals are wide"
    return [f"{kept} positives are too few for three splits: {what}"]


def _unmeasured(recipe: Recipe, seeds: Iterable[int]) -> list[str]:
    """The classes that are trained on, and left out of averages, because a split has too few of them."""
    names = names_of(recipe)
    if not names:
        return []
    found = {measured(recipe, seed) for seed in seeds}
    wavering = [name for k, name in enumerate(names) if len({k in kept for kept in found}) > 1]
    if wavering:
        raise InputError(
            f"some seeds have enough rows of {listed(wavering)} to measure and others have not; merge or remove these"
        )
    left_out = [name for k, name in enumerate(names) if k not in next(iter(found))]
    return [f"too few rows to measure {listed(left_out)}: trained on, left out of every average"] if left_out else []


def _weight_warnings(recipe: Recipe, seeds: Iterable[int]) -> list[str]:
    """What to warn of in a table's weights. Raises InputError where a seed's split has too few rows that weigh."""
    if is_synthetic(recipe.dataset) or recipe.folds or load_table(recipe).weights is None:
        return []
    by_seed = []
    for seed in seeds:
        by_seed.append(weighed(recipe, seed))
        check_weights(by_seed[-1], seed)
    return weight_warnings(by_seed)


def _unweighted(experiment: Experiment, recipe: Recipe) -> list[str]:
    """The models of somebody's own that a table's weights do not reach."""
    if is_synthetic(recipe.dataset) or load_table(recipe).weights is None:
        return []
    from focalbench.training.own.fitting import about

    found = [each.name for each in experiment.models if is_own(each.name) and not about(each.name).weighs]
    return [f"{name} takes no sample_weight: it is fitted as if all rows counted alike" for name in found]


def _split_by_group(recipe: Recipe) -> bool:
    """Whether the counts of the splits may depend on the seed."""
    return not is_synthetic(recipe.dataset) and load_table(recipe).split_by_group


def _has_groups(recipe: Recipe) -> bool:
    """Whether rows are split by group or time."""
    return not is_synthetic(recipe.dataset) and load_table(recipe).groups is not None


def seeds_of(experiment: Experiment) -> range:
    """The seeds of an experiment."""
    return range(experiment.first_seed, experiment.first_seed + experiment.seeds)


def natural_rate(experiment: Experiment) -> float:
    """The share of positives in the experiment's first data set, which must be a table."""
    table = load_table(resolve(_recipe(experiment, experiment.datasets[0], None)))
    return table.positives / table.counted


def _recipe(experiment: Experiment, dataset: str, rate: float | None) -> Recipe:
    recipe = Recipe(
        dataset=dataset,
        rows=experiment.rows,
        positive_rate=rate,
        label_noise=experiment.label_noise,
        task=experiment.task,
        columns=experiment.columns,
        test_prevalence=experiment.test_prevalence,
        path=dict(experiment.places).get(dataset),
    )
    if weighted_rate(recipe) is None:  # the same rows, so the same runs
        return replace(recipe, test_prevalence="thin")
    return recipe


def _runs(experiment: Experiment, recipe: Recipe, train_rows: int) -> Iterator[Run]:
    seeds, epochs = seeds_of(experiment), epochs_of(experiment, train_rows)
    training = replace(
        _network(experiment),
        epochs=epochs,
        batch_size=experiment.batch_size,
        evaluations=EVALUATIONS if epochs > EVALUATIONS else 0,
        sampler=experiment.sampler,
        optimizer=experiment.optimizer,
        device=experiment.device,
        metric=experiment.metric,
        threshold_at=experiment.threshold_at,
        recalibrate=experiment.recalibrate,
    )
    arms = candidates(experiment.arms) if experiment.tuned else [(arm, 0) for arm in experiment.arms]
    for (arm, restart), lr, seed in product(arms, experiment.lrs, seeds):
        yield Run(recipe, training, arm, lr, seed, restart)
    for reference in experiment.models:
        for arm, seed in product(reference.arms, seeds):
            yield Run(recipe, _reference_training(reference, experiment), arm, 0.0, seed)


def _network(experiment: Experiment) -> Training:
    """What is trained, and all of it that the model decides."""
    if experiment.model == RESNET:
        return STRONG
    hidden = experiment.hidden if experiment.model == "mlp" else ()
    return Training(model=experiment.model, hidden=hidden, lr_schedule=experiment.lr_schedule)


def epochs_of(experiment: Experiment, train_rows: int) -> int:
    """Passes over so many training rows: those asked for, else as many as the budget of steps has, and at least 20.

    >>> epochs_of(Experiment(), 40_000), epochs_of(Experiment(), 6_700), epochs_of(Experiment(epochs=3), 6_700)
    (20, 112, 3)
    """
    if experiment.epochs is not None:
        return experiment.epochs
    steps = -(-train_rows // experiment.batch_size)
    return max(LEAST_EPOCHS, -(-experiment.steps // steps))


def _reference_training(reference: Reference, experiment: Experiment) -> Training:
    own = is_own(reference.name)
    return Training(
        model=reference.model,
        hidden=(),
        optimizer=OWN_PROTOCOL if own else PROTOCOL,
        epochs=0,
        batch_size=0,
        sampler="",
        weights="",
        preprocessing=Training.preprocessing if sees_features(reference.model) else AS_READ,
        metric=experiment.metric,
        threshold_at=experiment.threshold_at,
        recalibrate=experiment.recalibrate,
        source=reference.source,
    )


def candidates(arms: Sequence[Arm]) -> list[tuple[Arm, int]]:
    """Every arm with restart 0, then the surplus that gives every tuned family the same number of candidates.

    A start's tuned families are the baseline's and those with several arms. The smaller ones spend their surplus on
    other draws of the initial weights (restart 1, 2, ...), going round their arms.

    >>> [restart for _, restart in candidates([Arm("bce"), Arm("focal", gamma=1.0), Arm("focal", gamma=2.0)])]
    [0, 0, 0, 1]
    """
    surplus = []
    for init in dict.fromkeys(arm.init for arm in arms):
        families = tuned_families([arm for arm in arms if arm.init == init])
        most = max(map(len, families), default=0)
        for family in families:
            surplus += [(family[i % len(family)], i // len(family)) for i in range(len(family), most)]
    return [(arm, 0) for arm in arms] + surplus


def tuned_families(arms: Sequence[Arm]) -> list[list[Arm]]:
    """The families of one start that get a tuned row: the baseline's and those with several arms; none without such."""
    names = dict.fromkeys(arm.family for arm in arms)
    baseline = "ce" if "ce" in names else "bce"
    families = [[arm for arm in arms if arm.family == name] for name in names]
    several = [family for family in families if len(family) > 1]
    return [family for family in families if family[0].family == baseline or family in several] if several else []
