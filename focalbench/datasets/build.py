"""From a recipe and a seed to the data of a run: any process can rebuild them."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalbench.base.randomness import generator
from focalbench.base.text import near_or
from focalbench.datasets.dataset import AsRead, Counts, Dataset, Known, Resampling, SplitCounts, Splits, Targets
from focalbench.datasets.files.fetched import is_fetched, read_fetched
from focalbench.datasets.files.file import SUFFIXES, exists, file_sha256, read_table
from focalbench.datasets.folds import FOLDS, LEAST_POSITIVES, fold_splits
from focalbench.datasets.preprocessing import USUAL, Coding, coded_width, levels_of, preprocess, with_bins
from focalbench.datasets.prevalence import (
    fold_counts,
    label_swaps,
    pool_counts,
    positive_parts,
    set_parts,
    synthetic_counts,
    table_counts,
    weighted_rate,
)
from focalbench.datasets.splits import (
    Rows,
    allot,
    assign_equal_rows,
    assign_groups,
    thin,
    weighted_to_rate,
    with_label_noise,
    with_unknown,
)
from focalbench.datasets.synthetic.classes import draw_classes, draw_labels, output_names
from focalbench.datasets.synthetic.dense import draw_dense
from focalbench.datasets.synthetic.families import FAMILIES, canonical, family_of, is_synthetic, knobs, task_of
from focalbench.datasets.synthetic.mixtures import draw
from focalbench.datasets.tables.real import REAL_TABLES, real_table
from focalbench.datasets.tables.table import Groups, Table, are_few
from focalbench.datasets.tables.targets import measured_outputs
from focalbench.datasets.tables.weights import Weighed, weigh
from focalbench.errors import InputError, TooFewPositivesError
from focalbench.runs.catalogue import Task
from focalbench.runs.columns import COLUMN_KEYS, NO_COLUMNS
from focalbench.runs.result import SplitKind
from focalbench.runs.run import Recipe

_SPLITS = ("train", "validation", "test")
MOST_ROWS = 10_000_000  # that anybody may ask for


def resolve(recipe: Recipe) -> Recipe:
    """The recipe with what its dataset names: a family's canonical name; a table's hash; a file's hash and path.

    Args:
        recipe: its dataset is a synthetic family, a real table, one that a library fetches, or the path of a file.

    Returns:
        The recipe, completed.

    Raises:
        InputError: where the dataset is none of these, cannot be read, is for another task, or has no use for the
            column options.
    """
    if is_synthetic(recipe.dataset) or recipe.dataset in REAL_TABLES:
        _check_no_columns(recipe)
        _check_task(recipe, task_of(recipe.dataset))
    if is_synthetic(recipe.dataset):
        return replace(recipe, dataset=canonical(recipe.dataset), columns=NO_COLUMNS)
    if recipe.dataset in REAL_TABLES:
        table = load_table(recipe)
        return replace(recipe, sha256=table.sha256, reading=table.reading)
    if is_fetched(recipe.dataset):
        table = load_table(recipe)
        columns = replace(recipe.columns.in_order(), target=table.target or None)
        return replace(recipe, sha256=table.sha256, columns=columns, reading=table.reading)
    path = recipe.path or recipe.dataset
    if not exists(path) and Path(path).suffix not in SUFFIXES:
        raise _unknown(recipe.dataset)
    sha256, absolute = file_sha256(path), str(Path(path).absolute())  # for workers that start elsewhere
    columns = recipe.columns.in_order()
    named = replace(recipe, dataset=_label(path), path=absolute, sha256=sha256, columns=columns)
    return replace(named, reading=load_table(named).reading)


def _label(path: str) -> str:
    """What a file is called: its name, told apart from those of families and tables."""
    name = Path(path).name
    return f"./{name}" if is_synthetic(name) or name in REAL_TABLES or is_fetched(name) else name


def _check_no_columns(recipe: Recipe) -> None:
    if given := [name for name in COLUMN_KEYS if name != "drop_duplicates" and getattr(recipe.columns, name)]:
        raise InputError(f"{recipe.dataset} has no use for {', '.join(given)}, which belong to a file; leave them out")


def _check_task(recipe: Recipe, task: Task) -> None:
    if recipe.task != task:
        raise InputError(f"{recipe.dataset} is a {task} data set, and the task is {recipe.task}; use `task={task}`")


def load_table(recipe: Recipe) -> Table:
    """The whole table of a recipe that is not synthetic; the last one read is kept in memory.

    Args:
        recipe: its dataset is a real table, one that a library fetches, or a file.

    Returns:
        The table, before it is split.

    Raises:
        InputError: where the table cannot be read, or is no longer the one whose hash the recipe holds.
    """
    plain = replace(recipe, rows=0, positive_rate=None, label_noise=0.0, test_prevalence="thin", folds=0)
    whole = replace(plain, sha256="", reading="")
    table = _table(whole, recipe.path)
    if not _is_planned(table, recipe):
        _table.cache_clear()  # a file may have been written anew since
        table = _table(whole, recipe.path)
    if not _is_planned(table, recipe):
        raise InputError(f"{recipe.dataset} has changed since it was planned; plan again, or restore the file")
    return table


def _is_planned(table: Table, recipe: Recipe) -> bool:
    return recipe.sha256 in ("", table.sha256) and recipe.reading in ("", table.reading)


def split_counts(recipe: Recipe, seed: int) -> SplitCounts:
    """How many rows and positives each split will hold.

    The counts may depend on the seed where Table.split_by_group.

    Args:
        recipe: which rows a run sees, apart from the seed.
        seed: of the split.

    Returns:
        The counts of train, validation and test.

    Raises:
        InputError: where the recipe's rate, noise or rows are not reachable, or a split has too few positives.
    """
    if is_synthetic(recipe.dataset):
        return synthetic_counts(recipe)
    table = load_table(recipe)
    if recipe.folds:
        return _fold_sizes(table, _fold_rows(table, recipe, seed))
    return _counts(table, recipe, _pools(table, recipe, seed))


def _fold_sizes(table: Table, folds: list[tuple[Rows, Rows, Rows]]) -> SplitCounts:
    """The least that trains and validates in any fold; all folds are tested on."""
    held = [[Counts(len(rows), int(table.targets[rows].sum())) for rows in fold] for fold in folds]
    train, validation = (min((fold[k] for fold in held), key=lambda part: part.positives) for k in (0, 1))
    test = Counts(sum(fold[2].rows for fold in held), sum(fold[2].positives for fold in held))
    return SplitCounts(train, validation, test)


def _counts(table: Table, recipe: Recipe, pools: tuple[Rows, Rows, Rows] | None) -> SplitCounts:
    if pools is None:
        return table_counts(recipe, table.counted, table.positives)
    held = [np.bincount(table.classes[pool], minlength=2) for pool in pools]
    train, validation, test = (Counts(int(each[0] + each[1]), int(each[1])) for each in held)
    return pool_counts(recipe, SplitCounts(train, validation, test))


def build_parts(recipe: Recipe, seed: int, coding: Coding = USUAL) -> list[Splits]:
    """Return the splits that a run of a recipe and a seed trains on, one after the other: one, or one for each fold.

    coding: how fine features are. Raises InputError as split_counts does.
    """
    if not recipe.folds:
        return [build_splits(recipe, seed, coding)]
    table = load_table(recipe)
    return [_splits(recipe, seed, _real(table, rows, coding), rows) for rows in _fold_rows(table, recipe, seed)]


def build_splits(recipe: Recipe, seed: int, coding: Coding = USUAL) -> Splits:
    """The three splits of a recipe without folds and a seed, label noise included.

    Args:
        recipe: which rows a run sees, apart from the seed; without folds.
        seed: of the draws and of the split.
        coding: how fine features are.

    Returns:
        Train, validation and test, with the counts of split_counts.

    Raises:
        InputError: where the recipe's rate, noise or rows are not reachable, or a split has too few positives.
    """
    if is_synthetic(recipe.dataset):
        return _splits(recipe, seed, with_bins(_synthetic(recipe, seed), coding), None)
    table = load_table(recipe)
    rows = _split_rows(table, recipe, seed)
    return _splits(recipe, seed, _real(table, rows, coding), rows)


def _more_rows_do(recipe: Recipe) -> bool:
    """Whether the table would have positives enough for three splits if more rows trained."""
    try:
        split_counts(replace(recipe, rows=MOST_ROWS), 0)
    except InputError:
        return False
    return True


def _splits(recipe: Recipe, seed: int, clean: list[Dataset], rows: tuple[Rows, Rows, Rows] | None) -> Splits:
    """The splits of clean parts, with weights and label noise; rows: those of a table."""
    if (rate := weighted_rate(recipe)) is not None:
        clean[2] = weighted_to_rate(clean[2], rate)
    resampling = None if rows is None else _resampling(load_table(recipe), recipe, rows)
    numbers = None if rows is None else rows[2].astype(np.int64)
    if recipe.label_noise == 0:
        outputs = (0,) if recipe.folds else measured(recipe, seed)
        return Splits(clean[0], clean[1], clean[2], None, names_of(recipe), outputs, resampling, numbers)
    held = [Counts(dataset.rows, dataset.positives) for dataset in clean]
    train, validation, test = (
        with_label_noise(dataset, swaps, generator(seed, f"{split}-label-noise", recipe.key))
        for dataset, swaps, split in zip(clean, label_swaps(recipe.label_noise, held, rate), _SPLITS, strict=True)
    )
    return Splits(train, validation, clean[2], test.targets, resampling=resampling, test_numbers=numbers)


def width(recipe: Recipe, coding: Coding = USUAL) -> int:
    """How many numbers a row has, those of a table once it is coded."""
    if is_synthetic(recipe.dataset):
        return knobs(recipe.dataset).numbers * (1 + coding.bins)
    return coded_width(load_table(recipe), coding)


def names_of(recipe: Recipe) -> tuple[str, ...]:
    """What the classes or labels of a recipe are called; none for a binary target."""
    return output_names(recipe.dataset) if is_synthetic(recipe.dataset) else load_table(recipe).names


def measured(recipe: Recipe, seed: int) -> tuple[int, ...]:
    """The outputs that are validated and tested: all but classes of a table with too few rows (measured_outputs).

    Raises InputError as measured_outputs does.
    """
    names = names_of(recipe)
    if not names or is_synthetic(recipe.dataset):
        return tuple(range(len(names) or 1))
    table = load_table(recipe)
    assert table.labels is not None
    known = np.ones_like(table.labels, dtype=np.bool_) if table.known is None else table.known
    seen = known if table.weights is None else known & (table.weights > 0)[:, None]
    counts = [_with_both(table.labels[rows], seen[rows]) for rows in _split_rows(table, recipe, seed)]
    return measured_outputs(names, counts, multilabel=recipe.task == "multilabel")


def weighed(recipe: Recipe, seed: int) -> tuple[Weighed, Weighed, Weighed]:
    """What the rows of each split weigh, of a table with weights."""
    table = load_table(recipe)
    assert table.weights is not None
    train, validation, test = (
        weigh(table.weights[rows], table.classes[rows]) for rows in _split_rows(table, recipe, seed)
    )
    return train, validation, test


def _with_both(labels: Targets, seen: Known) -> NDArray[np.int64]:
    """How many rows seen have each label, (outputs,); 0 where none has it not, which cannot be measured."""
    positives = (labels * seen).sum(axis=0, dtype=np.int64)
    return np.where(seen.sum(axis=0) > positives, positives, 0)


def _synthetic(recipe: Recipe, seed: int) -> list[Dataset]:
    parts = zip(_SPLITS, synthetic_counts(recipe).each, strict=True)
    draw_split = {"multiclass": draw_classes, "multilabel": draw_labels, "binary": draw}[recipe.task]
    if family_of(recipe.dataset) == "dense":
        draw_split = draw_dense
    return [draw_split(recipe.dataset, part, split, seed, recipe.key) for split, part in parts]


def split_rows(recipe: Recipe, seed: int) -> tuple[Rows, Rows, Rows]:
    """Which rows of a recipe's table train, validate and test; of folds, the first. Raises as split_counts."""
    return _split_rows(load_table(recipe), recipe, seed)


