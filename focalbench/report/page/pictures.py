"""A figure as SVG within a page: small, its ids its own, and every mark of a table's row told by that row."""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from focalbench.analysis.claim_rows import PointRow
from focalbench.analysis.rows import ArmRow, Spread
from focalbench.base.rows import read_rows
from focalbench.base.text import shown
from focalbench.plan.claims import Claim
from focalbench.report import spread, style
from focalbench.report.claim_figures import claim_figures
from focalbench.report.colors import with_variables
from focalbench.report.curves import Curve, CurvePoint
from focalbench.report.figures import OfCell, forest, mark_name, picture
from focalbench.report.figures.forest import DataSet
from focalbench.report.folder import CLAIM, FOREST, PICTURES, POINTS, claim_picture
from focalbench.report.tables import display, headings
from focalbench.report.words import short_title

TOLD = {
    "differences": "Differences to the baseline, with their intervals",
    "gamma": "The metric against the focusing exponent",
    "epochs": "Validation by epoch",
    "classes": "Differences class by class",
    "precision_recall": "Precision against recall",
    "net_benefit": "Net benefit of acting, by the threshold",
    "reliability": "How often what is predicted happens",
    "heat_map": "Alpha and gamma together",
}
FONTS = "'DejaVu Sans', Verdana, sans-serif"  # equally wide, so that texts take the room that they were given
LARGEST = 120  # pixels an inch
BLACK_INK = with_variables("fill: #000000")  # of what names no colour
Told = Callable[[Line2D], str]
_TIP = "tip-"
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_DRAWN_WITH = re.compile(r"'DejaVu Sans'(, '[^']*')*")  # a browser has fonts of its own
_TAG = re.compile(r"<[^>]*>")
_COMMENT = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<\?xml.*?\?>|<!DOCTYPE.*?>", re.DOTALL)
_TIPPED = re.compile(rf'(<g id="{_TIP}(\d+)">)(.*?</g>)', re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """A figure of a page. svg: its markup, which is ours: texts of others in it are escaped."""

    kind: str
    title: str
    svg: str


def pictures(of: OfCell, prefix: str, kinds: Sequence[str] = PICTURES) -> list[Picture]:
    """The figures of a cell that have something to draw. prefix: begins the ids in them."""
    found = []
    for kind in kinds:
        if (fig := picture(of, kind)) is not None:
            title = TOLD.get(kind, kind.capitalize().replace("_", " "))
            label = f"{title}: {short_title(of.rows)}. The table holds its numbers."
            found.append(Picture(kind, title, small_svg(fig, f"{prefix}{kind}-", label, _told_of(of))))
    return found


def pictures_of_all(sets: Sequence[DataSet], rates: Sequence[Figure]) -> list[Picture]:
    """The figures over all data sets: a forest of them, and those at several rates, which are drawn."""
    title = "Every data set: differences, in units of the least that matters there"
    marks = {
        mark_name(name, row.arm): f"{name}\n{_of_row(rows, row)}, margin {_margin(row)}"
        for name, rows in sets
        for row in rows
    }
    by_number = {number: text for _, rows in sets for number, text in _by_number(rows)}
    found = [(title, fig, lambda line: marks.get(str(line.get_label()), "")) for fig in [forest(sets)] if fig]
    more = [(TOLD["gamma"] + " at each rate", fig, lambda line: _at_numbers(line, by_number)) for fig in rates]
    return [
        Picture(FOREST, title, small_svg(fig, f"all{place}-", f"{title}. The tables hold its numbers.", told))
        for place, (title, fig, told) in enumerate([*found, *more])
    ]


def pictures_of_claims(folder: Path, claims: Sequence[Claim]) -> list[Picture]:
    """The figures of a folder's claims."""
    points = read_rows(folder / POINTS, PointRow)
    by_number = {point.value.mean: f"{point.arms}, {point.data}: {_phrase(point.value)}" for point in points}
    titles = {claim_picture(claim.id): f"{claim.id}: {claim.sentence}" for claim in claims}
    return [
        Picture(
            CLAIM,
            title := titles.get(name, "Differences by the number of epochs"),
            small_svg(fig, f"{name}-", title, lambda line: _at_numbers(line, by_number)),
        )
        for name, fig in claim_figures(folder, claims).items()
    ]


def small_svg(fig: Figure, prefix: str, label: str, told: Told) -> str:
    """The figure as markup. label: what a screen reader says of it; told: what is said of a mark, "" for nothing."""
    tips = _tips(fig, told)
    style.lay_out(fig)
    file = io.StringIO()
    with rc_context({"svg.hashsalt": "focalbench", "svg.fonttype": "none"}):
        fig.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(r"\s*\n\s*", " ", _COMMENT.sub("", file.getvalue())).replace("> <", "><").strip()
    text = _TIPPED.sub(lambda found: f"{found[1]}<title>{escape(tips[int(found[2])])}</title>{found[3]}", text)
    text = _TAG.sub(lambda tag: _NUMBER.sub(lambda number: f"{float(number[0]):.2f}", tag[0]), text)  # no text's
    text = _DRAWN_WITH.sub(FONTS, _own_ids(text, prefix))
    text = with_variables(text)
    return re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        lambda found: (
            f'<svg viewBox="{found[1]}" style="max-width: {LARGEST * fig.get_figwidth():.0f}px; {BLACK_INK}" '
            f'role="img" aria-label="{escape(shown(label))}">'
        ),
        text,
        count=1,
    )


