"""The formula figures: files, stable bytes, every curve named, no name on a curve."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from focalbench.report import formulas, style
from focalbench.report.colors import readable


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    """The figures that draw_formulas would save, laid out."""
    drawn: list[Figure] = []

    def keep(fig: Figure, folder: Path, name: str, _formats: Sequence[str]) -> list[Path]:
        fig.draw_without_rendering()
        drawn.append(fig)
        return [folder / name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "save", keep)
        formulas.draw_formulas(Path())
    return drawn


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    paths = formulas.draw_formulas(first)
    again = formulas.draw_formulas(second)
    assert {*paths, first / "manifest.json"} == set(first.iterdir())
    assert [p.suffix for p in paths] == [".png", ".svg"] * 3
    assert [p.read_bytes() for p in paths] == [p.read_bytes() for p in again]
    assert b"<dc:date>" not in paths[1].read_bytes()


def names(ax: Axes) -> list[Text]:
    return [text for text in ax.texts if text.get_text()]


def box(text: Text) -> Bbox:
    return Text.get_window_extent(text)  # an annotation's own would take in its line


def curves(ax: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    points = (ax.transData.transform(np.asarray(line.get_xydata())) for line in ax.lines)
    return [(p[:, 0], p[:, 1]) for p in points if len(p) > 1]


def test_no_name_stands_on_a_curve(figures: list[Figure]) -> None:
    for ax in (ax for fig in figures for ax in fig.axes):
        for extent in map(box, names(ax)):
            for x, y in curves(ax):
                inside = (extent.x0 < x) & (x < extent.x1) & (extent.y0 < y) & (y < extent.y1)
                assert not inside.any()


def test_every_curve_is_named_in_its_colour(figures: list[Figure]) -> None:
    for fig in figures:
        for ax in fig.axes:
            lines = {readable(str(line.get_color())) for line in ax.lines}
            named = [str(text.get_color()) for text in names(ax) if text.get_color() != style.MUTED]
            assert sorted(named) == sorted(lines)
            assert ax.get_xlabel()
            assert ax.get_ylabel()


@pytest.mark.parametrize("curve", [*formulas.ALL, *formulas.STARS], ids=lambda curve: str(curve.name))
def test_a_curve_s_gradient_is_the_derivative_of_its_loss(curve: formulas.Curve) -> None:
    x, h = np.linspace(-5, 5, 101), 1e-5
    slope = (curve.loss(x + h) - curve.loss(x - h)) / (2 * h)
    np.testing.assert_allclose(curve.gradient(x), slope, atol=1e-8)


def luminance(color: str) -> float:
    return float(np.dot([0.2126, 0.7152, 0.0722], to_rgb(color)))


def test_gamma_is_a_ramp_of_luminance_that_stays_readable() -> None:
    ramp = [luminance(style.gamma_color(gamma)) for gamma in (0.0, 0.5, 1.0, 2.0, 5.0, 100.0)]
    assert all(a + 0.04 < b for a, b in pairwise(ramp))
    assert luminance(style.gamma_color(5.0)) < 0.7


def test_dashes_differ_where_curves_meet() -> None:
    assert len({curve.dash for curve in (*formulas.FOCAL, formulas.ALPHA_CE)}) == 5
    assert len({curve.dash for curve in (formulas.CE, formulas.FOCAL[2], *formulas.STARS)}) == 4
