"""How right are the focal losses installed on this machine? Each one against 50 digits, and against BCE's cost.

Every library is asked for the elementwise binary focal loss without alpha and its derivative by the logit, at each
case (logit, target, gamma) of a grid, in each dtype. Both are compared with mpmath's values for the logit as
rounded to that dtype. A case counts once: as non-finite if either is, else as wrong if either is.
"""

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import accumulate
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.profiler import ProfilerActivity, profile
from torch.utils.dlpack import from_dlpack as to_torch

from focalbench.errors import InputError
from focalbench.losses.binary import focal_loss

MAGNITUDES = (
    *(0.0, 0.001, 0.5, 1.0, 2.0, 5.0, 8.0, 14.0, 15.0, 16.0, 17.0, 20.0, 30.0, 33.0, 35.0, 40.0),
    *(88.0, 90.0, 104.0, 750.0, 1e4),  # where float32's and float64's exp leave their ranges, and beyond
)
LOGITS = tuple(sorted({sign * magnitude for magnitude in MAGNITUDES for sign in (-1, 1)}))
GAMMAS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
CASES = len(LOGITS) * 2 * len(GAMMAS)
TOLERANCE = 64  # eps
SMALLEST = 4  # normal numbers
DIGITS = 60  # 50 and some to spare
ALPHA, GAMMA = 0.25, 2.0  # where alpha's meaning and the speed are looked at
SPEED_LOGITS, SPEED_RATE, ROUNDS, THREADS = 1_000_000, 0.01, 31, 1
REMEDY = "pip install -e '.[audit]'"

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


@dataclass(frozen=True)
class Count:
    """What a loss got wrong of CASES cases in one dtype; each case counts once."""

    non_finite: int
    wrong: int


class Exact(NamedTuple):
    """A number as near as float64 comes, and the size of its logarithm."""

    value: float
    log_size: float


@dataclass(frozen=True)
class Cost:
    """Seconds and peak bytes of a forward and backward; a peer's are multiples of BCE's. None: not measured."""

    time: float
    memory: float | None


@dataclass(frozen=True)
class Verdict:
    """A row of the table. counts: by the dtype's name, without dtypes that the loss refuses; notes say why."""

    name: str
    version: str  # of its library, with the library's name
    counts: Mapping[str, Count]
    alpha: str
    notes: tuple[str, ...] = ()
    cost: Cost | None = None

    @property
    def is_right(self) -> bool:
        """No case non-finite or wrong in any dtype, and alpha weights the positives."""
        right = all(self.counts.get(dtype_name(dtype)) == Count(0, 0) for dtype in DTYPES)
        return right and self.alpha == "positives"


@dataclass(frozen=True)
class Absent:
    """A library without a row, and why: not installed, or not importable."""

    name: str
    reason: str


@dataclass(frozen=True)
class Audit:
    """All that was found. baseline: BCE's seconds and bytes, None without timing."""

    verdicts: tuple[Verdict, ...]
    absent: tuple[Absent, ...]
    baseline: Cost | None

    @property
    def ours_is_right(self) -> bool:
        """Whether ours was examined and nothing was found."""
        return any(verdict.name == OURS.name and verdict.is_right for verdict in self.verdicts)

    @property
    def compares(self) -> bool:
        """Whether there was another library to compare with."""
        return bool({verdict.name for verdict in self.verdicts} - {OURS.name, FORMULA.name})


# ---- the peers


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


# ---- the audit


def audit(peers: Sequence[Peer] = PEERS, *, speed: bool = True) -> Audit:
    """Examine every peer that can be imported. speed: time them too. Raises InputError without mpmath."""
    try:
        import mpmath  # noqa: F401
    except ImportError:
        raise InputError(f"the audit's exact values need mpmath, which cannot be imported; {REMEDY}") from None
    with warnings.catch_warnings(action="ignore"):  # other libraries' are not about the audit
        loaded = {peer: load(peer) for peer in peers}
        losses = {peer: loss for peer, loss in loaded.items() if isinstance(loss, Loss)}
        verdicts = [examine(peer, loss) for peer, loss in losses.items()]
        baseline, costs = measure(list(losses.values())) if speed else (None, [None] * len(losses))
    return Audit(
        verdicts=tuple(replace(verdict, cost=cost) for verdict, cost in zip(verdicts, costs, strict=True)),
        absent=tuple(reason for reason in loaded.values() if isinstance(reason, Absent)),
        baseline=baseline,
    )


def load(peer: Peer) -> Loss | Absent:
    """Import a peer and ask it for one value; whatever goes wrong becomes the reason of its absence."""
    if find_spec(peer.module) is None:
        return Absent(peer.distribution, "not installed")
    try:
        loss = peer.load()
    except Exception as error:  # broken libraries raise anything
        return Absent(peer.distribution, f"not importable: {_one_line(error)}")
    try:
        loss.evaluate(torch.zeros(1), torch.ones(1), None, GAMMA)
    except Exception as error:
        return Absent(peer.distribution, f"fails when called: {_one_line(error)}")
    return loss


def examine(peer: Peer, loss: Loss) -> Verdict:
    """Count what a loss gets wrong in each dtype, and find what its alpha weights."""
    counts, notes = {}, []
    for dtype in DTYPES:
        name = dtype_name(dtype)
        try:
            counts[name], returned = judge(loss, dtype)
        except Exception as error:  # a dtype is refused in many ways
            notes.append(f"{peer.name} refuses {name}: {_one_line(error)}")
        else:
            if torch.finfo(returned).eps > torch.finfo(dtype).eps:
                notes.append(f"{peer.name} returns {dtype_name(returned)} for {name}")
    return Verdict(peer.name, _version(peer.distribution), counts, alpha_convention(loss), tuple(notes))


