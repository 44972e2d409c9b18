"""Every loss that can be an arm, in one literal table: what the command line, the trainer and the docs know of them.

Formulas: x the logit, y the label, p = sigmoid(x), p_t = p if y else 1 - p, q = 1 - p_t, CE = -log p_t,
pi the share of positives, y' = 2y - 1.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Task = Literal["binary", "multiclass", "multilabel"]
TASKS: tuple[Task, ...] = ("binary", "multiclass", "multilabel")

Grid = Literal["alpha", "gamma"]
Need = Literal["prevalence", "positives", "negatives"]
# batch: a value of all rows of a batch together; order: such a value, of the order of the scores alone
Kind = Literal["elementwise", "batch", "order"]


class Parameter(NamedTuple):
    """A hyperparameter: its name, what it is unless said otherwise, and its range."""

    name: str
    default: float
    interval: str


@dataclass(frozen=True, slots=True)
class Loss:
    """A row of the catalogue.

    name: as an arm. function: in focalbench.losses, called with the parameters by name. source: where it comes from.
    grids: which of the sweep's grids of alpha and gamma it takes. parameters: its own. needs: what it must know of the
    training rows: prevalence, positives, negatives. schedule: parameters of the weights that begin late. invertible:
    whether a logit leads back to a probability. tasks: those that it is an arm of.
    """

    name: str
    function: str
    formula: str
    source: str = ""
    grids: tuple[Grid, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    needs: tuple[Need, ...] = ()
    schedule: tuple[Parameter, ...] = ()
    kind: Kind = "elementwise"
    invertible: bool = False
    tasks: tuple[Task, ...] = ("binary",)

    @property
    def hyperparameters(self) -> tuple[Parameter, ...]:
        """What is given as name:key=value, in order."""
        return self.parameters + self.schedule


def _by_name(*losses: Loss) -> dict[str, Loss]:
    return {loss.name: loss for loss in losses}


SIGMOID = _by_name(  # of a sigmoid for each output, in closed form
    Loss("bce", "cross_entropy", "CE", invertible=True, tasks=TASKS),
    Loss(
        "pos_weight",
        "focal_loss",
        "CE, times negatives / positives where y = 1",
        invertible=True,
        tasks=TASKS,
    ),
    Loss(
        "alpha",
        "focal_loss",
        "a_t CE, a_t = alpha if y else 1 - alpha",
        "Lin et al. 2017, eq. 3",
        grids=("alpha",),
        invertible=True,
        tasks=TASKS,
    ),
    Loss(
        "focal",
        "focal_loss",
        "a_t q^gamma CE, a_t = alpha if y else 1 - alpha",
        "Lin et al. 2017, eq. 5",
        grids=("alpha", "gamma"),
        invertible=True,
        tasks=TASKS,
    ),
)
SOFTMAX = _by_name(  # of one softmax over the classes, in closed form
    Loss("ce", "softmax_focal_loss", "-log p_t, p_t = softmax(x)[t]", invertible=True, tasks=("multiclass",)),
    Loss(
        "weighted_ce",
        "softmax_focal_loss",
        "w[t] (-log p_t), w[t] = rows / (classes x rows of class t)",
        invertible=True,
        tasks=("multiclass",),
    ),
    Loss(
        "softmax_focal",
        "softmax_focal_loss",
        "w[t] (1 - p_t)^gamma (-log p_t), p_t = softmax(x)[t], w = 1 or, at alpha balanced, as of weighted_ce",
        "Lin et al. 2017",
        grids=("alpha", "gamma"),
        invertible=True,
        tasks=("multiclass",),
    ),
)
RIVALS = _by_name(  # of the focal loss, on one output
    Loss(
        "class_balanced",
        "class_balanced_weights",
        "w[y] CE, w[c] proportional to (1 - beta) / (1 - beta^n_c), n_c the rows of class c",
        "Cui et al. 2019",
        parameters=(Parameter("beta", 0.9999, "[0, 1)"),),
        needs=("positives", "negatives"),
        invertible=True,
    ),
    Loss(
        "focal_star",
        "focal_star_loss",
        "-log(sigmoid(gamma x y' + beta)) / gamma",
        "Lin et al. 2017, eq. 11",
        parameters=(Parameter("gamma", 2.0, "(0, inf)"), Parameter("beta", 1.0, "(-inf, inf)")),
        invertible=True,
    ),
    Loss("hinge", "hinge_loss", "max(0, 1 - y' x)", "Cortes & Vapnik 1995"),
    Loss(
        "label_smoothed",
        "label_smoothed_cross_entropy",
        "CE against y (1 - smoothing) + smoothing / 2",
        "Szegedy et al. 2016",
        parameters=(Parameter("smoothing", 0.1, "[0, 1]"),),
        invertible=True,
    ),
    Loss(
        "poly1",
        "poly1_loss",
        "CE + epsilon (1 - p_t)",
        "Leng et al. 2022",
        parameters=(Parameter("epsilon", 1.0, "[-1, inf)"),),
        invertible=True,
    ),
    Loss(
        "logit_adjusted",
        "logit_adjusted_loss",
        "CE at x + tau log(pi / (1 - pi))",
        "Menon et al. 2021",
        parameters=(Parameter("tau", 1.0, "[0, inf)"),),
        needs=("prevalence",),
        invertible=True,
    ),
    Loss(
        "asymmetric",
        "asymmetric_loss",
        "q^gamma_positive CE if y; else p_m^gamma_negative (-log(1 - p_m)), p_m = max(p - margin, 0)",
        "Ridnik et al. 2021",
        parameters=(
            Parameter("gamma_positive", 0.0, "[0, inf)"),
            Parameter("gamma_negative", 4.0, "[0, inf)"),
            Parameter("margin", 0.05, "[0, 1)"),
        ),
    ),
    Loss(
        "ldam",
        "ldam_loss",
        "CE at scale (x y' - D_y), D_c proportional to n_c^(-1/4), the larger D max_margin; from the share start of "
        "the epochs on weighted as class_balanced",
        "Cao et al. 2019",
        parameters=(
            Parameter("max_margin", 0.5, "[0, inf)"),
            Parameter("scale", 1.0, "(0, inf)"),  # the authors' 30 is for cosines; these logits are free
        ),
        needs=("positives", "negatives"),
        schedule=(Parameter("start", 0.8, "[0, 1]"), Parameter("beta", 0.9999, "[0, 1)")),
    ),
    Loss(
        "ohem",
        "ohem_loss",
        "mean CE of the positives and of ratio times as many hardest negatives",
        "Shrivastava et al. 2016",
        parameters=(Parameter("ratio", 3.0, "(0, inf)"),),
        kind="batch",
    ),
    Loss(
        "topk",
        "topk_loss",
        "mean CE of the hardest share of the batch",
        "Shrivastava et al. 2016",
        parameters=(Parameter("share", 0.25, "(0, 1]"),),
        kind="batch",
    ),
    Loss(
        "dice",
        "dice_loss",
        "1 - (2 sum p y + smooth) / (sum p + sum y + smooth), the sums over the batch",
        "Milletari et al. 2016",
        parameters=(Parameter("smooth", 1.0, "[0, inf)"),),
        kind="batch",
    ),
    Loss(
        "tversky",
        "tversky_loss",
        "1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth), soft counts over the batch",
        "Salehi et al. 2017",
        parameters=(
            Parameter("alpha", 0.3, "[0, inf)"),
            Parameter("beta", 0.7, "[0, inf)"),
            Parameter("smooth", 1.0, "[0, inf)"),
        ),
        kind="batch",
    ),
    Loss(
        "focal_tversky",
        "focal_tversky_loss",
        "(1 - TI)^(1 / gamma), TI = (TP + smooth) / (TP + alpha FP + beta FN + smooth), soft counts over the batch",
        "Abraham & Khan 2019",
        parameters=(
            Parameter("alpha", 0.3, "[0, inf)"),
            Parameter("beta", 0.7, "[0, inf)"),
            Parameter("gamma", 4 / 3, "[1, inf)"),
            Parameter("smooth", 1.0, "[0, inf)"),
        ),
        kind="batch",
    ),
    Loss(
        "smooth_ap",
        "smooth_ap_loss",
        "1 - mean over positives of precision at their rank, ranks counted by sigmoid((x_j - x_i) / tau)",
        "Brown et al. 2020",
        parameters=(Parameter("tau", 0.01, "(0, inf)"),),
        kind="order",
    ),
)
CATALOGUE = SIGMOID | SOFTMAX | RIVALS
FOCAL = tuple(name for name, loss in CATALOGUE.items() if "gamma" in loss.grids)


def defaults(name: str) -> tuple[tuple[str, float], ...]:
    """The hyperparameters of a rival where nothing is said; empty for every other loss."""
    return tuple((each.name, each.default) for each in RIVALS[name].hyperparameters) if name in RIVALS else ()


def sees_batches(name: str) -> bool:
    """Whether a loss of the catalogue has one value for a whole batch."""
    return name in CATALOGUE and CATALOGUE[name].kind != "elementwise"
