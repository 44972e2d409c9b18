"""A comparison as a table to read: in the terminal, as Markdown, as LaTeX, as CSV."""

from collections.abc import Sequence
from typing import cast

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from focalbench.comparison import AUCPR, DELTA, OWN_START, TABLE_COLUMNS
from focalbench.records import Record, to_csv
from focalbench.report import spread
from focalbench.report.words import baseline_name, blurb, cells, conclusions, short_title, title
from focalbench.shown import in_latex, in_markdown, shown

COLUMNS = 6
WIDTHS = (26, 11, 12, 6, 10, 5)  # at least; with a gap of one between them
LEAST_NAME = 12
LINE = 80  # columns of a terminal; the names of arms take what the others leave
RIGHT = (False, True, True, True, False, True)
STARTS = {"own": "the loss's own best constant", "prior": "the log odds of the prevalence", "zero": "zero"}
TUNED = "best of {} candidates of a family, chosen on validation; vs tuned {}"
SHOWN_CLASSES = 6  # as many as fit beside the arms' names
BY_CLASS = "AUCPR by measured class, the rarest last (more in classes.csv)"
REFERENCE = "scikit-learn's logistic regression and histogram boosting, settings chosen on validation"


def markdown(table: Sequence[Record], classes: Sequence[Record] = ()) -> str:
    """All cells as Markdown tables, each with its conclusions. classes: the rows of per_class."""
    parts = []
    for cell in cells(table):
        parts += [f"**{in_markdown(title(cell, _of_cell(cell, classes)))}**", ""]
        parts += ["| " + " | ".join(headings(cell)) + " |", "|" + "|".join("---:" if r else "---" for r in RIGHT) + "|"]
        for section, rows in sections(cell):
            parts += [f"| *{section}* |" + " |" * (COLUMNS - 1)]
            parts += ["| " + " | ".join([in_markdown(_arm(row)), *_marked(row)[1:]]) + " |" for row in rows]
        if grid := class_grid(cell, classes):
            names, *lines = ["| " + " | ".join(map(in_markdown, line)) + " |" for line in grid]
            parts += ["", f"*{BY_CLASS}*", "", names, "|---" + "|---:" * (len(grid[0]) - 1) + "|", *lines]
        parts += ["", *(f"- {in_markdown(sentence)}" for sentence in conclusions(cell, _of_cell(cell, classes))), ""]
    return "\n".join([*parts, *blurb(table), ""])


def summary(table: Sequence[Record]) -> str:
    """All cells side by side as one Markdown table, a row for each arm and reference."""
    every = cells(table)
    names = dict.fromkeys(str(row["arm"]) for cell in every for row in cell if row["kind"] != "tuned")
    lines = [
        "| arm | "
        + " | ".join(f"{in_markdown(short_title(cell))}: {' | '.join(_of_summary(headings(cell)))}" for cell in every)
        + " |"
    ]
    lines += ["|---|" + "---:|---:|---|" * len(every)]
    for name in names:
        found = [next((_marked(row) for row in cell if row["arm"] == name), [""] * COLUMNS) for cell in every]
        lines.append(f"| {in_markdown(name)} | " + " | ".join(" | ".join(_of_summary(row)) for row in found) + " |")
    return "\n".join([*lines, "", *blurb(table), ""])


def _of_summary(texts: Sequence[str]) -> tuple[str, ...]:
    """AUCPR, difference and verdict of a row's cells."""
    return texts[1], texts[2], texts[4]


