"""Every figure that the tool draws, of plain and of awkward results: texts apart, whole, and as they were meant."""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from focalbench.analysis.best_set import not_shown_worse
from focalbench.analysis.comparison import compare
from focalbench.analysis.evidence import Evidence, no_influences
from focalbench.analysis.per_class import per_class
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.selection import cells_of, entries_of
from focalbench.base.rows import Value, rows_text
from focalbench.metrics.threshold import DECISIONS
from focalbench.report import style
from focalbench.report.curves import Curve, CurvePoint
from focalbench.report.figures import DRAWN, draw_results
from focalbench.report.figures.outcomes import PROBABILITIES
from focalbench.report.folder import PICTURES
from focalbench.report.fonts import shown, use_fonts
from focalbench.report.formulas import draw_formulas
from focalbench.report.spread import number
from focalbench.runs.result import ClassOutcome
from tests.support.runs import made_row, outcome_of

OUR_SYMBOL = re.compile(r"\$\\(gamma|alpha)\$")
MARKUP = ("$", "\\", "{", "}", "^", "1e")
AWKWARD = (
    r"C:\data\$x_1^2$\very_long_name_of_a_table_that_somebody_once_made_for_a_test_and_never_renamed.csv",
    r"$\frac{a$",
    "a_b$c$^{d}",
    "W" * 300,
    "first line\nsecond\x1b[31m",
    "名前🙂 with $5 and 10%",
)
Drawn = list[tuple[Figure, list[Text]]]  # figures, and the texts that stand in each


ARMS: tuple[tuple[str, str, Value, Value], ...] = (
    ("bce", "bce", None, 0.0),
    ("pos_weight", "pos_weight", None, 0.0),
    ("gamma=2", "focal", None, 2.0),
    ("gamma=5", "focal", None, 5.0),
    ("alpha=balanced gamma=2", "focal", "balanced", 2.0),
)


def arm(name: str, loss: str, alpha: Value, gamma: Value, start: str = "own") -> dict[str, Value]:
    named = name if start == "own" else f"{name} ({start} start)"
    return {"arm": named, "family": loss, "loss": loss, "alpha": alpha, "gamma": gamma, "init": start}


def runs(
    values: Callable[[int, int], float], arms: Sequence[dict[str, Value]], seeds: int, **changes: Value
) -> list[RunRow]:
    """A run of every arm and seed; values: of an arm's and a seed's number."""
    return [made_row(each, s, values(i, s), **changes) for i, each in enumerate(arms) for s in range(seeds)]


def every_start() -> list[dict[str, Value]]:
    return [arm(*each, start) for start in ("own", "prior", "zero") for each in ARMS]


def near(center: float, spread: float) -> Callable[[int, int], float]:
    return lambda i, s: min(1.0, max(0.0, center + spread * float(np.sin(7 * i + 3 * s))))


def with_classes(rows: Sequence[RunRow], names: Sequence[str]) -> list[RunRow]:
    """The same runs of a softmax, with classes of these names."""
    found: list[RunRow] = []
    for row in rows:
        outcome = outcome_of(row)
        classes = tuple(
            ClassOutcome(name, 10 ** (8 - k % 8), 10, 1 + k, None, 0.9, outcome.test_average_precision * (1 - k / 50))
            for k, name in enumerate(names)
        )
        found.append(replace(row, outcome=replace(outcome, classes=classes, test_prevalence=0.25)))
    return found


