"""A label that is empty in some rows: these rows count in no loss and no metric of it, and in all of the others."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from focalbench.datasets.build import build_splits, load_table, measured, resolve
from focalbench.datasets.dataset import Dataset, Splits
from focalbench.errors import InputError
from focalbench.losses.modules import SigmoidFocalLoss
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.arm import Arm
from focalbench.runs.columns import Columns
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training import stack as stack_module
from focalbench.training.arm_loss import run_loss
from focalbench.training.caller import Caller
from focalbench.training.loop import Rows
from focalbench.training.references import LOGISTIC
from focalbench.training.rivals import ClassCounts
from focalbench.training.stack import drawn_counts
from focalbench.training.stack_loss import StackLoss

LABELS = ("p", "q", "r")
TRAINING = Training(hidden=(8,), epochs=4, batch_size=128)
ARMS = (Arm("bce"), Arm("pos_weight"), Arm("focal", 0.25, 2.0))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table whose labels p and r are empty in some rows; r is the rarest of what is known, and equal rows are few."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 3)).round(5)
    columns: dict[str, Any] = {}
    for name, rate, shift in (("p", 0.3, 1.0), ("q", 0.2, -1.0), ("r", 0.1, 0.5)):
        columns[name] = np.where(x[:, 0] * shift + rng.standard_normal(4000) > -1.6 * np.log10(rate), "Yes", "No")
    frame = pd.DataFrame({**dict(zip("abc", x.T, strict=True)), **columns})
    frame.loc[rng.random(4000) < 0.3, "p"] = ""
    frame.loc[rng.random(4000) < 0.2, "r"] = "NA"
    frame.to_csv(tmp_path_factory.mktemp("labels") / "l.csv", index=False)
    return str(tmp_path_factory.getbasetemp() / "labels0" / "l.csv")


@pytest.fixture(scope="module")
def recipe(path: str) -> Recipe:
    return resolve(Recipe(path, 2000, task="multilabel", columns=Columns(labels=LABELS)))


def test_empty_cells_are_unknown_and_a_rate_counts_known_rows(path: str, recipe: Recipe) -> None:
    table, frame = load_table(recipe), pd.read_csv(path)
    assert table.known is not None
    assert table.labels is not None
    assert table.names[-1] == "r"
    for k, name in enumerate(table.names):
        np.testing.assert_array_equal(table.known[:, k], frame[name].notna())
        np.testing.assert_array_equal(table.labels[:, k], frame[name] == "Yes")
    rate, known = table.positives / table.counted, frame["r"].notna().sum()
    assert table.counted == known < 3400
    for part in parts(recipe):
        assert part.known is not None
        seen = part.where_known(2)
        assert part.targets.sum() == round(rate * seen.sum())
        assert np.mean(~seen) == pytest.approx(1 - known / 4000, abs=0.001)
    assert [reading.unknown for reading in table.outputs] == [int(frame[name].isna().sum()) for name in LABELS]


def parts(recipe: Recipe, seed: int = 0) -> tuple[Dataset, Dataset, Dataset]:
    splits = build_splits(recipe, seed)
    return splits.train, splits.validation, splits.test


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [50, 64])
def test_the_gradient_is_that_of_the_known_cells(rows: int, weighted: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 64, generator=generator)
    targets = (torch.rand(rows, 3, generator=generator) < 0.3).float()
    known = (torch.rand(rows, 3, generator=generator) < 0.7).float()
    weights = torch.rand(rows, generator=generator) if weighted else None
    batch = Rows(torch.zeros(rows, 1), targets, weights, known)
    losses = [run_loss(Arm("bce"), COUNTS), run_loss(Arm("focal", 0.25, 2.0), COUNTS)]
    found = StackLoss(losses, 1, "cpu").gradient(logits, targets.T, batch.in_loss)
    for run, (alpha, gamma) in enumerate(((None, 0.0), (0.25, 2.0))):
        x = logits[run, :, :rows].clone().requires_grad_()
        cells = SigmoidFocalLoss(alpha, gamma, "none")(x, targets.T)
        mean = 1.0 if alpha is None else 0.1 * 0.25 + 0.9 * 0.75
        counted = cells[known.T > 0] * (1.0 if weights is None else weights.expand(3, rows)[known.T > 0])
        (expected,) = torch.autograd.grad(counted.sum() / rows / mean, x)
        torch.testing.assert_close(found[run, :, :rows], expected)
        assert not found[run, :, rows:].any()


COUNTS = [ClassCounts(10, 90)] * 3


def flipped(part: Dataset) -> Dataset:
    """The same with 1 for 0 under every unknown label."""
    assert part.known is not None
    labels = np.where(part.known, part.outputs, 1).astype(np.int8)
    return replace(part, labels=labels)


def test_what_stands_under_an_unknown_label_moves_no_number(recipe: Recipe) -> None:
    splits = build_splits(recipe, 0)
    other = replace(
        splits, train=flipped(splits.train), validation=flipped(splits.validation), test=flipped(splits.test)
    )
    stack = tuple(Run(recipe, TRAINING, arm, 0.01, 0) for arm in ARMS)
    reference = Run(recipe, Training(model=LOGISTIC, hidden=(), epochs=0), Arm("pos_weight"), 0.0, 0)
    for one, two in zip(numbers(stack, reference, splits), numbers(stack, reference, other), strict=True):
        assert without_counts(one) == without_counts(two)


def numbers(stack: tuple[Run, ...], reference: Run, splits: Splits) -> list[Any]:
    return [each for runs in (stack, (reference,)) for each in stack_module._measured(runs, [splits])]


def without_counts(measured: Any) -> str:
    """Without the positives that a class is said to have and the hash of the data, which are those of the labels."""
    outcome, curves, influences = measured
    classes = [replace(each, train_positives=0, val_positives=0, test_positives=0) for each in outcome.classes]
    return repr((replace(outcome, classes=classes, data_sha256=""), curves, influences))


def test_what_is_measured_is_scikit_learns_of_the_known_rows(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    plain = Caller.said

    def watched(caller: Caller, test: torch.Tensor, validation: torch.Tensor | None) -> Any:
        seen.append(test.numpy().copy())
        return plain(caller, test, validation)

    monkeypatch.setattr(Caller, "said", watched)
    test = parts(recipe)[2]
    (result,) = stack_module.run_stack((Run(recipe, TRAINING, Arm("bce"), 0.01, 0),))
    known = [test.where_known(k) for k in range(3)]
    pairs = [(test.outputs[known[k], k], seen[0][k, known[k]]) for k in range(3)]
    classes = result.outcome.classes or ()
    found = [each.test_average_precision for each in classes if each.test_average_precision is not None]
    assert found == pytest.approx([average_precision_score(*pair) for pair in pairs], abs=1e-6)
    assert result.outcome.scores.roc_auc == pytest.approx(np.mean([roc_auc_score(*pair) for pair in pairs]), abs=1e-6)
    assert result.outcome.test_prevalence == pytest.approx(np.mean([pair[0].mean() for pair in pairs]))
    assert min(found) > 0.12


def test_class_counts_are_of_known_rows(recipe: Recipe) -> None:
    train = parts(recipe)[0]
    for k, counts in enumerate(drawn_counts(train, [np.arange(train.rows)])):
        column = train.outputs[train.where_known(k), k]
        assert counts == (column.sum(), (column == 0).sum())


def test_fully_known_labels_have_no_mask(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.random(600), "p": rng.random(600) < 0.4, "q": np.where(rng.random(600) < 0.3, 1, -1)}
    )
    frame.to_csv(tmp_path / "k.csv", index=False)
    table = load_table(
        Recipe(
            str(tmp_path / "k.csv"),
            300,
            task="multilabel",
            columns=Columns(labels=("p", "q")),
            path=str(tmp_path / "k.csv"),
        )
    )
    assert table.known is None
    assert (
        parts(resolve(Recipe(str(tmp_path / "k.csv"), 300, task="multilabel", columns=Columns(labels=("p", "q")))))[
            0
        ].known
        is None
    )


@pytest.mark.parametrize(
    ("cells", "positive", "says"),
    [
        (["ill", "ill", "well"], None, "'p' holds ill .* `positive=well`"),
        (["ill", "well", ""], "sick", "no value 'sick'"),
        (["1", "", ""], None, "only the value 1"),
        (["", "", ""], None, "holds no value at all"),
    ],
)
def test_labels_that_leave_it_open_are_refused(
    tmp_path: Path, cells: list[str], positive: str | None, says: str
) -> None:
    rows = [f"{i},{cells[i % 3]},{'ill' if i % 4 else 'well'}" for i in range(600)]
    (tmp_path / "o.csv").write_text("\n".join(["x,p,q", *rows, ""]))
    with pytest.raises(InputError, match=says):
        resolve(
            Recipe(
                str(tmp_path / "o.csv"), 300, task="multilabel", columns=Columns(labels=("p", "q"), positive=positive)
            )
        )


def test_positive_names_the_value_of_every_label(tmp_path: Path) -> None:
    rows = [
        f"{i * 7 % 601},{'ill' if i % 3 else 'well'},{'' if i % 5 == 0 else 'ill' if i % 4 else 'well'}"
        for i in range(900)
    ]
    (tmp_path / "o.csv").write_text("\n".join(["x,p,q", *rows, ""]))
    experiment = Experiment(
        task="multilabel",
        datasets=(str(tmp_path / "o.csv"),),
        positive_rates=(None,),
        columns=Columns(labels=("p", "q"), positive="well"),
        seeds=1,
    )
    plan = make_plan(experiment)
    assert [note for note in plan.notes if note.startswith("o.csv: target")] == [
        "o.csv: target p: ill in 600 rows (66.67%), well in 300 rows (33.33%, positive)",
        "o.csv: target q: ill in 540 rows (75.00%), well in 180 rows (25.00%, positive), unknown in 180",
    ]


def test_a_label_known_to_be_one_only_in_some_split_is_refused(tmp_path: Path) -> None:
    """Its negatives, one in a thousand rows, are not in every split."""
    rng = np.random.default_rng(0)
    q = np.where(np.arange(3000) < 2, "0", np.where(rng.random(3000) < 0.5, "1", ""))
    frame = pd.DataFrame({"x": rng.random(3000), "p": (rng.random(3000) < 0.3).astype(int), "q": q})
    frame.to_csv(tmp_path / "l.csv", index=False)
    recipe = resolve(Recipe(str(tmp_path / "l.csv"), 3000, task="multilabel", columns=Columns(labels=("p", "q"))))
    with pytest.raises(InputError, match="too few rows of q"):
        measured(recipe, 0)


def test_equal_rows_with_unknown_labels_stay_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.integers(0, 900, 3000), "p": rng.random(3000) < 0.3, "q": rng.random(3000) < 0.2})
    frame = frame.astype({"p": object, "q": object})
    frame.loc[rng.random(3000) < 0.3, "q"] = None
    frame.loc[frame["x"] < 100, "q"] = None  # sets of which nothing is known
    frame.to_csv(tmp_path / "l.csv", index=False)
    recipe = resolve(Recipe(str(tmp_path / "l.csv"), 3000, task="multilabel", columns=Columns(labels=("p", "q"))))
    features = [set(part.features[:, 0].tolist()) for part in parts(recipe)]
    assert not features[0] & features[1] | features[1] & features[2] | features[0] & features[2]
    assert sum(len(part.targets) for part in parts(recipe)) > 2900
