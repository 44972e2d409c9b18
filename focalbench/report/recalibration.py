"""How good probabilities are by each way to them: a table under a cell's own."""

from collections.abc import Sequence

from focalbench.analysis.rows import ArmRow, Kind, Spread
from focalbench.report import spread
from focalbench.report.grid import Column, Grid, Line, Section, aligned

PLACES = 2
TITLE = (
    "skill of the probabilities: of the scores as they are, by the loss's inverse and prior correction, and by Platt "
    "and isotonic regression on validation"
)
NAMES = ("as it is", "inverse", "Platt", "isotonic")


def recalibration_grid(sections: Sequence[tuple[str, Sequence[ArmRow]]]) -> Grid | None:
    """A cell's rows; None where nobody asked. sections: rows by heading, as of the table."""
    kept = [(heading, [row for row in rows if row.kind is not Kind.TUNED]) for heading, rows in sections]
    if not any(row.recalibration for _, rows in kept for row in rows):
        return None
    columns = [Column("arm", wraps=True), *(Column(name, right=True) for name in NAMES)]
    return aligned(
        Grid(tuple(columns), tuple(Section(heading, tuple(map(_line, rows))) for heading, rows in kept), TITLE)
    )


def _line(row: ArmRow) -> Line:
    found = row.recalibration
    each = () if found is None else (found.raw, found.inverse, found.platt, found.isotonic)
    return Line((row.name, *map(_short, each)))


def _short(found: Spread | None) -> str:
    """A mean, with half of its interval where there is one."""
    if found is None:
        return ""
    return spread.number(found.mean, PLACES) if found.low is None else spread.cell(found, PLACES)
