"""What a table supports and what it does not, in plain sentences."""

from collections.abc import Iterable, Sequence

from focalbench.analysis.comparison import by_cell
from focalbench.analysis.recommendation import better_rows, main_rows, most_gain, skill, winners
from focalbench.analysis.rows import ArmRow, ClassRow, Kind, Scope, Verdict
from focalbench.analysis.statistics import INTERVAL_SEEDS, LEAST_SEEDS
from focalbench.datasets.prevalence import CHOICE_POSITIVES, TABLE_TEST_POSITIVES
from focalbench.datasets.tables.targets import listed
from focalbench.report import spread
from focalbench.report.metric import definition, phrase
from focalbench.report.operating import idle_sentence, operating_sentence
from focalbench.runs.metric import AVERAGE_PRECISION
from focalbench.runs.reference import TITLES, is_own, name_in

LONGEST = 70  # characters of a name in a title or of a file
SKLEARN = {"logistic": "logistic regression", "boosting": "histogram boosting"}

BLURB = (
    "{definition}; {spreads}differences are paired by seed; their intervals "
    "hold for all rows of one start at once. better, worse: the interval lies beyond 0; within: inside the margin; "
    "undecided: neither, and how many seeds would decide if the estimate stays. skill: log loss avoided, 1 at best, by "
    "the probabilities that the loss's inverse recovers (blank: it has none); below 0 the bare prevalence is better."
)
OF_BUDGET = "*: the difference still moved by more than the margin in the second half of the epochs."
OF_CLASSES = (
    "Every number is a mean over the classes or labels measured, each by itself against the rest; ce, weighted_ce, "
    "softmax: one softmax over the classes; all other arms: a sigmoid for each."
)
OF_SCOPE = {
    Scope.DRAWS: "Intervals speak of other draws of the same kind of data.",
    Scope.TABLE: "Intervals speak of other tables of the same kind, split and thinned the same way.",
    Scope.FOLDS: "Intervals speak of other tables of the same kind, split into folds the same way; few positives make "
    "them wide.",
    Scope.TRAINED: "Intervals speak of other rows of the latest times, for models trained on these rows.",
    Scope.GROUPS: "Intervals speak of these groups; they are too few to speak of others.",
    Scope.THIS_TABLE: "Intervals speak of this table only, split anew: {} of {} seeds have runs of an older version, "
    "which did not keep what it takes to speak of other tables; trained again, they would.",
}


def blurb(table: Sequence[ArmRow]) -> list[str]:
    """What the columns of a table mean."""
    found = {spread.form(each) for row in table for each in (row.value, row.delta)}
    spreads = "".join(f"{text}; " for form, text in spread.EXPLAINED.items() if form in found)
    of_budget = [OF_BUDGET] if any(row.budget_limited for row in table) else []
    of_classes = [] if all(row.n_classes is None for row in table) else [OF_CLASSES]
    told = "; ".join(dict.fromkeys(definition(row.by) for row in table)) or definition(AVERAGE_PRECISION)
    return [BLURB.format(definition=told, spreads=spreads), *of_budget, *of_classes]


# ---- what a cell is


def title(cell: Sequence[ArmRow], classes: Sequence[ClassRow] = ()) -> str:
    """Data set, rate, chance level, ceiling and seeds of a cell, in one line. classes: its rows of per_class."""
    first = cell[0]
    rate = "natural rate" if first.positive_rate is None else f"rate {first.positive_rate:g}"
    parts = [
        f"{first.dataset} at {rate}",
        seeds(first),
        *([] if first.n_classes is None else [f"mean over {first.n_classes} {_outputs(cell)}"]),
        *_chance(first, classes),
        *([] if first.metric is None else [f"compared by {phrase(first.metric)}"]),
    ]
    if first.bayes_average_precision is not None and first.metric is None:
        parts.append(f"Bayes ceiling {first.bayes_average_precision:.3f}")
    if first.test_prevalence is not None and first.n_classes is None:
        parts.append("test rows weighted")
    if first.label_noise:
        parts.append(f"label noise {first.label_noise:g} (test labels clean)")
    return ", ".join(parts)


