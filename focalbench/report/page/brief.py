"""What somebody asks who has ten seconds: which loss, how much better, how sure, and what it costs to be wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from focalbench.analysis.recommendation import Recommendation, gain, main_rows, most_gain, winners
from focalbench.analysis.rows import ArmRow, Kind, Scope, Spread, Verdict
from focalbench.analysis.statistics import LEAST_SEEDS
from focalbench.report import spread
from focalbench.report.advice import advised, take
from focalbench.report.metric import heading, plain
from focalbench.report.words import baseline_name, deciding, loss_decision, scope, start_sentence, thin

BEGINS = ("better", "every", "it", "no", "there")  # a reason; the name of a loss keeps its letters


class Sure(StrEnum):
    """How far an answer can be relied on, as it stands beside it."""

    WON = "Better, at 95%"
    BOUND = "No gain that matters, at 95%"
    OPEN = "Not decided yet"
    NONE = "No verdict"


@dataclass(frozen=True)
class Answer:
    """What to do, why in one sentence, and how sure that is."""

    headline: str
    reason: str
    sure: Sure


@dataclass(frozen=True)
class Brief:
    """The answer on the losses, and what somebody asks next. model: where another model is better than any network.

    much, certain, wrong: sentences on how much better it is, how sure, and what it costs to be wrong; none where there
    is no verdict. start: on where the last bias starts, where that matters.
    """

    loss: Answer
    model: Answer | None = None
    much: tuple[str, ...] = ()
    certain: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    start: tuple[str, ...] = ()

    @property
    def asked(self) -> list[tuple[str, tuple[str, ...]]]:
        """What somebody asks next, with what is said to it."""
        every = (
            ("How much better?", self.much),
            ("Where does the last bias start?", self.start),
            ("How sure?", self.certain),
            ("What if it is wrong?", self.wrong),
        )
        return [(question, told) for question, told in every if told]


def brief(cell: Sequence[ArmRow], found: Recommendation | None = None) -> Brief:
    """The answer for a cell. found: where a reference may be what is recommended."""
    main, baseline = main_rows(cell), baseline_name(cell)
    others = [row for row in main if row.delta is not None]
    smoke = any(row.verdict is Verdict.SMOKE_TEST for row in main)
    if smoke or not others or cell[0].n_seeds < LEAST_SEEDS:
        return Brief(_answer(loss_decision(cell), Sure.NONE), certain=tuple(thin(cell[0])))
    own = next(row for row in main if row.delta is None)
    model = _of_reference(found) if found is not None and advised(found) is not found.network else Brief(_NOTHING)
    of_loss = _winner(winners(others)[0], own, baseline) if winners(others) else _staying(others, own, baseline)
    return Brief(
        _answer(loss_decision(cell), of_loss.loss.sure),
        model.model,
        (*model.much, *of_loss.much, plain(own.by, own.by.without_skill(own.prevalence))),
        (
            *model.certain,
            *of_loss.certain,
            *scope(cell[0]),
            *thin(cell[0]),
            *_little(own, baseline),
            *_of_budget(others),
        ),
        (*model.wrong, *of_loss.wrong, *_costliest(others)),
        tuple(_of_starts(cell, baseline)),
    )


def _little(own: ArmRow, baseline: str) -> Iterator[str]:
    """Where the network says less than the prevalence does."""
    skill = own.scores.recovered.log_loss_skill
    if skill is not None and skill <= 0:
        yield f"Little is learnt here: the bare prevalence is no worse than {baseline} (skill {skill:.2f})."


def _answer(sentence: str, sure: Sure) -> Answer:
    """A sentence as a headline and what stands under it."""
    headline, _, reason = sentence.partition(": ")
    begins = reason.partition(" ")[0]
    return Answer(headline, begins.capitalize() + reason.removeprefix(begins) if begins in BEGINS else reason, sure)


def _of_budget(others: Sequence[ArmRow]) -> Iterator[str]:
    if any(row.budget_limited for row in others):
        yield "At this budget: differences moved in the second half of the epochs; longer training may move them."


_MISSED = "In one table of twenty an interval misses; then {} may gain less than that, or nothing."
_NOTHING = Answer("", "", Sure.NONE)
_WON, _BOUND, _OPEN = (Answer("", "", sure) for sure in (Sure.WON, Sure.BOUND, Sure.OPEN))


def _winner(won: ArmRow, own: ArmRow, baseline: str) -> Brief:
    assert won.delta is not None
    much = (_values(won, own, baseline, won.delta),)
    certain = (_whole(won, won.delta, won), "That allows for all these losses having been looked at.")
    return Brief(_WON, None, much, certain, (_at_worst(won.name, won.delta, won), _MISSED.format(won.name)))


def _staying(others: Sequence[ArmRow], own: ArmRow, baseline: str) -> Brief:
    best = max(others, key=gain)
    assert best.delta is not None
    still_open = max(map(most_gain, others)) > best.margin
    much = (f"Of the other losses the best mean: {_values(best, own, baseline, best.delta)}",)
    certain = _still_open(others) if still_open else _bounded(others)
    return Brief(_OPEN if still_open else _BOUND, None, much, (certain,), (_of_staying(others, baseline),))


def _of_reference(found: Recommendation) -> Brief:
    """What is said of the reference that is better than the loss to take."""
    assert found.reference is not None
    assert found.lead is not None
    reference, network, delta = found.reference, found.network, found.lead.delta
    name = network.name if network.delta is not None else baseline_name(found.cell)
    return Brief(
        _NOTHING,
        _answer(take(found), Sure.WON),
        (_values(reference, network, name, delta),),
        (_whole(reference, delta, network), *_in_the_table(reference, name)),
        (_at_worst(reference.arm, delta, network),),
    )


def _values(row: ArmRow, own: ArmRow, baseline: str, delta: Spread) -> str:
    """`AUCPR .806 ±.008 with gamma=2, .793 ±.009 with BCE: a difference of +.013 [+.005, +.021].`"""
    places = spread.digits(own.margin)
    values = (spread.cell(each.value, places) for each in (row, own))
    reached = ", ".join(f"{value} with {name}" for value, name in zip(values, (row.name, baseline), strict=True))
    return f"{heading(row.by)} {reached}: a difference of {spread.phrase(delta, places)}."


def _whole(row: ArmRow, delta: Spread, against: ArmRow) -> str:
    """Why a row counts as better."""
    ends = spread.phrase(delta, spread.digits(against.margin)).partition(" ")[2]
    return f"{row.name}: over {row.n_seeds} seeds the whole 95% interval, {ends}, is on the better side."


def _in_the_table(reference: ArmRow, name: str) -> Iterator[str]:
    """Why a reference's row may be less sure."""
    if reference.verdict is not Verdict.BETTER:
        yield f"That compares it with {name} alone; among all rows at once, as in the table, it is {reference.verdict}."


