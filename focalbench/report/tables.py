"""A comparison as a table to read: in the terminal, as Markdown, as LaTeX, as CSV."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from focalbench.analysis.recommendation import main_rows, skill
from focalbench.analysis.rows import ArmRow, ClassRow, Kind, Verdict
from focalbench.base.rows import rows_text
from focalbench.base.text import in_latex, in_markdown, shown
from focalbench.report import spread
from focalbench.report.grid import (
    Column,
    Grid,
    Line,
    Section,
    latex_lines,
    markdown_lines,
    plain_grid,
    print_grid,
    print_lines,
)
from focalbench.report.metric import heading
from focalbench.report.operating import operating_grid
from focalbench.report.over_tables import over_grid, over_sentences
from focalbench.report.recalibration import recalibration_grid
from focalbench.report.words import (
    answer,
    baseline_name,
    blurb,
    cells,
    details,
    of_cell,
    references_said,
    short_title,
    title,
)

COLUMNS = 5
WIDTHS = (26, 11, 12, 10, 5)  # at least; with a gap of one between them
LEAST_NAME = 12
LINE = 80  # columns of a terminal; the names of arms take what the others leave
RIGHT = (False, True, True, False, True)
STARTS = {"own": "the loss's own best constant", "prior": "the log odds of the prevalence", "zero": "zero"}
TUNED = "best of {} candidates of a family, chosen on validation; vs tuned {}"
SHOWN_CLASSES = 6  # as many as fit beside the arms' names
BY_CLASS = "AUCPR by measured class, the rarest last (more in classes.csv)"


def markdown(table: Sequence[ArmRow], classes: Sequence[ClassRow] = ()) -> str:
    """All cells as Markdown tables, each with its conclusions. classes: the rows of per_class."""
    parts = []
    for cell in cells(table):
        answered = " ".join(map(in_markdown, answer(cell)))
        parts += [f"**{in_markdown(title(cell, of_cell(cell, classes)))}**", "", answered, ""]
        parts += markdown_lines(arm_grid(cell))
        for grid in more_grids(cell, classes):
            parts += ["", f"*{grid.title}*", "", *markdown_lines(grid)]
        parts += ["", *(f"- {in_markdown(sentence)}" for sentence in details(cell, of_cell(cell, classes))), ""]
    if (pooled := over_grid(table)) is not None:
        parts += [f"**{pooled.title}**", "", *markdown_lines(pooled), "", *map(in_markdown, over_sentences(table)), ""]
    return "\n".join([*parts, *blurb(table), ""])


def summary(table: Sequence[ArmRow]) -> str:
    """All cells side by side as one Markdown table, a row for each arm and reference."""
    every = cells(table)
    columns = [Column("arm")]
    for cell in every:
        _, first, second, third, _ = headings(cell)
        columns += [Column(f"{short_title(cell)}: {first}", right=True), Column(second, right=True), Column(third)]
    names = dict.fromkeys(row.arm for cell in every for row in cell if row.kind is not Kind.TUNED)
    rows = [[name, *(text for cell in every for text in _of_summary(cell, name))] for name in names]
    return "\n".join([*markdown_lines(plain_grid(columns, rows)), "", *blurb(table), ""])


def _of_summary(cell: Sequence[ArmRow], name: str) -> list[str]:
    """AUCPR, difference and verdict of a row, blank where a cell has no such row."""
    return next((display(row)[1:4] for row in cell if row.arm == name), [""] * 3)


OVERVIEW = (
    Column("data"),
    Column("ceiling", right=True),
    Column("baseline", right=True),
    Column("highest mean"),
    Column("vs baseline", right=True),
    Column("verdict"),
    Column("best reference"),
    Column("vs baseline", right=True),
    Column("start: zero minus own", right=True),
)


def overview(table: Sequence[ArmRow]) -> str:
    """One line a data set as Markdown: ceiling, baseline, highest mean, best reference, and what the start moves."""
    lines = [*markdown_lines(plain_grid(OVERVIEW, [_overview_row(cell) for cell in cells(table)])), ""]
    if (pooled := over_grid(table)) is not None:
        lines += [f"**{pooled.title}**", "", *markdown_lines(pooled), "", *map(in_markdown, over_sentences(table)), ""]
    return "\n".join(lines)


def _overview_row(cell: Sequence[ArmRow]) -> list[str]:
    name, places = baseline_name(cell).lower(), spread.digits(cell[0].margin)
    best = display(max(main_rows(cell), key=skill))
    references = [row for row in cell if row.kind is Kind.REFERENCE]
    reference = display(max(references, key=skill)) if references else [""] * COLUMNS
    plain, zero = (
        next((row for row in cell if (row.family, row.init) == (name, start)), None) for start in ("own", "zero")
    )
    ceiling = cell[0].bayes_average_precision
    return [
        short_title(cell),
        "" if ceiling is None else spread.number(ceiling, places),
        "" if plain is None else f"{name} {display(plain)[1]}",
        " ".join(best[:2]),
        *best[2:4],
        reference[0],
        reference[2],
        "" if zero is None else spread.cell(zero.own_start, places, "+"),
    ]


def latex(table: Sequence[ArmRow], classes: Sequence[ClassRow] = ()) -> str:
    """All cells as LaTeX tables (booktabs). classes: the rows of per_class."""
    parts = []
    for cell in cells(table):
        caption = f"{title(cell, of_cell(cell, classes))}. {' '.join(answer(cell))} {' '.join(blurb(cell))}"
        parts += [r"\begin{table}", rf"\caption{{{in_latex(caption)}}}", *latex_lines(arm_grid(cell))]
        for grid in more_grids(cell, classes):
            parts += ["", *latex_lines(grid)]
        parts += [r"\end{table}", ""]
    if (pooled := over_grid(table)) is not None:
        caption = " ".join([f"{pooled.title}.", *over_sentences(table)])
        parts += [r"\begin{table}", rf"\caption{{{in_latex(caption)}}}", *latex_lines(pooled), r"\end{table}", ""]
    return "\n".join(parts)


def csv_text(table: Sequence[ArmRow]) -> str:
    """The table as CSV, every column."""
    return rows_text(ArmRow, table)


def print_rich(table: Sequence[ArmRow], console: Console, classes: Sequence[ClassRow] = ()) -> None:
    """Print all cells with their conclusions. classes: the rows of per_class."""
    for cell in cells(table):
        console.print(Text(shown(title(cell, of_cell(cell, classes))), style="bold"))
        for sentence in answer(cell):
            console.print(Text(shown(sentence)))
        console.print()
        print_grid(arm_grid(cell), console)
        for grid in more_grids(cell, classes):
            console.print()
            print_grid(grid, console)
        console.print()
        print_lines(details(cell, of_cell(cell, classes)), console)
        console.print()
    if (pooled := over_grid(table)) is not None:
        print_grid(pooled, console)
        for sentence in over_sentences(table):
            console.print(Text(sentence))
        console.print()
    console.print(Text("\n".join(blurb(table)), style="dim"))  # brackets are no markup


def terminal_text(table: Sequence[ArmRow], console: Console, classes: Sequence[ClassRow] = ()) -> str:
    """What print_rich prints, as text for such a console."""
    with console.capture() as captured:
        print_rich(table, console, classes)
    return captured.get()


def arm_grid(cell: Sequence[ArmRow]) -> Grid:
    """A cell's table: its rows by their start, then tuned rows and references."""
    columns = [
        Column(heading, right, width, wraps=heading == "arm")
        for heading, right, width in zip(headings(cell), RIGHT, _widths(cell), strict=True)
    ]
    return Grid(
        tuple(columns),
        tuple(Section(heading, tuple(map(_line, rows))) for heading, rows in sections(cell)),
    )


