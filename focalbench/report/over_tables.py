"""Many data sets at once: what each arm does over all of them, as a table and in sentences."""

from collections.abc import Sequence

from focalbench.analysis.rows import ArmRow, Kind, OverTables
from focalbench.report import spread
from focalbench.report.grid import Column, Grid, Line, Section, aligned
from focalbench.report.metric import heading

HEADINGS = ("arm", "better", "worse", "within", "undecided", "difference", "% of its gain")
PLACES = 4
HOW = (
    "The data set is the unit: the mean over data sets like these (random effects) with its 95% interval, of each arm "
    "by itself; two rates of one table count as two. The last column: the difference in percent of what the baseline "
    "gains on no skill."
)


def over_grid(table: Sequence[ArmRow]) -> Grid | None:
    """A row for each arm and reference that stands on several data sets, by start; None where there are too few."""
    sections: dict[str, list[Line]] = {}
    for row in {(row.kind, row.arm): row for row in table}.values():
        if row.over is not None and row.over.delta is not None and row.kind is not Kind.TUNED:
            name = "other models" if row.kind is Kind.REFERENCE else f"last bias started at {row.init}"
            sections.setdefault(name, []).append(Line((row.name, *_cells(row.over))))
    if not sections:
        return None
    columns = [Column(name, right=place > 0, wraps=place == 0) for place, name in enumerate(HEADINGS)]
    counted = len({row.cell for row in table})
    what = f"on how many an arm is better or worse than the baseline, and its {heading(table[0].by)} difference"
    title = f"Over {counted} data sets: {what}"
    return aligned(Grid(tuple(columns), tuple(Section(name, tuple(lines)) for name, lines in sections.items()), title))


def _cells(over: OverTables) -> list[str]:
    counts = over.better, over.worse, over.within, over.undecided
    share = over.relative
    relative = (
        ""
        if share is None or share.low is None or share.high is None
        else (f"{100 * share.mean:+z.1f} [{100 * share.low:+z.1f}, {100 * share.high:+z.1f}]")
    )
    return [*map(str, counts), spread.cell(over.delta, PLACES, "+"), relative]


def over_sentences(table: Sequence[ArmRow]) -> list[str]:
    """What stands under it."""
    return [HOW] if over_grid(table) is not None else []
