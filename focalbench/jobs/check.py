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

from focalbench.analysis.run_rows import RunRow
from focalbench.base.files import sha256
from focalbench.base.provenance import machine, made_here, versions
from focalbench.base.rows import read_rows, rows_text
from focalbench.errors import InputError
from focalbench.execution.pools import Backend
from focalbench.jobs.agreement import MISSING, Before, Comparison, compare_runs, label_of, moved
from focalbench.jobs.sweep import fresh_rows
from focalbench.jobs.verify import absent_tables, planned_of, verify_files, without_tables
from focalbench.plan.experiment import MANIFEST, Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.toml import load
from focalbench.report.folder import (
    CHECK,
    EXPERIMENT,
    RUNS,
    write_manifest,
)
from focalbench.report.manifest import NamedFile, read_manifest
from focalbench.report.owned import finish, write_texts
from focalbench.runs.run import Run
from focalbench.training.references import is_reference, sees_features

SHORT = 1e-4  # what short runs may part by: they have few epochs
FULL = 5e-3  # what whole runs may part by on another processor: half a claim's margin; where they were made, nothing


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
    experiments, checks = planned_of(target.file, target.given), load(target.file, target.given)[1]
    absent = absent_tables((*experiments, *checks))
    problems, outdated = verify_files(folder, target.file, target.given, absent), _other_file(target)
    short = _short_runs(without_tables(checks, absent))
    recorded = [
        row
        for row in (_recorded(folder / CHECK, accepting=accepting) if checks else [])
        if row.settings.dataset not in absent
    ]
    planned = {run.run_id for run in short}
    gone = [asked for row in recorded if (asked := row.settings).run_id not in planned]
    sampled = [] if problems else _sampled(folder, without_tables(experiments, absent), draw or sha256(folder / RUNS))
    missing = [Comparison(label_of(asked), MISSING, "no longer planned") for asked in gone]
    return Case(target, problems, outdated, missing, _befores(short, recorded, SHORT), sampled, absent)


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
    """One run of every arm, for each way to train it, and one of each kind of reference, by hash: of each data set one
    seed takes part, and of each arm's runs with these seeds the one of the least hash.
    """
    by_hash = sorted(runs, key=lambda run: (_hash(draw, run.recipe.key, run.seed), _hash(draw, run.run_id)))
    seeds: dict[object, int] = {}
    members = [run for run in by_hash if seeds.setdefault(run.recipe, run.seed) == run.seed]
    chosen: dict[object, Run] = {}
    for run in sorted(members, key=lambda run: _hash(draw, run.run_id)):
        chosen.setdefault(_model(run) if is_reference(run) else (run.arm, replace(run.training, epochs=0)), run)
    return list(chosen.values())


def _model(run: Run) -> object:
    """Of a reference: scikit-learn's two are one kind."""
    return "reference" if sees_features(run.training.model) else ("reference", run.training.model)


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _made_here(folder: Path) -> bool:
    """Whether all runs were made with these versions on this kind of processor."""
    manifest = read_manifest(folder)
    made = manifest.versions or ()
    return manifest.platform == machine() and bool(made) and all(map(made_here, made))


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


def accept(target: Target, fresh: Sequence[RunRow]) -> None:
    """Record fresh short runs, what made them and the file that declares them: what is compared with from now on."""
    folder = target.folder
    write_texts(folder, {CHECK: rows_text(RunRow, fresh)})
    accepted = {"versions": versions(), "platform": machine()}
    manifest = replace(read_manifest(folder), accepted=accepted, experiment_file=_named(target.file))
    finish(folder, manifest, [CHECK])


def _named(file: Path) -> NamedFile:
    return NamedFile(file.name, sha256(file))