SOFTMAX: tuple[tuple[str, str, Value, Value], ...] = (
    ("ce", "ce", None, 0.0),
    ("weighted_ce", "weighted_ce", None, 0.0),
    ("softmax gamma=2", "softmax_focal", None, 2.0),
    ("softmax gamma=5", "softmax_focal", None, 5.0),
    ("bce", "bce", None, 0.0),
)
FEW = [arm(*each) for each in ARMS[:3]]
NAMED = [*FEW, *({**arm(*ARMS[0]), "arm": name, "family": name, "loss": name} for name in AWKWARD)]
FOUR = [arm(*each) for each in ARMS[:4]]
SEVERAL = [arm(*each) for each in SOFTMAX]
ACTED: dict[str, Value] = {
    **{"operating_threshold": 1.5, "operating_precision": 0.03, "operating_recall": 0.4},
    **{"operating_false_positive_rate": 0.1, "operating_alerts": 10.0},
}
SETS = ("mixture:dimension=50", "a", *AWKWARD[:2], "b.csv")
CASES: dict[str, list[RunRow]] = {
    "every start": runs(near(0.4, 0.05), every_start(), 6, epoch=20),
    "all alike": runs(near(0.99, 0.0), FOUR, 6),
    "nearly alike": runs(near(0.99, 1e-7), FEW, 6),
    "at the ceiling": runs(near(0.99, 0.01), FOUR, 6, bayes_average_precision=0.995),
    "at chance": runs(near(0.01, 0.002), FOUR, 6, bayes_average_precision=0.011),
    "below chance": runs(near(0.3, 0.001), FEW, 6, test_positives=500, bayes_average_precision=0.51),
    "one seed": runs(near(0.4, 0.1), every_start(), 1),
    "three seeds": runs(near(0.4, 0.1), every_start(), 3),
    "no ceiling": runs(near(0.4, 0.1), FEW, 6, bayes_average_precision=None),
    "two arms": runs(near(0.4, 0.1), FEW[:2], 6),
    "one arm": runs(near(0.4, 0.1), FEW[:1], 6),
    "candidates": [*runs(near(0.4, 0.1), FOUR, 6), *runs(near(0.4, 0.1), FEW[:1], 6, restart=1)],
    "names": runs(near(0.4, 0.1), NAMED, 6, dataset=AWKWARD[0], positive_rate=None, label_noise=0.1),
    "wide": runs(near(0.4, 0.1), FEW, 6, dataset=AWKWARD[3]),
    "three classes": with_classes(runs(near(0.6, 0.1), SEVERAL, 6), ["a", "b", "c"]),
    "classes nearly alike": with_classes(runs(near(0.6, 1e-8), SEVERAL, 6), ["a", "b", "c"]),
    "named classes": with_classes(runs(near(0.6, 0.1), SEVERAL, 3), AWKWARD),
    "many sets": [row for name in SETS for row in runs(near(0.4, 0.05), every_start(), 6, dataset=name)],
    "several rates": [
        row
        for k in range(4)
        for row in runs(near(0.2 * k + 0.1, 0.05), every_start(), 6, positive_rate=[None, 0.3, 0.01, 0.002][k])
    ],
    "acted": runs(near(0.05, 0.01), every_start(), 6, threshold_at="capacity=50/day", **ACTED),
    "many classes": with_classes(runs(near(0.6, 0.1), SEVERAL, 6), [f"class_{'W' * 20}_{k}" for k in range(20)]),
}
OTHERS = ("many sets", "names", "wide", "named classes")  # that hold names of others
FOLDER = "headline"  # a real one
TEN = tuple(range(1, 11))


def curves_of(table: Sequence[ArmRow], epochs: Sequence[int]) -> list[CurvePoint]:
    """A learning curve for every row, that ends at its average precision; beside few arms nothing else."""
    learning = [
        point(row, Curve.VALIDATION, float(x), row.average_precision.mean * x / epochs[-1])
        for row in table
        for x in epochs
    ]
    return learning + ([each for row in table for each in outcome_curves(row)] if len(table) > 2 else [])


def point(row: ArmRow, curve: Curve, x: float | None, mean: float | None) -> CurvePoint:
    low, high = (None, None) if mean is None else (mean - 0.01, mean + 0.01)
    return CurvePoint(*row.cell, row.arm, row.kind, curve, x, mean, low, high)


def outcome_curves(row: ArmRow) -> list[CurvePoint]:
    """Precision, net benefit and reliability with an empty bin; isotonic probabilities of nearly 0."""
    reached = row.average_precision.mean
    found = [point(row, Curve.PRECISION, k / 20, max(row.prevalence, reached * (1 - k / 20))) for k in range(1, 21)]
    if row.n_classes is not None:
        return found
    found += [point(row, Curve.NET_BENEFIT, x, row.prevalence * reached - x / 100) for x in DECISIONS]
    for place, curve in enumerate((Curve.RELIABILITY, Curve.RECOVERED, Curve.PLATT, Curve.ISOTONIC)):
        found += [point(row, curve, None, None)]
        found += [point(row, curve, 10 ** -(k / (1 + place) + 0.1), 10 ** -(k + 0.2)) for k in range(4)]
    return [*found, point(row, Curve.ISOTONIC, 1e-16, 1e-4)]


