import csv
import io
import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focalbench.analysis.records import RUN_COLUMNS, RUN_TEXTS, Record, read_csv, record, to_csv
from focalbench.analysis.rows import ArmRow, ClassRow, texts
from focalbench.analysis.rows import columns as columns_of
from focalbench.errors import InputError
from focalbench.report.curves import CURVE_COLUMNS, CURVE_TEXTS
from focalbench.runs.arms import Arm, Recipe, Run, Training
from focalbench.runs.result import Number, Result

TABLES = (
    (RUN_COLUMNS, RUN_TEXTS),
    (columns_of(ArmRow), frozenset(texts(ArmRow))),
    (columns_of(ClassRow), frozenset(texts(ClassRow))),
    (CURVE_COLUMNS, CURVE_TEXTS),
)
COLUMNS = tuple(dict.fromkeys(name for columns, _ in TABLES for name in columns))
TEXT_COLUMNS = frozenset(name for _, names in TABLES for name in names)
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=20)
TEXT = st.one_of(PLAIN, st.builds(str.__add__, st.sampled_from(["'", "''=", "=", "+1", "-", "@", "\t", "\n"]), PLAIN))
NUMBER = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
EXTREMES = [0.1 + 0.2, 5e-324, -5e-324, 1.7976931348623157e308, 1e22, 1e-7, -0.0, 1 / 3, 2**53 + 1, -(10**30)]


def cell(name: str) -> st.SearchStrategy[Number]:
    empty = st.just("") if name == "hidden" else st.none()
    return st.one_of(empty, TEXT if name in TEXT_COLUMNS else NUMBER)


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[str, ...], list[Record]]:
    """A few columns of any of this tool's tables, and up to three rows of them."""
    columns = tuple(draw(st.lists(st.sampled_from(COLUMNS), min_size=2, max_size=4, unique=True)))
    return columns, [{name: draw(cell(name)) for name in columns} for _ in range(draw(st.integers(0, 3)))]


def read(folder: Path, text: str) -> list[Record]:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8", newline="\n")
    return read_csv(path, text.partition("\n")[0].split(","), TEXT_COLUMNS)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_records_come_back_to_the_last_bit(tmp_path: Path, table: tuple[tuple[str, ...], list[Record]]) -> None:
    columns, records = table
    assert repr(read(tmp_path, to_csv(columns, records))) == repr(records)


def test_a_whole_row_comes_back(tmp_path: Path) -> None:
    for columns, of_text in TABLES:
        assert of_text <= set(columns)
        row: Record = {name: f"a {name}" if name in of_text else i / 7 for i, name in enumerate(columns)}
        (tmp_path / "t.csv").write_text(to_csv(columns, [row]))
        assert read_csv(tmp_path / "t.csv", columns, of_text) == [row]


@pytest.mark.parametrize("value", EXTREMES)
def test_a_number_comes_back_with_its_kind_and_sign(tmp_path: Path, value: float) -> None:
    (row,) = read(tmp_path, to_csv(("lr",), [{"lr": value}]))
    found = row["lr"]
    assert repr(found) == repr(value)
    assert isinstance(found, (int, float))
    assert math.copysign(1, found) == math.copysign(1, value)


def test_numpy_floats_are_written_as_floats(tmp_path: Path) -> None:
    import numpy as np

    assert to_csv(("lr",), [{"lr": np.float64(0.1)}]) == "lr\n0.1\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|'/c calc'!A1", "'=1", "''@"])
def test_no_text_begins_as_a_formula(tmp_path: Path, text: str) -> None:
    written = to_csv(("dataset",), [{"dataset": text}])
    (cell,) = list(csv.reader(io.StringIO(written)))[1]
    assert cell == f"'{text}"
    assert read(tmp_path, written) == [{"dataset": text}]


def test_a_negative_number_is_no_formula() -> None:
    assert to_csv(("lr", "seed"), [{"lr": -0.5, "seed": -3}]) == "lr,seed\n-0.5,-3\n"


@pytest.mark.parametrize("text", ["it's", "'quoted'", "a=b", " =1"])
def test_other_texts_are_left_alone(text: str) -> None:
    assert text in to_csv(("dataset",), [{"dataset": text}])
    assert f"'{text}" not in to_csv(("dataset",), [{"dataset": text}])


def test_none_is_an_empty_cell(tmp_path: Path) -> None:
    text = to_csv(("lr", "arm", "hidden"), [{"lr": None, "arm": None, "hidden": ""}])
    assert text == "lr,arm,hidden\n,,\n"
    assert read(tmp_path, text) == [{"lr": None, "arm": None, "hidden": ""}]


def test_text_that_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    row: Record = {"run_id": "1234567890123456", "alpha": "0.25", "hidden": "64", "dataset": 'a,"b"\nc', "gamma": 2.0}
    assert read(tmp_path, to_csv(tuple(row), [row])) == [row]


def test_a_record_says_what_was_asked_and_what_came_out() -> None:
    run = Run(Recipe("mixture", 900, 0.02, 0.1), Training(hidden=(8, 4)), Arm("focal", 0.25, 2.0, "zero"), 0.01, 3, 1)
    row = record(run, Result(run.run_id, {"test_average_precision": 0.5, "status": "ok"}, {}, 1.0))
    assert tuple(row) == RUN_COLUMNS
    assert row["run_id"] == run.run_id
    assert row["arm"] == "alpha=0.25 gamma=2 (zero start)"
    assert (row["dataset"], row["positive_rate"], row["label_noise"]) == ("mixture", 0.02, 0.1)
    assert (row["family"], row["loss"], row["alpha"], row["gamma"]) == ("alpha-focal", "focal", "0.25", 2.0)
    assert (row["lr"], row["seed"], row["restart"], row["hidden"]) == (0.01, 3, 1, "8-4")
    assert json.loads(str(row["params"])) == {"alpha": 0.25, "gamma": 2.0}
    assert (row["source"], row["status"], row["test_average_precision"]) == ("synthetic", "ok", 0.5)
    assert row["noisy_test_average_precision"] is None


def test_the_csv_is_one_that_any_reader_opens() -> None:
    text = to_csv(("arm", "lr"), [{"arm": "a, b", "lr": 1e-3}, {"arm": 'say "c"', "lr": None}])
    assert list(csv.reader(io.StringIO(text))) == [["arm", "lr"], ["a, b", "0.001"], ['say "c"', ""]]


ENDLESS = ("9" * 400, "[" * 9_999, "x" * 200_000)
CELLS = ("fast", "1,2", "a,1", "[1", "[1]", "true", "null", "NaN", "-Infinity", *ENDLESS)


@pytest.mark.parametrize("content", ["", "\xff\n", "rate,lr\n1,2\n", "\n1\n", *(f"lr\n{cell}\n" for cell in CELLS)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"cannot read .* as a table of this version"):
        read_csv(path, ("lr",))


def test_a_cell_may_hold_hundreds_of_classes(tmp_path: Path) -> None:
    row: Record = {"classes": json.dumps(["x" * 1_000] * 300)}
    assert read(tmp_path, to_csv(("classes",), [row])) == [row]
    assert csv.field_size_limit() < 300_000  # other readers keep theirs


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t\.csv"):
        read_csv(tmp_path / "t.csv", ("lr",))


def test_a_table_whose_columns_had_other_names_is_read_under_those_of_now(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("dataset,precision_at_k\nmixture,0.25\n")
    assert read_csv(tmp_path / "t.csv", ("dataset", "r_precision")) == [{"dataset": "mixture", "r_precision": 0.25}]
