import contextlib
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focalbench.datasets import Columns, Table, build_splits, file_sha256, load_table, read_table, resolve, split_counts
from focalbench.datasets.files import text_table
from focalbench.datasets.tables.table import distinct_rows, row_numbers
from focalbench.errors import InputError
from focalbench.runs.run import Recipe

GOOD = "x,colour,y\n1,red,0\n2,blue,1\n3,red,0\n4,,1\n"


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def read(path: str, target: str = "y", positive: str | None = None, **options: Any) -> Table:
    return read_table(path, Columns(target, positive=positive, **options))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("prefix", ["", "\ufeff"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_good_file_is_read(tmp_path: Path, separator: str, prefix: str, zipped: bool) -> None:
    content = (prefix + GOOD.replace(",", separator)).encode()
    path = write(tmp_path, gzip.compress(content, mtime=0) if zipped else content, "d.csv.gz" if zipped else "d.csv")
    table = read(path, "y")
    assert table.targets.tolist() == [0, 1, 0, 1]
    assert table.targets.dtype == np.int8
    assert list(table.frame.columns) == ["x", "colour"]
    assert table.categorical == ("colour",)
    assert table.frame["x"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert table.frame["colour"].isna().tolist() == [False, False, False, True]
    assert table.sha256 == file_sha256(path)
    assert table.notes == ()


@pytest.mark.parametrize(
    ("labels", "positive", "expected"),
    [
        ("0 1 1", None, [0, 1, 1]),
        ("0.0 1.0 1.0", None, [0, 1, 1]),
        ("True false TRUE", None, [1, 0, 1]),
        ("1 2 3", "1", [1, 0, 0]),
        ("1.0 2.5 1.0", "1", [1, 0, 1]),
        ("1 2 1", "2.0", [0, 1, 0]),
        ("0 1 1", "0", [1, 0, 0]),
        ("yes no yes", "yes", [1, 0, 1]),
        ("True False True", "false", [0, 1, 0]),
    ],
)
def test_targets_compare_as_text(tmp_path: Path, labels: str, positive: str | None, expected: list[int]) -> None:
    rows = "".join(f"{i},{label}\n" for i, label in enumerate(labels.split()))
    table = read(write(tmp_path, "x,y\n" + rows), "y", positive)
    assert table.targets.tolist() == expected


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("", {}, "is empty"),
        ("\n\n", {}, "is empty"),
        ("x,y\n", {}, "no rows"),
        ("x,y\n1,0\n2,0\n", {}, "only the value 0"),
        ("x,y\n1,a\n2,a\n", {"positive": "a"}, "only the value a"),
        ("x,y\n1,a\n2,b\n", {}, r"holds a \(1 row\), b \(1 row\); say which is positive with `positive`$"),
        ("x,y\n" + "1,0\n2,2\n3,3\n" * 2, {}, "such as `positive=3`"),
        ("x,y\n1,a\n2,b\n", {"positive": "c"}, "no value 'c'"),
        ("x,y\n1,0\n2,1\n3,\n", {}, "missing or infinite in 1 row, first in data row 3"),
        ("x,y\n1,0\n2,inf\n3,1\n", {}, "missing or infinite"),
        ("x,y\n5,0\n5,1\n", {}, "no feature column varies"),
        ("x,y\na,0\nb,1\n", {}, "no feature column varies"),
        ("y\n0\n1\n", {}, "no feature column varies"),
        ("x,x,y\n1,2,0\n2,3,1\n", {}, "more than one column named x"),
        ("x,y\n1,0\n2,1\n", {"target": "yy"}, "did you mean y"),
        ("x,fraud\n1,0\n2,1\n", {"target": "Fraud"}, r"no column 'Fraud'; did you mean fraud\?"),
        ("x,Fraud\n1,0\n2,1\n", {"target": "FRUAD"}, r"did you mean Fraud\?"),
        ("x,y\n1,0\n2,1\n", {"target": "label"}, "it has x, y"),
        ("x,y\n1,0\n2,1\n", {"target": None}, "`target`"),
        ("x,y\n1,0\n2,1\n", {"drop": ("z",)}, "no column 'z'"),
        ("x,y\n1,0\n2,1\n", {"drop": ("y",)}, "among the columns to drop"),
        ("x,y\n1,0,9\n2,1,9\n", {}, "not a regular table"),
        ("x,y\n1,0\n2,1,9\n", {}, "not a regular table"),
        (GOOD.encode("utf-16-le"), {}, "NUL"),
        (gzip.compress(GOOD.encode(), mtime=0)[:20], {}, "damaged or locked archive"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str | bytes, options: dict[str, Any], says: str) -> None:
    arguments = {"target": "y"} | options
    with pytest.raises(InputError, match=says):
        read(write(tmp_path, text), **arguments)


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "train.csv")
    with pytest.raises(InputError, match=r"did you mean train\.csv"):
        read(str(tmp_path / "Trian.CSV"), "y")
    with pytest.raises(InputError, match="cannot read"):
        read(str(tmp_path), "y")
    with pytest.raises(InputError, match="no file"):
        file_sha256(str(tmp_path / "nowhere" / "train.csv"))


def test_useless_columns_are_dropped_with_a_note(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i % 7},id{i},same,{i % 3},{i % 2}\n" for i in range(42))
    table = read(write(tmp_path, ",x,id,flat,secret,y\n" + rows), "y", drop=("secret",))
    assert list(table.frame.columns) == ["x"]
    why = {column.name: column.how for column in table.columns if column.read_as == "dropped"}
    assert why == {"Unnamed: 0": "no name", "id": "text that never repeats", "flat": "does not vary"}
    assert table.notes[-1].startswith("35 rows of 42 have the features of an earlier one; 0 of them are equal to it")


def test_infinite_numbers_are_missing_and_booleans_are_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "x,z,b,y\n1,1,True,0\ninf,1e39,False,1\n?,3,True,1\n")
    table = read(path, "y")
    assert table.frame["x"].isna().tolist() == [False, True, True]
    assert table.frame["z"].isna().tolist() == [False, True, False]
    assert table.frame["b"].tolist() == [1.0, 0.0, 1.0]
    assert [column.how for column in table.columns[:2]] == ["1 infinite, or beyond 3e38, as missing"] * 2


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.text("01ab,;\n\r\t\"' .?-\x00é", max_size=60).map(lambda text: ("x,y\n1,0\n2,1\n" + text).encode())
)
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    with contextlib.suppress(InputError):
        table = read(write(tmp_path, content), "y")
        assert set(table.targets.tolist()) == {0, 1}