def draw(case: str, folder: Path, epochs: Sequence[int]) -> None:
    """Draw the figures of a case, or those of the formulas, or of a folder of the repository."""
    if case == "formulas":
        draw_formulas(folder)
    elif case == FOLDER:
        draw_results(Path(__file__).parent.parent.parent / "results" / case, folder)
    else:
        table, classes = compare(CASES[case]), per_class(CASES[case])
        (folder / "table.csv").write_text(rows_text(ArmRow, table), encoding="utf-8")
        (folder / "runs.csv").write_text(rows_text(RunRow, CASES[case]), encoding="utf-8")
        (folder / "curves.csv").write_text(rows_text(CurvePoint, curves_of(table, epochs)), encoding="utf-8")
        if classes:
            (folder / "classes.csv").write_text(rows_text(ClassRow, classes), encoding="utf-8")
        draw_results(folder)


@cache
def drawn(case: str, epochs: tuple[int, ...] = TEN) -> Drawn:
    """What is drawn of a case, laid out as it would be saved."""
    found: Drawn = []
    plain: Callable[[Text, RendererBase], None] = Text.draw

    def keep(fig: Figure, folder: Path, name: str, formats: Sequence[str] = ()) -> list[Path]:
        texts: list[Text] = []

        def watch(text: Text, renderer: RendererBase) -> None:
            if text.get_visible() and text.get_text():
                texts.append(text)
            plain(text, renderer)

        with pytest.MonkeyPatch.context() as patch:
            use_fonts(fig)
            patch.setattr(Text, "draw", watch)
            fig.draw_without_rendering()
        found.append((fig, texts))
        return []

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "save", keep)
        draw(case, Path(folder), epochs)
    return found


def box(text: Text) -> Bbox:
    return Text.get_window_extent(text)  # an annotation's own would take in its line


EVERY = pytest.mark.parametrize("case", ["formulas", FOLDER, *CASES])


@EVERY
def test_no_two_texts_overlap_and_none_is_cut_off(case: str) -> None:
    figures = drawn(case)
    assert len(figures) >= {"one arm": 1, "two arms": 2}.get(case, 3)
    for fig, texts in figures:
        assert len(texts) > 5
        for text in texts:
            extent = box(text)
            assert fig.bbox.x0 <= extent.x0 < extent.x1 <= fig.bbox.x1, text
            assert fig.bbox.y0 <= extent.y0 < extent.y1 <= fig.bbox.y1, text
        for one, other in combinations(texts, 2):
            assert not box(one).overlaps(box(other)), (one, other)


@pytest.mark.parametrize("case", ["formulas", FOLDER, *(case for case in CASES if case not in OTHERS)])
def test_no_text_of_ours_shows_markup(case: str) -> None:
    figures = drawn(case)
    for text in (text for _, texts in figures for text in texts):
        shown = text.get_text()
        if text.get_parse_math():  # mathematics between pairs of $, none outside
            assert shown.count("$") % 2 == 0
            shown = "".join(shown.split("$")[::2])
        assert not any(sign in shown for sign in MARKUP), text


@pytest.mark.parametrize("case", OTHERS)
def test_names_of_others_stand_as_they_are(case: str) -> None:
    """None is read as mathematics, and every one stands on one line, whole or shortened in its middle."""
    figures = drawn(case)
    texts = [text for _, texts in figures for text in texts]
    theirs = [
        text
        for text in texts
        if any(sign in text.get_text() for sign in MARKUP) and not OUR_SYMBOL.search(text.get_text())
    ]
    assert not any(text.get_parse_math() for text in theirs)
    said = [text.get_text() for text in texts]
    assert not any("\x1b" in each for each in said)
    if case == "names":
        title = [each for each in said if each.startswith(r"C:\data\$x_1^2$\very") and "…" in each]
        assert any(each.endswith("d.csv at natural rate, label noise 0.1, 6 seeds") for each in title)
        assert {r"$\frac{a$", "a_b$c$^{d}"} <= set(said)
        assert any(each.startswith(shown("名")) and each.endswith(" with $5 and 10%") for each in said)
        assert r"first line\nsecond\x1b[31m" in said