def _split_rows(table: Table, recipe: Recipe, seed: int) -> tuple[Rows, Rows, Rows]:
    """Which rows of a table train, validate and test; of folds, the first."""
    if recipe.folds:
        return _fold_rows(table, recipe, seed)[0]
    pools = _pools(table, recipe, seed)
    counts = _counts(table, recipe, pools)
    if pools is not None:
        splits = thin(table.classes, counts, pools, seed, recipe.key)
    else:
        parts = positive_parts(recipe, table.counted, table.positives)
        splits = allot(table.classes, counts, parts, seed, recipe.key, table.labels)
    if table.counted == table.rows:
        return splits
    return with_unknown(splits, table.classes, pools, seed, recipe.key)


def _real(table: Table, splits: tuple[Rows, Rows, Rows], coding: Coding) -> list[Dataset]:
    features, levels = preprocess(table, splits, coding), levels_of(table, coding)
    train, validation, test = (
        Dataset(
            part,
            table.targets[rows],
            weights=_of(table.weights, rows),
            groups=_numbered(_of(table.groups, rows)),
            labels=_of(table.labels, rows),
            known=_of(table.known, rows),
            as_read=AsRead(table.frame, rows),
            levels=levels,
        )
        for part, rows in zip(features, splits, strict=True)
    )
    return [train, validation, test]