def judge(loss: Loss, dtype: torch.dtype) -> tuple[Count, torch.dtype]:
    """Count the cases of the grid that a loss gets wrong in a dtype; also the dtype of the values it returns."""
    logits = torch.tensor(LOGITS, dtype=dtype).repeat(2)
    targets = torch.tensor([0, 1], dtype=dtype).repeat_interleave(len(LOGITS))
    non_finite = wrong = 0
    for gamma in GAMMAS:
        values, slopes = loss.evaluate(logits, targets, None, gamma)
        got = torch.stack([values.double(), slopes.double()], dim=1)  # (case, 2)
        wanted = [exact(x, int(y), gamma) for x, y in zip(logits.tolist(), targets.tolist(), strict=True)]
        finite = got.isfinite().all(dim=1)
        non_finite += int((~finite).sum())
        wrong += int((finite & is_wrong(got, wanted, dtype).any(dim=1)).sum())
    return Count(non_finite, wrong), values.dtype


def is_wrong(got: Tensor, wanted: Sequence[tuple[Exact, Exact]], dtype: torch.dtype) -> Tensor:
    """Where numbers are off by more than (64 + |log value|) eps, and by more than 4 of the smallest normal number.

    |log value| eps is the price of an exponential, whose argument is rounded. got: (case, 2), float64. wanted: a
    pair for each case. dtype: whose eps and smallest normal number. Returns a mask (case, 2).
    """
    values, logs = torch.tensor(wanted, dtype=torch.float64).unbind(dim=2)
    limits = torch.finfo(dtype)
    allowed = ((TOLERANCE + logs) * limits.eps * values.abs()).clamp(min=SMALLEST * limits.tiny)
    return ~((got - values).abs() <= allowed)


@cache
def exact(logit: float, target: int, gamma: float) -> tuple[Exact, Exact]:
    """The focal loss and its derivative by the logit, at more than 50 digits (the paper's eq. 5 and 10).

    logit: any finite; target: 0 or 1; gamma >= 0.

    >>> [round(number.value, 12) for number in exact(2.0, 1, 2.0)]
    [0.001803562835, -0.004870940195]
    """
    import mpmath

    sign = 2 * target - 1
    with mpmath.workdps(DIGITS):
        x_t = sign * mpmath.mpf(logit)
        p, q, log_p = 1 / (1 + mpmath.exp(-x_t)), 1 / (1 + mpmath.exp(x_t)), -mpmath.log1p(mpmath.exp(-x_t))
        focus = q ** mpmath.mpf(gamma)
        value, slope = -focus * log_p, sign * focus * (gamma * p * log_p - q)
        first, second = (Exact(float(number), abs(float(mpmath.log(abs(number))))) for number in (value, slope))
    return first, second


def alpha_convention(loss: Loss) -> str:
    """What alpha weights: the "positives", the negatives ("reversed"), nothing ("no alpha"), or "other"."""
    logits, targets = torch.zeros(2), torch.tensor([1.0, 0.0])
    (on, _), (off, _) = (loss.evaluate(logits, targets, alpha, GAMMA) for alpha in (ALPHA, None))
    known = {"positives": (ALPHA, 1 - ALPHA), "reversed": (1 - ALPHA, ALPHA), "no alpha": (1.0, 1.0)}
    matching = [name for name, weights in known.items() if torch.allclose(on / off, torch.tensor(weights), rtol=1e-3)]
    return matching[0] if matching else "other"


# ---- what it costs


def measure(losses: Sequence[Loss]) -> tuple[Cost, list[Cost]]:
    """Forward and backward of the mean over a million float32 logits: BCE's cost, and multiples of it.

    Times: medians over ROUNDS interleaved rounds of the ratio to a BCEWithLogitsLoss step taken just before, on one
    torch thread, because OpenMP's threads spin while another process is busy. XLA's threads are its own.
    Memory: peak_bytes; None for losses whose arrays are not torch's.
    """
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(SPEED_LOGITS, generator=rng)
    targets = (torch.rand(SPEED_LOGITS, generator=rng) < SPEED_RATE).float()
    bce, steps = _bce_step(logits, targets), [loss.step(logits, targets) for loss in losses]
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        for step in (bce, *steps):
            step()  # compiles and warms up
        rounds = [[(seconds(bce), seconds(step)) for step in steps] for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    pairs = list(zip(*rounds, strict=True))  # (loss, round)
    unit = peak_bytes(bce)
    times = [median(own / base for base, own in column) for column in pairs]
    memory = [peak_bytes(step) / unit if loss.in_torch else None for loss, step in zip(losses, steps, strict=True)]
    baseline = Cost(median(base for column in pairs for base, _ in column), unit)
    return baseline, [Cost(*cost) for cost in zip(times, memory, strict=True)]


def seconds(step: Step) -> float:
    """How long a step takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def peak_bytes(step: Step) -> float:
    """The most that torch held at any moment of a step beyond what it held before.

    From the profiler's record of every allocation and release on the CPU, so what lives only inside an operation
    counts too. The logits and targets exist before and do not count; the gradient does.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler writes to stderr
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    records = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    sizes: list[int] = [event.nbytes() for event in sorted(records, key=lambda event: event.start_ns())]
    return max(accumulate(sizes, initial=0))


def _bce_step(logits: Tensor, targets: Tensor) -> Step:
    x = logits.clone().requires_grad_()
    return lambda: torch.autograd.grad(binary_cross_entropy_with_logits(x, targets), x)


# ---- words


def dtype_name(dtype: torch.dtype) -> str:
    """The dtype's name without the library's."""
    return str(dtype).removeprefix("torch.")


def _one_line(error: Exception) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _version(distribution: str) -> str:
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return distribution
