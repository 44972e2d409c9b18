"""Scores that models gave to the same rows, from one file or several, aligned by row or by an identifier."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalbench.base.text import near_or
from focalbench.datasets.columns.frame import did_you_mean
from focalbench.datasets.columns.roles import read_group, read_score, read_weight
from focalbench.datasets.columns.style import read_style
from focalbench.datasets.columns.texts import Origin
from focalbench.datasets.dataset import Floats
from focalbench.datasets.files.file import SUFFIXES, OpenFrame, open_frame
from focalbench.datasets.files.text_table import UNNAMED
from focalbench.datasets.tables.targets import listed, read_outputs, rows_of
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Ids = NDArray[Any]  # whole numbers, or texts
EXACT = 2.0**53  # the first float beside which not every whole number is one
OWN = {"row", "seed", "target", "weight", "score", "probability"}  # the columns of scores that a sweep keeps
FEW = 20  # rows, in which whole numbers may be different by chance


@dataclass(frozen=True)
class ScoreColumns:
    """Which columns play which part. scores: (): the only ones left. id: None: rows are in one order in all files."""

    target: str
    positive: str | None = None
    scores: tuple[str, ...] = ()
    id: str | None = None
    group: str | None = None
    weight: str | None = None

    @property
    def others(self) -> tuple[str, ...]:
        """Those that hold no scores."""
        return tuple(name for name in (self.target, self.id, self.group, self.weight) if name is not None)


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Rows with the scores of several models. targets: (rows,) int8 of 0 and 1. scores: (rows,) float64 by model.
    weights: (rows,), None for 1 each. units: (rows,) numbers of the groups, of the rows where there are none; groups:
    how many, None where there are none. notes: what was understood; warnings: what to look at.
    """

    targets: NDArray[np.int8]
    scores: dict[str, Floats]
    weights: Floats | None
    units: NDArray[np.int64]
    groups: int | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def prevalence(self) -> float:
        """Share of the rows, by weight, that are positive."""
        return float(np.average(self.targets, weights=self.weights))


@dataclass(frozen=True, eq=False)
class _Part:
    """What one file holds; targets, weights and groups: None where it lacks the column."""

    path: str
    rows: int
    scores: dict[str, Floats]
    targets: NDArray[np.int8] | None
    weights: Floats | None
    groups: NDArray[np.int64] | None
    ids: Ids | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def read_scores(paths: Sequence[str], columns: ScoreColumns) -> ScoredRows:
    """Read the scores of two models or more on the same rows.

    Args:
        paths: of CSV or Parquet files; the first one holds the target, and what groups and weighs the rows.
        columns: which play which part; a file's other columns are not read.

    Returns:
        The rows in the order of the first file.

    Raises:
        InputError: for a missing column, a score that is missing or infinite, files that do not hold the same rows,
            and fewer than two models.
    """
    if both := [name for name in columns.scores if name in columns.others]:
        raise InputError(f"{both[0]!r} plays another part; name it as no score")
    parts = [_read(path, columns, first=place == 0, alone=len(paths) == 1) for place, path in enumerate(paths)]
    first, *others = parts
    if unknown := [name for name in columns.scores if not any(name in part.scores for part in parts)]:
        hint = near_or(unknown[0], _names_in(paths), "name the columns of scores as they are there")
        raise InputError(f"none of the files has a column {unknown[0]!r}; {hint}")
    aligned = [first, *(_aligned(part, first) for part in others)]
    scores = _named(aligned)
    if len(scores) < 2:
        raise InputError("one model alone compares with nothing; name two score columns or two files")
    assert first.targets is not None
    same = [name for name, values in scores.items() if np.array_equal(values, first.targets)]
    unsure = [part.path for part in others if part.targets is None and part.ids is None]
    warnings = [text for part in parts for text in part.warnings]
    if same:
        warnings.append(f"{listed(same)}: the same as the target in every row; is it a score at all?")
    if unsure:
        warnings.append(f"{listed(unsure)}: no target to confirm that its rows are those of {first.path}, in its order")
    units = np.arange(first.rows, dtype=np.int64) if first.groups is None else first.groups
    groups = None if first.groups is None else len(np.unique(first.groups))
    notes = tuple(dict.fromkeys(text for part in parts for text in part.notes))
    return ScoredRows(first.targets, scores, first.weights, units, groups, notes, tuple(warnings))


