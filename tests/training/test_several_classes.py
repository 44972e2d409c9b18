"""Several classes or labels from the trainer to the table: the plain loop's numbers, in any company, and their mean."""

import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats
from scipy.special import logsumexp
from sklearn.metrics import average_precision_score, roc_auc_score

from focalbench.analysis.comparison import compare
from focalbench.analysis.per_class import per_class
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow, run_row
from focalbench.base.rows import rows_text
from focalbench.datasets.build import build_splits, resolve
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.stacks import make_stacks
from focalbench.plan.toml import from_mapping
from focalbench.report.curves import CurvePoint
from focalbench.report.figures import draw_results
from focalbench.report.tables import class_grid, csv_text, latex, markdown, print_rich
from focalbench.report.words import title
from focalbench.runs.arm import Arm
from focalbench.runs.arm_choice import ArmOptions, baseline_of, chosen_arms, own_arms, plain_arm
from focalbench.runs.catalogue import Task
from focalbench.runs.columns import Columns
from focalbench.runs.result import NO_CALIBRATION, ClassOutcome, Curves, Result, Scores
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.arm_loss import run_loss
from focalbench.training.caller import Caller
from focalbench.training.evaluation import Measured, macro
from focalbench.training.loop import Member, Rows, Schedule, macro_average_precision, train
from focalbench.training.models import Architecture, draw_weights
from focalbench.training.references import BOOSTING, LOGISTIC
from focalbench.training.rivals import ClassCounts
from focalbench.training.stack import run_stack
from tests.support.plain import plain_train
from tests.support.runs import changed, ends, mean_of, outcome_of, outcome_with

CLASSES = Recipe("rare-class:classes=4", 1500, 0.03, task="multiclass")
LABELS = Recipe("labels:labels=3", 1500, 0.03, task="multilabel")
TRAINING = Training(hidden=(8,), epochs=4, batch_size=128)
SOFTMAX_ARMS = (Arm("ce"), Arm("weighted_ce"), Arm("softmax_focal", gamma=2.0), Arm("softmax_focal", "balanced", 1.0))
SIGMOID_ARMS = (Arm("bce"), Arm("pos_weight"), Arm("focal", 0.25, 2.0), Arm("bce", init="zero"))
BOTH = pytest.mark.parametrize("recipe", [CLASSES, LABELS], ids=["multiclass", "multilabel"])


def arms_of(recipe: Recipe) -> tuple[Arm, ...]:
    return (*SOFTMAX_ARMS, *SIGMOID_ARMS) if recipe.task == "multiclass" else SIGMOID_ARMS


def runs_of(recipe: Recipe, seeds: int = 2) -> list[Run]:
    return [
        Run(recipe, TRAINING, arm, lr, seed) for arm in arms_of(recipe) for lr in (3e-3, 3e-2) for seed in range(seeds)
    ]


def by_id(results: list[Result]) -> dict[str, Any]:
    return {result.run_id: (result.outcome, result.curves) for result in results}


def members_of(recipe: Recipe) -> tuple[list[Member], Rows, Rows]:
    splits = build_splits(recipe, 0)
    train_rows, validation = (
        Rows(torch.from_numpy(part.features), torch.from_numpy(part.outputs).float())
        for part in (splits.train, splits.validation)
    )
    counts = [ClassCounts(int(column.sum()), int((column == 0).sum())) for column in splits.train.outputs.T]
    architecture = Architecture(splits.train.features.shape[1], (8,), len(counts))
    layers = draw_weights(architecture, np.random.default_rng(0))
    return [Member(layers, 1e-2, run_loss(arm, counts)) for arm in arms_of(recipe)], train_rows, validation


@BOTH
def test_a_lockstep_run_of_several_outputs_is_the_plain_run(recipe: Recipe) -> None:
    members, rows, validation = members_of(recipe)
    rng = np.random.default_rng(1)
    orders, outputs = [rng.permutation(len(rows.targets)) for _ in range(4)], rows.targets.shape[1]
    architecture = Architecture(rows.features.shape[1], (8,), outputs)
    trained = train(architecture, rows, validation, members, Schedule(100, orders, tuple(range(outputs))))
    for i, member in enumerate(members):
        plain = plain_train(rows, validation, member, orders, 100)
        assert trained.curves[i] == pytest.approx(plain.curve, abs=2e-3), member.loss


