"""Models compared on one set of rows, as a page: what it says first, a table for each metric, remarks."""

from collections.abc import Sequence

from focalbench.analysis.paired import Ends
from focalbench.analysis.rows import Verdict
from focalbench.analysis.scored import ModelRow
from focalbench.base.rows import rows_text
from focalbench.datasets.tables.targets import listed
from focalbench.report import spread
from focalbench.report.grid import Column, Grid, Line, Page, Section
from focalbench.report.metric import definition, heading, phrase
from focalbench.runs.metric import MetricName

COLUMNS = ("model", "{heading}", "95% interval", "vs {baseline}", "interval of all at once", "verdict")
HOW = (
    "Intervals speak of other rows of the same kind, scored by these very models; what training them again would move "
    "is not in them. They rest on leaving out 256 random parts of the {units} and, for all differences at once, on "
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
    return Page(tuple(map(_grid, tables)), tuple(remarks), rows_text(ModelRow, rows))


EXPLAINED = (MetricName.AVERAGE_PRECISION, MetricName.NET_BENEFIT)
OF_COST = "Cost is that at the threshold that costs least on these very rows, for each model: on others it costs more."


def _grid(table: Sequence[ModelRow]) -> Grid:
    baseline = table[0]
    heads = [head.format(heading=heading(baseline.metric), baseline=baseline.model) for head in COLUMNS]
    columns = [Column(head, right=0 < place < len(heads) - 1, wraps=place == 0) for place, head in enumerate(heads)]
    title = f"{phrase(baseline.metric)}, {baseline.rows:,} rows, {baseline.positives:,} of them positive"
    return Grid(tuple(columns), (Section("", tuple(map(_line, table))),), title)


def _line(row: ModelRow) -> Line:
    places = spread.digits(row.margin)
    verdict = f"within {spread.number(row.margin, places)}" if row.verdict is Verdict.WITHIN else str(row.verdict)
    cells = (
        row.model,
        spread.number(row.value, places),
        _ends(row.ends, places),
        "" if row.delta is None else spread.number(row.delta, places, "+"),
        _ends(row.delta_ends, places, "+"),
        verdict,
    )
    return Line(cells, {Verdict.BETTER: "green", Verdict.WORSE: "red"}.get(row.verdict, ""))


def _ends(found: Ends | None, places: int, sign: str = "") -> str:
    if found is None:
        return ""
    return f"[{spread.number(found.low, places, sign)}, {spread.number(found.high, places, sign)}]"


def decision(table: Sequence[ModelRow]) -> str:
    """What the rows of one metric support, in plain words."""
    baseline, *others = table
    what = phrase(baseline.metric)
    if others[0].verdict is Verdict.TOO_FEW:
        return f"No verdict in {what}: too few groups of rows for intervals."
    places = spread.digits(baseline.margin)
    groups = {verdict: [row for row in others if row.verdict is verdict] for verdict in WORDS}
    said = [
        f"{listed([_with_ends(row, places) for row in found])} {WORDS[verdict]}"
        for verdict, found in groups.items()
        if found
    ]
    texts = [text.format(baseline=baseline.model, margin=spread.number(baseline.margin, places)) for text in said]
    return f"By {what}: {'; '.join(texts)}."


WORDS = {
    Verdict.BETTER: "better than {baseline}",
    Verdict.WORSE: "worse than {baseline}",
    Verdict.WITHIN: "as good as {baseline}, to within {margin}",
    Verdict.UNDECIDED: "undecided against {baseline}",
}


def _with_ends(row: ModelRow, places: int) -> str:
    delta = 0.0 if row.delta is None else row.delta
    return f"{row.model} ({spread.number(delta, places, '+')} {_ends(row.delta_ends, places, '+')})"
