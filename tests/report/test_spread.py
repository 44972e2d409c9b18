"""What stands beside a mean: half an interval, the ends of one that was cut off, or the range of too few seeds."""

import io

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from focalbench.analysis.comparison import compare
from focalbench.analysis.rows import ArmRow
from focalbench.base.text import in_latex
from focalbench.report import spread
from focalbench.report.tables import latex, markdown, overview, print_rich, summary
from focalbench.report.words import blurb, conclusions
from tests.support.runs import BCE, GAMMA, by_arm, changed, ends, made_row, outcome_of, two_arms

LONG = {**GAMMA, "arm": "alpha=balanced gamma=0.5"}


def compared(bce: list[float], gamma: list[float]) -> list[ArmRow]:
    rows = [made_row(BCE, seed, value) for seed, value in enumerate(bce)]
    return compare(rows + [made_row(LONG, seed, value) for seed, value in enumerate(gamma)])


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
    assert spread.cell(table[0].average_precision, 3) == shown
    assert spread.cell(table[1].delta, 3, "+") == difference
    for text in (markdown(table), summary(table)):
        assert f"| {shown} |" in text
        assert f"| {difference} |" in text
    assert shown in overview(table)
    assert in_latex(shown) in latex(table)
    assert in_latex(difference).replace("-", "$-$") in latex(table)


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5])
def test_fewer_than_four_seeds_make_no_interval_anywhere(seeds: int) -> None:
    rows = two_arms(seeds, 0.05)
    values = np.array([outcome_of(row).test_average_precision for row in rows]).reshape(2, seeds)
    table, difference = compare(rows), values[1] - values[0]
    row = by_arm(table)["gamma=2"]
    assert row.delta is not None
    assert (row.average_precision.least, row.average_precision.most) == (values[1].min(), values[1].max())
    assert (row.delta.least, row.delta.most) == (difference.min(), difference.max())
    text, said = markdown(table), " ".join(conclusions(table))
    assert f", {seeds} seeds, " in text or (seeds == 1 and ", 1 seed, " in text)
    assert ("±" in text) == (seeds >= 4)
    assert ("(min, max)" in text) == (seeds in (2, 3))
    assert ("not even intervals" in said) == (seeds < 4)
    assert ("support only intervals" in said) == (seeds >= 4)
    if seeds < 4:
        assert {row.average_precision.low, row.average_precision.high, row.delta.low, row.delta.high} == {None}
        assert (row.delta_low_pointwise, row.delta_high_pointwise) == (None, None)
        assert "[" not in text
    else:
        expected = tuple(stats.ttest_rel(values[1], values[0]).confidence_interval())
        assert ends(row.delta) == pytest.approx(expected)  # of one comparison: six seeds make a family's
        assert (row.delta_low_pointwise, row.delta_high_pointwise) == pytest.approx(expected)


def test_a_sentence_tells_the_seeds_range_as_such() -> None:
    zero = [changed(row, init="zero", arm=f"{row.settings.arm} (zero start)") for row in two_arms(3, 0.0)]
    said = " ".join(conclusions(compare([*two_arms(3, 0.05), *zero])))
    assert "instead of its own constant changes by +.000." in said
    moved = [changed(row, test_average_precision=0.1 * (1 + row.settings.seed)) for row in zero]
    table = compare([*two_arms(3, 0.05), *moved])
    change = by_arm(table)["bce (zero start)"].own_start
    assert change is not None
    assert change.least < change.most
    low, high = (spread.number(value, 3, "+") for value in (change.least, change.most))
    assert f", by seed {low} to {high}." in " ".join(conclusions(table))


@pytest.mark.parametrize("values", [[0.1, 0.3, 0.5], [0.0, 0.1, 0.0, 0.1], [0.4, 0.5, 0.6, 0.7]])
def test_a_table_fits_the_terminal_whatever_stands_in_it(values: list[float]) -> None:
    table, console = compared(values, values[::-1]), Console(file=io.StringIO(), width=80)
    print_rich(table, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    for row in table:
        for shown in (spread.cell(row.average_precision, 3), spread.cell(row.delta, 3, "+"), str(row.verdict)):
            assert shown in text


def test_only_what_is_there_is_explained() -> None:
    texts = {"half": [0.4, 0.5, 0.6, 0.7], "ends": [0.0, 0.1, 0.0, 0.1], "seeds": [0.1, 0.3, 0.5]}
    for kind, values in texts.items():
        (said,) = blurb(compared(values, values)[:1])
        assert [name for name, text in spread.EXPLAINED.items() if text in said] == [kind]


@pytest.mark.parametrize(
    ("margin", "places"),
    [(0.5, 2), (4.0, 1), (40.0, 0), (4000.0, 0), (0.1, 3), (0.01, 3), (0.0099, 4), (0.001, 4), (0.0007, 5), (1e-6, 7)],
)
def test_decimals_show_a_tenth_of_a_margin(margin: float, places: int) -> None:
    assert spread.digits(margin) == places
    assert 10.0**-places <= margin / 10 * (1 + 1e-9)
