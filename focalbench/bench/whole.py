"""The default sweep as a person runs it: against a plain loop, and its memory."""

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from focalbench.bench.memory import Ran, run
from focalbench.bench.plain import train_plainly
from focalbench.bench.rows import OURS, Goal, Row, Scale
from focalbench.bench.timing import seconds
from focalbench.datasets.build import build_splits
from focalbench.experiment import Experiment
from focalbench.plan import make_plan
from focalbench.references import is_reference

SEEDS, PLAIN_RUNS = 2, 12  # of the default sweep's 10 seeds; runs trained plainly, evenly chosen among a seed's
TINY = ["--rows", "2000", "--pos-rate", "0.02", "--epochs", "2", "--hidden", "8", "--lr", "0.01"]


def sweep(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time the default sweep at a few seeds, and the same runs by a plain loop."""
    options = ["--seeds", str(SEEDS), *(TINY if scale.tiny else [])]
    ran, taken = swept(options)
    experiment = replace(Experiment(), seeds=SEEDS)
    if scale.tiny:
        experiment = replace(experiment, rows=2000, positive_rates=(0.02,), epochs=2, hidden=(8,), lrs=(0.01,))
    runs = make_plan(experiment).runs
    networks = [run for run in runs if not is_reference(run)]
    references = sum(taken[run.run_id] for run in runs if is_reference(run))
    of_a_seed = [run for run in networks if run.seed == 0]
    chosen = of_a_seed[:: max(1, len(of_a_seed) // PLAIN_RUNS)][:PLAIN_RUNS]
    splits = build_splits(chosen[0].recipe, chosen[0].seed)
    plain = [seconds(lambda run=run: train_plainly(run, splits)) for run in chosen]  # type: ignore[misc]
    whole = sum(plain) / len(plain) * len(networks) + references
    part = f"default sweep, {SEEDS} seeds: {len(networks)} networks and {len(runs) - len(networks)} references (s)"
    share = f"{len(chosen)} runs of {min(plain):.2f} to {max(plain):.2f} s, times {len(networks) / len(chosen):g}"
    rows = [
        Row(part, OURS, f"{scale.cores} x 1", ran.seconds, note=peak_note(ran)),
        Row(part, "plain loop", "all", whole, ratio=whole / ran.seconds, note=f"{share}, and the same references"),
    ]
    goals = [Goal("default sweep: the plain loop takes times ours", whole / ran.seconds, 10)]
    if ran.peak_bytes:
        goals.append(Goal("default sweep: GB of memory, all processes", ran.peak_bytes / 1e9, 1.5, at_most=True))
    return rows, goals


def swept(options: Sequence[str]) -> tuple[Ran, dict[str, float]]:
    """Run a sweep in a folder that goes away, and the seconds that each of its runs reports."""
    with tempfile.TemporaryDirectory() as folder:
        ran = run(["sweep", "--device", "cpu", "--out", f"{folder}/out", *options])
        with (Path(folder) / "out" / "timings.csv").open(encoding="utf-8", newline="") as file:
            return ran, {row["run_id"]: float(row["seconds"]) for row in csv.DictReader(file)}


def peak_note(ran: Ran) -> str:
    """The most memory of all its processes, as a note."""
    return "" if ran.peak_bytes is None else f"peak {ran.peak_bytes / 1e6:.0f} MB"
