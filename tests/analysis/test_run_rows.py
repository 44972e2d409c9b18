"""The rows of runs.csv: what they say of a run, their columns, and files of before."""

import json
from pathlib import Path

import pytest

from focalbench.analysis.run_rows import RunRow, Source, run_row
from focalbench.base.rows import columns, csv_text, flatten, read_rows, rows_text, texts
from focalbench.errors import InputError
from focalbench.runs.arm import Arm
from focalbench.runs.result import ClassOutcome
from focalbench.runs.run import Recipe, Run, Training
from tests.support.runs import BCE, changed, failed, made_row, outcome_of, outcome_with, two_arms

COLUMNS = [
    *("run_id", "dataset", "source", "positive_rate", "label_noise", "arm", "family", "loss", "alpha", "gamma"),
    *("init", "params", "lr", "seed", "restart", "model", "hidden", "sampler", "batch_size", "epochs"),
    *("metric", "threshold_at", "optimizer", "resampling", "epoch"),
    *("train_rows", "train_positives", "val_rows", "val_positives", "test_rows", "test_positives"),
    *("test_prevalence", "split", "train_share"),
    *("val_average_precision", "test_average_precision", "bayes_average_precision", "status"),
    *("val_average_precision_quarter", "test_average_precision_quarter"),
    *("val_average_precision_half", "test_average_precision_half"),
    *("val_metric", "test_metric", "val_metric_quarter", "test_metric_quarter"),
    *("val_metric_half", "test_metric_half", "operating_threshold", "operating_precision", "operating_recall"),
    *("operating_false_positive_rate", "operating_alerts", "operating_cost"),
    *(
        f"{way}_{name}"
        for way in ("platt", "isotonic")
        for name in (
            *("brier", "log_loss", "log_loss_skill", "expected_observed"),
            *("calibration_slope", "calibration_intercept", "ece"),
        )
    ),
    *("roc_auc", "r_precision", "recall_at_fpr", "mcc_at_prevalence"),
    *("brier", "log_loss", "log_loss_skill", "expected_observed"),
    *("calibration_slope", "calibration_intercept", "ece"),
    *("recovered_brier", "recovered_log_loss", "recovered_log_loss_skill", "recovered_expected_observed"),
    *("recovered_calibration_slope", "recovered_calibration_intercept", "recovered_ece"),
    *("noisy_test_average_precision", "positives_per_batch", "batches_without_positives"),
    "hardest_negatives_share",
    *("k", "classes", "data_sha256"),
]
TEXTS = {
    *("run_id", "dataset", "source", "arm", "family", "loss", "alpha", "init", "params", "model", "hidden", "sampler"),
    *("metric", "threshold_at", "optimizer", "resampling", "split", "status", "classes", "data_sha256"),
}
RARE = ClassOutcome("rare", 30, 10, 10, None, 0.9, 0.5)
WEIGHED = ClassOutcome("weighed", 30, 10, 10, 0.25, None, None)


def test_the_columns_are_pinned() -> None:
    """Scripts read them; a change here is told in CHANGELOG.md."""
    assert list(columns(RunRow)) == COLUMNS
    assert set(texts(RunRow)) == TEXTS


def test_a_row_says_what_was_asked_and_what_came_out() -> None:
    run = Run(Recipe("mixture", 900, 0.02, 0.1), Training(hidden=(8, 4)), Arm("focal", 0.25, 2.0, "zero"), 0.01, 3, 1)
    asked = run_row(run, outcome_with()).settings
    assert asked.run_id == run.run_id
    assert asked.arm == "alpha=0.25 gamma=2 (zero start)"
    assert (asked.dataset, asked.positive_rate, asked.label_noise) == ("mixture", 0.02, 0.1)
    assert (asked.family, asked.loss, asked.alpha, asked.gamma) == ("alpha-focal", "focal", "0.25", 2.0)
    assert (asked.lr, asked.seed, asked.restart, asked.hidden) == (0.01, 3, 1, "8-4")
    assert json.loads(asked.params) == {"alpha": 0.25, "gamma": 2.0}
    assert asked.source is Source.SYNTHETIC


def comes_back(rows: list[RunRow], folder: Path) -> None:
    (folder / "runs.csv").write_text(rows_text(RunRow, rows), encoding="utf-8", newline="")
    assert repr(read_rows(folder / "runs.csv", RunRow)) == repr(rows)


def test_rows_come_back_from_a_file(tmp_path: Path) -> None:
    row = made_row(BCE, 0, 0.1 + 0.2)
    no_layers = changed(row, hidden="", lr=None, epochs=None, val_average_precision_half=None)
    comes_back([row, no_layers, changed(row, split="each group", status="diverged")], tmp_path)


def test_a_failed_run_has_a_row_without_numbers(tmp_path: Path) -> None:
    row = failed(made_row(BCE, 0, 0.5))
    cells = flatten(row)
    assert cells["status"] == "failed"
    assert {cells[name] for name in COLUMNS[COLUMNS.index("epoch") :] if name != "status"} == {None}
    comes_back([row], tmp_path)


def test_classes_are_one_cell(tmp_path: Path) -> None:
    row = changed(made_row(BCE, 0, 0.5), classes=json.dumps([]))
    assert outcome_of(row).classes == ()
    classes = outcome_with(classes='[{"name": "rare", "train_positives": 30, "val_positives": 10, '
        '"test_positives": 10, "bayes_average_precision": 0.9, "test_average_precision": 0.5}]').classes  # fmt: skip
    assert classes == (RARE,)
    text = flatten(outcome_with())["classes"]
    assert text is None
    many = RunRow(row.settings, outcome_with(classes=json.dumps([{"name": "x" * 1_000} | SIZES] * 300)))
    comes_back([many], tmp_path)


SIZES = {
    **{"train_positives": 1, "val_positives": 1, "test_positives": 1, "test_prevalence": 0.25},
    **{"bayes_average_precision": None, "test_average_precision": None},
}


@pytest.mark.parametrize(
    "cell",
    [
        *("[1]", "{}", "3", "null", "no", '[{"name": "a"}]', "[" * 9_999),
        json.dumps([SIZES]),
        json.dumps([{"name": "a"} | SIZES | {"train_positives": "many"}]),
        json.dumps([{"name": "a"} | SIZES | {"test_average_precision": "high"}]),
    ],
)
def test_classes_that_nobody_wrote_are_refused(tmp_path: Path, cell: str) -> None:
    text = rows_text(RunRow, [made_row(BCE, 0, 0.5)]).replace(",,0\n", f',"{cell.replace(chr(34), 2 * chr(34))}",0\n')
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(InputError, match=r"runs\.csv: .* is no classes of this version; run the experiment again"):
        read_rows(tmp_path / "runs.csv", RunRow)


def test_a_file_that_has_an_older_name_of_a_column_is_read(tmp_path: Path) -> None:
    rows = two_arms(2, 0.1)
    (tmp_path / "runs.csv").write_text(rows_text(RunRow, rows).replace(",r_precision,", ",precision_at_k,"))
    assert read_rows(tmp_path / "runs.csv", RunRow) == rows


def test_a_file_of_before_the_matthews_correlation_is_read_with_it_blank(tmp_path: Path) -> None:
    rows, names = two_arms(2, 0.1), [name for name in COLUMNS if name != "mcc_at_prevalence"]
    cells = [flatten(changed(row, mcc_at_prevalence=0.5)) for row in rows]
    (tmp_path / "runs.csv").write_text(csv_text(names, ([cell[name] for name in names] for cell in cells)))
    assert read_rows(tmp_path / "runs.csv", RunRow) == rows
