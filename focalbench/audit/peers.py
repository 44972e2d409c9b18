"""Everybody's focal loss, made ready to be asked: elementwise, binary, value and derivative by the logit."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.dlpack import from_dlpack as to_torch

from focalbench.losses.binary import focal_loss

ALPHA, GAMMA = 0.25, 2.0  # where alpha's meaning and the speed are looked at

Elementwise = Callable[[Tensor, Tensor, float | None, float], Tensor]
Evaluate = Callable[[Tensor, Tensor, float | None, float], tuple[Tensor, Tensor]]
Step = Callable[[], object]


@dataclass(frozen=True)
class Loss:
    """A focal loss ready to be asked.

    evaluate: (logits, targets, alpha or None for off, gamma) -> (values, derivatives by the logit), all of shape (n,).
    step: (logits, targets) -> a function that runs forward and backward of the mean at ALPHA and GAMMA once.
    in_torch: whether torch allocates what it needs, so that its memory can be measured.
    """

    evaluate: Evaluate
    step: Callable[[Tensor, Tensor], Step]
    in_torch: bool = True


@dataclass(frozen=True)
class Peer:
    """A library's focal loss: its name in the table, its module, its distribution, and how to import it."""

    name: str
    module: str
    distribution: str
    load: Callable[[], Loss]


def in_torch(loss: Elementwise) -> Loss:
    """Wrap an elementwise torch loss; autograd differentiates it."""

    def evaluate(logits: Tensor, targets: Tensor, alpha: float | None, gamma: float) -> tuple[Tensor, Tensor]:
        x = logits.clone().requires_grad_()
        values = loss(x, targets, alpha, gamma)
        (slopes,) = torch.autograd.grad(values.sum(), x)
        return values.detach(), slopes

    def step(logits: Tensor, targets: Tensor) -> Step:
        x = logits.clone().requires_grad_()
        return lambda: torch.autograd.grad(loss(x, targets, ALPHA, GAMMA).mean(), x)

    return Loss(evaluate, step)


def _formula() -> Loss:
    """The formula that torchvision publishes: the paper's eq. 5 in probabilities, times BCE from the logits."""

    def loss(logits: Tensor, targets: Tensor, alpha: float | None, gamma: float) -> Tensor:
        p = torch.sigmoid(logits)
        p_t = p * targets + (1 - p) * (1 - targets)
        value = (1 - p_t) ** gamma * binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return value if alpha is None else (alpha * targets + (1 - alpha) * (1 - targets)) * value

    return in_torch(loss)


def _torchvision() -> Loss:
    from torchvision.ops import sigmoid_focal_loss

    return in_torch(lambda x, y, alpha, gamma: sigmoid_focal_loss(x, y, -1 if alpha is None else alpha, gamma))


def _fvcore() -> Loss:
    from fvcore.nn import sigmoid_focal_loss

    return in_torch(lambda x, y, alpha, gamma: sigmoid_focal_loss(x, y, -1 if alpha is None else alpha, gamma))


def _kornia() -> Loss:
    from kornia.losses import binary_focal_loss_with_logits

    return in_torch(
        lambda x, y, alpha, gamma: binary_focal_loss_with_logits(x[:, None], y[:, None], alpha, gamma)[:, 0]
    )


def _monai() -> Loss:
    from monai.losses import FocalLoss

    def loss(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
        value: Tensor = FocalLoss(gamma=gamma, alpha=alpha, reduction="none")(x[:, None], y[:, None])
        return value[:, 0]

    return in_torch(loss)


def _imbalanced_losses() -> Loss:
    from imbalanced_losses import SigmoidFocalLoss

    def loss(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
        value: Tensor = SigmoidFocalLoss(-1 if alpha is None else alpha, gamma, "none")(x, y)
        return value

    return in_torch(loss)


def _segmentation_models() -> Loss:
    from segmentation_models_pytorch.losses import FocalLoss

    def loss(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
        value: Tensor = FocalLoss("binary", alpha=alpha, gamma=gamma, reduction="none")(x, y)
        return value

    return in_torch(loss)


def _keras() -> Loss:
    """Keras on its torch backend, which an audit without TensorFlow has to choose before the import."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    if keras.backend.backend() != "torch":
        raise ImportError("it runs on another backend here; set KERAS_BACKEND=torch")

    def loss(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
        focal = keras.losses.BinaryFocalCrossentropy(
            apply_class_balancing=alpha is not None,
            alpha=ALPHA if alpha is None else alpha,
            gamma=gamma,
            from_logits=True,
            reduction=None,
            dtype=dtype_name(x.dtype),
        )
        value: Tensor = focal(y[:, None], x[:, None])
        return value

    return in_torch(loss)


def _optax() -> Loss:
    """Compiled by jax.jit, as JAX's users run it; the arrays share torch's memory."""
    import jax
    from jax.numpy import from_dlpack
    from optax.losses import sigmoid_focal_loss

    def total(x: Any, y: Any, alpha: float | None, gamma: float) -> tuple[Any, Any]:
        values = sigmoid_focal_loss(x, y, alpha=alpha, gamma=gamma)
        return values.sum(), values

    def mean(x: Any, y: Any) -> Any:
        return sigmoid_focal_loss(x, y, alpha=ALPHA, gamma=GAMMA).mean()

    compiled = jax.jit(jax.value_and_grad(total, has_aux=True), static_argnums=2)

    def evaluate(logits: Tensor, targets: Tensor, alpha: float | None, gamma: float) -> tuple[Tensor, Tensor]:
        with jax.enable_x64(True):  # else float64 becomes float32
            (_, values), slopes = compiled(from_dlpack(logits), from_dlpack(targets), alpha, gamma)
            return to_torch(values).clone(), to_torch(slopes).clone()

    def step(logits: Tensor, targets: Tensor) -> Step:
        x, y, run = from_dlpack(logits), from_dlpack(targets), jax.jit(jax.value_and_grad(mean))
        return lambda: jax.block_until_ready(run(x, y))

    return Loss(evaluate, step, in_torch=False)


def _ours() -> Loss:
    return in_torch(lambda x, y, alpha, gamma: focal_loss(x, y, alpha=alpha, gamma=gamma))


FORMULA = Peer("torchvision's formula", "torch", "torch", _formula)
OURS = Peer("focalbench", "focalbench", "focalbench", _ours)
PEERS = (
    FORMULA,
    Peer("torchvision", "torchvision", "torchvision", _torchvision),
    Peer("fvcore", "fvcore", "fvcore", _fvcore),
    Peer("kornia", "kornia", "kornia", _kornia),
    Peer("MONAI", "monai", "monai", _monai),
    Peer("segmentation models", "segmentation_models_pytorch", "segmentation-models-pytorch", _segmentation_models),
    Peer("imbalanced-losses", "imbalanced_losses", "imbalanced-losses", _imbalanced_losses),
    Peer("optax (jit)", "optax", "optax", _optax),
    Peer("Keras", "keras", "keras", _keras),
    OURS,
)


def dtype_name(dtype: torch.dtype) -> str:
    """The dtype's name without the library's."""
    return str(dtype).removeprefix("torch.")
