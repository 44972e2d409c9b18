"""A survey of speed as tables with its remarks, and as rows of CSV."""

from collections.abc import Sequence

import torch

from focalbench.base.processors import cores
from focalbench.base.provenance import machine
from focalbench.base.rows import rows_text
from focalbench.bench.rows import Goal, Row
from focalbench.bench.survey import REMEDY, Survey
from focalbench.report.grid import Column, Page, plain_grid

COLUMNS = tuple(Column(name, wraps=True) for name in ("", "threads", "median", "spread", "times ours", ""))
GOALS = tuple(Column(name, wraps=True) for name in ("", "reached", "wanted", ""))


def bench_page(found: Survey, rounds: int) -> Page:
    """Every part's table, the goals last."""
    parts = dict.fromkeys(row.part for row in found.rows)
    grids = [plain_grid(COLUMNS, [_cells(row) for row in found.rows if row.part == part], part) for part in parts]
    goals = [plain_grid(GOALS, [_verdict(goal) for goal in found.goals], "goals")] if found.goals else []
    return Page((*grids, *goals), tuple(_remarks(found, rounds)), rows_text(Row, found.rows))


def _cells(row: Row) -> Sequence[str]:
    numbers = [row.median, row.low, row.high, row.ratio]
    median, low, high, ratio = ("" if number is None else _short(number) for number in numbers)
    return row.name, row.threads, median, f"{low} to {high}" if low else "", ratio, row.note


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _verdict(goal: Goal) -> Sequence[str]:
    wanted = f"{'at most' if goal.at_most else 'at least'} {goal.wanted:g}"
    return goal.name, _short(goal.reached), wanted, "met" if goal.met else "missed"


def _remarks(found: Survey, rounds: int) -> list[str]:
    here = machine()
    lines = [
        f"{here['processor']}, {here['torch_cpu_capability']}, {cores()} cores{_gpu()}.",
        f"Medians of {rounds} interleaved rounds; times ours: the median of the rounds' ratios to focalbench on one "
        "thread. Whole sweeps and their growth with runs are timed once.",
        f"{', '.join(found.versions)}.",
    ]
    return [*lines, *([f"Left out: {'; '.join(found.absent)} ({REMEDY})."] if found.absent else [])]


def _gpu() -> str:
    return f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
