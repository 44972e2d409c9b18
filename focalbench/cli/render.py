"""Printing a finished sweep, and reading one back."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from focalbench.base.text import shown
from focalbench.cli.again import with_rates
from focalbench.cli.options import Format
from focalbench.datasets.tables.targets import listed
from focalbench.errors import MachineError

if TYPE_CHECKING:
    from focalbench.analysis.rows import ArmRow
    from focalbench.cli.ending import Ended
    from focalbench.jobs.sweep import SweepResult
    from focalbench.report.grid import Page


def conclude(result: SweepResult, ended: Ended, folder: Path, *, as_json: bool) -> None:
    """Show the table that a job made, and how it ended; one that was stopped by hand exits with Ctrl-C's code. Raises
    MachineError where runs failed, with what to do.
    """
    (show_json if as_json else show)(result, ended, folder)
    if ended.by_hand:
        print(ended.stopped(), file=sys.stderr, flush=True)
        raise typer.Exit(128 + signal.SIGINT)
    raise_failed(ended)


def raise_failed(ended: Ended) -> None:
    """Raise MachineError where runs failed, with what to do."""
    if failed := ended.done.failed:
        names = sorted({run.arm.name for run in failed})
        seeds = sorted({run.seed for run in failed})
        what = f"{len(failed)} runs failed ({listed(names)}; seeds {listed(list(map(str, seeds)))})"
        raise MachineError(
            f"{what}: each time their worker died or had no memory; their seeds are left out of the table. The same "
            "command tries them again; fewer --workers leave each more memory"
        )


def show_json(result: SweepResult, ended: Ended, folder: Path) -> None:
    """Print the result as one line of JSON."""
    from focalbench.base.rows import flatten

    done = result.done
    content = {
        "event": "end",
        "runs": len(done.plan.runs),
        "trained": done.new_runs,
        "failed": [run.run_id for run in done.failed],
        "folder": str(folder),
        "seeds": done.ending.seeds,
        "planned_seeds": done.ending.planned,
        "stopped": done.ending.stopped,
        "seconds": ended.seconds,
        "seconds_left": done.ending.seconds_left,
        "table": list(map(flatten, result.table)),
        "classes": list(map(flatten, result.classes)),
    }
    print(json.dumps(content), flush=True)


def show(result: SweepResult, ended: Ended, folder: Path) -> None:
    """Print the table, what it supports, how it came about, and where the files are."""
    from rich.console import Console

    from focalbench.cli.messages import say
    from focalbench.report.tables import print_rich

    print_rich(result.table, Console(), result.classes)
    for command in _wider(result.table):
        say(f"A wider grid of learning rates: {command}")
    stopped = "" if ended.by_hand else ended.stopped()
    for sentence in filter(None, (stopped[:1].upper() + stopped[1:], ended.peeking())):
        say(sentence.removesuffix(".") + ".")
    say(f"{ended.summary()} Files: {folder}")
    if ended.done.other_versions:
        say("Some runs were made with other library versions; a new --out makes all of them anew.")
    say(f"Pictures: focalbench plot {folder}; as a page: focalbench report {folder}")


def show_page(page: Page, dialect: Format) -> None:
    """Print a page in one of the dialects."""
    from rich.console import Console

    if dialect == "rich":
        page.print(Console())
    else:
        print(for_terminal(page.written(dialect)) if dialect == "csv" else page.written(dialect), end="")


def for_terminal(text: str) -> str:
    """CSV, whose cells are as they are, without what a terminal might obey, where that is what reads it."""
    return "".join(f"{shown(line)}\n" for line in text.splitlines()) if sys.stdout.isatty() else text


def _wider(table: Sequence[ArmRow]) -> list[str]:
    """This command with a grid of learning rates that goes on where most seeds chose its end; of a sweep only."""
    from focalbench.report.words import cells, wider_grids

    if sys.argv[1:2] != ["sweep"]:
        return []
    grids = [grid for cell in cells(table) for grid in wider_grids(cell).values()]
    rates = sorted({rate for grid in grids for rate in grid})
    return [with_rates(sys.argv[1:], rates)] if rates else []
