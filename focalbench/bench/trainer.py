"""Training: seconds per run-epoch of every way to train a problem, and the share of the machine's matmul peak."""

from collections.abc import Sequence

import joblib
import torch

from focalbench.bench.lockstep import MIXED, lockstep, lockstep_everywhere
from focalbench.bench.peers import Peer
from focalbench.bench.problem import Problem
from focalbench.bench.rows import OURS, Goal, Row, Scale, row
from focalbench.bench.timing import Timing, Work, interleaved, seconds

CUBE, CUBES = 1024, 10  # the product whose speed is called the machine's peak, and how many make a round
FOCAL = f"{OURS}, gammas 0, 2 and 5"
Wanted = dict[str, float]  # how many times as long a peer should take


def training(problem: Problem, peers: Sequence[Peer], wanted: Wanted, scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time ours, on one core and on all, against peers, each on one thread and on all."""
    works: dict[tuple[str, str], Work] = {("peak", "1"): on_threads(1, matmul_peak(problem.device))}
    notes: dict[str, str] = {}
    for peer in peers:
        try:
            work = peer.make(problem)
            first = seconds(work, problem.device)
        except Exception as error:  # other libraries raise anything
            notes[peer.name] = f"failed: {type(error).__name__}"
            continue
        notes[peer.name] = f"first epoch {first:.0f} s" if first > 5 else ""
        for threads in ("own",) if peer.own_threads else thread_counts(scale.cores, problem.device):
            works[peer.name, threads] = work if peer.own_threads else on_threads(int(threads), work)
    with joblib.Parallel(n_jobs=scale.cores) as parallel:
        works[OURS, "1"] = lockstep(problem)
        works[FOCAL, "1"] = lockstep(problem, MIXED)
        if problem.device == "cpu" and scale.cores > 1:
            works[OURS, f"{scale.cores} x 1"] = lockstep_everywhere(problem, parallel, scale.cores)
        names = {f"{name}|{threads}": work for (name, threads), work in works.items()}
        found = interleaved(names, scale.rounds, problem.device)
    together = {peer.name for peer in peers if peer.together} | {OURS, FOCAL}
    taken = {key: found["|".join(key)].of(problem.runs if key[0] in together else 1) for key in works}
    return _reported(problem, taken, notes, wanted)


def thread_counts(cores: int, device: str) -> tuple[str, ...]:
    """What torch is timed on: one thread, and all."""
    return ("1",) if cores == 1 or device != "cpu" else ("1", str(cores))


def on_threads(threads: int, work: Work) -> Work:
    """The same work on so many of torch's threads."""

    def limited() -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            work()
        finally:
            torch.set_num_threads(before)

    return limited


def matmul_peak(device: str) -> Work:
    """CUBES float32 products of two matrices of CUBE by CUBE."""
    left, right = (torch.randn(CUBE, CUBE, device=device) for _ in range(2))
    into = torch.empty_like(left)

    def products() -> None:
        for _ in range(CUBES):
            torch.mm(left, right, out=into)

    return products


def _reported(
    problem: Problem, taken: dict[tuple[str, str], Timing], notes: dict[str, str], wanted: Wanted
) -> tuple[list[Row], list[Goal]]:
    part = f"training: {problem.title}, {problem.rows:,} rows, {problem.runs} runs (ms per run-epoch)"
    peak = taken.pop(("peak", "1")).of(CUBES)
    ours = {threads: timing for (name, threads), timing in taken.items() if name == OURS}
    alone, best = ours["1"], min(ours.values(), key=lambda timing: timing.median)
    flops = 2 * CUBE**3
    share = problem.flops / flops * peak.times(alone)
    rows = [
        row(part, name, threads, timing, 1e3, alone, notes.get(name, "")) for (name, threads), timing in taken.items()
    ]
    rows += [Row(part, name, "", note=note) for name, note in notes.items() if note.startswith("failed")]
    note = f"{flops / peak.median / 1e9:.0f} GFLOP/s; ours reaches {share:.2f} of it"
    rows.append(row(part, f"matmul, {CUBE} cube (ms)", "1", peak, 1e3, None, note))
    goals = (
        [Goal(f"{problem.title}: share of the matmul peak, one thread", share, 0.5)] if len(problem.hidden) > 1 else []
    )
    for name, times in wanted.items():
        theirs = [timing for (peer, _), timing in taken.items() if peer == name]
        if theirs:
            fastest = min(theirs, key=lambda timing: timing.median)
            goals.append(
                Goal(f"{problem.title}: {name} takes times ours, each at its best", fastest.times(best), times)
            )
    return rows, goals