def csv_rows(count: int, shift: int = 0) -> str:
    rng = np.random.default_rng(0)
    lines = [f"{rng.normal():.6f},{'abc'[i % 3]},{int(i % 4 == 0)}\n" for i in range(shift, count + shift)]
    return "x,c,y\n" + "".join(lines)


def test_a_file_is_planned_built_and_guarded(tmp_path: Path) -> None:
    path = write(tmp_path, csv_rows(2000))
    recipe = resolve(Recipe(path, 1000, 0.1, columns=Columns(target="y")))
    assert (recipe.dataset, recipe.path, recipe.sha256) == ("data.csv", path, file_sha256(path))
    splits, counts = build_splits(recipe, 0), split_counts(recipe, 0)
    for part, count in zip((splits.train, splits.validation, splits.test), counts.each, strict=True):
        assert (part.rows, part.positives) == (count.rows, count.positives)
        assert part.features.shape == (part.rows, 4)
    assert counts.train.positives == 100
    assert build_splits(recipe, 0).sha256 == splits.sha256
    write(tmp_path, csv_rows(2000, shift=1))
    load_table.__globals__["_table"].cache_clear()
    with pytest.raises(InputError, match="has changed"):
        build_splits(recipe, 0)


def test_two_files_of_one_name_are_two_tables(tmp_path: Path) -> None:
    for folder, shift in (("a", 0), ("b", 1)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, csv_rows(2000, shift))
    a, b = (resolve(Recipe(str(tmp_path / name / "data.csv"), 1000, 0.1, columns=Columns(target="y"))) for name in "ab")
    assert load_table(a).sha256 != load_table(b).sha256


def test_what_is_no_data_set_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean census-income"):
        resolve(Recipe("census-incom", 1000))
    with pytest.raises(InputError, match="or the path of a file"):
        resolve(Recipe("qqqq", 1000))
    with pytest.raises(InputError, match="no file"):
        resolve(Recipe("qqqq.csv", 1000))


def test_decimal_commas_and_a_stray_word_leave_a_column_of_numbers(tmp_path: Path) -> None:
    lines = [f"{i},5;{'n/a?' if i == 7 else i};{'ab'[i % 2]};{i % 2}" for i in range(100)]
    (tmp_path / "d.csv").write_text("\n".join(["x;z;c;y", *lines, ""]))
    table = read(str(tmp_path / "d.csv"), "y")
    assert table.categorical == ("c",)
    assert table.frame["x"].tolist() == [i + 0.5 for i in range(100)]
    assert table.frame["z"].isna().sum() == 1
    assert [(column.how, column.missing) for column in table.columns[:2]] == [
        ("decimal comma", 0),
        ("'n/a?' as missing", 1),
    ]


