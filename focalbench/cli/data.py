"""Which of the options that describe a file go with which data."""

from __future__ import annotations

from typing import Any

import typer

from focalbench.cli.messages import printable
from focalbench.errors import InputError

OF_A_FILE = ("target", "labels", "positive", "drop", "category", "drop_duplicates", "group", "time", "weight")


def check_table_options(dataset: str, options: dict[str, Any]) -> None:
    """An option that the data set does not use is an error, and a file needs its target."""
    from focalbench.datasets.files.fetched import is_fetched
    from focalbench.datasets.files.file import exists
    from focalbench.datasets.synthetic.families import is_synthetic
    from focalbench.datasets.tables.installed import REAL_TABLES

    given = ["--" + {"labels": "label"}.get(name, name).replace("_", "-") for name, value in options.items() if value]
    if is_synthetic(dataset) or dataset in REAL_TABLES:
        if dataset in REAL_TABLES and options["drop_duplicates"]:
            given.remove("--drop-duplicates")
        if given:
            raise InputError(f"{', '.join(given)}: used with a file only, and the data are {dataset}")
    elif is_fetched(dataset):
        if dataset.partition(":")[0] != "sklearn":
            typer.echo(printable(f"{dataset}: from its library's cache, or the network"), err=True)
    elif not (options["target"] or options["labels"]) and exists(
        dataset
    ):  # what is no file is told apart where it is resolved
        wanted = "--target, the name of the column to predict"
        raise InputError(f"{dataset} needs {wanted} (with --task multilabel: --label for each)")
