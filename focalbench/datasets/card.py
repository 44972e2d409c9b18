"""What a reader should know of a data set before training on it."""

from dataclasses import asdict, dataclass

import numpy as np

from focalbench.datasets.build import load_table, resolve
from focalbench.datasets.prevalence import synthetic_rates, table_rates
from focalbench.datasets.synthetic.families import ABOUT, Knobs, is_synthetic, knobs, task_of
from focalbench.datasets.tables.leaks import leak_warnings
from focalbench.datasets.tables.reading import table_sentences
from focalbench.datasets.tables.real import REAL_TABLES
from focalbench.datasets.tables.table import ColumnReading, Table
from focalbench.errors import InputError
from focalbench.runs.run import Recipe

ROWS = 40_000  # training rows that the reachable rates are given for: the sweep's default


@dataclass(frozen=True)
class FileCard:
    """How a user's table is read. lines: sentences; warnings: what to look at before training; columns: all of them."""

    lines: tuple[str, ...]
    warnings: tuple[str, ...]
    columns: tuple[ColumnReading, ...]


def file_card(recipe: Recipe) -> FileCard:
    """The card of a table as a sweep would read it. Raises InputError where it cannot be read."""
    resolved = resolve(recipe)
    table = load_table(resolved)
    size = f"{table.rows:,} rows, {len(table.columns):,} columns beside those to predict"
    rates = () if recipe.task != "binary" else (f"rates: {_file_rates(resolved, table)}",)
    lines = (size, *table_sentences(table), *rates, f"sha256: {table.sha256}")
    return FileCard(lines, (*table.warnings, *leak_warnings(table)), table.columns)


def _file_rates(recipe: Recipe, table: Table) -> str:
    natural = f"{table.positives / table.counted:.4%} is natural"
    if table.split_by_group:
        return f"{natural}; which others are possible depends on the seed"
    rates = table_rates(recipe, table.counted, table.positives)
    return f"{natural}; possible: {_rates(rates)}"


def card(name: str) -> tuple[tuple[str, str], ...]:
    """Headings and texts of a synthetic family's or real table's card.

    Raises InputError for an unknown name and for a table whose files are not available.
    """
    if is_synthetic(name):
        knob, recipe = knobs(name), Recipe(name, ROWS, task=task_of(name))
        return (
            ("about", ABOUT[name.partition(":")[0]]),
            ("size", f"as many rows as asked for, {knob.numbers} numbers"),
            ("knobs", _listed_knobs(knob)),
            ("natural rate", "none: give one"),
            ("rates", _rates(synthetic_rates(recipe)) + ("" if recipe.task == "binary" else ", of the rarest")),
            ("Bayes score", "known exactly"),
        )
    if name not in REAL_TABLES:
        raise InputError(f"no card for {name!r}; focalbench datasets lists the names")
    known, table = REAL_TABLES[name], load_table(resolve(Recipe(name, ROWS)))
    return (
        ("about", known.about),
        ("rows", f"{table.rows:,}, {table.positives:,} of them positive"),
        ("features", _features(table)),
        ("natural rate", f"{table.positives / table.counted:.4%}"),
        ("rates", _rates(table_rates(Recipe(name, ROWS), table.rows, table.positives))),
        ("split", _split(table)),
        ("removed", known.removed),
        *(("equal rows", text) for text in (*table.notes, known.equal_rows) if text),
        ("licence", known.licence),
        ("read from", str(known.origin)),
        ("sha256", table.sha256),
    )


def _listed_knobs(knob: Knobs) -> str:
    values = ", ".join(f"{name}={value:g}" for name, value in asdict(knob).items())
    return f"as NAME:KNOB=VALUE,... {values}" if values else "none"


def _features(table: Table) -> str:
    categorical = len(table.categorical)
    return f"{len(table.frame.columns)}: {len(table.frame.columns) - categorical} numbers, {categorical} categories"


def _split(table: Table) -> str:
    kind, sets = ("group", table.groups) if table.groups is not None else ("set of equal rows", table.equal)
    if sets is None:
        return "by row"
    return f"by {kind}, {len(np.unique(sets)):,} of them; the reachable rates vary slightly with the seed"


def _rates(rates: tuple[float, float] | None) -> str:
    return "none" if rates is None else f"{rates[0]:.4g} to {rates[1]:.4g} with {ROWS:,} training rows"
