"""Printing a finished outcome, and reading one back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from focalbench.datasets.targets import listed
from focalbench.errors import InputError, MachineError

if TYPE_CHECKING:
    from focalbench.analysis.rows import ArmRow, ClassRow
    from focalbench.sweep import Outcome


def conclude(outcome: Outcome, folder: Path, *, as_json: bool) -> None:
    """Show how a job ended. Raises MachineError where runs failed, with what to do."""
    (show_json if as_json else show)(outcome, folder)
    if outcome.failed:
        names = sorted({run.arm.name for run in outcome.failed})
        seeds = sorted({run.seed for run in outcome.failed})
        what = f"{len(outcome.failed)} runs failed ({listed(names)}; seeds {listed(list(map(str, seeds)))})"
        raise MachineError(
            f"{what}: each time their worker died or had no memory; their seeds are left out of the table. The same "
            "command tries them again; fewer --workers leave each more memory"
        )


def show_json(outcome: Outcome, folder: Path) -> None:
    """Print the outcome as one line of JSON."""
    from focalbench.analysis.rows import flatten

    content = {
        "event": "end",
        "runs": len(outcome.plan.runs),
        "trained": outcome.new_runs,
        "failed": [run.run_id for run in outcome.failed],
        "folder": str(folder),
        "table": list(map(flatten, outcome.table)),
        "classes": list(map(flatten, outcome.classes)),
    }
    print(json.dumps(content), flush=True)


def show(outcome: Outcome, folder: Path) -> None:
    """Print the table, what it supports, and where the files are."""
    from rich.console import Console

    from focalbench.cli.messages import say
    from focalbench.report.tables import print_rich

    print_rich(outcome.table, Console(), outcome.classes)
    before = len(outcome.plan.runs) - outcome.new_runs - len(outcome.failed)
    say(f"{outcome.new_runs} runs trained, {before} taken from the store. Files: {folder}")
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


def read_classes(folder: Path) -> list[ClassRow]:
    """The table of single classes of a results folder; none where targets are binary."""
    from focalbench.analysis.rows import ClassRow, read_rows
    from focalbench.report.folder import CLASSES, check_unchanged

    if not (folder / CLASSES).is_file():
        return []
    classes = read_rows(folder / CLASSES, ClassRow)
    check_unchanged(folder, [CLASSES])
    return classes


def read_table(folder: Path) -> list[ArmRow]:
    """The table of a results folder. Raises InputError where there is none, or another program's."""
    from focalbench.analysis.rows import ArmRow, read_rows
    from focalbench.report.folder import TABLE, check_unchanged

    if not (folder / TABLE).is_file():
        raise InputError(f"{folder} holds no {TABLE}; run focalbench sweep --out {folder} first")
    rows = read_rows(folder / TABLE, ArmRow)
    if not rows:
        raise InputError(f"{folder / TABLE} is empty; run the sweep again")
    check_unchanged(folder, [TABLE])
    return rows
