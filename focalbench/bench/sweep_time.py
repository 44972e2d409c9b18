"""The default sweep as a person runs it: its time and that of its first table, its parts, a plain loop, its memory."""

import csv
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from focalbench.bench.memory import Ran, run
from focalbench.bench.plain_loop import train_plainly
from focalbench.bench.rows import OURS, Goal, Row, Scale
from focalbench.bench.timing import seconds
from focalbench.bench.trainer import on_threads
from focalbench.datasets.build import build_splits
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.stacks import make_stacks
from focalbench.runs.run import Run
from focalbench.training import loop as training
from focalbench.training import stack
from focalbench.training.references import is_reference

PLAIN_RUNS = 8  # runs trained plainly, evenly chosen among a seed's
DEFAULT, QUICK = ["--pos-rate", "0.0015"], ["--pos-rate", "0.0015", "--quick"]
TINY = ["--rows", "2000", "--pos-rate", "0.02", "--epochs", "2", "--hidden", "8", "--lr", "0.01", "--seeds", "2"]
SEED = '"event": "seed"'  # what a sweep says as JSON when a seed is whole
PARTS: tuple[tuple[str, Any, str], ...] = (
    ("rows of the seed", stack, "build_parts"),
    ("training", training, "train_epoch"),
    ("scoring validation", training, "score"),
    ("scoring validation", training, "macro_average_precision"),
    ("measuring on the test rows", stack, "score"),
    ("measuring on the test rows", stack, "outcome_of"),
    ("references", stack, "_fit_reference"),
)


def sweep(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time the default sweep, its quick form, the parts of one seed, and the same runs by a plain loop; once."""
    experiment = Experiment()
    if scale.tiny:
        small = replace(experiment, rows=2000, positive_rates=(0.02,), epochs=2)
        experiment = replace(small, hidden=(8,), lrs=(0.01,), seeds=2)
    ran, taken = swept(["--json", *(TINY if scale.tiny else DEFAULT)], SEED, times=2)
    quick = ran if scale.tiny else swept(QUICK)[0]
    runs = make_plan(experiment).runs
    networks = [run for run in runs if not is_reference(run)]
    references = sum(taken[run.run_id] for run in runs if is_reference(run))
    plain = _plain_seconds([run for run in networks if run.seed == 0], scale.cores)
    whole = sum(plain) / len(plain) * len(networks) + references
    part = f"default sweep: {len(networks)} networks and {len(runs) - len(networks)} references (s)"
    sample = f"from {len(plain)} of its networks, of {min(plain):.2f} to {max(plain):.2f} s; plus the same references"
    worked = f"the workers together {sum(taken.values()):.0f} s, {references:.0f} of it for references"
    first = ran.waited or ran.seconds
    rows = [
        Row(part, OURS, f"{scale.cores} x 1", ran.seconds, note="; ".join(filter(None, (worked, peak_note(ran))))),
        Row(part, "until the first table, of two seeds", f"{scale.cores} x 1", first),
        Row(part, "with --quick", f"{scale.cores} x 1", quick.seconds),
        Row(part, "plain loop, one process", "best", whole, note=sample),
        *_parts([run for run in runs if run.seed == 0]),
    ]
    goals = [
        Goal("default sweep: seconds", ran.seconds, 120, at_most=True),
        Goal("default sweep: seconds until the first table", first, 25, at_most=True),
        Goal("default sweep: seconds with --quick", quick.seconds, 12, at_most=True),
        Goal("default sweep: the plain loop in one process takes times ours on all cores", whole / ran.seconds, 12),
    ]
    if ran.peak_bytes:
        goals.append(Goal("default sweep: GB of memory, all processes", ran.peak_bytes / 1e9, 1.5, at_most=True))
    return rows, goals


def _parts(runs: Sequence[Run]) -> list[Row]:
    """Where the seconds of one seed go, on one thread of this process."""
    with _timed() as taken:
        whole = seconds(lambda: [stack.run_stack(each) for each in make_stacks(runs)])
    taken["the rest"] = whole - sum(taken.values())
    part = f"one seed of it, on one thread: {whole:.1f} s (s)"
    return [Row(part, name, "1", spent, note=f"{spent / whole:.0%}") for name, spent in taken.items()]


@contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """The seconds that the functions of PARTS take meanwhile."""
    taken = dict.fromkeys((name for name, _, _ in PARTS), 0.0)

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                taken[name] += time.perf_counter() - start

        return call

    with ExitStack() as patched:
        for name, module, function in PARTS:
            patched.enter_context(mock.patch.object(module, function, watched(name, getattr(module, function))))
        yield taken


def _plain_seconds(networks: Sequence[Run], cores: int) -> list[float]:
    """Seconds of PLAIN_RUNS of a seed's networks, each on one thread or on all, whichever takes less."""
    splits = build_splits(networks[0].recipe, networks[0].seed)
    chosen = [networks[round(i)] for i in np.linspace(0, len(networks) - 1, min(PLAIN_RUNS, len(networks)))]
    counts = sorted({1, cores})
    return [min(seconds(on_threads(n, partial(train_plainly, run, splits))) for n in counts) for run in chosen]


def swept(options: Sequence[str], text: str = "", times: int = 1) -> tuple[Ran, dict[str, float]]:
    """Run a sweep in a folder that goes away, and the seconds that each of its runs reports. text, times: as run's."""
    with tempfile.TemporaryDirectory() as folder:
        ran = run(["sweep", "--device", "cpu", "--out", f"{folder}/out", *options], text, times)
        with (Path(folder) / "out" / "timings.csv").open(encoding="utf-8", newline="") as file:
            return ran, {row["run_id"]: float(row["seconds"]) for row in csv.DictReader(file)}


def peak_note(ran: Ran) -> str:
    """The most memory of all its processes, as a note."""
    return "" if ran.peak_bytes is None else f"peak {ran.peak_bytes / 1e6:.0f} MB"
