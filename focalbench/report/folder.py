"""A results folder: every file of a finished plan, none of them ever half, the manifest last."""

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from focalbench.comparison import TABLE_COLUMNS, compare
from focalbench.disk import write_files
from focalbench.errors import InputError
from focalbench.experiment import MANIFEST as MANIFEST
from focalbench.experiment import Experiment, as_mapping, files_of, to_toml
from focalbench.per_class import CLASS_COLUMNS, per_class
from focalbench.platforms import machine
from focalbench.records import RUN_COLUMNS, Record, read_csv, to_csv
from focalbench.report.curves import CURVE_COLUMNS, curve_records
from focalbench.report.tables import csv_text, latex, markdown
from focalbench.report.words import LONGEST
from focalbench.store import Number, Result

DATABASE = "runs.sqlite"
OTHER_MACHINE = (  # as measured with one machine's other instructions
    "another processor or library rounds otherwise; runs were seen to part by up to 3e-3 in average precision after 20 "
    "epochs, means over seeds by far less"
)
PICTURES = ("gamma", "differences", "epochs", "classes")  # each with the name of its data set
RUNS, TIMINGS, CURVES, EXPERIMENT = "runs.csv", "timings.csv", "curves.csv", "experiment.toml"
TABLE, MARKDOWN, LATEX, CLASSES, CHECK = "table.csv", "table.md", "table.tex", "classes.csv", "check.csv"
WRITTEN = (RUNS, TIMINGS, CURVES, EXPERIMENT, TABLE, MARKDOWN, LATEX, CLASSES, CHECK, MANIFEST)
FIGURES = "figures"


def write_results(
    folder: Path, experiment: Experiment, records: Sequence[Record], result: Callable[[str], Result]
) -> tuple[list[Record], list[Record]]:
    """Write the files of a finished plan and return the table and its classes; write_manifest comes last.

    result: of a run_id, for what records leave out.
    """
    table, classes = compare(records, claims=experiment.claims), per_class(records)
    outdated = _pictures(folder) if _bytes(folder / TABLE) != csv_text(table).encode() else []
    run_ids = [str(row["run_id"]) for row in records]
    seconds: list[Record] = [{"run_id": run_id, "seconds": result(run_id).seconds} for run_id in run_ids]
    texts = {
        RUNS: to_csv(RUN_COLUMNS, records),
        TIMINGS: to_csv(("run_id", "seconds"), seconds),
        TABLE: csv_text(table),
        MARKDOWN: markdown(table, classes),
        LATEX: latex(table, classes),
        CURVES: to_csv(CURVE_COLUMNS, curve_records(records, result)),
        EXPERIMENT: to_toml(experiment),
    }
    write_files(folder, texts | ({CLASSES: to_csv(CLASS_COLUMNS, classes)} if classes else {}))
    for path in (*outdated, *([] if classes else [folder / CLASSES])):
        path.unlink(missing_ok=True)  # of another table
    return table, classes


def write_manifest(folder: Path, experiment: Experiment, made_with: Iterable[str], extra: Mapping[str, object]) -> None:
    """Write manifest.json: settings, versions, platform, data hashes and the hash of every file beside it.

    made_with: the library versions of the runs, JSON as the store keeps them; several where a store was resumed.
    """
    content = {
        "format": 1,
        "experiment": as_mapping(experiment),
        "versions": [json.loads(versions) for versions in sorted(made_with)],
        "platform": machine(),
        "same_numbers": _same_numbers(made_with),
        "data_sha256": data_hashes(read_csv(folder / RUNS, RUN_COLUMNS)),
        "files": {path.relative_to(folder).as_posix(): sha256(path) for path in own_files(folder)},
        **_data_files(experiment),
        **extra,
    }
    write_files(folder, {MANIFEST: json.dumps(content, indent=1) + "\n"})


def _data_files(experiment: Experiment) -> dict[str, dict[str, str]]:
    """The hashes of the user's own files, by which experiment.toml finds them again."""
    hashes = {name: sha256(path) for name, path in files_of(experiment).items() if path.is_file()}
    return {"file_sha256": hashes} if hashes else {}


