"""The guard of reported numbers: a results folder against its own files, and against what this code makes now."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import cast

import numpy as np

from focalbench.comparison import TABLE_COLUMNS, compare
from focalbench.disk import regular, sha256
from focalbench.errors import InputError
from focalbench.experiment import CHECK_EPOCHS, MANIFEST, as_mapping, load
from focalbench.per_class import CLASS_COLUMNS, per_class
from focalbench.plan import make_plan
from focalbench.platforms import machine, versions
from focalbench.pools import Backend
from focalbench.records import METRICS, RUN_COLUMNS, Record, read_csv, to_csv
from focalbench.report.folder import (
    CHECK,
    CLASSES,
    LATEX,
    MARKDOWN,
    RUNS,
    TABLE,
    data_hashes,
    reported,
    write_manifest,
)
from focalbench.report.owned import finish_more, read_manifest, write_texts
from focalbench.report.tables import latex, markdown
from focalbench.sweep import fresh_records

# Another CPU rounds otherwise: validation curves were seen to part by less than 1e-4 through epoch 5, and test AP by
# 5e-6 after 8 epochs, but by up to 3e-3 after 20. So the short runs have at most 5 epochs and this tolerance.
TOLERANCE = 1e-4  # absolute below 1, relative above
OTHER_EPOCHS = 0.05  # share of runs that may choose another epoch, at the same validation AP, for a tie's sake
CHANGED = "was changed after it was made"
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
COUNTED = {"r_precision": "test_positives", "recall_at_fpr": "test_positives"}  # move in steps of one in so many
CHOSEN = ("val_average_precision",)  # what does not depend on which of two equal epochs was chosen
MEASURED = (
    *CHOSEN,
    "test_average_precision",
    "bayes_average_precision",
    *(f"{split}_average_precision_{budget}" for split in ("val", "test") for budget in ("quarter", "half")),
    *METRICS,
)


@dataclass(frozen=True)
class Comparison:
    """A run or an arm then and now. status: same, better, worse, missing or incomparable."""

    label: str
    status: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.status}: {self.label}" + (f" ({self.detail})" if self.detail else "")


def seal(folder: Path, file: Path, made_with: Iterable[str], backend: Backend, given: Sequence[Path] = ()) -> None:
    """Run the experiment file's short runs, keep their numbers beside the results, and write the manifest.

    made_with: the library versions of the results' runs, as write_manifest takes them.
    """
    experiment, checks = load(file, given)
    if checks:
        write_texts(folder, {CHECK: to_csv(RUN_COLUMNS, rerun(file, backend, given))})
    write_manifest(folder, experiment, made_with, {"experiment_file": {"name": file.name, "sha256": sha256(file)}})


def rerun(file: Path, backend: Backend, given: Sequence[Path] = ()) -> list[Record]:
    """Run the [[check]] experiments of an experiment file afresh and return their records. given: as load takes it."""
    _, checks = load(file, given)
    if not checks:
        raise InputError(f"{file} declares no [[check]]; add one with at most {CHECK_EPOCHS} epochs")
    return [row for check in checks for row in fresh_records(check, backend)]


# ---- (1) the folder against itself


def verify_files(folder: Path, file: Path, given: Sequence[Path] = ()) -> list[str]:
    """What is wrong with a results folder: hashes, experiment file, plan, and the table made again; [] if nothing."""
    manifest = read_manifest(folder)
    experiment, _ = load(file, given)
    problems = _wrong_hashes(folder, manifest.get("files", {}))
    if manifest.get("experiment_file", {}).get("sha256") != sha256(file):
        problems.append(f"{file} is not the experiment that {folder / MANIFEST} names")
    if manifest.get("experiment") != json.loads(json.dumps(as_mapping(experiment))):
        problems.append(f"the settings in {folder / MANIFEST} are not those of {file}")
    if f"{folder / RUNS} {CHANGED}" in problems:
        return problems  # it may hold anything
    try:
        records, table = read_csv(folder / RUNS, RUN_COLUMNS), read_csv(folder / TABLE, TABLE_COLUMNS)
        written = {name: regular(folder / name).read_text(encoding="utf-8") for name in (MARKDOWN, LATEX)}
        again, classes = compare(records, claims=experiment.claims), per_class(records)
        by_class = read_csv(folder / CLASSES, CLASS_COLUMNS) if classes else []
    except (InputError, OSError, KeyError, ValueError) as error:
        return [*problems, f"{folder} cannot be read back: {error}"]
    if [row["run_id"] for row in records] != [run.run_id for run in make_plan(experiment).runs]:
        problems.append(f"{folder / RUNS} does not hold the runs that {file} plans with this version")
    if manifest.get("data_sha256") != data_hashes(records):
        problems.append(f"the data hashes in {folder / MANIFEST} are not those of {RUNS}")
    problems += _different_cells(table, again, TABLE_COLUMNS, str(folder / TABLE))
    problems += _different_cells(by_class, classes, CLASS_COLUMNS, str(folder / CLASSES))
    made = {MARKDOWN: markdown(again, classes), LATEX: latex(again, classes)}
    return problems + [f"{folder / name} is not what {RUNS} gives" for name in made if made[name] != written[name]]


def _wrong_hashes(folder: Path, expected: dict[str, str]) -> list[str]:
    present = [name for name in {*expected, *reported(folder)} if (folder / name).is_file()]
    found = {name: sha256(folder / name) for name in present}
    problems = [f"{folder / name} is missing" for name in expected.keys() - found.keys()]
    problems += [f"{folder / name} is not in {MANIFEST}" for name in found.keys() - expected.keys()]
    changed = [name for name in expected.keys() & found.keys() if expected[name] != found[name]]
    return sorted(problems + [f"{folder / name} {CHANGED}" for name in changed])


def _different_cells(old: Sequence[Record], new: Sequence[Record], columns: Sequence[str], where: str) -> list[str]:
    if len(old) != len(new):
        return [f"{where} has {len(old)} rows, {RUNS} gives {len(new)}"]
    return [
        f"{where}, {before['arm']}, {name}: {before.get(name)} is not the {after[name]} that {RUNS} gives"
        for before, after in zip(old, new, strict=True)
        for name in columns
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
    compared += _compare_epochs(before, after)
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
    for name in MEASURED if old["epoch"] == new["epoch"] else CHOSEN:
        step = 1 / cast(int, new[COUNTED[name]]) if name in COUNTED else 0.0
        if (status := _status(old[name], new[name], step)) != "same":
            return Comparison(label, status, f"{name} {old[name]} -> {new[name]}")
    return Comparison(label, "same")


def _compare_epochs(before: Mapping[str, Record], after: Mapping[str, Record]) -> list[Comparison]:
    """Rounding may let a tie between epochs fall otherwise in a run or two; more is a change."""
    both = before.keys() & after.keys()
    other = [run_id for run_id in both if before[run_id]["epoch"] != after[run_id]["epoch"]]
    if len(other) <= max(1, OTHER_EPOCHS * len(both)):
        return []
    return [Comparison("chosen epochs", "incomparable", f"{len(other)} of {len(both)} runs chose another epoch")]


def _compare_arms(old: Sequence[Record], new: Sequence[Record]) -> list[Comparison]:
    """Every arm's mean over its runs, validation and test."""
    names = ("val_average_precision", "test_average_precision")

    def means(rows: Sequence[Record]) -> dict[tuple[str, str], float]:
        groups: dict[tuple[str, str], list[float]] = {}
        for row, name in product(rows, names):
            groups.setdefault((_arm(row), name), []).append(cast(float, row[name] or 0.0))
        return {key: float(np.mean(values)) for key, values in groups.items()}

    before, after = means(old), means(new)
    epochs = {row["run_id"]: row["epoch"] for row in old}
    other = {_arm(row) for row in new if row["epoch"] != epochs.get(row["run_id"], row["epoch"])}
    return [
        Comparison(f"mean {name} of {arm}", _status(before[arm, name], value, 0.0), f"{before[arm, name]} -> {value}")
        for (arm, name), value in after.items()
        if (arm, name) in before and not (name == names[1] and arm in other)
    ]


def _arm(row: Record) -> str:
    return f"{row['dataset']} noise={row['label_noise']} {row['arm']}"


def _status(old: object, new: object, step: float) -> str:
    """Same, better, worse, or incomparable where one of the two is not a number; step: the size of one count."""
    if old is None and new is None:
        return "same"
    if old is None or new is None:
        return "incomparable"
    before, after = cast(float, old), cast(float, new)
    if abs(after - before) <= step + TOLERANCE * max(1.0, abs(before)):
        return "same"
    return "better" if after > before else "worse"


def moved(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Those that are not the same."""
    return [comparison for comparison in comparisons if comparison.status != "same"]


def accept(folder: Path, fresh: Sequence[Record]) -> None:
    """Record fresh short runs, and what they were made with, as the ones to compare with from now on."""
    write_texts(folder, {CHECK: to_csv(RUN_COLUMNS, fresh)})
    finish_more(folder, [CHECK], {"accepted": {"versions": versions(), "platform": machine()}})
