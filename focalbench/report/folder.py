"""A results folder: every file of a finished plan, none of them ever half, the manifest last."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from focalbench.analysis.claim_rows import ClaimRow
from focalbench.analysis.comparison import compare
from focalbench.analysis.per_class import per_class
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow
from focalbench.base.files import sha256
from focalbench.base.provenance import machine
from focalbench.base.rows import Value, read_rows, rows_text
from focalbench.datasets.tables.table import ColumnReading
from focalbench.errors import InputError
from focalbench.execution.store import BESIDE
from focalbench.plan.experiment import MANIFEST, Experiment, as_mapping
from focalbench.plan.planning import Plan
from focalbench.plan.toml import files_of, to_toml
from focalbench.report.curves import CurvePoint, curve_points
from focalbench.report.influences import influences_text
from focalbench.report.manifest import FORMAT, Manifest, NamedFile, read_manifest
from focalbench.report.owned import (
    FIGURES,
    FORMATS,
    SCORES,
    TIMINGS,
    USUAL_FORMATS,
    finish,
    owned,
    remove_own,
    write_texts,
)
from focalbench.report.tables import latex, markdown
from focalbench.report.words import LONGEST
from focalbench.runs.result import Result
from focalbench.runs.run import Cell

DATABASE = "runs.sqlite"
STORE = (DATABASE, *(DATABASE + ending for ending in BESIDE))
OTHER_MACHINE = (  # as measured with one machine's other instructions
    "another processor or library rounds otherwise: of 221 whole runs trained again on another one, seven in eight "
    "agreed to .001 in average precision, and one parted by .23; means over seeds part by far less"
)
PICTURES = (  # each with the name of its data set
    *("gamma", "differences", "epochs", "classes"),
    *("precision_recall", "net_benefit", "reliability", "heat_map"),
)
RATES = "rates"  # of a data set at several rates, with its name
FOREST = "forest"  # of all data sets
NAMES = (*PICTURES, RATES, FOREST)  # of figures, as they are asked for
CLAIM, BY_EPOCHS = "claim", "claims_by_epochs"  # of one, with its id; of those that are taken after several epochs
_NAMED = "|".join((*PICTURES, RATES, CLAIM))
PICTURE = re.compile(rf"{FIGURES}/(({_NAMED})_[A-Za-z0-9._-]+|{FOREST}|{BY_EPOCHS})\.({'|'.join(FORMATS)})")
RUNS, INFLUENCES, CURVES, EXPERIMENT = "runs.csv", "influences.csv", "curves.csv", "experiment.toml"
TABLE, MARKDOWN, LATEX, CLASSES, CHECK = "table.csv", "table.md", "table.tex", "classes.csv", "check.csv"
COLUMNS = "columns.csv"  # how those of a file were read
ADVICE = "advice.md"
CLAIMS, POINTS, CLAIMS_PAGE, LOSS_CURVES = "claims.csv", "claim_points.csv", "claims.md", "loss_curves.csv"
WRITTEN = (
    *(RUNS, INFLUENCES, TIMINGS, CURVES, EXPERIMENT, TABLE, MARKDOWN, LATEX, CLASSES, COLUMNS),
    *(CLAIMS, POINTS, CLAIMS_PAGE, LOSS_CURVES, CHECK, ADVICE, MANIFEST),
)


@dataclass(frozen=True, slots=True)
class Timing:
    """A row of timings.csv: a run's share of the seconds of its stack; 0 of one that failed."""

    run_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """A row of columns.csv."""

    dataset: str
    reading: ColumnReading


