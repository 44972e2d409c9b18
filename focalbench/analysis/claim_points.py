"""The differences that a condition rests on: of each part, data set and pair of arms, seed by seed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from focalbench.analysis.evidence import Evidence, Influences, Quantity
from focalbench.analysis.run_rows import RunRow, Settings, Source
from focalbench.analysis.selection import (
    HALF,
    QUARTER,
    Budget,
    Entry,
    Trained,
    arm_entry,
    baseline_family,
    candidates,
    cells_of,
    edge,
    prevalence,
)
from focalbench.analysis.statistics import Floats
from focalbench.analysis.verdicts import usual_margin_of
from focalbench.errors import InputError
from focalbench.plan.claims import Axis, Condition, Epochs, Measure, Pair
from focalbench.runs.result import Outcome
from focalbench.runs.run import Cell
from focalbench.training.loop import epoch_budgets

Number = Callable[[Outcome], float | None]
LEAST_SLOPE = 0.01  # of a calibration: lower ones, and those below 0, count as this in a logarithm
BUDGETS: dict[Epochs, Budget | None] = {Epochs.QUARTER: QUARTER, Epochs.HALF: HALF, Epochs.ALL: None}


@dataclass(frozen=True)
class PartRuns:
    """A part of an experiment file by its name, and its rows of runs.csv."""

    name: str
    rows: Sequence[RunRow]


@dataclass(frozen=True, eq=False)
class Point:
    """A difference by seed. epochs: after which it is taken; x: where it stands on the axis of a slope, 0 without one;
    half: the same had training stopped at half of the epochs, (seed,), None where nobody knows; usual_margin: what
    matters on this data set.
    """

    part: str
    cell: Cell
    arms: str
    epochs: int | None
    x: float
    seeds: tuple[int, ...]
    value: Quantity
    half: Floats | None
    usual_margin: float
    at_edge: bool
    evidence: Evidence

    def of(self, seeds: Iterable[int]) -> "Point":
        """That of some of its seeds."""
        kept = np.array([self.seeds.index(seed) for seed in seeds], dtype=np.int64)
        sums = None if self.value.sums is None else self.value.sums[kept]
        half = None if self.half is None else self.half[kept]
        value = Quantity(self.value.values[kept], sums)
        return replace(self, seeds=tuple(self.seeds[place] for place in kept), value=value, half=half)


def points_of(condition: Condition, parts: Sequence[PartRuns], influences: Influences) -> list[Point]:
    """The differences of a condition, of the seeds whose runs have its measure. Raises InputError where none has it,
    and for unequal numbers of candidates.
    """
    return [
        _point(condition, pair, part.name, cell, influences)
        for part in parts
        for cell in cells_of(part.rows)
        for pair in condition.pairs
    ]


def _point(condition: Condition, pair: Pair, part: str, cell: Sequence[Trained], influences: Influences) -> Point:
    entries = [_side(names, cell, restarts=_tuned(pair)) for names in (pair.arms, pair.against) if names]
    if len({candidates(entry.considered) for entry in entries}) > 1:
        raise InputError(f"{_named(pair)} in part {part}: one side has more candidates; name as many arms on each")
    evidence = Evidence(entries, influences)
    budget = BUDGETS[condition.epochs]
    values = [_measured(evidence, entry, condition.measure, budget) for entry in entries]
    first = entries[0]
    value = values[0] if len(values) == 1 else values[0].minus(values[1])
    known = np.isfinite(value.values)
    if not known.any():
        raise InputError(f"{_named(pair)} in part {part}: no run has {condition.measure}")
    seeds = tuple(row.settings.seed for row in first.chosen)
    found = Point(
        part=part,
        cell=first.first.cell,
        arms=_named(pair),
        epochs=None if first.first.epochs is None else _budget(condition.epochs, first.first.epochs),
        x=0.0 if condition.slope_on is None else _place(condition.slope_on, first),
        seeds=seeds,
        value=value,
        half=_halfway(entries) if condition.measure is Measure.METRIC and condition.epochs is Epochs.ALL else None,
        usual_margin=_usual_margin(cell),
        at_edge=any(edge(entry) is not None for entry in entries),
        evidence=evidence,
    )
    return found.of(seed for seed, has in zip(seeds, known, strict=True) if has)


def _usual_margin(cell: Sequence[Trained]) -> float:
    """Of a data set: by its baseline, at its own start where there is that."""
    wanted = baseline_family(cell)
    baselines = [row for row in cell if row.settings.family == wanted and row.settings.restart == 0]
    own = [row for row in baselines if row.settings.init == "own"]
    entry = arm_entry(wanted, own or [row for row in baselines if row.settings.init == baselines[0].settings.init])
    return usual_margin_of(
        entry.metric,
        synthetic=entry.first.source is Source.SYNTHETIC,
        baseline=float(entry.score.mean()),
        prevalence=float(prevalence(entry).mean()),
    )


def _budget(part: Epochs, epochs: int) -> int:
    return dict(zip(Epochs, epoch_budgets(epochs), strict=True))[part]


def _tuned(pair: Pair) -> bool:
    """Whether one side has fewer arms, and makes up for that by other draws of the first weights."""
    return bool(pair.against) and len(pair.arms) != len(pair.against)


def _named(pair: Pair) -> str:
    sides = [
        names[0] if len(names) == 1 else f"best of {', '.join(names)}" for names in (pair.arms, pair.against) if names
    ]
    return " minus ".join(sides)


def _side(names: Sequence[str], cell: Sequence[Trained], *, restarts: bool) -> Entry:
    rows = [row for row in cell if row.settings.arm in names and (restarts or row.settings.restart == 0)]
    return arm_entry(", ".join(names), rows)


def _halfway(entries: Sequence[Entry]) -> Floats | None:
    every = [row for entry in entries for row in entry.considered]
    if any(row.outcome.half is None or "cosine" in (row.settings.optimizer or "") for row in every):
        return None  # a schedule ends with the last step: half of it is no shorter training
    sign = -1 if entries[0].metric.lower_is_better else 1
    early = [sign * entry.score_early(HALF) for entry in entries]
    return early[0] if len(early) == 1 else early[0] - early[1]


def _measured(evidence: Evidence, entry: Entry, measure: Measure, budget: Budget | None) -> Quantity:
    if measure is Measure.METRIC:
        found = evidence.score(entry) if budget is None else Quantity(entry.score_early(budget), None)
        return found.times(-1) if entry.metric.lower_is_better else found
    return Quantity(entry.by_seed(NUMBERS[measure]), None)


def _share(reached: float, best: float | None) -> float | None:
    return None if best is None else reached / best


def _log(slope: float | None) -> float | None:
    return None if slope is None else float(np.log(max(slope, LEAST_SLOPE)))


NUMBERS: dict[Measure, Number] = {
    Measure.RAW_SLOPE: lambda outcome: _log(outcome.scores.raw.calibration_slope),
    Measure.RECOVERED_SLOPE: lambda outcome: _log(outcome.scores.recovered.calibration_slope),
    Measure.HARD_SHARE: lambda outcome: outcome.scores.hardest_negatives_share,
    Measure.OF_BAYES: lambda outcome: _share(outcome.test_average_precision, outcome.bayes_average_precision),
    Measure.SKILL: lambda outcome: outcome.scores.recovered.log_loss_skill,
}


def _place(axis: Axis, entry: Entry) -> float:
    """Where a row stands on an axis: the mean over its seeds."""
    return float(np.mean([PLACES[axis](row.settings, row.outcome) for row in entry.chosen]))


def _rate(outcome: Outcome) -> float:
    return outcome.sizes.train_positives / outcome.sizes.train_rows


PLACES: dict[Axis, Callable[[Settings, Outcome], float]] = {
    Axis.GAMMA: lambda asked, _: asked.gamma or 0.0,
    Axis.NOISE: lambda asked, _: asked.label_noise,
    Axis.PER_BATCH: lambda _, outcome: float(np.log2(outcome.scores.positives_per_batch or 1.0)),
    Axis.RATE: lambda _, outcome: float(np.log10(_rate(outcome))),
    Axis.POSITIVES: lambda _, outcome: float(np.log10(outcome.sizes.train_positives)),
}
