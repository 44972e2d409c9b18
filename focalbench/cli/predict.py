"""`focalbench predict`: score new rows with a model that `focalbench advise --save` kept."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from focalbench.cli.options import OUTPUT
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A file that focalbench advise --save wrote.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A CSV or Parquet file with the columns of before.")],
    keep: Annotated[
        list[str] | None,
        typer.Option(help="A column of DATA that is written beside, such as an id; repeatable.", metavar="COL"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A new CSV file. Default: standard output.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Write each row's probability, and whether it is flagged, as CSV."""
    import logging

    from focalbench.cli.messages import listen
    from focalbench.datasets.files.file import read_as_written
    from focalbench.jobs.keeping import kept_model, score

    listen("info")
    names = list(dict.fromkeys(keep or ()))
    if out is not None and out.exists():
        raise InputError(f"{out} is there already; name another file with --out")
    found = kept_model(model)
    rows = score(found, data)
    logger = logging.getLogger(__name__)
    for text in rows.told:
        logger.info(f"{data}: {text}")
    for text in rows.warnings:
        logger.warning(f"{data}: {text}")
    probabilities = rows.probabilities
    flagged = probabilities >= found["model"].threshold
    beside = read_as_written(data, names).frame if names else None
    with _target(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", *names, "probability", "flagged"])
        writer.writerows(_lines(beside, names, probabilities.tolist(), flagged.tolist()))
    threshold = f"from a probability of {found['model'].threshold:.3g} on"
    logger.info(f"{len(probabilities):,} rows, {int(flagged.sum()):,} of them flagged, {threshold}")


def _lines(
    beside: pd.DataFrame | None, names: Sequence[str], probabilities: Sequence[float], flagged: Sequence[bool]
) -> Iterator[list[object]]:
    """A line for each data row, numbered from 1."""
    columns = [] if beside is None else [beside[name].fillna("").astype(str).tolist() for name in names]
    kept = zip(*columns, strict=True) if columns else iter([()] * len(flagged))
    for row, (own, probability, flag) in enumerate(zip(kept, probabilities, flagged, strict=True), 1):
        yield [row, *own, repr(probability), int(flag)]


@contextmanager
def _target(out: Path | None) -> Iterator[IO[str]]:
    """A new file, or standard output. Raises InputError where it cannot be written."""
    if out is None:
        yield sys.stdout
        return
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot write {out} ({error.strerror}); choose another file with --out") from None
