"""The pictures of a results folder, drawn from its exported files only."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from focalbench.comparison import TABLE_COLUMNS
from focalbench.per_class import CLASS_COLUMNS
from focalbench.records import Record, read_csv
from focalbench.report import style
from focalbench.report.curves import CURVE_COLUMNS
from focalbench.report.folder import CLASSES, CURVES, TABLE, picture_name
from focalbench.report.owned import FIGURES, make_folder, write_bytes
from focalbench.report.words import baseline_name, cells, short_title
from focalbench.shown import in_figure, shown

Values = NDArray[np.float64]
End = tuple[float, float, str, str]  # x, y, label and colour of a curve's end

# whose learning curves are drawn, at every start
FOLLOWED = ("bce", "pos_weight", "gamma=2", "gamma=5")
FOLLOWED_SOFTMAX = ("ce", "weighted_ce", "softmax gamma=2", "softmax gamma=5")  # beside bce
MOST_CLASSES, LONGEST_NAME = 12, 10  # drawn, the rarest ones; letters of a class's name
STARTS = {"own": style.SOLID, "prior": style.DASH_DOT, "zero": style.DASHES}


def draw_results(folder: Path, out: Path | None = None) -> list[Path]:
    """Draw every cell of a results folder into folder/figures (or out), all of them or none; return the paths written.

    Raises InputError where the folder holds no table.
    """
    with tempfile.TemporaryDirectory() as draft:
        drawn = {path.name: path.read_bytes() for path in _draw(folder, Path(draft))}
    place, inside = picture_place(folder, out)
    make_folder(place / inside)
    write_bytes(place, {inside + name: content for name, content in drawn.items()})
    return [place / inside / name for name in drawn]


def _draw(folder: Path, target: Path) -> list[Path]:
    table, curves = read_csv(folder / TABLE, TABLE_COLUMNS), read_csv(folder / CURVES, CURVE_COLUMNS)
    classes = read_csv(folder / CLASSES, CLASS_COLUMNS) if (folder / CLASSES).is_file() else []
    written = []
    for cell in cells(table):
        name, where = picture_name(cell[0]), _where(cell[0])
        written += _by_gamma(cell, target, f"gamma_{name}")
        written += _differences(cell, target, f"differences_{name}")
        written += _by_epoch(cell, [p for p in curves if _where(p) == where], target, f"epochs_{name}")
        if here := [row for row in classes if _where(row)[:2] == where[:2]]:
            written += _by_class(cell, here, target, f"classes_{name}")
    return written


def picture_place(folder: Path, out: Path | None = None) -> tuple[Path, str]:
    """The folder whose manifest names the pictures of a results folder, and what their names there begin with."""
    if out is None or out.resolve() == (folder / FIGURES).resolve():
        return folder, f"{FIGURES}/"
    return out, ""


def _where(row: Record) -> tuple[object, ...]:
    return row["dataset"], row["positive_rate"], row.get("label_noise")


def _followed(cell: Sequence[Record]) -> tuple[str, ...]:
    return (*FOLLOWED_SOFTMAX, "bce") if baseline_name(cell) == "CE" else FOLLOWED


# ---- AUCPR against gamma


def _by_gamma(cell: list[Record], folder: Path, name: str) -> list[Path]:
    arms = [row for row in cell if row["kind"] == "arm"]
    plain, weighted, focal = _gamma_losses(cell)
    lines = [
        ("no alpha", [row for row in arms if row["alpha"] is None and row["loss"] in (plain, focal)]),
        (
            "balanced alpha",
            [row for row in arms if (row["loss"], row["alpha"]) == (focal, "balanced") or row["loss"] == weighted],
        ),
    ]
    fig, (ax,) = style.figure(6.0, 3.8)
    for (label, rows), color, mark, shift in zip(
        lines, (style.BLUE, style.VERMILLION), ("o", "s"), (-0.05, 0.05), strict=True
    ):
        for i, (start, dash) in enumerate(STARTS.items()):
            points = sorted((row for row in rows if row["init"] == start), key=_gamma)
            if len(points) > 1:
                x = np.array([_gamma(row) for row in points]) + shift + 0.025 * i  # so that no interval hides another
                name_of = f"{label}, {start} start"
                ax.errorbar(
                    x,
                    *_intervals(points),
                    color=color,
                    marker=mark,
                    ls=dash,
                    label=name_of,
                    ms=3,
                    lw=1.2,
                    elinewidth=0.8,
                )
    if cell[0]["bayes_average_precision"] is not None:
        _level(ax, cast(float, cell[0]["bayes_average_precision"]), "Bayes ceiling")
    ax.set(xlabel=r"focusing exponent $\gamma$ (0: no focusing)", ylabel="test AUCPR, mean and 95% interval")
    ax.set_ylim(0, 1.05 * ax.get_ylim()[1])
    style.name_above(ax)  # intervals fill the space around these lines: no room for a label at each
    style.title(ax, short_title(cell))
    return style.save(fig, folder, name)


def _gamma_losses(cell: Sequence[Record]) -> tuple[str, str, str]:
    """The losses without focusing, without and with weights, and the focal loss that extends them."""
    softmax = baseline_name(cell) == "CE"
    return ("ce", "weighted_ce", "softmax_focal") if softmax else ("bce", "pos_weight", "focal")


def _gamma(row: Record) -> float:
    return cast(float, row["gamma"])


def _intervals(rows: Sequence[Record]) -> tuple[Values, tuple[Values, Values]]:
    """Means, and what an error bar reaches below and above each."""
    y, low, high = (
        np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=float)
        for name in ("average_precision", "ap_low", "ap_high")
    )
    return y, (y - low, high - y)


def _level(ax: Axes, value: float, text: str) -> None:
    ax.axhline(value, color=style.MUTED, linewidth=0.8, linestyle=style.DOTS)
    ax.annotate(
        text,
        (0, value),
        (2, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color=style.MUTED,
        size=style.TEXT_SIZE,
    )


# ---- differences to BCE


def _differences(cell: list[Record], folder: Path, name: str) -> list[Path]:
    rows = [row for row in cell if row["delta"] is not None and row["kind"] != "reference"][::-1]
    fig, (ax,) = style.figure(6.0, 1.2 + 0.19 * len(rows))
    for y, row in enumerate(rows):
        value = cast(float, row["delta"])
        color = style.VERMILLION if row["init"] != "own" else style.INK
        limited = row["budget_limited"] == "true" or row["verdict"] == "budget-limited"
        ax.plot(value, y, "o", color=color, markersize=4, markerfacecolor="white" if limited else color)
        if row["delta_low"] is not None:
            ax.plot([cast(float, row[end]) for end in ("delta_low", "delta_high")], [y, y], color=color, linewidth=1)
    ax.axvline(0, color=style.MUTED, linewidth=0.8)
    ax.set_yticks(range(len(rows)), [in_figure(str(row["arm"])) for row in rows])
    ax.tick_params(axis="y", length=0)
    explained = "95% interval of each row alone; hollow: budget-limited, no verdict"
    baseline = baseline_name(cell)
    ax.set(xlabel=f"test AUCPR minus that of {baseline}, same start (tuned: tuned {baseline})\n{explained}")
    style.title(ax, short_title(cell))
    return style.save(fig, folder, name)


# ---- validation AUCPR by epoch


def _by_epoch(cell: list[Record], curves: list[Record], folder: Path, name: str) -> list[Path]:
    arms = [row for row in cell if row["kind"] == "arm" and str(row["arm"]).split(" (")[0] in _followed(cell)]
    fig, (ax,) = style.figure(6.0, 3.8)
    ends: list[End] = []
    heights: list[Values] = []
    for row in arms:
        points = [p for p in curves if p["arm"] == row["arm"] and p["curve"] == "validation" and p["mean"] is not None]
        x, y = (np.array([p[n] for p in points], dtype=float) for n in ("x", "mean"))
        if points and not any(np.array_equal(y, drawn) for drawn in heights):  # pos_weight's own start is zero
            heights.append(y)
            ax.plot(x, y, color=_arm_color(row), linestyle=STARTS[str(row["init"])], linewidth=1.3)
            ends.append((float(x[-1]), float(y[-1]), in_figure(str(row["arm"])), _arm_color(row)))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel="validation AUCPR, mean over seeds\n(chosen learning rates)")
    ax.set_ylim(0, 1.1 * ax.get_ylim()[1])
    _label_ends(ax, ends)
    style.title(ax, short_title(cell))
    return style.save(fig, folder, name)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _arm_color(row: Record) -> str:
    fixed = {"ce": style.INK, "weighted_ce": style.VERMILLION, "bce": style.INK, "pos_weight": style.VERMILLION}
    if row["loss"] == "bce" and row["delta"] is not None:
        return style.MUTED  # beside cross entropy
    return fixed.get(str(row["loss"]), style.gamma_color(_gamma(row)))


# ---- differences to the baseline, class by class


def _by_class(cell: list[Record], classes: list[Record], folder: Path, name: str) -> list[Path]:
    arms = [row for row in cell if row["kind"] == "arm" and row["arm"] in _followed(cell) and row["delta"] is not None]
    measured = [row for row in classes if row["arm"] == cell[0]["arm"] and row["average_precision"] is not None]
    order = [row["class"] for row in sorted(measured, key=lambda row: -cast(float, row["train_positives"]))]
    order = order[-MOST_CLASSES:]
    if not arms:
        return []
    heads = {row["class"]: f"{_shortened(shown(str(row['class'])))}\n{row['train_positives']:,.0f}" for row in measured}
    fig, (ax,) = style.figure(max(4.5, 1.2 + 0.75 * len(order)), 3.6)
    for i, arm in enumerate(arms):
        found = {row["class"]: row for row in classes if row["arm"] == arm["arm"]}
        rows = [found[each] for each in order]
        x = np.arange(len(order)) + 0.12 * (i - (len(arms) - 1) / 2)  # beside each other
        y, low, high = (
            np.array([np.nan if row[column] is None else row[column] for row in rows], dtype=float)
            for column in ("delta", "delta_low", "delta_high")
        )
        color = _arm_color(arm)
        label = in_figure(str(arm["arm"]))
        ax.errorbar(x, y, (y - low, high - y), fmt="o", color=color, ms=3.5, elinewidth=0.9, label=label)
    ax.axhline(0, color=style.MUTED, linewidth=0.8)
    ax.set_xticks(range(len(order)), [heads[each] for each in order], parse_math=False)
    ax.set(xlabel="class, and its training rows")
    ax.set(ylabel=f"test AUCPR minus that of {baseline_name(cell)}\n(95% interval of each by itself)")
    style.name_above(ax)
    style.title(ax, short_title(cell))
    return style.save(fig, folder, name)


def _label_ends(ax: Axes, ends: Sequence[End]) -> None:
    """Name curves right of their ends, spread apart where they would overlap."""
    ends = sorted(ends, key=lambda end: end[1])
    if not ends:
        return
    right = max(end[0] for end in ends)
    low, high = ax.get_ylim()
    gap = (high - min(0.0, low)) * 0.055  # a line of text in data units
    heights = spread([end[1] for end in ends], gap)
    heights = [min(y, high - gap * (len(ends) - 0.5 - i)) for i, y in enumerate(heights)]
    for (x, y, text, color), height in zip(ends, heights, strict=True):
        ax.annotate(
            text,
            (x, y),
            (right + 0.03 * (right or 1), height),
            va="center",
            color=color,
            size=style.TEXT_SIZE,
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


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Move ascending values apart, by as little as it takes, until neighbours are at least `gap` apart.

    >>> spread([0.0, 1.0, 1.0], 1.0)
    [-0.33333333333333337, 0.6666666666666666, 1.6666666666666665]
    """
    groups: list[list[float]] = []
    for value in values:
        groups.append([value])
        while len(groups) > 1 and _first(groups[-1], gap) < _first(groups[-2], gap) + gap * len(groups[-2]):
            merged = groups.pop()
            groups[-1] += merged
    return [_first(group, gap) + i * gap for group in groups for i in range(len(group))]


def _first(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2
