"""How seconds grow: with the runs of one stack, with rows and epochs of a sweep, and with its runs."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from focalbench.bench.lockstep import lockstep
from focalbench.bench.problem import Problem
from focalbench.bench.rows import Goal, Row, Scale, row
from focalbench.bench.sweep_time import peak_note, swept
from focalbench.bench.timing import interleaved
from focalbench.jobs.sweep import run_experiment
from focalbench.jobs.trainer import Execution
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.arm import Arm

SMALL = Problem((16,), 256)
TOGETHER = (1, 4, 12, 48)  # runs of one stack
LRS = 24  # learning rates; with two arms 48 runs a seed
SWEEP = Experiment(
    positive_rates=(0.02,),
    arms=(Arm("bce"), Arm("focal", gamma=2.0)),
    lrs=(0.01,),
    seeds=6,
    hidden=(16,),
    batch_size=256,
    references=False,
)
ARMS = "--loss bce --loss focal --gamma 2 --init own"
OPTIONS = f"{ARMS} --no-references --device cpu --hidden 16 --batch-size 256 --pos-rate 0.02"


def growth(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time a stack of more and more runs, and sweeps that grow in one direction each."""
    few, many = (1, 2) if scale.tiny else (5, 20)
    rows = [(replace(SWEEP, rows=10_000 * n, epochs=2 * few), 10_000 * n) for n in (few, many)]
    epochs = [(replace(SWEEP, rows=5_000 * few, epochs=2 * n), 2 * n) for n in (few, many)]
    found = [stacked(scale), within("rows", rows, scale.rounds), within("epochs", epochs, scale.rounds), runs(scale)]
    return [row for rows, _ in found for row in rows], [goal for _, goals in found for goal in goals]


def stacked(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Milliseconds per run-epoch of stacks of different sizes; an added run should cost less than the first."""
    problem = replace(SMALL, rows=2000) if scale.tiny else SMALL
    taken = interleaved([lockstep(replace(problem, runs=runs)) for runs in TOGETHER], scale.rounds)
    part = f"growth with the runs of a stack: {SMALL.title} (ms per run-epoch)"
    rows = [row(part, f"{n} runs", "1", timing.of(n), 1e3, None) for n, timing in zip(TOGETHER, taken, strict=True)]
    added = [
        (more.median - less.median) / (many - few) / taken[0].median
        for (few, less), (many, more) in pairwise(zip(TOGETHER, taken, strict=True))
    ]
    return rows, [Goal("runs of a stack: an added one costs of a first one, at most", max(added), 1.0, at_most=True)]


def within(what: str, steps: Sequence[tuple[Experiment, int]], rounds: int) -> tuple[list[Row], list[Goal]]:
    """Time sweeps of two sizes inside this process, whose start does not count: planning, data, training, files."""
    less, more = interleaved([partial(_run, experiment) for experiment, _ in steps], rounds)
    (_, few), (_, many) = steps
    rows = [
        row(f"growth with {what} (s)", f"{n:,}", "1", timing, 1.0, None) for n, timing in ((few, less), (many, more))
    ]
    name = f"growth: seconds for each of {many:,} {what} over those for each of {few:,}"
    return rows, [Goal(name, more.of(many).times(less.of(few)), 1.1, at_most=True)]


def _run(experiment: Experiment) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run_experiment(experiment, make_plan(experiment), Path(folder) / "out", Execution())


def runs(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time whole processes of more and more runs, once, and their memory."""
    seeds = (1, 2, 3) if scale.tiny else (1, 40, 209) if scale.long else (1, 20, 40)
    rates = " ".join(f"--lr {0.001 * (i + 1):.3f}" for i in range(LRS))
    options = [f"{OPTIONS} --rows 1500 --epochs 2 {rates} --seeds {n}".split() for n in seeds]
    taken = [(2 * LRS * n, swept(given)[0]) for n, given in zip(seeds, options, strict=True)]
    rows = [Row("growth with runs (s)", f"{n:,}", "", ran.seconds, note=peak_note(ran)) for n, ran in taken]
    first, last = ((more.seconds - less.seconds) / (many - few) for (few, less), (many, more) in pairwise(taken))
    (_, some), (most, all_runs) = taken[1:]
    goals = [
        Goal(
            f"growth: seconds of an added run, up to {most:,}, over those of the first ones",
            last / first,
            1.1,
            at_most=True,
        )
    ]
    if some.peak_bytes and all_runs.peak_bytes:
        name = f"growth: memory of {most:,} runs over that of {taken[1][0]:,}"
        goals.append(Goal(name, all_runs.peak_bytes / some.peak_bytes, 1.1, at_most=True))
    return rows, goals
