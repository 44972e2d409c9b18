"""The guard of reported numbers: a results folder against its own files, and against what this code makes now.

Three things are compared. The files: with their hashes, with the experiment file, and with the table made again from
runs.csv. The short runs that the experiment file declares: with those of check.csv, which accepted code has trained. A
sample of runs.csv, trained again in full: one run of every arm and one of a reference model, so that it takes about as
much of the experiment's time as one learning rate of one seed on one data set.

Where runs.csv was made, by versions and processor, the sample has to agree to the bit; elsewhere to 5e-3, or as near as
rounding lets it (agreement.py). What this can tell: that an arm's numbers were raised as a whole, and that code which
any reported number passes has changed. What it cannot: that some runs of an arm were changed which the sample leaves
out (--draw draws others), or that code and all numbers were changed together.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from focalbench.analysis.comparison import compare
from focalbench.analysis.per_class import per_class
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow
from focalbench.base.files import regular, sha256
from focalbench.base.provenance import machine, versions, versions_text
from focalbench.base.rows import flatten, read_rows, rows_text
from focalbench.datasets.tables.real import REAL_TABLES, real_table
from focalbench.errors import AbsentDataError, InputError
from focalbench.execution.pools import Backend
from focalbench.jobs.agreement import MISSING, Before, Comparison, compare_runs, label_of, moved
from focalbench.jobs.sweep import fresh_rows
from focalbench.plan.experiment import MANIFEST, Experiment, as_mapping
from focalbench.plan.planning import make_plan
from focalbench.plan.toml import load
from focalbench.report.folder import (
    CHECK,
    CLASSES,
    EXPERIMENT,
    INFLUENCES,
    LATEX,
    MARKDOWN,
    RUNS,
    TABLE,
    data_hashes,
    reported,
    write_manifest,
)
from focalbench.report.influences import read_influences
from focalbench.report.manifest import NamedFile, read_manifest
from focalbench.report.owned import finish, write_texts
from focalbench.report.tables import latex, markdown
from focalbench.runs.run import Run
from focalbench.training.references import is_reference

SHORT = 1e-4  # what short runs may part by: they have few epochs
FULL = 5e-3  # what whole runs may part by on another processor: half a claim's margin; where they were made, nothing
CHANGED = "was changed after it was made"
RECOMPUTED = 1e-9  # the table from runs.csv: the same to the rounding of a sum


@dataclass(frozen=True)
class Target:
    """A results folder, the file of its experiment, and data files of that which lie elsewhere."""

    folder: Path
    file: Path
    given: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Case:
    """What there is to compare of a folder, and the runs to train.

    problems: what is wrong with its files; outdated: what --accept puts right; gone: short runs no longer planned;
    absent: data sets that are not available, of which nothing is trained.
    """

    target: Target
    problems: list[str]
    outdated: list[str]
    gone: list[Comparison]
    short: list[Before]
    sampled: list[Before]
    absent: tuple[str, ...] = ()

    @property
    def runs(self) -> list[Run]:
        """All that are to be trained."""
        return [before.run for before in (*self.short, *self.sampled)]


@dataclass(frozen=True)
class Report:
    """What a check found: a case, every short and sampled run then and now, and the short ones' new rows."""

    case: Case
    short: list[Comparison]
    sampled: list[Comparison]
    fresh: list[RunRow]

    @property
    def changes(self) -> list[str]:
        """What a deliberate change may move, and --accept records."""
        return [*self.case.outdated, *map(str, moved(self.short))]

    @property
    def faults(self) -> list[str]:
        """What only another run of the experiment puts right."""
        stale = [f"stale: {problem}" for problem in self.case.problems]
        return stale + [f"{each}; {RUNS} has other numbers" for each in moved(self.sampled)]


def finish_folder(
    folder: Path, file: Path, made_with: Iterable[str], backend: Backend, given: Sequence[Path] = ()
) -> None:
    """Run the experiment file's short runs, keep their numbers beside the results, and write the manifest.

    made_with: the library versions of the results' runs, as write_manifest takes them.
    """
    experiment, checks = load(file, given)
    if checks:
        write_texts(folder, {CHECK: rows_text(RunRow, rerun(file, backend, given))})
    write_manifest(folder, experiment, made_with, _named(file))


def rerun(file: Path, backend: Backend, given: Sequence[Path] = ()) -> list[RunRow]:
    """Run the [[check]] experiments of an experiment file afresh and return their rows. given: as load takes it."""
    return fresh_rows(_short_runs(load(file, given)[1]), backend)


