"""A comparison as a table to read: in the terminal, as Markdown, as LaTeX, as CSV."""

from collections.abc import Sequence
from typing import cast

from rich.console import Console
from rich.table import Table

from focalbench.comparison import TABLE_COLUMNS
from focalbench.records import Record, to_csv
from focalbench.report.words import BLURB, cells, conclusions, title

HEADINGS = ("arm", "AUCPR", "95% interval", "vs BCE", "95% interval", "p adj.", "verdict", "cal. slope")
_SECTIONS = {
    "tuned": "tuned on validation, equal numbers of candidates",
    "reference": "scikit-learn, for reference",
}


def markdown(table: Sequence[Record]) -> str:
    """All cells as Markdown tables, each with its conclusions."""
    parts = []
    for cell in cells(table):
        parts += [f"### {title(cell)}", ""]
        parts += ["| " + " | ".join(HEADINGS) + " |", "|---|" + "---:|" * 5 + "---|---:|"]
        for section, rows in sections(cell):
            parts += [f"| *{section}* |" + " |" * (len(HEADINGS) - 1)]
            parts += ["| " + " | ".join(display(row)) + " |" for row in rows]
        parts += ["", *conclusions(cell), ""]
    return "\n".join([*parts, BLURB, ""])


def latex(table: Sequence[Record]) -> str:
    """All cells as LaTeX tables (booktabs)."""
    parts = []
    for cell in cells(table):
        parts += [r"\begin{table}", rf"\caption{{{_escape(title(cell))}. {_escape(BLURB)}}}"]
        parts += [r"\begin{tabular}{lrrrrrlr}", r"\toprule", _latex_row(HEADINGS)]
        for section, rows in sections(cell):
            parts += [r"\midrule", rf"\multicolumn{{8}}{{l}}{{\emph{{{_escape(section)}}}}} \\"]
            parts += [_latex_row(display(row)) for row in rows]
        parts += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(parts)


def csv_text(table: Sequence[Record]) -> str:
    """The table as CSV, every column."""
    return to_csv(TABLE_COLUMNS, table)


def print_rich(table: Sequence[Record], console: Console) -> None:
    """Print all cells with their conclusions."""
    for cell in cells(table):
        grid = Table(title=title(cell), title_justify="left", box=None, header_style="bold", pad_edge=False)
        for i, heading in enumerate(HEADINGS):
            grid.add_column(heading, justify="left" if i in (0, 6) else "right", no_wrap=i != 0)
        for section, rows in sections(cell):
            grid.add_row(f"[dim]{section}[/dim]")
            for row in rows:
                style = {"better": "green", "worse": "red"}.get(str(row["verdict"]), "")
                grid.add_row(*display(row), style=style)
        console.print(grid)
        console.print()
        for sentence in conclusions(cell):
            console.print(f"- {sentence}", highlight=False)
        console.print()
    console.print(BLURB, style="dim", highlight=False)


def sections(cell: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """A cell's rows under their headings: one for each start, then tuned rows, then references."""
    grouped: dict[str, list[Record]] = {}
    for row in cell:
        heading = _SECTIONS.get(
            str(row["kind"]),
            f"last bias started at {_START[str(row['init'])]}" if row["kind"] == "arm" else "",
        )
        grouped.setdefault(heading, []).append(row)
    return list(grouped.items())


_START = {"own": "the loss's own best constant", "prior": "the log odds of the prevalence", "zero": "zero"}


def display(row: Record) -> list[str]:
    """The cells of one row, as text."""
    return [
        str(row["arm"]),
        _number(row["average_precision"], ".3f"),
        _range(row["ap_low"], row["ap_high"], ".3f"),
        _number(row["delta_vs_bce"], "+.3f"),
        _range(row["delta_low"], row["delta_high"], "+.3f"),
        _p_value(row["p_adjusted"]),
        _verdict(row),
        _number(row["calibration_slope"], ".2f"),
    ]


def _verdict(row: Record) -> str:
    verdict = str(row["verdict"] or "")
    if verdict == "baseline" and row["budget_limited"] == "true":
        return "baseline, budget-limited"
    return verdict


def _number(value: object, style: str) -> str:
    return "" if value is None else format(cast(float, value), style)


def _range(low: object, high: object, style: str) -> str:
    return "" if low is None else f"{low:{style}} .. {high:{style}}"


def _p_value(value: object) -> str:
    return "" if value is None else "<.001" if cast(float, value) < 0.001 else f"{value:.3f}"


def _latex_row(values: Sequence[str]) -> str:
    return " & ".join(map(_escape, values)) + r" \\"


def _escape(text: str) -> str:
    for sign in "%_&#":
        text = text.replace(sign, "\\" + sign)
    return text.replace("<", "$<$")
