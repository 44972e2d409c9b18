"""How right are the focal losses installed on this machine? Each one against 50 digits, and against BCE's cost.

Every library is asked for the elementwise binary focal loss without alpha and its derivative by the logit, at each
case (logit, target, gamma) of a grid, in each dtype. Both are compared with mpmath's values for the logit as
rounded to that dtype. A case counts once: as non-finite if either is, else as wrong if either is.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import torch

from focalbench.audit.cost import Cost, measure
from focalbench.audit.exactness import DTYPES, Count, alpha_convention, judge
from focalbench.audit.peers import FORMULA, GAMMA, OURS, PEERS, Loss, Peer, dtype_name
from focalbench.errors import InputError

REMEDY = "pip install -e '.[audit]'"


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


def _one_line(error: Exception) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _version(distribution: str) -> str:
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return distribution
