"""All that is measured, part after part."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from focalbench.bench.growth import growth
from focalbench.bench.losses import losses
from focalbench.bench.peers import PEERS, PLAIN, Peer
from focalbench.bench.problem import Problem
from focalbench.bench.ranking import ranking
from focalbench.bench.reading import reading
from focalbench.bench.rows import Goal, Row, Scale
from focalbench.bench.startup import waiting
from focalbench.bench.sweep_time import sweep
from focalbench.bench.trainer import training

PARTS = ("training", "losses", "ranking", "data", "waiting", "sweep", "growth")
WIDE, USUAL, NARROW, LINEAR = Problem((64, 64), 512), Problem((32, 32), 512), Problem((16,), 256), Problem((), 256)
WANTED: dict[str, float] = {
    PLAIN.name: 12,
    "skorch NeuralNet": 30,
    "torch.func.vmap ensemble": 3.5,
    "jax.jit of a vmapped ensemble": 1.8,
}
FEW = (PLAIN.name, "plain loop, fused Adam")
TINY: dict[str, Any] = {"rows": 1000, "runs": 4}
Measure = Callable[[], tuple[list[Row], list[Goal]]]
LIBRARIES = ("torch", "jax", "skorch", "pytabkit", "scikit-learn", "imbalanced-losses", "numpy")
REMEDY = "pip install -e '.[bench]'"


@dataclass(frozen=True)
class Survey:
    """What was measured: rows, goals (none where all is tiny), peers left out and why, and versions."""

    rows: tuple[Row, ...]
    goals: tuple[Goal, ...]
    absent: tuple[str, ...]
    versions: tuple[str, ...]


def survey(parts: Sequence[str], scale: Scale, device: str, watch: Callable[[str], None]) -> Survey:
    """Measure the parts asked for, of PARTS. watch: told what is about to be measured."""
    rows: list[Row] = []
    goals: list[Goal] = []
    for name, measure in _measures(parts, scale, device):
        watch(name)
        more, reached = measure()
        rows += more
        goals += reached
    absent = tuple(f"{peer.name}: {peer.lacks}" for peer in PEERS if peer.lacks) if "training" in parts else ()
    judged = () if scale.tiny else tuple(goals)  # a time too short means nothing
    return Survey(tuple(rows), judged, absent, tuple(_versions()))


def _measures(parts: Sequence[str], scale: Scale, device: str) -> Iterator[tuple[str, Measure]]:
    if "training" in parts:
        here = [peer for peer in PEERS if not peer.lacks]
        for problem, peers, wanted in _problems(here, device):
            sized = replace(problem, device=device, **(TINY if scale.tiny else {}))
            yield f"training {problem.title}", partial(training, sized, peers, wanted, scale)
    others = {
        "losses": losses,
        "ranking": ranking,
        "data": reading,
        "waiting": waiting,
        "sweep": sweep,
        "growth": growth,
    }
    for name in parts:
        if name in others:
            yield name, partial(others[name], scale)


def _problems(here: list[Peer], device: str) -> list[tuple[Problem, list[Peer], dict[str, float]]]:
    """What is trained, by whom, and how many times as long a peer should take."""
    few = [peer for peer in here if peer.name in FEW]
    if device != "cpu":
        return [(problem, few, {PLAIN.name: 100}) for problem in (WIDE, NARROW, LINEAR)]
    together = [peer for peer in here if peer.together or peer in few]
    return [
        (WIDE, here, WANTED),
        (USUAL, together, {}),
        (NARROW, few, {PLAIN.name: 25}),
        (LINEAR, few, {PLAIN.name: 40}),
    ]


def _versions() -> list[str]:
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found
