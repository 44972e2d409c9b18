"""The guard of reported numbers, and the faults it must catch, each planted here on purpose."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from focalbench.analysis.comparison import compare
from focalbench.analysis.rows import ArmRow
from focalbench.analysis.run_rows import RunRow
from focalbench.base.files import sha256
from focalbench.base.randomness import generator
from focalbench.base.rows import Value, csv_text, flatten, read_rows, rows_text
from focalbench.datasets import build as build_module
from focalbench.datasets.dataset import Dataset, Splits
from focalbench.datasets.prevalence import Swaps
from focalbench.datasets.synthetic import mixtures as synthetic
from focalbench.errors import AbsentDataError, InputError
from focalbench.execution.pools import Backend
from focalbench.jobs import agreement, verify
from focalbench.jobs import check as regression
from focalbench.jobs.agreement import MISSING, ROUNDING, SAME, Before, Comparison, compare_runs, moved
from focalbench.jobs.check import (
    SHORT,
    Target,
    accept,
    check_all,
    finish_folder,
    open_case,
    rerun,
    sample,
)
from focalbench.jobs.sweep import fresh_rows, run_experiment
from focalbench.jobs.trainer import Execution
from focalbench.jobs.verify import verify_files
from focalbench.plan.experiment import MANIFEST, Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.toml import load
from focalbench.report.folder import CHECK, LATEX, MARKDOWN, RUNS, TABLE
from focalbench.report.owned import write_texts
from focalbench.report.tables import latex, markdown
from focalbench.runs.arm import Arm
from focalbench.runs.result import ClassOutcome
from focalbench.runs.run import Run
from focalbench.training import stack
from focalbench.training.arm_loss import run_loss
from focalbench.training.references import is_reference
from focalbench.training.rivals import ClassCounts
from focalbench.training.stack_loss import RunLoss, WeightedFocal
from tests.support.attempts import Said, typed
from tests.support.runs import changed, outcome_of

TINY = """
datasets = ["gaussians"]
positive_rates = [0.02]
rows = 1500
seeds = 6
epochs = 4
hidden = [8]
lrs = [0.01]
references = false
arms = [{ loss = "bce" }, { loss = "alpha", alpha = 0.9 }, { loss = "focal", gamma = 2.0 }]

[[check]]
seeds = 2

[[check]]
label_noise = 0.2
seeds = 1
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a finished and sealed experiment."""
    root = tmp_path_factory.mktemp("project")
    (root / "experiments").mkdir()
    file = root / "experiments" / "tiny.toml"
    file.write_text(TINY)
    experiment, _ = load(file)
    outcome = run_experiment(experiment, make_plan(experiment), root / "results" / "tiny", Execution())
    finish_folder(root / "results" / "tiny", file, outcome.done.made_with, Backend())
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A copy of it to spoil: (results folder, experiment file)."""
    shutil.copytree(made, tmp_path / "copy")
    stack._latest.clear()
    yield tmp_path / "copy" / "results" / "tiny", tmp_path / "copy" / "experiments" / "tiny.toml"
    stack._latest.clear()


def what_moved(folder: Path, file: Path) -> list[Comparison]:
    case = replace(open_case(Target(folder, file)), sampled=[])
    return moved(check_all([case], Backend())[0].short)


