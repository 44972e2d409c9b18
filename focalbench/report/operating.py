"""What thresholds do: a table under a cell's own, and the sentence that people act on."""

import math
from collections.abc import Sequence

from focalbench.analysis.rows import ArmRow, Kind, OperatingRow, Spread
from focalbench.report import spread
from focalbench.report.grid import Column, Grid, Line, Section, aligned
from focalbench.report.metric import aim
from focalbench.runs.metric import PER, Aim

PLACES = 3  # of precision and recall
OF_100 = 100


def operating_grid(sections: Sequence[tuple[str, Sequence[ArmRow]]], baseline: str) -> Grid | None:
    """A cell's rows at their thresholds; None where none was asked for. sections: rows by heading, as of the table."""
    kept = [(heading, [row for row in rows if row.kind is not Kind.TUNED]) for heading, rows in sections]
    found = [row.operating for _, rows in kept for row in rows if row.operating is not None]
    if not found:
        return None
    first = found[0]
    names = ["precision", "recall", "alerts", *(["cost"] if first.cost is not None else []), _of_delta(first, baseline)]
    columns = [Column("arm", wraps=True), *(Column(name, right=True) for name in names)]
    title = f"{aim(first.at)}, threshold chosen on validation; alerts{_and_cost(first)} a 1,000 rows of the test"
    parts = tuple(Section(heading, tuple(map(_line, rows))) for heading, rows in kept)
    return aligned(Grid(tuple(columns), parts, title))


def _line(row: ArmRow) -> Line:
    return Line((row.name, *_cells(row.operating)))


def _and_cost(first: OperatingRow) -> str:
    return "" if first.cost is None else " and cost"


def _of_delta(found: OperatingRow, baseline: str) -> str:
    return f"{_left_open(found)} vs {baseline}"


def _left_open(found: OperatingRow) -> str:
    return {Aim.COST: "cost", Aim.RECALL: "alerts"}.get(found.at.aim, "recall")


def _cells(found: OperatingRow | None) -> list[str]:
    if found is None:
        return []
    texts = [
        _short(found.precision, PLACES),
        _short(found.recall, PLACES),
        _counted(found.alerts),
        *([] if found.cost is None else [_counted(found.cost)]),
    ]
    open_places = PLACES if _left_open(found) == "recall" else _places(found.cost or found.alerts)
    return [*texts, _short(found.delta, open_places, "+")]


def _counted(found: Spread) -> str:
    return _short(found, _places(found))


def _short(found: Spread | None, places: int, sign: str = "") -> str:
    """A mean, with half of its interval where there is one: the lowest and highest seed would not fit in."""
    if found is None:
        return ""
    return spread.number(found.mean, places, sign) if found.low is None else spread.cell(found, places, sign)


def _places(found: Spread) -> int:
    """Decimals of a number of any size: three digits in all."""
    return max(0, 2 - math.floor(math.log10(abs(found.mean)))) if found.mean else 2


def operating_sentence(rows: Sequence[ArmRow], baseline: str) -> list[str]:
    """What the threshold of the best arm does against the baseline's. rows: the arms of one start."""
    found = [(row, row.operating, row.operating.delta) for row in rows if row.operating and row.operating.delta]
    if not found:
        return []
    fewer = _left_open(found[0][1]) != "recall"
    row, operating, delta = (min if fewer else max)(found, key=lambda each: each[2].mean)
    where = aim(operating.at)
    where = where[:1].upper() + where[1:]
    if delta.low is None or delta.high is None:
        return [f"{where}: {row.name} {_does(operating, delta)} than {baseline}; too few seeds for an interval."]
    what = {"recall": "find more", "alerts": "need fewer alerts", "cost": "cost less"}[_left_open(operating)]
    if (delta.mean >= 0) if fewer else (delta.mean <= 0):
        return [f"{where} no loss is shown to {what} than {baseline}."]
    sure = delta.high < 0 if fewer else delta.low > 0
    if sure:
        return [f"{where} {row.name} {_does(operating, delta)} than {baseline} {_ends(operating, delta)}."]
    return [
        f"{where} no loss is shown to {what} than {baseline}; the best mean, {row.name}, {_does(operating, delta)} "
        f"{_ends(operating, delta)}."
    ]


def idle_sentence(rows: Sequence[ArmRow]) -> list[str]:
    """What it costs to use no model, where somebody said what errors cost. rows: of one cell."""
    first = rows[0]
    costs = first.by.costs if first.operating is None else first.operating.at.costs or first.by.costs
    if costs is None:
        return []
    nobody, everybody = costs.false_negative * first.prevalence, costs.false_positive * (1 - first.prevalence)
    return [f"Flagging nobody costs {_amount(PER * nobody)}, everybody {_amount(PER * everybody)} a 1,000 rows."]


def _amount(value: float) -> str:
    """A number in a sentence: three digits, or all before the point.

    >>> _amount(2.5), _amount(12345.6)
    ('2.5', '12,346')
    """
    return f"{value:,.0f}" if abs(value) >= PER else f"{value:.3g}"


def does_alone(found: OperatingRow) -> str:
    """What a threshold does, in a sentence."""
    right = "" if found.precision is None else f", {found.precision.mean:.0%} of them rightly"
    cost = "" if found.cost is None else f", at a cost of {_amount(found.cost.mean)} a 1,000 rows"
    share = f"{found.recall.mean:.0%} of the positives"
    return f"flags {found.alerts.mean:.3g} of 1,000 rows on average{right}, and finds {share}{cost}"


def _does(found: OperatingRow, delta: Spread) -> str:
    kind, size = _left_open(found), abs(delta.mean)
    less = delta.mean < 0
    if kind == "recall":
        return f"finds {OF_100 * size:.2g} {'fewer' if less else 'more'} of 100 positives"
    amount = f"{_amount(size)} {'less' if less else 'more'}"
    if kind == "alerts":
        return f"raises {size:.3g} {'fewer' if less else 'more'} alerts a 1,000 rows"
    return f"costs {amount} a 1,000 rows"


def _ends(found: OperatingRow, delta: Spread) -> str:
    """The interval, in the direction of the sentence."""
    scale = OF_100 if _left_open(found) == "recall" else 1
    sign = -1 if delta.mean < 0 else 1
    ends = sorted(sign * scale * (end or 0.0) for end in (delta.low, delta.high))
    places = max(0, 1 - math.floor(math.log10(max(abs(ends[0]), abs(ends[1]), 1e-3))))
    return f"[{ends[0]:z.{places}f}, {ends[1]:z.{places}f}]"
