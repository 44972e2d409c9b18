"""The first line under a table's title, one branch after the other, and the sentences that qualify it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from focalbench.analysis.comparison import compare
from focalbench.analysis.rows import ArmRow, Kind, Scope, Spread, Verdict
from focalbench.report.words import conclusions, decision, details, references_said, wider_grids
from focalbench.runs.reference import MODELS, is_own, name_in
from tests.support.runs import BCE, FIVE, GAMMA, made_row, reference_row

MARGIN = 0.01


def template(name: str) -> ArmRow:
    arms = [made_row(arm, seed, 0.4) for arm in (BCE, GAMMA, FIVE) for seed in range(10)]
    rows = compare(arms + [reference_row(seed, 0.4) for seed in range(10)])
    return next(row for row in rows if row.arm == name)


def row(name: str, verdict: Verdict, low: float, high: float, **changes: object) -> ArmRow:
    """A row whose difference to BCE lies between these limits, in their middle."""
    mean = (low + high) / 2
    own = replace(template("gamma=2").average_precision, mean=0.4 + mean)
    kind = Kind.REFERENCE if name_in(name) in MODELS or is_own(name) else Kind.ARM
    spread = Spread(mean, low, high, low, high)
    found = replace(template("gamma=2"), arm=name, kind=kind, delta=spread, average_precision=own, verdict=verdict)
    if kind is Kind.REFERENCE:
        found = replace(found, init=None, family="reference")
    return replace(found, margin=MARGIN, **changes)  # type: ignore[arg-type]


def cell(*rows: ArmRow, seeds: int = 10) -> list[ArmRow]:
    return [replace(each, margin=MARGIN, n_seeds=seeds) for each in (template("bce"), *rows)]


BETTER = row("gamma=2", Verdict.BETTER, 0.01, 0.08)
MORE = row("gamma=5", Verdict.BETTER, 0.02, 0.1)
SLIGHT = row("gamma=2", Verdict.BETTER, 0.001, 0.009)
WITHIN = row("gamma=2", Verdict.WITHIN, -0.004, 0.008)
WORSE = row("gamma=5", Verdict.WORSE, -0.09, -0.03)
OPEN = row("gamma=2", Verdict.UNDECIDED, -0.012, 0.02, seeds_to_decide=41)
WIDE = row("gamma=5", Verdict.UNDECIDED, -0.03, 0.05, seeds_to_decide=1234)
NEVER = row("gamma=5", Verdict.UNDECIDED, -0.03, 0.05, seeds_to_decide=0)
BELOW = row("gamma=5", Verdict.UNDECIDED, -0.03, 0.005, seeds_to_decide=30)
MOVED = replace(OPEN, budget_limited=True)
STAY = "Stay with BCE: no loss gains more than .008 here."

BRANCHES: dict[str, tuple[Sequence[ArmRow], str]] = {
    "smoke test": (
        cell(replace(BETTER, verdict=Verdict.SMOKE_TEST)),
        "A smoke test: it shows that everything runs, and supports no claim about the losses.",
    ),
    "alone": (cell(), "BCE alone: there is no other loss to compare it with."),
    "alone, with a reference": (
        cell(row("boosting", Verdict.BETTER, 0.01, 0.08)),
        "BCE alone: there is no other loss to compare it with. Boosting is better than BCE by .045 [.010, .080].",
    ),
    "one seed": (cell(BETTER, seeds=1), "No verdict: 1 seed supports not even intervals; a verdict takes at least 6."),
    "three seeds": (
        cell(BETTER, seeds=3),
        "No verdict: 3 seeds support not even intervals; a verdict takes at least 6.",
    ),
    "five seeds": (cell(BETTER, seeds=5), "No verdict: 5 seeds support only intervals; a verdict takes at least 6."),
    "use": (cell(BETTER, WORSE), "Use gamma=2: better than BCE by .045 [.010, .080]."),
    "use the best": (
        cell(BETTER, MORE),
        "Use gamma=5: better than BCE by .060 [.020, .100]. Also better: gamma=2.",
    ),
    "better within the margin": (
        cell(SLIGHT, WORSE),
        "Stay with BCE: gamma=2 is better by less than .010, and no loss gains more than .009 here.",
    ),
    "two better within the margin": (
        cell(SLIGHT, replace(SLIGHT, arm="gamma=1")),
        "Stay with BCE: gamma=2, gamma=1 are better by less than .010, and no loss gains more than .009 here.",
    ),
    "better within the margin, another open": (
        cell(SLIGHT, WIDE),
        "Stay with BCE for now: gamma=2 is better by less than .010, a gain of up to .050 is not ruled out; about "
        "1,234 seeds would decide.",
    ),
    "stay": (cell(WITHIN, WORSE), STAY),
    "stay, by a bound smaller than the decimals": (
        cell(row("gamma=2", Verdict.WITHIN, -0.0004, 0.0003)),
        "Stay with BCE: no loss gains more than .001 here.",
    ),
    "stay, all worse": (cell(WORSE), "Stay with BCE: every other loss is worse."),
    "stay, undecided below": (cell(BELOW), "Stay with BCE: no loss gains more than .005 here."),
    "stay for now": (
        cell(OPEN, WIDE, WORSE),
        "Stay with BCE for now: no loss is shown to be better, a gain of up to .050 is not ruled out; about 1,234 "
        "seeds would decide.",
    ),
    "stay for now, one is open above": (
        cell(OPEN, BELOW),
        "Stay with BCE for now: no loss is shown to be better, a gain of up to .020 is not ruled out; about 41 seeds "
        "would decide.",
    ),
    "stay for now, with no number of seeds": (
        cell(OPEN, NEVER),
        "Stay with BCE for now: no loss is shown to be better, a gain of up to .050 is not ruled out; more seeds alone "
        "would not decide it, more data may.",
    ),
    "reference better": (
        cell(WITHIN, row("boosting", Verdict.BETTER, 0.01, 0.08)),
        f"{STAY} Boosting is better than BCE by .045 [.010, .080].",
    ),
    "reference worse": (
        cell(WITHIN, row("boosting", Verdict.WORSE, -0.08, -0.01)),
        f"{STAY} Boosting is worse than BCE by .045 [.010, .080].",
    ),
    "reference as good": (
        cell(WITHIN, row("boosting", Verdict.WITHIN, -0.004, 0.008)),
        f"{STAY} Boosting is as good as BCE, to within .010.",
    ),
    "reference undecided": (
        cell(WITHIN, row("boosting", Verdict.UNDECIDED, -0.04, 0.08)),
        f"{STAY} Boosting against BCE is undecided: +.020 [-.040, +.080].",
    ),
    "the reference with the highest mean": (
        cell(WITHIN, row("logistic", Verdict.WORSE, -0.08, -0.01), row("boosting", Verdict.WITHIN, -0.004, 0.008)),
        f"{STAY} Boosting is as good as BCE, to within .010.",
    ),
    "a library": (
        cell(WITHIN, row("lightgbm, class-weighted", Verdict.WITHIN, -0.004, 0.008)),
        f"{STAY} LightGBM, class-weighted is as good as BCE, to within .010.",
    ),
    "a model of one's own": (
        cell(WITHIN, row("mine:MODEL", Verdict.WITHIN, -0.004, 0.008)),
        f"{STAY} mine:MODEL is as good as BCE, to within .010.",
    ),
    "use at this budget": (
        cell(replace(BETTER, budget_limited=True)),
        "Use gamma=2 at this budget: better than BCE by .045 [.010, .080].",
    ),
    "stay at this budget": (
        cell(replace(WITHIN, budget_limited=True)),
        "Stay with BCE at this budget: no loss gains more than .008 here.",
    ),
    "stay for now at this budget": (
        cell(MOVED),
        "Stay with BCE for now at this budget: no loss is shown to be better, a gain of up to .020 is not ruled out; "
        "about 41 seeds would decide.",
    ),
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_the_decision(branch: str) -> None:
    rows, said = BRANCHES[branch]
    assert decision(rows) == said
    assert conclusions(rows)[0] == said


def test_decimals_follow_the_margin() -> None:
    small = [replace(each, margin=0.0007) for each in cell(row("gamma=2", Verdict.WITHIN, -0.0004, 0.0006))]
    assert decision(small) == "Stay with BCE: no loss gains more than .00060 here."


def test_the_details_name_the_rows_by_verdict() -> None:
    said = details(cell(BETTER, replace(WITHIN, arm="alpha=0.9"), WORSE))
    assert said[:3] == [
        "Better than BCE: gamma=2 (+.045 [+.010, +.080]).",
        "Worse than BCE: gamma=5 (-.060 [-.090, -.030]).",
        "As good as BCE, to within .010: alpha=0.9 (+.002 [-.004, +.008]).",
    ]
    undecided = "Undecided, with intervals neither beyond 0 nor within .010: {}."
    assert undecided.format("gamma=2") in details(cell(OPEN, WORSE))
    assert undecided.format("all losses") in details(cell(OPEN, WIDE))


@pytest.mark.parametrize(
    ("scope", "says"),
    [
        (Scope.DRAWS, "Intervals speak of other draws of the same kind of data."),
        (Scope.TABLE, "Intervals speak of other tables of the same kind, split and thinned the same way."),
        (
            Scope.FOLDS,
            "Intervals speak of other tables of the same kind, split into folds the same way; few positives make them "
            "wide.",
        ),
        (Scope.TRAINED, "Intervals speak of other rows of the latest times, for models trained on these rows."),
        (Scope.GROUPS, "Intervals speak of these groups; they are too few to speak of others."),
        (
            Scope.THIS_TABLE,
            "Intervals speak of this table only, split anew: 3 of 10 seeds have runs of an older version, which did "
            "not keep what it takes to speak of other tables; trained again, they would.",
        ),
    ],
)
def test_what_intervals_speak_of_is_said(scope: Scope, says: str) -> None:
    rows = [replace(each, scope=scope, older_seeds=3 * (scope is Scope.THIS_TABLE)) for each in cell(WITHIN)]
    assert says in details(rows)
    few = [replace(each, n_seeds=3) for each in rows]
    assert not any("Intervals speak" in sentence for sentence in details(few))


def test_wider_grids_go_on_by_a_step_of_about_three() -> None:
    grid = "0.0003, 0.001, 0.003"
    low, high = replace(WITHIN, lrs=grid, lr_edge=0.0003), replace(WORSE, lrs=grid, lr_edge=0.003)
    assert wider_grids(cell(low, high)) == {
        0.0003: [0.0001, 0.0003, 0.001, 0.003],
        0.003: [0.0003, 0.001, 0.003, 0.01],
    }
    assert wider_grids(cell(WITHIN)) == {}


SAID = {
    "scikit-learn's logistic regression and histogram boosting, settings chosen on validation": (
        "logistic",
        "boosting",
    ),
    "scikit-learn's histogram boosting, LightGBM and XGBoost, settings chosen on validation": (
        *("boosting", "lightgbm", "lightgbm, class-weighted", "xgboost"),
    ),
    "CatBoost, settings chosen on validation; your own: a:B, c:D": ("catboost", "a:B", "c:D"),
    "your own: a:B": ("a:B",),
    "": (),
}


@pytest.mark.parametrize("said", SAID)
def test_what_stands_under_the_table_is_told_as_what_it_is(said: str) -> None:
    assert references_said(cell(*(row(name, Verdict.WITHIN, -0.004, 0.008) for name in SAID[said]))) == said