def untrained(runs: Sequence[Run]) -> dict[str, RunRow]:
    assert not runs
    return {}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def forge_hash(folder: Path, name: str) -> None:
    """Make the manifest agree with a changed file, as a careful forger would."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = sha256(folder / name)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_an_untouched_folder_passes(project: tuple[Path, Path]) -> None:
    assert verify_files(*project) == []
    assert what_moved(*project) == []


def test_what_a_killed_process_left_beside_the_files_is_no_part_of_them(project: tuple[Path, Path]) -> None:
    (project[0] / ".77.runs.csv").write_text("half")
    assert verify_files(*project) == []


def test_a_hand_edited_number_is_caught(project: tuple[Path, Path]) -> None:
    folder, _ = project
    value = repr(read_rows(folder / TABLE, ArmRow)[1].average_precision.mean)
    edit(folder / TABLE, value, repr(float(value) + 0.001))
    assert any("table.csv was changed" in problem for problem in verify_files(*project))
    forge_hash(folder, TABLE)
    assert any("average_precision" in problem for problem in verify_files(*project))


def test_a_number_edited_in_the_runs_is_caught_even_with_a_forged_hash(project: tuple[Path, Path]) -> None:
    folder, _ = project
    value = repr(outcome_of(read_rows(folder / RUNS, RunRow)[7]).test_average_precision)
    edit(folder / RUNS, value, repr(float(value) + 0.001))
    forge_hash(folder, RUNS)
    problems = verify_files(*project)
    assert any("table.csv" in problem for problem in problems)


def test_a_stale_results_file_is_caught(project: tuple[Path, Path]) -> None:
    _, file = project
    edit(file, "epochs = 4", "epochs = 5")
    problems = verify_files(*project)
    assert any("the settings in" in problem for problem in problems)
    assert any("does not hold the runs" in problem for problem in problems)


def test_a_missing_and_an_extra_file_are_caught(project: tuple[Path, Path]) -> None:
    folder, _ = project
    (folder / "curves.csv").rename(folder / "classes.csv")
    (folder / "notes.csv").write_text("somebody's")
    problems = " ".join(verify_files(*project))
    assert "curves.csv is missing" in problems
    assert "classes.csv is not in" in problems
    assert "notes.csv" not in problems


def test_a_changed_seed_is_caught(project: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(seed: int, purpose: str, key: str) -> np.random.Generator:
        return generator(seed + 1, purpose, key)

    monkeypatch.setattr(synthetic, "generator", shifted)
    assert {line.status for line in what_moved(*project)} & {"better", "worse"}


def test_a_changed_seed_in_the_experiment_file_is_caught(project: tuple[Path, Path]) -> None:
    _, file = project
    edit(file, "seeds = 6", "seeds = 6\nfirst_seed = 1")
    assert any("does not hold the runs" in problem for problem in verify_files(*project))
    assert {line.status for line in what_moved(*project)} >= {"missing"}


def test_alpha_given_to_the_wrong_class_is_caught(project: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(arm: Arm, counts: Sequence[ClassCounts]) -> RunLoss:
        loss = run_loss(arm, counts)
        assert isinstance(loss, WeightedFocal)
        return loss._replace(positive=loss.negative, negative=loss.positive)

    monkeypatch.setattr(stack, "run_loss", swapped)
    lines = what_moved(*project)
    assert lines
    assert {"alpha=0.9" in line.label for line in lines if line.label != "chosen epochs"} == {True}


def test_selection_on_the_test_split_is_caught(project: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def peeking(splits: Splits) -> Splits:
        rows = splits.validation.rows  # of the same size, so that only the values give it away
        test = Dataset(splits.test.features[:rows], splits.test.targets[:rows], None)
        return replace(splits, validation=test)

    monkeypatch.setattr(stack, "_folds", lambda run: [peeking(build_module.build_splits(run.recipe, run.seed))])
    monkeypatch.setattr(agreement, "NOT_COMPARED", (*agreement.NOT_COMPARED, "val_positives"))
    assert {line.status for line in what_moved(*project)} & {"better", "worse"}


def test_a_rate_spoiled_by_label_noise_is_caught(project: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def adding(dataset: Dataset, swaps: Swaps, rng: np.random.Generator) -> Dataset:
        targets = dataset.targets.copy()
        targets[np.flatnonzero(targets == 0)[: swaps.positives]] = 1  # negatives turn positive, none goes back
        return replace(dataset, targets=targets)

    monkeypatch.setattr(build_module, "with_label_noise", adding)
    lines = what_moved(*project)
    spoiled = [line for line in lines if "noise=0.2" in line.label]
    assert spoiled
    assert any(line.status == "incomparable" and "positives" in line.detail for line in spoiled)
    assert lines == spoiled


# ---- runs then and now


def shifted(row: RunRow, change: float, name: str = "val_average_precision") -> RunRow:
    return changed(row, **{name: float(str(flatten(row)[name])) + change})


def befores(file: Path, old: Sequence[RunRow], tolerance: float = SHORT) -> list[Before]:
    known = by_id(old)
    runs = [run for check in load(file)[1] for run in make_plan(check).runs]
    return [Before(run, known.get(run.run_id), tolerance) for run in runs]


def by_id(rows: Sequence[RunRow]) -> dict[str, RunRow]:
    return {row.settings.run_id: row for row in rows}


def test_within_the_tolerance_is_the_same_and_beyond_it_is_not(project: tuple[Path, Path]) -> None:
    old = read_rows(project[0] / CHECK, RunRow)
    for change, status in ((0.5, "same"), (1.5, "better"), (-1.5, "worse")):
        new = by_id([shifted(row, change * SHORT) for row in old])
        [compared] = compare_runs([befores(project[1], old)], new, untrained)
        assert {line.status for line in compared} == {status}
    [compared] = compare_runs([befores(project[1], old[1:])], by_id(old), untrained)
    assert [line.status for line in compared] == [MISSING] + [SAME] * (len(old) - 1)


@pytest.mark.parametrize(("change", "status"), [(0.9, SAME), (1.1, "better")])
@pytest.mark.parametrize(
    ("name", "share", "steps"),
    [
        *[("r_precision", None, 2000), ("r_precision", 0.0015, 200), ("r_precision", 0.5, 2000)],
        *[("mcc_at_prevalence", None, 1970.4), ("mcc_at_prevalence", 0.5, 1000)],  # R-precision over 1 - prevalence
    ],
)
def test_what_counts_positives_may_part_by_one_of_them(
    project: tuple[Path, Path], name: str, share: float | None, steps: float, change: float, status: str
) -> None:
    """By what it weighs, or by a negative where that weighs more: 2,000 of weight .1 beside negatives of weight 1."""
    counts: dict[str, Value] = {"test_positives": 2000, "test_rows": 135_133, "test_prevalence": share}
    first, *rest = [changed(row, **counts, **{name: 0.5}) for row in read_rows(project[0] / CHECK, RunRow)]
    moved_by = shifted(first, change / steps + SHORT, name)

    def train(runs: Sequence[Run]) -> dict[str, RunRow]:
        return {run.run_id: moved_by for run in runs}

    [compared] = compare_runs([befores(project[1], [first, *rest])], by_id([moved_by, *rest]), train)
    assert compared[0].status == status


def test_a_number_that_was_added_since_a_run_was_stored_is_not_compared(project: tuple[Path, Path]) -> None:
    """Its file may have the column, blank for runs that came from the store and not for those beside them."""
    now = read_rows(project[0] / CHECK, RunRow)
    first, *rest = now
    [compared] = compare_runs(
        [befores(project[1], [changed(first, mcc_at_prevalence=None), *rest])], by_id(now), untrained
    )
    assert {line.status for line in compared} == {SAME}
    new = by_id([changed(first, mcc_at_prevalence=None), *rest])
    [compared] = compare_runs([befores(project[1], now)], new, untrained)
    assert Counter(line.status for line in compared) == {"incomparable": 1, SAME: len(rest)}


@pytest.mark.parametrize(
    ("column", "value"), [("train_rows", 7), ("status", "diverged"), ("arm", "other"), ("roc_auc", None)]
)
def test_what_rounding_never_moves_is_incomparable(project: tuple[Path, Path], column: str, value: Value) -> None:
    first, *rest = read_rows(project[0] / CHECK, RunRow)
    new = by_id([changed(first, **{column: value}), *rest])
    [compared] = compare_runs([befores(project[1], [first, *rest])], new, untrained)
    assert Counter(line.status for line in compared) == {"incomparable": 1, SAME: len(rest)}


def test_numbers_of_single_classes_are_compared(project: tuple[Path, Path]) -> None:
    first, *rest = read_rows(project[0] / CHECK, RunRow)
    a, b = (ClassOutcome(name, 30, 10, 10, None, None, 0.5) for name in "ab")
    classes = ((replace(a, test_average_precision=ap), b) for ap in (0.1, 0.3))
    old, new = (replace(first, outcome=replace(outcome_of(first), classes=each)) for each in classes)

    def train(runs: Sequence[Run]) -> dict[str, RunRow]:
        return {run.run_id: new for run in runs}

    [compared] = compare_runs([befores(project[1], [old, *rest])], by_id([new, *rest]), train)
    assert [line.status for line in moved(compared)] == ["better"]


@pytest.mark.parametrize("cell", ["[1]", "[", '[{"a": 1}]', "[" * 10**5, '"text"', "1"])
def test_classes_that_nobody_wrote_are_refused(project: tuple[Path, Path], cell: str) -> None:
    write_classes(project[0] / CHECK, cell)
    with pytest.raises(InputError, match=r"check\.csv: .* is no classes of this version; run the experiment again"):
        open_case(Target(*project))


def write_classes(path: Path, cell: str) -> None:
    """Write the classes of a file's first run."""
    first, *rest = map(flatten, read_rows(path, RunRow))
    path.write_text(csv_text(list(first), [row.values() for row in (first | {"classes": cell}, *rest)]))


