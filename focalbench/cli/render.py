"""Printing a finished outcome, and reading one back."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from focalbench.datasets.targets import listed
from focalbench.errors import InputError, MachineError

if TYPE_CHECKING:
    from focalbench.cli.ending import Ended
    from focalbench.records import Record


def conclude(ended: Ended, folder: Path, *, as_json: bool) -> None:
    """Show how a job ended; one that was stopped by hand exits with Ctrl-C's code. Raises MachineError where runs
    failed, with what to do.
    """
    (show_json if as_json else show)(ended, folder)
    if ended.by_hand:
        print(ended.stopped(), file=sys.stderr, flush=True)
        raise typer.Exit(128 + signal.SIGINT)
    outcome = ended.outcome
    if outcome.failed:
        names = sorted({run.arm.name for run in outcome.failed})
        seeds = sorted({run.seed for run in outcome.failed})
        what = f"{len(outcome.failed)} runs failed ({listed(names)}; seeds {listed(list(map(str, seeds)))})"
        raise MachineError(
            f"{what}: each time their worker died or had no memory; their seeds are left out of the table. The same "
            "command tries them again; fewer --workers leave each more memory"
        )


def show_json(ended: Ended, folder: Path) -> None:
    """Print the outcome as one line of JSON."""
    outcome = ended.outcome
    content = {
        "event": "end",
        "runs": len(outcome.plan.runs),
        "trained": outcome.new_runs,
        "failed": [run.run_id for run in outcome.failed],
        "folder": str(folder),
        "seeds": outcome.ending.seeds,
        "planned_seeds": outcome.ending.planned,
        "stopped": outcome.ending.stopped,
        "seconds": ended.seconds,
        "seconds_left": outcome.ending.seconds_left,
        "table": outcome.table,
        "classes": outcome.classes,
    }
    print(json.dumps(content), flush=True)


def show(ended: Ended, folder: Path) -> None:
    """Print the table, what it supports, how it came about, and where the files are."""
    from rich.console import Console

    from focalbench.cli.messages import say
    from focalbench.report.tables import print_rich

    outcome = ended.outcome
    print_rich(outcome.table, Console(), outcome.classes)
    stopped = "" if ended.by_hand else ended.stopped()
    for sentence in filter(None, (stopped[:1].upper() + stopped[1:], ended.peeking())):
        say(sentence.removesuffix(".") + ".")
    say(f"{ended.done()} Files: {folder}")
    if outcome.other_versions:
        say("Some runs were made with other library versions; a new --out makes all of them anew.")
    say(f"Pictures: focalbench plot {folder}")


@contextmanager
def written_by_a_sweep(folder: Path) -> Iterator[None]:
    """Turn what values that no sweep writes lead to, in a folder from somebody else, into an InputError."""
    try:
        yield
    except InputError:
        raise
    except (ArithmeticError, LookupError, StopIteration, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise InputError(f"{folder} holds values that no sweep writes ({what}); run the experiment again") from None


def read_classes(folder: Path) -> list[Record]:
    """The table of single classes of a results folder; none where targets are binary."""
    from focalbench.per_class import CLASS_COLUMNS
    from focalbench.records import read_csv
    from focalbench.report.folder import CLASSES, check_unchanged

    if not (folder / CLASSES).is_file():
        return []
    classes = read_csv(folder / CLASSES, CLASS_COLUMNS)
    check_unchanged(folder, [CLASSES])
    return classes


def read_table(folder: Path) -> list[Record]:
    """The table of a results folder. Raises InputError where there is none, or another program's."""
    from focalbench.comparison import TABLE_COLUMNS
    from focalbench.records import read_csv
    from focalbench.report.folder import TABLE, check_unchanged

    if not (folder / TABLE).is_file():
        raise InputError(f"{folder} holds no {TABLE}; run focalbench sweep --out {folder} first")
    rows = read_csv(folder / TABLE, TABLE_COLUMNS)
    if not rows:
        raise InputError(f"{folder / TABLE} is empty; run the sweep again")
    check_unchanged(folder, [TABLE])
    return rows
