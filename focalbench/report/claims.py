"""What an experiment file claims and what its runs say, as a page: a table for each claim."""

from collections.abc import Iterable, Iterator, Sequence

from focalbench.analysis.claim_rows import ClaimRow, ClaimVerdict
from focalbench.analysis.rows import Scope
from focalbench.base.rows import rows_text
from focalbench.base.text import in_markdown
from focalbench.plan.claims import Axis, Claim, Condition, Direction, Epochs, Measure
from focalbench.report import spread
from focalbench.report.grid import Column, Grid, Line, Page, Section, aligned, markdown_lines
from focalbench.report.words import OF_SCOPE

MEASURES = {
    Measure.METRIC: "",
    Measure.RAW_SLOPE: "log calibration slope, raw: ",
    Measure.RECOVERED_SLOPE: "log calibration slope, recovered: ",
    Measure.SKILL: "log-loss skill, recovered: ",
    Measure.OF_BAYES: "AUCPR as a share of the Bayes score's: ",
    Measure.HARD_SHARE: "share of the negatives' loss in their hardest 1%: ",
}
AXES = {
    Axis.GAMMA: "gamma",
    Axis.NOISE: "label noise",
    Axis.PER_BATCH: "log2 positives a batch",
    Axis.RATE: "log10 rate",
    Axis.POSITIVES: "log10 training positives",
}
EPOCHS = {Epochs.QUARTER: " (a quarter of the epochs)", Epochs.HALF: " (half of the epochs)", Epochs.ALL: ""}
COLUMNS = (
    Column("data", wraps=True),
    Column("seeds", right=True),
    Column("95% interval", right=True),
    Column("margin", right=True),
    Column("verdict"),
)
COLORS = {ClaimVerdict.SUPPORTED: "green", ClaimVerdict.REFUTED: "red"}
HOW = (
    "supported: the interval lies beyond the margin on the claimed side; refuted: it does not reach the margin (too "
    "small: it is on the claimed side of 0 for certain, but by less than matters); inconclusive: neither, and how many "
    "seeds would decide if the estimate stays (none is named where only other data would). The intervals of one claim "
    "hold at once (Student's t, Bonferroni); claims are not corrected for one another. A claim with several conditions "
    "needs all of them."
)
OF_EDGE = "^: more than half of the seeds chose one end of the grid of learning rates, for one of the arms."
OF_TABLE = "†: speaks of other splits of this very table only; nothing is kept of this measure that speaks of others."
OF_BUDGET = "*: the number still moved by more than the margin in the second half of the epochs."


def claims_page(claims: Sequence[Claim], rows: Sequence[ClaimRow]) -> Page:
    """A table for each claim. rows: of claim_rows."""
    grids = [_grid(claim, _own(claim, rows)) for claim in claims]
    marks = [
        *([OF_BUDGET] if any(row.budget_limited for row in rows) else []),
        *([OF_EDGE] if any(row.at_edge for row in rows) else []),
        *([OF_TABLE] if any(row.scope is Scope.THIS_TABLE for row in rows) else []),
    ]
    scopes = (OF_SCOPE[row.scope] for row in rows if row.scope not in (None, Scope.THIS_TABLE))
    remarks = [HOW, *marks, *dict.fromkeys(scopes)]
    return Page(tuple(grids), tuple(remarks), rows_text(ClaimRow, rows))


def claim_tables(claims: Sequence[Claim], rows: Sequence[ClaimRow]) -> dict[str, str]:
    """The table of each claim in Markdown, by the claim's id."""
    grids = {claim.id: _grid(claim, _own(claim, rows)) for claim in claims}
    return {name: f"**{in_markdown(grid.title)}**\n\n{_text(markdown_lines(grid))}" for name, grid in grids.items()}


def claim_lines(claims: Sequence[Claim], rows: Sequence[ClaimRow]) -> str:
    """A line for each claim, as a list in Markdown: its verdict, on which data, and the interval where there is one."""
    return _text(
        f"- {in_markdown(claim.sentence)} ({claim.id}): {_verdicts(claim, _own(claim, rows))}." for claim in claims
    )


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _own(claim: Claim, rows: Sequence[ClaimRow]) -> list[ClaimRow]:
    return [row for row in rows if row.claim == claim.id]


