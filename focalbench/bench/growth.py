"""How seconds grow: with rows, epochs and runs of a whole sweep, and with the runs of one stack."""

from collections.abc import Sequence
from dataclasses import replace

from focalbench.bench.lockstep import lockstep
from focalbench.bench.problem import Problem
from focalbench.bench.rows import Goal, Row, Scale, row
from focalbench.bench.timing import interleaved
from focalbench.bench.whole import peak_note, swept

SMALL = Problem((16,), 256)
TOGETHER = (1, 4, 12, 48)  # runs of one stack
COMMON = "--no-references --device cpu --hidden 16 --batch-size 256 --pos-rate 0.02"
LRS = 24  # learning rates; with two arms 48 runs a seed
ARMS = "--loss bce --loss focal --gamma 2"


def growth(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time a stack of more and more runs, and sweeps that grow in one direction each."""
    few, many = (1, 2) if scale.tiny else (20, 80)
    seeds = (1, 2) if scale.tiny else (1, 10, 209) if scale.long else (1, 10)
    rates = " ".join(f"--lr {0.001 * (i + 1):.3f}" for i in range(LRS))
    sweeps = {
        "rows": [(f"--seeds 6 --epochs 4 --lr 0.01 --rows {2500 * n}", n) for n in (few, many)],
        "epochs": [(f"--seeds 6 --rows 20000 --lr 0.01 --epochs {n}", n) for n in (few, many)],
        "runs": [(f"--rows 1500 --epochs 2 {rates} --seeds {n}", 2 * LRS * n) for n in seeds],
    }
    found = [stacked(scale), *(grown(what, steps) for what, steps in sweeps.items())]
    return [row for rows, _ in found for row in rows], [goal for _, goals in found for goal in goals]


def stacked(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Milliseconds per run-epoch of stacks of different sizes."""
    sizes = TOGETHER[:2] if scale.tiny else TOGETHER
    rows = 2000 if scale.tiny else SMALL.rows
    works = {f"{runs} runs": lockstep(replace(SMALL, runs=runs, rows=rows)) for runs in sizes}
    taken = interleaved(works, scale.rounds)
    each = {name: timing.of(runs) for (name, timing), runs in zip(taken.items(), sizes, strict=True)}
    first, last = each[f"{sizes[0]} runs"], each[f"{sizes[-1]} runs"]
    part = f"growth with the runs of a stack: {SMALL.title} (ms per run-epoch)"
    goal = Goal(
        f"an added run costs so much of a first one, {sizes[-1]} together", last.times(first), 1.0, at_most=True
    )
    return [row(part, name, "1", timing, 1e3, None) for name, timing in each.items()], [goal]


def grown(what: str, steps: Sequence[tuple[str, int]]) -> tuple[list[Row], list[Goal]]:
    """Seconds of sweeps in one direction, and how much more one costs of the last step than of the one before."""
    taken = [(size, swept([*COMMON.split(), *ARMS.split(), *options.split()])[0]) for options, size in steps]
    rows = [Row(f"growth with {what} (s)", f"{size:,}", "", ran.seconds, note=peak_note(ran)) for size, ran in taken]
    each = [ran.seconds / size for size, ran in taken]
    return rows, [
        Goal(f"{what}: seconds for each at the most, over those at fewer", each[-1] / each[-2], 1.1, at_most=True)
    ]
