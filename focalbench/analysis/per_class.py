"""Each class or label by itself: every row's mean average precision, and its difference to the baseline."""

from collections.abc import Callable, Sequence

import numpy as np

from focalbench.analysis.evidence import Evidence, Influences, no_influences, spread
from focalbench.analysis.rows import ClassRow, Kind
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.selection import Entry, baseline_of, cells_of, entries_of
from focalbench.analysis.statistics import Floats
from focalbench.runs.result import ClassOutcome

OneClass = Sequence[ClassOutcome]  # by seed


def per_class(runs: Sequence[RunRow], influences: Influences = no_influences) -> list[ClassRow]:
    """The rows of classes.csv from those of runs.csv: every arm and class in plan order; none for binary targets.

    Counts are means over the seeds. Differences are paired by seed, against the same baseline as the table's; their
    intervals are those of each by itself.
    """
    rows: list[ClassRow] = []
    for cell in cells_of(runs):
        if cell[0].outcome.classes is not None:
            entries = [entry for entry in entries_of(cell) if entry.kind is not Kind.TUNED]
            evidence = Evidence(entries, influences)
            rows += [row for entry in entries for row in _rows(entry, baseline_of(entry, entries), evidence)]
    return rows


def _rows(entry: Entry, baseline: Entry, evidence: Evidence) -> list[ClassRow]:
    classes, rows = _classes(entry), list[ClassRow]()
    places = iter(range(len(classes)))  # of the measured ones among the influences
    for found, other in zip(classes, _classes(baseline), strict=True):
        values, theirs = _precisions(found), _precisions(other)
        mean = difference = None
        if values is not None and theirs is not None:
            place = next(places)
            mean = spread(evidence.of_output(values, place, entry))
            if entry is not baseline:
                difference = spread(evidence.of_output(values - theirs, place, entry, baseline))
        row = ClassRow(
            dataset=entry.first.dataset,
            positive_rate=entry.first.positive_rate,
            kind=entry.kind,
            arm=entry.name,
            init=entry.init,
            name=found[0].name,
            n_seeds=len(found),
            train_positives=_mean(found, lambda each: each.train_positives) or 0.0,
            val_positives=_mean(found, lambda each: each.val_positives) or 0.0,
            test_positives=_mean(found, lambda each: each.test_positives) or 0.0,
            prevalence=_prevalence(entry, found),
            bayes_average_precision=_mean(found, lambda each: each.bayes_average_precision),
            average_precision=mean,
            delta=difference,
        )
        rows.append(row)
    return rows


def _classes(entry: Entry) -> list[OneClass]:
    """One after the other, each by seed."""
    return list(zip(*(row.outcome.classes or () for row in entry.chosen), strict=True))


def _precisions(found: OneClass) -> Floats | None:
    values = [each.test_average_precision for each in found]
    return None if None in values else np.array(values, dtype=np.float64)


def _mean(found: OneClass, value: Callable[[ClassOutcome], float | None]) -> float | None:
    values = [number for each in found if (number := value(each)) is not None]
    return float(np.mean(values)) if len(values) == len(found) else None


def _prevalence(entry: Entry, found: OneClass) -> float:
    """What chance reaches: a class's mean share of the test rows, by weight where they have one."""
    rows = [row.outcome.sizes.test_rows for row in entry.chosen]
    counted = (each.test_positives / count for each, count in zip(found, rows, strict=True))
    pairs = zip(found, counted, strict=True)
    return float(np.mean([share if each.test_prevalence is None else each.test_prevalence for each, share in pairs]))
