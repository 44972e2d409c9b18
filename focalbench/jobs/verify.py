"""A results folder against its own files: hashes, plan, and the tables made again from runs.csv."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from focalbench.analysis.claims import examine
from focalbench.analysis.comparison import compare
from focalbench.analysis.per_class import per_class
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow
from focalbench.base.files import regular, sha256
from focalbench.base.rows import flatten, read_rows
from focalbench.datasets.tables.real import REAL_TABLES, real_table
from focalbench.errors import AbsentDataError, InputError
from focalbench.jobs.claims import claim_texts, plan_claims
from focalbench.plan.claims import Claims
from focalbench.plan.experiment import MANIFEST, Experiment, as_mapping, with_new_names
from focalbench.plan.planning import make_plan
from focalbench.plan.toml import load, load_claims
from focalbench.report.folder import (
    CLASSES,
    EXPERIMENT,
    INFLUENCES,
    LATEX,
    MARKDOWN,
    RUNS,
    TABLE,
    data_hashes,
    reported,
)
from focalbench.report.influences import read_influences
from focalbench.report.manifest import read_manifest
from focalbench.report.tables import latex, markdown

CHANGED = "was changed after it was made"
RECOMPUTED = 1e-9  # the table from runs.csv: the same to the rounding of a sum


def planned_of(file: Path, given: Sequence[Path] = ()) -> list[Experiment]:
    """The experiments whose runs a file's results folder holds: its parts, or the one that it is."""
    claims = load_claims(file, given)
    return [load(file, given)[0]] if claims is None else [experiment for _, experiment in claims.parts]


def absent_tables(experiments: Iterable[Experiment]) -> tuple[str, ...]:
    """The real tables of some experiments whose files are not available."""
    names = dict.fromkeys(name for each in experiments for name in each.datasets if name in REAL_TABLES)
    return tuple(name for name in names if not _is_here(name))


def _is_here(name: str) -> bool:
    try:
        real_table(name)
    except AbsentDataError:
        return False
    return True


def without_tables(experiments: Iterable[Experiment], absent: Sequence[str]) -> list[Experiment]:
    """The experiments of the data sets that are here; those that have none are left out."""
    kept = ((each, [name for name in each.datasets if name not in absent]) for each in experiments)
    return [each.only(names) if len(names) < len(each.datasets) else each for each, names in kept if names]


def verify_files(folder: Path, file: Path, given: Sequence[Path] = (), absent: Sequence[str] = ()) -> list[str]:
    """What is wrong with a results folder: hashes, experiment file, plan, and the table made again; [] if nothing.

    absent: data sets that are not available, whose runs cannot be planned.
    """
    manifest = read_manifest(folder)
    experiment, _ = load(file, given)
    problems = _wrong_hashes(folder, manifest.files)
    said = with_new_names(manifest.experiment or {})
    if _plain(Experiment()) | said != _plain(experiment):  # which lacks what came after it
        problems.append(f"the settings in {folder / MANIFEST} are not those of {file}")
    if f"{folder / RUNS} {CHANGED}" in problems:
        return problems  # it may hold anything
    try:
        runs = read_rows(folder / RUNS, RunRow)
        claims = load_claims(file, given)
        found = (
            _verify_table(folder, experiment, runs)
            if claims is None
            else _verify_claims(folder, file, claims, runs, absent)
        )
    except (InputError, OSError, KeyError, ValueError) as error:
        return [*problems, f"{folder} cannot be read back: {error}"]
    experiments = without_tables(planned_of(file, given), absent)
    planned = list(dict.fromkeys(run.run_id for each in experiments for run in make_plan(each).runs))
    if [row.settings.run_id for row in runs if row.settings.dataset not in absent] != planned:
        problems.append(f"{folder / RUNS} does not hold the runs that {file} plans with this version")
    if manifest.data_sha256 != data_hashes(runs):
        problems.append(f"the data hashes in {folder / MANIFEST} are not those of {RUNS}")
    return problems + found