def _short_runs(checks: Iterable[Experiment]) -> list[Run]:
    return [run for check in checks for run in make_plan(check).runs]


def find_targets(results: Path = Path("results"), experiments: Path = Path("experiments")) -> list[Target]:
    """The results folders that have an experiment file of their name. Raises InputError where there is none."""
    found = [Target(results / file.stem, file) for file in sorted(experiments.glob("*.toml"))]
    if there := [target for target in found if (target.folder / MANIFEST).is_file()]:
        return there
    raise InputError(f"no folder in {results} has an experiment of its name in {experiments}; name a results folder")


def experiment_file(folder: Path) -> Path:
    """Where a results folder's experiment stands: under its name beside results, else in the folder itself."""
    place = folder.resolve()
    beside = place.parent.parent / "experiments" / f"{place.name}.toml"
    return beside if beside.is_file() else folder / EXPERIMENT


# ---- the folder, what it planned, and what is to be trained


def open_case(target: Target, draw: str | None = None, *, accepting: bool = False) -> Case:
    """Look through a folder's files and choose what to train. draw: what the sample is drawn with; None: runs.csv.

    accepting: do without the short runs' old numbers where they cannot be read, which else raises InputError.
    """
    folder = target.folder
    experiment, checks = load(target.file, target.given)
    absent = _absent((experiment, *checks))
    problems, outdated = verify_files(folder, target.file, target.given, absent), _other_file(target)
    short = _short_runs(_without(checks, absent))
    recorded = [
        row
        for row in (_recorded(folder / CHECK, accepting=accepting) if checks else [])
        if row.settings.dataset not in absent
    ]
    planned = {run.run_id for run in short}
    gone = [asked for row in recorded if (asked := row.settings).run_id not in planned]
    sampled = [] if problems else _sampled(folder, _without([experiment], absent), draw or sha256(folder / RUNS))
    missing = [Comparison(label_of(asked), MISSING, "no longer planned") for asked in gone]
    return Case(target, problems, outdated, missing, _befores(short, recorded, SHORT), sampled, absent)


def _absent(experiments: Iterable[Experiment]) -> tuple[str, ...]:
    """The real tables of some experiments whose files are not available."""
    names = dict.fromkeys(name for each in experiments for name in each.datasets if name in REAL_TABLES)
    return tuple(name for name in names if not _is_here(name))


def _is_here(name: str) -> bool:
    try:
        real_table(name)
    except AbsentDataError:
        return False
    return True


def _without(experiments: Iterable[Experiment], absent: Sequence[str]) -> list[Experiment]:
    """The experiments of the data sets that are here; those that have none are left out."""
    kept = ((each, [name for name in each.datasets if name not in absent]) for each in experiments)
    return [each.only(names) if len(names) < len(each.datasets) else each for each, names in kept if names]


def _recorded(path: Path, *, accepting: bool = False) -> list[RunRow]:
    try:
        return read_rows(path, RunRow)
    except InputError:
        if not accepting:
            raise
        return []


def _other_file(target: Target) -> list[str]:
    """Whether the experiment file is another one, though its settings may be the same."""
    if target.file == target.folder / EXPERIMENT:
        return []  # hashed as one of the folder's files
    named = read_manifest(target.folder).experiment_file
    if named is not None and named.sha256 == sha256(target.file):
        return []
    return [f"{target.file} is not, to the byte, the file that {target.folder / MANIFEST} names"]


def _befores(runs: Iterable[Run], recorded: Sequence[RunRow], tolerance: float) -> list[Before]:
    known = {row.settings.run_id: row for row in recorded}
    return [Before(run, known.get(run.run_id), tolerance) for run in runs]


def _sampled(folder: Path, experiments: Sequence[Experiment], draw: str) -> list[Before]:
    recorded = _recorded(folder / RUNS)
    there = {row.settings.run_id for row in recorded if row.outcome is not None}
    runs = [run for each in experiments for run in make_plan(each).runs if run.run_id in there]
    return _befores(sample(runs, draw), recorded, 0.0 if _made_here(folder) else FULL)


