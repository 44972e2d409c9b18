"""Models compared on one set of rows, as a page: what it says first, a table for each metric, remarks."""

from collections.abc import Sequence

from focalbench.analysis.paired import LEAST_PARTS, Ends
from focalbench.analysis.rows import Verdict
from focalbench.analysis.scored import ModelRow
from focalbench.base.rows import rows_text
from focalbench.datasets.tables.targets import listed
from focalbench.report import spread
from focalbench.report.grid import Column, Grid, Line, Page, Section, aligned
from focalbench.report.metric import definition, heading, phrase
from focalbench.runs.metric import MetricName

COLUMNS = ("95% interval", "difference", "of all at once", "verdict")
MOST_PLACES = 5
HOW = (
    "Intervals speak of other rows of the same kind, scored by these very models; what training them again would move "
    "is not in them. They rest on leaving out parts of the {units}, 256 at most, and, for all differences at once, on "
    "flipping the parts' signs 10,000 times."
)


def compared_page(rows: Sequence[ModelRow]) -> Page:
    """rows: of compare_scores."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    tables = [[row for row in rows if row.metric == metric] for metric in metrics]
    first = rows[0]
    units = "rows" if first.groups is None else f"{first.groups:,} groups"
    remarks = [decision(table) for table in tables] + [HOW.format(units=units)]
    remarks += [definition(metric) + "." for metric in metrics if metric.name in EXPLAINED]
    remarks += [OF_COST for metric in metrics if metric.costs is not None]
    remarks += [OF_WEIGHTS] if first.weighted else []
    return Page(tuple(map(_grid, tables)), tuple(remarks), rows_text(ModelRow, rows))


EXPLAINED = (MetricName.AVERAGE_PRECISION,)
OF_WEIGHTS = "Rows are weighted; K of precision_at counts rows of mean weight."
OF_COST = "Cost is that at the threshold that costs least on these very rows, for each model: on others it costs more."


def _grid(table: Sequence[ModelRow]) -> Grid:
    baseline = table[0]
    heads, lines = (heading(baseline.metric), *COLUMNS), tuple(map(_line, table))
    columns = [Column("model", wraps=True), *(Column(head, right=head != "verdict") for head in heads)]
    weighted = ", weighted" if baseline.weighted else ""
    title = f"{phrase(baseline.metric)}, {baseline.rows:,} rows{weighted}, {baseline.positives:,} of them positive"
    title += f"; differences to {baseline.model}"
    return aligned(Grid(tuple(columns), (Section("", lines),), title))


def _line(row: ModelRow) -> Line:
    places = _places(row)
    words = {Verdict.TOO_FEW: "no verdict", Verdict.WITHIN: f"within {spread.number(row.margin, places)}"}
    verdict = words.get(row.verdict, str(row.verdict))
    cells = (
        row.model,
        spread.number(row.value, places),
        _ends(row.ends, places),
        "" if row.delta is None else spread.number(row.delta, places, "+"),
        _ends(row.delta_ends, places, "+"),
        verdict,
    )
    return Line(cells, {Verdict.BETTER: "green", Verdict.WORSE: "red"}.get(row.verdict, ""))


def _places(row: ModelRow) -> int:
    return min(spread.digits(row.margin), MOST_PLACES)


def _ends(found: Ends | None, places: int, sign: str = "") -> str:
    if found is None:
        return ""
    return f"[{spread.number(found.low, places, sign)}, {spread.number(found.high, places, sign)}]"


def decision(table: Sequence[ModelRow]) -> str:
    """What the rows of one metric support, in plain words."""
    baseline, *others = table
    what = phrase(baseline.metric)
    if others[0].verdict is Verdict.TOO_FEW:
        held = f"positives, and negatives, in at least {LEAST_PARTS} rows or groups of rows"
        return f"No verdict in {what}: intervals take {held}."
    places = _places(baseline)
    groups = {verdict: [row for row in others if row.verdict is verdict] for verdict in WORDS}
    margin = spread.number(baseline.margin, places)
    said = [
        f"{listed([_with_ends(row, places) for row in found])} {word} {baseline.model}"
        + (f", to within {margin}" if verdict is Verdict.WITHIN else "")
        for (verdict, word), found in zip(WORDS.items(), groups.values(), strict=True)
        if found
    ]
    return f"By {what}: {'; '.join(said)}."


WORDS = {
    Verdict.BETTER: "better than",
    Verdict.WORSE: "worse than",
    Verdict.WITHIN: "as good as",
    Verdict.UNDECIDED: "undecided against",
}


def _with_ends(row: ModelRow, places: int) -> str:
    delta = 0.0 if row.delta is None else row.delta
    return f"{row.model} ({spread.number(delta, places, '+')} {_ends(row.delta_ends, places, '+')})"