@BOTH
@settings(max_examples=4)
@given(data=st.data())
def test_a_run_has_the_same_result_alone_and_in_any_company(recipe: Recipe, data: st.DataObject) -> None:
    runs = runs_of(recipe, 1)
    company = data.draw(st.lists(st.sampled_from(runs), min_size=2, max_size=12, unique=True))
    together = by_id(run_stack(tuple(company)))
    for run in company[:3]:
        assert by_id(run_stack((run,)))[run.run_id] == together[run.run_id]


def log_odds_of(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of each class under a softmax, (class, sample)."""
    others = [logsumexp(np.delete(logits, k, axis=0), axis=0) for k in range(len(logits))]
    odds: np.ndarray[Any, Any] = logits - np.stack(others)
    return odds


@BOTH
def test_what_is_measured_is_the_mean_of_scikit_learns_over_the_outputs(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:

    seen: list[np.ndarray[Any, Any]] = []
    plain = Caller.said

    def watched(caller: Caller, test: torch.Tensor, validation: torch.Tensor | None) -> Any:
        seen.append(test.numpy().copy())
        return plain(caller, test, validation)

    monkeypatch.setattr(Caller, "said", watched)
    runs, test = runs_of(recipe, 1), build_splits(recipe, 0).test
    for run, result, logits in zip(runs, run_stack(tuple(runs)), seen, strict=True):
        softmax = run.arm in SOFTMAX_ARMS
        scores = log_odds_of(logits.astype(np.float64)) if softmax else logits
        outcome = result.outcome
        close = partial(pytest.approx, abs=1e-4)  # float32 ties a few rows that float64 tells apart
        assert outcome.test_average_precision == close(average_precision_score(test.outputs, scores.T))
        assert outcome.scores.roc_auc == close(roc_auc_score(test.outputs, scores.T))
        each = [average_precision_score(test.outputs[:, k], scores[k]) for k in range(len(scores))]
        found = outcome.classes or ()
        assert [entry.test_average_precision for entry in found] == close(each)
        assert [entry.test_positives for entry in found] == test.outputs.sum(axis=0).tolist()
        ceilings = np.array([entry.bayes_average_precision for entry in found], dtype=np.float64)
        assert outcome.bayes_average_precision == pytest.approx(ceilings.mean())
        assert outcome.test_prevalence == pytest.approx(test.outputs.mean())


@BOTH
def test_the_way_back_mends_what_class_weights_moved(recipe: Recipe) -> None:
    long, rows = replace(TRAINING, epochs=12, hidden=(32, 32)), replace(recipe, rows=6000)
    weighted = [Arm("weighted_ce")] if recipe.task == "multiclass" else []
    for result in run_stack(tuple(Run(rows, long, arm, 0.01, 0) for arm in (*weighted, Arm("pos_weight")))):
        raw, back = (each.log_loss_skill for each in (result.outcome.scores.raw, result.outcome.scores.recovered))
        assert isinstance(raw, float)
        assert isinstance(back, float)
        assert back > max(raw + 0.05, 0.3)


def test_a_class_that_cannot_be_measured_is_left_out_of_the_mean() -> None:
    rows = Rows(torch.zeros(4, 1), torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [1.0, 0, 0], [0, 1.0, 0]]))
    scores = torch.tensor([[[3.0, 2, 1, 0], [0, 1.0, 2, 3], [0, 0, 0, 0]]])
    both = [average_precision_score(rows.targets[:, k], scores[0, k]) for k in (0, 1)]
    assert float(macro_average_precision(scores, rows, (0, 1))) == pytest.approx(np.mean(both))
    with pytest.raises(InputError, match="one class only"):
        macro_average_precision(scores, rows, (0, 1, 2))


def test_a_mean_over_outputs_is_missing_where_one_is_missing() -> None:
    first = Scores(1.0, None, 0.5, 0.25, replace(NO_CALIBRATION, brier=0.1), NO_CALIBRATION)
    second = Scores(2.0, 1.0, 0.25, 0.75, replace(NO_CALIBRATION, brier=0.3, ece=0.1), NO_CALIBRATION)
    found = macro([Measured(0.5, 3, first, Curves((), (0.5, 1.0))), Measured(1.0, 4, second, Curves((), (1.0, 0.0)))])
    assert (found.average_precision, found.k, found.curves) == (0.75, None, Curves((), (0.75, 0.5)))
    assert found.scores == Scores(1.5, None, 0.375, 0.5, replace(NO_CALIBRATION, brier=0.2), NO_CALIBRATION)


def test_references_are_fitted_for_every_output() -> None:
    for recipe, model, arm in ((CLASSES, LOGISTIC, Arm("pos_weight")), (LABELS, BOOSTING, Arm("bce"))):
        small = replace(recipe, rows=700)
        (result,) = run_stack((Run(small, Training(model=model, hidden=(), epochs=0), arm, 0.0, 0),))
        found = np.array([each.test_average_precision for each in result.outcome.classes or ()], dtype=np.float64)
        assert result.outcome.test_average_precision == pytest.approx(found.mean())
        assert found.min() > 0.03


# ---- the table


def rows_of_classes(seeds: int = 7) -> list[RunRow]:
    """Runs of two arms on three classes whose average precisions are known."""
    rows = []
    for name, family, shift in (("ce", "ce", 0.0), ("softmax gamma=2", "softmax_focal", 0.05)):
        for seed in range(seeds):
            run = Run(CLASSES, TRAINING, Arm("ce") if family == "ce" else Arm("softmax_focal", gamma=2.0), 0.01, seed)
            rng = np.random.default_rng([seed, len(family)])
            each = [0.9 + 0.01 * rng.random(), None, 0.5 + shift + 0.02 * rng.random()]
            classes = [
                {"name": f"c{k}", "train_positives": 10 * (3 - k), "val_positives": 10, "test_positives": 10 + seed}
                | {"bayes_average_precision": None, "test_average_precision": value}
                for k, value in enumerate(each)
            ]
            mean = float(np.mean([value for value in each if value is not None]))
            reached = ("test_average_precision", "val_average_precision")
            values = {f"{name}{budget}": mean for name in reached for budget in ("", "_quarter", "_half")}
            sizes = {f"{split}_{what}": 100 for split in ("train", "val", "test") for what in ("rows", "positives")}
            outcome = outcome_with(**values, **sizes, epoch=2, classes=json.dumps(classes), test_prevalence=0.5,
                                   bayes_average_precision=None)  # fmt: skip
            row = run_row(run, outcome)
            assert row.settings.arm == name
            rows.append(row)
    return rows


def test_the_baseline_of_classes_is_the_cross_entropy_of_a_softmax() -> None:
    table = compare(rows_of_classes())
    assert [row.verdict for row in table] == ["baseline", "better"]
    assert table[0].n_classes == 2
    assert title(table, per_class(rows_of_classes())).endswith("mean over 2 classes, chance 0.1300 to 0.1300 by class")
    assert "chance" not in title(table)
    text = markdown(table, per_class(rows_of_classes()))
    assert "vs CE" in text
    assert "Better than CE: softmax gamma=2" in text
    assert "BCE" not in text.split("AUCPR: step-wise")[0]


def test_single_classes_are_compared_by_seed() -> None:
    found = per_class(rows_of_classes())
    assert [(row.arm, row.name) for row in found][2:4] == [("ce", "c2"), ("softmax gamma=2", "c0")]
    classes = [outcome_of(row).classes or () for row in rows_of_classes()]
    values = np.array([each[2].test_average_precision for each in classes], dtype=np.float64).reshape(2, 7)
    last = found[-1]
    assert mean_of(last.average_precision) == pytest.approx(values[1].mean())
    low, high = stats.ttest_rel(values[1], values[0]).confidence_interval()
    assert ends(last.delta) == pytest.approx((low, high))
    assert found[2].delta is None
    assert found[1].average_precision is None
    assert found[-1].test_positives == pytest.approx(13)


def test_the_grid_shows_measured_classes_with_the_rarest_last() -> None:
    headings, *lines = grid_of(compare(rows_of_classes()), per_class(rows_of_classes()))
    assert headings == ("arm", "c0", "c2")
    assert lines[0] == ("(training rows)", "30", "10")
    assert lines[1] == ("(chance)", ".1300", ".1300")
    assert [line[0] for line in lines[2:]] == ["ce", "softmax gamma=2"]


def grid_of(table: list[ArmRow], classes: list[ClassRow]) -> list[tuple[str, ...]]:
    """The grid of classes as text, its headings first."""
    grid = class_grid(table, classes)
    assert grid is not None
    return [tuple(column.heading for column in grid.columns), *(line.cells for line in grid.sections[0].lines)]


def with_classes(row: RunRow, classes: list[ClassOutcome]) -> RunRow:
    return replace(row, outcome=replace(outcome_of(row), classes=tuple(classes)))


def test_chance_is_each_classs_own() -> None:
    """Classes of 1% and 53%: their mean share, a quarter, is the chance of none."""
    held = {"c0": 1, "c1": 13, "c2": 53}
    rows = [
        with_classes(row, [replace(each, test_positives=held[each.name]) for each in outcome_of(row).classes or ()])
        for row in rows_of_classes()
    ]
    table, classes = compare(rows), per_class(rows)
    assert [row.prevalence for row in classes[:3]] == pytest.approx([0.01, 0.13, 0.53])
    for text in (markdown(table, classes), latex(table, classes)):
        assert "mean over 2 classes, chance 0.0100 to 0.5300 by class" in text
    assert grid_of(table, classes)[2] == ("(chance)", ".0100", ".5300")


def test_a_never_finite_run_counts_at_chance() -> None:
    rows = [changed(row, val_average_precision=None) for row in rows_of_classes()]
    assert all(row.budget_limited is False for row in compare(rows))


def test_odd_names_are_shown_as_they_are(tmp_path: Path) -> None:
    names = {"c0": "[/b]", "c1": "c1", "c2": "$\\frac{$|x"}
    odd = [
        with_classes(row, [replace(each, name=names[each.name]) for each in outcome_of(row).classes or ()])
        for row in rows_of_classes()
    ]
    table, classes = compare(odd), per_class(odd)
    console = Console(file=io.StringIO(), width=100)
    print_rich(table, console, classes)
    assert isinstance(console.file, io.StringIO)
    assert "[/b]" in console.file.getvalue()
    assert r"\$\\frac{\$\|x" in markdown(table, classes)
    assert r"\$\textbackslash frac\{\$$|$x" in latex(table, classes)
    for name, text in (("table.csv", csv_text(table)), ("classes.csv", rows_text(ClassRow, classes))):
        (tmp_path / name).write_text(text)
    (tmp_path / "curves.csv").write_text(rows_text(CurvePoint, []))
    assert any(path.name.startswith("classes_") for path in draw_results(tmp_path))


def test_classes_left_out_are_named() -> None:
    (first, _) = compare(rows_of_classes())
    assert (first.n_classes, first.unmeasured) == (2, "c1")
    assert "Too few rows to measure c1" in markdown(compare(rows_of_classes()), per_class(rows_of_classes()))


def test_rows_may_weigh_with_several_outputs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b", "c"], 3000, p=[0.6, 0.25, 0.15])
    x = rng.standard_normal((3000, 2)) + np.array([[k == "b", k == "c"] for k in kind]) * 2
    frame = pd.DataFrame({"x": x[:, 0], "z": x[:, 1], "y": kind, "w": rng.random(3000)})
    frame.to_csv(tmp_path / "w.csv", index=False)
    recipe = resolve(Recipe(str(tmp_path / "w.csv"), 2000, columns=Columns(target="y", weight="w"), task="multiclass"))
    splits = build_splits(recipe, 0)
    constant = Run(recipe, TRAINING, Arm("ce"), 1e38, 0)
    for result, run in zip(run_stack((constant, replace(constant, lr=0.01))), "dc", strict=True):
        outcome = result.outcome
        assert outcome.test_prevalence == pytest.approx(1 / 3)
        if run == "d":
            assert outcome.test_average_precision == pytest.approx(1 / 3)
        else:
            assert outcome.test_average_precision > 0.5
    assert splits.test.weights is not None
    shares = np.average(splits.test.outputs, axis=0, weights=splits.test.weights)
    (row, *_) = (run_row(constant, result.outcome) for result in run_stack((constant,)))
    assert [each.prevalence for each in per_class([row])] == pytest.approx(shares)


def test_chance_counts_rows_by_their_weight(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    p, q = (rng.random((2, 3000)) < [[0.2], [0.3]]).astype(int)
    frame = pd.DataFrame({"x": rng.standard_normal(3000), "p": p, "q": q, "w": 1 + 4 * p + q})
    frame.to_csv(tmp_path / "w.csv", index=False)
    recipe = resolve(
        Recipe(str(tmp_path / "w.csv"), 2000, columns=Columns(weight="w", labels=("p", "q")), task="multilabel")
    )
    (result,) = run_stack((Run(recipe, TRAINING, Arm("bce"), 1e38, 0),))  # never finite: every row scores alike
    assert result.outcome.test_average_precision == pytest.approx(result.outcome.test_prevalence)
    assert float(result.outcome.test_prevalence or 0) > 0.4


# ---- plans


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_a_tasks_default_arms_hold_its_baseline_and_run(task: Task) -> None:
    dataset = {"binary": "gaussians", "multiclass": "rare-class", "multilabel": "labels"}[task]
    experiment = Experiment(task=task, datasets=(dataset,), positive_rates=(0.02,), rows=2000, seeds=1)
    assert experiment.arms[0] == baseline_of(task) == own_arms(task)[0]
    plan = make_plan(experiment)
    assert {run.recipe.task for run in plan.runs} == {task}
    assert f'"task":"{task}"' in plan.runs[0].identity
    assert len(make_stacks(plan.runs)) > 1


def test_the_identity_of_a_binary_run_is_what_it_was() -> None:
    run = Run(Recipe("mixture", 40_000, 0.0015), Training(), Arm("bce"), 0.001, 0)
    assert run.identity == (
        '{"arm":{"alpha":null,"gamma":0.0,"init":"own","loss":"bce"},"engine":1,"lr":0.001,"recipe":{"dataset":"mixture",'
        '"drop":[],"keep_duplicates":false,"label_noise":0.0,"positive":null,"positive_rate":0.0015,"rows":40000,'
        '"sha256":"","target":null},"restart":0,"seed":0,"training":{"batch_size":512,"device":"cpu","epochs":20,'
        '"hidden":[64,64],"model":"mlp","optimizer":"adam","preprocessing":"standard-onehot","sampler":"random",'
        '"task":"binary","weights":"uniform-fan-in"}}'
    )


def test_arms_of_a_softmax_have_one_name_each() -> None:
    assert plain_arm(Arm("softmax_focal")) == Arm("ce")
    assert plain_arm(Arm("softmax_focal", "balanced")) == Arm("weighted_ce")
    options = ArmOptions(losses=("softmax_focal",), alphas=("none", "balanced"), gammas=(0.0, 2.0), inits=("own",))
    names = [arm.name for arm in chosen_arms(options, "multiclass")]
    assert names == ["ce", "softmax gamma=2", "weighted_ce", "softmax alpha=balanced gamma=2"]
    with pytest.raises(InputError, match="alpha none or balanced"):
        Arm("softmax_focal", 0.25, 2.0)


def test_a_file_with_another_task_gets_that_tasks_arms() -> None:
    experiment = from_mapping({"task": "multiclass", "datasets": ["long-tail"]}, Experiment(), "e.toml")
    assert experiment.arms[0] == Arm("ce")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "ternary"}, "unknown task 'ternary'"),
        ({"arms": (Arm("bce"), Arm("ce"))}, "use it with `task=multiclass`"),
        ({"task": "multilabel", "arms": (Arm("bce"), Arm("ohem"))}, "ohem is for `task=binary`"),
        ({"task": "multiclass", "arms": (Arm("bce"),)}, "need ce at the same start"),
        ({"task": "multiclass", "sampler": "balanced"}, "draws two classes only"),
        ({"task": "multilabel", "label_noise": 0.1}, "is for `task=binary`"),
        (
            {
                "task": "multilabel",
                "datasets": ("d.csv",),
                "columns": Columns(labels=("a", "b")),
                "positive_rates": (0.1,),
            },
            "no label has a rate of its own",
        ),
        ({"columns": Columns(labels=("a", "b"))}, "instead of `target`"),
        ({"task": "multilabel", "columns": Columns(labels=("a",))}, "give two or more `labels`"),
        ({"task": "multilabel", "columns": Columns(labels=("a", "a"))}, "holds an entry twice"),
        ({"task": "multilabel", "datasets": ("d.csv",), "positive_rates": (None,)}, "needs `labels`"),
    ],
)
def test_what_does_not_go_with_a_task_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Experiment(**changes)
