"""A run then and now: the same, moved, or apart by no more than rounding moves it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from focalbench.analysis.run_rows import RunRow, Settings
from focalbench.base.rows import Value, columns, flatten, lacking
from focalbench.runs.result import Outcome, Sizes
from focalbench.runs.run import Run
from focalbench.training.references import is_reference

# Another processor rounds otherwise. Of 221 runs of 20 and 40 epochs trained again on one, half agreed to 1e-6 in all
# that is measured, seven in eight to .001 in average precision; one parted by .23. After a quarter of the epochs one in
# twenty had parted by more than 1e-4. So a run that parts is trained again from initial weights moved in their last
# digit: what these differ by among themselves is rounding. (Learning rates a few millionths apart are no such measure:
# 117 runs never came near the path that another processor, and 18 of 24 runs with moved weights, took of one run.)
NEIGHBOURS = (4, 12)  # runs so moved, and how many more where the first do not reach the old numbers
# share of runs that rounding may part, and the number of a small sample; where there are more, none is trained again
MOST_PARTED, FEW_PARTED = 0.5, 4

LINE, ITERATED = ("calibration_slope", "calibration_intercept"), 1e-9  # its last digits hang on where a fit starts
MCC = "mcc_at_prevalence"
COUNTED = ("r_precision", "recall_at_fpr", MCC)  # move in steps of one positive
ADDED = ("split", "train_share")  # not recorded by older versions
LATER = lacking(Outcome, ())  # measured since: blank of a run that came from a store of before
# beside the settings they must be the same for a comparison; the rest of an outcome is measured
GIVEN = (*columns(Sizes), *ADDED, "status", "k")
NOT_COMPARED = ("epoch", "classes", "data_sha256")
MEASURED = tuple(name for name in columns(Outcome) if name not in (*GIVEN, *NOT_COMPARED))
SAME, BETTER, WORSE, MISSING, INCOMPARABLE, ROUNDING = (
    *("same", "better", "worse", "missing", "incomparable"),
    "same but for rounding",
)

Train = Callable[[Sequence[Run]], Mapping[str, RunRow]]  # the rows of runs, by run_id


@dataclass(frozen=True)
class Before:
    """A run and the row it had (None: there is none), from which a new one may part by the tolerance: absolute below
    1, relative above; 0 is to the bit.
    """

    run: Run
    row: RunRow | None
    tolerance: float


@dataclass(frozen=True)
class Comparison:
    """A run then and now. status: one of those above."""

    label: str
    status: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.status}: {self.label}" + (f" ({self.detail})" if self.detail else "")


def compare_runs(groups: Sequence[Sequence[Before]], now: Mapping[str, RunRow], train: Train) -> list[list[Comparison]]:
    """Every run of some groups then and now. now: rows by run_id; train: gives those of other runs.

    What parts is trained again from weights moved in their last digit, unless much of its group has parted.
    """
    compared = [[_compare(before, now[before.run.run_id]) for before in group] for group in groups]
    parted = [before for group, found in zip(groups, compared, strict=True) for before in _parted(group, found)]
    reached = _reached(parted, now, train)
    return [
        [
            replace(each, status=ROUNDING) if before.run.run_id in reached and each.status != SAME else each
            for before, each in zip(group, found, strict=True)
        ]
        for group, found in zip(groups, compared, strict=True)
    ]


def _parted(group: Sequence[Before], compared: Sequence[Comparison]) -> list[Before]:
    """Those whose difference may be rounding's; none where too many differ."""
    parted = [
        before
        for before, each in zip(group, compared, strict=True)
        if each.status in (BETTER, WORSE) and _can_part(before)
    ]
    return parted if len(parted) <= max(FEW_PARTED, MOST_PARTED * len(group)) else []