def test_the_vertical_axis_shows_what_differs() -> None:
    """Not all from 0 on where everything lies at .99."""
    figures = drawn("at the ceiling")
    (gamma, _), (differences, _), *_ = figures
    assert gamma.axes[0].get_ylim() == pytest.approx((0.98, 1.0), abs=0.01)
    assert differences.axes[0].get_ylim()[1] == pytest.approx(len(FOUR) - 1 - 0.3)  # the top row is whole


@pytest.mark.parametrize(
    ("case", "ceiling", "chance"),
    [
        ("every start", "Bayes ceiling\n0.7 ↑", "chance\n0.01 ↓"),
        ("at the ceiling", "Bayes ceiling\n0.995", "chance\n0.01 ↓"),
        ("at chance", "Bayes ceiling\n0.011", "chance\n0.01"),
        ("below chance", "Bayes ceiling\n0.51 ↑", "chance\n0.5 ↑"),
        ("no ceiling", None, "chance\n0.01 ↓"),
        ("three classes", "Bayes ceiling\n0.7", None),
    ],
)
def test_ceiling_and_chance_are_named(case: str, ceiling: str | None, chance: str | None) -> None:
    figures = drawn(case)
    said = [text.get_text() for text in figures[0][1]]
    assert [each for each in said if each.startswith("Bayes")] == ([] if ceiling is None else [ceiling])
    assert [each for each in said if each.startswith("chance")] == ([] if chance is None else [chance])


@pytest.mark.parametrize(("case", "there"), [("every start", False), ("candidates", True)])
def test_tuned_is_said_where_there_are_tuned_rows(case: str, there: bool) -> None:
    figures = drawn(case)
    assert any("tuned BCE" in text.get_text() for text in figures[1][1]) == there


@pytest.mark.parametrize(
    ("case", "bars"),
    [("one seed", "one seed"), ("three seeds", "lowest and highest of 3 seeds"), ("every start", "95% interval")],
)
def test_what_error_bars_show_is_said(case: str, bars: str) -> None:
    figures = drawn(case)
    for _, texts in figures[:2]:
        assert any(bars in text.get_text() for text in texts)
        assert any("interval" in text.get_text() for text in texts) == (case == "every start")


def test_a_single_epoch_is_drawn() -> None:
    figures = drawn("two arms", (1,))
    assert [line.get_marker() for line in figures[-1][0].axes[0].lines] == ["o", "o"]


def test_nothing_is_drawn_of_nothing() -> None:
    figures = drawn("one arm")
    assert len(figures) == 1  # its learning curve: there is neither a second gamma nor a difference


def test_every_kind_of_picture_is_drawn() -> None:
    assert tuple(DRAWN) == PICTURES


# ---- what is drawn are the numbers of the files


def figure_of(case: str, heading: str) -> Figure:
    """The figure of a case among whose texts one begins so."""
    return next(fig for fig, texts in drawn(case) if any(text.get_text().startswith(heading) for text in texts))


def line(ax: Axes, name: str) -> list[tuple[float, float]]:
    (found,) = [each for each in ax.lines if each.get_label() == name]
    return data(found)


def data(found: Line2D) -> list[tuple[float, float]]:
    """What a line goes through."""
    return [(float(x), float(y)) for x, y in np.asarray(found.get_xydata(), dtype=np.float64)]


def of_case(case: str, curve: Curve, arm: str) -> list[tuple[float, float]]:
    points = curves_of(compare(CASES[case]), TEN)
    return [
        (each.x, each.mean)
        for each in points
        if (each.curve, each.arm) == (curve, arm) and each.x is not None and each.mean is not None
    ]


