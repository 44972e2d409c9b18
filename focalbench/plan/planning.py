"""From an experiment to its runs, and from runs to stacks. Listing is separate from running."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from focalbench.datasets.build import load_table, measured, names_of, resolve, split_counts, weighed, width, with_folds
from focalbench.datasets.prevalence import warnings_for, weighted_rate
from focalbench.datasets.synthetic.families import family_of, is_synthetic
from focalbench.datasets.tables.leaks import leak_warnings
from focalbench.datasets.tables.reading import table_sentences
from focalbench.datasets.tables.table import ColumnReading
from focalbench.datasets.tables.targets import listed
from focalbench.datasets.tables.weights import check_weights, weight_warnings
from focalbench.errors import InputError
from focalbench.plan.experiment import LEAST_EPOCHS, Experiment
from focalbench.runs.arm import Arm, is_custom
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.references import PROTOCOL, REFERENCES, is_reference

EVALUATIONS = 40  # of validation at most
STACK = 96  # runs trained together at most: enough to hide what an operation costs whatever its size
ACTIVATIONS = 6 * 128 * 512  # hidden units x rows of a batch of a stack, which a core's cache holds; widths were tried
WIDE, BUFFERS = 512, 12  # features assumed; as large as the parameters: gradient, Adam's, the best, kept, drawn
STACK_BYTES = 256 * 2**20  # what their parameters and activations may take
OWN_LOSSES, OWN_BYTES = 12, 20 * 10**6  # runs of a loss of your own trained together at most; of the process of each
PROCESS_BYTES, ROW_COPIES = 300 * 10**6, 4  # of a worker's libraries; of its rows while they are made: as measured


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
    runs: list[Run] = []
    notes: list[str] = []
    warnings: list[str] = []
    columns: list[tuple[str, ColumnReading]] = []
    same: dict[Recipe, str] = {}
    for dataset, rate in product(experiment.datasets, experiment.positive_rates):
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
        if not is_synthetic(recipe.dataset):
            table = load_table(recipe)
            notes += [f"{recipe.dataset}: {text}" for text in table_sentences(table)]
            warnings += [f"{recipe.dataset}: {text}" for text in (*table.warnings, *leak_warnings(table))]
            columns += [(recipe.dataset, column) for column in table.columns]
        if experiment.sampler == "groups" and not (_has_groups(recipe) or family_of(recipe.dataset) == "dense"):
            raise InputError(f"`sampler=groups`: {recipe.dataset} has no groups; use dense or a table with `group`")
        runs += _runs(experiment, recipe, min(each.train.rows for each in counts))
    return Plan(tuple(runs), tuple(dict.fromkeys(notes)), tuple(dict.fromkeys(warnings)), tuple(dict.fromkeys(columns)))


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
    training = Training(
        model=experiment.model,
        hidden=experiment.hidden if experiment.model == "mlp" else (),
        epochs=epochs,
        batch_size=experiment.batch_size,
        evaluations=EVALUATIONS if epochs > EVALUATIONS else 0,
        sampler=experiment.sampler,
        device=experiment.device,
    )
    arms = candidates(experiment.arms) if experiment.tuned else [(arm, 0) for arm in experiment.arms]
    for (arm, restart), lr, seed in product(arms, experiment.lrs, seeds):
        yield Run(recipe, training, arm, lr, seed, restart)
    for model, arm in REFERENCES if experiment.references else ():
        for seed in seeds:
            yield Run(recipe, _reference_training(model), arm, 0.0, seed)


def epochs_of(experiment: Experiment, train_rows: int) -> int:
    """Passes over so many training rows: those asked for, else as many as the budget of steps has, and at least 20.

    >>> epochs_of(Experiment(), 40_000), epochs_of(Experiment(), 6_700), epochs_of(Experiment(epochs=3), 6_700)
    (20, 112, 3)
    """
    if experiment.epochs is not None:
        return experiment.epochs
    steps = -(-train_rows // experiment.batch_size)
    return max(LEAST_EPOCHS, -(-experiment.steps // steps))


def _reference_training(model: str) -> Training:
    return Training(
        model=model,
        hidden=(),
        optimizer=PROTOCOL,
        epochs=0,
        batch_size=0,
        sampler="",
        weights="",
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


def make_stacks(runs: Iterable[Run]) -> list[tuple[Run, ...]]:
    """Group runs that share data and batches, in equal parts of at most stack_size runs.

    A reference is a stack of its own, and comes after the networks of its data, because it has to load scikit-learn.
    The runs of a loss of your own share a stack with none but each other, so that it takes no others with it. On a CPU
    no number depends on the grouping.
    """

    groups: dict[tuple[Recipe, Training, int, Run | None, str], list[Run]] = {}
    for run in runs:
        own = run.arm.loss if is_custom(run.arm.loss) else ""
        groups.setdefault((run.recipe, run.training, run.seed, run if is_reference(run) else None, own), []).append(run)
    cells = {recipe: place for place, recipe in enumerate(dict.fromkeys(recipe for recipe, *_ in groups))}
    tables = {
        recipe.dataset: place for recipe, place in reversed(cells.items())
    }  # one after the other: a worker holds one
    stacks: list[tuple[Run, ...]] = []
    sizes = {
        (recipe, training): stack_size(training, len(names_of(recipe)) or 1, recipe.rows)
        for recipe, training in dict.fromkeys((recipe, training) for recipe, training, *_ in groups)
    }
    for key in sorted(groups, key=lambda key: (tables[key[0].dataset], key[2], cells[key[0]], key[3] is not None)):
        members, (recipe, training, *_, own) = _without_repeats(groups[key]), key
        parts = -(-len(members) // min(sizes[recipe, training], OWN_LOSSES if own else len(members)))
        size = -(-len(members) // parts)
        stacks += [sum(members[i : i + size], ()) for i in range(0, len(members), size)]
    return stacks


def _without_repeats(runs: Iterable[Run]) -> list[tuple[Run, ...]]:
    """Runs that are one but for the name of their start: a balanced loss starts at zero by itself (stack.py)."""
    found: dict[Run, tuple[Run, ...]] = {}
    for run in runs:
        as_own = run.arm.balanced and run.arm.init == "zero"
        first = replace(run, arm=replace(run.arm, init="own")) if as_own else run
        found[first] = (*found.get(first, ()), run)
    return list(found.values())


def worker_bytes(runs: Iterable[Run]) -> int:
    """What a worker will hold at most, roughly: its libraries, the rows of the largest data set, and a stack, of which
    one run alone may take more than a stack should; and what the processes of your own losses hold.
    """
    largest: dict[tuple[Recipe, Training], int] = {}
    own = 0
    for run in runs:
        if is_custom(run.arm.loss):
            own = PROCESS_BYTES + OWN_LOSSES * OWN_BYTES
        if (kind := (run.recipe, run.training)) not in largest:
            largest[kind] = _data_bytes(run) + max(STACK_BYTES, _stack_bytes(run))
    return PROCESS_BYTES + max(largest.values(), default=0) + own


def _data_bytes(run: Run) -> int:
    rows = sum(part.rows for part in split_counts(run.recipe, run.seed).each)
    if not is_synthetic(run.recipe.dataset):  # rows of unknown target come along
        table = load_table(run.recipe)
        rows = -(-rows * table.rows // table.counted)
    return 4 * ROW_COPIES * rows * width(run.recipe)


def _stack_bytes(run: Run) -> int:
    """What a stack of runs like one takes of a worker's memory, which on a GPU is none."""
    if is_reference(run) or run.training.device == "cuda":
        return 0
    outputs = len(names_of(run.recipe)) or 1
    rows = max(part.rows for part in split_counts(run.recipe, run.seed).each)
    return stack_size(run.training, outputs, run.recipe.rows) * _run_bytes(
        run.training, width(run.recipe), outputs, rows
    )