def overview(table: Sequence[Record]) -> str:
    """One line a data set as Markdown: ceiling and best reference, baseline, highest mean, and what the start moves."""
    lines = [
        "| data | ceiling | best reference | baseline | highest mean | vs baseline | verdict | start: zero minus own |"
    ]
    lines += ["|---" * 4 + "|---|---:|---|---:|"]
    for cell in cells(table):
        main = [row for row in cell if row["kind"] == "arm" and row["init"] == "own"]
        references = [row for row in cell if row["kind"] == "reference"]
        best, name = max(main, key=_mean), baseline_name(cell).lower()
        plain, zero = (
            next((row for row in cell if (row["loss"], row["init"]) == (name, start)), None)
            for start in ("own", "zero")
        )
        texts = [
            in_markdown(short_title(cell)),
            _short(cell[0]["bayes_average_precision"]) if cell[0]["bayes_average_precision"] is not None else "",
            f"{_marked(max(references, key=_mean))[0]} {_short(max(map(_mean, references)))}" if references else "",
            "" if plain is None else f"{name} {display(plain)[1]}",
            " ".join(_marked(best)[:2]),
            *_marked(best)[2:5:2],
            "" if zero is None else spread.cell(zero, OWN_START, "+z.3f"),
        ]
        lines.append("| " + " | ".join(texts) + " |")
    return "\n".join([*lines, ""])


def _mean(row: Record) -> float:
    return cast(float, row["average_precision"])


def latex(table: Sequence[Record], classes: Sequence[Record] = ()) -> str:
    """All cells as LaTeX tables (booktabs). classes: the rows of per_class."""
    parts = []
    for cell in cells(table):
        caption = f"{title(cell, _of_cell(cell, classes))}. {' '.join(blurb(cell))}"
        parts += [r"\begin{table}", rf"\caption{{{in_latex(caption)}}}"]
        parts += [rf"\begin{{tabular}}{{{''.join('r' if r else 'l' for r in RIGHT)}}}", r"\toprule"]
        parts += [_latex_row(headings(cell))]
        for section, rows in sections(cell):
            parts += [r"\midrule", rf"\multicolumn{{{COLUMNS}}}{{l}}{{\emph{{{in_latex(section)}}}}} \\"]
            parts += [_latex_row([_arm(row), *display(row)[1:]]) for row in rows]
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


def csv_text(table: Sequence[Record]) -> str:
    """The table as CSV, every column."""
    return to_csv(TABLE_COLUMNS, table)


def print_rich(table: Sequence[Record], console: Console, classes: Sequence[Record] = ()) -> None:
    """Print all cells with their conclusions. classes: the rows of per_class."""
    for cell in cells(table):
        console.print(Text(shown(title(cell, _of_cell(cell, classes))), style="bold"))
        widths = _widths(cell)
        for i, (section, rows) in enumerate(sections(cell)):
            console.print(_rich_section(section, rows, headings(cell), widths, show_header=i == 0))
        if grid := class_grid(cell, classes):
            console.print(_rich_grid(grid))
        console.print()
        for sentence in conclusions(cell, _of_cell(cell, classes)):
            console.print(_plain(f"- {sentence}"))
        console.print()
    console.print("\n".join(blurb(table)), style="dim", highlight=False)


def _widths(cell: Sequence[Record]) -> list[int]:
    """Columns of the terminal for each column of a cell, the same in all of its sections."""
    texts = zip(headings(cell), *map(display, cell), strict=True)
    lengths = ((len(shown(text)) for text in column) for column in texts)
    names, *others = (max(least, *column) for least, column in zip(WIDTHS, lengths, strict=True))
    return [min(names, max(LINE - sum(others) - len(others), LEAST_NAME)), *others]


def _rich_section(
    section: str, rows: Sequence[Record], names: Sequence[str], widths: Sequence[int], *, show_header: bool
) -> Table:
    grid = Table(title=section, title_justify="left", title_style="italic", box=None, show_header=show_header)
    grid.pad_edge = False
    grid.padding = (0, 1, 0, 0)
    for heading, width, right in zip(names, widths, RIGHT, strict=True):
        justify: JustifyMethod = "right" if right else "left"
        grid.add_column(heading, justify=justify, width=width, no_wrap=heading != "arm", overflow="fold")
    for row in rows:
        style = {"better": "green", "worse": "red"}.get(str(row["verdict"]), "")
        grid.add_row(*map(_plain, [_arm(row), *display(row)[1:]]), style=style)
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