def more_grids(cell: Sequence[ArmRow], classes: Sequence[ClassRow]) -> list[Grid]:
    """What stands under a cell's table: its rows at their thresholds, their probabilities, its classes."""
    acting = operating_grid(sections(cell), baseline_name(cell))
    every = (acting, recalibration_grid(sections(cell)), class_grid(cell, classes))
    return [grid for grid in every if grid is not None]


def _line(row: ArmRow) -> Line:
    color = {Verdict.BETTER: "green", Verdict.WORSE: "red"}.get(row.verdict or Verdict.BASELINE, "")
    return Line((row.name, *display(row)[1:]), color)


def _widths(cell: Sequence[ArmRow]) -> list[int]:
    """Characters of each column in a terminal, the same in all sections of a cell."""
    texts = zip(headings(cell), *map(display, cell), strict=True)
    lengths = ((len(shown(text)) for text in column) for column in texts)
    names, *others = (max(least, *column) for least, column in zip(WIDTHS, lengths, strict=True))
    return [min(names, max(LINE - sum(others) - len(others), LEAST_NAME)), *others]


def class_grid(cell: Sequence[ArmRow], classes: Sequence[ClassRow]) -> Grid | None:
    """The rarest measured classes, their rows, chance and ceilings, then every arm; None where there are none."""
    here = of_cell(cell, classes)
    by_arm = {name: [row for row in here if row.arm == name] for name in dict.fromkeys(row.arm for row in here)}
    if not by_arm:
        return None
    measured = [row for row in next(iter(by_arm.values())) if row.average_precision is not None]
    rarest = sorted(measured, key=lambda row: -row.train_positives)[-SHOWN_CLASSES:]
    lines = [["(training rows)", *(f"{row.train_positives:,.0f}" for row in rarest)]]
    lines.append(["(chance)", *(f"{row.prevalence:.4f}".removeprefix("0") for row in rarest)])
    if rarest[0].bayes_average_precision is not None:
        lines.append(["(Bayes ceiling)", *(_short(row.bayes_average_precision) for row in rarest)])
    for arm, rows in by_arm.items():
        values = {row.name: row.average_precision for row in rows}
        means = (values[row.name] for row in rarest)
        lines.append([arm, *(_short(None if found is None else found.mean) for found in means)])
    names = [Column(row.name, right=True, width=8, wraps=True) for row in rarest]
    return plain_grid([Column("arm", width=WIDTHS[0] - 1, wraps=True), *names], lines, BY_CLASS)


