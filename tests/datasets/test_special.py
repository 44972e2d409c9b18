"""Columns that group, order and weigh the rows: read as features are, groups as they are written, and always told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focalbench.datasets import Columns, Table, read_table
from focalbench.datasets.tables.reading import table_sentences


def read(folder: Path, header: str, lines: list[str], **options: Any) -> Table:
    """A file of these lines, again and again with y in turn."""
    mark = ";" if ";" in header else ","
    body = [f"{line}{mark}{i % 2}" for i, line in enumerate(lines * 4)]
    (folder / "d.csv").write_text("\n".join([f"{header}{mark}y", *body, ""]))
    return read_table(str(folder / "d.csv"), Columns("y", **options))


DATES = ["05.01.2021", "31.12.2021", "01.02.2021"]
TOLD: list[tuple[dict[str, str], str, list[str], str, str]] = [
    ({"time": "s"}, "x;s", [f"{i};{date}" for i, date in enumerate(DATES)],
     "time s: dates, 05 January 2021 to 31 December 2021", ""),
    ({"time": "s"}, "x;s", ["1;03.04.2021", "2;05.06.2021"],
     "time s: dates, 03 April 2021 to 05 June 2021, day first", ""),
    ({"time": "s"}, "x,s", ["1,20:30", "2,08:05"], "time s: times of day, 08:05 to 20:30", ""),
    ({"time": "s"}, "x,s", ["1,1152921504606846977", "2,7"], "time s: numbers 7 to 1152921504606846977", ""),
    ({"weight": "s"}, "x;s", ["1;0,5", "2;3"], "weight s: numbers 0.5 to 3 (decimal comma)", ""),
    ({"weight": "s"}, "x,s", ['1,"1,234"', '2,"2,345,678"'],
     "weight s: numbers 1234 to 2345678 (thousands separated by commas)", ""),
    ({"weight": "s"}, "x,s", ["1,<5", "2,7"], "weight s: numbers 5 to 7 (4 cells such as <5 or 5+ read as the 5)", ""),
    ({"weight": "s"}, "x,s", ["1,50%", "2,1"], "weight s: numbers 1 to 50 (% stripped (4 cells without))",
     "weight s: some cells end in % and some do not"),
    ({"weight": "s"}, "x;s", ["1;1,234", "2;2,500"], "weight s: numbers 1.234 to 2.5 (decimal comma)",
     "weight s: 1,234 is read with a decimal comma; no cell shows"),
    ({"group": "s"}, "x,s", ["1,a", "2,b", "3,a "], "group s: 2 different values", ""),
    ({"group": "s"}, "x,s", ["1,7", "2,7"], "group s: 1 different value", ""),
]  # fmt: skip


@pytest.mark.parametrize(("options", "header", "lines", "line", "doubt"), TOLD)
def test_how_a_special_column_was_read_is_told(
    tmp_path: Path, options: dict[str, str], header: str, lines: list[str], line: str, doubt: str
) -> None:
    table = read(tmp_path, header, lines, **options)
    assert line in table_sentences(table)
    assert len(table.warnings) == bool(doubt)
    assert all(warning.startswith(doubt) for warning in table.warnings)


@pytest.mark.parametrize("part", ["time", "weight"])
def test_dots_that_part_thousands_in_other_columns_do_so_here(tmp_path: Path, part: str) -> None:
    """pandas takes 1.002 for a number a little larger than 1."""
    lines = ["0,5;1.000", "1,5;999", "2,5;1.002"]
    table = read(tmp_path, "x;s", lines, **{part: "s"})
    if part == "weight":
        assert table.weights is not None
        assert table.weights.tolist() == [1000, 999, 1002] * 4
    else:
        assert table.groups is not None
        assert table.groups.tolist() == [1, 0, 2] * 4
    assert f"{part} s: numbers 999 to 1002 (thousands separated by dots)" in table_sentences(table)
    (warning,) = table.warnings
    assert warning.startswith(f"{part} s: 1.000 is read as thousands")
    assert f"{part} s: number" in table.changes
    feature = read(tmp_path, "x;s", lines)
    assert sorted(set(np.diff(feature.frame["s"][:3]))) == [-1, 3]
    points = read(tmp_path, "x;s", ["0.5;1.000", "1.5;999", "2.5;1.002"], **{part: "s"})
    assert points.special[0].how == "numbers 1 to 999"
    assert "as the file's other columns show" in points.warnings[0]


IDS = {
    "versions": (["1.1", "1.10", "1.2"], 3, "'1.1' and '1.10'"),
    "leading zeros": (["0012", "12", "013"], 3, "'0012' and '12'"),
    "exponents": (["12e2", "1200", "7"], 3, "'12e2' and '1200'"),
    "long floats": (["10000000000000000.0", "10000000000000001.0", "3.0"], 3, "'10000000000000000' and"),
    "long floats of one value": (["40001234123412341.0", "40001234123412342.0"], 2, "'40001234123412341' and"),
    "long integers": (["9007199254740992", "9007199254740993"], 2, ""),
    "integers that a gap made floats": (["12.0", "12", "13"], 2, ""),
    "plain": (["1.5", "2.5", "1.5"], 2, ""),
}


@pytest.mark.parametrize("name", IDS)
def test_groups_are_compared_as_they_are_written(tmp_path: Path, name: str) -> None:
    texts, groups, pair = IDS[name]
    table = read(tmp_path, "x,s", [f"{i},{text}" for i, text in enumerate(texts)], group="s")
    assert table.groups is not None
    assert len(np.unique(table.groups)) == groups
    assert table.groups.tolist() == table.groups[: len(texts)].tolist() * 4
    assert f"group s: {groups} different values" in table_sentences(table)
    assert ("group s: as it is written" in table.changes) == bool(pair)
    assert len(table.warnings) == bool(pair)
    assert all(f"{pair}" in warning and "are two groups" in warning for warning in table.warnings)


SPANS: list[tuple[list[str], float | None]] = [
    (
        ["2024-01-01", "2024-01-02", "2024-01-31"],
        30 * 24 * 3 / 2,
    ),  # three times in thirty days: the last as long as these
    ([f"2024-01-{day:02d}" for day in range(1, 31)], 30 * 24),
    (["2024-01-01 00:00", "2024-01-01 06:00", "2024-01-01 12:00", "2024-01-01 18:00"], 24),
    (["2024-01-01T00:00:00+01:00", "2024-01-01T12:00:00+01:00"], 24),
    (["2021-01", "2021-02", "2021-03"], (31 + 28) * 24 * 3 / 2),
    (["5", "7", "9"], None),
    (["20:30", "08:05", "09:15"], None),
]


@pytest.mark.parametrize(("times", "hours"), SPANS, ids=[times[0] for times, _ in SPANS])
def test_dates_say_how_long_a_table_is(times: list[str], hours: float | None, tmp_path: Path) -> None:
    table = read(tmp_path, "x,s", [f"{i},{time}" for i, time in enumerate(times)], time="s")
    assert table.hours == (None if hours is None else pytest.approx(hours))
    assert read(tmp_path, "x,s", [f"{i},{time}" for i, time in enumerate(times)], group="s").hours is None
