"""From runs to stacks: which of them are trained together, and the memory that takes."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from focalbench.datasets.build import load_table, names_of, split_counts, width
from focalbench.datasets.preprocessing import coding_of
from focalbench.datasets.synthetic.families import is_synthetic
from focalbench.runs.arm import is_custom
from focalbench.runs.reference import is_own
from focalbench.runs.resampling import Method, Resampling
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.references import is_reference, sees_features

STACK = 96  # runs trained together at most: enough to hide what an operation costs whatever its size
ACTIVATIONS = 6 * 128 * 512  # hidden units x rows of a batch of a stack, which a core's cache holds; widths were tried
WIDE, BUFFERS = 512, 12  # features assumed; as large as the parameters: gradient, Adam's, the best, kept, drawn
STACK_BYTES = 256 * 2**20  # what their parameters and activations may take
OWN_LOSSES, OWN_BYTES = 12, 20 * 10**6  # runs of a loss of your own trained together at most; of the process of each
PROCESS_BYTES, ROW_COPIES = 300 * 10**6, 4  # of a worker's libraries; of its rows while they are made: as measured
FRAME_COPIES = 4  # of columns as they were read: the frame, as numbers, on their way to a process, and a library's


def make_stacks(runs: Iterable[Run]) -> list[tuple[Run, ...]]:
    """Group runs that share data and batches, in equal parts of at most stack_size runs.

    A reference is a stack of its own, and comes after the networks of its data, because it has to load scikit-learn.
    The runs of a loss of your own share a stack with none but each other, so that it takes no others with it, and so do
    those of a resampling; a model of your own comes first, so that one that fails does so at once. On a CPU no number
    depends on the grouping.
    """

    groups: dict[tuple[Recipe, Training, int, Run | None, str, Resampling | None], list[Run]] = {}
    for run in runs:
        own = run.arm.loss if is_custom(run.arm.loss) else ""
        alone = run if is_reference(run) else None
        groups.setdefault((run.recipe, run.training, run.seed, alone, own, run.arm.resampling), []).append(run)
    cells = {recipe: place for place, recipe in enumerate(dict.fromkeys(recipe for recipe, *_ in groups))}
    tables = {
        recipe.dataset: place for recipe, place in reversed(cells.items())
    }  # one after the other: a worker holds one
    stacks: list[tuple[Run, ...]] = []
    sizes = {
        (recipe, training): stack_size(training, len(names_of(recipe)) or 1, recipe.rows)
        for recipe, training in dict.fromkeys((recipe, training) for recipe, training, *_ in groups)
    }
    for key in sorted(groups, key=lambda key: (tables[key[0].dataset], key[2], cells[key[0]], _turn(key[3]))):
        members, (recipe, training, *_, own, _) = _without_repeats(groups[key]), key
        parts = -(-len(members) // min(sizes[recipe, training], OWN_LOSSES if own else len(members)))
        size = -(-len(members) // parts)
        stacks += [sum(members[i : i + size], ()) for i in range(0, len(members), size)]
    return stacks


def _turn(reference: Run | None) -> int:
    """Of a seed's stacks, whether one comes before the networks, is theirs, or comes after."""
    if reference is None:
        return 0
    return -1 if is_own(reference.training.model) else 1


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
    largest: dict[tuple[Recipe, Training, Resampling | None], int] = {}
    own = 0
    for run in runs:
        if is_custom(run.arm.loss):
            own = PROCESS_BYTES + OWN_LOSSES * OWN_BYTES
        if (kind := (run.recipe, run.training, run.arm.resampling)) not in largest:
            largest[kind] = _data_bytes(run) + max(STACK_BYTES, _stack_bytes(run))
    return PROCESS_BYTES + max(largest.values(), default=0) + own


def _data_bytes(run: Run) -> int:
    rows = sum(part.rows for part in split_counts(run.recipe, run.seed).each)
    if not is_synthetic(run.recipe.dataset):  # rows of unknown target come along
        table = load_table(run.recipe)
        rows = -(-rows * table.rows // table.counted)
    if run.arm.resampling is not None and run.arm.resampling.method is Method.SMOTE:
        rows += split_counts(run.recipe, run.seed).train.rows  # as many again may be made
    return 4 * ROW_COPIES * rows * _width(run)


def _width(run: Run) -> int:
    return width(run.recipe, coding_of(run.training.preprocessing))


def _stack_bytes(run: Run) -> int:
    """What a stack of runs like one takes of a worker's memory, which on a GPU is none."""
    if is_reference(run):
        return _reference_bytes(run)
    if run.training.device == "cuda":
        return 0
    outputs = len(names_of(run.recipe)) or 1
    rows = max(part.rows for part in split_counts(run.recipe, run.seed).each)
    return stack_size(run.training, outputs, run.recipe.rows) * _run_bytes(run.training, _width(run), outputs, rows)


def _reference_bytes(run: Run) -> int:
    """What the columns as they were read take, in all the forms that a library makes of them."""
    if sees_features(run.training.model):
        return 0
    rows = sum(part.rows for part in split_counts(run.recipe, run.seed).each)
    synthetic = is_synthetic(run.recipe.dataset)
    columns = width(run.recipe) if synthetic else len(load_table(run.recipe).frame.columns)
    process = PROCESS_BYTES if is_own(run.training.model) else 0
    return process + 8 * FRAME_COPIES * rows * columns


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
