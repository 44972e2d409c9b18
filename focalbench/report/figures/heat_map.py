"""The metric of every alpha at every gamma, with the arms outlined that are not shown to be worse than the best."""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from focalbench.analysis.best_set import not_shown_worse
from focalbench.analysis.recommendation import main_rows
from focalbench.analysis.rows import ArmRow
from focalbench.analysis.statistics import LEAST_SEEDS
from focalbench.report import spread, style
from focalbench.report.figures.by_gamma import gamma_losses
from focalbench.report.figures.cell import OfCell, gamma_of
from focalbench.report.metric import heading

Place = tuple[str, float]  # alpha and gamma
NONE, BALANCED = "none", "balanced"
CELL_WIDTH, CELL_HEIGHT, LEAST_WIDTH = 0.72, 0.42, 5.4  # inches
OUTLINED = (
    "outlined: not shown to be worse than the best (95% intervals\n"
    "that hold for all pairs of these arms at once, so the choice is paid for)"
)
UNTESTED = f"nothing is outlined: fewer than {LEAST_SEEDS} seeds allow no test"
UNKNOWN = "nothing is outlined: the folder is without the runs behind it"


def heat_map(of: OfCell) -> Figure | None:
    """A cell an arm, by gamma and alpha; None where there are not two gammas of each of two alphas."""
    grid = _grid(of.rows)
    if not grid:
        return None
    alphas, gammas = sorted({alpha for alpha, _ in grid}, key=_rank), sorted({gamma for _, gamma in grid})
    size = max(LEAST_WIDTH, 1.4 + CELL_WIDTH * len(gammas)), 1.5 + CELL_HEIGHT * len(alphas)
    fig, (ax,) = style.figure(*size)
    best = _best(of, grid)
    _fill(ax, {(gammas.index(gamma), alphas.index(alpha)): row for (alpha, gamma), row in grid.items()}, best)
    ax.set(xlim=(-0.5, len(gammas) - 0.5), ylim=(-0.5, len(alphas) - 0.5))
    ax.set_xticks(range(len(gammas)), [f"{gamma:g}" for gamma in gammas])
    ax.set_yticks(range(len(alphas)), alphas)
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set(xlabel=r"focusing exponent $\gamma$", ylabel=r"weight $\alpha$ of positives")
    style.title(ax, f"mean test {heading(of.rows[0].by)}, {main_rows(of.rows)[0].init} start")
    fig.supxlabel(_caption(of.rows[0], best), fontsize=style.TEXT_SIZE, x=0.02, ha="left")
    return fig


def _grid(cell: Sequence[ArmRow]) -> dict[Place, ArmRow]:
    """The arms of the main start by their alpha and gamma; none where they make no grid."""
    plain, weighted, focal = gamma_losses(cell)
    alphas = {plain: NONE, weighted: BALANCED}
    found = {
        (alphas.get(str(row.loss), row.alpha or NONE), gamma_of(row)): row
        for row in main_rows(cell)
        if row.loss in (plain, weighted, focal, "alpha") and row.resampling is None
    }
    several = [alpha for alpha in {alpha for alpha, _ in found} if sum(own == alpha for own, _ in found) > 1]
    return found if len(several) > 1 else {}


def _rank(alpha: str) -> tuple[bool, bool, float, str]:
    """No alpha first, then numbers, then words."""
    number = alpha.replace(".", "", 1).isdigit()
    return alpha != NONE, not number, float(alpha) if number else 0.0, alpha


def _best(of: OfCell, grid: dict[Place, ArmRow]) -> frozenset[str] | None:
    evidence = of.runs()
    return None if evidence is None else not_shown_worse([row.arm for row in grid.values()], evidence)


def _caption(first: ArmRow, best: frozenset[str] | None) -> str:
    if first.n_seeds < LEAST_SEEDS:
        return UNTESTED
    return UNKNOWN if best is None else OUTLINED


def _fill(ax: Axes, rows: dict[tuple[int, int], ArmRow], best: frozenset[str] | None) -> None:
    values = [row.value.mean for row in rows.values()]
    scale = Normalize(min(values), max(values))
    lower_is_better = next(iter(rows.values())).by.lower_is_better
    for (x, y), row in rows.items():
        share = float(scale(row.value.mean)) if scale.vmin != scale.vmax else 0.5
        color = _shade(1 - share if lower_is_better else share)
        ax.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=color, linewidth=0))
        text = spread.number(row.value.mean, spread.digits(row.margin))
        ax.text(x, y, text, ha="center", va="center", size=style.TEXT_SIZE, color=style.INK)
        if row.arm in (best or ()):
            box = (x - 0.46, y - 0.43), 0.92, 0.86
            ax.add_patch(Rectangle(*box, fill=False, edgecolor=style.VERMILLION, linewidth=2))


def _shade(share: float) -> str:
    """Darker as it gets better, of one hue, and never so dark that ink cannot be read on it."""
    return to_hex(colormaps["Blues"](0.03 + 0.42 * share))