def moved(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Those that are not the same."""
    return [comparison for comparison in comparisons if comparison.status not in (SAME, ROUNDING)]


def label_of(asked: Settings) -> str:
    """What tells a run from the others of its folder."""
    noise = f" noise={asked.label_noise}" if asked.label_noise else ""
    return f"{asked.dataset}{noise} {asked.arm} lr={asked.lr} seed={asked.seed} restart={asked.restart}"


def numbers(outcome: Outcome) -> dict[str, Value]:
    """All that was measured of a run, single classes included."""
    measured, classes = flatten(outcome), outcome.classes or ()
    by_class = {f"{name} of {each.name}": value for each in classes for name, value in flatten(each).items()}
    return {name: measured[name] for name in MEASURED} | by_class


def _can_part(before: Before) -> bool:
    """Whether rounding may explain a difference: a reference has no such weights, and to the bit is to the bit."""
    return before.tolerance > 0 and not is_reference(before.run)


def _compare(before: Before, new: RunRow) -> Comparison:
    label, old = label_of(new.settings), before.row
    if old is None or old.outcome is None or new.outcome is None:
        return Comparison(label, MISSING, "not recorded")
    given, now_given = _given(old), _given(new)
    for name, value in given.items():
        if value != now_given[name] and not (name in ADDED and value is None):
            return Comparison(label, INCOMPARABLE, f"{name} was {value}, is {now_given[name]}")
    then, now = numbers(old.outcome), numbers(new.outcome)
    if then.keys() != now.keys():
        return Comparison(label, INCOMPARABLE, "its classes are others")
    for name, value in then.items():
        slack = _slack(name, value, old.outcome, before.tolerance)
        if not _is_unknown(name, value) and (status := _status(value, now[name], slack)) != SAME:
            return Comparison(label, status, f"{name} {value} -> {now[name]}")
    return Comparison(label, SAME)


def _is_unknown(name: str, old: Value) -> bool:
    """Whether a number was not measured when a run was trained, though its file may be of later."""
    return name in LATER and old is None


def _given(row: RunRow) -> dict[str, Value]:
    """What has to be the same for a run to be compared."""
    return {name: value for name, value in flatten(row).items() if name not in (*MEASURED, *NOT_COMPARED)}


def _slack(name: str, value: Value, old: Outcome, tolerance: float) -> float:
    """By how much a number of an outcome may part."""
    size = max(1.0, abs(value) if isinstance(value, (int, float)) else 0.0)
    if not tolerance:
        return ITERATED * size if name.endswith(LINE) else 0.0
    step = 1 / _steps(old) if name in COUNTED else 0.0
    return step / (1 - _share(old) if name == MCC else 1) + tolerance * size


def _share(outcome: Outcome) -> float:
    """Of the positives among the test rows."""
    sizes, share = outcome.sizes, outcome.test_prevalence
    return sizes.test_positives / sizes.test_rows if share is None else share


def _steps(outcome: Outcome) -> float:
    """How many test positives a run has; where they weigh less than a negative does, how many of these."""
    positives, share = outcome.sizes.test_positives, outcome.test_prevalence
    if share is None or outcome.classes is not None:
        return positives
    return min(positives, share / (1 - share) * (outcome.sizes.test_rows - positives))


def _status(old: Value, new: Value, slack: float) -> str:
    """Same, better, worse, or incomparable where only one of the two is a number."""
    if not isinstance(old, (int, float)) or not isinstance(new, (int, float)):
        return SAME if old == new else INCOMPARABLE
    if abs(new - old) <= slack:
        return SAME
    return BETTER if new > old else WORSE


def _reached(parted: Sequence[Before], now: Mapping[str, RunRow], train: Train) -> set[str]:
    """The run_ids whose old numbers lie where rounding takes the new ones."""
    near = {before.run.run_id: [now[before.run.run_id]] for before in parted}
    waiting = list(parted)
    for count in NEIGHBOURS if parted else ():
        runs_of = [before.run for before in waiting]
        neighbours = {run.run_id: _neighbours(run, len(near[run.run_id]), count) for run in runs_of}
        made = train([run for runs in neighbours.values() for run in runs])
        for run_id, runs in neighbours.items():
            near[run_id] += [made[run.run_id] for run in runs]
        waiting = [before for before in waiting if not _among(before, near[before.run.run_id])]
        if not waiting:
            break
    return near.keys() - {before.run.run_id for before in waiting}


def _neighbours(run: Run, first: int, count: int) -> list[Run]:
    return [replace(run, rounding=place) for place in range(first, first + count)]


def _among(before: Before, near: Sequence[RunRow]) -> bool:
    """Whether every old number lies among the new ones, or outside by no more than these lie apart."""
    assert before.row is not None
    assert before.row.outcome is not None
    old = before.row.outcome
    every = [numbers(row.outcome) for row in near if row.outcome is not None]
    return all(
        _is_unknown(name, value)
        or _lies_among(value, [row.get(name) for row in every], _slack(name, value, old, before.tolerance))
        for name, value in numbers(old).items()
    )


def _lies_among(old: Value, new: Sequence[Value], slack: float) -> bool:
    found = [value for value in new if isinstance(value, (int, float))]
    if not isinstance(old, (int, float)) or not found:
        return old in new
    beyond = slack + max(found) - min(found)
    return min(found) - beyond <= old <= max(found) + beyond
