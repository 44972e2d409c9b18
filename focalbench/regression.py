"""The guard of reported numbers: a results folder against its own files, and against what this code makes now."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from focalbench.comparison import TABLE_COLUMNS, compare
from focalbench.errors import InputError
from focalbench.experiment import Experiment, load
from focalbench.plan import make_plan
from focalbench.records import RUN_COLUMNS, Record, read_csv, to_csv
from focalbench.report.folder import (
    CHECK,
    MANIFEST,
    RUNS,
    TABLE,
    own_files,
    read_manifest,
    sha256,
    write_files,
    write_manifest,
)
from focalbench.report.tables import markdown
from focalbench.sweep import fresh_records

# Another CPU rounds otherwise: validation curves were seen to part by less than 1e-4 through epoch 5, and test AP by
# 5e-6 after 8 epochs, but by up to 3e-3 after 20. So the short runs have at most 5 epochs and this tolerance.
TOLERANCE = 1e-4
MAX_EPOCHS = 5
RECOMPUTED = 1e-9  # the table from runs.csv: the same to the rounding of a sum
EXACT = (
    "train_rows",
    "train_positives",
    "val_rows",
    "val_positives",
    "test_rows",
    "test_positives",
    "status",
)
MEASURED = ("val_average_precision", "test_average_precision", "noisy_test_average_precision")


@dataclass(frozen=True)
class Comparison:
    """A run or an arm then and now. status: same, better, worse, missing or incomparable."""

    label: str
    status: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.status}: {self.label}" + (f" ({self.detail})" if self.detail else "")


def seal(folder: Path, file: Path, workers: int) -> None:
    """Run the experiment file's short runs, keep their numbers beside the results, and write the manifest."""
    experiment, _ = load(file)
    write_files(folder, {CHECK: to_csv(RUN_COLUMNS, rerun(file, workers))})
    _write_manifest(folder, file, experiment)


def _write_manifest(folder: Path, file: Path, experiment: Experiment) -> None:
    write_manifest(folder, experiment, {"experiment_file": {"name": file.name, "sha256": sha256(file)}})


def rerun(file: Path, workers: int) -> list[Record]:
    """Run the [[check]] experiments of an experiment file afresh and return their records."""
    _, checks = load(file)
    if not checks:
        raise InputError(f"{file} declares no [[check]]; add one with at most {MAX_EPOCHS} epochs")
    longest = max(check.epochs for check in checks)
    if longest > MAX_EPOCHS:
        raise InputError(f"{file}: a [[check]] may have at most {MAX_EPOCHS} epochs, got {longest}")
    return [row for check in checks for row in fresh_records(check, workers)]


# ---- (1) the folder against itself


def verify_files(folder: Path, file: Path) -> list[str]:
    """What is wrong with a results folder: hashes, experiment file, plan, and the table made again; [] if nothing."""
    manifest = read_manifest(folder)
    experiment, _ = load(file)
    problems = _wrong_hashes(folder, cast(dict[str, str], manifest.get("files", {})))
    if cast(dict[str, Any], manifest.get("experiment_file", {})).get("sha256") != sha256(file):
        problems.append(f"{file} is not the experiment that {folder / MANIFEST} names")
    records = read_csv(folder / RUNS)
    if [row["run_id"] for row in records] != [run.run_id for run in make_plan(experiment).runs]:
        problems.append(f"{folder / RUNS} does not hold the runs that {file} plans with this version")
    table = compare(records)
    problems += _different_cells(read_csv(folder / TABLE), table, str(folder / TABLE))
    if (folder / "table.md").read_text(encoding="utf-8") != markdown(table):
        problems.append(f"{folder / 'table.md'} is not what {RUNS} gives")
    return problems


def _wrong_hashes(folder: Path, expected: dict[str, str]) -> list[str]:
    found = {path.relative_to(folder).as_posix(): sha256(path) for path in own_files(folder)}
    problems = [f"{folder / name} is missing" for name in expected.keys() - found.keys()]
    problems += [f"{folder / name} is not in {MANIFEST}" for name in found.keys() - expected.keys()]
    changed = [name for name in expected.keys() & found.keys() if expected[name] != found[name]]
    return sorted(problems + [f"{folder / name} was changed after it was made" for name in changed])


