"""Typed rows to columns and back, and what is refused on the way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focalbench.analysis.comparison import compare
from focalbench.analysis.rows import (
    ArmRow,
    ClassRow,
    Kind,
    OperatingRow,
    OverTables,
    Recalibration,
    Scope,
    Spread,
    Verdict,
)
from focalbench.base.rows import Value, columns, flatten, read_rows, rows_of, rows_text, texts
from focalbench.errors import InputError
from focalbench.runs.metric import Metric, ThresholdAt
from focalbench.runs.resampling import Resampling
from focalbench.runs.result import Calibration, Scores, Sizes
from tests.support.runs import two_arms

COLUMNS = [
    *("dataset", "positive_rate", "label_noise", "scope", "kind", "arm", "family", "loss", "alpha", "gamma", "init"),
    *("n_seeds", "failed_seeds", "older_seeds", "candidates", "diverged"),
    *("prevalence", "test_prevalence", "bayes_average_precision", "n_classes", "unmeasured"),
    *("train_rows", "train_positives", "val_rows", "val_positives", "test_rows", "test_positives"),
    *("average_precision", "ap_low", "ap_high", "ap_min", "ap_max"),
    *("delta", "delta_low", "delta_high", "delta_min", "delta_max", "delta_low_pointwise", "delta_high_pointwise"),
    *("p_value", "p_adjusted", "margin", "verdict", "seeds_to_decide", "budget_limited", "lrs", "lr_edge"),
    *("delta_vs_own_start", "own_start_low", "own_start_high", "own_start_min", "own_start_max"),
    *("average_precision_quarter", "average_precision_half"),
    *("metric", "score", "score_low", "score_high", "score_min", "score_max", "operating_at"),
    *(
        f"operating_{name}{end}"
        for name in ("precision", "recall", "alerts", "cost", "delta")
        for end in ("", "_low", "_high", "_min", "_max")
    ),
    *("over_tables", "over_better", "over_worse", "over_within", "over_undecided"),
    *(f"over_{name}{end}" for name in ("delta", "relative") for end in ("", "_low", "_high", "_min", "_max")),
    "resampling",
    *(
        f"skill_{name}{end}"
        for name in ("raw", "inverse", "platt", "isotonic")
        for end in ("", "_low", "_high", "_min", "_max")
    ),
    *("roc_auc", "r_precision", "recall_at_fpr", "mcc_at_prevalence"),
    *("brier", "log_loss", "log_loss_skill", "expected_observed"),
    *("calibration_slope", "calibration_intercept", "ece"),
    *("recovered_brier", "recovered_log_loss", "recovered_log_loss_skill", "recovered_expected_observed"),
    *("recovered_calibration_slope", "recovered_calibration_intercept", "recovered_ece"),
    *("noisy_test_average_precision", "positives_per_batch", "batches_without_positives"),
    "hardest_negatives_share",
]
CLASS_COLUMNS = [
    *("dataset", "positive_rate", "kind", "arm", "init", "class", "n_seeds"),
    *("train_positives", "val_positives", "test_positives", "prevalence", "bayes_average_precision"),
    *("average_precision", "ap_low", "ap_high", "ap_min", "ap_max"),
    *("delta", "delta_low", "delta_high", "delta_min", "delta_max"),
]

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=8)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
MAYBE = st.one_of(st.none(), FLOAT)
COUNT = st.integers(0, 10**9)
SPREAD = st.builds(Spread, FLOAT, MAYBE, MAYBE, FLOAT, FLOAT)
CALIBRATION = st.builds(Calibration, *[MAYBE] * 7)
AIMS = [ThresholdAt.parse(text) for text in ("capacity=50/day", "cost=1:2", "recall=0.9")]
OPERATING = st.builds(
    OperatingRow,
    st.sampled_from(AIMS),
    st.one_of(st.none(), SPREAD),
    *[SPREAD] * 2,
    *[st.one_of(st.none(), SPREAD)] * 2,
)
MAYBE_TEXT = st.one_of(st.none(), TEXT)
ARM_ROWS = st.builds(
    ArmRow,
    dataset=TEXT,
    positive_rate=MAYBE,
    label_noise=FLOAT,
    scope=st.sampled_from(Scope),
    kind=st.sampled_from(Kind),
    arm=TEXT,
    family=TEXT,
    loss=MAYBE_TEXT,
    alpha=MAYBE_TEXT,
    gamma=MAYBE,
    init=MAYBE_TEXT,
    n_seeds=COUNT,
    failed_seeds=COUNT,
    older_seeds=COUNT,
    candidates=COUNT,
    diverged=COUNT,
    prevalence=FLOAT,
    test_prevalence=MAYBE,
    bayes_average_precision=MAYBE,
    n_classes=st.one_of(st.none(), COUNT),
    unmeasured=MAYBE_TEXT,
    sizes=st.builds(Sizes, *[COUNT] * 6),
    average_precision=SPREAD,
    delta=st.one_of(st.none(), SPREAD),
    delta_low_pointwise=MAYBE,
    delta_high_pointwise=MAYBE,
    p_value=MAYBE,
    p_adjusted=MAYBE,
    margin=FLOAT,
    verdict=st.one_of(st.none(), st.sampled_from(Verdict)),
    seeds_to_decide=st.one_of(st.none(), COUNT),
    budget_limited=st.one_of(st.none(), st.booleans()),
    lrs=MAYBE_TEXT,
    lr_edge=MAYBE,
    own_start=st.one_of(st.none(), SPREAD),
    average_precision_quarter=MAYBE,
    average_precision_half=MAYBE,
    metric=st.sampled_from([None, *map(Metric.parse, ("cost=1:50", "log_loss", "precision_at=0.01"))]),
    score=st.one_of(st.none(), SPREAD),
    operating=st.one_of(st.none(), OPERATING),
    over=st.one_of(st.none(), st.builds(OverTables, *[COUNT] * 5, *[st.one_of(st.none(), SPREAD)] * 2)),
    resampling=st.sampled_from([None, *map(Resampling.parse, ("smote", "undersample:0.1"))]),
    recalibration=st.one_of(st.none(), st.builds(Recalibration, SPREAD, *[st.one_of(st.none(), SPREAD)] * 3)),
    scores=st.builds(
        Scores,
        roc_auc=MAYBE,
        r_precision=MAYBE,
        recall_at_fpr=MAYBE,
        mcc_at_prevalence=MAYBE,
        raw=CALIBRATION,
        recovered=CALIBRATION,
        noisy_test_average_precision=MAYBE,
        positives_per_batch=MAYBE,
        batches_without_positives=MAYBE,
        hardest_negatives_share=MAYBE,
    ),
)
CLASS_ROWS = st.builds(
    ClassRow,
    dataset=TEXT,
    positive_rate=MAYBE,
    kind=st.sampled_from(Kind),
    arm=TEXT,
    init=MAYBE_TEXT,
    name=TEXT,
    n_seeds=COUNT,
    train_positives=FLOAT,
    val_positives=FLOAT,
    test_positives=FLOAT,
    prevalence=FLOAT,
    bayes_average_precision=MAYBE,
    average_precision=st.one_of(st.none(), SPREAD),
    delta=st.one_of(st.none(), SPREAD),
)


def test_the_columns_are_pinned() -> None:
    """Scripts read them; a change here is told in CHANGELOG.md."""
    assert list(columns(ArmRow)) == COLUMNS
    assert list(columns(ClassRow)) == CLASS_COLUMNS
    assert set(texts(ArmRow)) == {
        *("dataset", "scope", "kind", "arm", "family", "loss", "alpha", "init"),
        *("unmeasured", "verdict", "budget_limited", "lrs", "metric", "operating_at", "resampling"),
    }
    assert set(texts(ClassRow)) == {"dataset", "kind", "arm", "init", "class"}


def comes_back(row: ArmRow | ClassRow, folder: Path) -> None:
    """From its columns, and from a file."""
    record, kind = flatten(row), type(row)
    assert list(record) == list(columns(kind))
    assert all(value is None or type(value) in (int, float, str) for value in record.values())
    assert repr(rows_of(kind, [record])) == repr([row])  # == does not tell 1 from 1.0
    (folder / "t.csv").write_text(rows_text(kind, [row, row]), encoding="utf-8", newline="")
    assert repr(read_rows(folder / "t.csv", kind)) == repr([row, row])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=ARM_ROWS)
def test_rows_of_arms_come_back(tmp_path: Path, row: ArmRow) -> None:
    comes_back(row, tmp_path)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=CLASS_ROWS)
def test_rows_of_classes_come_back(tmp_path: Path, row: ClassRow) -> None:
    comes_back(row, tmp_path)


def test_what_is_not_there_is_a_row_of_empty_cells() -> None:
    bce, gamma = compare(two_arms(6, 0.05))
    assert bce.delta is bce.own_start is None
    assert {flatten(bce)[name] for name in COLUMNS if name.startswith(("delta", "own_start"))} == {None}
    assert flatten(gamma)["budget_limited"] == "false"
    assert rows_of(ArmRow, [flatten(bce), flatten(gamma)]) == [bce, gamma]
    assert rows_text(ArmRow, []) == ",".join(COLUMNS) + "\n"


def test_whole_numbers_become_the_floats_they_stand_for() -> None:
    row = flatten(compare(two_arms(6, 0.05))[0])
    (found,) = rows_of(ArmRow, [{**row, "positive_rate": 1, "average_precision": 0}])
    assert repr((found.positive_rate, found.average_precision.mean)) == "(1.0, 0.0)"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("dataset", value) for value in (None, 1.0)),
        *(("arm", value) for value in (None, 3)),
        *(("n_seeds", value) for value in (None, 1.5, "6")),
        *(("train_rows", value) for value in (None, 2.5)),
        *(("average_precision", value) for value in (None, "0.5")),
        *(("ap_min", value) for value in (None, "low")),
        ("margin", None),
        ("delta", None),  # while its other columns hold values
        *(("verdict", value) for value in ("best", "BETTER", 1)),
        *(("scope", value) for value in (None, "world", 1)),
        *(("kind", value) for value in (None, "arms")),
        *(("budget_limited", value) for value in ("True", "yes", 1)),
        ("log_loss", "low"),
        ("gamma", "2"),
    ],
)
def test_values_of_another_kind_are_refused(tmp_path: Path, column: str, value: Value) -> None:
    records = [flatten(row) for row in compare(two_arms(6, 0.05))]
    wrong: list[dict[str, Any]] = [dict(records[0]), {**records[1], column: value}]
    with pytest.raises(InputError, match=rf"is no {column} of this version"):
        rows_of(ArmRow, wrong)


def test_a_file_of_other_values_is_named(tmp_path: Path) -> None:
    text = rows_text(ArmRow, compare(two_arms(6, 0.05)))
    (tmp_path / "t.csv").write_text(text.replace(",better,", ",best,"))
    with pytest.raises(InputError, match=r"t\.csv: 'best' is no verdict of this version"):
        read_rows(tmp_path / "t.csv", ArmRow)
    with pytest.raises(InputError, match=r"cannot read .*t\.csv as a table of this version"):
        read_rows(tmp_path / "t.csv", ClassRow)


def test_a_rows_name_leaves_its_start_out() -> None:
    row = compare(two_arms(6, 0.05))[1]
    zero = replace(row, arm="gamma=2 (zero start)", init="zero")
    assert (row.name, zero.name) == ("gamma=2", "gamma=2")
    assert replace(zero, kind=Kind.TUNED).name == "gamma=2 (zero start)"
    assert zero.cell == row.cell == ("mixture", 0.01, 0.0)
