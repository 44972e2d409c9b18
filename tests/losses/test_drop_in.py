"""SigmoidFocalLoss and SoftmaxFocalLoss at gamma 0 against torch's own losses, over everything that users feed them.

Values and gradients are held against torch's losses in float64, dtypes against torch's as they are. Each difference
that is meant stands in the docstrings of the modules, and here where it shows.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.nn import BCEWithLogitsLoss, CrossEntropyLoss
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from focalbench.errors import InputError
from focalbench.losses import SigmoidFocalLoss, SoftmaxFocalLoss, focal_loss, softmax_focal_loss

HALVES = (torch.float16, torch.bfloat16)
DTYPES = (*HALVES, torch.float32, torch.float64)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
REDUCTIONS = ("none", "mean", "sum")
CLASSES = 4
INF, NAN = math.inf, math.nan

Loss = Callable[[Tensor, Tensor], Tensor]


def drawn(*shape: int) -> Tensor:
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def with_gradient(loss: Loss, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    x = logits.detach().requires_grad_()
    value = loss(x, targets)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


def assert_same(ours: Loss, theirs: Loss, logits: Tensor, targets: Tensor, reduction: str) -> None:
    """The value, the gradient and their dtypes; theirs in float64 for the numbers."""
    value, gradient = with_gradient(ours, logits, targets)
    as_given = theirs(logits, targets)
    wide = targets.double() if targets.is_floating_point() else targets
    wanted, slope = with_gradient(theirs, logits.double(), wide)
    if logits.numel() == 0 and reduction == "mean":  # a mean over nothing: theirs is nan
        wanted, slope = torch.zeros(()), torch.zeros(logits.shape)
    kept = torch.promote_types(as_given.dtype, logits.dtype)  # BCE's comes back in its targets' dtype
    scalar = reduction != "none"
    assert value.dtype == (torch.promote_types(kept, torch.float32) if scalar else kept)  # halves overflow when summed
    assert gradient.dtype == logits.dtype
    eps = torch.finfo(torch.float32 if value.dtype == torch.float64 and logits.dtype in HALVES else value.dtype).eps
    eps = max(eps, torch.finfo(torch.promote_types(logits.dtype, torch.float32)).eps)
    torch.testing.assert_close(value.double(), wanted.double(), rtol=16 * eps, atol=16 * eps)
    eps = torch.finfo(logits.dtype).eps
    torch.testing.assert_close(gradient.double(), slope.double(), rtol=16 * eps, atol=16 * eps)


def binary() -> Iterator[tuple[Loss, Loss, Tensor, Tensor, str]]:
    """(our loss, theirs, logits, targets, reduction) over shapes, targets, weights and reductions; all float64."""
    shapes = ((), (5, 3), (2, 3, 4), (0, 3))
    for shape, soft, weighted, reduction in product(shapes, (False, True), (False, True), REDUCTIONS):
        logits = drawn(*shape)
        targets = torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        weight = torch.linspace(0.5, 7, shape[-1], dtype=torch.float64) if shape and weighted else None
        yield (
            SigmoidFocalLoss(None, 0.0, reduction, pos_weight=weight),
            BCEWithLogitsLoss(pos_weight=weight, reduction=reduction),
            logits,
            targets if soft else targets.round(),
            reduction,
        )


def their_cross_entropy(weight: Tensor | None, reduction: str, smoothing: float, x: Tensor, y: Tensor) -> Tensor:
    weight = None if weight is None else weight.to(x.dtype)  # they ask for one dtype
    return cross_entropy(x, y, weight, reduction=reduction, label_smoothing=smoothing)


def exact_shares(logits: Tensor) -> Tensor:
    """Probabilities that add up to 1 in every dtype, largest where the logits are."""
    order = logits.argsort(min(1, logits.ndim - 1))
    return torch.tensor([0.125, 0.125, 0.25, 0.5], dtype=torch.float64)[order]


def multiclass() -> Iterator[tuple[Loss, Loss, Tensor, Tensor, str]]:
    """As binary, with class indices and with probabilities."""
    shapes = ((CLASSES,), (5, CLASSES), (2, CLASSES, 2, 3), (0, CLASSES), (2, CLASSES, 0))
    options = product(shapes, (False, True), (0.0, 0.1), (False, True), REDUCTIONS)
    for shape, soft, smoothing, weighted, reduction in options:
        weight = torch.linspace(0.5, 2, CLASSES, dtype=torch.float64) if weighted else None
        if weighted and (smoothing or (reduction == "mean" and not soft)):
            continue  # means divide by counts, and smoothing has the true class's weight
        logits = drawn(*shape)
        indices = torch.arange(max(1, logits.numel() // CLASSES)) % CLASSES
        indices = indices[: logits.numel() // CLASSES].view((*shape[:-1][:1], *shape[2:]))
        if len(indices.shape) and len(indices) > 1:
            indices[1] = -100
        yield (
            SoftmaxFocalLoss(weight, 0.0, reduction, smoothing),
            partial(their_cross_entropy, weight, reduction, smoothing),
            logits,
            exact_shares(logits) if soft else indices,
            reduction,
        )


@pytest.mark.parametrize("autocast", [None, *HALVES])
@pytest.mark.parametrize("dtype", DTYPES)
def test_at_gamma_0_they_are_torchs(dtype: torch.dtype, autocast: torch.dtype | None) -> None:
    cases = 0
    with torch.autocast("cpu", autocast) if autocast else nullcontext():
        for ours, theirs, logits, targets, reduction in [*binary(), *multiclass()]:
            for other in DTYPES if targets.is_floating_point() else (torch.int64,):
                assert_same(ours, theirs, logits.to(dtype), targets.to(other), reduction)
                cases += 1
    assert cases > 400


def test_other_dtypes_of_targets_and_weights_are_the_same_numbers() -> None:
    logits, labels = drawn(5, 3).float(), drawn(5, 3) > 0
    wanted = SigmoidFocalLoss(reduction="none")(logits, labels.float())
    for dtype in (*INTEGERS, torch.bool):
        assert torch.equal(SigmoidFocalLoss(reduction="none")(logits, labels.to(dtype)), wanted)
    many, classes = drawn(6, CLASSES).float(), torch.tensor([0, 1, 2, 3, 3, 0])
    assert float(SoftmaxFocalLoss()(torch.zeros(1, 2), torch.tensor([0], dtype=torch.uint8))) == pytest.approx(
        math.log(2) / 4
    )
    for dtype in INTEGERS:
        mark = 255 if dtype == torch.uint8 else -1
        marked = classes.clone().to(dtype)
        marked[2] = mark
        found = SoftmaxFocalLoss(reduction="none", ignore_index=mark)(many, marked)
        assert found[2] == 0
        assert torch.equal(found, softmax_focal_loss(many, marked, ignore_index=mark))
        assert torch.equal(found[[0, 1, 3]], SoftmaxFocalLoss(reduction="none")(many, classes)[[0, 1, 3]])
    weight = torch.tensor([1, 0, 2, 1, 0])
    for cast in (weight.double(), weight.half(), weight.to(torch.uint8)):
        torch.testing.assert_close(
            SigmoidFocalLoss()(logits, labels, sample_weight=cast),
            SigmoidFocalLoss()(logits, labels, sample_weight=weight.float()),
        )
    mask = SigmoidFocalLoss()(logits, labels, sample_weight=weight > 0)
    torch.testing.assert_close(mask, SigmoidFocalLoss()(logits[[0, 2, 3]], labels[[0, 2, 3]]))


def test_156_is_not_minus_100() -> None:
    marked = torch.tensor([156], dtype=torch.uint8)  # as uint8, -100 is 156
    with pytest.raises(InputError, match="targets must lie in"):
        SigmoidFocalLoss(ignore_index=-100)(torch.zeros(1), marked)
    with pytest.raises(InputError, match="targets must lie in"):
        SoftmaxFocalLoss(ignore_index=-100)(torch.zeros(1, 2), marked)


def test_hyperparameters_keep_their_precision() -> None:
    logits, targets = drawn(5, 3), (drawn(5, 3) > 0).double()
    tenth = torch.tensor([0.1, 0.3, 0.7], dtype=torch.float64)
    for value in (0.1, tenth[0], tenth):
        for name in ("pos_weight", "alpha"):
            ours = SigmoidFocalLoss(**({"alpha": None} | {name: value}), reduction="none")(logits, targets)  # type: ignore[arg-type]
            assert torch.equal(ours, focal_loss(logits, targets, **{name: value}))
    labels = torch.arange(5) % 3
    many = SoftmaxFocalLoss(tenth, reduction="none")(logits, labels)
    torch.testing.assert_close(
        many, SoftmaxFocalLoss(reduction="none")(logits, labels) * tenth[labels], rtol=1e-15, atol=0
    )
    smooth = SigmoidFocalLoss(label_smoothing=0.1)(logits, targets.long())
    torch.testing.assert_close(smooth, focal_loss(logits, targets * 0.9 + 0.05, alpha=0.25).mean(), rtol=1e-14, atol=0)


# ---- half precision


@pytest.mark.parametrize("dtype", HALVES)
def test_a_reduction_of_halves_does_not_overflow(dtype: torch.dtype) -> None:
    rows = 400_000
    zeros, ones = torch.zeros(rows, dtype=dtype), torch.ones(rows)
    for targets, autocast in product((ones, ones.to(dtype)), (False, True)):
        with torch.autocast("cpu", dtype, enabled=autocast):
            for reduction in ("sum", "mean", "mean_positive"):
                value = SigmoidFocalLoss(None, reduction=reduction)(zeros, targets)
                assert value.dtype == torch.float32
                assert float(value) == pytest.approx(math.log(2) / 4 * (rows if reduction == "sum" else 1), rel=1e-5)
    pair = torch.zeros(rows, 2, dtype=dtype)
    assert float(SoftmaxFocalLoss(reduction="sum")(pair, ones.long())) == pytest.approx(
        rows * math.log(2) / 4, rel=1e-5
    )
    assert float(SoftmaxFocalLoss(reduction="sum")(pair, torch.full_like(pair, 0.5))) == pytest.approx(
        69314.7, rel=1e-5
    )


def test_the_functions_keep_the_dtype_of_the_logits_outside_autocast() -> None:
    for dtype, wide in product(DTYPES, (torch.float32, torch.float64)):
        logits, index = torch.zeros(2, 3, dtype=dtype), torch.zeros(2, dtype=torch.long)
        for autocast in (False, True):
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                wanted = torch.float32 if autocast and dtype in HALVES else dtype
                assert focal_loss(logits, torch.ones(2, 3, dtype=wide)).dtype == wanted
                assert softmax_focal_loss(logits, index).dtype == wanted


def lost_steps(loss: Loss, autocast: bool) -> tuple[int, float]:
    """How many of some steps GradScaler skips with its defaults, and the scale that it ends with."""
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 1)
    optimizer, scaler = torch.optim.SGD(model.parameters(), 0.1), torch.amp.GradScaler("cpu")
    features, targets = drawn(64, 8).float() / 30, (drawn(64) > 0).float()  # so that the network's own sums fit
    lost = 0
    for _ in range(5):
        with torch.autocast("cpu", torch.float16):
            logits = model(features)[:, 0]
            assert logits.dtype == torch.float16
            value = loss(logits, targets) if autocast else None
        value = loss(logits, targets) if value is None else value
        optimizer.zero_grad()
        before = model.weight.detach().clone()
        scaler.scale(value).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimizer)
        scaler.update()
        lost += torch.equal(before, model.weight)
    return lost, scaler.get_scale()


@pytest.mark.parametrize("autocast", [True, False])
def test_gradscaler_loses_no_more_steps_than_with_bce(autocast: bool) -> None:
    wanted = lost_steps(BCEWithLogitsLoss(), autocast)
    assert wanted == (0, 65_536)
    for loss in (SigmoidFocalLoss(None, 0.0), SigmoidFocalLoss(), SigmoidFocalLoss(reduction="mean_positive")):
        assert lost_steps(loss, autocast) == wanted
    softmax = SoftmaxFocalLoss()
    assert lost_steps(lambda x, y: softmax(torch.stack([x, -x], 1), y.long()), autocast) == wanted


# ---- infinite logits


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_infinite_logit_has_the_limits(dtype: torch.dtype, gamma: float) -> None:
    logits = torch.tensor([-INF, -INF, INF, INF, 0.5], dtype=dtype)
    targets = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0], dtype=dtype)
    far = [-1.0, 0.0, 0.0, 1.0]
    loss = SigmoidFocalLoss(None, gamma, "none")
    alone = loss(logits[4:], targets[4:])
    for y, scale in ((targets, 1.0), (targets * 0.5 + 0.25, 0.75)):  # hard and soft
        value, gradient = with_gradient(loss, logits, y)
        assert value[:4].tolist() == ([INF, 0.0, 0.0, INF] if scale == 1 else [INF] * 4)
        assert gradient[:4].tolist() == (far if scale == 1 else [-0.75, -0.25, 0.25, 0.75])
    torch.testing.assert_close(loss(logits, targets)[4:], alone)
    x = logits.detach().requires_grad_()
    (first,) = torch.autograd.grad(loss(x, targets).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert first[:4].tolist() == far
    assert second[:4].tolist() == [0.0] * 4
    if gamma == 0:
        assert with_gradient(binary_cross_entropy_with_logits, logits, targets)[1][:4].mul(5).tolist() == far


def test_a_weight_of_0_has_no_infinite_loss() -> None:
    logits = torch.tensor([-INF, INF])
    for options in ({"alpha": 0.0}, {"alpha": None, "pos_weight": 0.0}, {"alpha": torch.tensor([0.0, 0.0])}):
        loss = SigmoidFocalLoss(**options, reduction="none")
        value, gradient = with_gradient(loss, logits, torch.ones(2))
        assert value.tolist() == [0.0, 0.0]
        assert gradient.abs().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_a_masked_class_is_a_class_that_is_not_there(gamma: float, smoothing: float) -> None:
    loss = SoftmaxFocalLoss(gamma=gamma, reduction="none", label_smoothing=smoothing)
    logits = drawn(6, 3)
    wide = torch.cat([logits[:, :1], torch.full((6, 2), -INF), logits[:, 1:]], 1)
    shares = drawn(6, 3).softmax(1)
    for targets, same in (
        (torch.tensor([0, 3, 4, 4, 0, 3]), torch.tensor([0, 1, 2, 2, 0, 1])),
        (torch.cat([shares[:, :1], torch.zeros(6, 2), shares[:, 1:]], 1), shares),
    ):
        value, gradient = with_gradient(loss, wide, targets)
        wanted, slope = with_gradient(loss, logits, same)
        torch.testing.assert_close(value, wanted)
        torch.testing.assert_close(gradient[:, [0, 3, 4]], slope)
        assert not gradient[:, 1:3].any()
    only = torch.tensor([[0.0, -INF]])
    for targets in (torch.tensor([0]), torch.tensor([[1.0, 0.0]])):
        value, gradient = with_gradient(loss, only, targets)
        assert (value.tolist(), gradient.tolist()) == ([0.0], [[0.0, 0.0]])
    if not smoothing:  # a masked class that is the true one: as theirs
        value, gradient = with_gradient(loss, only, torch.tensor([1]))
        assert (value.tolist(), gradient.tolist()) == ([INF], [[1.0, -1.0]])
        assert with_gradient(cross_entropy, only, torch.tensor([1]))[1].tolist() == [[1.0, -1.0]]


def test_nan_stays_nan() -> None:
    logits = torch.tensor([[0.0, NAN, 1.0], [0.0, 1.0, 2.0]])
    for targets in (torch.tensor([0, 0]), torch.full((2, 3), 1 / 3)):
        assert SoftmaxFocalLoss(reduction="none")(logits, targets).isnan().tolist() == [True, False]
    for gamma, targets in product((0.0, 1.5, 2.0), (torch.ones(2, 3), torch.full((2, 3), 0.3))):
        value, gradient = with_gradient(SigmoidFocalLoss(gamma=gamma, reduction="none"), logits, targets)
        assert torch.equal(value.isnan(), logits.isnan())
        assert torch.equal(gradient.isnan(), logits.isnan())


# ---- transforms, and tensors without values

PAIRS: list[tuple[Loss, Loss, tuple[int, ...], Callable[[Tensor], Tensor]]] = [
    (SigmoidFocalLoss(None, 0.0), BCEWithLogitsLoss(), (3,), lambda x: (x > 0).to(x.dtype)),
    (SigmoidFocalLoss(None, 0.0), BCEWithLogitsLoss(), (3,), torch.sigmoid),
    (SoftmaxFocalLoss(gamma=0.0), CrossEntropyLoss(), (2, 3), lambda x: x.argmax(-1)),
    (SoftmaxFocalLoss(gamma=0.0), CrossEntropyLoss(), (2, 3), lambda x: x.softmax(-1)),
]
TRANSFORMS: dict[str, Callable[[Loss], Any]] = {
    "vmap": torch.func.vmap,
    "grad": lambda loss: torch.func.grad(lambda x, y: loss(x, y).mean()),
    "vmap of grad": lambda loss: torch.func.vmap(torch.func.grad(loss)),
    "grad of vmap": lambda loss: torch.func.grad(lambda x, y: torch.func.vmap(loss)(x, y).sum()),
    "jacfwd": lambda loss: torch.func.jacfwd(lambda x, y: torch.func.vmap(loss)(x, y)),
    "hessian": lambda loss: torch.func.vmap(torch.func.hessian(loss)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # raised within torch's forward mode, for theirs too
def test_every_transform_of_torchs(name: str) -> None:
    for ours, theirs, shape, targets_of in PAIRS:
        logits = drawn(4, *shape)
        logits[0] = 0.0  # where |x| has no derivative
        targets = targets_of(drawn(4, *shape))
        if name == "grad":
            logits, targets = logits[0], targets[0]
        found, wanted = (TRANSFORMS[name](loss)(logits, targets) for loss in (ours, theirs))
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_a_mapped_sample_weight_and_what_the_rows_say() -> None:
    logits, targets, weights = drawn(4, 3), (drawn(4, 3) > 0).double(), drawn(4, 3).abs()
    for loss in (SigmoidFocalLoss(), SigmoidFocalLoss(reduction="sum", ignore_index=-1)):
        found = torch.func.vmap(lambda x, y, w, loss=loss: loss(x, y, sample_weight=w))(logits, targets, weights)
        rows = [loss(x, y, sample_weight=w) for x, y, w in zip(logits, targets, weights, strict=True)]
        torch.testing.assert_close(found, torch.stack(rows))
    softmax = SoftmaxFocalLoss()
    found = torch.func.vmap(lambda x, y: softmax(x[None], y[None]))(torch.zeros(2, 3), torch.tensor([0, 1]))
    torch.testing.assert_close(found, torch.full((2,), math.log(3) * 4 / 9))


HARD = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0], dtype=torch.float64)
FAR = torch.tensor([0.0, 1.0, -3.0, 40.0, INF, -INF, INF], dtype=torch.float64)
MASKED = torch.tensor([[0.0, 0.0, -INF], [1.0, 2.0, 3.0]])
COMPILED: list[tuple[Loss, Tensor, Tensor]] = [
    (SigmoidFocalLoss(), FAR, HARD),
    (SoftmaxFocalLoss(), MASKED, torch.tensor([1, 0])),
    (SigmoidFocalLoss(None, 0.5), FAR, HARD * 0.8 + 0.1),
    (SigmoidFocalLoss([0.1] * 7, ignore_index=1), FAR, HARD),
    (SoftmaxFocalLoss(gamma=0.5, label_smoothing=0.1), MASKED, torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # raised within the compiler
@pytest.mark.parametrize("case", [0, 1, *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 3, 4))])
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled(backend: str, case: int) -> None:
    loss, logits, targets = COMPILED[case]
    wanted, slope = with_gradient(loss, logits, targets)
    compiled = torch.compile(loss, fullgraph=True, backend=backend)
    torch.testing.assert_close(with_gradient(compiled, logits, targets), (wanted, slope))
    torch.testing.assert_close(torch.compile(torch.func.grad(loss), backend=backend)(logits, targets), slope)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_forward_mode_is_right_at_0() -> None:
    logits, hard = FAR[:3], HARD[:3]
    loss = SigmoidFocalLoss()
    slope = with_gradient(loss, logits, hard)[1]
    for enabled in (True, False):
        with torch.set_grad_enabled(enabled):
            found = torch.compile(torch.func.jacfwd(lambda x: loss(x, hard)), backend="eager")(logits)
        torch.testing.assert_close(found, slope)


def test_meta_and_fake_tensors_have_shape_and_dtype() -> None:
    for fake in (False, True):
        with FakeTensorMode() if fake else nullcontext():
            device = "cpu" if fake else "meta"
            for dtype, reduction in product((torch.float16, torch.float64), ("none", "mean")):
                logits = torch.zeros(4, 3, device=device, dtype=dtype)
                weight = torch.ones(4, device=device)
                ours = SigmoidFocalLoss(reduction=reduction, ignore_index=-1)(logits, logits, sample_weight=weight)
                many = SoftmaxFocalLoss(reduction=reduction)
                soft = many(logits, logits, sample_weight=weight)
                hard = many(logits, weight.long(), sample_weight=weight)
                for value, shape in ((ours, (4, 3)), (soft, (4,)), (hard, (4,))):
                    assert value.shape == (shape if reduction == "none" else ())
                    assert value.dtype == (dtype if reduction == "none" else torch.promote_types(dtype, torch.float32))
                    assert value.device.type == device


# ---- weights and marks


def test_weights_belong_to_the_leading_dimensions() -> None:
    loss = SigmoidFocalLoss(None, 0.0, "none")
    found = loss(torch.zeros(2, 2), torch.ones(2, 2), sample_weight=torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(found, torch.tensor([[math.log(2)] * 2, [0.0, 0.0]]))
    for shape in ((2,), (2, 3), (2, 2, 2), (2, 3, 4)):
        logits, targets = drawn(*shape), (drawn(*shape) > 0).double()
        for given in [shape[:k] for k in range(1, len(shape) + 1)] + [(2, *[1] * (len(shape) - 1))]:
            weight = 1 + drawn(*given).abs()
            full = weight.reshape(*given, *[1] * (len(shape) - len(given)))
            torch.testing.assert_close(loss(logits, targets, sample_weight=weight), loss(logits, targets) * full)
        many, classes = drawn(2, CLASSES, *shape[1:]), (targets * 2).long()
        softmax, weight = SoftmaxFocalLoss(reduction="none"), torch.tensor([0.5, 2.0])
        full = weight.reshape(2, *[1] * (len(shape) - 1))
        for labels in (classes, many.softmax(1)):
            torch.testing.assert_close(softmax(many, labels, sample_weight=weight), softmax(many, labels) * full)
    assert float(loss(torch.tensor(0.0), torch.tensor(1.0), sample_weight=torch.tensor(2.0))) == pytest.approx(1.386294)


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "mean_positive"])
@pytest.mark.parametrize("mark", [-1, -100, 255])
def test_a_marked_target_is_as_if_it_were_not_there(mark: int, reduction: str) -> None:
    logits, targets = drawn(8), (drawn(8) > 0).long()
    kept = torch.tensor([0, 2, 3, 5, 6])
    marked = targets.clone()
    marked[[1, 4, 7]] = mark
    logits[[1, 4]] = torch.tensor([NAN, INF], dtype=torch.float64)
    loss = SigmoidFocalLoss(reduction=reduction, ignore_index=mark, label_smoothing=0.1)
    wanted, slope = with_gradient(loss, logits[kept], targets[kept])
    for dtype in (torch.int64, torch.float32, torch.float64, *([torch.uint8] if mark > 0 else [torch.int16])):
        value, gradient = with_gradient(loss, logits, marked.to(dtype))
        torch.testing.assert_close(value[kept] if reduction == "none" else value, wanted)
        torch.testing.assert_close(gradient[kept], slope)
        assert gradient[[1, 4, 7]].tolist() == [0.0] * 3
    everything = loss(logits, torch.full_like(targets, mark))
    assert everything.sum() == 0
    with pytest.raises(InputError, match="targets must lie in"):
        SigmoidFocalLoss()(logits, marked)


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "mean_positive"])
def test_a_weight_of_0_excludes_whatever_stands_there(reduction: str) -> None:
    logits, targets, weight = drawn(6), (drawn(6) > 0).double(), torch.tensor([1.0, 0.0, 2.0, 1.0, 0.0, 3.0])
    kept = weight > 0
    bad, wrong = logits.clone(), targets.clone()
    bad[1], bad[4], wrong[4] = NAN, INF, NAN
    many, classes = drawn(6, 3), torch.tensor([0, 99, 1, 2, -7, 1])
    ruined = many.clone()
    ruined[1] = NAN
    shares = many.softmax(1)
    spoilt = shares.clone()
    spoilt[4] = NAN
    sigmoid, softmax = SigmoidFocalLoss(reduction=reduction), SoftmaxFocalLoss(reduction=reduction)
    for loss, x, y, clean, labels in (
        (sigmoid, bad, wrong, logits, targets),
        (softmax, ruined, classes, many, classes),
        (softmax, ruined, spoilt, many, shares),
    ):
        value, gradient = with_gradient(partial(loss, sample_weight=weight), x, y)
        wanted, slope = with_gradient(partial(loss, sample_weight=weight[kept]), clean[kept], labels[kept])
        torch.testing.assert_close(value[kept] if reduction == "none" else value, wanted)
        torch.testing.assert_close(gradient[kept], slope)
        assert not gradient[~kept].any()


@pytest.mark.parametrize("reduction", ["mean", "mean_positive"])
def test_a_mass_of_0_is_said_once(reduction: str) -> None:
    logits = torch.tensor([[NAN, 1.0], [2.0, 3.0]])
    nothing = torch.zeros(2)
    sigmoid, softmax = SigmoidFocalLoss(reduction=reduction), SoftmaxFocalLoss(reduction=reduction)
    for loss, targets in (
        (sigmoid, torch.ones(2, 2)),
        (softmax, torch.tensor([0, 1])),
        (softmax, torch.ones(2, 2) / 2),
    ):
        with pytest.warns(UserWarning, match="all sample weights are 0") as said:
            value, gradient = with_gradient(partial(loss, sample_weight=nothing), logits, targets)
        assert len(said) == 1
        assert (float(value), float(gradient.abs().sum())) == (0.0, 0.0)
    # no word where weights are there but no positive, and none where there is nothing at all
    SigmoidFocalLoss(reduction="mean_positive")(torch.ones(2), torch.zeros(2), sample_weight=torch.ones(2))
    SigmoidFocalLoss()(torch.ones(0), torch.zeros(0), sample_weight=torch.ones(0))


def test_one_alpha_a_label() -> None:
    logits, targets = drawn(5, 2), (drawn(5, 2) > 0).double()
    wanted = torch.stack(
        [focal_loss(logits[:, k], targets[:, k], alpha=alpha) for k, alpha in ((0, 0.25), (1, 0.75))], 1
    )
    alphas = torch.tensor([0.25, 0.75])
    for alpha in ([0.25, 0.75], (0.25, 0.75), alphas, alphas.double(), alphas.numpy()):
        loss = SigmoidFocalLoss(alpha, reduction="none")
        torch.testing.assert_close(loss(logits, targets), wanted)
        assert set(loss.state_dict()) == {"alpha"}
    both = SigmoidFocalLoss([0.25, 0.75], reduction="none", pos_weight=[2.0, 3.0])(logits, targets)
    torch.testing.assert_close(both, wanted * torch.where(targets > 0, torch.tensor([2.0, 3.0]), 1))
    image = drawn(3, 2, 4, 4)
    maps = SigmoidFocalLoss(alphas.view(2, 1, 1), reduction="none")(image, image.sigmoid())
    torch.testing.assert_close(maps[:, 1], focal_loss(image[:, 1], image[:, 1].sigmoid(), alpha=0.75))


# ---- class probabilities


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_probabilities_are_the_expectation_over_the_class(gamma: float, smoothing: float) -> None:
    logits, shares = drawn(5, CLASSES, 2), drawn(5, CLASSES, 2).softmax(1)
    weights = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
    for alpha in (None, weights):
        loss = SoftmaxFocalLoss(alpha, gamma, "none", smoothing)
        value, gradient = with_gradient(loss, logits, shares)
        each = [with_gradient(loss, logits, torch.full((5, 2), k)) for k in range(CLASSES)]
        torch.testing.assert_close(value, sum(shares[:, k] * one for k, (one, _) in enumerate(each)))
        torch.testing.assert_close(gradient, sum(shares[:, k : k + 1] * one for k, (_, one) in enumerate(each)))


def test_probabilities_of_four_rows() -> None:
    third = torch.full((4, 3), 1 / 3)
    assert float(SoftmaxFocalLoss()(torch.zeros(4, 3), third)) == pytest.approx(math.log(3) * 4 / 9)
    background = SoftmaxFocalLoss(reduction="mean_positive")(torch.zeros(4, 3), third)
    assert float(background) == pytest.approx(math.log(3) * 4 / 9 * 4 / (4 * 2 / 3))
    logits = torch.tensor([[0.0, 60.0, -60.0], [0.0, 1e4, 5.0]], dtype=torch.float64)  # sure, and exact
    sure = softmax_focal_loss(logits, torch.tensor([[0.0, 1.0, 0.0]] * 2, dtype=torch.float64), gamma=0.5)
    torch.testing.assert_close(sure, softmax_focal_loss(logits, torch.tensor([1, 1]), gamma=0.5), rtol=1e-12, atol=0)
    assert float(sure[0]) > 0


# ---- what is no tensor, and no number


ARRAY = torch.ones(2).numpy()
sigmoid: Any = SigmoidFocalLoss  # untyped, as a notebook is
softmax: Any = SoftmaxFocalLoss
focal: Any = focal_loss
softmax_focal: Any = softmax_focal_loss
NONSENSE: list[tuple[Callable[[], object], str]] = [
    (lambda: sigmoid()(torch.ones(2), ARRAY), "targets must be a tensor, got ndarray; use torch.as_tensor"),
    (lambda: sigmoid()(ARRAY, torch.ones(2)), "inputs must be a tensor"),
    (lambda: sigmoid()(torch.ones(2), [0, 1]), "targets must be a tensor, got list"),
    (lambda: sigmoid()(torch.ones(2), torch.ones(2), sample_weight=ARRAY), "sample_weight must be a tensor"),
    (lambda: softmax()(torch.ones(2, 2), ARRAY), "targets must be a tensor"),
    (lambda: softmax()(torch.ones(2, 2), torch.ones(2).long(), sample_weight=[1, 1]), "must be a tensor"),
    (lambda: focal(torch.ones(2), ARRAY), "targets must be a tensor"),
    (lambda: softmax_focal(torch.ones(2, 2), ARRAY), "targets must be a tensor"),
    (lambda: sigmoid(alpha=[0.5, 1.5]), "alpha must lie in"),
    (lambda: sigmoid(alpha=[0.5, -1]), "alpha must lie in"),
    (lambda: sigmoid(alpha="balanced"), "alpha must be a number or hold one"),
    (lambda: sigmoid(alpha=[0.5, None]), "alpha must be a number or hold one"),
    (lambda: sigmoid(pos_weight=[1.0, -1.0]), "pos_weight must be a finite number >= 0"),
    (lambda: sigmoid(pos_weight="balanced"), "pos_weight must be a number"),
    (lambda: sigmoid(gamma=[1, 2]), "gamma must be"),
    (lambda: sigmoid(gamma=torch.ones(2)), "gamma must be one number"),
    (lambda: sigmoid(gamma=None), "gamma must be"),
    (lambda: sigmoid(label_smoothing=None), "label_smoothing must lie"),
    (lambda: sigmoid(ignore_index=0.5), "ignore_index must be an integer"),
    (lambda: softmax(ignore_index=None), "ignore_index must be an integer"),
    (lambda: softmax(alpha=0.25), "2 or more classes"),
    (lambda: softmax(alpha="balanced"), "alpha must be a number or hold one"),
    (
        lambda: sigmoid([0.1, 0.2, 0.3])(torch.ones(2, 2), torch.ones(2, 2)),
        "alpha must have the logits' shape",
    ),
    (
        lambda: sigmoid(pos_weight=[1, 2])(torch.ones(3), torch.ones(3)),
        "pos_weight must have the logits' shape",
    ),
    (
        lambda: sigmoid(pos_weight=[1, 2])(torch.ones(1), torch.ones(1)),
        "pos_weight must have the logits' shape",
    ),
    (lambda: focal(torch.ones(2), torch.ones(2), alpha=[0.5, 0.5]), "alpha must lie in"),
    (lambda: focal(torch.ones(2), torch.ones(2), gamma="2"), "gamma must be a finite number"),
    (lambda: softmax()(torch.ones(2, 3), torch.full((2, 3), 1.5)), "targets must lie in"),
    (lambda: softmax()(torch.ones(2, 3), torch.full((2, 3), NAN)), "targets must lie in"),
    (lambda: softmax()(torch.ones(2, 3), torch.ones(2, 3).long()), "targets must be class indices"),
    (lambda: softmax()(torch.ones(2, 3), torch.tensor([True, False])), "got torch.bool"),
    (lambda: softmax()(torch.ones(()), torch.ones(())), "logits must be"),
]


@pytest.mark.parametrize(("make", "says"), NONSENSE)
def test_it_is_said_in_one_sentence(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make()
