"""`focalbench bench`: how fast is the tool here, against other ways to train and against the machine's limit?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focalbench.cli.job import resolve_device
from focalbench.cli.messages import say
from focalbench.cli.options import Device
from focalbench.errors import InputError

if TYPE_CHECKING:
    from focalbench.bench import Goal, Row, Survey

HEADINGS = ("", "threads", "median", "spread", "times ours", "")


def bench(
    part: Annotated[
        list[str] | None,
        typer.Option(help="training, ranking, waiting, sweep or growth; repeatable. Default: all.", metavar="PART"),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds that the medians are of.")] = 5,
    device: Annotated[Device, typer.Option(help="Where training is measured.")] = "auto",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A folder for bench.md and bench.csv.")] = None,
    long: Annotated[bool, typer.Option("--long", help="Growth up to 10,000 runs.", metavar="")] = False,
    tiny: Annotated[
        bool, typer.Option("--tiny", help="Only to see that everything works; times mean nothing.", metavar="")
    ] = False,
) -> None:
    """Time training, ranking, start-up and whole sweeps on this machine, against other ways to do the same."""
    from focalbench.bench import PARTS, Scale, survey
    from focalbench.jobs.sweep import cores
    from focalbench.report.owned import claim, finish_more, make_folder, write_texts

    parts = list(dict.fromkeys(part or PARTS))
    for name in parts:
        if name not in PARTS:
            raise InputError(f"unknown --part {name!r}; choose one of {', '.join(PARTS)}")
    if rounds < 1:
        raise InputError(f"--rounds must be at least 1, got {rounds}")
    where = resolve_device(device)
    if out is not None:
        make_folder(out)
        claim(out, ("bench.md", "bench.csv"))
    found = survey(
        parts, Scale(rounds, cores(), tiny, long), where, lambda name: typer.echo(f"bench: {name}", err=True)
    )
    print_rich(found)
    for line in remarks(found, rounds):
        typer.echo(f"- {line}")
    if out is not None:
        files = {"bench.md": markdown(found, rounds), "bench.csv": csv_text(found)}
        write_texts(out, files)
        finish_more(out, files, {})
        say(f"Files: {out}")


def cells(row: Row) -> list[str]:
    """A row of a part's table as text."""
    numbers = [row.median, row.low, row.high, row.ratio]
    median, low, high, ratio = ("" if number is None else _short(number) for number in numbers)
    return [row.name, row.threads, median, f"{low} to {high}" if low else "", ratio, row.note]


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def verdict(goal: Goal) -> list[str]:
    """A goal as text."""
    wanted = f"{'at most' if goal.at_most else 'at least'} {goal.wanted:g}"
    return [goal.name, _short(goal.reached), wanted, "met" if goal.met else "missed"]


def tables(found: Survey) -> list[tuple[str, tuple[str, ...], list[list[str]]]]:
    """Title, headings and rows of every table, the goals last."""
    parts = dict.fromkeys(row.part for row in found.rows)
    every = [(part, HEADINGS, [cells(row) for row in found.rows if row.part == part]) for part in parts]
    goals = [("goals", ("", "reached", "wanted", ""), [verdict(goal) for goal in found.goals])]
    return [*every, *(goals if found.goals else [])]


def remarks(found: Survey, rounds: int) -> list[str]:
    """What stands under the tables."""
    from focalbench.base.provenance import machine
    from focalbench.bench import REMEDY
    from focalbench.jobs.sweep import cores

    here = machine()
    lines = [
        f"{here['processor']}, {here['torch_cpu_capability']}, {cores()} cores{_gpu()}.",
        f"Medians of {rounds} interleaved rounds; times ours: the median of the rounds' ratios to focalbench on one "
        "thread. Whole sweeps and their growth with runs are timed once.",
        f"{', '.join(found.versions)}.",
    ]
    return [*lines, *([f"Left out: {'; '.join(found.absent)} ({REMEDY})."] if found.absent else [])]


def _gpu() -> str:
    import torch

    return f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""


def markdown(found: Survey, rounds: int) -> str:
    """All tables in Markdown, with remarks."""
    lines: list[str] = []
    for title, headings, rows in tables(found):
        lines += [f"## {title[0].upper()}{title[1:]}", "", "| " + " | ".join(headings) + " |"]
        lines += ["|---" * len(headings) + "|", *("| " + " | ".join(row) + " |" for row in rows), ""]
    return "\n".join([*lines, *(f"- {line}" for line in remarks(found, rounds))]) + "\n"


def csv_text(found: Survey) -> str:
    """All rows as CSV, unrounded."""
    from focalbench.base.rows import rows_text
    from focalbench.bench import Row

    return rows_text(Row, found.rows)


def print_rich(found: Survey) -> None:
    """Print all tables for a terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for title, headings, rows in tables(found):
        grid = Table(title=escape(title), title_justify="left", box=None, padding=(0, 1, 0, 0))
        for heading in headings:
            grid.add_column(heading)
        for cell in rows:
            grid.add_row(*map(escape, cell))
        console.print(grid)
        console.print()
