"""One table in four dialects: for the terminal, in Markdown, in LaTeX; as CSV it is typed rows (base/rows.py)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from focalbench.base.text import in_latex, in_markdown, shown

LEAST_NAME = 12  # characters of a first column
Dialect = Literal["markdown", "latex", "csv"]

_MINUS = re.compile(r"(?<![\w.$\\-])-(?=\.?\d)")  # of a number: in LaTeX's text it would be a hyphen


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, whether its cells stand at the right, and in a terminal its characters (None: as many as
    it takes) and whether longer cells wrap.
    """

    heading: str
    right: bool = False
    width: int | None = None
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A row of text; color: of the terminal, "" for its own."""

    cells: tuple[str, ...]
    color: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a heading of their own, "" for none."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of text as it is, which each dialect escapes."""

    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    title: str = ""


def aligned(grid: Grid, line: int = 80) -> Grid:
    """The same, its columns as wide in all sections; the first one takes what the others leave of a line."""
    texts = zip(
        *([column.heading for column in grid.columns], *(row.cells for part in grid.sections for row in part.lines)),
        strict=True,
    )
    first, *others = (max(len(shown(text)) for text in column) for column in texts)
    widths = [min(first, max(line - sum(others) - len(others), LEAST_NAME)), *others]
    columns = (replace(column, width=width) for column, width in zip(grid.columns, widths, strict=True))
    return replace(grid, columns=tuple(columns))


def plain_grid(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "") -> Grid:
    """A table without sections."""
    return Grid(tuple(columns), (Section("", tuple(Line(tuple(row)) for row in rows)),), title)


def markdown_lines(grid: Grid) -> Iterator[str]:
    """The lines of a table in Markdown, without its title."""
    yield _markdown_row(column.heading for column in grid.columns)
    yield "|" + "|".join("---:" if column.right else "---" for column in grid.columns) + "|"
    for section in grid.sections:
        if section.title:
            yield f"| *{in_markdown(section.title)}* |" + " |" * (len(grid.columns) - 1)
        yield from (_markdown_row(line.cells) for line in section.lines)


def _markdown_row(cells: Sequence[str] | Iterator[str]) -> str:
    return "| " + " | ".join(map(in_markdown, cells)) + " |"


def latex_lines(grid: Grid) -> Iterator[str]:
    """The lines of a table in LaTeX (booktabs), without its title."""
    yield rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in grid.columns)}}}"
    yield r"\toprule"
    yield _latex_row(column.heading for column in grid.columns)
    for section in grid.sections:
        yield r"\midrule"
        if section.title:
            yield rf"\multicolumn{{{len(grid.columns)}}}{{l}}{{\emph{{{in_latex(section.title)}}}}} \\"
        yield from (_latex_row(line.cells) for line in section.lines)
    yield from (r"\bottomrule", r"\end{tabular}")


def _latex_row(cells: Sequence[str] | Iterator[str]) -> str:
    return " & ".join(_MINUS.sub("$-$", in_latex(cell)) for cell in cells) + r" \\"


def print_grid(grid: Grid, console: Console) -> None:
    """Print a table with its title: its headings once, above the first section."""
    if grid.title:
        console.print(_plain(grid.title), style="italic")
    for i, section in enumerate(grid.sections):
        table = Table(
            title=_plain(section.title) if section.title else None,
            title_justify="left",
            title_style="italic",
            box=None,
            show_header=i == 0,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        for column in grid.columns:
            justify: JustifyMethod = "right" if column.right else "left"
            heading = _plain(column.heading)
            table.add_column(heading, justify=justify, width=column.width, no_wrap=not column.wraps, overflow="fold")
        for line in section.lines:
            table.add_row(*map(_plain, line.cells), style=line.color)
        console.print(table)


def _plain(text: str) -> Text:
    """A text for the terminal, in which rich finds no markup."""
    return Text(shown(text))


def print_lines(lines: Sequence[str], console: Console) -> None:
    """Print sentences, each as an entry of a list."""
    for line in lines:
        console.print(_plain(f"- {line}"))


@dataclass(frozen=True, slots=True)
class Page:
    """Titled tables, the sentences under them, and the same numbers as CSV, unrounded."""

    grids: tuple[Grid, ...]
    remarks: tuple[str, ...]
    csv: str

    def written(self, dialect: Dialect) -> str:
        """The page in a dialect."""
        if dialect == "csv":
            return self.csv
        return self.latex() if dialect == "latex" else self.markdown()

    def markdown(self) -> str:
        """The page in Markdown: a heading over each table."""
        lines = [line for grid in self.grids for line in (f"## {_capital(grid.title)}", "", *markdown_lines(grid), "")]
        return "\n".join([*lines, *(f"- {in_markdown(line)}" for line in self.remarks), ""])

    def latex(self) -> str:
        """The page in LaTeX: a caption over each table."""
        lines: list[str] = []
        for grid in self.grids:
            lines += [r"\begin{table}", rf"\caption{{{in_latex(_capital(grid.title))}}}", *latex_lines(grid)]
            lines += [r"\end{table}", ""]
        items = (rf"\item {in_latex(line)}" for line in self.remarks)
        return "\n".join([*lines, r"\begin{itemize}", *items, r"\end{itemize}", ""])

    def print(self, console: Console) -> None:
        """The page for a terminal."""
        for grid in self.grids:
            print_grid(grid, console)
            console.print()
        print_lines(self.remarks, console)


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]