@pytest.mark.parametrize(
    ("neighbours", "status", "rounds"),
    [
        ([0.42, 0.47, 0.4, 0.41] * 4, ROUNDING, 1),  # .07 apart: they reach .54
        ([0.4] * 4 + [0.47] * 12, ROUNDING, 2),
        ([0.4, 0.42, 0.41, 0.43] * 4, "worse", 2),  # they reach .46
        ([0.4] * 16, "worse", 2),
    ],
)
def test_what_parts_is_the_same_only_where_rounding_reaches_that_far(
    project: tuple[Path, Path], neighbours: list[float], status: str, rounds: int
) -> None:
    first, *rest = read_rows(project[0] / CHECK, RunRow)
    name, asked = "test_average_precision", []

    def train(runs: Sequence[Run]) -> dict[str, RunRow]:
        asked.append(runs)
        before = sum(map(len, asked[:-1]))
        assert [run.rounding for run in runs] == list(range(before + 1, before + 1 + len(runs)))
        assert {replace(run, rounding=0).run_id for run in runs} == {first.settings.run_id}
        return {run.run_id: changed(first, **{name: neighbours[before + i]}) for i, run in enumerate(runs)}

    old, now = [changed(first, **{name: 0.5}), *rest], by_id([changed(first, **{name: 0.4}), *rest])
    [compared] = compare_runs([befores(project[1], old)], now, train)
    assert compared[0].status == status
    assert [line.status for line in compared[1:]] == [SAME] * len(rest)
    assert len(asked) == rounds
    [exact] = compare_runs([befores(project[1], old, 0.0)], now, untrained)
    assert exact[0].status == "worse"


