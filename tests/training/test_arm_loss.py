"""From an arm to its loss: weights, starts and ways back, of this package's losses and of the rivals."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from focalbench.errors import InputError
from focalbench.runs.arm import Arm
from focalbench.runs.catalogue import CATALOGUE, RIVALS, sees_batches
from focalbench.training.arm_loss import class_weights, recovered, run_loss, start_bias
from focalbench.training.rivals import ClassCounts, Rival, rival_loss
from focalbench.training.stack_loss import WeightedFocal

RARE = ClassCounts(60, 39_940)
COUNT = st.integers(1, 10**6)


def weights(arm: Arm, counts: ClassCounts) -> tuple[float, float]:
    found = class_weights(arm, counts)
    assert found is not None
    return found


@given(COUNT, COUNT)
def test_class_weights_have_mean_1_and_pos_weight_is_balanced_alpha(positives: int, negatives: int) -> None:
    counts = ClassCounts(positives, negatives)
    pos_weight = weights(Arm("pos_weight"), counts)
    assert pos_weight == weights(Arm("alpha", alpha="balanced"), counts)
    assert pos_weight[0] / pos_weight[1] == pytest.approx(negatives / positives, rel=1e-9)
    arms = [Arm("bce"), Arm("pos_weight"), Arm("focal", alpha=0.25, gamma=2.0), Arm("alpha", alpha=0.99)]
    for arm in (*arms, Arm("class_balanced"), Arm("class_balanced", params=(("beta", 0.9),))):
        positive, negative = weights(arm, counts)
        mean = counts.prevalence * positive + (1 - counts.prevalence) * negative
        assert mean == pytest.approx(1, rel=1e-12)


def test_class_weights_of_fixed_alpha_and_of_the_effective_numbers() -> None:
    positive, negative = weights(Arm("focal", alpha=0.25, gamma=2.0), RARE)
    assert positive / negative == pytest.approx(1 / 3, rel=1e-14)
    assert weights(Arm("focal", gamma=2.0), RARE) == (1.0, 1.0)
    positive, negative = weights(Arm("class_balanced", params=(("beta", 0.999),)), RARE)
    assert positive / negative == pytest.approx((1 - 0.999**39_940) / (1 - 0.999**60), rel=1e-9)


@pytest.mark.parametrize("counts", [ClassCounts(0, 5), ClassCounts(5, 0)])
def test_weights_and_starts_need_both_classes(counts: ClassCounts) -> None:
    for arm in (Arm("bce"), Arm("class_balanced")):
        with pytest.raises(InputError):
            class_weights(arm, counts)
    with pytest.raises(InputError):
        start_bias(Arm("bce"), counts)


@pytest.mark.parametrize(
    ("arm", "bias"),
    [
        (Arm("bce"), -6.50078904),
        (Arm("pos_weight"), 0.0),
        (Arm("alpha", alpha="balanced"), 0.0),
        (Arm("focal", alpha="balanced", gamma=2.0), 0.0),
        (Arm("alpha", alpha=0.25), -6.50078904 - math.log(3)),
        (Arm("focal", gamma=2.0), -2.399),
        (Arm("focal", gamma=5.0), -1.167),
        (Arm("focal", alpha=0.25, gamma=2.0), -2.793),
        (Arm("focal", gamma=2.0, init="prior"), -6.50078904),
        (Arm("pos_weight", init="prior"), -6.50078904),
        (Arm("focal", gamma=2.0, init="zero"), 0.0),
        (
            Arm("class_balanced"),
            math.log(60 * -math.expm1(39_940 * math.log(0.9999)))
            - math.log(39_940 * -math.expm1(60 * math.log(0.9999))),
        ),
        (Arm("alpha", alpha=1.0), 30.0),  # a loss that ignores a class is clipped
        (Arm("hinge"), -1.0),
        (Arm("label_smoothed"), logit(0.0015 * 0.9 + 0.05)),
        (Arm("logit_adjusted"), 0.0),
        (Arm("logit_adjusted", params=(("tau", 2.0),)), 6.50078904),
        (Arm("ohem"), -math.log(3)),
        (Arm("ohem", params=(("ratio", 30.0),)), -math.log(30)),
        (Arm("topk"), logit(0.0015 / 0.25)),
        (Arm("dice"), 0.0),  # best with everything called positive: no start
        (Arm("smooth_ap"), 0.0),  # all are equal
        (Arm("ohem", init="prior"), -6.50078904),
        (Arm("ohem", init="zero"), 0.0),
    ],
)
def test_start_bias_at_a_prevalence_of_15_in_10000(arm: Arm, bias: float) -> None:
    assert start_bias(arm, RARE) == pytest.approx(bias, abs=5e-4 if bias else 1e-12, rel=0)


@pytest.mark.parametrize("name", ["dice", "tversky", "focal_tversky", "smooth_ap"])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_losses_without_a_best_constant_start_at_0_at_every_rate(name: str, smooth: float) -> None:
    arm = Arm(name) if name == "smooth_ap" else Arm(name, params=(("smooth", smooth),))
    for positives in (1, 7, 22, 30, 93, 300, 750, 1400):
        assert start_bias(arm, ClassCounts(positives, 1500 - positives)) == 0


def test_ldam_weighted_from_the_first_epoch_starts_at_the_weighted_constant() -> None:
    late, early = (start_bias(Arm("ldam", params=(("start", start),)), ClassCounts(30, 1470)) for start in (0.8, 0.0))
    assert [late, early] == pytest.approx([-4.07, 0.07], abs=0.01)


def test_balanced_classes_start_hinge_at_0() -> None:
    assert start_bias(Arm("hinge"), ClassCounts(500, 500)) == pytest.approx(0, abs=1e-9)


WITHOUT_FORMULA_OR_WITH_A_KINK = ("class_balanced", "hinge")
ELEMENTWISE = [name for name in RIVALS if not sees_batches(name) and name not in WITHOUT_FORMULA_OR_WITH_A_KINK]
INVERTIBLE = [name for name, loss in CATALOGUE.items() if loss.invertible and "binary" in loss.tasks]


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("counts", [RARE, ClassCounts(300, 700), ClassCounts(9, 1)])
def test_an_elementwise_rival_starts_where_its_expected_loss_is_least(name: str, counts: ClassCounts) -> None:
    rival = Rival(name, Arm(name).params, counts)

    def expected(x: float) -> float:
        values = rival_loss(rival, dict(rival.params), torch.full((1, 1, 2), x).double(), torch.tensor([1, 0]))
        return float(values[0, 0] @ torch.tensor([counts.prevalence, 1 - counts.prevalence]).double())

    found = start_bias(Arm(name), counts)
    least = min(minimize_scalar(expected, bounds=ends, method="bounded").fun for ends in ((-20, 0), (0, 20), (-9, 9)))
    assert expected(found) == pytest.approx(least, abs=1e-9)
    assert expected(found + 0.1) > expected(found) < expected(found - 0.1)


@pytest.mark.parametrize(("name", "constants"), [("ohem", (-3.0, 3.0)), ("topk", (-8.0, -1.0))])
def test_a_rival_of_batches_starts_where_all_rows_together_have_the_least_loss(
    name: str, constants: tuple[float, float]
) -> None:
    counts = ClassCounts(30, 9_970)
    targets = (torch.arange(10_000) < 30).double()
    rival = Rival(name, Arm(name).params, counts)

    def whole(x: float) -> float:
        return float(rival_loss(rival, dict(rival.params), torch.full((1, 1, 10_000), x).double(), targets))

    assert start_bias(Arm(name), counts) == pytest.approx(
        minimize_scalar(whole, bounds=constants, method="bounded", options={"xatol": 1e-6}).x, abs=2e-2
    )


SCORES = np.linspace(-9, 9, 37)


@pytest.mark.parametrize(
    ("arm", "back"),
    [
        (Arm("logit_adjusted"), SCORES + logit(0.0015)),
        (Arm("poly1"), SCORES + np.log1p(expit(-SCORES)) - np.log1p(expit(SCORES))),
        (Arm("class_balanced", params=(("beta", 0.0),)), SCORES),
        (Arm("focal_star"), np.log(expit(2 * SCORES - 1)) - np.log(expit(-2 * SCORES - 1))),
    ],
)
def test_the_way_back_from_a_rival_is_its_closed_form(arm: Arm, back: list[float]) -> None:
    found = recovered(arm, RARE, torch.from_numpy(SCORES))
    assert found is not None
    np.testing.assert_allclose(found, back, rtol=1e-9, atol=1e-9)


def test_label_smoothing_gives_back_the_probabilities_between_its_ends() -> None:
    probability = np.linspace(0.051, 0.949, 50)
    found = recovered(Arm("label_smoothed"), RARE, torch.from_numpy(logit(probability)))
    assert found is not None
    np.testing.assert_allclose(expit(found), (probability - 0.05) / 0.9, atol=1e-9)
    beyond = recovered(Arm("label_smoothed"), RARE, torch.tensor([-5.0, 5.0]))
    assert beyond is not None
    np.testing.assert_array_equal(beyond, [-np.inf, np.inf])


@pytest.mark.parametrize("name", INVERTIBLE)
def test_the_way_back_is_right_where_a_rival_starts_and_never_turns(name: str) -> None:
    arm = Arm(name, alpha=0.3) if name == "alpha" else Arm(name, gamma=2.0) if name == "focal" else Arm(name)
    at_start = recovered(arm, RARE, torch.tensor([start_bias(arm, RARE)], dtype=torch.float64))
    assert at_start is not None
    assert expit(at_start[0]) == pytest.approx(0.0015, rel=1e-6)
    grid = recovered(arm, RARE, torch.linspace(-2.9, 2.9, 99))
    assert grid is not None
    assert np.all(np.diff(grid) > 0)


@pytest.mark.parametrize("name", [name for name, loss in CATALOGUE.items() if not loss.invertible])
def test_losses_without_a_way_back_say_so(name: str) -> None:
    assert recovered(Arm(name), RARE, torch.zeros(3)) is None


def test_an_arm_becomes_the_loss_it_names() -> None:
    assert run_loss(Arm("focal", 0.25, 2.0), [ClassCounts(1, 1)]) == WeightedFocal(2.0, (0.5,), (1.5,))
    assert run_loss(Arm("ohem"), [RARE]) == Rival("ohem", (("ratio", 3.0),), RARE)
    assert run_loss(Arm("class_balanced", params=(("beta", 0.0),)), [RARE]) == WeightedFocal(0.0, (1.0,), (1.0,))
