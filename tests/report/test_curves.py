"""Curves in and out of their file, empty reliability bins included."""

from pathlib import Path

from focalbench.analysis.records import read_csv, to_csv
from focalbench.report.curves import CURVE_COLUMNS, CURVE_TEXTS, curve_records
from focalbench.runs.result import Result
from tests.support.runs import BCE, run_record


def test_a_bin_that_is_empty_in_every_run_lies_nowhere_and_can_be_read_back(tmp_path: Path) -> None:
    records = [run_record(BCE, seed, 0.5) for seed in range(3)]
    curves: dict[str, list[float | None]] = {
        "precision": [0.5, 0.4],
        "reliability_expected": [0.1, None, 0.3],
        "reliability_observed": [0.2, None, 0.4],
    }
    found = curve_records(records, lambda run_id: Result(run_id, {}, curves, 0.0))
    assert [row["x"] is None for row in found if row["curve"] == "reliability_observed"] == [False, True, False]
    (tmp_path / "curves.csv").write_text(to_csv(CURVE_COLUMNS, found))
    assert read_csv(tmp_path / "curves.csv", CURVE_COLUMNS, CURVE_TEXTS) == found