def test_a_column_that_numbers_the_rows_is_pointed_out(tmp_path: Path) -> None:
    lines = [f"{i},{i % 7},{i / 3},{i % 2}" for i in range(2000)]
    (tmp_path / "d.csv").write_text("\n".join(["id,few,real,y", *lines, ""]))
    (note,) = read(str(tmp_path / "d.csv"), "y").notes
    assert note.startswith("whole numbers that never repeat")
    assert note.endswith(": id")


# ---- the ways a file can be dressed


def packed(content: bytes, how: str) -> bytes:
    if how == "gz":
        return gzip.compress(content, mtime=0)
    if how == "zip":
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("inner.csv", content)
            file.writestr("__MACOSX/._inner.csv", b"x")
        return archive.getvalue()
    return zstandard.compress(content) if how == "zst" else content


@pytest.mark.parametrize("how", ["", "gz", "zip", "zst"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_usual_packing_and_encoding_gives_the_same_table(tmp_path: Path, how: str, encoding: str) -> None:
    text = "größe,farbe,y\n1,rot,0\n2,grün,1\n3,rot,0\n4,grün,1\n"
    table = read(write(tmp_path, packed(text.encode(encoding), how), f"d.csv.{how}"))
    assert list(table.frame.columns) == ["größe", "farbe"]
    assert table.frame["farbe"].tolist() == ["rot", "grün", "rot", "grün"]
    assert any("Windows-1252" in note for note in table.notes) == (encoding == "cp1252")


@pytest.mark.parametrize("how", ["gz", "zip", "zst"])
def test_damaged_archives_are_refused(tmp_path: Path, how: str) -> None:
    whole = packed(GOOD.encode() * 50, how)
    for content in (whole[:-9], whole[: len(whole) // 2], whole[:12] + bytes(40)):
        with pytest.raises(InputError, match=r"pack it again"):
            read(write(tmp_path, content, "d.csv"))


def test_an_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.csv", GOOD)
        file.writestr("b.csv", GOOD)
    with pytest.raises(InputError, match=r"holds 2 files \(a.csv, b.csv\)"):
        read(write(tmp_path, archive.getvalue(), "d.zip"))


def test_parquet_gives_what_csv_gives(tmp_path: Path) -> None:
    frame = pd.read_csv(
        io.StringIO("x,colour,when,flag,y\n" + "1.5,red,2020-01-02,true,0\n2,,2021-01-01,false,1\n" * 2)
    )
    frame.to_parquet(tmp_path / "d.parquet")
    frame.to_csv(tmp_path / "d.csv", index=False)
    found, expected = read(str(tmp_path / "d.parquet")), read(str(tmp_path / "d.csv"))
    pd.testing.assert_frame_equal(found.frame, expected.frame)
    assert found.targets.tolist() == expected.targets.tolist()
    with pytest.raises(InputError, match="no readable Parquet file"):
        read(write(tmp_path, (tmp_path / "d.parquet").read_bytes()[:-7], "bad.parquet"))


def test_parquet_columns_that_csv_lacks_are_taken_as_text_and_never_executed(tmp_path: Path) -> None:
    odd = {"x": [1.0, 2.0, 3.0], "lists": [[1], [2], [1]], "bytes": [b"a", b"b", b"a"], "y": [0, 1, 0]}
    pd.DataFrame(odd).to_parquet(tmp_path / "d.parquet")
    table = read(str(tmp_path / "d.parquet"))
    assert table.categorical == ("lists", "bytes")


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_repeated_rows_are_found_as_pandas_finds_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "a": rng.choice([0.0, -0.0, 1.5, np.nan], 60),
            "b": rng.integers(0, 3, 60).astype(float),
            "c": pd.Categorical(rng.choice(np.array(["u", "v", None], dtype=object), 60), categories=["u", "v"]),
        }
    )
    targets = rng.integers(0, 2, 60).astype(np.int8)
    kept, notes = distinct_rows(frame, targets)
    expected = ~frame.assign(y=targets).duplicated().to_numpy()
    np.testing.assert_array_equal(kept, expected)
    assert notes == ((f"removed {60 - kept.sum()} duplicate rows of 60",) if not kept.all() else ())
    numbers = row_numbers(frame, targets)
    assert len(set(numbers)) == kept.sum()


# ---- columns with another part to play


def special(tmp_path: Path, rows: int = 60) -> str:
    lines = [f"{i % 13},{i % 7},{2000 + i % 9}-01-0{1 + i % 3},{i % 4},{i % 2}\n" for i in range(rows)]
    return write(tmp_path, "x,g,t,w,y\n" + "".join(lines))


def test_groups_times_and_weights_are_no_features(tmp_path: Path) -> None:
    path = special(tmp_path)
    by_group = read(path, group="g", weight="w", drop_duplicates=False)
    assert {name.partition("_")[0] for name in by_group.frame.columns} == {"x", "t"}  # t is a date
    assert by_group.groups is not None
    assert by_group.weights is not None
    assert by_group.groups.tolist() == [i % 7 for i in range(60)]
    assert by_group.weights.tolist() == [i % 4 for i in range(60)]
    assert not by_group.ordered
    by_time = read(path, time="t", drop=("g", "w"), drop_duplicates=False)
    assert by_time.ordered
    assert by_time.groups is not None
    stamps = [(i % 9, i % 3) for i in range(60)]
    assert [sorted(set(stamps)).index(stamp) for stamp in stamps] == by_time.groups.tolist()


def test_what_is_left_of_copies_weighs_what_they_weighed(tmp_path: Path) -> None:
    text = "x,w,y\n" + "1,2.5,0\n5,1,1\n1,2.5,0\n1,1,1\n5,0,1\n2,9,0\n1,2.5,0\n"
    table = read(write(tmp_path, text), weight="w", drop_duplicates=True)
    assert table.weights is not None
    assert table.weights.tolist() == [7.5, 1.0, 1.0, 0.0, 9.0]


@pytest.mark.parametrize("pattern", ["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d %B %Y", "%Y%m%d"])
def test_times_are_ordered_as_they_were_written(tmp_path: Path, pattern: str) -> None:
    days = pd.date_range("2023-01-01", periods=300)
    shuffled = np.random.default_rng(0).permutation(300)
    lines = [f"{i},{days[i].strftime(pattern)},{i % 2}\n" for i in shuffled]
    table = read(write(tmp_path, "x,t,y\n" + "".join(lines)), time="t")
    assert table.groups is not None
    assert table.groups.tolist() == shuffled.tolist()


@pytest.mark.parametrize("dates", ["01/02/2023 03/04/2023", "13/02/2023 02/14/2023", "11/02/23 12/02/23"])
def test_dates_that_could_be_read_both_ways_are_refused(tmp_path: Path, dates: str) -> None:
    text = "x,t,y\n" + "".join(f"{i},{cell},{i % 2}\n" for i, cell in enumerate(dates.split()))
    with pytest.raises(InputError, match="write dates as 2023-01-31"):
        read(write(tmp_path, text), time="t")


def test_commas_part_thousands_or_decimals_and_the_note_says_which(tmp_path: Path) -> None:
    text = "a;b;y\n1,585;1,5;0\n216;2,25;1\n1,234,567;3;0\n-9,128;0,125;1\n"
    table = read(write(tmp_path, text))
    assert table.frame["a"].tolist() == [1585.0, 216.0, 1234567.0, -9128.0]
    assert table.frame["b"].tolist() == [1.5, 2.25, 3.0, 0.125]
    assert [column.how for column in table.columns] == ["thousands separated by commas", "decimal comma"]


def test_weights_that_erase_a_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leaves one class of y without any weight"):
        read(write(tmp_path, "x,w,y\n1,0,1\n2,3,0\n3,0,1\n"), weight="w")


def test_parquet_keeps_an_index_and_a_category_with_gaps(tmp_path: Path) -> None:
    frame = pd.DataFrame({"g": list("abcabc"), "c": pd.Categorical(["u", None, "v"] * 2), "y": [0, 1] * 3})
    frame["x"] = range(6)
    frame.set_index("g").to_parquet(tmp_path / "d.parquet")
    table = read(str(tmp_path / "d.parquet"), group="g")
    assert table.groups is not None
    assert table.groups.tolist() == [0, 1, 2, 0, 1, 2]
    assert table.frame["c"].isna().tolist() == [False, True, False] * 2


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        (
            "x,g,y\n1,a,0\n2,,1\n",
            {"group": "g"},
            r"the group column 'g' must have a value in every row; it does not in 1 row \(first: data row 2\)",
        ),
        (
            "x,t,y\n1,soon,0\n2,2020-01-01,1\n",
            {"time": "t"},
            "the time column 't' must hold a date, time or number in every row; it does not in 1 row",
        ),
        (
            "x,w,y\n1,a,0\n2,1,1\n",
            {"weight": "w"},
            r"the weight column 'w' must hold a number >= 0 in every row; it does not in 1 row \(first: data row 1\)",
        ),
        (
            "x,w,y\n1,1,0\n2,-1,1\n",
            {"weight": "w"},
            "the weight column 'w' must hold a number >= 0 in every row; it does not in 1 row",
        ),
        ("x,w,y\n1,1,0\n2,inf,1\n", {"weight": "w"}, "the weight column 'w' must hold a number >= 0"),
        ("x,w,y\n1,1,0\n2,2,1\n", {"weight": "y"}, "the weight column 'y' is the target or dropped as well"),
        (
            "x,w,y\n1,1,0\n2,2,1\n",
            {"group": "w", "drop": ("w",)},
            "group column 'w' is the target or dropped as well",
        ),
        ("x,w,y\n1,1,0\n2,2,1\n", {"group": "v"}, "no column 'v'"),
    ],
)
def test_senseless_parts_are_refused(tmp_path: Path, text: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(write(tmp_path, text), **options)


def test_dates_become_numbers_and_the_reading_is_told(tmp_path: Path) -> None:
    days = pd.date_range("2023-03-01 05:00", periods=600, freq="7h")
    frame = pd.DataFrame({"when": days.strftime("%d/%m/%Y %H:%M"), "c": ["p", "q", "r"] * 200, "y": [0, 1] * 300})
    frame.loc[3, "when"] = None
    frame.to_csv(tmp_path / "d.csv", index=False)
    table = read(str(tmp_path / "d.csv"), "y")
    assert set(table.frame.columns) == {
        "c",
        *(f"when_{part}" for part in ("year", "month", "day", "hour", "total_seconds", "weekday")),
    }
    assert table.categorical == ("c",)
    assert (table.columns[0].read_as, table.columns[0].how) == ("date", "the first 01 March 2023")
    known = np.arange(600) != 3
    for part, expected in (("hour", days.hour), ("day", days.day), ("weekday", days.day_of_week + 1)):
        values = table.frame[f"when_{part}"].to_numpy()
        assert np.isnan(values[3])
        assert np.corrcoef(values[known], expected[known])[0, 1] == pytest.approx(1)


def test_text_that_only_looks_like_dates_stays_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"c": ["2023-01-01", "soon", "later"] * 100, "x": range(300), "y": [0, 1] * 150})
    frame.to_csv(tmp_path / "d.csv", index=False)
    assert read(str(tmp_path / "d.csv"), "y").categorical == ("c",)


