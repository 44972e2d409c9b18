"""`focalbench losses`: every loss, its formula and where it comes from."""

from __future__ import annotations

import textwrap

import typer


def losses() -> None:
    """List every loss with its formula, hyperparameters and source."""
    from focalbench.losses.catalogue import CATALOGUE

    typer.echo("x: logit, y: label, p = sigmoid(x), p_t = p if y else 1 - p, q = 1 - p_t,")
    typer.echo("CE = -log p_t, y' = 2y - 1, pi: share of positives.")
    typer.echo("Import each from focalbench.losses.")
    for entry in CATALOGUE:
        sweep = f"in the sweep: --loss {entry.arm}" if entry.arm else ""
        typer.echo(f"\n{entry.name}")
        for line in (entry.formula, entry.hyperparameters, entry.source, sweep):
            if line:
                typer.echo(textwrap.fill(line, 78, initial_indent="  ", subsequent_indent="    "))