def _short(value: float | None) -> str:
    return "" if value is None else spread.number(value, 3)


def sections(cell: Sequence[ArmRow]) -> list[tuple[str, list[ArmRow]]]:
    """A cell's rows under their headings: one for each start, then tuned rows, then references."""
    grouped: dict[str, list[ArmRow]] = {}
    name, references = baseline_name(cell), references_said(cell)
    for row in cell:
        heading = {Kind.TUNED: TUNED.format(row.candidates, name), Kind.REFERENCE: references}.get(row.kind)
        grouped.setdefault(heading or f"last bias started at {STARTS[str(row.init)]}", []).append(row)
    return list(grouped.items())


def headings(cell: Sequence[ArmRow]) -> tuple[str, ...]:
    """The headings of a cell's columns."""
    by_seed = " (min, max)" if any(spread.form(row.value) == "seeds" for row in cell) else ""
    return "arm", f"{heading(cell[0].by)}{by_seed}", f"vs {baseline_name(cell)}{by_seed}", "verdict", "skill"


def display(row: ArmRow) -> list[str]:
    """The cells of one row, as text."""
    places, skill = spread.digits(row.margin), row.scores.recovered.log_loss_skill
    return [
        row.arm,
        spread.cell(row.value, places),
        spread.cell(row.delta, places, "+"),
        _verdict(row),
        "" if skill is None else f"{skill:z.2f}",
    ]


def _verdict(row: ArmRow) -> str:
    """A verdict, with the margin or the number of seeds that it takes, and a mark where more training may change it."""
    mark = "*" if row.budget_limited else ""
    if row.verdict is Verdict.WITHIN:
        return f"within {spread.number(row.margin, spread.digits(row.margin))}{mark}"
    if row.verdict is Verdict.UNDECIDED and row.seeds_to_decide:
        return f"undecided: {row.seeds_to_decide:,} seeds{mark}"
    return f"{row.verdict or ''}{mark}"