def _resampling(table: Table, recipe: Recipe, rows: tuple[Rows, Rows, Rows]) -> Resampling:
    """How a table's rows come to the splits."""
    train, _, test = rows
    positives = (table.targets[:, None] if table.labels is None else table.labels) > 0
    share = positives[train].sum(axis=0) / np.maximum(positives.sum(axis=0), 1)
    if recipe.folds:
        return Resampling(SplitKind.FOLDS, _units(table)[test], share)
    if table.groups is None:
        return Resampling(SplitKind.ROWS, _units(table)[test], share)
    if table.ordered:
        return Resampling(SplitKind.TIME, test, np.zeros_like(share))
    groups = np.unique(table.groups)
    if are_few(groups):
        return Resampling(SplitKind.EACH_GROUP, test, share)
    dealt = np.full_like(share, len(np.unique(table.groups[train])) / len(groups))
    return Resampling(SplitKind.GROUPS, _units(table)[test], dealt)


def _units(table: Table) -> Groups:
    """What is dealt to the splits as one: groups, sets of equal rows, or single rows; (rows,)."""
    if table.groups is not None:
        return table.groups
    return np.arange(table.rows) if table.equal is None else table.equal


def _fold_rows(table: Table, recipe: Recipe, seed: int) -> list[tuple[Rows, Rows, Rows]]:
    kept = fold_counts(recipe, table.rows, table.positives)
    return fold_splits(table.targets, _units(table), kept, seed, recipe.key)