def test_a_table_read_in_parts_is_the_one_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"whole": rng.integers(0, 9, 500), "late": rng.standard_normal(500), "text": ["u", "v"] * 250})
    frame["turns"] = [str(i % 90) if i < 300 else f"{i / 7:.3f}" for i in range(500)]  # whole numbers, then others
    frame["ends"] = np.where(np.arange(500) < 450, "seven", "7")
    frame["gap"] = np.where(np.arange(500) < 200, np.nan, rng.standard_normal(500))
    frame["mixed"] = np.where(np.arange(500) < 450, "7", "seven")
    frame["y"] = rng.integers(0, 2, 500)
    frame.to_csv(tmp_path / "d.csv", index=False)
    for left_out in (("ends",), ("mixed",), ("mixed", "ends")):
        columns = [name for name in frame if name not in left_out]
        frame[columns].to_csv(tmp_path / "d.csv", index=False)
        whole = read(str(tmp_path / "d.csv"), "y")
        monkeypatch.setattr(text_table, "_ROWS", 37)
        parts = read(str(tmp_path / "d.csv"), "y")
        monkeypatch.undo()
        pd.testing.assert_frame_equal(parts.frame, whole.frame)
        assert np.array_equal(parts.targets, whole.targets)
        assert parts.notes == whole.notes


def test_numbers_keep_their_digits_in_half_the_memory(tmp_path: Path) -> None:
    x = 1.7e9 + np.arange(2000) * 0.25  # far from zero, close together
    pd.DataFrame({"x": x, "z": np.arange(2000) % 7, "y": [0, 1] * 1000}).to_csv(tmp_path / "d.csv", index=False)
    frame = read(str(tmp_path / "d.csv"), "y").frame
    assert frame["x"].dtype == np.float32
    np.testing.assert_allclose(frame["x"] - frame["x"].iloc[0], x - x[0], rtol=1e-6)
    assert frame["z"].tolist() == (np.arange(2000) % 7).tolist()
