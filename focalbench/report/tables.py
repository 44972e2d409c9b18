"""A comparison as a table to read: in the terminal, as Markdown, as LaTeX, as CSV."""

from collections.abc import Sequence

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from focalbench.analysis.rows import ArmRow, ClassRow, Kind, Verdict
from focalbench.base.rows import rows_text
from focalbench.base.text import in_latex, in_markdown, shown
from focalbench.report import spread
from focalbench.report.words import (
    baseline_name,
    blurb,
    cells,
    decision,
    details,
    main_rows,
    of_cell,
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
REFERENCE = "scikit-learn's logistic regression and histogram boosting, settings chosen on validation"


def markdown(table: Sequence[ArmRow], classes: Sequence[ClassRow] = ()) -> str:
    """All cells as Markdown tables, each with its conclusions. classes: the rows of per_class."""
    parts = []
    for cell in cells(table):
        parts += [f"**{in_markdown(title(cell, of_cell(cell, classes)))}**", "", in_markdown(decision(cell)), ""]
        parts += ["| " + " | ".join(headings(cell)) + " |", "|" + "|".join("---:" if r else "---" for r in RIGHT) + "|"]
        for section, rows in sections(cell):
            parts += [f"| *{section}* |" + " |" * (COLUMNS - 1)]
            parts += ["| " + " | ".join([in_markdown(row.name), *_marked(row)[1:]]) + " |" for row in rows]
        if grid := class_grid(cell, classes):
            names, *lines = ["| " + " | ".join(map(in_markdown, line)) + " |" for line in grid]
            parts += ["", f"*{BY_CLASS}*", "", names, "|---" + "|---:" * (len(grid[0]) - 1) + "|", *lines]
        parts += ["", *(f"- {in_markdown(sentence)}" for sentence in details(cell, of_cell(cell, classes))), ""]
    return "\n".join([*parts, *blurb(table), ""])


def summary(table: Sequence[ArmRow]) -> str:
    """All cells side by side as one Markdown table, a row for each arm and reference."""
    every = cells(table)
    names = dict.fromkeys(row.arm for cell in every for row in cell if row.kind is not Kind.TUNED)
    lines = [
        "| arm | "
        + " | ".join(f"{in_markdown(short_title(cell))}: {' | '.join(_of_summary(headings(cell)))}" for cell in every)
        + " |"
    ]
    lines += ["|---|" + "---:|---:|---|" * len(every)]
    for name in names:
        found = [next((_marked(row) for row in cell if row.arm == name), [""] * COLUMNS) for cell in every]
        lines.append(f"| {in_markdown(name)} | " + " | ".join(" | ".join(_of_summary(row)) for row in found) + " |")
    return "\n".join([*lines, "", *blurb(table), ""])


def _of_summary(texts: Sequence[str]) -> tuple[str, ...]:
    """AUCPR, difference and verdict of a row's cells."""
    return texts[1], texts[2], texts[3]


def overview(table: Sequence[ArmRow]) -> str:
    """One line a data set as Markdown: ceiling, baseline, highest mean, best reference, and what the start moves."""
    lines = [
        "| data | ceiling | baseline | highest mean | vs baseline | verdict | best reference | vs baseline "
        "| start: zero minus own |"
    ]
    lines += ["|---|---:|---:|---|---:|---|---|---:|---:|"]
    for cell in cells(table):
        main, name = main_rows(cell), baseline_name(cell).lower()
        best, places = max(main, key=_mean), spread.digits(cell[0].margin)
        references = [row for row in cell if row.kind is Kind.REFERENCE]
        plain, zero = (
            next((row for row in cell if (row.loss, row.init) == (name, start)), None) for start in ("own", "zero")
        )
        ceiling = cell[0].bayes_average_precision
        texts = [
            in_markdown(short_title(cell)),
            "" if ceiling is None else spread.number(ceiling, places),
            "" if plain is None else f"{name} {display(plain)[1]}",
            " ".join(_marked(best)[:2]),
            *_marked(best)[2:4],
            *(_marked(max(references, key=_mean))[0:3:2] if references else ("", "")),
            "" if zero is None else spread.cell(zero.own_start, places, "+"),
        ]
        lines.append("| " + " | ".join(texts) + " |")
    return "\n".join([*lines, ""])


def _mean(row: ArmRow) -> float:
    return row.average_precision.mean


def latex(table: Sequence[ArmRow], classes: Sequence[ClassRow] = ()) -> str:
    """All cells as LaTeX tables (booktabs). classes: the rows of per_class."""
    parts = []
    for cell in cells(table):
        caption = f"{title(cell, of_cell(cell, classes))}. {decision(cell)} {' '.join(blurb(cell))}"
        parts += [r"\begin{table}", rf"\caption{{{in_latex(caption)}}}"]
        parts += [rf"\begin{{tabular}}{{{''.join('r' if r else 'l' for r in RIGHT)}}}", r"\toprule"]
        parts += [_latex_row(headings(cell))]
        for section, rows in sections(cell):
            parts += [r"\midrule", rf"\multicolumn{{{COLUMNS}}}{{l}}{{\emph{{{in_latex(section)}}}}} \\"]
            parts += [_latex_row([row.name, *display(row)[1:]]) for row in rows]
        parts += [r"\bottomrule", r"\end{tabular}"]
        if grid := class_grid(cell, classes):
            parts += [
                "",
                rf"\begin{{tabular}}{{l{'r' * (len(grid[0]) - 1)}}}",
                r"\toprule",
                _latex_row(grid[0]),
                r"\midrule",
            ]
            parts += [*map(_latex_row, grid[1:]), r"\bottomrule", r"\end{tabular}"]
        parts += [r"\end{table}", ""]
    return "\n".join(parts)


def csv_text(table: Sequence[ArmRow]) -> str:
    """The table as CSV, every column."""
    return rows_text(ArmRow, table)


def print_rich(table: Sequence[ArmRow], console: Console, classes: Sequence[ClassRow] = ()) -> None:
    """Print all cells with their conclusions. classes: the rows of per_class."""
    for cell in cells(table):
        console.print(Text(shown(title(cell, of_cell(cell, classes))), style="bold"))
        console.print(_plain(decision(cell)))
        console.print()
        widths = _widths(cell)
        for i, (section, rows) in enumerate(sections(cell)):
            console.print(_rich_section(section, rows, headings(cell), widths, show_header=i == 0))
        if grid := class_grid(cell, classes):
            console.print(_rich_grid(grid))
        console.print()
        for sentence in details(cell, of_cell(cell, classes)):
            console.print(_plain(f"- {sentence}"))
        console.print()
    console.print("\n".join(blurb(table)), style="dim", highlight=False)


def _widths(cell: Sequence[ArmRow]) -> list[int]:
    """Columns of the terminal for each column of a cell, the same in all of its sections."""
    texts = zip(headings(cell), *map(display, cell), strict=True)
    lengths = ((len(shown(text)) for text in column) for column in texts)
    names, *others = (max(least, *column) for least, column in zip(WIDTHS, lengths, strict=True))
    return [min(names, max(LINE - sum(others) - len(others), LEAST_NAME)), *others]


def _rich_section(
    section: str, rows: Sequence[ArmRow], names: Sequence[str], widths: Sequence[int], *, show_header: bool
) -> Table:
    grid = Table(title=section, title_justify="left", title_style="italic", box=None, show_header=show_header)
    grid.pad_edge = False
    grid.padding = (0, 1, 0, 0)
    for heading, width, right in zip(names, widths, RIGHT, strict=True):
        justify: JustifyMethod = "right" if right else "left"
        grid.add_column(heading, justify=justify, width=width, no_wrap=heading != "arm", overflow="fold")
    for row in rows:
        style = {Verdict.BETTER: "green", Verdict.WORSE: "red"}.get(row.verdict or Verdict.BASELINE, "")
        grid.add_row(*map(_plain, [row.name, *display(row)[1:]]), style=style)
    return grid


def _rich_grid(lines: Sequence[Sequence[str]]) -> Table:
    grid = Table(title=BY_CLASS, title_justify="left", title_style="italic", box=None)
    grid.padding = (0, 1, 0, 0)
    for i, heading in enumerate(lines[0]):
        width = 8 if i else WIDTHS[0] - 1
        grid.add_column(_plain(heading), justify="right" if i else "left", width=width, overflow="fold")
    for line in lines[1:]:
        grid.add_row(*map(_plain, line))
    return grid


def _plain(text: str) -> Text:
    """A text for the terminal, in which rich finds no markup."""
    return Text(shown(text))


def class_grid(cell: Sequence[ArmRow], classes: Sequence[ClassRow]) -> list[list[str]]:
    """Lines of text: the rarest measured classes, their rows, chance and ceilings, then every arm; or nothing."""
    here = of_cell(cell, classes)
    by_arm = {name: [row for row in here if row.arm == name] for name in dict.fromkeys(row.arm for row in here)}
    if not by_arm:
        return []
    first = [row for row in next(iter(by_arm.values())) if row.average_precision is not None]
    shown = sorted(first, key=lambda row: -row.train_positives)[-SHOWN_CLASSES:]
    lines = [["arm", *(row.name for row in shown)]]
    lines.append(["(training rows)", *(f"{row.train_positives:,.0f}" for row in shown)])
    lines.append(["(chance)", *(f"{row.prevalence:.4f}".removeprefix("0") for row in shown)])
    if shown[0].bayes_average_precision is not None:
        lines.append(["(Bayes ceiling)", *(_short(row.bayes_average_precision) for row in shown)])
    for arm, rows in by_arm.items():
        values = {row.name: row.average_precision for row in rows}
        means = (values[row.name] for row in shown)
        lines.append([arm, *(_short(None if found is None else found.mean) for found in means)])
    return lines


def _short(value: float | None) -> str:
    return "" if value is None else spread.number(value, 3)


def sections(cell: Sequence[ArmRow]) -> list[tuple[str, list[ArmRow]]]:
    """A cell's rows under their headings: one for each start, then tuned rows, then references."""
    grouped: dict[str, list[ArmRow]] = {}
    name = baseline_name(cell)
    for row in cell:
        heading = {Kind.TUNED: TUNED.format(row.candidates, name), Kind.REFERENCE: REFERENCE}.get(row.kind)
        grouped.setdefault(heading or f"last bias started at {STARTS[str(row.init)]}", []).append(row)
    return list(grouped.items())


def headings(cell: Sequence[ArmRow]) -> tuple[str, ...]:
    """The headings of a cell's columns."""
    by_seed = " (min, max)" if any(spread.form(row.average_precision) == "seeds" for row in cell) else ""
    return "arm", f"AUCPR{by_seed}", f"vs {baseline_name(cell)}{by_seed}", "verdict", "skill"


def display(row: ArmRow) -> list[str]:
    """The cells of one row, as text."""
    places, skill = spread.digits(row.margin), row.scores.recovered.log_loss_skill
    return [
        row.arm,
        spread.cell(row.average_precision, places),
        spread.cell(row.delta, places, "+"),
        _verdict(row),
        "" if skill is None else f"{skill:z.2f}",
    ]


def _marked(row: ArmRow) -> list[str]:
    """The cells of one row, for Markdown."""
    arm, average_precision, delta, verdict, skill = display(row)
    return [in_markdown(arm), average_precision, delta, in_markdown(verdict), skill]


def _verdict(row: ArmRow) -> str:
    """A verdict, with the margin or the number of seeds that it takes, and a mark where more training may change it."""
    mark = "*" if row.budget_limited else ""
    if row.verdict is Verdict.WITHIN:
        return f"within {spread.number(row.margin, spread.digits(row.margin))}{mark}"
    if row.verdict is Verdict.UNDECIDED and row.seeds_to_decide:
        return f"undecided: {row.seeds_to_decide:,} seeds{mark}"
    return f"{row.verdict or ''}{mark}"


def _latex_row(values: Sequence[str]) -> str:
    return " & ".join(map(in_latex, values)) + r" \\"