def sample(runs: Iterable[Run], draw: str) -> list[Run]:
    """One run of every arm and one of a reference model, by hash: of each data set one seed takes part, and of each
    arm's runs with these seeds the one of the least hash.
    """
    by_hash = sorted(runs, key=lambda run: (_hash(draw, run.recipe.key, run.seed), _hash(draw, run.run_id)))
    seeds: dict[object, int] = {}
    members = [run for run in by_hash if seeds.setdefault(run.recipe, run.seed) == run.seed]
    chosen: dict[object, Run] = {}
    for run in sorted(members, key=lambda run: _hash(draw, run.run_id)):
        chosen.setdefault("reference" if is_reference(run) else run.arm, run)
    return list(chosen.values())


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _made_here(folder: Path) -> bool:
    """Whether all runs were made with these versions on this kind of processor."""
    manifest = read_manifest(folder)
    return manifest.platform == machine() and manifest.versions == [json.loads(versions_text())]


def check_all(cases: Sequence[Case], backend: Backend) -> list[Report]:
    """Train what the cases name, all at once, and compare. Raises MachineError if a run fails."""
    train = partial(_train, backend=backend)
    now = train([run for case in cases for run in case.runs])
    compared = iter(compare_runs([group for case in cases for group in (case.short, case.sampled)], now, train))
    return [_report(case, next(compared), next(compared), now) for case in cases]


def _train(runs: Sequence[Run], backend: Backend) -> dict[str, RunRow]:
    rows = fresh_rows(list(dict.fromkeys(runs)), backend) if runs else []
    return {row.settings.run_id: row for row in rows}


def _report(case: Case, short: list[Comparison], sampled: list[Comparison], now: Mapping[str, RunRow]) -> Report:
    return Report(case, [*short, *case.gone], sampled, [now[before.run.run_id] for before in case.short])


# ---- the folder against itself


def verify_files(folder: Path, file: Path, given: Sequence[Path] = (), absent: Sequence[str] = ()) -> list[str]:
    """What is wrong with a results folder: hashes, experiment file, plan, and the table made again; [] if nothing.

    absent: data sets that are not available, whose runs cannot be planned.
    """
    manifest = read_manifest(folder)
    experiment, _ = load(file, given)
    problems = _wrong_hashes(folder, manifest.files)
    if _plain(Experiment()) | dict(manifest.experiment or {}) != _plain(experiment):  # which lacks what came after it
        problems.append(f"the settings in {folder / MANIFEST} are not those of {file}")
    if f"{folder / RUNS} {CHANGED}" in problems:
        return problems  # it may hold anything
    try:
        runs, table = read_rows(folder / RUNS, RunRow), read_rows(folder / TABLE, ArmRow)
        influences = read_influences(folder / INFLUENCES)
        written = {name: regular(folder / name).read_text(encoding="utf-8") for name in (MARKDOWN, LATEX)}
        again = compare(runs, influences, margin=experiment.margin, claims=experiment.claims)
        if not any(row.over for row in table):  # written before data sets were pooled
            again = [replace(row, over=None) for row in again]
        classes = per_class(runs, influences)
        by_class = read_rows(folder / CLASSES, ClassRow) if classes else []
    except (InputError, OSError, KeyError, ValueError) as error:
        return [*problems, f"{folder} cannot be read back: {error}"]
    planned = [run.run_id for each in _without([experiment], absent) for run in make_plan(each).runs]
    if [row.settings.run_id for row in runs if row.settings.dataset not in absent] != planned:
        problems.append(f"{folder / RUNS} does not hold the runs that {file} plans with this version")
    if manifest.data_sha256 != data_hashes(runs):
        problems.append(f"the data hashes in {folder / MANIFEST} are not those of {RUNS}")
    problems += _different_cells(table, again, str(folder / TABLE))
    problems += _different_cells(by_class, classes, str(folder / CLASSES))
    made = {MARKDOWN: markdown(again, classes), LATEX: latex(again, classes)}
    return problems + [f"{folder / name} is not what {RUNS} gives" for name in made if made[name] != written[name]]


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


def accept(target: Target, fresh: Sequence[RunRow]) -> None:
    """Record fresh short runs, what made them and the file that declares them: what is compared with from now on."""
    folder = target.folder
    write_texts(folder, {CHECK: rows_text(RunRow, fresh)})
    accepted = {"versions": versions(), "platform": machine()}
    manifest = replace(read_manifest(folder), accepted=accepted, experiment_file=_named(target.file))
    finish(folder, manifest, [CHECK])


def _named(file: Path) -> NamedFile:
    return NamedFile(file.name, sha256(file))
