"""How every figure looks: one size of type, one luminance ramp for gamma, labels at the curves, stable bytes.

Figures are built on matplotlib's Figure, never on pyplot, so that nothing global is touched.
"""

import io
from collections.abc import Sequence
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from focalbench.base.files import Writer
from focalbench.report.colors import LIGHT, Palette, readable, repainted
from focalbench.report.fonts import families, shown, use_fonts
from focalbench.report.owned import USUAL_FORMATS, write_own

INK, MUTED, VERMILLION, BLUE = LIGHT.ink, LIGHT.muted, LIGHT.vermillion, LIGHT.blue
TEXT_SIZE = 8.0
NAMES_A_ROW = 3  # above a panel, at most
LEGEND: dict[str, Any] = {
    **{"frameon": False, "fontsize": TEXT_SIZE},
    **{"borderpad": 0.3, "columnspacing": 1.2, "handlelength": 2.8},
}
LEAST_ROOM = 0.4  # inches beside what stands under a figure
LONGEST_TEXT = 200  # letters that are looked at before a text is shortened to its room
POINTS = 72  # an inch
HINTED = 0.97  # of its room that a text may take before its letters are moved to whole pixels
MARGIN = 0.9  # inches beside a panel, for the labels of its axis
LEAST_SPAN = 1e-3  # of an axis of average precisions or of differences
LINE = 0.055  # of a panel of the usual height, for a line of text

Point = tuple[float, float]  # x and y in data coordinates
End = tuple[float, float, str, str]  # x and y, name and colour of what ends there
Dash = tuple[float, tuple[float, ...]]
SOLID: Dash = (0, ())
DASHES: Dash = (0, (5, 1.5))
DOTS: Dash = (0, (1, 1.2))
DASH_DOT: Dash = (0, (6, 1.5, 1, 1.5))
LONG: Dash = (0, (9, 2))


def gamma_color(gamma: float) -> str:
    """Hex colour of a focusing exponent >= 0: darkest at 0, lighter as it grows, never yellow."""
    return to_hex(colormaps["viridis"](0.95 * gamma / (gamma + 1.5)))


def figure(width: float, height: float, panels: int = 1, columns: int | None = None) -> tuple[Figure, list[Axes]]:
    """Return a figure of width x height inches and its panels, styled and empty; side by side, or so many a row."""
    fig = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.08))
    across = columns or panels
    axes = [fig.add_subplot(ceil(panels / across), across, i + 1) for i in range(panels)]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(MUTED)
        ax.tick_params(labelsize=TEXT_SIZE, color=MUTED, labelcolor=INK, length=3)
        ax.xaxis.label.set_fontsize(TEXT_SIZE + 1)
        ax.yaxis.label.set_fontsize(TEXT_SIZE + 1)
    return fig, axes


def title(ax: Axes, text: str) -> None:
    """Head a panel with a short statement of ours, flush left; $...$ is mathematics."""
    ax.set_title(text, loc="left", fontsize=TEXT_SIZE + 1, color=INK, pad=8)


def heading(fig: Figure, name: str, rest: str) -> None:
    """Head a figure, on one line, with a name that others gave and what we say of it."""
    size = TEXT_SIZE + 1
    shown = fitted(name, fig.get_figwidth() - 0.3 - width(rest, size), size) + rest
    fig.suptitle(shown, x=0.02, ha="left", fontsize=size, color=INK, parse_math=False)


def fitted(text: str, inches: float, size: float = TEXT_SIZE) -> str:
    """A text of others on one line, shortened in its middle to at most so many inches; to be drawn as it stands."""
    line = shown(text)
    for kept in range(min(len(line), LONGEST_TEXT), 0, -1):
        short = line if kept == len(line) else f"{line[: ceil(kept / 2)]}…{line[len(line) - kept // 2 :]}"
        if width(short, size) <= HINTED * inches:
            return short
    return "…"


def width(text: str, size: float = TEXT_SIZE) -> float:
    """Inches that a line of text takes as it stands."""
    font = FontProperties(family=families(), size=size)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / POINTS


def name_above(fig: Figure, ax: Axes) -> None:
    """Name the labelled lines above the panel, for where they leave no room beside them."""
    if names := ax.get_legend_handles_labels()[1]:
        columns = _columns(names, fig.get_figwidth() - MARGIN)
        legend = ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1, ncols=columns, **LEGEND)
        _as_they_stand(legend)


def name_below(fig: Figure, ax: Axes) -> None:
    """Name the labelled lines of a panel, which all others share, under the figure."""
    handles, names = ax.get_legend_handles_labels()
    columns = _columns(names, fig.get_figwidth() - LEAST_ROOM)
    _as_they_stand(fig.legend(handles, names, loc="outside lower left", ncols=columns, **LEGEND))


def _as_they_stand(legend: Legend) -> None:
    for text in legend.get_texts():
        text.set_parse_math(False)


def _columns(names: Sequence[str], room: float) -> int:
    """In how many columns names stand that take no more than so many inches."""
    widths = [width(name) + 4.5 * TEXT_SIZE / POINTS for name in names]  # lines and gaps
    fitting = (n for n in range(NAMES_A_ROW, 0, -1) if sum(map(max, _in_columns(widths, n))) <= room)
    return next(fitting, 1)


def _in_columns(values: Sequence[float], count: int) -> list[list[float]]:
    """As a legend fills its columns: each with as many as the next, or one more."""
    return [part.tolist() for part in np.array_split(values, min(count, len(values)))]


def zoom(ax: Axes, low: float, high: float) -> None:
    """Let the vertical axis show what lies between, and little else."""
    low = min(low, high - LEAST_SPAN)
    margin = 0.07 * (high - low)
    ax.set_ylim(low - margin, high + margin)