def _same_numbers(made_with: Iterable[str]) -> str:
    """Where the numbers of a folder can be had again, bit for bit or nearly."""
    kinds = {(content.pop("cpu", None), json.dumps(content)) for content in map(json.loads, made_with)}
    processors = {cpu for cpu, _ in kinds}
    if len(kinds) == 1 and None not in processors:
        return f"to the bit with these versions on a processor with {min(processors)}, whatever trains them"
    what = "versions and processors differ from run to run, or" if len(kinds) > 1 else "the processor"
    return f"{what} was not recorded: {OTHER_MACHINE}"


def data_hashes(records: Iterable[Record]) -> list[dict[str, Number]]:
    """The hash of every data set, rate and seed that runs were trained on."""
    columns = ("dataset", "positive_rate", "label_noise", "seed", "data_sha256")
    distinct = dict.fromkeys(tuple(row[name] for name in columns) for row in records)
    return [dict(zip(columns, values, strict=True)) for values in distinct]


def own_files(folder: Path) -> list[Path]:
    """The files of a results folder that its manifest names: all that is reported, timings left out."""
    reported = (folder / name for name in WRITTEN if name not in (TIMINGS, MANIFEST))
    return sorted([path for path in reported if path.is_file()] + _pictures(folder))


def _pictures(folder: Path) -> list[Path]:
    """The pictures of a folder's table."""
    try:
        names = {picture_name(row) for row in read_csv(folder / TABLE, TABLE_COLUMNS)}
    except InputError:  # there is none
        return []
    files = (f"{kind}_{name}.{ending}" for kind in PICTURES for name in names for ending in ("png", "svg"))
    return [path for path in (folder / FIGURES / file for file in files) if path.is_file()]


def picture_name(row: Record) -> str:
    """What the files of pictures are named after: the data set, rate and noise of a row of the table."""
    rate = "natural" if row["positive_rate"] is None else f"{row['positive_rate']:g}"
    noise = f"_noise{row['label_noise']:g}" if row["label_noise"] else ""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{row['dataset']}_{rate}{noise}")
    whole = len(name) <= LONGEST  # file systems end at 255 bytes
    return name if whole else f"{name[:LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a results folder. Raises InputError where there is none."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{folder} holds no readable {MANIFEST} ({error}); run the experiment first") from None
    parts = [content.get(name, {}) for name in ("files", "experiment_file")] if isinstance(content, dict) else [None]
    if not all(isinstance(part, dict) for part in parts) or content.get("format") != 1:
        raise InputError(f"{folder / MANIFEST} is of another version; run the experiment again")
    return cast(dict[str, Any], content)


def check_unchanged(folder: Path, names: Iterable[str]) -> None:
    """Raise InputError where one of these files is not, to the byte, the one that the manifest names."""
    expected = read_manifest(folder).get("files", {})
    for name in names:
        if (sha256(folder / name) if (folder / name).is_file() else None) != expected.get(name):
            raise InputError(f"{folder / name} is not the file that {MANIFEST} names; run the experiment again")


def sha256(path: Path) -> str:
    """Hash of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def make_results_folder(folder: Path) -> None:
    """Create a results folder. Raises InputError where it cannot be written to, or holds files that are not this
    tool's by names that this tool writes to.
    """
    try:
        foreign = [] if _is_ours(folder) else [name for name in WRITTEN if (folder / name).exists()]
    except OSError as error:
        raise _cannot_write(folder, error) from None
    if foreign:
        raise InputError(f"{folder} holds a {foreign[0]} that is not this tool's; choose another --out")
    make_folder(folder)


def _is_ours(folder: Path) -> bool:
    """Whether a sweep has written here: a store is the first of its files, unless --store names another."""
    try:
        return (folder / DATABASE).exists() or _begins_as_ours(folder / RUNS) or "experiment" in read_manifest(folder)
    except InputError:
        return False


def _begins_as_ours(runs: Path) -> bool:
    head = ",".join(RUN_COLUMNS[:3]).encode()
    return runs.is_file() and runs.read_bytes()[: len(head)] == head


def make_folder(folder: Path) -> None:
    """Create a folder. Raises InputError where it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _cannot_write(folder, error) from None


def _cannot_write(folder: Path, error: OSError) -> InputError:
    return InputError(f"cannot write to {folder} ({error.strerror}); choose another --out")