def write_results(
    folder: Path, experiment: Experiment, plan: Plan, runs: Sequence[RunRow], result: Callable[[str], Result]
) -> tuple[list[ArmRow], list[ClassRow]]:
    """Write the files of a finished plan and return the table and its classes; write_manifest comes last.

    result: of the run_id of one that did not fail, for what its row leaves out.
    """

    def influences(run_id: str) -> tuple[tuple[float, ...], ...]:
        return result(run_id).influences

    table = compare(runs, influences, margin=experiment.margin, smoke_test=experiment.smoke_test)
    classes, text = per_class(runs, influences), rows_text(ArmRow, table)
    made_before = hashlib.sha256(text.encode()).hexdigest() == _named_hash(folder, TABLE)
    timings = [Timing(row.settings.run_id, _seconds(row, result)) for row in runs]
    texts = {
        RUNS: rows_text(RunRow, runs),
        TIMINGS: rows_text(Timing, timings),
        TABLE: text,
        MARKDOWN: markdown(table, classes),
        LATEX: latex(table, classes),
        CURVES: rows_text(CurvePoint, curve_points(runs, result)),
        EXPERIMENT: to_toml(experiment),
    }
    if classes:
        texts[CLASSES] = rows_text(ClassRow, classes)
    if (sums := influences_text(runs, result)) is not None:
        texts[INFLUENCES] = sums
    if plan.columns:
        texts[COLUMNS] = rows_text(ReadColumn, (ReadColumn(*read) for read in plan.columns))
    write_texts(folder, texts)
    outdated = [] if made_before else list(filter(PICTURE.fullmatch, owned(folder)))  # of another table
    outdated += [name for name in owned(folder) if name.startswith(f"{SCORES}/")]
    remove_own(folder, [*outdated, ADVICE, *(name for name in (CLASSES, COLUMNS, INFLUENCES) if name not in texts)])
    with suppress(OSError):  # it holds others' files, or is not there
        (folder / SCORES).rmdir()
    return table, classes


def _seconds(row: RunRow, result: Callable[[str], Result]) -> float:
    return 0.0 if row.outcome is None else result(row.settings.run_id).seconds


def _named_hash(folder: Path, name: str) -> object:
    """The hash of a file of a finished table, as the manifest names it."""
    return read_manifest(folder).files.get(name) if (folder / MANIFEST).exists() else None


def write_manifest(folder: Path, experiment: Experiment, made_with: Iterable[str], file: NamedFile | None) -> None:
    """Write manifest.json: settings, versions, platform, data hashes and the hash of every file beside it.

    made_with: the library versions of the runs, JSON as the store keeps them; several where a store was resumed. file:
    the experiment file, if there was one.
    """
    manifest = Manifest(
        FORMAT,
        experiment=as_mapping(experiment),
        versions=[json.loads(versions) for versions in sorted(made_with)],
        platform=machine(),
        same_numbers=_same_numbers(made_with),
        data_sha256=data_hashes(read_rows(folder / RUNS, RunRow)),
        file_sha256=_data_files(experiment),
        experiment_file=file,
    )
    finish(folder, manifest, [name for name in reported(folder) if name in owned(folder)])


def _data_files(experiment: Experiment) -> dict[str, str] | None:
    """The hashes of the user's own files, by which experiment.toml finds them again."""
    return {name: sha256(path) for name, path in files_of(experiment).items() if path.is_file()} or None


def _same_numbers(made_with: Iterable[str]) -> str:
    """Where the numbers of a folder can be had again, bit for bit or nearly."""
    kinds = {(content.pop("cpu", None), json.dumps(content)) for content in map(json.loads, made_with)}
    processors = {cpu for cpu, _ in kinds}
    if len(kinds) == 1 and None not in processors:
        return f"to the bit with these versions on the processor {min(processors)}, whatever trains them"
    what = "versions and processors differ from run to run, or" if len(kinds) > 1 else "the processor"
    return f"{what} was not recorded: {OTHER_MACHINE}"


def data_hashes(runs: Iterable[RunRow]) -> list[dict[str, Value]]:
    """The hash of every data set, rate and seed that runs were trained on; None where all failed."""
    distinct = dict.fromkeys(map(_data, runs))
    names = ("dataset", "positive_rate", "label_noise", "seed", "data_sha256")
    return [dict(zip(names, values, strict=True)) for values in distinct]


