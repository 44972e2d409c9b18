"""`focalbench losses`: every loss, its formula and where it comes from."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from focalbench.cli.options import FormatOption
from focalbench.runs.catalogue import CATALOGUE, RIVALS

if TYPE_CHECKING:
    from focalbench.report.grid import Page
    from focalbench.runs.catalogue import Loss

NOTATION = (
    "x: logit, y: label, p = sigmoid(x), p_t = p if y else 1 - p, q = 1 - p_t,",
    "CE = -log p_t, y' = 2y - 1, pi: share of positives.",
)


def losses(format: FormatOption = "rich") -> None:  # noqa: A002
    """List every loss with its formula, hyperparameters and source."""
    if format == "rich":
        for line in NOTATION:
            typer.echo(line)
        for loss in CATALOGUE.values():
            typer.echo(f"\n{loss.name}")
            for line in _about(loss):
                typer.echo(_wrapped(line))
    else:
        print(losses_page().written(format), end="")


def _wrapped(line: str) -> str:
    return textwrap.fill(line, 78, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


@dataclass(frozen=True, slots=True)
class LossRow:
    """A loss as a row of CSV. given, ranges: its hyperparameters with their defaults and intervals."""

    loss: str
    formula: str
    given: str
    ranges: str
    function: str
    source: str
    kind: str
    invertible: bool
    tasks: str


def losses_page() -> Page:
    """The catalogue as a table, and as CSV a row for each loss."""
    from focalbench.base.rows import rows_text
    from focalbench.report.grid import Column, Page, plain_grid

    headings = ("loss", "formula", "command line", "function and source", "kind")
    every = CATALOGUE.values()
    grid = plain_grid(
        [Column(heading) for heading in headings], [(loss.name, *_about(loss)) for loss in every], "losses"
    )
    return Page((grid,), (" ".join(NOTATION),), rows_text(LossRow, map(_row, every)))


def _row(loss: Loss) -> LossRow:
    return LossRow(
        loss=loss.name,
        formula=loss.formula,
        given=_given(loss),
        ranges=_ranges(loss),
        function=f"focalbench.losses.{loss.function}",
        source=loss.source,
        kind=loss.kind,
        invertible=loss.invertible,
        tasks=", ".join(loss.tasks),
    )


def _about(loss: Loss) -> list[str]:
    """Lines that say what a loss is, how it is asked for, where it is from, and what holds for it."""
    source = f"; {loss.source}" if loss.source else ""
    return [loss.formula, _asked_for(loss), f"focalbench.losses.{loss.function}{source}", _properties(loss)]


def _asked_for(loss: Loss) -> str:
    """How the command line asks for a loss, with the ranges of its hyperparameters."""
    if loss.name not in RIVALS:
        return " ".join([f"--loss {loss.name}", *(f"--{grid} ..." for grid in loss.grids)])
    return f"--loss {loss.name}" + (f":{_given(loss)} ({_ranges(loss)})" if loss.hyperparameters else "")


def _given(loss: Loss) -> str:
    return ",".join(f"{each.name}={each.default!r}".removesuffix(".0") for each in loss.hyperparameters)


def _ranges(loss: Loss) -> str:
    return ", ".join(f"{each.name} in {each.interval}" for each in loss.hyperparameters)


def _properties(loss: Loss) -> str:
    """What a loss is computed of, what its scores are, and its tasks."""
    kind = {"elementwise": "elementwise", "batch": "of a batch", "order": "of the order in a batch"}[loss.kind]
    scores = "lead back to probabilities" if loss.invertible else "are no probabilities"
    return f"{kind}; its scores {scores}; {', '.join(loss.tasks)}"
