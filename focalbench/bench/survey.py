"""All that is measured, part after part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from focalbench.bench.growth import growth
from focalbench.bench.peers import PEERS, PLAIN
from focalbench.bench.problem import Problem
from focalbench.bench.ranking import ranking
from focalbench.bench.rows import Goal, Row, Scale
from focalbench.bench.start import waiting
from focalbench.bench.trainer import training
from focalbench.bench.whole import sweep

PARTS = ("training", "ranking", "waiting", "sweep", "growth")
WIDE, NARROW, LINEAR = Problem((64, 64), 512), Problem((16,), 256), Problem((), 256)
WANTED = {"plain PyTorch loop": 12, "skorch NeuralNet": 30, "torch.func.vmap ensemble": 3.5}
WANTED_OF_JAX = {"jax.jit of a vmapped ensemble": 1.8}
LIBRARIES = ("torch", "jax", "skorch", "scikit-learn", "imbalanced-losses", "numpy")
REMEDY = "pip install -e '.[bench]'"


@dataclass(frozen=True)
class Survey:
    """rows and goals of the parts asked for, without goals where all is tiny; absent: peers that are not installed; versions: of what is."""

    rows: tuple[Row, ...]
    goals: tuple[Goal, ...]
    absent: tuple[str, ...]
    versions: tuple[str, ...]


def survey(parts: Sequence[str], scale: Scale, device: str) -> Survey:
    """Measure the parts asked for, of PARTS."""
    rows: list[Row] = []
    goals: list[Goal] = []
    for measure in _measures(parts, scale, device):
        more, reached = measure()
        rows += more
        goals += reached
    absent = tuple(peer.name for peer in PEERS if not peer.is_here) if "training" in parts else ()
    judged = () if scale.tiny else tuple(goals)  # a time too short means nothing
    return Survey(tuple(rows), judged, absent, tuple(_versions()))


def _measures(parts: Sequence[str], scale: Scale, device: str) -> list[Callable[[], tuple[list[Row], list[Goal]]]]:
    wide, narrow, linear = (replace(problem, device=device) for problem in (WIDE, NARROW, LINEAR))
    if scale.tiny:
        wide, narrow, linear = (replace(problem, rows=1000, runs=4) for problem in (wide, narrow, linear))
    here = [peer for peer in PEERS if peer.is_here and (device == "cpu" or peer.on_gpu)]
    measures: dict[str, list[Callable[[], tuple[list[Row], list[Goal]]]]] = {
        "training": [
            lambda: training(wide, here, WANTED | WANTED_OF_JAX if device == "cpu" else {PLAIN.name: 100}, scale),
            lambda: training(narrow, here[:2], {PLAIN.name: 25 if device == "cpu" else 100}, scale),
            lambda: training(linear, here[:2], {PLAIN.name: 40 if device == "cpu" else 100}, scale),
        ],
        "ranking": [lambda: ranking(scale)],
        "waiting": [lambda: waiting(scale)],
        "sweep": [lambda: sweep(scale)],
        "growth": [lambda: growth(scale)],
    }
    return [measure for part in parts for measure in measures[part]]


def _versions() -> list[str]:
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found