def _bounded(others: Sequence[ArmRow]) -> str:
    places, margin = spread.digits(others[0].margin), others[0].margin
    return (
        f"Losses: over {others[0].n_seeds} seeds no 95% interval goes beyond a gain of "
        f"{spread.number(margin, places)}, the least that matters here."
    )


def _still_open(others: Sequence[ArmRow]) -> str:
    undecided = [row for row in others if row.verdict is Verdict.UNDECIDED and most_gain(row) > row.margin]
    told = deciding(undecided) if undecided else "more seeds may decide it"
    verb = "is" if len(undecided) == 1 else "are"
    return f"Losses: after {others[0].n_seeds} seeds {len(undecided)} of {len(others)} losses {verb} undecided; {told}."


def _of_staying(others: Sequence[ArmRow], baseline: str) -> str:
    most = max(map(most_gain, others))
    if most <= 0:
        return f"Nothing is lost by staying with {baseline}: every other loss is worse."
    return f"If another loss is better after all, {baseline} costs at most {_bound(most, others[0])}."


def _at_worst(name: str, delta: Spread, row: ArmRow) -> str:
    low, high = spread.limits(delta) or (delta.mean, delta.mean)
    least, places = -high if row.by.lower_is_better else low, spread.digits(row.margin)
    places = next((more for more in range(places, places + spread.MORE) if round(least, more)), places + spread.MORE)
    return f"At the worse end of its interval {name} still gains {spread.number(least, places)}."


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


# ---- of many data sets


def counted(found: Sequence[tuple[Brief, Sequence[ArmRow]]]) -> list[str]:
    """The answer over several tables, in counts. found: the brief and the rows of each."""
    won_by = [winning[0] for _, rows in found if (winning := _winners(rows))]
    won, made_up = len(won_by), won_by and all(row.scope is Scope.DRAWS for row in won_by)
    sure = [brief.loss.sure for brief, _ in found]
    names = " or ".join(sorted({baseline_name(rows) for _, rows in found}))
    kept = {
        f"on {sure.count(Sure.BOUND)} no other loss gains what matters": sure.count(Sure.BOUND),
        f"on {sure.count(Sure.OPEN)} that is not decided yet": sure.count(Sure.OPEN),
        f"on {sure.count(Sure.NONE)} there is no verdict": sure.count(Sure.NONE),
        f"on {won}{' of synthetic data' if made_up else ''} another loss is shown to be better by what may matter": won,
    }
    told = ", ".join(text for text, count in kept.items() if count)
    stay = f"Stay with {names}" if not won else f"Mostly stay with {names}"
    answer = stay if 2 * won < len(found) else "It depends on the data"
    models = sum(brief.model is not None for brief, _ in found)
    return [
        f"{answer}: of {len(found)} tables, {told}.",
        f"On {models or 'none'} another model, such as boosting, is better than the network with the best loss.",
    ]


def _winners(cell: Sequence[ArmRow]) -> list[ArmRow]:
    return winners([row for row in main_rows(cell) if row.delta is not None])