def _verdicts(claim: Claim, own: Sequence[ClaimRow]) -> str:
    """`**refuted** on a and b`, or `**depends on the data**: supported on a; refuted on b`."""
    summaries = [row for row in own if row.condition is None and row.data is not None]
    of_data = summaries or [row for row in own if row.data is not None]
    by_verdict: dict[str, list[str]] = {}
    for row in of_data:
        by_verdict.setdefault(_verdict(claim, row), []).append(in_markdown(_with_number(row)))
    found = [f"{verdict} on {' and '.join(data)}" for verdict, data in by_verdict.items()]
    whole = f"**{_whole(own).verdict}**"
    return f"{whole}: {'; '.join(found)}" if len(found) > 1 else found[0].replace(f"{of_data[0].verdict}", whole, 1)


def _verdict(claim: Claim, row: ClaimRow) -> str:
    """A row's verdict in words: one that is refuted only because what is there is small says so."""
    if row.verdict is not ClaimVerdict.REFUTED or row.condition is None or row.number is None:
        return str(row.verdict)
    condition = claim.conditions[row.condition - 1]
    low, high = spread.limits(row.number) or (condition.than, condition.than)
    on_its_side = {Direction.ABOVE: low > condition.than, Direction.BELOW: high < condition.than}
    return f"{row.verdict} (too small)" if on_its_side.get(condition.direction) else str(row.verdict)


def _with_number(row: ClaimRow) -> str:
    return f"{row.data}" if row.number is None else f"{row.data}, {_number(row)}"


def _whole(own: Sequence[ClaimRow]) -> ClaimRow:
    return next(row for row in own if row.data is None)


def _number(row: ClaimRow) -> str:
    return "" if row.number is None else spread.phrase(row.number, spread.digits(row.margin or 0.01))


def _grid(claim: Claim, rows: Sequence[ClaimRow]) -> Grid:
    title = f"{claim.id}: {claim.sentence} ({claim.said_by}): {_whole(rows).verdict}"
    sections = tuple(_sections(claim, rows))
    return aligned(Grid(COLUMNS, sections, title))


def _sections(claim: Claim, rows: Sequence[ClaimRow]) -> Iterator[Section]:
    for place, condition in enumerate(claim.conditions, 1):
        of_condition = [row for row in rows if row.condition == place]
        yield Section(condition_text(condition), tuple(_line(claim, row) for row in of_condition))
    both = [row for row in rows if row.condition is None and row.data is not None]
    if both:
        yield Section("all conditions", tuple(_line(claim, row) for row in both))


def _line(claim: Claim, row: ClaimRow) -> Line:
    places = spread.digits(row.margin or 0.01)
    number = _number(row)
    margin = "" if row.margin is None else spread.number(row.margin, places)
    needed = f": {row.seeds_to_decide} seeds" if row.seeds_to_decide else ""
    verdict = f"{_verdict(claim, row)}{needed}{'*' if row.budget_limited else ''}{'^' if row.at_edge else ''}"
    data = f"{row.data}{'†' if row.scope is Scope.THIS_TABLE else ''}"
    seeds = "" if row.seeds is None else f"{row.seeds}"
    return Line((data, seeds, number, margin, verdict), COLORS.get(row.verdict, ""))


def condition_text(condition: Condition) -> str:
    """What a condition says, in one line.

    >>> from focalbench.plan.claims import Pair
    >>> pairs = (Pair(("gamma=2",), ("bce",)),)
    >>> condition_text(Condition(pairs, Direction.ABOVE, slope_on=Axis.PER_BATCH))
    'slope on log2 positives a batch of gamma=2 minus bce: above 0 by more than the margin'
    """
    what = " and so on to ".join(dict.fromkeys((_pair(condition, 0), _pair(condition, -1))))
    if condition.slope_on is not None:
        what = f"slope on {AXES[condition.slope_on]} of {what}"
    if condition.weights:
        signed = (f"{weight:+g} x {part}" for part, weight in zip(condition.parts, condition.weights, strict=True))
        what = f"{what}, {' '.join(signed)}"
    where = f", {condition.parts[0]}" if len(condition.parts) == 1 else ""
    return f"{MEASURES[condition.measure]}{what}{where}{EPOCHS[condition.epochs]}: {_wanted(condition)}"


def _pair(condition: Condition, place: int) -> str:
    pair = condition.pairs[place]
    sides = (pair.arms, pair.against)
    return " minus ".join(names[0] if len(names) == 1 else f"best of ({', '.join(names)})" for names in sides if names)


def _wanted(condition: Condition) -> str:
    than = f"{condition.than:g}"
    if condition.direction is Direction.WITHIN:
        return f"within the margin of {than}"
    return f"{str(condition.direction).replace('_', ' ')} {than} by more than the margin"
