"""Printing a finished outcome."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from focalbench.sweep import Outcome


def show(outcome: Outcome, folder: Path) -> None:
    """Print the table, what it supports, and where the files are."""
    from rich.console import Console

    from focalbench.report.tables import print_rich

    console = Console()
    print_rich(outcome.table, console)
    before = len(outcome.plan.runs) - outcome.new_runs
    console.print(f"{outcome.new_runs} runs trained, {before} taken from the store. Files: {folder}", highlight=False)
    console.print(f"Pictures: focalbench plot {folder}", highlight=False)
