"""A cell's table as somebody sorts, filters and copies it: one row an arm, its start in a column of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from focalbench.analysis.rows import ArmRow, Delta, Kind, Spread, Verdict
from focalbench.base.rows import As, rows_text
from focalbench.report import spread
from focalbench.report.grid import Column, latex_lines, markdown_lines, plain_grid
from focalbench.report.tables import display, headings
from focalbench.report.words import OF_BUDGET, baseline_name

WIDE, TALL = 120.0, 14.0  # of a row's picture
MOST = 0.85  # of the ends of intervals: a loss in ruin would squeeze all others
Value = Annotated[Spread, As(columns=("value", "value_low", "value_high", "value_min", "value_max"))]
Place = Callable[[float], float]  # of a difference, in the units of a row's picture


@dataclass(frozen=True, slots=True)
class CopiedRow:
    """A row as it is copied as CSV, unrounded: the columns of table.csv that stand on the page."""

    dataset: str
    positive_rate: float | None
    label_noise: float
    kind: Kind
    arm: str
    init: str | None
    n_seeds: int
    metric: str
    value: Value
    delta: Delta | None
    margin: float
    verdict: Verdict | None
    seeds_to_decide: int | None
    recovered_log_loss_skill: float | None


@dataclass(frozen=True)
class Whisker:
    """A difference and its interval within a row, in the units of its picture. beyond: past an end, "<" or ">"."""

    low: float
    mean: float
    high: float
    beyond: str = ""


@dataclass(frozen=True)
class Shown:
    """A cell of the table. order: what it is sorted by, None for last."""

    text: str
    order: float | str | None


@dataclass(frozen=True)
class Line:
    """A row of the table. verdict: one word, for the filter; color: of it, none where nobody acts on it; taken: whether
    the row is what is advised.
    """

    cells: tuple[Shown, ...]
    start: str
    verdict: str
    color: str
    whisker: Whisker | None
    taken: bool


@dataclass(frozen=True)
class Dialect:
    """A table to copy: what stands before its rows, a text for each, and what stands after them."""

    head: str
    lines: tuple[str, ...]
    tail: str


@dataclass(frozen=True)
class Board:
    """A table with all that its buttons need. margin: what is within it, and zero, in the units of a row's picture;
    notes: what it takes to read it.
    """

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    dialects: dict[str, Dialect]
    margin: tuple[float, float]
    zero: float
    notes: tuple[str, ...]

    @property
    def starts(self) -> list[str]:
        """Those that there are, to choose from."""
        return list(dict.fromkeys(line.start for line in self.lines))

    @property
    def verdicts(self) -> list[str]:
        """Those that there are, to choose from."""
        return list(dict.fromkeys(line.verdict for line in self.lines if line.verdict))


def board(cell: Sequence[ArmRow], taken: ArmRow) -> Board:
    """The table of a cell. taken: the row that is advised."""
    (low, high), main = _span(cell), cell[0].init
    scale = WIDE / (high - low)

    def place(value: float) -> float:
        return round((value - low) * scale, 1)

    texts = [_texts(row, main) for row in cell]
    lines = tuple(
        _line(row, own, _whisker(row.delta, place), row.arm == taken.arm, _news(row, main))
        for row, own in zip(cell, texts, strict=True)
    )
    columns = _columns(cell)
    ends = tuple(min(max(place(end), 0.0), WIDE) for end in (-cell[0].margin, cell[0].margin))
    dialects = _dialects(cell, columns, texts)
    return Board(columns, lines, dialects, (ends[0], ends[1]), place(0.0), tuple(_notes(cell)))


def _notes(cell: Sequence[ArmRow]) -> Iterator[str]:
    if len({row.init for row in cell if row.kind is Kind.ARM}) > 1:
        name = baseline_name(cell)
        yield f"vs {name}: compared with {name} from the same start; models that are no network, with the first {name}."
    if any(row.verdict is Verdict.UNDECIDED and row.seeds_to_decide for row in cell):
        yield "undecided: so many seeds would decide, if the estimate stays."
    if any(row.budget_limited for row in cell):
        yield OF_BUDGET


def _columns(cell: Sequence[ArmRow]) -> tuple[Column, ...]:
    arm, value, delta, verdict, skill = headings(cell)
    right = (Column(value, right=True), Column(delta, right=True))
    return (Column(arm), Column("start"), *right, Column(verdict), Column(skill, right=True))


def _texts(row: ArmRow, main: str | None) -> list[str]:
    value, delta, verdict, skill = display(row)[1:]
    of_start = verdict in (Verdict.BETTER, Verdict.WORSE) and not _is_main(row, main)
    return [row.name, _start(row), value, delta, f"{verdict}, from {row.init}" if of_start else verdict, skill]


def _is_main(row: ArmRow, main: str | None) -> bool:
    """Whether a row is compared with the baseline that a user has: that of the first start."""
    return row.kind is not Kind.ARM or row.init == main


def _news(row: ArmRow, main: str | None) -> str:
    """The verdict of a row that somebody may act on."""
    return str(row.verdict) if row.verdict in (Verdict.BETTER, Verdict.WORSE) and _is_main(row, main) else ""


def _start(row: ArmRow) -> str:
    return str(row.kind) if row.kind is not Kind.ARM else str(row.init)


def _line(row: ArmRow, texts: Sequence[str], whisker: Whisker | None, taken: bool, color: str) -> Line:
    skill = row.scores.recovered.log_loss_skill
    delta = None if row.delta is None else row.delta.mean
    orders = (row.name, _start(row), row.value.mean, delta, str(row.verdict or ""), skill)
    shown = tuple(Shown(text, order) for text, order in zip(texts, orders, strict=True))
    return Line(shown, _start(row), str(row.verdict or ""), color, whisker, taken)


# ---- the picture of a difference


def _span(cell: Sequence[ArmRow]) -> tuple[float, float]:
    """What it spans: most losses of the first start, and some of the margin; what lies beyond is an arrow."""
    first = cell[0]
    near = [row.delta for row in cell if row.delta is not None and row.init == first.init]
    ends = [end for delta in near for end in (spread.limits(delta) or (delta.mean, delta.mean))]
    room = 1.2 * max(first.margin / 4, float(np.quantile(np.abs(ends), MOST))) if ends else first.margin
    return -room, room


def _whisker(delta: Spread | None, place: Place) -> Whisker | None:
    if delta is None:
        return None
    low, high = spread.limits(delta) or (delta.mean, delta.mean)
    mean = place(delta.mean)
    beyond = "<" if mean < 0 else ">" if mean > WIDE else ""
    start, middle, end = (min(max(place(each), 0.0), WIDE) for each in (low, delta.mean, high))
    return Whisker(start, middle, end, beyond)


# ---- copies


def _dialects(cell: Sequence[ArmRow], columns: Sequence[Column], texts: Sequence[Sequence[str]]) -> dict[str, Dialect]:
    grid = plain_grid(columns, texts)
    head = rows_text(CopiedRow, [])
    return {
        "csv": Dialect(head.strip(), tuple(_csv_line(row, head) for row in cell), ""),
        "markdown": _cut(list(markdown_lines(grid)), 2, len(cell)),
        "latex": _cut(list(latex_lines(grid)), 4, len(cell)),
    }


def _cut(lines: Sequence[str], before: int, rows: int) -> Dialect:
    head, body, tail = lines[:before], lines[before : before + rows], lines[before + rows :]
    return Dialect("\n".join(head), tuple(body), "\n".join(tail))


def _csv_line(row: ArmRow, head: str) -> str:
    return rows_text(CopiedRow, [_copied(row)]).removeprefix(head).removesuffix("\n")


def _copied(row: ArmRow) -> CopiedRow:
    return CopiedRow(
        row.dataset,
        row.positive_rate,
        row.label_noise,
        row.kind,
        row.arm,
        row.init,
        row.n_seeds,
        str(row.by),
        row.value,
        row.delta,
        row.margin,
        row.verdict,
        row.seeds_to_decide,
        row.scores.recovered.log_loss_skill,
    )
