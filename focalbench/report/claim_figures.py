"""A picture of each claim's contrast, drawn from claims.csv and claim_points.csv only."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from focalbench.analysis.claim_rows import ClaimRow, LossRow, PointRow
from focalbench.base.rows import read_rows
from focalbench.plan.claims import Claim, Measure
from focalbench.report import spread, style
from focalbench.report.claims import AXES, MEASURES
from focalbench.report.folder import BY_EPOCHS, CLAIMS, LOSS_CURVES, POINTS, claim_picture
from focalbench.report.owned import FIGURES, USUAL_FORMATS, make_folder, write_bytes

Contrast = tuple[ClaimRow, list[PointRow]]
MOST_PANELS, PANEL, NARROW, NAMES, HEIGHT = 3, 2.9, 2.3, 2.6, 3.0  # panels, and inches
LEAST_WIDTH, ROW = 6.5, 0.3  # inches of a figure, and of a row of differences
LEAST_EPOCHS = 3  # numbers of epochs that make a line


def draw_claims(folder: Path, claims: Sequence[Claim], formats: Sequence[str] = USUAL_FORMATS) -> list[Path]:
    """Draw every claim of a results folder into its figures, all of them or none; return the paths written."""
    with tempfile.TemporaryDirectory() as draft:
        paths = [
            path
            for name, fig in claim_figures(folder, claims).items()
            for path in style.save(fig, Path(draft), name, formats)
        ]
        drawn = {f"{FIGURES}/{path.name}": path.read_bytes() for path in paths}
    make_folder(folder / FIGURES)
    write_bytes(folder, drawn)
    return [folder / name for name in drawn]


def claim_figures(folder: Path, claims: Sequence[Claim]) -> dict[str, Figure]:
    """The picture of each claim of a results folder, and that of differences by epochs where there are such, by the
    names of their files without endings.
    """
    rows, points = read_rows(folder / CLAIMS, ClaimRow), read_rows(folder / POINTS, PointRow)
    losses = read_rows(folder / LOSS_CURVES, LossRow) if (folder / LOSS_CURVES).is_file() else []
    found = {claim_picture(claim.id): _figure(claim, rows, points, losses) for claim in claims}
    return found if (fig := by_epochs(points)) is None else found | {BY_EPOCHS: fig}


def _figure(claim: Claim, rows: Sequence[ClaimRow], points: Sequence[PointRow], losses: Sequence[LossRow]) -> Figure:
    own = [row for row in rows if row.claim == claim.id and row.condition is not None]
    contrasts: list[Contrast] = [(row, _points_of(row, points)) for row in own]
    along = [each for each in contrasts if len(each[1]) > 1][:MOST_PANELS]
    curves = [row for row in losses if row.claim == claim.id]
    fig = _panels(claim, along) if along else _losses(curves) if curves else _rows(claim, contrasts)
    whole = next(row for row in rows if row.claim == claim.id and row.data is None)
    style.heading(fig, f"{claim.id}: {claim.sentence}", f": {whole.verdict}")
    return fig


def _points_of(row: ClaimRow, points: Sequence[PointRow]) -> list[PointRow]:
    return [each for each in points if (each.claim, each.condition, each.data) == (row.claim, row.condition, row.data)]


# ---- differences by epochs


def by_epochs(points: Sequence[PointRow]) -> Figure | None:
    """A panel a data set, a line for each two arms that are compared after several numbers of epochs; None without."""
    lines: dict[tuple[str, str], dict[int, PointRow]] = {}
    for point in points:
        if point.x is None and point.weight == 1 and point.epochs is not None:
            lines.setdefault((point.data, point.arms), {}).setdefault(point.epochs, point)
    lines = {name: by for name, by in lines.items() if len(by) >= LEAST_EPOCHS}
    if not lines:
        return None
    data = list(dict.fromkeys(name for name, _ in lines))[:MOST_PANELS]
    fig, axes = style.figure(max(1.2 + PANEL * len(data), LEAST_WIDTH), HEIGHT, len(data))
    for ax, name in zip(axes, data, strict=True):
        arms = [arms for of, arms in lines if of == name]
        for color, each in zip((style.VERMILLION, style.BLUE, style.INK, style.MUTED), arms, strict=False):
            found = sorted(lines[name, each].items())
            ax.plot([x for x, _ in found], [p.value.mean for _, p in found], color=color, marker="o", ms=3, label=each)
            for x, point in found:
                ax.plot((x, x), spread.limits(point.value) or (point.value.mean,) * 2, color=color, linewidth=0.8)
        ax.axhline(0, color=style.MUTED, linewidth=0.8, zorder=0)
        ax.set_xscale("log", base=2)
        ticks = sorted({x for each in arms for x in lines[name, each]})
        ax.set_xticks(ticks, [str(x) for x in ticks])
        ax.set_xlabel("epochs")
        style.title(ax, style.fitted(name, PANEL))
    axes[0].set_ylabel("AUCPR difference")
    axes[0].legend(frameon=False, fontsize=style.TEXT_SIZE)
    return fig


# ---- differences along an axis, or by part


def _panels(claim: Claim, contrasts: Sequence[Contrast]) -> Figure:
    fig, axes = style.figure(max(1.2 + PANEL * len(contrasts), LEAST_WIDTH), HEIGHT, len(contrasts))
    for ax, (row, points) in zip(axes, contrasts, strict=True):
        condition = claim.conditions[(row.condition or 1) - 1]
        if condition.slope_on is None:
            _by_part(ax, points)
        else:
            _along(ax, row, points)
            ax.set_xlabel(AXES[condition.slope_on])
        ax.axhline(0, color=style.MUTED, linewidth=0.8)
        style.title(ax, style.fitted(row.data or "", PANEL))
    measured = _of_measure(claim.conditions[0].measure)
    arms = list(dict.fromkeys(point.arms for _, points in contrasts for point in points))
    axes[0].set_ylabel(f"{measured},\n{style.fitted(arms[0], HEIGHT)}" if len(arms) == 1 else measured)
    return fig


def _along(ax: Axes, row: ClaimRow, points: Sequence[PointRow]) -> None:
    """Differences at their places, and the mean line through them."""
    x = np.array([point.x for point in points], dtype=np.float64)
    y = np.array([point.value.mean for point in points])
    _bars(ax, x, points)
    if row.number is not None:
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, y.mean() + row.number.mean * (ends - x.mean()), color=style.VERMILLION, linewidth=1.2)


def _by_part(ax: Axes, points: Sequence[PointRow]) -> None:
    """Differences side by side."""
    x = np.arange(len(points), dtype=np.float64)
    _bars(ax, x, points)
    names = [style.fitted(point.part, NAMES) for point in points]
    ax.set_xticks(x, names, rotation=20, ha="right", parse_math=False)
    ax.set_xlim(-0.6, len(points) - 0.4)


def _bars(ax: Axes, x: np.typing.NDArray[np.float64], points: Sequence[PointRow]) -> None:
    for place, point in zip(x, points, strict=True):
        low, high = spread.limits(point.value) or (point.value.mean, point.value.mean)
        ax.plot((place, place), (low, high), color=style.BLUE, linewidth=1)
        ax.plot(place, point.value.mean, "o", color=style.BLUE, markersize=4)


# ---- how the loss adds up over rows, as in the paper's figure 4


def _losses(curves: Sequence[LossRow]) -> Figure:
    """The share of the loss by the easiest share of the rows: positives of the first data set, negatives of each."""
    data = list(dict.fromkeys(row.data for row in curves))[:MOST_PANELS]
    panels = [(data[0], 1, "positives"), *((name, 0, "negatives") for name in data)]
    fig, axes = style.figure(1.2 + NARROW * len(panels), HEIGHT, len(panels))
    for ax, (name, target, kind) in zip(axes, panels, strict=True):
        shown = [row for row in curves if (row.data, row.target) == (name, target)]
        for gamma in sorted({row.gamma for row in shown}):
            own = [row for row in shown if row.gamma == gamma]
            color, label = style.gamma_color(gamma), rf"$\gamma$ = {gamma:g}"
            ax.plot([row.rows for row in own], [row.loss for row in own], color=color, linewidth=1.4, label=label)
        ax.set_xlabel(f"{kind}, easiest first")
        style.title(ax, style.fitted(name, NARROW))
    axes[0].set_ylabel("share of their loss")
    axes[0].legend(frameon=False, fontsize=style.TEXT_SIZE, loc="upper left")
    return fig


# ---- single differences, a row each


def _rows(claim: Claim, contrasts: Sequence[Contrast]) -> Figure:
    fig, (ax,) = style.figure(LEAST_WIDTH + NAMES, 1.1 + ROW * len(contrasts))
    for place, (row, _) in enumerate(reversed(contrasts)):
        condition = claim.conditions[(row.condition or 1) - 1]
        if row.number is None or row.margin is None:
            continue
        low, high = spread.limits(row.number) or (row.number.mean, row.number.mean)
        ax.plot((low, high), (place, place), color=style.BLUE, linewidth=1.2)
        ax.plot(row.number.mean, place, "o", color=style.BLUE, markersize=4)
        band = condition.than + row.margin * np.array([-1, 1])
        ax.fill_betweenx((place - 0.4, place + 0.4), *band, color=style.MUTED, alpha=0.15, linewidth=0)
        ax.plot((condition.than, condition.than), (place - 0.4, place + 0.4), color=style.MUTED, linewidth=0.8)
    later = len({points[0].epochs for _, points in contrasts}) > 1
    names = [_name(*each, with_epochs=later) for each in reversed(contrasts)]
    ax.set_yticks(range(len(contrasts)), names, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(f"{_of_measure(claim.conditions[0].measure)}, 95% intervals at once; shaded: the margin")
    return fig


def _name(row: ClaimRow, points: Sequence[PointRow], *, with_epochs: bool) -> str:
    after = f", {points[0].epochs} epochs" if with_epochs else ""
    return style.fitted(f"{points[0].arms}{after}: {row.data}", 2 * NAMES)


def _of_measure(measure: Measure) -> str:
    return MEASURES[measure].removesuffix(": ") or "AUCPR difference"