def test_a_sample_holds_every_arm_and_a_reference_once_and_another_word_draws_another() -> None:
    runs = make_plan(Experiment(datasets=("mixture", "gaussians"), positive_rates=(0.01,), seeds=5)).runs
    drawn = sample(runs, "one")
    arms = [run.arm for run in drawn if not is_reference(run)]
    assert len(set(arms)) == len(arms) == len(drawn) - 1
    assert set(arms) == {run.arm for run in runs}
    assert len({(run.recipe, run.seed) for run in drawn}) == 2  # one seed a data set
    assert set(sample(runs[::-1], "one")) == set(drawn)
    others = [sample(runs, word) for word in "abcdefgh"]
    of_gamma_2 = [run for other in others for run in other if run.arm == Arm("focal", gamma=2.0)]
    for name in ("recipe", "lr", "seed"):
        assert len({getattr(run, name) for run in of_gamma_2}) > 1


# ---- what is found in runs.csv with all hashes made again


def forge(folder: Path, change: float, arm: str = "gamma=2") -> None:
    """Raise an arm's test scores, and make tables and hashes again."""
    rows = read_rows(folder / RUNS, RunRow)
    rows = [shifted(row, change, "test_average_precision") if row.settings.arm == arm else row for row in rows]
    table = compare(rows)
    texts = {RUNS: rows_text(RunRow, rows), TABLE: rows_text(ArmRow, table)}
    write_texts(folder, texts | {MARKDOWN: markdown(table, []), LATEX: latex(table, [])})
    for name in (RUNS, TABLE, MARKDOWN, LATEX):
        forge_hash(folder, name)


