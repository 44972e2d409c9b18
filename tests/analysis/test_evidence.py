"""What intervals speak of, by how a table is split, and the influences that they rest on, from store and file alike."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from focalbench.analysis.comparison import compare
from focalbench.analysis.evidence import SCOPES, Evidence
from focalbench.analysis.per_class import per_class
from focalbench.analysis.rows import Scope
from focalbench.analysis.run_rows import RunRow, run_row
from focalbench.analysis.selection import cells_of, entries_of
from focalbench.analysis.statistics import shared_covariance
from focalbench.datasets.build import resolve
from focalbench.metrics.influence import BUCKETS
from focalbench.report.influences import influences_text, read_influences
from focalbench.report.words import details
from focalbench.runs.arm import Arm
from focalbench.runs.columns import Columns
from focalbench.runs.result import Curves, Result, SplitKind
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.stack import run_stack
from tests.support.runs import BCE, TABLE, changed, ends, made_row, outcome_of, outcome_with, sums_of, two_arms

TRAINING = Training(hidden=(4,), epochs=2, batch_size=128)


def evidence_of(rows: Sequence[RunRow], outputs: int = 1) -> Evidence:
    (cell,) = cells_of(rows)
    return Evidence(entries_of(cell), sums_of(rows, 0.001, outputs))


# ---- scope


def test_every_way_to_split_has_a_scope() -> None:
    assert set(SCOPES) == set(SplitKind)


@pytest.mark.parametrize(
    ("split", "scope", "train_share"),
    [
        ("rows", Scope.TABLE, 0.6),
        ("folds", Scope.FOLDS, 0.6),
        ("groups", Scope.TABLE, 0.6),
        ("time", Scope.TRAINED, 0.0),
        ("each group", Scope.GROUPS, 0.6),
    ],
)
def test_the_scope_of_a_table_is_that_of_its_split(split: str, scope: Scope, train_share: float) -> None:
    rows = two_arms(6, 0.05, source="table", split=split, train_share=0.6)
    found = evidence_of(rows)
    assert (found.scope, found.older_seeds, found.train_share) == (scope, 0, train_share)
    assert {row.scope for row in compare(rows, found.influences)} == {scope}
    mean = found.mean(found.entries[0])
    assert mean.shared > 0
    assert mean.train_share == train_share


def test_fresh_draws_share_nothing() -> None:
    found = evidence_of(two_arms(6, 0.05))  # with influences, which are not looked at
    assert (found.scope, found.older_seeds, found.train_share) == (Scope.DRAWS, 0, 0.0)
    mean = found.mean(found.entries[0])
    assert (mean.shared, mean.train_share) == (0, 0)


def test_one_run_without_influences_makes_a_table_speak_of_itself_only_and_its_seeds_are_counted() -> None:
    rows = two_arms(10, 0.05, **TABLE)
    sums = sums_of(rows, 0.001)
    lost = {"bce 3", "gamma=2 3", "gamma=2 7"}
    table = compare(rows, lambda run_id: () if run_id in lost else sums(run_id))
    assert {(row.scope, row.older_seeds) for row in table} == {(Scope.THIS_TABLE, 2)}
    assert any("of this table only, split anew: 2 of 10 seeds have runs" in sentence for sentence in details(table))
    plain, whole = compare(two_arms(10, 0.05)), compare(rows, sums)
    assert ends(table[1].delta) == ends(plain[1].delta)  # as of independent seeds, and said so
    assert ends(whole[1].delta)[0] < ends(plain[1].delta)[0]
    assert {(row.scope, row.older_seeds) for row in compare(rows)} == {(Scope.THIS_TABLE, 10)}


def test_the_train_share_of_a_table_is_the_mean_over_its_seeds() -> None:
    rows = [changed(row, train_share=0.5 + 0.02 * row.settings.seed) for row in two_arms(6, 0.05, **TABLE)]
    assert evidence_of(rows).train_share == pytest.approx(0.55)


# ---- samples


def test_a_difference_shares_what_the_differences_of_its_influences_do() -> None:
    rows = two_arms(6, 0.05, **TABLE)
    found, sums = evidence_of(rows), sums_of(rows, 0.001)
    bce, gamma = found.entries
    apart = np.array([np.subtract(sums(f"gamma=2 {seed}")[0], sums(f"bce {seed}")[0]) for seed in range(6)])
    sample = found.difference(gamma, bce)
    assert sample.shared == pytest.approx(shared_covariance(apart))
    assert sample.values == pytest.approx(gamma.test - bce.test)
    assert found.difference(bce, bce).shared == 0


def test_of_several_outputs_the_mean_shares_what_the_mean_influences_do() -> None:
    rows = two_arms(6, 0.05, **TABLE)
    sums, found = sums_of(rows, 0.001, outputs=3), evidence_of(rows, outputs=3)
    bce, gamma = found.entries
    every = np.array([[sums(f"{arm} {seed}") for seed in range(6)] for arm in ("bce", "gamma=2")])
    assert found.mean(bce).shared == pytest.approx(shared_covariance(every[0].mean(axis=1)))
    values = np.zeros(6)
    assert found.of_output(values, 2, bce).shared == pytest.approx(shared_covariance(every[0][:, 2]))
    apart = shared_covariance(every[1][:, 1] - every[0][:, 1])
    assert found.of_output(values, 1, gamma, bce).shared == pytest.approx(apart)


def test_one_seed_has_no_covariance() -> None:
    found = evidence_of(two_arms(1, 0.05, **TABLE))
    mean = found.mean(found.entries[0])
    assert (mean.shared, mean.train_share, found.scope) == (0, 0, Scope.TABLE)


# ---- from real runs, through store and file


def table_of(folder: Path, **columns: object) -> Path:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(2000)
    frame = pd.DataFrame(
        {"x": x, "z": rng.standard_normal(2000), "y": (x + rng.standard_normal(2000) > 1.6).astype(int)}
    )
    frame.assign(**columns).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def results_of(recipe: Recipe, seeds: int) -> tuple[list[RunRow], dict[str, Result]]:
    recipe = resolve(recipe)
    arms = [Arm("ce"), Arm("bce")] if recipe.task == "multiclass" else [Arm("bce"), Arm("focal", gamma=2.0)]
    runs = [Run(recipe, TRAINING, arm, 0.01, seed) for arm in arms for seed in range(seeds)]
    stacks = (run_stack((runs[seed], runs[seeds + seed])) for seed in range(seeds))
    found = {result.run_id: result for stack in stacks for result in stack}
    return [run_row(run, found[run.run_id].outcome) for run in runs], found


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_table_is_the_same_from_the_store_and_from_influences_csv(tmp_path: Path, task: str) -> None:
    columns = (
        {} if task == "binary" else {"y": np.random.default_rng(1).choice(["a", "b", "c"], 2000, p=[0.6, 0.3, 0.1])}
    )
    path = table_of(tmp_path, **columns)
    rows, results = results_of(Recipe(str(path), 1000, columns=Columns(target="y"), task=task), 6)  # type: ignore[arg-type]
    text = influences_text(rows, results.__getitem__)
    assert text is not None
    (tmp_path / "influences.csv").write_text(text)
    from_file = read_influences(tmp_path / "influences.csv")
    stored = {run_id: result.influences for run_id, result in results.items()}
    for run_id, sums in stored.items():
        assert np.array_equal(from_file(run_id), sums)
        assert np.shape(sums) == (1 if task == "binary" else 3, BUCKETS)
    table = compare(rows, stored.__getitem__)
    assert compare(rows, from_file) == table
    assert per_class(rows, from_file) == per_class(rows, stored.__getitem__)
    assert bool(per_class(rows, from_file)) == (task == "multiclass")
    assert {row.scope for row in table} == {Scope.TABLE}
    assert ends(table[1].delta) != ends(compare(rows)[1].delta)  # influences count
    lines = text.splitlines()[1:]
    (tmp_path / "influences.csv").write_text(
        "\n".join([text.splitlines()[0], *lines[1 if task == "binary" else 3 :], ""])
    )
    assert {row.scope for row in compare(rows, read_influences(tmp_path / "influences.csv"))} == {Scope.THIS_TABLE}


def test_only_chosen_runs_leave_influences() -> None:
    rows = [
        made_row(BCE, seed, 0.5, val, **TABLE, lr=lr, run_id=f"{seed} {lr}")
        for seed in range(2)
        for lr, val in ((0.01, 0.3), (0.1, 0.6))
    ]
    text = influences_text(rows, lambda run_id: Result(run_id, outcome_with(), Curves(), 0.0, ((0.5,) * BUCKETS,)))
    assert text is not None
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == ["0 0.1", "1 0.1"]


def test_without_influences_there_is_no_file(tmp_path: Path) -> None:
    rows = two_arms(6, 0.05)
    assert influences_text(rows, lambda run_id: Result(run_id, outcome_with(), Curves(), 0.0)) is None
    assert read_influences(tmp_path / "influences.csv")("any") == ()


@pytest.mark.parametrize(
    ("options", "kind", "share"),
    [
        ({}, "rows", 0.5),
        ({"group": "g"}, "groups", 0.6),
        ({"time": "day"}, "time", 0.0),
        ({"group": "few"}, "each group", 0.6),
    ],
)
def test_runs_say_how_their_table_was_split_and_which_units_share_a_bucket(
    tmp_path: Path, options: dict[str, str], kind: str, share: float
) -> None:
    i = np.arange(2000)
    path = table_of(tmp_path, g=i % 100, few=np.array(["p", "q", "r", "s", "t"])[i % 5], day=i // 20)
    others = {"g", "few", "day"} - set(options.values())
    columns = Columns("y", drop=tuple(sorted(others)), **options)  # type: ignore[arg-type]
    recipe = Recipe(str(path), 1000, columns=columns)
    rows, results = results_of(recipe, 1)
    for row in rows:
        assert outcome_of(row).split == kind
        assert outcome_of(row).train_share == pytest.approx(share, abs=0.15)
        ((*sums,),) = results[row.settings.run_id].influences
        assert np.sum(sums) == pytest.approx(0, abs=1e-3)  # centred within each class
        filled = np.count_nonzero(sums)
        assert filled <= 20 if kind == "groups" else filled > 150  # 20 groups are tested on, or 400 rows


def test_fresh_draws_keep_no_influences() -> None:
    (result,) = run_stack((Run(Recipe("gaussians", 600, 0.05), TRAINING, Arm("bce"), 0.01, 0),))
    assert result.influences == ()
    assert result.outcome.split is None
