"""The default sweep as a person runs it: against a plain loop, and its memory."""

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from focalbench.arms import Run
from focalbench.bench.memory import Ran, run
from focalbench.bench.plain import train_plainly
from focalbench.bench.rows import OURS, Goal, Row, Scale
from focalbench.bench.timing import seconds
from focalbench.bench.trainer import on_threads
from focalbench.datasets.build import build_splits
from focalbench.experiment import Experiment
from focalbench.plan import make_plan
from focalbench.references import is_reference

SEEDS, PLAIN_RUNS = 2, 8  # of the default sweep's 10 seeds; runs trained plainly, evenly chosen among a seed's
TINY = ["--rows", "2000", "--pos-rate", "0.02", "--epochs", "2", "--hidden", "8", "--lr", "0.01"]


def sweep(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time the default sweep at a few seeds, and the same runs by a plain loop; once."""
    experiment = replace(Experiment(), seeds=SEEDS)
    if scale.tiny:
        experiment = replace(experiment, rows=2000, positive_rates=(0.02,), epochs=2, hidden=(8,), lrs=(0.01,))
    ran, taken = swept(["--seeds", str(SEEDS), *(TINY if scale.tiny else [])])
    runs = make_plan(experiment).runs
    networks = [run for run in runs if not is_reference(run)]
    references = sum(taken[run.run_id] for run in runs if is_reference(run))
    plain = _plain_seconds([run for run in networks if run.seed == 0], scale.cores)
    whole = sum(plain) / len(plain) * len(networks) + references
    part = f"default sweep, {SEEDS} seeds: {len(networks)} networks and {len(runs) - len(networks)} references (s)"
    sample = f"from {len(plain)} of its networks, of {min(plain):.2f} to {max(plain):.2f} s; plus the same references"
    worked = f"the workers together {sum(taken.values()):.0f} s, {references:.0f} of it for references"
    rows = [
        Row(part, OURS, f"{scale.cores} x 1", ran.seconds, note="; ".join(filter(None, (worked, peak_note(ran))))),
        Row(part, "plain loop, one process", "best", whole, note=sample),
    ]
    goals = [
        Goal("default sweep: the plain loop in one process takes times ours on all cores", whole / ran.seconds, 10)
    ]
    if ran.peak_bytes:
        goals.append(Goal("default sweep: GB of memory, all processes", ran.peak_bytes / 1e9, 1.5, at_most=True))
    return rows, goals


def _plain_seconds(networks: Sequence[Run], cores: int) -> list[float]:
    """Seconds of PLAIN_RUNS of a seed's networks, each on one thread or on all, whichever takes less."""
    splits = build_splits(networks[0].recipe, networks[0].seed)
    chosen = [networks[round(i)] for i in np.linspace(0, len(networks) - 1, min(PLAIN_RUNS, len(networks)))]
    counts = sorted({1, cores})
    return [min(seconds(on_threads(n, partial(train_plainly, run, splits))) for n in counts) for run in chosen]


def swept(options: Sequence[str]) -> tuple[Ran, dict[str, float]]:
    """Run a sweep in a folder that goes away, and the seconds that each of its runs reports."""
    with tempfile.TemporaryDirectory() as folder:
        ran = run(["sweep", "--device", "cpu", "--out", f"{folder}/out", *options])
        with (Path(folder) / "out" / "timings.csv").open(encoding="utf-8", newline="") as file:
            return ran, {row["run_id"]: float(row["seconds"]) for row in csv.DictReader(file)}


def peak_note(ran: Ran) -> str:
    """The most memory of all its processes, as a note."""
    return "" if ran.peak_bytes is None else f"peak {ran.peak_bytes / 1e6:.0f} MB"
