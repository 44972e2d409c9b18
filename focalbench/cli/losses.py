"""`focalbench losses`: every loss, its formula and where it comes from."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import typer

from focalbench.runs.catalogue import CATALOGUE, RIVALS

if TYPE_CHECKING:
    from focalbench.runs.catalogue import Loss

NOTATION = (
    "x: logit, y: label, p = sigmoid(x), p_t = p if y else 1 - p, q = 1 - p_t,\n"
    "CE = -log p_t, y' = 2y - 1, pi: share of positives."
)


def losses() -> None:
    """List every loss with its formula, hyperparameters and source."""
    typer.echo(NOTATION)
    for loss in CATALOGUE.values():
        typer.echo(f"\n{loss.name}")
        for line in about(loss):
            typer.echo(textwrap.fill(line, 78, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False))


def about(loss: Loss) -> list[str]:
    """Lines that say what a loss is, how it is asked for, and what holds for it."""
    source = f"; {loss.source}" if loss.source else ""
    return [loss.formula, asked_for(loss), f"focalbench.losses.{loss.function}{source}", properties(loss)]


def asked_for(loss: Loss) -> str:
    """How the command line asks for a loss, with the ranges of its hyperparameters."""
    if loss.name not in RIVALS:
        return " ".join([f"--loss {loss.name}", *(f"--{grid} ..." for grid in loss.grids)])
    given = ",".join(f"{each.name}={each.default:g}" for each in loss.hyperparameters)
    ranges = [f"{each.name} in {each.interval}" for each in loss.hyperparameters]
    return f"--loss {loss.name}" + (f":{given} ({', '.join(ranges)})" if given else "")


def properties(loss: Loss) -> str:
    """What a loss is computed of, what its scores are, and its tasks."""
    kind = {"elementwise": "elementwise", "batch": "of a batch", "order": "of the order in a batch"}[loss.kind]
    scores = "lead back to probabilities" if loss.invertible else "are no probabilities"
    return f"{kind}; its scores {scores}; {', '.join(loss.tasks)}"
