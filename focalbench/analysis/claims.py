"""From the runs of an experiment file's parts to what they say of its claims.

A condition's number is computed for each seed, then averaged. All intervals of a claim, one for each of its conditions
and data sets, hold at once: Student's t at level 1 - .05 / their number (Bonferroni). Claims are not corrected for one
another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from focalbench.analysis.claim_points import PartRuns, Point, points_of
from focalbench.analysis.claim_rows import ClaimRow, ClaimVerdict, PointRow
from focalbench.analysis.contrasts import all_of, deciding_half, over_data, slope_weights, verdict_on
from focalbench.analysis.evidence import Influences, Quantity, spread
from focalbench.analysis.rows import Scope, Spread
from focalbench.analysis.statistics import LEAST_SEEDS, Floats, Sample, mean_interval, t_quantile
from focalbench.analysis.verdicts import LEVEL, moves_late, seeds_until
from focalbench.errors import InputError
from focalbench.plan.claims import Claim, Claims, Condition, names_of_data


@dataclass(frozen=True, eq=False)
class Contrast:
    """A condition on one data set: its differences, of the same seeds, and what each counts for in the number."""

    condition: Condition
    place: int
    data: str
    points: tuple[Point, ...]
    weights: Floats

    @property
    def sample(self) -> Sample:
        """The number by seed, less what it is compared with."""
        values = self._added([point.value.values for point in self.points]) - self.condition.than
        kept = [point.value.sums for point in self.points if point.value.sums is not None]
        sums = self._added(kept) if len(kept) == len(self.points) else None
        found = self.points[0].evidence.sample_of(Quantity(values, sums))
        return replace(
            found, train_share=max(point.evidence.train_share for point in self.points) if sums is not None else 0.0
        )

    @property
    def scope(self) -> Scope:
        """What its interval speaks of."""
        found = self.points[0].evidence.scope
        whole = all(point.value.sums is not None for point in self.points)
        return found if found is Scope.DRAWS or whole else Scope.THIS_TABLE

    @property
    def margin(self) -> float:
        """The difference that matters."""
        if self.condition.margin is not None:
            return self.condition.margin
        return self.condition.margins * float(np.mean([point.usual_margin for point in self.points]))

    @property
    def budget_limited(self) -> bool | None:
        """Whether the number still moved in the second half of the epochs; None where nobody knows."""
        halves = [point.half for point in self.points if point.half is not None]
        if len(halves) < len(self.points) or len(self.points[0].seeds) < LEAST_SEEDS:
            return None
        return moves_late(Sample(self._added(halves) - self.condition.than), self.sample, self.margin)

    def _added(self, values: Sequence[Floats]) -> Floats:
        return np.asarray(np.tensordot(self.weights, np.stack(values), axes=1))


@dataclass(frozen=True, eq=False)
class Examined:
    """A claim and the contrasts that decide it."""

    claim: Claim
    contrasts: tuple[Contrast, ...]


def examine(claims: Claims, parts: Sequence[PartRuns], influences: Influences) -> list[Examined]:
    """Each claim with its contrasts. parts: the runs of each part; influences: of a run_id, as the store keeps them.

    Raises InputError where a condition has nothing to rest on, a number is missing, or candidates are unequal.
    """
    return [Examined(claim, tuple(_contrasts(claim, parts, influences))) for claim in claims.claims]


def claim_rows(examined: Sequence[Examined]) -> list[ClaimRow]:
    """The rows of claims.csv."""
    return [row for each in examined for row in _rows(each.claim, each.contrasts)]


def point_rows(examined: Sequence[Examined]) -> list[PointRow]:
    """The rows of claim_points.csv."""
    return [
        PointRow(
            claim=each.claim.id,
            condition=contrast.place,
            data=contrast.data,
            part=point.part,
            arms=point.arms,
            epochs=point.epochs,
            x=None if contrast.condition.slope_on is None else point.x,
            weight=float(weight),
            value=spread(point.evidence.sample_of(point.value)),
        )
        for each in examined
        for contrast in each.contrasts
        for point, weight in zip(contrast.points, contrast.weights, strict=True)
    ]


def chosen_runs(examined: Sequence[Examined]) -> list[str]:
    """The run_ids that all numbers rest on, each once."""
    found = (
        run_id
        for each in examined
        for contrast in each.contrasts
        for point in contrast.points
        for entry in point.evidence.entries
        for run_id in entry.run_ids
    )
    return list(dict.fromkeys(found))


# ---- what is contrasted


def _contrasts(claim: Claim, parts: Sequence[PartRuns], influences: Influences) -> list[Contrast]:
    """The conditions of a claim, each on its data sets."""
    found: list[Contrast] = []
    for place, condition in enumerate(claim.conditions, 1):
        named = [part for part in parts if not condition.parts or part.name in condition.parts]
        points = points_of(condition, named, influences)
        try:
            found += [
                _contrast(condition, place, data, of_data) for data, of_data in _by_data(condition, points).items()
            ]
        except ValueError as error:
            raise InputError(f"claim {claim.id}: {error}") from None
    return found


def _contrast(condition: Condition, place: int, data: str, points: Sequence[Point]) -> Contrast:
    common = sorted(set.intersection(*(set(point.seeds) for point in points)))
    if not common:
        raise ValueError(f"{data}: no seed has all of its runs")
    paired = tuple(point.of(common) for point in points)
    if condition.slope_on is not None:
        weights = slope_weights([point.x for point in paired])
    elif condition.weights:
        of_part = dict(zip(condition.parts, condition.weights, strict=True))
        if sorted(point.part for point in paired) != sorted(of_part):  # all seeds of one failed
            raise ValueError(f"{data}: a part has no runs")
        weights = np.array([of_part[point.part] for point in paired])
    else:
        weights = np.ones(1)
    return Contrast(condition, place, data, paired, weights)


def _by_data(condition: Condition, points: Sequence[Point]) -> dict[str, list[Point]]:
    """The differences that one number is made of, by what the data are called."""
    names = names_of_data(condition, list(dict.fromkeys((point.part, point.cell) for point in points)))
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(names[point.part, point.cell], []).append(point)
    return found


# ---- what they say


def _rows(claim: Claim, found: Sequence[Contrast]) -> Iterator[ClaimRow]:
    level = LEVEL / len(found)
    rows = [_row(claim, contrast, level) for contrast in found]
    yield from rows
    by_data: dict[str, list[ClaimVerdict]] = {}
    for row in rows:
        by_data.setdefault(row.data or "", []).append(row.verdict)
    whole = {data: all_of(verdicts) for data, verdicts in by_data.items()}
    if len(claim.conditions) > 1:
        yield from (_summary(claim, data, verdict) for data, verdict in whole.items())
    yield _summary(claim, None, over_data(list(whole.values())))


def _row(claim: Claim, contrast: Contrast, level: float) -> ClaimRow:
    asked, sample, margin = contrast.condition, contrast.sample, contrast.margin
    verdict, needed, limits = ClaimVerdict.TOO_FEW, None, None
    if sample.seeds >= LEAST_SEEDS:
        interval = mean_interval(sample, 1 - level)
        verdict = verdict_on(interval.low, interval.high, asked.direction, margin)
        limits = interval.low + asked.than, interval.high + asked.than
        if verdict is ClaimVerdict.INCONCLUSIVE:
            wanted = deciding_half(sample.mean, asked.direction, margin)
            needed = seeds_until(sample, t_quantile(sample.seeds, 1 - level / 2), wanted, level)
    return ClaimRow(
        claim=claim.id,
        condition=contrast.place,
        data=contrast.data,
        scope=contrast.scope,
        seeds=sample.seeds,
        number=_number(sample, asked.than, limits),
        margin=margin,
        verdict=verdict,
        seeds_to_decide=needed,
        budget_limited=contrast.budget_limited,
        at_edge=any(point.at_edge for point in contrast.points),
    )


def _number(sample: Sample, than: float, limits: tuple[float, float] | None) -> Spread:
    raw = Sample(sample.values + than, sample.shared, sample.train_share)
    return spread(raw, limits)


def _summary(claim: Claim, data: str | None, verdict: ClaimVerdict) -> ClaimRow:
    return ClaimRow(claim.id, None, data, None, None, None, None, verdict, None, None, None)
