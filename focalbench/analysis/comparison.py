"""From the rows of runs to one row an arm: choose on validation, average over seeds, compare with the baseline."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from focalbench.analysis.evidence import Evidence, Influences, no_influences, spread
from focalbench.analysis.operating import Acting, deltas
from focalbench.analysis.pooled import with_pooled
from focalbench.analysis.recalibration import Recalibrating
from focalbench.analysis.rows import ArmRow, Kind, Spread, Verdict
from focalbench.analysis.run_rows import RunRow, Settings
from focalbench.analysis.selection import (
    HALF,
    QUARTER,
    Budget,
    Entry,
    baseline_of,
    candidates,
    cells_of,
    edge,
    entries_of,
    failed_seeds,
    grid_of,
    prevalence,
)
from focalbench.analysis.statistics import INTERVAL_SEEDS, LEAST_SEEDS, Floats, Sample, mean_interval
from focalbench.analysis.verdicts import Finding, findings, moves_late, usual_margin_of
from focalbench.runs.metric import ThresholdAt
from focalbench.runs.result import Outcome, Status, mean_of


def compare(
    runs: Sequence[RunRow],
    influences: Influences = no_influences,
    *,
    margin: float | None = None,
    smoke_test: bool = False,
) -> list[ArmRow]:
    """The rows of table.csv from the rows of runs.csv, cell by cell in plan order.

    influences: of a run_id, as the store keeps them. margin: the difference that matters, None for the usual one.
    smoke_test: whether nothing is tested, and every verdict is "smoke test".
    """
    rows: list[ArmRow] = []
    for cell in cells_of(runs):
        evidence = Evidence(entries_of(cell), influences)
        lost = failed_seeds(runs, cell)
        rows += [replace(row, failed_seeds=lost) for row in _compare_cell(evidence, margin, smoke_test=smoke_test)]
    return with_pooled(rows)


def _compare_cell(evidence: Evidence, margin: float | None, *, smoke_test: bool) -> list[ArmRow]:
    wanted = margin or _usual_margin(evidence)
    found = _untested(evidence) if smoke_test else _findings(evidence, wanted)
    rows = [_row(entry, evidence, found.get(entry.name, Finding(None)), wanted) for entry in evidence.entries]
    at = evidence.first.settings.threshold_at
    return rows if at is None else _with_operating(rows, evidence, at)


def _with_operating(rows: Sequence[ArmRow], evidence: Evidence, at: ThresholdAt) -> list[ArmRow]:
    costs = at.costs or evidence.entries[0].metric.costs
    found = {name: delta for family in families(evidence) for name, delta in deltas(family, evidence, at).items()}
    return [
        replace(row, operating=Acting(entry, evidence).row(at, costs, found.get(entry.name)))
        for row, entry in zip(rows, evidence.entries, strict=True)
    ]


def main_start(entries: Sequence[Entry]) -> str | None:
    """The start that a table is first about: own, or what there is."""
    starts = [entry.init for entry in entries if entry.kind is Kind.ARM]
    return "own" if "own" in starts else starts[0]


def _usual_margin(evidence: Evidence) -> float:
    main = next(e for e in evidence.entries if e.kind is Kind.ARM and e.init == main_start(evidence.entries))
    baseline = baseline_of(main, evidence.entries)
    chance, reached = float(prevalence(baseline).mean()), float(baseline.score.mean())
    return usual_margin_of(baseline.metric, synthetic=evidence.is_synthetic, baseline=reached, prevalence=chance)


def families(evidence: Evidence) -> list[list[Entry]]:
    """The rows that are tested together: the arms of one start, the references with those of the main one."""
    arms = [entry for entry in evidence.entries if entry.kind is Kind.ARM]
    references = [entry for entry in evidence.entries if entry.kind is Kind.REFERENCE]
    starts = dict.fromkeys(entry.init for entry in arms)
    main = main_start(evidence.entries)
    return [[e for e in arms if e.init == start] + (references if start == main else []) for start in starts]


def _findings(evidence: Evidence, margin: float) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    for family in families(evidence):
        baseline = baseline_of(family[0], evidence.entries)
        others = [entry for entry in family if entry is not baseline]
        sign = -1 if baseline.metric.lower_is_better else 1
        gains = [evidence.difference(entry, baseline).times(sign) for entry in others]
        tested = [finding.times(sign) for finding in findings(gains, margin)]
        found |= {baseline.name: Finding(Verdict.BASELINE)}
        found |= {entry.name: finding for entry, finding in zip(others, tested, strict=True)}
    return found


def _untested(evidence: Evidence) -> dict[str, Finding]:
    tested = (entry for entry in evidence.entries if entry.kind is not Kind.TUNED)
    return {entry.name: Finding(Verdict.SMOKE_TEST) for entry in tested}


# ---- one row


def _row(entry: Entry, evidence: Evidence, finding: Finding, margin: float) -> ArmRow:
    asked, outcome, baseline = entry.first, entry.chosen[0].outcome, baseline_of(entry, evidence.entries)
    is_arm, compared = entry.kind is Kind.ARM, baseline is not entry
    difference = evidence.difference(entry, baseline) if compared else None
    pointwise = _pointwise(difference)
    return ArmRow(
        dataset=asked.dataset,
        positive_rate=asked.positive_rate,
        label_noise=asked.label_noise,
        scope=evidence.scope,
        kind=entry.kind,
        arm=entry.name,
        family=asked.family,
        loss=asked.loss if is_arm else None,
        alpha=asked.alpha if is_arm else None,
        gamma=asked.gamma if is_arm else None,
        init=entry.init,
        n_seeds=len(entry.chosen),
        failed_seeds=0,
        older_seeds=evidence.older_seeds,
        candidates=candidates(entry.considered),
        diverged=sum(row.outcome.status is Status.DIVERGED for row in entry.considered),
        prevalence=float(prevalence(entry).mean()),
        test_prevalence=_mean(entry.by_seed(lambda each: each.test_prevalence)),
        bayes_average_precision=_mean(entry.by_seed(lambda each: each.bayes_average_precision)),
        n_classes=len(_classes(outcome, measured=True)) or None,
        unmeasured=", ".join(_classes(outcome, measured=False)) or None,
        sizes=outcome.sizes,
        average_precision=_within_0_and_1(spread(evidence.mean(entry))),
        delta=_delta(difference, finding),
        delta_low_pointwise=pointwise and pointwise[0],
        delta_high_pointwise=pointwise and pointwise[1],
        p_value=finding.p_value,
        p_adjusted=finding.p_adjusted,
        margin=margin,
        verdict=finding.verdict,
        seeds_to_decide=finding.seeds_to_decide,
        budget_limited=_budget_limited(entry, baseline, margin),
        lrs=", ".join(f"{rate:g}" for rate in grid_of(entry)) or None,
        lr_edge=edge(entry),
        own_start=_own_start(entry, evidence),
        average_precision_quarter=_early(entry, QUARTER),
        average_precision_half=_early(entry, HALF),
        metric=asked.metric,
        score=None if asked.metric is None else _score(entry, evidence),
        operating=None,
        over=None,
        resampling=asked.resampling,
        recalibration=Recalibrating(entry, evidence).row(),
        scores=mean_of([row.outcome.scores for row in entry.chosen]),
    )


def _pointwise(difference: Sample | None) -> tuple[float, float] | None:
    if difference is None or difference.seeds < INTERVAL_SEEDS:
        return None
    interval = mean_interval(difference)
    return interval.low, interval.high


def _delta(difference: Sample | None, finding: Finding) -> Spread | None:
    if difference is None:
        return None
    if finding.low is None or finding.high is None:
        return spread(difference)
    return spread(difference, (finding.low, finding.high))


def _own_start(entry: Entry, evidence: Evidence) -> Spread | None:
    """The paired difference to the same arm at its own start."""
    for other in evidence.entries:
        if entry.kind is other.kind is Kind.ARM and other.init == "own" != entry.init and _is_same(entry, other):
            return spread(evidence.difference(entry, other))
    return None


def _is_same(entry: Entry, other: Entry) -> bool:
    """Whether two arms differ in nothing but their starts."""

    def loss(asked: Settings) -> tuple[object, ...]:
        return asked.loss, asked.alpha, asked.gamma, asked.params, asked.resampling

    return loss(entry.first) == loss(other.first)


def _budget_limited(entry: Entry, baseline: Entry, margin: float) -> bool | None:
    """Whether the difference to the baseline still moved in the second half of the epochs; None where the seeds are too
    few for a verdict, which it stands beside.
    """
    if entry.kind is Kind.REFERENCE or len(entry.chosen) < LEAST_SEEDS:
        return None
    halfway = Sample(entry.score_early(HALF) - baseline.score_early(HALF))
    return moves_late(halfway, Sample(entry.score - baseline.score), margin)


def _classes(outcome: Outcome, *, measured: bool) -> list[str]:
    """The classes or labels that the average is over, or those left out; none for a binary target."""
    return [each.name for each in outcome.classes or () if (each.test_average_precision is not None) == measured]


def _score(entry: Entry, evidence: Evidence) -> Spread:
    found = spread(evidence.sample_of(evidence.score(entry)))
    return _within_0_and_1(found) if entry.metric.is_share else found


def _early(entry: Entry, budget: Budget) -> float | None:
    """Mean test AP had training, and the choice of epoch and candidate, stopped at an earlier budget."""
    return None if entry.kind is Kind.REFERENCE else float(entry.test_early(budget).mean())


def _mean(values: Floats) -> float | None:
    """Over the seeds; None where some have no value: the mean of a part would mislead."""
    return None if np.isnan(values).any() else float(values.mean())


def _within_0_and_1(found: Spread) -> Spread:
    """The limits of an average precision, which lies between 0 and 1."""
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def by_cell(rows: Sequence[ArmRow]) -> list[list[ArmRow]]:
    """The rows of a table, one list for each data set at one rate."""
    cells: dict[object, list[ArmRow]] = {}
    for row in rows:
        cells.setdefault(row.cell, []).append(row)
    return list(cells.values())