def _names_in(paths: Sequence[str]) -> Iterator[str]:
    """Of the columns of some files."""
    for path in paths:
        with open_frame(path) as opened:
            yield from opened.names


def _read(path: str, columns: ScoreColumns, *, first: bool, alone: bool) -> _Part:
    """alone: whether there is no other file, so that nothing has to be aligned."""
    with open_frame(path) as opened:
        needed = [name for name in columns.others if first or name == columns.id]
        for name in (*needed, *(columns.scores if len(columns.scores) == 1 else ())):  # several: some elsewhere
            if name not in opened.names:
                what = "; the first file holds the target" if name == columns.target else ""
                raise InputError(f"{path} has no column {name!r}{what}{did_you_mean(name, list(opened.names))}")
        names = _score_names(path, opened, columns)
        if alone:
            columns = replace(columns, id=None)
        if set(opened.names) >= OWN and columns.weight is None and first:
            columns = replace(columns, weight="weight")
        kept = [name for name in columns.others if name in opened.names]
        frame, origin = opened.read((columns.target,), [*kept, *names])
        return _part(path, frame, origin, names, columns, opened.notes)  # which may read texts again


def _score_names(path: str, opened: OpenFrame, columns: ScoreColumns) -> list[str]:
    if columns.scores:
        found = [name for name in columns.scores if name in opened.names]
        if not found:
            hint = near_or(columns.scores[0], opened.names, "name its own")
            raise InputError(f"{path} has none of the score columns {listed(columns.scores)}; {hint}")
        return found
    if set(opened.names) >= OWN:  # as a sweep keeps them
        return ["score"]
    left = [name for name in opened.names if name not in columns.others and not name.startswith(UNNAMED)]
    if not left:
        raise InputError(f"{path} has no column but {listed(columns.others)}; it holds no scores")
    return left


def _part(
    path: str,
    frame: "pd.DataFrame",
    origin: Origin,
    names: Sequence[str],
    columns: ScoreColumns,
    guessed: Sequence[str],
) -> _Part:
    notes, warnings = list(guessed), list[str]()
    targets = None
    if columns.target in frame:
        outputs = read_outputs(frame, "binary", (columns.target,), columns.positive)
        targets = outputs.labels[:, 0].copy()
        notes += map(str, outputs.readings)
        warnings += outputs.warnings
    style = read_style(frame[list(names)], origin)
    read = {name: read_score(frame[name], origin, style) for name in names}
    if not columns.scores:
        _check_no_identifier(path, {name: special.values for name, special in read.items()})
    notes += [str(each.reading) for each in read.values()]
    warnings += [text for each in read.values() for text in each.warnings]
    weights = groups = None
    if columns.weight is not None and columns.weight in frame:
        weighing = read_weight(frame[columns.weight], origin, read_style(frame[[columns.weight]], origin))
        weights = weighing.values
        notes.append(str(weighing.reading))
        warnings += weighing.warnings
    if columns.group is not None and columns.group in frame:
        found = read_group(frame[columns.group], origin)
        groups = found.values
        notes.append(str(found.reading))
    ids = None if columns.id is None else _ids(path, frame[columns.id])
    scores = {name: special.values for name, special in read.items()}
    said, warned = ((f"{path}: {text}" for text in texts) for texts in (notes, warnings))
    return _Part(path, len(frame), scores, targets, weights, groups, ids, tuple(said), tuple(warned))


def _check_no_identifier(path: str, scores: dict[str, Floats]) -> None:
    """Raise InputError where a column that nobody named counts rows: compared as a score it would mislead."""
    for name, values in scores.items():
        whole = len(values) > FEW and bool((values % 1 == 0).all())
        if whole and len(np.unique(values)) == len(values):
            raise InputError(
                f"{path}: {name!r} holds whole numbers that never repeat, an identifier perhaps; name it with `id`, or "
                "name the columns of scores with `score`"
            )


