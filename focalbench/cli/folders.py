"""Which results folder is meant where none is named."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from focalbench.cli.messages import printable
from focalbench.errors import InputError

RESULTS = Path("results")


def folder_of(dataset: str) -> Path:
    """Where a sweep of a data set writes: results/fraud for data/fraud.csv.gz. Raises InputError where other results
    lie there.
    """
    folder = RESULTS / _name(dataset)
    others = _others(folder, dataset) if folder.is_dir() else ""
    if others:
        raise InputError(f"{folder} holds results of {others}, not of {dataset}; choose another folder with --out")
    return folder


def _name(dataset: str) -> str:
    from focalbench.datasets.files.file import SUFFIXES
    from focalbench.datasets.synthetic.families import canonical, is_synthetic

    name = canonical(dataset) if is_synthetic(dataset) else Path(dataset).name
    while Path(name).suffix.lower() in SUFFIXES:
        name = Path(name).stem
    return re.sub(r"[^\w.=-]+", "-", name).strip("-.") or "data"


def _others(folder: Path, dataset: str) -> str:
    """What the results of a folder were made from, unless that is a sweep of this data set, or nothing is there."""
    from focalbench.report.manifest import read_manifest

    try:
        manifest = read_manifest(folder)
        names = list(map(str, (manifest.experiment or {})["datasets"]))
    except (InputError, LookupError, TypeError):
        return ""
    if manifest.experiment_file is not None:
        return str(manifest.experiment_file.name)
    return "" if [_place(name) for name in names] == [_place(dataset)] else " and ".join(names)


def _place(dataset: str) -> str | Path:
    """One name for one data set, however it was typed."""
    from focalbench.datasets.synthetic.families import canonical, is_synthetic

    return canonical(dataset) if is_synthetic(dataset) else Path(dataset).absolute()


def repeat_of(file: Path) -> Path:
    """Where an experiment file's results go: results/NAME; for the file of a results folder, beside that folder's name,
    because they may not be the same.
    """
    from focalbench.plan.experiment import MANIFEST

    if file.stem == "..":
        raise InputError(f"{file} gives its results no name; choose an --out")
    made_here = (file.parent / MANIFEST).is_file()
    return RESULTS / (f"{file.resolve().parent.name}-again" if made_here else file.stem)


def latest() -> Path:
    """The results folder that was written last; says which. Raises InputError where there is none."""
    from focalbench.plan.experiment import MANIFEST
    from focalbench.report.folder import TABLE

    finished = (path for path in RESULTS.glob(f"*/{TABLE}") if (path.parent / MANIFEST).is_file())
    tables = sorted(finished, key=lambda path: path.stat().st_mtime)
    if not tables:
        raise InputError(f"there is no results folder in {RESULTS}; name one, or run focalbench sweep first")
    folder = tables[-1].parent
    typer.echo(f"{printable(str(folder))}: the latest of {len(tables)} in {RESULTS}", err=True)
    return folder
