"""Every loss of this package in one literal table: what `focalbench losses` prints.

Notation: x the logit, y the label, p = sigmoid(x), p_t = p if y else 1 - p, q = 1 - p_t, CE = -log p_t,
pi the share of positives, y' = 2y - 1.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """A loss: name in focalbench.losses, formula, hyperparameters and ranges, source, and --loss with its defaults."""

    name: str
    formula: str
    hyperparameters: str
    source: str
    arm: str = ""


CATALOGUE = (
    Entry("cross_entropy", "CE", "", "", "bce"),
    Entry(
        "focal_loss",
        "a_t q^gamma CE, a_t = alpha if y else 1 - alpha; times pos_weight where y = 1",
        "alpha in [0, 1] or None, gamma >= 0, pos_weight >= 0",
        "Lin et al. 2017, eq. 5",
        "focal, alpha (gamma 0), pos_weight",
    ),
    Entry(
        "focal_star_loss",
        "-log(sigmoid(gamma x y' + beta)) / gamma",
        "gamma > 0, beta finite",
        "Lin et al. 2017, eq. 11",
        "focal_star:gamma=2,beta=1",
    ),
    Entry(
        "softmax_focal_loss",
        "alpha[t] (1 - p_t)^gamma (-log p_t), p_t = softmax(x)[t]",
        "alpha: C weights >= 0 or None, gamma >= 0, label_smoothing in [0, 1)",
        "Lin et al. 2017",
        "softmax_focal, ce (gamma 0), weighted_ce (--task multiclass)",
    ),
    Entry(
        "class_balanced_weights",
        "weights (1 - beta) / (1 - beta^n) for classes of n rows, for any of the losses",
        "beta in [0, 1)",
        "Cui et al. 2019",
        "class_balanced:beta=0.9999",
    ),
    Entry("hinge_loss", "max(0, 1 - y' x)", "", "Cortes & Vapnik 1995", "hinge"),
    Entry(
        "ohem_loss",
        "mean CE of the positives and of as many times `ratio` hardest negatives",
        "ratio > 0",
        "Shrivastava et al. 2016",
        "ohem:ratio=3",
    ),
    Entry(
        "topk_loss",
        "mean CE of the hardest `share` of the batch",
        "share in (0, 1]",
        "Shrivastava et al. 2016",
        "topk:share=0.25",
    ),
    Entry(
        "dice_loss",
        "1 - (2 sum p y + s) / (sum p + sum y + s), the sums over the batch",
        "smooth s >= 0",
        "Milletari et al. 2016",
        "dice:smooth=1",
    ),
    Entry(
        "tversky_loss",
        "1 - (TP + s) / (TP + alpha FP + beta FN + s), soft counts over the batch",
        "alpha, beta, smooth s >= 0",
        "Salehi et al. 2017",
        "tversky:alpha=0.3,beta=0.7,smooth=1",
    ),
    Entry(
        "label_smoothed_cross_entropy",
        "CE against y (1 - e) + e / 2",
        "smoothing e in [0, 1]",
        "Szegedy et al. 2016",
        "label_smoothed:smoothing=0.1",
    ),
    Entry(
        "asymmetric_loss",
        "q^gamma_positive CE if y; else p_m^gamma_negative (-log(1 - p_m)), p_m = max(p - m, 0)",
        "gamma_positive, gamma_negative >= 0, margin m in [0, 1)",
        "Ridnik et al. 2021",
        "asymmetric:gamma_positive=0,gamma_negative=4,margin=0.05",
    ),
    Entry(
        "ldam_loss",
        "CE at s (x y' - D_y), D_c proportional to n_c^(-1/4); with deferred_weights: DRW",
        "rows n_c of each class; max_margin >= 0, the larger D; scale s > 0; of the weights: start in [0, 1], "
        "beta in [0, 1)",
        "Cao et al. 2019",
        "ldam:max_margin=0.5,scale=1,start=0.8,beta=0.9999",
    ),
    Entry(
        "logit_adjusted_loss",
        "CE at x + tau log(pi / (1 - pi))",
        "prevalence pi in (0, 1), tau >= 0",
        "Menon et al. 2021",
        "logit_adjusted:tau=1",
    ),
    Entry("poly1_loss", "CE + epsilon (1 - p_t)", "epsilon >= -1", "Leng et al. 2022", "poly1:epsilon=1"),
    Entry(
        "smooth_ap_loss",
        "1 - mean over positives of precision at their rank, ranks counted by sigmoid((x_j - x_i) / tau)",
        "tau > 0",
        "Brown et al. 2020",
        "smooth_ap:tau=0.01",
    ),
)
