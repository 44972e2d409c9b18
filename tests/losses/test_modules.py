"""The nn.Modules: drop-in for torch's, imbalanced-losses' arguments, identities, and every refusal."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from focalbench.errors import InputError
from focalbench.losses import SigmoidFocalLoss, SoftmaxFocalLoss, focal_hessian, focal_loss, focal_star_loss

SEEDS = st.integers(0, 2**32 - 1)
GAMMAS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 5.0])
ALPHAS = st.floats(0, 1)


def batch(seed: int, *shape: int, scale: float = 8.0) -> tuple[Tensor, Tensor]:
    """Float64 logits and 0/1 targets of a shape."""
    rng = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(shape, generator=rng, dtype=torch.float64)
    return logits, (torch.rand(shape, generator=rng, dtype=torch.float64) < 0.3).double()


def classes(seed: int, count: int = 4) -> tuple[Tensor, Tensor]:
    """Logits (6, count, 5) and targets (6, 5)."""
    rng = torch.Generator().manual_seed(seed)
    return 5 * torch.randn(6, count, 5, generator=rng, dtype=torch.float64), torch.randint(count, (6, 5), generator=rng)


def gradient(loss: Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    x = logits.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(x).sum(), x)
    return slope


# ---- identities


@given(SEEDS)
def test_gamma_zero_is_bce_and_pos_weight_is_torchs(seed: int) -> None:
    logits, targets = batch(seed, 4, 3)
    weight = torch.tensor([0.5, 3.0, 600.0], dtype=torch.float64)
    for pos_weight in (None, weight):
        ours = SigmoidFocalLoss(alpha=None, gamma=0.0, pos_weight=pos_weight).double()
        theirs = torch.nn.BCEWithLogitsLoss(pos_weight=pos_weight)
        torch.testing.assert_close(ours(logits, targets), theirs(logits, targets))
        slopes = (gradient(lambda x, loss=loss: loss(x, targets), logits) for loss in (ours, theirs))  # type: ignore[misc]
        torch.testing.assert_close(*slopes)


@given(SEEDS, GAMMAS, st.floats(0.01, 1e3))
def test_pos_weight_is_alpha_up_to_a_factor(seed: int, gamma: float, weight: float) -> None:
    logits, targets = batch(seed, 7)
    weighted = SigmoidFocalLoss(None, gamma, pos_weight=torch.tensor(weight, dtype=torch.float64)).double()
    alpha = SigmoidFocalLoss(weight / (1 + weight), gamma)
    torch.testing.assert_close(weighted(logits, targets), (1 + weight) * alpha(logits, targets))


@given(SEEDS, GAMMAS)
def test_softmax_of_two_classes_is_sigmoid(seed: int, gamma: float) -> None:
    logits, targets = batch(seed, 9)
    pair = torch.stack([0.3 * logits, 1.3 * logits], dim=1)  # a lead of x, wherever the two stand
    torch.testing.assert_close(
        SoftmaxFocalLoss(gamma=gamma)(pair, targets.long()), SigmoidFocalLoss(None, gamma)(logits, targets)
    )


@given(SEEDS, GAMMAS, st.floats(0, 0.9))
def test_softmax_against_torchs_cross_entropy(seed: int, gamma: float, smoothing: float) -> None:
    logits, targets = classes(seed)
    targets[0, 0] = -100
    plain = cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
    index = targets.clamp(min=0).unsqueeze(1)
    others = (logits.scatter(1, index, -torch.inf).logsumexp(1) - logits.logsumexp(1)).exp()  # 1 - p_t would cancel
    loss = SoftmaxFocalLoss(gamma=gamma, reduction="none", label_smoothing=smoothing)(logits, targets)
    torch.testing.assert_close(loss, others**gamma * plain, rtol=1e-6, atol=1e-12)


@given(SEEDS, GAMMAS, ALPHAS)
def test_focal_is_at_most_cross_entropy_and_none_sums_to_sum(seed: int, gamma: float, alpha: float) -> None:
    logits, targets = batch(seed, 5, 4)
    each = SigmoidFocalLoss(alpha, gamma, "none")(logits, targets)
    plain = binary_cross_entropy_with_logits(logits, targets, reduction="none")
    assert bool((each <= plain * (1 + 1e-12) + 1e-14).all())  # theirs cancels on easy samples
    torch.testing.assert_close(each.sum(), SigmoidFocalLoss(alpha, gamma, "sum")(logits, targets))
    torch.testing.assert_close(each.mean(), SigmoidFocalLoss(alpha, gamma)(logits, targets))
    positive = each.sum() / targets.sum().clamp(min=1)
    torch.testing.assert_close(positive, SigmoidFocalLoss(alpha, gamma, "mean_positive")(logits, targets))


@given(SEEDS, st.randoms(use_true_random=False))
def test_order_and_company_do_not_matter(seed: int, rng: st.DrawFn) -> None:
    logits, targets = classes(seed)
    loss = SoftmaxFocalLoss(alpha=[0.1, 0.2, 0.3, 0.4], reduction="none").double()
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(loss(logits, targets)[order], loss(logits[order], targets[order]))
    torch.testing.assert_close(loss(logits, targets)[2:3], loss(logits[2:3], targets[2:3]))


@given(SEEDS, GAMMAS, ALPHAS)
def test_a_soft_target_is_the_expectation_over_the_label(seed: int, gamma: float, alpha: float) -> None:
    logits, _ = batch(seed, 8)
    share = torch.rand(8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    one, zero = (focal_loss(logits, torch.full_like(logits, y), alpha=alpha, gamma=gamma) for y in (1.0, 0.0))
    torch.testing.assert_close(focal_loss(logits, share, alpha=alpha, gamma=gamma), share * one + (1 - share) * zero)
    smooth = SigmoidFocalLoss(alpha, gamma, label_smoothing=0.2)(logits, (share > 0.5).double())
    torch.testing.assert_close(
        smooth, focal_loss(logits, (share > 0.5).double() * 0.8 + 0.1, alpha=alpha, gamma=gamma).mean()
    )


# ---- closed forms


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_gradients_of_gradients(gamma: float) -> None:
    logits, targets = batch(0, 6, scale=3.0)
    logits[0] = 0.0  # where |x| has no derivative
    x = logits.requires_grad_()
    for y in (targets, targets * 0.8 + 0.1):

        def loss(x: Tensor, y: Tensor = y) -> Tensor:
            return focal_loss(x, y, alpha=0.3, gamma=gamma, pos_weight=2.0)

        assert torch.autograd.gradcheck(loss, x)
        assert torch.autograd.gradgradcheck(loss, x)
    many, classed = classes(1)
    assert torch.autograd.gradcheck(lambda x: SoftmaxFocalLoss(gamma=gamma)(x, classed[:2]), many[:2].requires_grad_())


def test_the_hessian_is_autograds() -> None:
    logits, targets = batch(3, 30)
    for gamma in (0.0, 0.5, 2.0, 5.0):
        (first,) = torch.autograd.grad(
            focal_loss(x := logits.clone().requires_grad_(), targets, gamma=gamma).sum(), x, create_graph=True
        )
        (second,) = torch.autograd.grad(first.sum(), x)
        torch.testing.assert_close(focal_hessian(logits, targets, gamma, 1.0), second, rtol=1e-9, atol=1e-14)


def test_under_func_and_vmap() -> None:
    logits, targets = batch(4, 5, 3)
    wanted = gradient(lambda x: focal_loss(x, targets), logits)
    found = torch.func.vmap(torch.func.grad(lambda x, y: focal_loss(x, y).sum()))(logits, targets)
    torch.testing.assert_close(found, wanted)
    gammas = torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    each = torch.func.vmap(lambda gamma: focal_loss(logits, targets, gamma=gamma))(gammas)
    for gamma, values in zip(gammas.tolist(), each, strict=True):
        torch.testing.assert_close(values, focal_loss(logits, targets, gamma=gamma))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # both raised within the compiler
@pytest.mark.filterwarnings("ignore:.*autograd.function.Function:DeprecationWarning")
def test_under_compile() -> None:
    logits, targets = batch(5, 200)
    loss = SigmoidFocalLoss()
    compiled = torch.compile(loss, fullgraph=True)
    torch.testing.assert_close(compiled(logits, targets), loss(logits, targets))
    torch.testing.assert_close(
        gradient(lambda x: compiled(x, targets), logits), gradient(lambda x: loss(x, targets), logits)
    )


def test_one_tensor_is_kept_for_backward() -> None:
    logits, targets = torch.randn(1000, requires_grad=True), torch.zeros(1000)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        SigmoidFocalLoss()(logits, targets)
    extra = [
        size for where, size in kept.items() if where not in (logits.data_ptr(), targets.data_ptr()) and size == 1000
    ]
    assert len(extra) == 1


def test_focal_star_is_the_papers() -> None:
    logits = torch.tensor([-2.0, 0.0], dtype=torch.float64)
    found = focal_star_loss(logits, torch.ones(2), gamma=2.0, beta=1.0)
    torch.testing.assert_close(found, torch.tensor([1.52429367578687, 0.156630843759111], dtype=torch.float64))
    slope = gradient(lambda x: focal_star_loss(x, torch.ones(2), gamma=2.0, beta=1.0), logits)[0]
    assert float(slope) == pytest.approx(-0.952574126822433)


def test_keras_documented_value() -> None:
    logits, targets = torch.tensor([-18.6, 0.51, 2.94, -12.8]), torch.tensor([0.0, 1.0, 0.0, 0.0])
    assert float(SigmoidFocalLoss(alpha=None)(logits, targets)) == pytest.approx(0.6912120758320666, rel=1e-6)
    assert float(SigmoidFocalLoss(alpha=0.25)(logits, targets)) == pytest.approx(0.5101332954752429, rel=1e-6)


# ---- dtypes, weights, reductions


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype: torch.dtype) -> None:
    logits = torch.tensor([-1e4, -60.0, -8.0, 0.0, 3.0, 17.0, 60.0, 1e4]).to(dtype)
    targets = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]).to(dtype)
    for gamma in (0.5, 2.0):
        half = SigmoidFocalLoss(0.25, gamma, "none")(logits, targets)
        assert half.dtype == dtype
        wide = SigmoidFocalLoss(0.25, gamma, "none")(logits.float(), targets.float())
        torch.testing.assert_close(half.float(), wide, rtol=torch.finfo(dtype).eps, atol=torch.finfo(dtype).tiny)
    many = torch.full((100_000,), 10.0, dtype=dtype)
    assert float(SigmoidFocalLoss(None, 0.0)(many, torch.zeros_like(many))) == pytest.approx(
        10, rel=1e-2
    )  # no overflow


def test_sample_weights_are_repetitions() -> None:
    logits, targets = batch(6, 4, 3)
    weight = torch.tensor([1.0, 2.0, 0.0, 3.0], dtype=torch.float64)
    rows = torch.repeat_interleave(torch.arange(4), weight.long())
    for reduction in ("mean", "sum", "mean_positive"):
        loss = SigmoidFocalLoss(0.3, reduction=reduction)
        torch.testing.assert_close(
            loss(logits, targets, sample_weight=weight[:, None]), loss(logits[rows], targets[rows])
        )
    many, classed = classes(2)
    classed[0, 0] = -100
    each = torch.ones(6, 5, dtype=torch.float64)
    each[3] = 2
    again = torch.tensor([0, 1, 2, 3, 3, 4, 5])
    for reduction in ("mean", "sum", "mean_positive"):
        softmax = SoftmaxFocalLoss(alpha=[0.1, 0.9, 0.5, 0.5], reduction=reduction).double()
        torch.testing.assert_close(softmax(many, classed, sample_weight=each), softmax(many[again], classed[again]))


def test_an_ignored_position_has_no_loss_and_no_gradient_whatever_stands_there() -> None:
    logits, targets = classes(7)
    targets[1, 2] = -100
    logits[1, :, 2] = math.nan
    x = logits.requires_grad_()
    loss = SoftmaxFocalLoss(reduction="sum", label_smoothing=0.1)(x, targets)
    loss.backward()
    assert x.grad is not None
    assert bool(torch.isfinite(loss))
    assert x.grad[1, :, 2].tolist() == [0.0] * 4
    assert bool(x.grad.isfinite().all())
    ignored = SoftmaxFocalLoss()(logits.detach(), torch.full_like(targets, -100))
    assert float(ignored) == 0.0


def test_mean_positive_counts_the_foreground_at_least_one() -> None:
    logits, _ = classes(8)
    background = torch.zeros(6, 5, dtype=torch.long)
    loss = SoftmaxFocalLoss(reduction="mean_positive")
    torch.testing.assert_close(loss(logits, background), SoftmaxFocalLoss(reduction="sum")(logits, background))
    other = SoftmaxFocalLoss(reduction="mean_positive", background_class=1)
    torch.testing.assert_close(other(logits, background), SoftmaxFocalLoss()(logits, background))
    nothing = SigmoidFocalLoss(reduction="mean_positive")(torch.ones(3), torch.zeros(3))
    torch.testing.assert_close(nothing, SigmoidFocalLoss(reduction="sum")(torch.ones(3), torch.zeros(3)))


def test_nan_logits_propagate_and_an_offset_costs_nothing() -> None:
    assert math.isnan(SigmoidFocalLoss()(torch.tensor([math.nan, 1.0]), torch.ones(2)))
    logits, targets = classes(9)
    exact = (logits * 8).round() / 8  # so that adding the offset rounds nothing
    loss = SoftmaxFocalLoss(gamma=0.5, reduction="none")
    torch.testing.assert_close(loss(exact + 2.0**20, targets), loss(exact, targets), rtol=1e-9, atol=0)


def test_the_state_and_the_picture_of_a_module() -> None:
    loss = SoftmaxFocalLoss(alpha=[0.5, 1.0])
    assert set(loss.state_dict()) == {"alpha"}
    assert repr(SigmoidFocalLoss(alpha=-1)) == "SigmoidFocalLoss(alpha=None, gamma=2.0, reduction='mean')"


# ---- imbalanced-losses moves over by its import


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("alpha", [0.25, -1])
def test_sigmoid_is_that_of_imbalanced_losses_where_that_is_right(reduction: str, alpha: float) -> None:
    theirs = pytest.importorskip("imbalanced_losses")
    logits, targets = batch(10, 5, 3, scale=2.0)
    weight = torch.rand(5, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for options in ({}, {"sample_weight": weight}):
        arguments = (alpha, 2.0, reduction, False)
        wanted = theirs.SigmoidFocalLoss(*arguments)(logits, targets, **options)
        torch.testing.assert_close(SigmoidFocalLoss(*arguments)(logits, targets, **options), wanted)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum", "mean_positive"])
def test_softmax_is_that_of_imbalanced_losses_where_that_is_right(reduction: str) -> None:
    theirs = pytest.importorskip("imbalanced_losses")
    logits, targets = classes(11)
    targets[2, 2] = -100
    arguments = ([0.1, 0.2, 0.3, 0.4], 2.0, reduction, 0.1, -100, 1, False)
    for options in ({}, {"sample_weight": torch.rand(6, 5, generator=torch.Generator().manual_seed(0))}):
        wanted = theirs.SoftmaxFocalLoss(*arguments)(logits.float(), targets, **options)
        torch.testing.assert_close(
            SoftmaxFocalLoss(*arguments)(logits.float(), targets, **options), wanted, rtol=1e-4, atol=1e-6
        )


# ---- refusals


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SigmoidFocalLoss(alpha=1.5), "alpha must lie in"),
        (lambda: SigmoidFocalLoss(alpha=math.nan), "alpha must lie in"),
        (lambda: SigmoidFocalLoss(gamma=-1), "gamma must be"),
        (lambda: SigmoidFocalLoss(gamma=math.nan), "gamma must be"),
        (lambda: SigmoidFocalLoss(reduction="average"), "reduction must be one of none, mean"),
        (lambda: SigmoidFocalLoss(label_smoothing=1.0), "label_smoothing"),
        (lambda: SigmoidFocalLoss(pos_weight=-1.0), "pos_weight"),
        (lambda: SoftmaxFocalLoss(gamma=-0.5), "gamma must be"),
        (lambda: SoftmaxFocalLoss(alpha=[-1.0, 1.0]), "alpha must be"),
        (lambda: SoftmaxFocalLoss(alpha=[1.0]), "2 or more classes"),
        (lambda: SoftmaxFocalLoss(alpha=[[1.0, 2.0]]), "2 or more classes"),  # type: ignore[list-item]
        (lambda: SoftmaxFocalLoss(reduction="batchmean"), "reduction must be one of"),
        (lambda: SigmoidFocalLoss(gather_distributed=True)(torch.ones(2), torch.ones(2)), "initialised"),
        (lambda: SigmoidFocalLoss()(torch.ones(2), torch.ones(2, 1)), r"one shape, got \(2,\) and \(2, 1\)"),
        (lambda: SigmoidFocalLoss()(torch.ones(2, dtype=torch.long), torch.ones(2)), "logits must be floating"),
        (lambda: SigmoidFocalLoss()(torch.ones(2), torch.tensor([0, 2])), "targets must lie in"),
        (lambda: SigmoidFocalLoss()(torch.ones(2), torch.tensor([0, math.nan])), "targets must lie in"),
        (lambda: SigmoidFocalLoss()(torch.ones(2), torch.ones(2).requires_grad_()), "detach"),
        (lambda: weighed(torch.tensor([1.0, -1.0])), "finite and >= 0"),
        (lambda: weighed(torch.tensor([1.0, math.inf])), "finite and >= 0"),
        (lambda: weighed(torch.ones(3)), "one entry a sample"),
        (lambda: weighed(torch.tensor(1.0)), "one entry a sample"),
        (lambda: weighed(torch.ones(2, 2)), "does not broadcast"),
        (lambda: SoftmaxFocalLoss()(torch.ones(2), torch.ones(2).long()), "must be"),
        (lambda: SoftmaxFocalLoss()(torch.ones(2, 1), torch.zeros(2).long()), "C >= 2"),
        (
            lambda: SoftmaxFocalLoss()(torch.ones(2, 3), torch.zeros(3).long()),
            r"got logits \(2, 3\) and targets \(3,\)",
        ),
        (lambda: SoftmaxFocalLoss()(torch.ones(2, 3), torch.tensor([0, 3])), r"targets must lie in \[0, 3\)"),
        (lambda: SoftmaxFocalLoss()(torch.ones(2, 3), torch.tensor([0, -1])), "ignore_index -100"),
        (lambda: SoftmaxFocalLoss()(torch.ones(2, 3), torch.ones(2)), "integer class indices, got torch.float32"),
        (lambda: SoftmaxFocalLoss(alpha=[1, 1])(torch.ones(2, 3), torch.zeros(2).long()), "each of the 3 classes"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make()
    assert issubclass(InputError, ValueError)  # what callers of a loss expect


def weighed(weight: Tensor) -> Tensor:
    loss: Tensor = SigmoidFocalLoss()(torch.ones(2), torch.ones(2), sample_weight=weight)
    return loss


def test_any_layout_of_the_logits_will_do() -> None:
    logits, targets = batch(13, 6, 4)
    wanted = SigmoidFocalLoss(reduction="none")(logits, targets)
    turned = SigmoidFocalLoss(reduction="none")(logits.T.contiguous().T, targets.T.contiguous().T)
    torch.testing.assert_close(turned, wanted)
    assert SigmoidFocalLoss()(torch.tensor(0.0), torch.tensor(1.0)).shape == ()
    assert float(SigmoidFocalLoss()(torch.ones(0), torch.ones(0))) == 0.0  # and not NaN, as when a process has no rows
    long = torch.randn(200_000, generator=torch.Generator().manual_seed(0))  # several chunks
    torch.testing.assert_close(focal_loss(long, long > 0)[-5:], focal_loss(long[-5:], long[-5:] > 0))


def test_integer_and_boolean_targets_are_taken_as_labels() -> None:
    logits, targets = batch(12, 6)
    for other in (targets.long(), targets.bool(), targets.to(torch.uint8)):
        torch.testing.assert_close(SigmoidFocalLoss()(logits, other), SigmoidFocalLoss()(logits, targets))
