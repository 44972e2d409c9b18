"""A results folder: every file of a finished plan, each written beside and renamed, so that none is ever half."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from focalbench.comparison import compare
from focalbench.errors import InputError
from focalbench.experiment import Experiment, to_toml
from focalbench.platforms import machine, versions
from focalbench.records import RUN_COLUMNS, Record, read_csv, to_csv
from focalbench.report.curves import CURVE_COLUMNS, curve_records
from focalbench.report.tables import csv_text, latex, markdown
from focalbench.store import Result

DATABASE = "runs.sqlite"
MANIFEST = "manifest.json"
RUNS, TABLE, CHECK = "runs.csv", "table.csv", "check.csv"


def write_results(
    folder: Path, experiment: Experiment, records: Sequence[Record], results: Sequence[Result]
) -> list[Record]:
    """Write the files of a finished plan and return the table; write_manifest comes last."""
    table = compare(records)
    seconds: list[Record] = [{"run_id": result.run_id, "seconds": result.seconds} for result in results]
    write_files(
        folder,
        {
            RUNS: to_csv(RUN_COLUMNS, records),
            "timings.csv": to_csv(("run_id", "seconds"), seconds),
            TABLE: csv_text(table),
            "table.md": markdown(table),
            "table.tex": latex(table),
            "curves.csv": to_csv(CURVE_COLUMNS, curve_records(records, results)),
            "experiment.toml": to_toml(experiment),
        },
    )
    return table


def write_manifest(folder: Path, experiment: Experiment, extra: Mapping[str, object]) -> None:
    """Write manifest.json: settings, versions, platform, data hashes and the hash of every file beside it."""
    records = read_csv(folder / RUNS)
    data = sorted({(str(r["dataset"]), int(str(r["seed"])), str(r["data_sha256"])) for r in records})
    content = {
        "format": 1,
        "experiment": asdict(experiment),
        "versions": versions(),
        "platform": machine(),
        "data_sha256": [{"dataset": name, "seed": seed, "sha256": digest} for name, seed, digest in data],
        "files": {path.relative_to(folder).as_posix(): sha256(path) for path in own_files(folder)},
        **extra,
    }
    write_files(folder, {MANIFEST: json.dumps(content, indent=1) + "\n"})


def own_files(folder: Path) -> list[Path]:
    """The files of a results folder that its manifest names: all that is reported, timings left out."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix in (".csv", ".md", ".tex", ".toml", ".png", ".svg")
        and path.name != "timings.csv"
    ]


def read_manifest(folder: Path) -> dict[str, object]:
    """The manifest of a results folder. Raises InputError where there is none."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no readable {MANIFEST} ({error}); run the experiment first") from None
    if not isinstance(content, dict) or content.get("format") != 1:
        raise InputError(f"{folder / MANIFEST} is of another version; run the experiment again")
    return content


def sha256(path: Path) -> str:
    """Hash of a file's bytes, 64 hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_folder(folder: Path) -> None:
    """Create a results folder. Raises InputError where it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"cannot write to {folder} ({error.strerror}); choose another --out") from None


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write text files, each beside its final place and then renamed."""
    for name, text in texts.items():
        part = folder / f".{name}.part"
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(folder / name)