def _different_cells(old: Sequence[Record], new: Sequence[Record], where: str) -> list[str]:
    if len(old) != len(new):
        return [f"{where} has {len(old)} rows, {RUNS} gives {len(new)}"]
    return [
        f"{where}, {before['arm']}, {name}: {before.get(name)} is not the {after[name]} that {RUNS} gives"
        for before, after in zip(old, new, strict=True)
        for name in TABLE_COLUMNS
        if not _equal(before.get(name), after[name])
    ]


def _equal(before: object, after: object) -> bool:
    if isinstance(before, (int, float)) and isinstance(after, (int, float)):
        return bool(np.isclose(before, after, rtol=RECOMPUTED, atol=RECOMPUTED))
    return before == after


# ---- (2) then and now


def compare_runs(old: Sequence[Record], new: Sequence[Record]) -> list[Comparison]:
    """Every short run then and now, in the new order, then every arm's mean; runs that are gone come last."""
    before, after = ({str(row["run_id"]): row for row in rows} for rows in (old, new))
    compared = [_compare_run(before.get(run_id), row) for run_id, row in after.items()]
    gone = [
        Comparison(_label(row), "missing", "no longer planned") for run_id, row in before.items() if run_id not in after
    ]
    return [*compared, *gone, *_compare_arms(old, new)]


def _label(row: Record) -> str:
    noise = f" noise={row['label_noise']}" if row["label_noise"] else ""
    return f"{row['dataset']}{noise} {row['arm']} lr={row['lr']} seed={row['seed']} restart={row['restart']}"


def _compare_run(old: Record | None, new: Record) -> Comparison:
    label = _label(new)
    if old is None:
        return Comparison(label, "missing", f"not among those of {CHECK}")
    for name in EXACT:
        if old[name] != new[name]:
            return Comparison(label, "incomparable", f"{name} was {old[name]}, is {new[name]}")
    names = MEASURED if old["epoch"] == new["epoch"] else MEASURED[:1]  # a tie between epochs may fall otherwise
    return _compare_values(label, [(name, old[name], new[name]) for name in names])


def _compare_arms(old: Sequence[Record], new: Sequence[Record]) -> list[Comparison]:
    def means(rows: Sequence[Record]) -> dict[str, float]:
        groups: dict[str, list[float]] = {}
        for row in rows:
            label = f"mean of {row['dataset']} noise={row['label_noise']} {row['arm']}"
            groups.setdefault(label, []).append(cast(float, row["val_average_precision"] or 0.0))
        return {label: float(np.mean(values)) for label, values in groups.items()}

    before, after = means(old), means(new)
    return [
        _compare_values(label, [("val_average_precision", before[label], value)])
        for label, value in after.items()
        if label in before
    ]


def _compare_values(label: str, values: Sequence[tuple[str, object, object]]) -> Comparison:
    for name, old, new in values:
        if old is None and new is None:
            continue
        if old is None or new is None:
            return Comparison(label, "incomparable", f"{name} was {old}, is {new}")
        change = cast(float, new) - cast(float, old)
        if abs(change) > TOLERANCE:
            status = "better" if change > 0 else "worse"
            return Comparison(label, status, f"{name} {old:.6f} -> {new:.6f}")
    return Comparison(label, "same")


def moved(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Those that are not the same."""
    return [comparison for comparison in comparisons if comparison.status != "same"]


def accept(folder: Path, fresh: Sequence[Record]) -> None:
    """Record fresh short runs as the ones to compare with from now on."""
    write_files(folder, {CHECK: to_csv(RUN_COLUMNS, fresh)})
    manifest = read_manifest(folder)
    files = cast(dict[str, str], manifest["files"]) | {CHECK: sha256(folder / CHECK)}
    write_files(folder, {MANIFEST: json.dumps(manifest | {"files": files}, indent=1) + "\n"})