def class_grid(cell: Sequence[Record], classes: Sequence[Record]) -> list[list[str]]:
    """Lines of text: the rarest measured classes, their rows, chance and ceilings, then every arm; or nothing."""
    here = _of_cell(cell, classes)
    by_arm = {name: [row for row in here if row["arm"] == name] for name in dict.fromkeys(row["arm"] for row in here)}
    if not by_arm:
        return []
    first = [row for row in next(iter(by_arm.values())) if row["average_precision"] is not None]
    shown = sorted(first, key=lambda row: -cast(float, row["train_positives"]))[-SHOWN_CLASSES:]
    names = [str(row["class"]) for row in shown]
    lines = [["arm", *names], ["(training rows)", *(f"{row['train_positives']:,.0f}" for row in shown)]]
    lines.append(["(chance)", *(f"{row['prevalence']:.4f}".removeprefix("0") for row in shown)])
    if shown[0]["bayes_average_precision"] is not None:
        lines.append(["(Bayes ceiling)", *(_short(row["bayes_average_precision"]) for row in shown)])
    for arm, rows in by_arm.items():
        values = {row["class"]: row["average_precision"] for row in rows}
        lines.append([str(arm), *(_short(values[name]) for name in names)])
    return lines


def _of_cell(cell: Sequence[Record], classes: Sequence[Record]) -> list[Record]:
    return [row for row in classes if all(row[name] == cell[0][name] for name in ("dataset", "positive_rate"))]


def _short(value: object) -> str:
    return format(cast(float, value), ".3f").replace("0.", ".", 1)


def sections(cell: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """A cell's rows under their headings: one for each start, then tuned rows, then references."""
    grouped: dict[str, list[Record]] = {}
    name = baseline_name(cell)
    for row in cell:
        heading = {"tuned": TUNED.format(row["candidates"], name), "reference": REFERENCE}.get(str(row["kind"]))
        grouped.setdefault(heading or f"last bias started at {STARTS[str(row['init'])]}", []).append(row)
    return list(grouped.items())


def headings(cell: Sequence[Record]) -> tuple[str, ...]:
    """The headings of a cell's columns."""
    by_seed = " (min, max)" if any(spread.kind(row, AUCPR) == "seeds" for row in cell) else ""
    return "arm", f"AUCPR{by_seed}", f"vs {baseline_name(cell)}{by_seed}", "p adj.", "verdict", "skill"


def display(row: Record) -> list[str]:
    """The cells of one row, as text."""
    return [
        str(row["arm"]),
        spread.cell(row, AUCPR, ".3f"),
        spread.cell(row, DELTA, "+z.3f"),
        _p_value(row["p_adjusted"]),
        _verdict(row),
        "" if row["recovered_log_loss_skill"] is None else f"{row['recovered_log_loss_skill']:z.2f}",
    ]


def _marked(row: Record) -> list[str]:
    """The cells of one row, for Markdown."""
    arm, average_precision, delta, p_value, verdict, skill = display(row)
    return [in_markdown(arm), average_precision, delta, p_value, in_markdown(verdict), skill]


def _arm(row: Record) -> str:
    """A row's name under its section's heading, which says the start."""
    return str(row["arm"]).removesuffix(f" ({row['init']} start)") if row["kind"] == "arm" else str(row["arm"])


def _verdict(row: Record) -> str:
    if row["verdict"] == "baseline" and row["budget_limited"] == "true":
        return "budget-limited"
    return str(row["verdict"] or "")


def _p_value(value: object) -> str:
    return "" if value is None else "<.001" if cast(float, value) < 0.001 else f"{value:.3f}".replace("0.", ".", 1)


def _latex_row(values: Sequence[str]) -> str:
    return " & ".join(map(in_latex, values)) + r" \\"
