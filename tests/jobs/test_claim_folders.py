"""A results folder with claims: what its file declares is run, decided, written and guarded."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from focalbench.analysis.claim_rows import ClaimRow, LossRow, PointRow
from focalbench.analysis.run_rows import RunRow
from focalbench.base.randomness import generator
from focalbench.base.rows import read_rows
from focalbench.datasets import build as build_module
from focalbench.datasets.dataset import Dataset, Splits
from focalbench.datasets.prevalence import Swaps
from focalbench.datasets.synthetic import mixtures as synthetic
from focalbench.errors import InputError
from focalbench.execution.pools import Backend
from focalbench.jobs import agreement
from focalbench.jobs.budget import Budget
from focalbench.jobs.check import finish_folder
from focalbench.jobs.claims import plan_claims, run_claims
from focalbench.jobs.trainer import Execution
from focalbench.jobs.verify import verify_files
from focalbench.losses.binary import Hyperparameter, focal_gradient
from focalbench.plan.claims import Claims
from focalbench.plan.toml import load_claims
from focalbench.report.folder import CLAIMS, CLAIMS_PAGE, LOSS_CURVES, POINTS, RUNS
from focalbench.runs.arm import Arm
from focalbench.training import stack, stack_loss
from focalbench.training.arm_loss import run_loss
from focalbench.training.rivals import ClassCounts
from focalbench.training.stack_loss import RunLoss, WeightedFocal
from tests.jobs.test_check import TINY, edit, forge_hash, what_moved
from tests.support.runs import outcome_of

TEXT = TINY.replace(
    "[[check]]",
    """
[[parts]]
name = "small"
batch_size = 128

[[parts]]
name = "large"

[[parts]]
name = "noisy"
label_noise = 0.2

[[claims]]
id = "C1"
sentence = "Focusing pays with many positives a batch"
said_by = "nobody"

[[claims.conditions]]
arms = ["gamma=2"]
against = ["bce"]
parts = ["small", "large"]
slope_on = "log2_positives_per_batch"
direction = "above"

[[claims]]
id = "C2"
sentence = "Alpha or gamma pays, noise or not"
said_by = "nobody"

[[claims.conditions]]
arms = ["alpha=0.9"]
against = ["bce"]
direction = "above"

[[claims]]
id = "C3"
sentence = "A few negatives carry the loss"
said_by = "nobody"

[[claims.conditions]]
arms = ["gamma=2"]
parts = ["large"]
measure = "share_of_negative_loss_in_hardest_percent"
direction = "above"
than = 0.5
margin = 0.05

[[check]]""",
    1,
)


def claims_of(file: Path) -> Claims:
    found = load_claims(file)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("claimed")
    (root / "experiments").mkdir()
    file = root / "experiments" / "tiny.toml"
    file.write_text(TEXT)
    found = run_claims(plan_claims(claims_of(file)), file, root / "results" / "tiny", Execution())
    finish_folder(root / "results" / "tiny", file, found.done.made_with, Backend())
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A copy of it to spoil: (results folder, experiment file)."""
    shutil.copytree(made, tmp_path / "copy")
    stack._latest.clear()
    yield tmp_path / "copy" / "results" / "tiny", tmp_path / "copy" / "experiments" / "tiny.toml"
    stack._latest.clear()


def test_an_untouched_folder_passes(project: tuple[Path, Path]) -> None:
    assert verify_files(*project) == []
    assert what_moved(*project) == []


def test_the_verdicts_rest_on_the_runs_of_every_part(project: tuple[Path, Path]) -> None:
    folder, file = project
    rows, points = read_rows(folder / CLAIMS, ClaimRow), read_rows(folder / POINTS, PointRow)
    data = "gaussians at 0.02"
    assert [(row.claim, row.data) for row in rows] == [
        *(("C1", data), ("C1", None)),
        *(("C2", f"{data} (small)"), ("C2", f"{data} (large)"), ("C2", f"{data} with label noise 0.2")),
        *(("C2", None), ("C3", data), ("C3", None)),
    ]
    assert [point.part for point in points] == ["small", "large", "small", "large", "noisy", "large"]
    assert len(read_rows(folder / RUNS, RunRow)) == len(plan_claims(claims_of(file)).whole.runs) == 54
    page = (folder / CLAIMS_PAGE).read_text()
    assert "C1: Focusing pays with many positives a batch (nobody)" in page


def test_the_loss_adds_up_over_the_rows_of_the_first_seed(project: tuple[Path, Path]) -> None:
    curves = read_rows(project[0] / LOSS_CURVES, LossRow)
    assert {(row.claim, row.gamma, row.target) for row in curves} == {("C3", g, t) for g in (0.0, 2.0) for t in (0, 1)}
    assert {row.data for row in curves} == {"gaussians at 0.02"}
    tail = {row.gamma: 1 - row.loss for row in curves if (row.target, row.rows) == (0, 0.99)}
    (point,) = [each for each in read_rows(project[0] / POINTS, PointRow) if each.claim == "C3"]
    assert point.value.least - 0.05 <= tail[2.0] <= point.value.most + 0.05


