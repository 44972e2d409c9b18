"""What to train with, as the rows of a table say it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from focalbench.analysis.comparison import by_cell
from focalbench.analysis.evidence import Evidence, Influences, spread
from focalbench.analysis.rows import ArmRow, Kind, Spread, Verdict
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.selection import Entry, cells_of, entries_of
from focalbench.analysis.verdicts import findings


@dataclass(frozen=True)
class Lead:
    """A reference's metric minus the recommended loss's. verdict: better, worse, within or undecided, None of too few
    seeds; seeds_to_decide: as of a row.
    """

    delta: Spread
    verdict: Verdict | None
    seeds_to_decide: int | None

    @property
    def matters(self) -> bool:
        """Whether the reference is better."""
        return self.verdict is Verdict.BETTER

    @property
    def most(self) -> float:
        """The end of the interval that is farther from nothing, of a lead with a verdict."""
        return max(abs(end) for end in (self.delta.low, self.delta.high, self.delta.mean) if end is not None)


@dataclass(frozen=True)
class Recommendation:
    """What to train with on one data set. cell: its rows; network: the one of the recommended loss, with the learning
    rate that most seeds chose and the median epoch of these; reference: that of the best mean, with its lead, None
    where there is none.
    """

    cell: tuple[ArmRow, ...]
    network: ArmRow
    lr: float
    epochs: int
    reference: ArmRow | None
    lead: Lead | None


def recommend(table: Sequence[ArmRow], runs: Sequence[RunRow], influences: Influences) -> list[Recommendation]:
    """A recommendation for each cell of a table, from the runs that it was made of. influences: as compare takes."""
    return [
        _recommend(rows, Evidence(entries_of(cell), influences))
        for rows, cell in zip(by_cell(table), cells_of(runs), strict=True)
    ]


def _recommend(rows: Sequence[ArmRow], evidence: Evidence) -> Recommendation:
    entries = {entry.name: entry for entry in evidence.entries}
    network = recommended(rows)
    lr, epochs = _settings(entries[network.arm])
    references = [row for row in rows if row.kind is Kind.REFERENCE]
    best = max(references, key=skill) if references else None
    lead = None if best is None else _lead(entries[best.arm], entries[network.arm], evidence, network)
    return Recommendation(tuple(rows), network, lr, epochs, best, lead)


def _lead(reference: Entry, network: Entry, evidence: Evidence, row: ArmRow) -> Lead:
    sign = -1 if row.by.lower_is_better else 1
    difference = evidence.difference(reference, network)
    found = findings([difference.times(sign)], row.margin)[0].times(sign)
    ends = None if found.low is None or found.high is None else (found.low, found.high)
    return Lead(spread(difference, ends), found.verdict, found.seeds_to_decide)


def _settings(entry: Entry) -> tuple[float, int]:
    """The learning rate that most seeds chose, the smaller of two, and the median of the epochs chosen with it."""
    counts = Counter(row.settings.lr or 0.0 for row in entry.chosen)
    lr = min(counts, key=lambda rate: (-counts[rate], rate))
    epochs = [row.outcome.epoch or 1 for row in entry.chosen if row.settings.lr == lr]
    return lr, max(1, round(median(epochs)))


# ---- of the rows of a cell


def main_rows(cell: Sequence[ArmRow]) -> list[ArmRow]:
    """The arms that the sentences are about: of the own start, or of what there is."""
    arms = [row for row in cell if row.kind is Kind.ARM]
    starts = [row.init for row in arms]
    main = "own" if "own" in starts else starts[0]
    return [row for row in arms if row.init == main]


def better_rows(others: Sequence[ArmRow]) -> list[ArmRow]:
    """The rows that are better than the baseline, the best first."""
    return sorted((row for row in others if row.verdict is Verdict.BETTER), key=gain, reverse=True)


def winners(others: Sequence[ArmRow]) -> list[ArmRow]:
    """Those that are better, by what may be more than the margin."""
    return [row for row in better_rows(others) if most_gain(row) > row.margin]


def recommended(cell: Sequence[ArmRow]) -> ArmRow:
    """The row to train with, as decision says it: the baseline's unless another is shown to be better."""
    main = main_rows(cell)
    won = winners([row for row in main if row.delta is not None])
    return won[0] if won else next(row for row in main if row.delta is None)


def skill(row: ArmRow) -> float:
    """The mean of the metric, turned so that more is better."""
    return -row.value.mean if row.by.lower_is_better else row.value.mean


def gain(row: ArmRow) -> float:
    """The mean difference to the baseline, turned so that more is better; 0 of the baseline."""
    mean = row.delta.mean if row.delta is not None else 0.0
    return -mean if row.by.lower_is_better else mean


def most_gain(row: ArmRow) -> float:
    """The most that a row may gain."""
    end = None if row.delta is None else row.delta.low if row.by.lower_is_better else row.delta.high
    return gain(row) if end is None else -end if row.by.lower_is_better else end
