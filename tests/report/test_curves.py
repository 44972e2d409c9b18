"""Curves in and out of their file, empty reliability bins included."""

from dataclasses import replace
from pathlib import Path

import pytest

from focalbench.analysis.rows import Kind
from focalbench.base.rows import read_rows, rows_text
from focalbench.errors import InputError
from focalbench.report.curves import Curve, CurvePoint, curve_points
from focalbench.runs.result import Curves, Result
from tests.support.runs import BCE, made_row, outcome_with


def test_a_bin_that_is_empty_in_every_run_lies_nowhere_and_can_be_read_back(tmp_path: Path) -> None:
    rows = [made_row(BCE, seed, 0.5) for seed in range(3)]
    curves = Curves(precision=(0.5, 0.4), reliability_expected=(0.1, None, 0.3), reliability_observed=(0.2, None, 0.4))
    found = curve_points(rows, lambda run_id: Result(run_id, outcome_with(), curves, 0.0))
    assert [point.x is None for point in found if point.curve is Curve.RELIABILITY] == [False, True, False]
    (tmp_path / "curves.csv").write_text(rows_text(CurvePoint, found))
    assert read_rows(tmp_path / "curves.csv", CurvePoint) == found


@pytest.mark.parametrize("cell", ["NaN", "Infinity", "1e999", "true", '"abc"', "[1]", "{}", "null"])
def test_a_place_that_is_no_number_is_refused(tmp_path: Path, cell: str) -> None:
    point = CurvePoint("mixture", None, 0.0, "bce", Kind.ARM, Curve.VALIDATION, 7.0, 0.5, None, None)
    quoted = '"' + cell.replace('"', '""') + '"'
    (tmp_path / "curves.csv").write_text(rows_text(CurvePoint, [point]).replace(",7.0,", f",{quoted},"))
    with pytest.raises(InputError, match=r"is no number of x|Expecting value|Extra data"):
        read_rows(tmp_path / "curves.csv", CurvePoint)


def test_reliability_of_other_probabilities_stands_by_their_means_with_what_was_observed() -> None:
    rows = [made_row(BCE, seed, 0.5) for seed in range(2)]
    raw = Curves(reliability_expected=(0.1, 0.3), reliability_observed=(0.2, 0.4))
    both = [replace(raw, reliability_platt=(0.01, 0.02), reliability_recovered=(0.5, 0.6)), raw]
    by_id = {row.settings.run_id: curves for row, curves in zip(rows, both, strict=True)}
    found = curve_points(rows, lambda run_id: Result(run_id, outcome_with(), by_id[run_id], 0.0))
    points = {(point.curve, point.x): point.mean for point in found}
    assert points == {
        (Curve.RELIABILITY, 0.1): 0.2,
        (Curve.RELIABILITY, 0.3): 0.4,
        (Curve.RECOVERED, 0.5): 0.2,
        (Curve.RECOVERED, 0.6): 0.4,
        (Curve.PLATT, 0.01): 0.2,
        (Curve.PLATT, 0.02): 0.4,
    }
