"""The guard of reported numbers, and the faults it must catch, each planted here on purpose."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from focalbench import regression, stack
from focalbench.arms import Arm
from focalbench.comparison import TABLE_COLUMNS
from focalbench.datasets import build as build_module
from focalbench.datasets import synthetic
from focalbench.datasets.dataset import Dataset, Splits
from focalbench.disk import sha256
from focalbench.experiment import MANIFEST, load
from focalbench.losses.arm_loss import run_loss
from focalbench.losses.rivals import ClassCounts
from focalbench.losses.stack_loss import RunLoss, WeightedFocal
from focalbench.plan import make_plan
from focalbench.pools import Backend
from focalbench.randomness import generator
from focalbench.records import RUN_COLUMNS, read_csv, to_csv
from focalbench.regression import TOLERANCE, Comparison, accept, compare_runs, moved, rerun, seal, verify_files
from focalbench.report.folder import CHECK, RUNS, TABLE
from focalbench.sweep import run_experiment

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
    outcome = run_experiment(experiment, make_plan(experiment), root / "results" / "tiny", Backend(), lambda _: None)
    seal(root / "results" / "tiny", file, outcome.made_with, Backend())
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A copy of it to spoil: (results folder, experiment file)."""
    shutil.copytree(made, tmp_path / "copy")
    stack._latest.clear()
    yield tmp_path / "copy" / "results" / "tiny", tmp_path / "copy" / "experiments" / "tiny.toml"
    stack._latest.clear()


def what_moved(folder: Path, file: Path) -> list[Comparison]:
    return moved(compare_runs(read_csv(folder / CHECK, RUN_COLUMNS), rerun(file, Backend())))


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
    value = repr(read_csv(folder / TABLE, TABLE_COLUMNS)[1]["average_precision"])
    edit(folder / TABLE, value, repr(float(value) + 0.001))
    assert any("table.csv was changed" in problem for problem in verify_files(*project))
    forge_hash(folder, TABLE)
    assert any("average_precision" in problem for problem in verify_files(*project))


def test_a_number_edited_in_the_runs_is_caught_even_with_a_forged_hash(project: tuple[Path, Path]) -> None:
    folder, _ = project
    value = repr(read_csv(folder / RUNS, RUN_COLUMNS)[7]["test_average_precision"])
    edit(folder / RUNS, value, repr(float(value) + 0.001))
    forge_hash(folder, RUNS)
    problems = verify_files(*project)
    assert any("table.csv" in problem for problem in problems)


def test_a_stale_results_file_is_caught(project: tuple[Path, Path]) -> None:
    _, file = project
    edit(file, "epochs = 4", "epochs = 5")
    problems = verify_files(*project)
    assert any("is not the experiment" in problem for problem in problems)
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

    monkeypatch.setattr(stack, "_splits", lambda recipe, seed: peeking(build_module.build_splits(recipe, seed)))
    monkeypatch.setattr(regression, "EXACT", ("status",))
    assert {line.status for line in what_moved(*project)} & {"better", "worse"}


def test_a_rate_spoiled_by_label_noise_is_caught(project: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def adding(dataset: Dataset, swaps: int, rng: np.random.Generator) -> Dataset:
        targets = dataset.targets.copy()
        targets[np.flatnonzero(targets == 0)[:swaps]] = 1  # negatives turn positive, none goes back
        return replace(dataset, targets=targets)

    monkeypatch.setattr(build_module, "with_label_noise", adding)
    lines = what_moved(*project)
    spoiled = [line for line in lines if "noise=0.2" in line.label]
    assert spoiled
    assert any(line.status == "incomparable" and "positives" in line.detail for line in spoiled)
    assert lines == spoiled


def test_within_the_tolerance_is_the_same_and_beyond_it_is_not(project: tuple[Path, Path]) -> None:
    old = read_csv(project[0] / CHECK, RUN_COLUMNS)
    for change, status in ((0.5, "same"), (1.5, "better"), (-1.5, "worse")):
        new = [
            {**row, "val_average_precision": float(str(row["val_average_precision"])) + change * TOLERANCE}
            for row in old
        ]
        assert {line.status for line in compare_runs(old, new) if "mean test" not in line.label} == {status}
    assert {line.status for line in moved(compare_runs(old, old[1:]))} >= {"missing"}
    assert {line.status for line in moved(compare_runs(old[1:], old))} >= {"missing"}


def run_check(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "focalbench", "check", str(folder), "--workers", "1", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_exits_0_1_and_records_a_deliberate_change(project: tuple[Path, Path]) -> None:
    folder, file = project
    clean = run_check(folder)
    assert (clean.returncode, clean.stderr) == (0, "")
    fresh = rerun(file, Backend())
    other = [{**row, "val_average_precision": float(str(row["val_average_precision"])) + 0.01} for row in fresh]
    accept(folder, other)
    before = run_check(folder)
    assert before.returncode == 1
    assert "worse: gaussians bce" in before.stdout
    assert run_check(folder, "--accept").returncode == 0
    assert run_check(folder).returncode == 0


def test_an_arm_is_not_hidden_by_one_whose_name_ends_its_own(project: tuple[Path, Path]) -> None:
    first = {**read_csv(project[0] / CHECK, RUN_COLUMNS)[0], "epoch": 1}
    old = [{**first, "run_id": "a", "arm": "gamma=2"}, {**first, "run_id": "b", "arm": "alpha=0.25 gamma=2"}]
    value = float(str(first["test_average_precision"])) + 0.1
    new = [{**old[0], "epoch": 2, "test_average_precision": value}, {**old[1], "test_average_precision": value}]
    means = [line.label for line in moved(compare_runs(old, new)) if line.label.startswith("mean test")]
    assert len(means) == 1
    assert means[0].endswith("alpha=0.25 gamma=2")
    assert not moved(compare_runs(old, [new[0], old[1]]))
    assert [line.status for line in moved(compare_runs(old, [new[0], {**old[1], "run_id": "c"}]))] == ["missing"] * 2


def test_changed_runs_are_read_no_further(project: tuple[Path, Path]) -> None:
    folder, _ = project
    first, *rest = read_csv(folder / RUNS, RUN_COLUMNS)
    (folder / RUNS).write_text(to_csv(RUN_COLUMNS, [{**first, "classes": "[1]"}, *rest]))  # which nobody wrote
    assert verify_files(*project) == [f"{folder / RUNS} was changed after it was made"]