def made_elsewhere(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["platform"]["processor"] = "another"
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(("elsewhere", "change", "found"), [(True, 0.08, 1), (False, 0.08, 1), (False, 1e-9, 1)])
def test_runs_raised_with_tables_and_hashes_made_again_are_found(
    project: tuple[Path, Path], elsewhere: bool, change: float, found: int
) -> None:
    folder, file = project
    if elsewhere:
        made_elsewhere(folder)
    forge(folder, change)
    case = open_case(Target(folder, file))
    assert case.problems == case.outdated == []
    [report] = check_all([case], Backend())
    assert not moved(report.short)
    assert [line.status for line in moved(report.sampled)] == ["worse"] * found
    assert all("gamma=2" in line.label for line in moved(report.sampled))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_runs_as_they_were_made_are_found_the_same(project: tuple[Path, Path], elsewhere: bool) -> None:
    if elsewhere:
        made_elsewhere(project[0])
    case = open_case(Target(*project))
    assert {before.tolerance for before in case.sampled} == {regression.FULL if elsewhere else 0.0}
    [report] = check_all([case], Backend())
    assert [line.status for line in report.sampled] == [SAME] * 3


def test_what_rounding_moves_in_a_run_is_the_same_elsewhere_and_not_here(project: tuple[Path, Path]) -> None:
    """Weights that no neighbour has stand for another processor; runs at .3 hang on them."""
    runs = [replace(before.run, lr=0.3) for before in open_case(Target(*project)).sampled]
    other = fresh_rows([replace(run, rounding=999) for run in runs], Backend())
    olds = [changed(row, run_id=run.run_id, lr=run.lr) for row, run in zip(other, runs, strict=True)]
    now = by_id(fresh_rows(runs, Backend()))

    def compared(tolerance: float) -> list[str]:
        groups = [[Before(run, old, tolerance)] for run, old in zip(runs, olds, strict=True)]
        return [line.status for [line] in compare_runs(groups, now, lambda some: by_id(fresh_rows(some, Backend())))]

    assert compared(1e-12) == [ROUNDING] * 3
    assert set(compared(0.0)) <= {"better", "worse"}


# ---- the command


def run_check(folder: Path, *options: str) -> Said:
    return typed(["check", *options, "--workers", "1"], folder)


def test_the_command_exits_0_1_and_records_a_deliberate_change(project: tuple[Path, Path]) -> None:
    folder, file = project
    root = folder.parent.parent
    clean = run_check(root, "results/tiny")
    assert (clean.code, clean.stderr) == (0, "training 12 runs again\n")
    counts = "9 of 9 short runs the same, 3 of 3 runs trained again the same"
    assert clean.stdout == f"results/tiny: files as they were made, {counts}\n"
    accept(Target(folder, file), [shifted(row, 0.01) for row in rerun(file, Backend())])
    before = run_check(root, "results/tiny")
    assert before.code == 1
    assert "worse: gaussians bce" in before.stdout
    assert run_check(root, "results/tiny", "--accept").code == 0
    assert run_check(root, "results/tiny").code == 0


def test_without_a_folder_every_one_with_an_experiment_of_its_name(project: tuple[Path, Path]) -> None:
    root = project[0].parent.parent
    shutil.copytree(root / "results" / "tiny", root / "results" / "small")
    shutil.copytree(root / "results" / "tiny", root / "results" / "other")  # has no experiment
    shutil.copy(root / "experiments" / "tiny.toml", root / "experiments" / "small.toml")
    shutil.copy(root / "experiments" / "tiny.toml", root / "experiments" / "planned.toml")  # has not run
    assert run_check(root / "results").code == 2  # there is no results/ here
    said = run_check(root)
    assert said.code == 0
    assert [line.split(":")[0] for line in said.stdout.splitlines()] == ["results/small", "results/tiny"]
    forge(root / "results" / "small", 0.08)
    said = run_check(root)
    assert said.code == 1
    told = [line for line in said.stdout.splitlines() if line.startswith("results/")]
    assert "2 of 3 runs trained again the same" in told[0]
    assert "3 of 3 runs trained again the same" in told[1]
    assert "run again: focalbench run experiments/small.toml" in said.stdout
    assert run_check(root, "--experiment", "experiments/tiny.toml").code == 2


def test_a_folder_without_an_experiment_file_of_its_name_uses_its_own(project: tuple[Path, Path]) -> None:
    root = project[0].parent.parent
    (root / "experiments" / "tiny.toml").unlink()
    said = run_check(root, "results/tiny")
    assert (said.code, said.stderr) == (0, "training 3 runs again\n")
    assert "0 of 0 short runs the same, 3 of 3 runs trained again the same" in said.stdout
    assert run_check(root / "results", "tiny").code == run_check(root / "results" / "tiny", ".").code == 0
    forge(project[0], 0.08)
    assert run_check(root, "results/tiny").code == 1


def test_other_short_runs_are_told_and_accepted_and_move_nothing_else(project: tuple[Path, Path]) -> None:
    folder, file = project
    root = folder.parent.parent
    kept = {name: (folder / name).read_bytes() for name in (RUNS, TABLE, MARKDOWN, LATEX)}
    file.write_text(file.read_text() + "\n[[check]]\nseeds = 1\nepochs = 2\n")
    said = run_check(root, "results/tiny")
    assert said.code == 1
    assert "experiments/tiny.toml is not, to the byte, the file that results/tiny/manifest.json names" in said.stdout
    assert said.stdout.count("not recorded") == 3
    assert run_check(root, "results/tiny", "--accept").code == 0
    assert "12 of 12 short runs the same" in run_check(root, "results/tiny").stdout
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    (folder / CHECK).write_text("another version's")
    forge_hash(folder, CHECK)
    assert run_check(root, "results/tiny").code == 2
    assert run_check(root, "results/tiny", "--accept").code == run_check(root, "results/tiny").code == 0
    edit(file, "epochs = 4", "epochs = 5")
    assert run_check(root, "results/tiny", "--accept").code == 1  # another experiment is no other check


def test_changed_runs_are_read_no_further(project: tuple[Path, Path]) -> None:
    folder, _ = project
    write_classes(folder / RUNS, "[1]")  # which nobody wrote
    assert verify_files(*project) == [f"{folder / RUNS} was changed after it was made"]


# ---- data sets that are not here


def test_where_a_table_is_not_available_its_runs_are_left_out_with_a_word(
    project: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise AbsentDataError(name)

    monkeypatch.setattr(verify, "REAL_TABLES", {"gaussians": None})
    monkeypatch.setattr(verify, "real_table", absent)
    case = open_case(Target(*project))
    assert (case.absent, case.problems, case.runs, case.gone) == (("gaussians",), [], [], [])
    said = typed(["check", str(project[0])], project[0])
    assert said.code == 0
    assert "gaussians are not available here, so their runs were not trained again" in said.stdout
    refused = typed(["check", str(project[0]), "--accept"], project[0])
    assert refused.code == 2
    assert "--accept needs all data sets" in refused.stderr


def test_another_file_under_a_tables_name_is_no_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(name: str) -> None:
        raise InputError(f"{name}: its hash differs")

    monkeypatch.setattr(verify, "real_table", other)
    with pytest.raises(InputError, match="its hash differs"):
        verify.absent_tables([Experiment(datasets=("shuttle",))])
