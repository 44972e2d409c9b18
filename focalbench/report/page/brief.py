"""What somebody asks who has ten seconds: which loss, how much better, how sure, and what it costs to be wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from focalbench.analysis.recommendation import Recommendation, gain, main_rows, most_gain, winners
from focalbench.analysis.rows import ArmRow, Kind, Spread, Verdict
from focalbench.analysis.statistics import LEAST_SEEDS
from focalbench.report import spread
from focalbench.report.advice import advised, take
from focalbench.report.metric import heading
from focalbench.report.words import baseline_name, deciding, loss_decision, scope, start_sentence, thin


class Sure(StrEnum):
    """How far an answer can be relied on, as it stands beside it."""

    SHOWN = "Shown, at 95%"
    OPEN = "Not decided yet"
    NONE = "No verdict"


@dataclass(frozen=True)
class Brief:
    """An answer: what to do, why in one sentence, how sure that is, and what somebody asks next.

    much, certain, wrong: sentences on how much better it is, how sure, and what it costs to be wrong; none where there
    is no verdict.
    """

    headline: str
    reason: str
    sure: Sure
    much: tuple[str, ...] = ()
    certain: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


def brief(cell: Sequence[ArmRow], found: Recommendation | None = None) -> Brief:
    """The answer for a cell. found: where a reference may be what is recommended."""
    main, baseline = main_rows(cell), baseline_name(cell)
    others = [row for row in main if row.delta is not None]
    if found is not None and advised(found) is not found.network:
        return _of_reference(found)
    headline, _, reason = loss_decision(cell).partition(": ")
    reason = reason[:1].upper() + reason[1:]
    smoke = any(row.verdict is Verdict.SMOKE_TEST for row in main)
    if smoke or not others or cell[0].n_seeds < LEAST_SEEDS:
        return Brief(headline, reason, Sure.NONE, certain=tuple(thin(cell[0])))
    own = next(row for row in main if row.delta is None)
    if won := winners(others):
        much, certain, sure = [_compared(won[0], own, baseline)], [_whole(won[0].delta, won[0])], Sure.SHOWN
        wrong = [_at_worst(won[0].name, won[0].delta, won[0])]
    else:
        best = max(others, key=gain)
        still_open = max(map(most_gain, others)) > best.margin
        much, sure = [_compared(best, own, baseline)], Sure.OPEN if still_open else Sure.SHOWN
        certain, wrong = [_still_open(others) if still_open else _bounded(others)], [_of_staying(others, baseline)]
    return Brief(
        headline,
        reason,
        sure,
        tuple(much),
        (*certain, *scope(cell[0]), *thin(cell[0])),
        (*wrong, *_costliest(others), *_of_starts(cell, baseline)),
    )


def _of_reference(found: Recommendation) -> Brief:
    assert found.reference is not None
    assert found.lead is not None
    reference, network, delta = found.reference, found.network, found.lead.delta
    headline, _, reason = take(found).partition(": ")
    first = network.name if network.delta is not None else baseline_name(found.cell)
    others = [row for row in main_rows(found.cell) if row.delta is not None]
    return Brief(
        headline,
        reason[:1].upper() + reason[1:],
        Sure.SHOWN,
        (_values(reference, network, first, delta),),
        (_whole(delta, network), *scope(network), *thin(network)),
        (_at_worst(reference.arm, delta, network), *_costliest(others), *_of_starts(found.cell, first)),
    )


def _compared(row: ArmRow, own: ArmRow, baseline: str) -> str:
    assert row.delta is not None
    text = _values(row, own, baseline, row.delta)
    return text if row.verdict is Verdict.BETTER else f"Nothing is shown. Of the other losses the best mean: {text}"


def _values(row: ArmRow, own: ArmRow, baseline: str, delta: Spread) -> str:
    """`AUCPR .806 ±.008 with gamma=2, .793 ±.009 with BCE: a difference of +.013 [+.005, +.021].`"""
    places = spread.digits(own.margin)
    values = (spread.cell(each.value, places) for each in (row, own))
    reached = ", ".join(f"{value} with {name}" for value, name in zip(values, (row.name, baseline), strict=True))
    return f"{heading(row.by)} {reached}: a difference of {spread.phrase(delta, places)}."


def _whole(delta: Spread | None, row: ArmRow) -> str:
    """Why a row counts as better."""
    ends = "" if delta is None else spread.phrase(delta, spread.digits(row.margin)).partition(" ")[2]
    return f"Over {row.n_seeds} seeds the whole 95% interval of the difference, {ends}, is on the better side."


def _bounded(others: Sequence[ArmRow]) -> str:
    places, margin = spread.digits(others[0].margin), others[0].margin
    return (
        f"Over {others[0].n_seeds} seeds no loss's 95% interval reaches a gain of {spread.number(margin, places)}, "
        "the least that matters here."
    )


def _still_open(others: Sequence[ArmRow]) -> str:
    undecided = [row for row in others if row.verdict is Verdict.UNDECIDED and most_gain(row) > row.margin]
    told = deciding(undecided) if undecided else "more seeds may decide it"
    verb = "is" if len(undecided) == 1 else "are"
    return (
        f"Not yet: after {others[0].n_seeds} seeds {len(undecided)} of {len(others)} losses {verb} undecided; {told}."
    )


def _of_staying(others: Sequence[ArmRow], baseline: str) -> str:
    most = max(map(most_gain, others))
    if most <= 0:
        return f"Nothing is lost by staying with {baseline}: every other loss is worse."
    return f"If another loss is better after all, {baseline} costs at most {_bound(most, others[0])}."


def _at_worst(name: str, delta: Spread | None, row: ArmRow) -> str:
    assert delta is not None
    low, high = spread.limits(delta) or (delta.mean, delta.mean)
    least = -high if row.by.lower_is_better else low
    return f"At the worse end of its interval {name} still gains {spread.number(least, spread.digits(row.margin))}."


def _costliest(others: Sequence[ArmRow]) -> Iterator[str]:
    """The loss that would cost most, where that is certain."""
    worst = min(others, key=gain, default=None)
    if worst is not None and worst.verdict is Verdict.WORSE:
        assert worst.delta is not None
        yield f"The costliest choice here, {worst.name}: {spread.phrase(worst.delta, spread.digits(worst.margin))}."


def _of_starts(cell: Sequence[ArmRow], baseline: str) -> Iterator[str]:
    """What a start of the baseline elsewhere costs, where that is more than the margin."""
    arms = [row for row in cell if row.kind is Kind.ARM and row.family == baseline.lower() and row.own_start]
    for row in arms:
        if row.own_start is not None and abs(row.own_start.mean) > row.margin:
            yield start_sentence(row, baseline)


def _bound(most: float, row: ArmRow) -> str:
    return spread.bound(most, spread.digits(row.margin))
