"""The options that say which column of a file plays which part: one for each field of Columns."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Annotated, Any

import typer

from focalbench.cli.about import ABOUT
from focalbench.cli.messages import option_name, parameter, printable
from focalbench.cli.options import DATA, flag, repeatable, setting
from focalbench.errors import InputError
from focalbench.runs.columns import COLUMN_KEYS, Columns

METAVARS = {"positive": "VALUE"}  # of those that name no column


def column_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command with an option for each field of Columns in the place of its parameter `columns`."""

    @wraps(command)
    def run(**given: Any) -> None:  # Typer hands over what the signature below names
        said: dict[str, Any] = {key: given.pop(parameter(key)) for key in COLUMN_KEYS}
        lists = {key: tuple(value) for key, value in said.items() if isinstance(value, list)}
        command(columns=Columns(**said | lists), **given)

    own = inspect.signature(command, eval_str=True)
    parameters = [
        each
        for parameter in own.parameters.values()
        for each in (_options() if parameter.name == "columns" else [parameter])
    ]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _options() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            parameter(each.name),
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=[] if each.default == () else each.default,
            annotation=_annotation(each.name, each.default),
        )
        for each in fields(Columns)
    ]


def _annotation(key: str, default: object) -> Any:
    if default is False:
        return Annotated[bool, flag(option_name(key), ABOUT[key], DATA)]
    metavar = METAVARS.get(key, "COL")
    if default == ():
        return Annotated[list[str], repeatable(key, DATA, metavar)]
    return Annotated[str | None, setting(key, DATA, metavar)]


def check_columns(dataset: str, columns: Columns) -> None:
    """An option that the data set does not use is an error, and a file needs its target."""
    from focalbench.datasets.files.fetched import is_fetched
    from focalbench.datasets.files.file import exists
    from focalbench.datasets.synthetic.families import is_synthetic
    from focalbench.datasets.tables.real import REAL_TABLES

    given = [key for key in COLUMN_KEYS if getattr(columns, key)]
    if is_synthetic(dataset) or dataset in REAL_TABLES:
        unused = [key for key in given if not (dataset in REAL_TABLES and key == "drop_duplicates")]
        if unused:
            options = ", ".join(map(option_name, unused))
            raise InputError(f"{options}: used with a file only, and the data are {dataset}")
    elif is_fetched(dataset):
        if dataset.partition(":")[0] != "sklearn":
            typer.echo(printable(f"{dataset}: from its library's cache, or the network"), err=True)
    elif not columns.predicted and exists(dataset):  # what is no file is told apart where it is resolved
        wanted = "--target, the name of the column to predict"
        raise InputError(f"{dataset} needs {wanted} (with --task multilabel: --label for each)")