def test_precision_is_drawn_as_it_is_with_the_operating_point() -> None:
    (ax,) = figure_of("acted", "test precision").axes
    for name in ("bce", "pos_weight"):
        assert line(ax, name) == of_case("acted", Curve.PRECISION, name)
    table = {row.arm: row for row in compare(CASES["acted"])}
    marks = [data(each)[0] for each in ax.lines if each.get_marker() == "D"]
    points = [table[name].operating for name in line_names(ax)]
    assert marks == [(each.recall.mean, each.precision.mean) for each in points if each and each.precision]
    assert ax.get_yscale() == "log"  # it is low
    assert "at 50 alerts a day" in ax.get_xlabel()
    bands = np.concatenate([np.asarray(each.get_paths()[0].vertices) for each in ax.collections])
    drawn_tops = [y for name in line_names(ax) for _, y in line(ax, name)]
    assert bands[:, 1].max() == pytest.approx(max(drawn_tops) + 0.01)


def line_names(ax: Axes) -> list[str]:
    return [str(each.get_label()) for each in ax.lines if not str(each.get_label()).startswith("_")]


def test_the_best_of_the_other_losses_is_drawn() -> None:
    table = compare(CASES["acted"])
    others = [row for row in table if row.init == "own" and row.loss == "focal"]
    best = max(others, key=lambda row: row.average_precision.mean)
    assert line_names(figure_of("acted", "test precision").axes[0]) == ["bce", "pos_weight", best.arm]


def test_net_benefit_is_drawn_a_thousand_rows_beside_flagging_all_and_none() -> None:
    (ax,) = figure_of("acted", "net true positives").axes
    assert line(ax, "bce") == [(x, 1000 * y) for x, y in of_case("acted", Curve.NET_BENEFIT, "bce")]
    assert {y for _, y in line(ax, "flag none")} == {0.0}
    x, y = line(ax, "flag all rows")[10]
    assert y == pytest.approx(1000 * (0.01 - 0.99 * x / (1 - x)))


def test_reliability_is_drawn_in_a_panel_for_each_kind_of_probability() -> None:
    axes = figure_of("acted", "share of positives").axes
    assert [ax.get_title(loc="left") for ax in axes] == list(PROBABILITIES.values())
    for ax, curve in zip(axes, PROBABILITIES, strict=True):
        low = ax.get_xlim()[0]
        assert line(ax, "bce") == [(max(x, low), y) for x, y in of_case("acted", curve, "bce")]
    assert [[each.get_marker() for each in ax.lines].count("<") for ax in axes] == [0, 0, 0, 3]


def test_a_folder_of_before_has_the_raw_reliability_alone() -> None:
    (ax,) = figure_of(FOLDER, "share of positives").axes
    assert ax.get_title(loc="left") == "raw scores"


def test_the_heat_map_shows_every_arm_of_the_grid_and_outlines_what_is_not_worse() -> None:
    (ax,) = figure_of("every start", "mean test AUCPR, own start").axes
    table = [row for row in compare(CASES["every start"]) if row.init == "own"]
    said = sorted(text.get_text() for text in ax.texts)
    assert said == sorted(number(row.average_precision.mean, 3) for row in table)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["none", "balanced"]
    outlines = [each for each in ax.patches if not each.get_fill()]
    evidence = Evidence(entries_of(cells_of(CASES["every start"])[0]), no_influences)
    assert len(outlines) == len(not_shown_worse([row.arm for row in table], evidence) or ()) > 0


def test_below_six_seeds_nothing_is_outlined_and_that_is_said() -> None:
    fig = figure_of("three seeds", "mean test AUCPR, own start")
    assert all(each.get_fill() for each in fig.axes[0].patches)
    assert any("fewer than 6 seeds" in text.get_text() for text in fig.findobj(Text))


def test_rates_are_drawn_from_the_rarest_on() -> None:
    fig = figure_of("several rates", "rate 0.002")
    heads = [ax.get_title(loc="left").split("\n")[0] for ax in fig.axes]
    assert sorted(heads) == ["natural rate", "rate 0.002", "rate 0.01", "rate 0.3"]
    table = compare(CASES["several rates"])
    for ax in fig.axes:
        head = ax.get_title(loc="left").split("\n")[0]
        rate = None if head == "natural rate" else float(head.removeprefix("rate "))
        want = [
            r.average_precision.mean
            for r in table
            if r.positive_rate == rate and r.init == "own" and r.alpha is None and r.loss in ("bce", "focal")
        ]
        assert [y for _, y in data(ax.lines[0])] == want
