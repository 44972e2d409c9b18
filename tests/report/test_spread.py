"""What stands beside a mean: half an interval, the ends of one that was cut off, or the range of too few seeds."""

import io

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from focalbench.comparison import AUCPR, DELTA, compare
from focalbench.records import Record
from focalbench.report import spread
from focalbench.report.tables import latex, markdown, overview, print_rich, summary
from focalbench.report.words import blurb, conclusions
from focalbench.shown import in_latex
from tests.test_comparison import BCE, GAMMA, by_arm, run_record, two_arms

LONG = {**GAMMA, "arm": "alpha=balanced gamma=0.5"}


def compared(bce: list[float], gamma: list[float]) -> list[Record]:
    rows = [run_record(BCE, seed, value) for seed, value in enumerate(bce)]
    return compare(rows + [run_record(LONG, seed, value) for seed, value in enumerate(gamma)])


@pytest.mark.parametrize(
    ("bce", "gamma", "shown", "difference"),
    [
        ([0.4], [0.5], ".400", "+.100"),
        ([0.1, 0.5], [0.2, 0.5], ".300 (.100, .500)", "+.050 (+.000, +.100)"),
        ([0.1, 0.3, 0.5], [0.2, 0.2, 0.5], ".300 (.100, .500)", "+.000 (-.100, +.100)"),
        ([0.4, 0.5, 0.6, 0.7], [0.4, 0.5, 0.6, 0.7], ".550 ±.205", "+.000 ±.000"),
        ([0.0, 0.1, 0.0, 0.1], [0.0, 0.1, 0.0, 0.2], ".050 [.000, .142]", "+.025 ±.080"),
        ([0.9, 1.0, 0.9, 1.0], [1.0, 1.0, 1.0, 1.0], ".950 [.858, 1.000]", "+.050 ±.092"),
        ([0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0], ".500 [.000, 1.000]", "+.000 ±.000"),
        ([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], "1.000 ±.000", "-1.000 ±.000"),
    ],
)
def test_what_stands_beside_a_mean(bce: list[float], gamma: list[float], shown: str, difference: str) -> None:
    table = compared(bce, gamma)
    assert spread.cell(table[0], AUCPR, ".3f") == shown
    assert spread.cell(table[1], DELTA, "+z.3f") == difference
    for text in (markdown(table), summary(table)):
        assert f"| {shown} |" in text
        assert f"| {difference} |" in text
    assert shown in overview(table)
    assert in_latex(shown) in latex(table)


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5])
def test_fewer_than_four_seeds_make_no_interval_anywhere(seeds: int) -> None:
    rows = two_arms(seeds, 0.05)
    values = np.array([row["test_average_precision"] for row in rows], dtype=float).reshape(2, seeds)
    table, difference = compare(rows), values[1] - values[0]
    row = by_arm(table)["gamma=2"]
    assert (row["ap_min"], row["ap_max"]) == (values[1].min(), values[1].max())
    assert (row["delta_min"], row["delta_max"]) == (difference.min(), difference.max())
    limits = [row[name] for name in ("ap_low", "ap_high", "delta_low", "delta_high")]
    text, said = markdown(table), " ".join(conclusions(table))
    assert f", {seeds} seeds, " in text or (seeds == 1 and ", 1 seed, " in text)
    assert ("±" in text) == (seeds >= 4)
    assert ("(min, max)" in text) == (seeds in (2, 3))
    assert ("not even intervals" in said) == (seeds < 4)
    if seeds < 4:
        assert limits == [None] * 4
        assert "[" not in text
    else:
        expected = stats.ttest_rel(values[1], values[0]).confidence_interval()
        assert tuple(limits[2:]) == pytest.approx(tuple(expected))


def test_a_sentence_tells_the_seeds_range_as_such() -> None:
    zero: list[Record] = [{**row, "init": "zero", "arm": f"{row['arm']} (zero start)"} for row in two_arms(3, 0.0)]
    said = " ".join(conclusions(compare([*two_arms(3, 0.05), *zero])))
    assert "instead of its own constant changes by +0.000." in said
    moved: list[Record] = [{**row, "test_average_precision": 0.1 * (1 + int(str(row["seed"])))} for row in zero]
    table = compare([*two_arms(3, 0.05), *moved])
    values = [by_arm(table)["bce (zero start)"][f"own_start_{end}"] for end in ("min", "max")]
    assert values[0] != values[1]
    assert f", by seed {values[0]:+.3f} to {values[1]:+.3f}." in " ".join(conclusions(table))


@pytest.mark.parametrize("values", [[0.1, 0.3, 0.5], [0.0, 0.1, 0.0, 0.1], [0.4, 0.5, 0.6, 0.7]])
def test_a_table_fits_the_terminal_whatever_stands_in_it(values: list[float]) -> None:
    table, console = compared(values, values[::-1]), Console(file=io.StringIO(), width=80)
    print_rich(table, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    for row in table:
        for shown in (spread.cell(row, AUCPR, ".3f"), spread.cell(row, DELTA, "+z.3f"), str(row["verdict"])):
            assert shown in text


def test_only_what_is_there_is_explained() -> None:
    texts = {"half": [0.4, 0.5, 0.6, 0.7], "ends": [0.0, 0.1, 0.0, 0.1], "seeds": [0.1, 0.3, 0.5]}
    for kind, values in texts.items():
        (said,) = blurb(compared(values, values)[:1])
        assert [name for name, text in spread.EXPLAINED.items() if text in said] == [kind]
