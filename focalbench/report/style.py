"""How every figure looks: one size of type, one luminance ramp for gamma, labels at the curves, stable bytes.

Figures are built on matplotlib's Figure, never on pyplot, so that nothing global is touched.
"""

import warnings
from pathlib import Path

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from focalbench.disk import Writer
from focalbench.report.owned import write_own
from focalbench.shown import shown

INK, MUTED = "#1a1a1a", "#6b6b6b"
VERMILLION, BLUE = "#d55e00", "#0072b2"  # told apart with every kind of colour vision (Okabe and Ito)
TEXT_SIZE = 8.0
NAMES_A_ROW = 3  # above a panel

Point = tuple[float, float]  # x and y in data coordinates
Dash = tuple[float, tuple[float, ...]]
SOLID: Dash = (0, ())
DASHES: Dash = (0, (5, 1.5))
DOTS: Dash = (0, (1, 1.2))
DASH_DOT: Dash = (0, (6, 1.5, 1, 1.5))
LONG: Dash = (0, (9, 2))


def gamma_color(gamma: float) -> str:
    """Hex colour of a focusing exponent >= 0: darkest at 0, lighter as it grows, never yellow."""
    return to_hex(colormaps["viridis"](0.95 * gamma / (gamma + 1.5)))


def figure(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure of width x height inches and its panels side by side, styled and still empty."""
    fig = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.08))
    axes = [fig.add_subplot(1, panels, i + 1) for i in range(panels)]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(MUTED)
        ax.tick_params(labelsize=TEXT_SIZE, color=MUTED, labelcolor=INK, length=3)
        ax.xaxis.label.set_fontsize(TEXT_SIZE + 1)
        ax.yaxis.label.set_fontsize(TEXT_SIZE + 1)
    return fig, axes


def title(ax: Axes, text: str) -> None:
    """Head a panel with a short statement, flush left, above the names of its lines if they stand there."""
    legend = ax.get_legend()
    rows = 0 if legend is None else -(-len(legend.get_texts()) // NAMES_A_ROW)
    ax.set_title(shown(text), loc="left", fontsize=TEXT_SIZE + 1, color=INK, pad=8 + 12 * rows, parse_math=False)


def name_above(ax: Axes) -> None:
    """Name the labelled lines above the panel, for where they leave no room beside them; call it before title."""
    if not ax.get_legend_handles_labels()[0]:
        return
    spacing = {"borderaxespad": 0.1, "borderpad": 0.3, "columnspacing": 1.2, "handlelength": 2.8}
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=NAMES_A_ROW, frameon=False, fontsize=TEXT_SIZE, **spacing)


def label_end(ax: Axes, x: float, y: float, text: str, color: str, lift: float = 0.0) -> None:
    """Name a curve to the right of its end (x, y), in data coordinates, lifted some points off a neighbour.

    The layout makes room for it outside the axes.
    """
    ax.annotate(text, (x, y), (5, lift), textcoords="offset points", va="center", color=color, size=TEXT_SIZE)


def label_from(ax: Axes, point: Point, place: Point, text: str, color: str) -> None:
    """Name a curve at a place in the open, its left edge there, with a thin line to a dot on the curve."""
    ax.annotate(
        text,
        point,
        place,
        va="center",
        color=color,
        size=TEXT_SIZE,
        arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0},
    )
    ax.plot(*point, "o", color=color, markersize=2.5)


def note(ax: Axes, x: float, y: float, text: str) -> None:
    """Explain something in the empty part of a panel, its upper left corner at axes fractions (x, y)."""
    ax.text(x, y, text, transform=ax.transAxes, va="top", fontsize=TEXT_SIZE, color=MUTED, linespacing=1.5)


def save(fig: Figure, folder: Path, name: str) -> list[Path]:
    """Write name.png (150 dpi) and name.svg into an existing folder, or one in it; same figure, same bytes."""
    writers: dict[str, Writer] = {
        f"{name}.png": lambda file: fig.savefig(file, format="png", dpi=150, metadata={"Software": None}),
        f"{name}.svg": lambda file: fig.savefig(file, format="svg", metadata={"Date": None}),
    }
    with rc_context({"svg.hashsalt": "focalbench"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a letter that no font has is drawn as a box
        write_own(folder, writers)
    return [folder / file for file in writers]