def _own_ids(text: str, prefix: str) -> str:
    """Only the ids that are referred to, so that two figures of a page share none."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda found: f' id="{prefix}{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r'(?:xlink:)?href="#', f'href="#{prefix}', text)
    return text.replace("url(#", f"url(#{prefix}")


# ---- what a mark stands for


def _tips(fig: Figure, told: Told) -> list[str]:
    """Name the marks in the figure of which something is told; what that is."""
    tips: list[str] = []
    for line in (line for ax in fig.axes for line in ax.lines):
        if text := told(line):
            line.set_gid(f"{_TIP}{len(tips)}")
            tips.append(text)
    return tips


def _told_of(of: OfCell) -> Told:
    """Of marks that are called as a row, of a curve of the folder, and of rows whose numbers a mark stands at."""
    rows, curves = dict(_by_number(of.rows)), dict(_by_curve(of.curves))
    names = {row.arm: _of_row(of.rows, row) for row in of.rows}

    def told(line: Line2D) -> str:
        heights = tuple(_numbers(line)[1])
        return names.get(str(line.get_label())) or curves.get(heights) or _at_numbers(line, rows)

    return told


def _at_numbers(line: Line2D, rows: Mapping[float, str]) -> str:
    x, y = _numbers(line)
    return "\n".join(dict.fromkeys(rows[value] for value in (*x, *y) if value in rows))


def _numbers(line: Line2D) -> tuple[list[float], list[float]]:
    x, y = np.asarray(line.get_xydata(), dtype=np.float64).reshape(-1, 2).T.tolist()
    return x, y


def _by_number(cell: Sequence[ArmRow]) -> Iterator[tuple[float, str]]:
    """What is told of a row, by each of the numbers at which it is drawn."""
    for row in cell:
        told = _of_row(cell, row)
        yield row.value.mean, told
        if row.delta is not None:
            yield row.delta.mean, told


def _margin(row: ArmRow) -> str:
    return spread.number(row.margin, spread.digits(row.margin))


def _phrase(found: Spread) -> str:
    return spread.phrase(found, spread.FINE)


def _of_row(cell: Sequence[ArmRow], row: ArmRow) -> str:
    """What the table says of a row."""
    named = zip(headings(cell)[1:], display(row)[1:], strict=True)
    return f"{shown(row.arm)}: {', '.join(f'{head} {text}' for head, text in named if text)}"


def _by_curve(curves: Sequence[CurvePoint]) -> Iterator[tuple[tuple[float, ...], str]]:
    """What is told of an arm's learning curve, by its heights."""
    learning = [point for point in curves if point.curve is Curve.VALIDATION and point.mean is not None]
    for name in dict.fromkeys(point.arm for point in learning):
        points = [point for point in learning if point.arm == name]
        heights = tuple(point.mean for point in points if point.mean is not None)
        best = max(points, key=lambda point: point.mean or 0.0)
        yield heights, f"{shown(name)}: {heights[-1]:.3f} at the last of its epochs, {best.mean:.3f} after {best.x:g}"