def stack_size(training: Training, outputs: int = 1, rows: int = 0) -> int:
    """How many runs are trained together: as many as cache holds, at most STACK, and what STACK_BYTES allow, the scores
    of so many rows included; on a GPU as many as half of its free memory holds.

    >>> stack_size(Training()), stack_size(Training(hidden=(16,), batch_size=256)), stack_size(Training(hidden=()))
    (6, 96, 96)
    >>> stack_size(Training(hidden=(2048, 2048))), stack_size(Training(), 50, 100_000)
    (1, 4)
    """
    in_cache = ACTIVATIONS // max(1, training.batch_size * sum(training.hidden))
    per_run = _run_bytes(training, WIDE, outputs, rows)
    if training.device == "cuda":
        return max(1, _free_on_gpu() // 2 // per_run)
    return max(1, min(STACK, in_cache, STACK_BYTES // per_run))


def _run_bytes(training: Training, features: int, outputs: int, rows: int) -> int:
    """What one run takes: its parameters and what is kept beside them, activations, and the scores of so many rows."""
    weights = sum(inputs * outputs for inputs, outputs in pairwise((features, *training.hidden, outputs)))
    activations = 3 * training.batch_size * sum(training.hidden)
    return 4 * (BUFFERS * weights + activations + 3 * rows * outputs)


def _free_on_gpu() -> int:
    """Bytes of the first device; the other half is for the rows and what the libraries take."""
    import torch

    free, _ = torch.cuda.mem_get_info()
    return free