def _data(row: RunRow) -> tuple[Value, ...]:
    sha256 = None if row.outcome is None else row.outcome.data_sha256
    return *row.settings.cell, row.settings.seed, sha256


def reported(folder: Path) -> list[str]:
    """The names of the files of a results folder that its manifest should name: all that is reported."""
    names = [*(name for name in WRITTEN if name not in (TIMINGS, MANIFEST)), *_pictures_of_table(folder)]
    return [name for name in names if (folder / name).is_file()]


def _pictures_of_table(folder: Path) -> list[str]:
    if (folder / CLAIMS).is_file():
        return claim_pictures((row.claim for row in read_rows(folder / CLAIMS, ClaimRow)), FORMATS)
    try:
        return picture_files((row.cell for row in read_rows(folder / TABLE, ArmRow)), FORMATS)
    except InputError:  # there is none
        return []


def picture_files(
    cells: Iterable[Cell], formats: Sequence[str] = USUAL_FORMATS, kinds: Collection[str] = NAMES
) -> list[str]:
    """The names in a results folder of the pictures of these data sets. kinds: of NAMES."""
    every = list(cells)
    names = dict.fromkeys(picture_name(*cell) for cell in every)
    drawn = [f"{kind}_{name}" for kind in PICTURES if kind in kinds for name in names]
    if RATES in kinds:
        drawn += dict.fromkeys(rates_picture(cell.dataset, cell.label_noise) for cell in every)
    drawn += [FOREST] if FOREST in kinds else []
    return [f"{FIGURES}/{name}.{end}" for name in drawn for end in formats]


def claim_picture(claim: str) -> str:
    """What the files of a claim's picture are called, without their endings."""
    return f"{CLAIM}_{re.sub(r'[^A-Za-z0-9._-]+', '-', claim)[:LONGEST]}"


def claim_pictures(claims: Iterable[str], formats: Sequence[str] = USUAL_FORMATS) -> list[str]:
    """The names in a results folder of the pictures of these claims."""
    names = [*(claim_picture(claim) for claim in dict.fromkeys(claims)), BY_EPOCHS]
    return [f"{FIGURES}/{name}.{end}" for name in names for end in formats]


def to_write(*, store: bool) -> list[str]:
    """The names of all that a plan's results may become in a folder, its store among them or not."""
    results = [name for name in WRITTEN if name != MANIFEST]
    return [*results, *(STORE if store else ())]


def pictures_of(plan: Plan) -> list[str]:
    """The names of the pictures of a plan's results."""
    return sorted(picture_files({run.recipe.cell for run in plan.runs}))


def picture_name(dataset: str, positive_rate: float | None, label_noise: float) -> str:
    """What the files of a data set's pictures are named after."""
    rate = "natural" if positive_rate is None else f"{positive_rate:g}"
    return _as_file(f"{dataset}_{rate}{_of_noise(label_noise)}")


def rates_picture(dataset: str, label_noise: float) -> str:
    """What the files of a data set's picture over its rates are called, without their endings."""
    return f"{RATES}_{_as_file(dataset + _of_noise(label_noise))}"


def _of_noise(label_noise: float) -> str:
    return f"_noise{label_noise:g}" if label_noise else ""


def _as_file(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text)
    whole = len(name) <= LONGEST  # file systems end at 255 bytes
    return name if whole else f"{name[:LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def check_unchanged(folder: Path, names: Iterable[str]) -> None:
    """Raise InputError where one of these files is not, to the byte, the one that the manifest names."""
    expected = read_manifest(folder).files
    for name in names:
        if (sha256(folder / name) if (folder / name).is_file() else None) != expected.get(name):
            raise InputError(f"{folder / name} is not the file that {MANIFEST} names; run the experiment again")
