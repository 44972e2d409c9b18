"""`focalbench audit`: how right, fast and light are the focal losses installed here?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from focalbench.errors import MOVED

if TYPE_CHECKING:
    from focalbench.audit import Audit, Verdict


def audit(
    format: Annotated[Literal["rich", "markdown"], typer.Option(help="How to print it.")] = "rich",  # noqa: A002
    no_speed: Annotated[bool, typer.Option("--no-speed", help="Leave time and memory out.", metavar="")] = False,
) -> None:
    """Check every focal loss installed here against 50-digit values; exit code 1 if ours fails anywhere."""
    from focalbench.audit import audit as run_audit

    found = run_audit(speed=not no_speed)
    if format == "rich":
        print_rich(found)
    else:
        typer.echo(markdown(found))
    if not found.ours_is_right:
        raise typer.Exit(MOVED)


def headings(found: Audit) -> list[str]:
    """The table's columns; time and memory only where they were measured."""
    from focalbench.audit import DTYPES, dtype_name

    return ["focal loss", *map(dtype_name, DTYPES), "alpha", *(["time", "memory"] if found.baseline else [])]


def cells(verdict: Verdict) -> list[str]:
    """A row as text: "non-finite/wrong" for each dtype, "refused" where the loss does not take it."""
    from focalbench.audit import DTYPES, dtype_name

    counts = [verdict.counts.get(dtype_name(dtype)) for dtype in DTYPES]
    texts = ["refused" if count is None else f"{count.non_finite}/{count.wrong}" for count in counts]
    costs = [verdict.cost.time, verdict.cost.memory] if verdict.cost else []
    return [verdict.name, *texts, verdict.alpha, *("" if cost is None else f"{cost:.1f}" for cost in costs)]


def remarks(found: Audit) -> list[str]:
    """What stands under the table, a sentence or list a line."""
    from focalbench.audit import CASES, REMEDY, SMALLEST, SPEED_LOGITS, THREADS, TOLERANCE

    lines = [
        f"Cells: non-finite/wrong of {CASES} (logit, target, gamma), in value or gradient; wrong: off by more "
        f"than ({TOLERANCE} + |log value|) eps and {SMALLEST} smallest normal numbers. alpha: what it weights."
    ]
    if found.baseline and found.baseline.memory:
        lines.append(
            f"time, memory (peak): forward + backward of the mean of {SPEED_LOGITS:,} float32 logits, as multiples of "
            f"BCEWithLogitsLoss ({found.baseline.time * 1e3:.1f} ms, {found.baseline.memory / 1e6:.0f} MB); "
            f"torch on {THREADS} thread, XLA on its own."
        )
    lines += [f"{note}." for verdict in found.verdicts for note in verdict.notes]
    lines.append("Versions: " + ", ".join(dict.fromkeys(verdict.version for verdict in found.verdicts)) + ".")
    missing = [absent.name for absent in found.absent if absent.reason == "not installed"]
    if missing:
        lines.append(f"Not installed: {', '.join(missing)}.")
    lines += [f"{absent.name}: {absent.reason}." for absent in found.absent if absent.name not in missing]
    if not found.compares:
        lines.append(f"No other library to compare with: {REMEDY}")
    return lines


def markdown(found: Audit) -> str:
    """The audit as a Markdown table with its remarks."""
    names = headings(found)
    lines = ["| " + " | ".join(names) + " |", "|---" + "|---:" * (len(names) - 1) + "|"]
    lines += ["| " + " | ".join(cells(verdict)) + " |" for verdict in found.verdicts]
    return "\n".join([*lines, "", *(f"- {line}" for line in remarks(found))])


def print_rich(found: Audit) -> None:
    """Print the audit for a terminal of 80 columns."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console, grid = Console(), Table(box=None, padding=(0, 1, 0, 0))
    for i, heading in enumerate(headings(found)):
        grid.add_column(heading, justify="right" if i else "left", no_wrap=i > 0)
    for verdict in found.verdicts:
        grid.add_row(*map(escape, cells(verdict)), style="green" if verdict.is_right else "")
    console.print(grid)
    console.print()
    for line in remarks(found):
        console.print(f"- {escape(line)}", highlight=False)
