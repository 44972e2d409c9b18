"""How figures look on a light and a dark page, and letters that the usual font lacks."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from focalbench.report import fonts, style
from focalbench.report.colors import AA, BLACK, DARK, LIGHT, Palette, contrast, readable, turned
from focalbench.report.figures import drawn_cells, picture
from focalbench.report.folder import PICTURES
from focalbench.report.fonts import shown
from focalbench.report.page.pictures import pictures

HEADLINE = Path(__file__).parents[2] / "results" / "headline"
NAMES = [name for name in PICTURES if name not in ("classes", "net_benefit")]
BOTH = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda palette: palette.name)
FILLED = re.compile(r"fill: (#[0-9a-f]{6})")


def texts_of(svg: str) -> Iterator[str]:
    """The elements of an SVG that are texts."""
    return (part.split("</g>")[0] for part in svg.split('<g id="text_')[1:])


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    of = drawn_cells(HEADLINE)[0]
    return {name: fig for name in NAMES if (fig := picture(of, name)) is not None}


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_every_text_can_be_read_on_its_page(figures: dict[str, Figure], name: str, palette: Palette) -> None:
    svg = style.svg_text(figures[name], palette)
    assert svg.startswith("<svg ")
    usual = BLACK if palette == LIGHT else palette.ink
    assert (f'fill="{palette.ink}"' in svg) == (palette == DARK)
    grounds = {palette.page}
    if name == "heat_map":
        patches = re.findall(r'<g id="patch_\d+">\s*<path [^>]*fill: (#[0-9a-f]{6})', svg)
        grounds |= set(patches)
        assert len(grounds) > 5
    found = [(FILLED.findall(text) or [usual])[0] for text in texts_of(svg)]
    assert len(found) > 5
    inks = set(found) if name != "heat_map" else {usual, palette.ink}
    assert all(contrast(ink, ground) >= AA for ink in inks for ground in grounds)
    assert all(contrast(ink, palette.page) >= AA for ink in found)


def test_nothing_light_is_left_on_a_dark_page(figures: dict[str, Figure]) -> None:
    for fig in figures.values():
        light, dark = (set(re.findall("#[0-9a-f]{6}", style.svg_text(fig, each))) for each in (LIGHT, DARK))
        assert not light & dark & {LIGHT.page, LIGHT.ink, LIGHT.muted, LIGHT.vermillion, LIGHT.blue}


def test_the_same_figure_is_the_same_text(figures: dict[str, Figure]) -> None:
    assert style.svg_text(figures["gamma"], DARK) == style.svg_text(figures["gamma"], DARK)


@BOTH
def test_the_ramp_of_gamma_goes_one_way(palette: Palette) -> None:
    ramp = [contrast(turned(style.gamma_color(gamma), palette), palette.page) for gamma in np.linspace(0, 10, 21)]
    if palette == LIGHT:
        ramp = [contrast(style.gamma_color(gamma), palette.page) for gamma in np.linspace(0, 10, 21)]
    assert all(one > other for one, other in pairwise(ramp))


def test_texts_are_darkened_no_more_than_they_need() -> None:
    assert readable(LIGHT.blue) == LIGHT.blue
    assert AA <= contrast(readable(LIGHT.vermillion), LIGHT.page) < AA + 0.5


def test_a_letter_that_no_font_has_is_written_as_its_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_letters", lambda: frozenset(map(ord, "ab é")))
    assert shown("ab é名🙂\n") == r"ab é\u540d\U0001f642\n"


def test_another_font_draws_what_the_usual_one_lacks() -> None:
    """Of those that come with matplotlib, one that has letters which the usual one lacks."""
    other, letter = "STIXGeneral", "\u1d84"
    assert ord(letter) not in fonts._letters_of(fonts.OWN)
    assert ord(letter) in fonts._letters_of(other)
    assert fonts.families((other, "no such font")) == [fonts.OWN, other]


def test_a_page_draws_with_other_fonts_where_letters_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else matplotlib warns of a box, and warnings are errors here."""
    monkeypatch.setattr(fonts.families, "__defaults__", (("STIXGeneral",),))
    fonts._letters.cache_clear()
    of = drawn_cells(HEADLINE)[0]
    [made] = pictures(replace(of, rows=[replace(row, dataset="\u1d84") for row in of.rows]), "x-", ["differences"])
    fonts._letters.cache_clear()
    assert "\u1d84" in made.svg
    assert "STIXGeneral" not in made.svg  # a browser has its own


def test_every_text_of_a_figure_is_given_all_fonts(figures: dict[str, Figure]) -> None:
    fig = figures["differences"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fonts, "families", lambda: [fonts.OWN, "STIXGeneral"])
        fonts.use_fonts(fig)
    assert {tuple(label.get_fontfamily()) for label in fig.axes[0].get_yticklabels()} == {(fonts.OWN, "STIXGeneral")}
    fonts.use_fonts(fig)