@pytest.mark.parametrize("name", [CLAIMS, POINTS])
def test_a_hand_edited_number_is_caught(name: str, project: tuple[Path, Path]) -> None:
    folder, _ = project
    row = (folder / name).read_text().splitlines()[1]
    number = next(cell for cell in row.split(",") if "." in cell and cell.replace(".", "").replace("-", "").isdigit())
    edit(folder / name, number, repr(float(number) + 0.001))
    assert any(f"{name} was changed" in problem for problem in verify_files(*project))
    forge_hash(folder, name)
    assert any(f"{name} is not what" in problem for problem in verify_files(*project))


def test_a_verdict_edited_in_the_page_is_caught(project: tuple[Path, Path]) -> None:
    folder, _ = project
    text = (folder / CLAIMS_PAGE).read_text()
    word = next(word for word in ("inconclusive", "refuted", "supported") if f"(nobody): {word}" in text)
    edit(folder / CLAIMS_PAGE, f"(nobody): {word}", "(nobody): proven")
    forge_hash(folder, CLAIMS_PAGE)
    assert any("claims.md is not what" in problem for problem in verify_files(*project))


def test_a_number_edited_in_the_runs_is_caught_even_with_a_forged_hash(project: tuple[Path, Path]) -> None:
    folder, _ = project
    value = repr(outcome_of(read_rows(folder / RUNS, RunRow)[7]).test_average_precision)
    edit(folder / RUNS, value, repr(float(value) + 0.001))
    forge_hash(folder, RUNS)
    assert any("claims.csv" in problem for problem in verify_files(*project))


def test_a_claim_changed_after_its_runs_is_caught(project: tuple[Path, Path]) -> None:
    _, file = project
    edit(file, 'direction = "above"', 'direction = "below"')
    problems = " ".join(verify_files(*project))
    assert "experiment.toml is not" in problems
    assert "claims.md is not what" in problems


@pytest.mark.parametrize(
    ("old", "new"), [("epochs = 4", "epochs = 5"), ("seeds = 6", "seeds = 6\nfirst_seed = 1"), ("= 128", "= 64")]
)
def test_a_stale_file_is_caught(old: str, new: str, project: tuple[Path, Path]) -> None:
    _, file = project
    edit(file, old, new)
    assert verify_files(*project)


# ---- faults planted in what the short runs pass


def _another_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "generator", lambda seed, purpose, key: generator(seed + 1, purpose, key))


def _alpha_to_the_wrong_class(monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(arm: Arm, counts: Sequence[ClassCounts]) -> RunLoss:
        loss = run_loss(arm, counts)
        assert isinstance(loss, WeightedFocal)
        return loss._replace(positive=loss.negative, negative=loss.positive)

    monkeypatch.setattr(stack, "run_loss", swapped)


def _gamma_of_the_wrong_class(monkeypatch: pytest.MonkeyPatch) -> None:
    def turned(logits: Tensor, targets: Tensor, gamma: Hyperparameter, weights: Tensor) -> Tensor:
        return -focal_gradient(-logits, targets, gamma, weights)

    monkeypatch.setattr(stack_loss, "focal_gradient", turned)


def _selection_on_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    def peeking(splits: Splits) -> Splits:
        rows = splits.validation.rows
        return replace(splits, validation=Dataset(splits.test.features[:rows], splits.test.targets[:rows], None))

    monkeypatch.setattr(stack, "_folds", lambda run: [peeking(build_module.build_splits(run.recipe, run.seed))])
    monkeypatch.setattr(agreement, "NOT_COMPARED", (*agreement.NOT_COMPARED, "val_positives"))


def _a_rate_off_by_label_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    def adding(dataset: Dataset, swaps: Swaps, rng: np.random.Generator) -> Dataset:
        targets = dataset.targets.copy()
        targets[np.flatnonzero(targets == 0)[: swaps.positives]] = 1
        return replace(dataset, targets=targets)

    monkeypatch.setattr(build_module, "with_label_noise", adding)


@pytest.mark.parametrize(
    "plant",
    [
        *(_another_seed, _alpha_to_the_wrong_class, _gamma_of_the_wrong_class),
        *(_selection_on_the_test, _a_rate_off_by_label_noise),
    ],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_a_planted_fault_is_found_by_the_short_runs(
    plant: Callable[[pytest.MonkeyPatch], None], project: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert what_moved(*project)


# ---- stopped


def test_a_spent_budget_leaves_the_runs_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text(TEXT)
    budget = Budget(1e-3, 0.0)
    with pytest.raises(InputError, match=r"budget|before one seed"):
        run_claims(plan_claims(claims_of(file)), file, tmp_path / "o", Execution(budget=budget))
    assert not (tmp_path / "o" / CLAIMS).exists()
