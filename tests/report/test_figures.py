"""Every figure that the tool draws, of plain and of awkward results: texts apart, whole, and as they were meant."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from focalbench.analysis.comparison import compare
from focalbench.analysis.per_class import per_class
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow
from focalbench.base.rows import Value, rows_text
from focalbench.report import style
from focalbench.report.curves import Curve, CurvePoint
from focalbench.report.figures import DRAWN, draw_results
from focalbench.report.folder import PICTURES
from focalbench.report.formulas import draw_formulas
from focalbench.runs.result import ClassOutcome
from tests.support.runs import made_row, outcome_of

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
    "many classes": with_classes(runs(near(0.6, 0.1), SEVERAL, 6), [f"class_{'W' * 20}_{k}" for k in range(20)]),
}
OTHERS = ("many sets", "names", "wide", "named classes")  # that hold names of others
FOLDER = "headline"  # a real one
TEN = tuple(range(1, 11))


def curves_of(table: Sequence[ArmRow], epochs: Sequence[int]) -> list[CurvePoint]:
    """A learning curve for every row, that ends at its average precision."""
    return [
        CurvePoint(*row.cell, row.arm, row.kind, Curve.VALIDATION, float(x), mean, None, None)
        for row in table
        for x in epochs
        for mean in [row.average_precision.mean * x / epochs[-1]]
    ]


def draw(case: str, folder: Path, epochs: Sequence[int]) -> None:
    """Draw the figures of a case, or those of the formulas, or of a folder of the repository."""
    if case == "formulas":
        draw_formulas(folder)
    elif case == FOLDER:
        draw_results(Path(__file__).parent.parent.parent / "results" / case, folder)
    else:
        table, classes = compare(CASES[case]), per_class(CASES[case])
        (folder / "table.csv").write_text(rows_text(ArmRow, table), encoding="utf-8")
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

        with pytest.MonkeyPatch.context() as patch, style._any_letter():
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
        text for text in texts if any(sign in text.get_text() for sign in MARKUP) and "gamma$" not in text.get_text()
    ]
    assert not any(text.get_parse_math() for text in theirs)
    said = [text.get_text() for text in texts]
    assert not any("\x1b" in each for each in said)
    if case == "names":
        title = [each for each in said if each.startswith(r"C:\data\$x_1^2$\very") and "…" in each]
        assert any(each.endswith("d.csv at natural rate, label noise 0.1, 6 seeds") for each in title)
        assert {r"$\frac{a$", "a_b$c$^{d}", "名前🙂 with $5 and 10%"} <= set(said)
        assert r"first line\nsecond\x1b[31m" in said


def test_the_vertical_axis_shows_what_differs() -> None:
    """Not all from 0 on where everything lies at .99."""
    figures = drawn("at the ceiling")
    (gamma, _), (differences, _), _ = figures
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
