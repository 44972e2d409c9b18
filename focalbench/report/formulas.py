"""The losses drawn from their formulas: the paper's Figures 1, 5 and 6 (arXiv 1708.02002)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from focalbench.losses.reference import (
    Array,
    cross_entropy,
    focal_gradient,
    focal_loss,
    focal_star,
    focal_star_gradient,
)
from focalbench.report import style
from focalbench.report.owned import USUAL_FORMATS
from focalbench.report.style import Dash

Place = tuple[float, float, float]
Formula = Callable[[Array], Array]
P_T, X_T = "probability of the true class, $p_t$", "signed logit, $x_t$ (log odds of the true class)"
GRADIENT_SIZE = r"size of the gradient, $|\partial\,$loss$/\partial x|$"
NAMES = ("formulas_by_probability", "formulas_by_logit", "formulas_alternate_form")
FILES = tuple(f"{name}.{ending}" for name in NAMES for ending in USUAL_FORMATS)
NOTE = "CE: cross entropy\nFL: focal loss without $\\alpha$\n$\\alpha$-CE: a positive\nat $\\alpha$ = 0.25"


@dataclass(frozen=True)
class Curve:
    """A loss of a positive and its derivative as functions of the signed logit x_t, and how to draw them."""

    name: str
    loss: Formula
    gradient: Formula
    color: str
    dash: Dash


def draw_formulas(folder: Path, formats: Sequence[str] = USUAL_FORMATS) -> list[Path]:
    """Draw the formula figures into an existing folder; return the paths written."""
    figures = (_by_probability(), _by_logit(), _alternate_form())
    return [path for name, fig in zip(NAMES, figures, strict=True) for path in style.save(fig, folder, name, formats)]


def _focal(gamma: float, dash: Dash) -> Curve:
    return Curve(
        f"FL, $\\gamma$ = {gamma:g}" if gamma else "CE",
        lambda x: focal_loss(x, 1, gamma=gamma) if gamma else cross_entropy(x, 1),
        lambda x: focal_gradient(x, 1, gamma=gamma),
        style.gamma_color(gamma) if gamma else style.INK,
        dash,
    )


def _alpha(alpha: float) -> Curve:
    return Curve(
        "$\\alpha$-CE",
        lambda x: focal_loss(x, 1, alpha=alpha, gamma=0.0),
        lambda x: focal_gradient(x, 1, alpha=alpha, gamma=0.0),
        style.VERMILLION,
        style.DOTS,
    )


def _star(gamma: float, beta: float, color: str, dash: Dash) -> Curve:
    return Curve(
        f"FL*, $\\gamma$ = {gamma:g}, $\\beta$ = {beta:g}",
        lambda x: focal_star(x, 1, gamma=gamma, beta=beta),
        lambda x: focal_star_gradient(x, 1, gamma=gamma, beta=beta),
        color,
        dash,
    )


CE, ALPHA_CE = _focal(0.0, style.SOLID), _alpha(0.25)
FOCAL = (
    _focal(0.5, style.LONG),
    _focal(1.0, style.DASHES),
    _focal(2.0, style.DASH_DOT),
    _focal(5.0, style.SOLID),
)
STARS = (_star(2.0, 1.0, style.VERMILLION, style.DASHES), _star(4.0, 0.0, style.BLUE, style.DOTS))
ALL = (CE, *FOCAL, ALPHA_CE)

# The x at which a curve is touched and the (x, y) of its name, in the order of ALL, or CE, gamma 2, STARS.
LOSS_PLACES: tuple[Place, ...] = (
    (0.40, 0.58, 1.15),
    (0.30, 0.56, 1.40),
    (0.23, 0.54, 1.65),
    (0.17, 0.52, 1.90),
    (0.10, 0.50, 2.15),
    (0.06, 0.03, 0.22),
)
GRADIENT_PLACES: tuple[Place, ...] = (
    (0.60, 0.70, 0.60),
    (0.37, 0.56, 0.82),
    (0.29, 0.46, 0.97),
    (0.19, 0.36, 1.12),
    (0.07, 0.22, 1.30),
    (0.10, 0.04, 0.10),
)
STAR_LOSS_PLACES: tuple[Place, ...] = (
    (0.2, 1.2, 1.4),
    (-2.3, -0.4, 3.9),
    (-3.3, -4.8, 0.7),
    (-1.5, 0.2, 2.6),
)
STAR_GRADIENT_PLACES: tuple[Place, ...] = (
    (1.8, 2.6, -0.3),
    (-2.4, -1.6, -1.18),
    (-0.3, -4.6, -0.35),
    (-0.15, 0.9, -0.72),
)


def _by_probability() -> Figure:
    fig, (loss, gradient) = style.figure(7.4, 3.5, panels=2)
    p = np.linspace(0.001, 0.999, 999)
    x = np.log(p) - np.log1p(-p)
    _axes(loss, P_T, "loss (nats)", (0, 1), (0, 3.5))
    _axes(gradient, P_T, GRADIENT_SIZE, (0, 1), (0, 1.4))
    for curve, *places in zip(ALL, LOSS_PLACES, GRADIENT_PLACES, strict=True):
        _named(loss, p, curve.loss(x), curve, places[0])
        _named(gradient, p, np.abs(curve.gradient(x)), curve, places[1])
    style.title(loss, "Focusing shrinks the loss of easy examples")
    style.title(gradient, "Hard examples keep or gain gradient")
    style.note(loss, 0.42, 0.99, NOTE)
    return fig


def _by_logit() -> Figure:
    fig, (loss, gradient) = style.figure(7.4, 3.5, panels=2)
    x = np.linspace(-5, 5, 1001)
    _axes(loss, X_T, "loss (nats)", (-5, 5), (1e-8, 10))
    _axes(gradient, X_T, GRADIENT_SIZE, (-5, 5), (1e-8, 10))
    for ax in (loss, gradient):
        ax.set_yscale("log")
    for curve, lift in zip(ALL, (0, -2, 0, 0, 0, 2), strict=True):
        _to_end(loss, x, curve.loss(x), curve, lift)
        _to_end(gradient, x, np.abs(curve.gradient(x)), curve, lift)
    style.title(loss, "The loss of easy examples falls as $e^{-(\\gamma + 1) x_t}$")
    style.title(gradient, "So does their gradient")
    style.note(loss, 0.04, 0.32, NOTE)
    return fig


def _alternate_form() -> Figure:
    fig, (loss, gradient) = style.figure(7.4, 3.5, panels=2)
    x = np.linspace(-5, 5, 1001)
    _axes(loss, X_T, "loss (nats)", (-5, 5), (0, 5.2))
    _axes(gradient, X_T, r"gradient, $\partial\,$loss$/\partial x$", (-5, 5), (-1.25, 0.05))
    for curve, *places in zip((CE, FOCAL[2], *STARS), STAR_LOSS_PLACES, STAR_GRADIENT_PLACES, strict=True):
        _named(loss, x, curve.loss(x), curve, places[0])
        _named(gradient, x, curve.gradient(x), curve, places[1])
    style.title(loss, "FL* shifts and steepens cross entropy")
    style.title(gradient, "Its gradient never exceeds 1")
    return fig


def _axes(ax: Axes, x: str, y: str, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
    ax.set(xlabel=x, ylabel=y, xlim=x_range, ylim=y_range)


def _draw(ax: Axes, x: Array, y: Array, curve: Curve) -> None:
    ax.plot(x, y, color=curve.color, linestyle=curve.dash, linewidth=1.5)


def _named(ax: Axes, x: Array, y: Array, curve: Curve, place: Place) -> None:
    _draw(ax, x, y, curve)
    at, *where = place
    style.label_from(ax, (at, float(np.interp(at, x, y))), (where[0], where[1]), curve.name, curve.color)


def _to_end(ax: Axes, x: Array, y: Array, curve: Curve, lift: float) -> None:
    _draw(ax, x, y, curve)
    last = np.flatnonzero(y >= 2 * ax.get_ylim()[0])[-1]
    style.label_end(ax, x[last], y[last], curve.name, curve.color, lift)