def with_folds(recipe: Recipe, seeds: Iterable[int]) -> Recipe:
    """The recipe, with folds where its table has too few positives for three splits and enough for folds.

    Raises InputError where it has too few for either, as split_counts does.
    """
    try:
        for seed in seeds:
            split_counts(recipe, seed)
    except TooFewPositivesError as error:
        return _folded(recipe, seeds, error)
    return recipe


def _folded(recipe: Recipe, seeds: Iterable[int], why: TooFewPositivesError) -> Recipe:
    if is_synthetic(recipe.dataset) or recipe.task != "binary" or _more_rows_do(recipe):
        raise why
    if recipe.columns.time is not None:
        raise InputError(f"{why} ({FOLDS} folds, which need fewer, cannot be split by time)")
    folded = replace(recipe, folds=FOLDS, test_prevalence="thin")
    table = load_table(recipe)
    if (kept := fold_counts(folded, table.rows, table.positives)).positives < LEAST_POSITIVES:
        raise InputError(
            f"{recipe.dataset} has {kept.positives} positives in {kept.rows} rows at this rate; at least "
            f"{LEAST_POSITIVES} are needed, for {FOLDS} folds: take more data"
        )
    for seed in seeds:
        _fold_rows(table, folded, seed)
    return folded


def _of(values: NDArray[Any] | None, rows: Rows) -> NDArray[Any] | None:
    return None if values is None else values[rows]


def _numbered(groups: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """The groups of a split, counted from 0 without gaps."""
    return None if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _pools(table: Table, recipe: Recipe, seed: int) -> tuple[Rows, Rows, Rows] | None:
    if table.groups is not None:
        return assign_groups(table.groups, seed, recipe.key, ordered=table.ordered)
    if table.equal is None:
        return None
    largest = int(np.unique(table.equal, return_counts=True)[1].max())
    wanted = set_parts(recipe, table.counted, table.positives, largest)
    return assign_equal_rows(table.classes, table.equal, wanted, seed, recipe.key, table.labels)


@lru_cache(maxsize=1)
def _table(source: Recipe, path: str | None) -> Table:
    if source.dataset in REAL_TABLES:
        return real_table(source.dataset, drop_duplicates=source.columns.drop_duplicates)
    if is_fetched(source.dataset):
        return read_fetched(source.dataset, source.columns, source.task)
    if path is None:
        raise _unknown(source.dataset)
    return read_table(path, source.columns, source.task)


def _unknown(dataset: str) -> InputError:
    names = (*FAMILIES, *REAL_TABLES)
    hint = near_or(dataset, names, f"choose one of {', '.join(names)}, or the path of a file")
    return InputError(f"unknown data set {dataset!r}; {hint}")