def _ids(path: str, column: "pd.Series[object]") -> Ids:
    """The identifiers: whole numbers, whether they were read as such or as texts, else texts. Raises InputError for one
    that is missing or there twice.
    """
    import pandas as pd

    if column.isna().any():
        row = int(np.argmax(column.isna())) + 1
        raise InputError(f"{path}: the identifier {column.name!r} is missing in data row {row}; fill it in")
    texts = column.astype(str).str.strip() if column.dtype.kind not in "iu" else column
    read = pd.to_numeric(texts, errors="coerce")
    whole = bool((read % 1 == 0).all() and (read.abs() < EXACT).all())
    ids: Ids = read.to_numpy(np.int64) if whole else texts.astype(str).to_numpy(dtype=object)
    if whole and len(np.unique(ids)) < len(ids) and texts.is_unique:
        ids = texts.astype(str).to_numpy(dtype=object)  # 02 and 2
    found = pd.Series(ids)
    if (again := found.duplicated()).any():
        example = str(found[again].iloc[0])
        raise InputError(f"{path}: the identifier {column.name!r} is not unique, such as {example!r}; one row for each")
    return ids


def _aligned(part: _Part, first: _Part) -> _Part:
    """A file's scores in the order of the first one's rows. Raises InputError where the rows are others."""
    if part.ids is not None and first.ids is not None:
        return _by_id(part, first)
    if part.rows != first.rows:
        raise InputError(
            f"{first.path} has {rows_of(first.rows)} and {part.path} has {rows_of(part.rows)}; score the same rows, or "
            "align them by `id`"
        )
    _check_targets(part, first, part.targets)
    return part


def _by_id(part: _Part, first: _Part) -> _Part:
    assert part.ids is not None
    assert first.ids is not None
    mine, theirs = _alike(first.ids, part.ids)
    of_mine, of_theirs = np.argsort(mine), np.argsort(theirs)
    if not np.array_equal(mine[of_mine], theirs[of_theirs]):
        both = np.isin(mine, theirs)
        only, where = (mine[~both], first.path) if not both.all() else (theirs[~np.isin(theirs, mine)], part.path)
        raise InputError(
            f"{first.path} and {part.path} share {rows_of(int(both.sum()))} of {first.rows:,} and {part.rows:,}: "
            f"{str(only[0])!r} is in {where} only; score the same rows"
        )
    order = np.empty(first.rows, dtype=np.int64)
    order[of_mine] = of_theirs
    targets = None if part.targets is None else part.targets[order]
    _check_targets(part, first, targets)
    scores = {name: values[order] for name, values in part.scores.items()}
    return _Part(part.path, part.rows, scores, targets, None, None, first.ids, part.notes, part.warnings)


def _alike(mine: Ids, theirs: Ids) -> tuple[Ids, Ids]:
    """Both as whole numbers, or both as texts."""
    if mine.dtype == theirs.dtype == np.int64:
        return mine, theirs
    one, other = (ids.astype(str) for ids in (mine, theirs))
    return one, other


def _check_targets(part: _Part, first: _Part, targets: NDArray[np.int8] | None) -> None:
    if targets is None or first.targets is None or np.array_equal(targets, first.targets):
        return
    differ = targets != first.targets
    raise InputError(
        f"the targets of {first.path} and {part.path} differ in {rows_of(int(differ.sum()))}, first in data row "
        f"{int(differ.argmax()) + 1}; score the same rows, or align them by `id`"
    )


def _stem(path: str) -> str:
    """A file's name without its usual endings."""
    stem = Path(path).name
    while Path(stem).suffix in SUFFIXES and Path(stem).stem:
        stem = Path(stem).stem
    return stem


def _named(parts: Sequence[_Part]) -> dict[str, Floats]:
    """The scores by model: the file's name, with the column's where a file has several or files share a name."""
    stems = [_stem(part.path) for part in parts]
    if len(parts) == 1:
        return parts[0].scores
    found: dict[str, Floats] = {}
    for stem, part in zip(stems, parts, strict=True):
        for name, values in part.scores.items():
            plain = len(part.scores) == 1 and stems.count(stem) == 1
            label = stem if plain else f"{stem}: {name}"
            label = label if label not in found else f"{part.path}: {name}"
            found[label] = values
    return found