def widened(low: float, high: float) -> tuple[float, float]:
    """The ends of an axis of differences, so far apart that the numbers along it stay short."""
    more = max(0.0, LEAST_SPAN - (high - low)) / 2
    return low - more, high + more


def shares(axis: Axis, places: Sequence[float], *, percent: bool) -> None:
    """Let a logarithmic axis name these shares, and no others."""
    axis.set_major_locator(FixedLocator(places))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.6g}%" if percent else f"{share:g}"))


def times(axis: Axis) -> None:
    """Let a logarithmic axis of ratios name 1, 2, 5, 10 and so on."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}"))


def decades(low: float, high: float) -> list[float]:
    """The powers of ten between, the ends included.

    >>> decades(0.0005, 0.5)
    [0.001, 0.01, 0.1]
    """
    return [float(f"1e{k}") for k in range(ceil(log10(low)), floor(log10(high)) + 1)]


def level(ax: Axes, value: float) -> None:
    """Draw a height across the panel."""
    ax.axhline(value, color=MUTED, linewidth=0.8, linestyle=DOTS)


def name_beside(ax: Axes, ends: Sequence[End]) -> None:
    """Name what ends in a panel right of it, by names of equally many lines that are moved apart where they meet."""
    ends = sorted(ends, key=lambda end: end[1])
    low, high = ax.get_ylim()
    lines = max((text.count("\n") + 1 for _, _, text, _ in ends), default=1)
    heights = apart([(y - low) / (high - low) for _, y, _, _ in ends], lines * LINE)
    for (x, y, text, color), height in zip(ends, heights, strict=True):
        ax.annotate(
            text,
            (x, y),
            (1.03, height),
            textcoords="axes fraction",
            va="center",
            color=readable(color),
            size=TEXT_SIZE,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 0.5,
                "relpos": (0, 0.5),
                "shrinkA": 0,
                "shrinkB": 2,
            },
        )


def apart(values: Sequence[float], gap: float) -> list[float]:
    """Move ascending values in [0, 1] until neighbours are at least `gap` apart, and within [0, 1] where they fit.

    >>> apart([0.5, 0.5, 0.875], 0.25)
    [0.375, 0.625, 0.875]
    >>> apart([0.875, 1.0, 1.0], 0.25)
    [0.375, 0.625, 0.875]
    """
    groups: list[list[float]] = []
    for value in values:
        groups.append([value])
        while len(groups) > 1 and _first(groups[-1], gap) < _first(groups[-2], gap) + gap * len(groups[-2]):
            merged = groups.pop()
            groups[-1] += merged
    moved = [_first(group, gap) + i * gap for group in groups for i in range(len(group))]
    moved = [max(value, gap * (i + 0.5)) for i, value in enumerate(moved)]
    return [min(value, 1 - gap * (len(moved) - 0.5 - i)) for i, value in enumerate(moved)]


def _first(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2


def label_end(ax: Axes, x: float, y: float, text: str, color: str, lift: float = 0.0) -> None:
    """Name a curve to the right of its end (x, y), in data coordinates, lifted some points off a neighbour.

    The layout makes room for it outside the axes.
    """
    ax.annotate(text, (x, y), (5, lift), textcoords="offset points", va="center", color=readable(color), size=TEXT_SIZE)


def label_from(ax: Axes, point: Point, place: Point, text: str, color: str) -> None:
    """Name a curve at a place in the open, its left edge there, with a thin line to a dot on the curve."""
    ax.annotate(
        text,
        point,
        place,
        va="center",
        color=readable(color),
        size=TEXT_SIZE,
        arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0},
    )
    ax.plot(*point, "o", color=color, markersize=2.5)


def note(ax: Axes, x: float, y: float, text: str) -> None:
    """Explain something in the empty part of a panel, its upper left corner at axes fractions (x, y)."""
    ax.text(x, y, text, transform=ax.transAxes, va="top", fontsize=TEXT_SIZE, color=MUTED, linespacing=1.5)


def save(fig: Figure, folder: Path, name: str, formats: Sequence[str] = USUAL_FORMATS) -> list[Path]:
    """Write a figure into an existing folder, or one in it, as PNG (150 dpi), SVG or PDF; same figure, same bytes."""
    writers: dict[str, Writer] = {f"{name}.{ending}": _writer(fig, ending) for ending in formats}
    lay_out(fig)
    with rc_context({"svg.hashsalt": "focalbench"}):
        write_own(folder, writers)
    return [folder / file for file in writers]


def lay_out(fig: Figure) -> None:
    """Choose fonts and places once, so that a file does not depend on what else was made of the figure before."""
    if fig.get_layout_engine() is not None:
        use_fonts(fig)
        fig.draw_without_rendering()
        fig.set_layout_engine("none")


def _writer(fig: Figure, ending: str) -> Writer:
    undated: dict[str, dict[str, None]] = {
        "png": {"Software": None},
        "svg": {"Date": None},
        "pdf": {"CreationDate": None},
    }
    return lambda file: fig.savefig(file, format=ending, dpi=150, metadata=undated[ending])


def svg_text(fig: Figure, palette: Palette = LIGHT) -> str:
    """A figure as SVG, to stand in a page of this palette; same figure, same text."""
    lay_out(fig)
    found = io.BytesIO()
    with rc_context({"svg.hashsalt": f"focalbench {palette.name}"}):
        fig.savefig(found, format="svg", metadata={"Date": None})
    text = found.getvalue().decode()
    return repainted(text[text.index("<svg ") :], palette)