def _verify_table(folder: Path, experiment: Experiment, runs: Sequence[RunRow]) -> list[str]:
    """What runs.csv gives otherwise than the files of a table hold."""
    table = read_rows(folder / TABLE, ArmRow)
    influences = read_influences(folder / INFLUENCES)
    written = {name: regular(folder / name).read_text(encoding="utf-8") for name in (MARKDOWN, LATEX)}
    again = compare(runs, influences, margin=experiment.margin, smoke_test=experiment.smoke_test)
    if not any(row.over for row in table):  # written before data sets were pooled
        again = [replace(row, over=None) for row in again]
    classes = per_class(runs, influences)
    by_class = read_rows(folder / CLASSES, ClassRow) if classes else []
    problems = _different_cells(table, again, str(folder / TABLE))
    problems += _different_cells(by_class, classes, str(folder / CLASSES))
    made = {MARKDOWN: markdown(again, classes), LATEX: latex(again, classes)}
    return problems + [f"{folder / name} is not what {RUNS} gives" for name in made if made[name] != written[name]]


def _verify_claims(
    folder: Path, file: Path, claims: Claims, runs: Sequence[RunRow], absent: Sequence[str]
) -> list[str]:
    """The same of claims; their hashes alone guard them where a data set is not available, as its runs have no part."""
    copied = regular(folder / EXPERIMENT).read_bytes() == regular(file).read_bytes()
    problems = [] if copied else [f"{folder / EXPERIMENT} is not {file}"]
    if absent:
        return problems
    influences = read_influences(folder / INFLUENCES)
    examined = examine(claims, plan_claims(claims).parts(runs), influences)
    made = claim_texts(claims, runs, examined, influences)
    del made[RUNS]  # its hash guards it; columns that came since are none of its own
    there = {name: regular(folder / name).read_text(encoding="utf-8") for name in made}
    return problems + [
        f"{folder / name} is not what {RUNS} gives" for name in made if not _alike(made[name], there[name])
    ]


def _alike(made: str, there: str) -> bool:
    """Whether two texts are the same, but for the last digits of their numbers."""
    cells, others = (text.replace("\n", ",").split(",") for text in (made, there))
    return len(cells) == len(others) and all(map(_same_cell, cells, others))


def _same_cell(made: str, there: str) -> bool:
    if made == there:
        return True
    try:
        return bool(np.isclose(float(made), float(there), rtol=RECOMPUTED, atol=RECOMPUTED))
    except ValueError:
        return False


def _plain(experiment: Experiment) -> dict[str, object]:
    """As a manifest holds it."""
    content: dict[str, object] = json.loads(json.dumps(as_mapping(experiment)))
    return content


def _wrong_hashes(folder: Path, expected: Mapping[str, str]) -> list[str]:
    present = [name for name in {*expected, *reported(folder)} if (folder / name).is_file()]
    found = {name: sha256(folder / name) for name in present}
    problems = [f"{folder / name} is missing" for name in expected.keys() - found.keys()]
    problems += [f"{folder / name} is not in {MANIFEST}" for name in found.keys() - expected.keys()]
    changed = [name for name in expected.keys() & found.keys() if expected[name] != found[name]]
    return sorted(problems + [f"{folder / name} {CHANGED}" for name in changed])


Rows = Sequence[ArmRow | ClassRow]


def _different_cells(old: Rows, new: Rows, where: str) -> list[str]:
    if len(old) != len(new):
        return [f"{where} has {len(old)} rows, {RUNS} gives {len(new)}"]
    pairs = [(flatten(before), flatten(after)) for before, after in zip(old, new, strict=True)]
    return [
        f"{where}, {before['arm']}, {name}: {before[name]} is not the {after[name]} that {RUNS} gives"
        for before, after in pairs
        for name in after
        if not _equal(before[name], after[name])
    ]


def _equal(before: object, after: object) -> bool:
    if isinstance(before, (int, float)) and isinstance(after, (int, float)):
        return bool(np.isclose(before, after, rtol=RECOMPUTED, atol=RECOMPUTED))
    return before == after