def _chance(first: ArmRow, classes: Sequence[ClassRow]) -> list[str]:
    """The prevalence, or the lowest and highest of the measured classes: their mean is no class's own."""
    if first.n_classes is None:
        return [f"{'chance' if first.metric is None else 'prevalence'} {first.prevalence:.4f}"]
    shares = [row.prevalence for row in classes if row.average_precision is not None]
    return [f"chance {min(shares):.4f} to {max(shares):.4f} by class"] if shares else []


def _outputs(cell: Sequence[ArmRow]) -> str:
    return "classes" if baseline_name(cell) == "CE" else "labels"


def short_title(cell: Sequence[ArmRow]) -> str:
    """Data set, rate and seeds of a cell."""
    name = cell[0].dataset
    name = name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}...{name[-LONGEST // 2 :]}"
    return name + how_taken(cell)


def how_taken(cell: Sequence[ArmRow]) -> str:
    """What follows the name of a cell's data set: its rate and seeds."""
    first = cell[0]
    rate = "natural rate" if first.positive_rate is None else f"rate {first.positive_rate:g}"
    noise = f", label noise {first.label_noise:g}" if first.label_noise else ""
    return f" at {rate}{noise}, {seeds(first)}"


def seeds(first: ArmRow) -> str:
    """How many."""
    return "1 seed" if first.n_seeds == 1 else f"{first.n_seeds} seeds"


def baseline_name(rows: Sequence[ArmRow]) -> str:
    """What the rows of a cell are compared with, as it is written in a sentence."""
    return "CE" if any(row.family == "ce" for row in rows) else "BCE"


# ---- the answer first


def decision(cell: Sequence[ArmRow]) -> str:
    """What to do, in plain words: the first line under the title."""
    few = cell[0].n_seeds < LEAST_SEEDS or any(row.verdict is Verdict.SMOKE_TEST for row in main_rows(cell))
    references = [] if few else _of_reference(cell, baseline_name(cell))
    return " ".join([loss_decision(cell), *references])


def loss_decision(cell: Sequence[ArmRow]) -> str:
    """Which loss to train with."""
    main, first = main_rows(cell), cell[0]
    baseline = baseline_name(main)
    others = [row for row in main if row.delta is not None]
    if any(row.verdict is Verdict.SMOKE_TEST for row in main):
        return "A smoke test: it shows that everything runs, and supports no claim about the losses."
    if not others:
        return f"{baseline} alone: there is no other loss to compare it with."
    if first.n_seeds < LEAST_SEEDS:
        shown = "only intervals" if first.n_seeds >= INTERVAL_SEEDS else "not even intervals"
        verb = "supports" if first.n_seeds == 1 else "support"
        return f"No verdict: {seeds(first)} {verb} {shown}; a verdict takes at least {LEAST_SEEDS}."
    return _choice(others, baseline)


def answer(cell: Sequence[ArmRow]) -> list[str]:
    """The decision, what the threshold asked for does, and what no model would cost."""
    return [decision(cell), *operating_sentence(main_rows(cell), baseline_name(cell)), *idle_sentence(cell)]


def _choice(others: Sequence[ArmRow], baseline: str) -> str:
    """Which loss to train with, of the rows of one start."""
    places, margin = spread.digits(others[0].margin), others[0].margin
    budget = " at this budget" if any(row.budget_limited for row in others) else ""
    most = max(most_gain(row) for row in others)
    better, metric = better_rows(others), others[0].metric
    if won := winners(others):
        also = f" Also better: {listed([row.name for row in won[1:]])}." if won[1:] else ""
        by = "" if metric is None else f" in {phrase(metric)}"
        return f"Use {won[0].name}{budget}: better than {baseline} by {_by(won[0])}{by}.{also}"
    if most <= 0:
        return f"Stay with {baseline}{budget}: every other loss is worse."
    bound = spread.bound(most, places)
    small = (
        f"{_are([row.name for row in better])} better by less than {spread.number(margin, places)}" if better else ""
    )
    if most <= margin:
        shown = f"{small}, and " if small else ""
        gains = "gains" if metric is None or not metric.lower_is_better else "saves"
        return f"Stay with {baseline}{budget}: {shown}no loss {gains} more than {bound} here."
    open_rows = [row for row in others if row.verdict is Verdict.UNDECIDED and most_gain(row) > margin]
    return (
        f"Stay with {baseline} for now{budget}: {small or 'no loss is shown to be better'}, a gain of up to {bound} is "
        f"not ruled out; {deciding(open_rows)}."
    )


def _are(names: Sequence[str]) -> str:
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'}"


def deciding(rows: Sequence[ArmRow]) -> str:
    """How many seeds would decide all of these rows."""
    needed = [row.seeds_to_decide or 0 for row in rows]
    if 0 in needed:
        return "more seeds alone would not decide it, more data may"
    return f"about {max(needed):,} seeds would decide"


def _of_reference(cell: Sequence[ArmRow], baseline: str) -> list[str]:
    """How the reference with the highest mean compares with the baseline, on the same seeds."""
    references = [row for row in cell if row.kind is Kind.REFERENCE]
    if not references:
        return []
    best = max(references, key=skill)
    name = begun(best.arm)
    if best.verdict in (Verdict.BETTER, Verdict.WORSE):
        return [f"{name} is {best.verdict} than {baseline} by {_by(best)}."]
    if best.verdict is Verdict.WITHIN:
        return [f"{name} is as good as {baseline}, to within {spread.number(best.margin, spread.digits(best.margin))}."]
    return [f"{name} against {baseline} is undecided: {_signed(best)}."]


def begun(arm: str) -> str:
    """The label of a reference as a sentence begins with it."""
    name = name_in(arm)
    title = TITLES.get(name) or (name if is_own(name) else name[:1].upper() + name[1:])
    return title + arm.removeprefix(name)


def references_said(cell: Sequence[ArmRow]) -> str:
    """What the references of a cell are, and who chose their settings; nothing where there are none.

    It begins a section under the table.
    """
    names = list(dict.fromkeys(name_in(row.arm) for row in cell if row.kind is Kind.REFERENCE))
    own = [name for name in names if is_own(name)]
    usual = [SKLEARN[name] for name in names if name in SKLEARN]
    known = [f"scikit-learn's {_and(usual)}"] if usual else []
    known += [TITLES[name] for name in names if name in TITLES]
    chosen = [f"{_and(known)}, settings chosen on validation"] if known else []
    return "; ".join([*chosen, *([f"your own: {listed(own)}"] if own else [])])


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _by(row: ArmRow) -> str:
    """How much better or worse, without a sign: `.045 [.010, .080]`."""
    assert row.delta is not None
    places, turned = spread.digits(row.margin), row.delta.mean < 0
    ends = spread.limits(row.delta) or (row.delta.mean, row.delta.mean)
    low, high = sorted(-end if turned else end for end in ends)
    return f"{spread.number(abs(row.delta.mean), places)} [{spread.number(low, places)}, {spread.number(high, places)}]"


# ---- details, under the table


def details(cell: Sequence[ArmRow], classes: Sequence[ClassRow] = ()) -> list[str]:
    """The sentences under a cell's table. classes: the rows of per_class for this cell."""
    main = main_rows(cell)
    sentences = [*_verdicts(main), *_rarest(main, classes), *_starts(cell), *_edges(cell), *scope(cell[0])]
    sentences += [*_unmeasured(cell[0]), *thin(cell[0])]
    if lost := cell[0].failed_seeds:
        sentences.append(f"{lost} more seeds are left out, for every arm alike: runs of theirs failed (see runs.csv).")
    if (failed := sum(row.diverged for row in cell if row.kind is Kind.ARM)) > 0:
        counted = "run diverged; it counts" if failed == 1 else "runs diverged; they count"
        sentences.append(f"{failed} {counted} with the best finite epoch, else at chance level.")
    return sentences


def _verdicts(main: Sequence[ArmRow]) -> list[str]:
    """The rows by verdict, with their differences."""
    baseline, margin = baseline_name(main), spread.number(main[0].margin, spread.digits(main[0].margin))
    heads = {
        Verdict.BETTER: f"Better than {baseline}",
        Verdict.WORSE: f"Worse than {baseline}",
        Verdict.WITHIN: f"As good as {baseline}, to within {margin}",
    }
    sentences = []
    for verdict, head in heads.items():
        if rows := [row for row in main if row.verdict is verdict]:
            sentences.append(f"{head}: {', '.join(f'{row.name} ({_signed(row)})' for row in rows)}.")
    if undecided := [row for row in main if row.verdict is Verdict.UNDECIDED]:
        of = "all losses" if len(undecided) == len(main) - 1 else listed([row.name for row in undecided])
        sentences.append(f"Undecided, with intervals neither beyond 0 nor within {margin}: {of}.")
    if limited := [row.name for row in main if row.budget_limited]:
        still = "rows: their differences" if len(limited) > 1 else "row: its difference"
        sentences.append(
            f"At this budget only, {len(limited)} {still} still moved in the second half of the epochs "
            f"({listed(limited)}); more steps may change these."
        )
    return sentences


def _rarest(main: Sequence[ArmRow], classes: Sequence[ClassRow]) -> list[str]:
    """The rarest class by itself, which an average over classes hides."""
    names = [row.arm for row in main]
    rows = [(row, row.average_precision) for row in classes if row.arm in names]
    measured = [(row, found) for row, found in rows if found is not None]
    if len(main) == 1 or not measured:
        return []
    rarest = min(measured, key=lambda each: each[0].train_positives)[0].name
    of_rarest = [(row, found) for row, found in measured if row.name == rarest]
    baseline = next(each for each in of_rarest if each[0].delta is None)
    best = max(of_rarest, key=lambda each: each[1].mean)
    sentence = f"Of {rarest}, the rarest measured, alone: {baseline_name(main)} {baseline[1].mean:.3f}"
    if best[0].delta is None:
        return [sentence + ", the highest."]
    sentence += f", the highest {best[0].arm} {best[1].mean:.3f} ({spread.phrase(best[0].delta, 3)})"
    alone = spread.form(best[0].delta) == "half"
    return [sentence + ("; this interval stands for one comparison, not for the best of many." if alone else ".")]


def _starts(cell: Sequence[ArmRow]) -> list[str]:
    """What starting the baseline elsewhere does, and which verdicts depend on the start."""
    arms = [row for row in cell if row.kind is Kind.ARM]
    own = {row.name: row for row in arms if row.init == "own"}
    name, sentences = baseline_name(arms), []
    for start in dict.fromkeys(row.init for row in arms if row.init != "own"):
        rows = [row for row in arms if row.init == start]
        sentences += [start_sentence(row, name) for row in rows if row.family == name.lower() and row.own_start]
        pairs = [(row, own[row.name]) for row in rows if row.name in own]
        sentences += [_disagreement(row, same, name) for row, same in pairs if _disagree(row, same)]
    return sentences


def start_sentence(row: ArmRow, baseline: str) -> str:
    """What starting the baseline elsewhere changes. row: the baseline's, of that start."""
    assert row.own_start is not None
    change = spread.phrase(row.own_start, spread.digits(row.margin))
    return f"The start: {baseline} from a {_start_name(row.init)} instead of its own constant changes by {change}."


def _disagree(row: ArmRow, same: ArmRow) -> bool:
    beyond = (Verdict.BETTER, Verdict.WORSE)
    return row.verdict is not same.verdict and (row.verdict in beyond or same.verdict in beyond)


def _disagreement(row: ArmRow, own: ArmRow, baseline: str) -> str:
    budget = ", at this budget" if row.budget_limited or own.budget_limited else ""
    return (
        f"Depends on the start{budget}: {row.name} against {baseline} is {row.verdict} from a {_start_name(row.init)} "
        f"({_signed(row)}) and {own.verdict} from their own constants ({_signed(own)})."
    )


def _edges(cell: Sequence[ArmRow]) -> list[str]:
    """Learning rates at an end of the grid that most seeds chose, and a grid that goes on there."""
    sentences = []
    for edge, rates in wider_grids(cell).items():
        names = listed([row.arm for row in cell if row.kind is Kind.ARM and row.lr_edge == edge])
        grid = ", ".join(f"{rate:g}" for rate in rates)
        sentences.append(
            f"More than half of the seeds chose {edge:g}, an end of the grid of learning rates, for {names}; "
            f"a wider grid is {grid}."
        )
    return sentences


def wider_grids(cell: Sequence[ArmRow]) -> dict[float, list[float]]:
    """Grids of learning rates that go on, by a step of about three, at the ends that more than half of the seeds chose
    in some row.
    """
    found: dict[float, list[float]] = {}
    for row in cell:
        if row.kind is Kind.ARM and row.lr_edge is not None and row.lrs is not None:
            rates = [float(text) for text in row.lrs.split(", ")]
            more = row.lr_edge / 3 if row.lr_edge == rates[0] else row.lr_edge * 10 / 3
            found[row.lr_edge] = sorted({*rates, float(f"{more:.1g}")})
    return dict(sorted(found.items()))


def scope(first: ArmRow) -> list[str]:
    """What the intervals of a cell speak of."""
    if first.n_seeds < INTERVAL_SEEDS:
        return []
    return [OF_SCOPE[first.scope].format(first.older_seeds, first.n_seeds)]


def _unmeasured(first: ArmRow) -> list[str]:
    """The classes that no average counts."""
    names = first.unmeasured
    return [f"Too few rows to measure {names}: trained on, left out of every mean."] if names else []


def thin(first: ArmRow) -> list[str]:
    """Splits whose positives are enough to run on, yet too few to trust."""
    sentences, validation, test = [], first.sizes.val_positives, first.sizes.test_positives
    if validation < CHOICE_POSITIVES:
        sentences.append(
            f"Thin: validation holds {validation} positives; below {CHOICE_POSITIVES} its choices are unreliable."
        )
    if test < TABLE_TEST_POSITIVES:
        sentences.append(
            f"Thin: test holds {test} positives; below {TABLE_TEST_POSITIVES} its average precision is noisy."
        )
    return sentences


def _start_name(start: object) -> str:
    return {"zero": "zero bias", "prior": "log-odds bias"}.get(str(start), f"{start} start")


def _signed(row: ArmRow) -> str:
    return "" if row.delta is None else spread.phrase(row.delta, spread.digits(row.margin))


def conclusions(cell: Sequence[ArmRow], classes: Sequence[ClassRow] = ()) -> list[str]:
    """The decision, then the details."""
    return [*answer(cell), *details(cell, classes)]


def cells(table: Iterable[ArmRow]) -> list[list[ArmRow]]:
    """The rows of a table, one list for each data set at one rate."""
    return by_cell(list(table))


def of_cell(cell: Sequence[ArmRow], classes: Iterable[ClassRow]) -> list[ClassRow]:
    """The rows of single classes that belong to a cell."""
    where = cell[0].dataset, cell[0].positive_rate
    return [row for row in classes if (row.dataset, row.positive_rate) == where]
